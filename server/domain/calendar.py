"""Working days in Mali: no weekends and no public holidays, of which those of the moon are announced late."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from importlib import resources
from typing import Any, Final

_SATURDAY: Final = 5
_DAY: Final = timedelta(days=1)
# An announced day is that of the reckoned one which it is nearest to: reckoning is off by a day or two.
_OFF_MAX: Final = timedelta(days=3)
_ANNOUNCED: Final = "announced"
_EASTER_MONDAY: Final = "easter_monday"


@dataclass(frozen=True)
class Feast:
    """A public holiday that moves: its code, its day, and whether the moon may still move it."""

    code: str
    day: date
    is_reckoned: bool


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

    def announced(self, code: str, day: date) -> "Calendar":
        """The calendar with the day on which that feast is kept by announcement, in place of the reckoned one.

        Raises LookupError when no feast of that code is near that day.
        """
        near = [feast for feast in self.feasts if feast.code == code and abs(feast.day - day) <= _OFF_MAX]
        if not near:
            raise LookupError(f"no {code} near {day}")
        others = tuple(feast for feast in self.feasts if feast is not near[0])
        return replace(self, feasts=(*others, Feast(code, day, is_reckoned=False)))


def _moving(years: Mapping[str, Mapping[str, Any]]) -> Iterator[Feast]:
    for listed in years.values():
        sure = {_EASTER_MONDAY, *listed[_ANNOUNCED]}
        for code, day in listed.items():
            if code != _ANNOUNCED:
                yield Feast(code, day, is_reckoned=code not in sure)


def _read() -> Calendar:
    data = tomllib.loads((resources.files("server.domain") / "holidays.toml").read_text("utf-8"))
    fixed = {(int(text[:2]), int(text[3:])): code for code, text in data["fixed"].items()}
    return Calendar(fixed, tuple(_moving(data["moving"])))


MALI: Final = _read()
