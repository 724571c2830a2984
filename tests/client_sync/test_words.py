"""The list of words that two people read to each other."""

import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client_sync.protocol.enrolment import fingerprint
from client_sync.protocol.words import WORDS, from_words, to_words


def test_the_list_has_256_words_that_four_letters_tell_apart() -> None:
    assert len(WORDS) == 256
    assert len({word[:4] for word in WORDS}) == 256
    assert [word for word in WORDS if not re.fullmatch("[a-z]{4,8}", word)] == []


def test_the_list_is_part_of_the_wire_contract_and_does_not_change() -> None:
    digest = hashlib.sha256("\n".join(WORDS).encode()).hexdigest()
    assert digest == "11d25decd6ceb2e50936ffe859919a37818fc930042443295b33f0c8754b6cc8"
    assert to_words(b"\x00\x01\xff") == ["abeille", "abri", "yaourt"]


@given(st.binary(max_size=40))
def test_words_give_back_the_bytes_in_any_case(data: bytes) -> None:
    words = to_words(data)
    assert len(words) == len(data)
    assert from_words(word.upper() for word in words) == data


def test_an_unknown_word_is_named() -> None:
    with pytest.raises(ValueError, match="^Calebase$"):
        from_words(["abeille", "Calebase", "abri"])


def test_six_words_cover_each_key() -> None:
    keys = [bytes([number]) * 32 for number in range(4)]
    changed = [[*keys[:at], b"x" * 32, *keys[at + 1 :]] for at in range(4)]
    assert len({tuple(fingerprint(*each)) for each in (keys, *changed)}) == 5
    assert fingerprint(*keys) == ["canard", "rideau", "peinture", "miroir", "flamme", "brouette"]
