"""The peers' figures without the peers: what they are given, how all three are judged, and their lock."""

import re
from pathlib import Path

import pytest

from tests.benchmarks.peers import environment, judged
from tests.benchmarks.peers.rows import complaint_row
from tests.builders import clear_content

A, B, C, D = (frozenset(pair) for pair in ("ab", "cd", "ef", "gh"))


def test_f1_is_of_the_pairs_from_the_threshold_on() -> None:
    reached = judged.at({A: 0.9, B: 0.5, C: 0.4}, {A, C}, 0.5)
    assert (reached.precision, reached.recall, reached.f1) == (0.5, 0.5, 0.5)


def test_the_best_threshold_takes_pairs_of_one_probability_together() -> None:
    # Both or none: one right among two said, of one.
    assert judged.best_f1({A: 0.7, B: 0.7}, {A}) == pytest.approx(2 / 3)


def test_what_was_answered_stands_whatever_the_probability() -> None:
    chances = judged.answered({A: 0.1, B: 0.9, C: 0.8}, {A, B}, {A, D})
    assert chances == {A: 1.0, C: 0.8}


def test_the_pairs_nearest_to_even_are_asked_first() -> None:
    assert judged.least_sure({A: 0.9, B: 0.45, C: 0.6, D: 0.0}, 2) == {B, C}


def test_a_row_says_what_the_complaint_says_with_names_in_one_order() -> None:
    content = clear_content()
    content["identity"]["clear"] = {"persons": [{"no": 1, "name": "TRAORÉ Awa", "phone": "+223 00 11 22 33"}]}
    content["facts"]["clear"]["persons"] = [{"no": 1, "roles": ["victim"], "sex": "f"}]
    row = complaint_row("k1", content)
    assert (row["victim"], row["victim_words"], row["phones"]) == ("awa traore", ["awa", "traore"], ["00112233"])


def test_another_lock_asks_for_another_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    here = environment.folder()
    other = tmp_path / "peers.lock"
    other.write_bytes(environment.LOCK.read_bytes() + b"\n")
    monkeypatch.setattr(environment, "LOCK", other)
    assert environment.folder() != here


def test_the_lock_is_of_pins_with_hashes_from_no_named_place() -> None:
    lines = environment.LOCK.read_text("utf-8").splitlines()
    pins = [line for line in lines if not line.startswith(" ")]
    assert [line for line in pins if not re.fullmatch(r"[a-z0-9-]+==[^\s;]+( ; [^\\]+)? \\", line)] == []
    assert all(re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}( \\)?", line) for line in lines if line not in pins)
