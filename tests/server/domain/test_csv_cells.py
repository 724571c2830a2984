"""Cells of files that lead to a spreadsheet: what it would run is text, what is a number stays one."""

import pytest

from server.domain.csv_cells import harmless, kept


@pytest.mark.parametrize("before", ["", "  ", "\n", "\r\n", "\t", "\u00a0", "\u202f", "\ufeff", "\u200b\u2060", "\x00"])
@pytest.mark.parametrize("start", ["=", "+", "-", "@", "＝", "＋", "－", "＠", "﹣"])
def test_text_that_could_be_run_is_made_text(before: str, start: str) -> None:
    text = f"{before}{start}cmd|' /C calc'!A0"
    assert harmless(text) == f"'{text}"


@pytest.mark.parametrize("text", ["\tRacket", "\rRacket", "\nRacket"])
def test_text_that_would_end_its_cell_is_held_together(text: str) -> None:
    assert harmless(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", " ", "Racket", "  Racket = 500", "2026-08", "\ufeffRacket", "’=1", "< 5"])
def test_other_text_is_left_as_it_is(text: str) -> None:
    assert harmless(text) == text


@pytest.mark.parametrize("number", [-3, 0, 7, -0.5])
def test_number_stays_a_number(number: float) -> None:
    assert harmless(number) == number
    assert not isinstance(harmless(number), str)


def test_nothing_is_an_empty_cell() -> None:
    assert harmless(None) == ""


@pytest.mark.parametrize(
    "text", ["04", "5-11", "70000001", "70 00 00 01", "1/2", "12e4567890123456", " 04", "=1", "\t04"]
)
def test_code_or_telephone_of_which_a_spreadsheet_would_make_something_else_is_made_text(text: str) -> None:
    assert kept(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "2026-08", "2026-08-14", "2026-T3", "P-24E5", "60+", "3 personnes", "U1"])
def test_text_that_stays_what_it_is_is_kept_as_it_is(text: str) -> None:
    assert kept(text) == text
