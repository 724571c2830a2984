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


def test_an_announced_feast_takes_the_place_of_the_reckoned_one() -> None:
    reckoned, announced = date(2026, 5, 27), date(2026, 5, 28)
    told = MALI.announced("tabaski", announced)
    assert (MALI.is_working(reckoned), MALI.is_working(announced)) == (False, True)
    assert (told.is_working(reckoned), told.is_working(announced)) == (True, False)
    [feast] = [each for each in told.feasts if each.day == announced]
    assert not feast.is_reckoned


def test_no_feast_is_announced_for_a_day_far_from_its_own() -> None:
    with pytest.raises(LookupError):
        MALI.announced("tabaski", date(2026, 7, 1))


def test_every_listed_year_has_each_moving_feast_once_and_the_baptism_on_the_seventh_day() -> None:
    codes = {"easter_monday", "korite", "tabaski", "maouloud", "maouloud_baptism"}
    for year in range(2025, MALI.last_year + 1):
        by_code = {each.code: each.day for each in MALI.feasts if each.day.year == year}
        assert by_code.keys() == codes
        assert by_code["maouloud_baptism"] - by_code["maouloud"] == timedelta(days=6)
        assert by_code["easter_monday"].weekday() == 0


def test_only_days_of_the_moon_that_nobody_announced_are_reckoned() -> None:
    of_2025 = {each.code for each in MALI.feasts if each.day.year == 2025 and each.is_reckoned}
    of_2026 = {each.code for each in MALI.feasts if each.day.year == 2026 and each.is_reckoned}
    assert of_2025 == {"maouloud"}
    assert of_2026 == {"korite", "tabaski", "maouloud", "maouloud_baptism"}
