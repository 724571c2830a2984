"""Receipt codes: what a check letter catches."""

import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client_sync.protocol.receipts import (
    ALPHABET,
    CHECK_LETTERS,
    check_letter,
    is_receipt,
    new_receipt,
    read_receipt,
)

BODIES = st.text(alphabet=ALPHABET, min_size=6, max_size=6)


def written(body: str) -> str:
    return f"{body[:4]}-{body[4:]}{check_letter(body)}"


def test_the_check_letter_is_as_worked_out_by_hand() -> None:
    # 7 K 4 M 2 Q stand at 5 15 2 16 0 18: 1*5 + 2*15 + 3*2 + 4*16 + 5*0 + 6*18 = 213 = 9*23 + 6, and 6 is G.
    assert check_letter("7K4M2Q") == "G"
    assert check_letter("222222") == "A"
    with pytest.raises(ValueError, match="7K4M2"):
        check_letter("7K4M2")


def test_a_new_code_is_one() -> None:
    codes = {new_receipt(secrets.choice) for _ in range(200)}
    assert all(is_receipt(code) for code in codes)
    assert len(codes) > 190


@given(BODIES, st.integers(0, 5), st.sampled_from(ALPHABET))
def test_one_wrong_character_is_caught(body: str, at: int, char: str) -> None:
    other = body[:at] + char + body[at + 1 :]
    assert (check_letter(other) == check_letter(body)) == (other == body)


@given(BODIES, st.integers(0, 4))
def test_two_swapped_neighbours_are_caught(body: str, at: int) -> None:
    other = body[:at] + body[at + 1] + body[at] + body[at + 2 :]
    assert (check_letter(other) == check_letter(body)) == (other == body)


@given(BODIES, st.sampled_from(CHECK_LETTERS))
def test_a_wrong_check_letter_is_caught(body: str, letter: str) -> None:
    assert is_receipt(written(body)[:7] + letter) == (letter == check_letter(body))


@pytest.mark.parametrize("text", ["7K4M2QG", "7k4m-2qg", "7K4M-2Q", "7K4M-2QGG", "0K4M-2QG", "7K4M_2QG", "", None, 7])
def test_what_is_written_otherwise_is_none(text: object) -> None:
    assert is_receipt("7K4M-2QG")
    assert not is_receipt(text)


@pytest.mark.parametrize("text", ["7K4M-2QG", "7k4m2qg", " 7K4M 2QG ", "7k4m - 2qg", "7K4M\N{NON-BREAKING HYPHEN}2QG"])
def test_a_code_is_read_as_people_write_it(text: str) -> None:
    assert read_receipt(text) == "7K4M-2QG"


@pytest.mark.parametrize("text", ["", "7K4M-2QH", "7K4M2Q", "Calebasse 47"])
def test_what_is_no_code_is_read_as_none(text: str) -> None:
    assert read_receipt(text) is None
