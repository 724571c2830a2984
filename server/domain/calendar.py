"""Working days in Mali: no weekends and no public holidays, of which those of the moon are reckoned."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from importlib import resources
from typing import Final

_SATURDAY: Final = 5
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True)
class Feast:
    """A public holiday that moves: its code, and its day in one year."""

    code: str
    day: date


@dataclass(frozen=True)
class Calendar:
    """Public holidays: `fixed` by month and day, `feasts` that move for as many years as are listed.

    Days are those of Bamako, which are those of UTC.
    """

    fixed: Mapping[tuple[int, int], str]
    feasts: tuple[Feast, ...]

    @property
    def last_year(self) -> int:
        """The last year whose moving feasts are listed; after it only fixed ones are known."""
        return max(feast.day.year for feast in self.feasts)

    def holidays(self, day: date) -> tuple[str, ...]:
        """Codes of what is kept on a day."""
        moving = (feast.code for feast in self.feasts if feast.day == day)
        fixed = self.fixed.get((day.month, day.day))
        return (*([fixed] if fixed else []), *moving)

    def is_working(self, day: date) -> bool:
        """Whether offices are open: no Saturday, Sunday or public holiday."""
        return day.weekday() < _SATURDAY and not self.holidays(day)

    def working_from(self, day: date) -> date:
        """The day itself where it is a working day, else the next one."""
        while not self.is_working(day):
            day += _DAY
        return day


def _moving(years: Mapping[str, Mapping[str, date]]) -> Iterator[Feast]:
    for listed in years.values():
        for code, day in listed.items():
            yield Feast(code, day)


def _read() -> Calendar:
    data = tomllib.loads((resources.files("server.domain") / "holidays.toml").read_text("utf-8"))
    fixed = {(int(text[:2]), int(text[3:])): code for code, text in data["fixed"].items()}
    return Calendar(fixed, tuple(_moving(data["moving"])))


MALI: Final = _read()
