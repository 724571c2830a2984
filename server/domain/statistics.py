"""Figures: tables of counted things, each with its unit, the months they are of, and what of them is shown."""

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Final, Literal, Self

from server.domain.errors import PeriodInvalid
from server.domain.suppression import LEAST, Grid, hidden
from server.domain.verification import Quarter

Unit = Literal["complaints", "cases", "acts", "victims", "complainants", "referrals", "days", "xof"]
# How the numbers of a row go together: they sum to a last one, they are a balance, or they have no sum.
Rows = Literal["sum", "balance", "apart"]
# What stands for a line of a table: codes, as many as the line has dimensions.
Key = tuple[str, ...]
Counted = Iterable[tuple[Key, Key, int]]

TOTAL: Final[Key] = ("total",)
SHARE: Final[Key] = ("share_percent",)
UNKNOWN: Final = "unknown"
SEVERAL: Final = "several"
# Lines that are there beside those which somebody named.
RESERVED: Final = frozenset({*TOTAL, *SHARE, UNKNOWN, SEVERAL})
# A day that nine of ten took no longer than says too much of one of fewer than this.
LEAST_FOR_P90: Final = 10
# Of a sum of money, the share of one alone that would tell what that one was.
DOMINANT_SHARE: Final = 0.7
# What complaints are about, at large: the first part of the code of a kind.
FAMILIES: Final = ("HR", "COR", "GBV", "OTH")
PROCESSED: Final = "processed"
PROGRESS: Final = (PROCESSED, "withdrawn", "waiting")
STOCK: Final = ("open_at_start", "received", "reopened", "closed", "open_at_end")
_STOCK_SIGNS: Final = (1, 1, 1, -1, -1)
TIMES: Final = ("number", "median", "p90", "median_collected", "p90_collected", "in_time_percent")
MONEY: Final = ("asked_number", "asked_median", "asked_sum", "paid_number", "paid_median", "paid_sum")
AGE_GROUPS: Final[Mapping[str, str]] = {
    "0-4": "minor",
    "5-11": "minor",
    "12-17": "minor",
    "18-24": "young",
    "25-59": "adult",
    "60+": "elder",
}
# First days of the ages of what waits.
_AGES: Final = (0, 8, 31, 91, 181, 366)
AGES: Final = ("0-7", "8-30", "31-90", "91-180", "181-365", "366+")
_SIZE_MAX: Final = 5
_DECEMBER: Final = 12
_QUARTER_MONTHS: Final = 3
_PERIOD: Final = re.compile(r"(?P<year>(?:19|20)\d\d)(?:-T(?P<quarter>[1-4])|-(?P<month>0[1-9]|1[0-2]))?")


@dataclass(frozen=True)
class Period:
    """Whole months, from the first to the last: by days, one period less another would be the figures of one day."""

    first: date
    last: date

    @classmethod
    def read(cls, start: str, end: str) -> Self:
        """From the first month of one text to the last of another: `2026`, `2026-T3` or `2026-07`.

        Raises PeriodInvalid for what is none of these, and for an end before the start.
        """
        period = cls(_months(start)[0], _months(end)[1])
        if period.last < period.first:
            raise PeriodInvalid(text=f"{start} – {end}")
        return period

    @classmethod
    def asked(cls, start: str | None, end: str | None, today: date) -> Self:
        """The months that somebody asks for; one end alone stands for both, none for the quarter of today.

        Raises as `read` does.
        """
        first = start or end or quarter_text(Quarter.of(today))
        return cls.read(first, end or first)

    @classmethod
    def of(cls, quarter: Quarter) -> Self:
        """The months of a quarter."""
        text = quarter_text(quarter)
        return cls.read(text, text)

    @property
    def since(self) -> datetime:
        """Its first moment."""
        return datetime(self.first.year, self.first.month, 1, tzinfo=UTC)

    @property
    def until(self) -> datetime:
        """The first moment after it."""
        following = _following(self.last)
        return datetime(following.year, following.month, 1, tzinfo=UTC)

    @property
    def quarter(self) -> Quarter | None:
        """The quarter that it is, if it is one."""
        quarter = Quarter.of(self.first)
        return quarter if Period.of(quarter) == self else None


@dataclass(frozen=True)
class Table:
    """What is counted and how it is laid out. `rows` and `columns` name the dimensions of their lines.

    `order`: the columns that there always are, in this order; others stand by their codes. `with_share`: the first
    column is told as a share of all, too.
    """

    code: str
    unit: Unit
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    adds: Rows = "sum"
    order: tuple[str, ...] = ()
    with_share: bool = False


@dataclass(frozen=True)
class Release:
    """A table as it may be read by whoever may read it: None is a hidden number, what is not there is 0.

    `at`: as things stood then. `is_final`: of a quarter that is over, frozen. `late`: by column what came after that,
    as what the sum of the column would be today less what it is here; None where that is too small to be told.
    """

    table: Table
    period: Period
    at: datetime
    rows: tuple[Key, ...]
    columns: tuple[Key, ...]
    cells: Mapping[tuple[Key, Key], int | None]
    is_final: bool = False
    late: Mapping[Key, int | None] = field(default_factory=dict)


def quarter_text(quarter: Quarter) -> str:
    """A quarter as it is named: `2026-T3`."""
    return f"{quarter.year}-T{quarter.number}"


def closed_quarters(first: datetime, now: datetime) -> list[Quarter]:
    """The quarters that are over, from that of the first moment on."""
    quarter, current = Quarter.of(first.date()), Quarter.of(now.date())
    found = []
    while quarter < current:
        found.append(quarter)
        quarter = Quarter.of(Period.of(quarter).until.date())
    return found


def tabulate(table: Table, counted: Counted, period: Period, at: datetime) -> Release:
    """The table of what was counted, its small numbers hidden with all that would give them away."""
    rows, columns, values = laid_out(table, counted)
    cells: dict[tuple[Key, Key], int | None] = {key: number for key, number in values.items() if number}
    cells |= dict.fromkeys(_hidden_keys(table, rows, columns, values))
    if table.with_share:
        columns, cells = (*columns, SHARE), cells | _shares(table, rows, cells)
    return Release(table, period, at, rows, columns, cells)


def laid_out(table: Table, counted: Counted) -> tuple[tuple[Key, ...], tuple[Key, ...], Mapping[tuple[Key, Key], int]]:
    """Rows, columns and numbers of what was counted, with all sums; nothing hidden yet."""
    values: Counter[tuple[Key, Key]] = Counter()
    for row, column, number in counted:
        values[row, column] += number
    rows = (*sorted({row for row, _ in values}), TOTAL)
    known = [(code,) for code in table.order]
    columns = (*known, *sorted({column for _, column in values} - set(known)))
    for (row, column), number in list(values.items()):
        values[TOTAL, column] += number
        if table.adds == "sum":
            values[row, TOTAL] += number
            values[TOTAL, TOTAL] += number
    return rows, (*columns, TOTAL) if table.adds == "sum" else columns, values


def late_by_column(frozen: Release, counted: Counted) -> Mapping[Key, int | None]:
    """By column of a frozen table, what its sum would be by what is counted today, less what it is.

    None where that was hidden, or where it or what it leaves is small; a column that was not there stood at 0. The sum
    of all is left out, as it would give one small number away.
    """
    _, columns, values = laid_out(frozen.table, counted)
    found: dict[Key, int | None] = {}
    for column in sorted({*columns, *frozen.columns} - {TOTAL, SHARE}):
        was, now = frozen.cells.get((TOTAL, column), 0), values[TOTAL, column]
        if was is None or any(0 < abs(number) < LEAST for number in (now, now - was)):
            found[column] = None
        elif now != was:
            found[column] = now - was
    return found


def measured(table: Table, values: Mapping[Key, Mapping[str, int | None]], period: Period, at: datetime) -> Release:
    """The table of measures that have no sum, by row and name of the measure."""
    rows, columns = tuple(sorted(values)), tuple((name,) for name in table.order)
    cells: dict[tuple[Key, Key], int | None] = {
        (row, (name,)): number for row, named in values.items() for name, number in named.items()
    }
    return Release(table, period, at, rows, columns, cells)


def times(days: Counter[int], collected: Counter[int], in_time: int, late: int) -> dict[str, int | None]:
    """What a step took, in days, on the two clocks: how often each number of days, and how many were in time or not.

    What is known of none is left out. A median needs 5, the ninth tenth 10; a share needs 5 of either part, or none.
    """
    judged = in_time + late
    number = max(days.total(), collected.total())
    found: dict[str, int | None] = {"number": number if number >= LEAST else None}
    for name, counted in (("", days), ("_collected", collected)):
        if counted:
            found[f"median{name}"] = quantile(counted, 0.5) if counted.total() >= LEAST else None
            found[f"p90{name}"] = quantile(counted, 0.9) if counted.total() >= LEAST_FOR_P90 else None
    if judged:
        is_shown = judged >= LEAST and not any(0 < part < LEAST for part in (in_time, late))
        found["in_time_percent"] = round(100 * in_time / judged) if is_shown else None
    return found


def quantile(counted: Counter[int], share: float) -> int:
    """The value that `share` of all do not exceed (nearest rank); 0 of nothing."""
    left = share * counted.total()
    for value in sorted(counted):
        left -= counted[value]
        if left <= 0:
            return value
    return 0


def money(asked: Mapping[Key, Counter[int]], paid: Mapping[Key, Counter[int]]) -> dict[Key, dict[str, int | None]]:
    """What was asked and paid, in XOF, by row and of all: how often each amount was named.

    Nothing is told of a row of which fewer than 5 named one, or in which one amount is most of the sum; nor of as many
    others as keep it from being worked out.
    """
    rows = sorted({*asked, *paid})
    found: dict[Key, dict[str, int | None]] = {row: {} for row in (*rows, TOTAL)}
    for name, by_row in (("asked", asked), ("paid", paid)):
        amounts = {row: by_row.get(row, Counter()) for row in rows}
        amounts[TOTAL] = sum(amounts.values(), Counter())
        unsafe = _unsafe_sums(amounts)
        for row, counted in amounts.items():
            shown = row not in unsafe
            found[row][f"{name}_number"] = counted.total() if shown else None
            found[row][f"{name}_median"] = quantile(counted, 0.5) if shown else None
            found[row][f"{name}_sum"] = _sum(counted) if shown else None
    return found


def progress_key(status: str | None, is_referred: bool) -> Key:
    """How far a complaint has come: processed is acknowledged, triaged and either closed or referred."""
    if is_referred or status in ("closed", "referred"):
        return (PROCESSED,)
    return ("withdrawn",) if status == "withdrawn" else ("waiting",)


def family_key(kind: str) -> Key:
    """The family of a kind; the last for what is of none."""
    family = kind.partition("-")[0]
    return (family if family in FAMILIES else FAMILIES[-1],)


def named_key(name: str | None) -> Key:
    """A team or partner, as somebody named it; in quotes where that is the name of another line."""
    if name is None:
        return (UNKNOWN,)
    return (f"«{name}»",) if name in RESERVED else (name,)


def accused_key(first: str | None, last: str | None) -> Key:
    """Whom a complaint accuses, by the first and the last of their categories."""
    return (first or UNKNOWN,) if first == last else (SEVERAL,)


def size_key(status: str | None, complaints: int) -> Key:
    """What a case is by its complaints: joined to another, not opened yet, or one with so many."""
    if status is None:
        return ("untouched",)
    if status == "duplicate":
        return ("joined",)
    return (str(complaints) if complaints < _SIZE_MAX else f"{_SIZE_MAX}+",)


def waited_key(days: int) -> Key:
    """The age of what has waited for so many days."""
    return (AGES[bisect_right(_AGES, max(days, 0)) - 1],)


def age_group(age: str | None) -> str:
    """The group of an age band: minors are under 18; the young are 18 to 24, as the bands go no nearer to 35."""
    return AGE_GROUPS.get(age or "", UNKNOWN)


def stored(release: Release) -> dict[str, Any]:
    """A table as it is kept for good: of hidden cells that they were, and no number."""
    cells = [[list(row), list(column), number] for (row, column), number in in_order(release)]
    return {"rows": list(map(list, release.rows)), "columns": list(map(list, release.columns)), "cells": cells}


def restored(table: Table, period: Period, told: Mapping[str, Any], at: datetime, *, is_final: bool = True) -> Release:
    """What `stored` wrote; `is_final`: of a quarter that is over."""
    rows, columns = (tuple(tuple(key) for key in told[name]) for name in ("rows", "columns"))
    cells = {(tuple(row), tuple(column)): number for row, column, number in told["cells"]}
    return Release(table, period, at, rows, columns, cells, is_final=is_final)


def in_order(release: Release) -> list[tuple[tuple[Key, Key], int | None]]:
    """The cells of a table, by row and column."""
    return sorted(release.cells.items(), key=lambda each: each[0])


def _hidden_keys(
    table: Table, rows: Sequence[Key], columns: Sequence[Key], values: Mapping[tuple[Key, Key], int]
) -> set[tuple[Key, Key]]:
    signs = {"sum": (*[1] * (len(columns) - 1), -1), "balance": _STOCK_SIGNS, "apart": None}[table.adds]
    numbers = [[values[row, column] for column in columns] for row in rows]
    grid = Grid(numbers, (*[1] * (len(rows) - 1), -1), signs)
    return {(rows[row], columns[column]) for row, column in hidden(grid)}


def _shares(
    table: Table, rows: Collection[Key], cells: Mapping[tuple[Key, Key], int | None]
) -> dict[tuple[Key, Key], int | None]:
    """By row the share of its first column, where both numbers that it is made of are shown."""
    found: dict[tuple[Key, Key], int | None] = {}
    for row in rows:
        part, whole = cells.get((row, (table.order[0],)), 0), cells.get((row, TOTAL), 0)
        if whole != 0:
            found[row, SHARE] = None if part is None or whole is None else round(100 * part / whole)
    return found


def _unsafe_sums(amounts: Mapping[Key, Counter[int]]) -> set[Key]:
    """Rows whose sum would tell what one or a few named, with as many others as keep it from following from the sum of
    all; or with that, where it would tell as much itself, or no others are enough."""
    by_number = sorted((row for row in amounts if row != TOTAL and amounts[row]), key=lambda row: amounts[row].total())
    unsafe = [row for row in by_number if _is_unsafe(amounts[row])]
    if not unsafe or _is_unsafe(amounts[TOTAL]):
        return {*unsafe, *([TOTAL] if _is_unsafe(amounts[TOTAL]) else [])}
    found = list(unsafe)
    for row in (None, *(each for each in by_number if each not in unsafe)):
        found += [] if row is None else [row]
        if len(found) > 1 and not _is_unsafe(sum((amounts[each] for each in found), Counter())):
            return set(found)
    return {*unsafe, TOTAL}


def _is_unsafe(counted: Counter[int]) -> bool:
    if counted.total() < LEAST:
        return counted.total() > 0
    return max(counted) > DOMINANT_SHARE * _sum(counted) > 0


def _sum(counted: Counter[int]) -> int:
    return sum(amount * number for amount, number in counted.items())


def _months(text: str) -> tuple[date, date]:
    found = _PERIOD.fullmatch(text)
    if found is None:
        raise PeriodInvalid(text=text)
    year, quarter, month = int(found["year"]), found["quarter"], found["month"]
    if month:
        return date(year, int(month), 1), date(year, int(month), 1)
    if quarter:
        last = int(quarter) * _QUARTER_MONTHS
        return date(year, last - _QUARTER_MONTHS + 1, 1), date(year, last, 1)
    return date(year, 1, 1), date(year, _DECEMBER, 1)


def _following(month: date) -> date:
    return date(month.year + month.month // _DECEMBER, month.month % _DECEMBER + 1, 1)


_N: Final = {"month": "N1", "cercle": "N2", "kind": "N3", "team": "N4", "partner": "N5"}
# What the network itself reports, by what it is broken down by.
NETWORK: Final[Mapping[str, str]] = _N | {"people": "N6"}
TABLES: Final[Mapping[str, Table]] = {
    table.code: table
    for table in (
        *(Table(code, "complaints", (by,), ("progress",), order=PROGRESS, with_share=True) for by, code in _N.items()),
        Table("N6", "complainants", ("age_group",), ("sex",)),
        Table("N7", "complaints", ("month",), ("family",), order=FAMILIES),
        Table("N8", "complaints", ("region",), ("family",), order=FAMILIES),
        Table("T1", "complaints", ("kind",), ("month", "region")),
        Table("T2", "victims", ("kind",), ("sex", "age_band")),
        Table("T3", "cases", ("region",), ("stock",), "balance", STOCK),
        Table("T4", "cases", ("kind",), ("status",)),
        Table("T5", "acts", ("perpetrator_category",), ("finding", "lateness")),
        Table("T6", "referrals", ("programme", "answer"), ("body",)),
        Table("T7", "days", ("deadline",), ("measure",), "apart", TIMES),
        Table("T8", "cases", ("size",), ("number",), "apart"),
        Table("T9", "complaints", ("channel",), ("team",)),
        Table("T10", "complaints", ("consent_level",), ("number",), "apart"),
        Table("T11", "complaints", ("sector",), ("paid",)),
        Table("T11M", "xof", ("sector",), ("measure",), "apart", MONEY),
        Table("T12", "cases", ("waited",), ("urgency",)),
    )
}
