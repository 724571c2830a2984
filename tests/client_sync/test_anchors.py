"""The device as a witness: which anchors it keeps, which it refuses, and what it tells of them."""

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import pytest
from click.testing import Result
from nacl.signing import SigningKey

from client_sync.anchors import note_answer, silent_days, tell, witness, witnesses
from client_sync.outbox import Outbox
from client_sync.protocol.anchors import Anchor
from client_sync.protocol.frames import to_text
from server.domain.merkle import consistency_proof, leaf_hash, root
from tests.client_sync.builders import EPOCH, HUB, HUB_SIGN

DAYS = [leaf_hash(bytes([day])) for day in range(8)]
OTHER_DAYS = [DAYS[0], *(leaf_hash(bytes([100 + day])) for day in range(7))]


def signed(
    size: int, *, before: int = 0, log: list[bytes] = DAYS, key: SigningKey = HUB_SIGN, **members: Any
) -> dict[str, Any]:
    """The anchor of a log of `size` leaves, with the proof for who saw `before` of them."""
    made = {"day": f"2026-11-{20 + size}", "epoch": EPOCH, "hub": HUB, "root": root(log[:size]).hex(), "size": size}
    anchor = Anchor(**made | members)
    proof = b"".join(consistency_proof(log[:size], before)) if 0 < before < size else b""
    return {"anchor": asdict(anchor), "proof": to_text(proof), "sig": to_text(key.sign(anchor.digest()).signature)}


def told(outbox: Outbox) -> list[int]:
    """Sizes of the anchors that wait to be told to the hub, or were."""
    tell(outbox)
    rows = outbox._database.query("SELECT line FROM record WHERE op = 'anchor_seen' ORDER BY seq")
    return [json.loads(row["line"])["content"]["anchor"]["size"] for row in rows]


def kept(outbox: Outbox) -> list[int]:
    return [json.loads(line)["anchor"]["size"] for line in witnesses(outbox)]


def test_first_anchor_is_kept_and_told(outbox: Outbox) -> None:
    assert witness(outbox, None) is None
    assert witness(outbox, signed(3)) == "grown"
    assert (kept(outbox), outbox.link.anchor_size) == ([3], 3)
    assert told(outbox) == [3]
    assert told(outbox) == [3]


def test_log_that_grew_takes_the_place_of_what_was_seen(outbox: Outbox) -> None:
    witness(outbox, signed(3))
    assert witness(outbox, signed(7, before=3)) == "grown"
    assert kept(outbox) == [7]
    assert told(outbox) == [7]


@pytest.mark.parametrize(
    "came",
    [
        signed(7, before=3, log=OTHER_DAYS),
        signed(7, before=2),
        signed(7),
        signed(2),
        signed(3, log=OTHER_DAYS),
        signed(7, before=3, key=SigningKey(b"o" * 32)),
        signed(7, before=3, hub="00000000-0000-4000-8000-0000000000bb"),
        signed(7, before=3) | {"sig": "x"},
        signed(7, before=3) | {"proof": "x"},
        {"anchor": {}},
        {},
    ],
    ids=["rewritten", "proof of another", "no proof", "shorter", "same size", "other key", "other hub",
         "no signature", "no hashes", "no head", "nothing"],
)  # fmt: skip
def test_any_other_log_is_refused_and_the_hub_told_once_what_was_seen(outbox: Outbox, came: dict[str, Any]) -> None:
    witness(outbox, signed(3))
    assert told(outbox) == [3]
    assert witness(outbox, came) == "differs"
    assert outbox.link.has_log_differed
    assert told(outbox) == [3, 3]
    assert witness(outbox, came) == "differs"
    assert told(outbox) == [3, 3]
    assert kept(outbox) == [3]


def test_a_log_that_holds_again_what_was_seen_is_taken_up_again(outbox: Outbox) -> None:
    witness(outbox, signed(3))
    witness(outbox, signed(7, before=3, log=OTHER_DAYS))
    assert witness(outbox, signed(7, before=3)) == "grown"
    assert kept(outbox) == [7]
    # That it once differed is for people to settle.
    assert outbox.link.has_log_differed


def test_what_a_declared_restore_lost_is_kept_beside_the_new(outbox: Outbox) -> None:
    witness(outbox, signed(6))
    assert witness(outbox, signed(4, log=OTHER_DAYS, epoch="0badc0de")) == "restored"
    assert kept(outbox) == [6, 4]
    assert told(outbox) == [6, 4]
    assert not outbox.link.has_log_differed
    assert witness(outbox, signed(5, before=4, log=OTHER_DAYS, epoch="0badc0de")) == "grown"
    assert kept(outbox) == [6, 5]


def test_restore_that_lost_nothing_seen_is_growth(outbox: Outbox) -> None:
    witness(outbox, signed(3))
    assert witness(outbox, signed(5, before=3, epoch="0badc0de")) == "grown"
    assert kept(outbox) == [5]


def _after(outbox: Outbox, *days: int) -> int | None:
    """What is said once the hub answered on these days of November."""
    for day in days:
        note_answer(outbox, datetime(2026, 11, day, 8, tzinfo=UTC))
    return silent_days(outbox)


def test_hub_that_stopped_giving_anchors_is_told_of_after_three_days(outbox: Outbox) -> None:
    witness(outbox, signed(3))
    assert [_after(outbox, day) for day in (20, 24, 26, 27)] == [None, None, None, 4]
    witness(outbox, signed(7, before=3))
    assert silent_days(outbox) is None


def test_hub_that_never_gave_an_anchor_is_told_of_after_three_days(outbox: Outbox) -> None:
    assert silent_days(outbox) is None
    assert [_after(outbox, day) for day in (1, 4, 5)] == [None, None, 4]


def test_hub_that_is_new_to_the_device_may_have_an_old_anchor_at_first(outbox: Outbox) -> None:
    witness(outbox, signed(3))
    assert [_after(outbox, day) for day in (27, 30)] == [None, None]


def test_anchor_dated_ahead_does_not_silence_the_device(outbox: Outbox) -> None:
    witness(outbox, signed(3, day="2099-01-01"))
    assert (_after(outbox, 1, 5) or 0) > 0


def test_clock_of_the_hub_that_was_ahead_at_first_does_not_silence_the_device(outbox: Outbox) -> None:
    assert _after(outbox, 28, 1, 5) == 4


@pytest.mark.parametrize("ended", ["is_revoked", "is_wiped"])
def test_device_that_gets_no_anchor_any_more_says_nothing(outbox: Outbox, ended: str) -> None:
    outbox.note(**{ended: 1})
    assert _after(outbox, 1, 9) is None


@pytest.mark.parametrize("day", ["2026-13-01", "2026W471", "20261121", "hier"])
def test_anchor_of_no_day_is_refused(outbox: Outbox, day: str) -> None:
    assert witness(outbox, signed(3, day=day)) == "differs"


def test_status_says_that_anchors_stopped_and_whom_to_tell(outbox: Outbox, run: Callable[..., Result]) -> None:
    note_answer(outbox, datetime(2026, 11, 1, tzinfo=UTC))
    assert "marque de son journal" not in run("status").output
    note_answer(outbox, datetime(2026, 11, 9, tzinfo=UTC))
    outbox.close()
    said = run("status").output
    assert "Depuis 8 jours" in said
    assert "Dites-le à votre coordination" in said


def test_witness_is_what_the_verifier_reads(outbox: Outbox, tmp_path: Any, run: Callable[..., Result]) -> None:
    file = tmp_path / "anchor.json"
    assert run("anchor", file).exit_code == 1
    witness(outbox, signed(3))
    outbox.close()
    assert run("anchor", file).exit_code == 0
    [line] = file.read_text().splitlines()
    came = signed(3)
    assert json.loads(line) == {
        "anchor": came["anchor"],
        "key": bytes(HUB_SIGN.verify_key).hex(),
        "sig": came["sig"],
    }
