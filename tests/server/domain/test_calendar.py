"""Which days offices are open in Mali."""

from datetime import date, timedelta

import pytest

from server.domain.calendar import MALI


@pytest.mark.parametrize(
    ("day", "kept"),
    [
        (date(2026, 9, 22), ("independence",)),
        (date(2027, 1, 20), ("army",)),
        (date(2026, 4, 6), ("easter_monday",)),
        (date(2025, 6, 7), ("tabaski",)),
        # Regained sovereignty is celebrated, and offices are open.
        (date(2026, 1, 14), ()),
        (date(2026, 11, 20), ()),
    ],
)
def test_a_day_is_kept_for_what_the_law_names(day: date, kept: tuple[str, ...]) -> None:
    assert MALI.holidays(day) == kept
    assert MALI.is_working(day) == (not kept)


def test_what_falls_on_a_feast_before_a_weekend_waits_until_monday() -> None:
    friday_of_christmas = date(2026, 12, 25)
    assert MALI.working_from(friday_of_christmas) == date(2026, 12, 28)
    assert MALI.working_from(date(2026, 12, 28)) == date(2026, 12, 28)


def test_every_listed_year_has_each_moving_feast_once_and_the_baptism_on_the_seventh_day() -> None:
    codes = {"easter_monday", "korite", "tabaski", "maouloud", "maouloud_baptism"}
    for year in range(2025, MALI.last_year + 1):
        by_code = {each.code: each.day for each in MALI.feasts if each.day.year == year}
        assert by_code.keys() == codes
        assert by_code["maouloud_baptism"] - by_code["maouloud"] == timedelta(days=6)
        assert by_code["easter_monday"].weekday() == 0
