"""Figures of the whole network: counted from what stands, and frozen for good once a quarter is over."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cached_property, partial
from typing import Final, Literal

import sqlalchemy as sa

from server.domain import statistics as rules
from server.domain.desk import Desk
from server.domain.errors import NotFound
from server.domain.permission import JOB, permit
from server.domain.places import LAW_2023, Gazetteer
from server.domain.statistics import TABLES, UNKNOWN, Counted, Key, Period, Release
from server.store import audit, counts, figures
from server.store.counts import By
from server.store.engine import Store
from server.store.places import CurrentPlaces

# The list by which a cercle is in a region: the one that the commission goes by.
REGIONS: Final = LAW_2023
_BY: Final[Mapping[str, By]] = {"N1": "month", "N2": "place", "N3": "kind", "N4": "team", "N5": "partner"}
_ROAD: Final = ("collection_to_receipt",)
_CLOSING: Final = ("closing",)
# Their columns have no sum, or are of the day on which they are counted.
_NOT_RECOUNTED: Final = frozenset({"T7", "T11M", "T12"})


# What one page shows of some months; a counting of all of these takes as long as the page may not.
OVERVIEW: Final = ("N1", "N3", "N6", "N7", "N8", "T3", "T7", "T8", "T12")
# What the log calls reading all of these at once.
_OVERVIEW_NAME: Final = "overview"
_EVERY_NAME: Final = "every_frozen"


@dataclass(frozen=True)
class Overview:
    """The tables of OVERVIEW by their codes, all counted at one moment; `is_final`: of a quarter that is over."""

    tables: Mapping[str, Release]
    at: datetime
    is_final: bool


def overview(store: Store, desk: Desk, period: Period) -> Overview | None:
    """The figures of a period as they were frozen or counted last; None where nobody counted them yet.

    Nothing is counted for it. The log keeps who read which. Raises NotFound for whoever may read no figures.
    """
    if not permit(desk.actor, "read_statistics"):
        raise NotFound(object=_OVERVIEW_NAME)
    with store.read() as connection:
        quarter = period.quarter
        frozen = {} if quarter is None else figures.all_frozen(connection, rules.quarter_text(quarter))
        found = frozen or figures.counted(connection, _months(period))
    if not found.keys() >= set(OVERVIEW):
        return None
    _note_reading(store, desk, _OVERVIEW_NAME, period)
    tables = {
        code: rules.restored(TABLES[code], period, found[code].cells, found[code].at, is_final=bool(frozen))
        for code in OVERVIEW
    }
    return Overview(tables, min(each.at for each in tables.values()), bool(frozen))


def count_overview(store: Store, desk: Desk, period: Period) -> None:
    """Count the figures of a period, so that `overview` has them as of now. Raises as that."""
    if not permit(desk.actor, "read_statistics"):
        raise NotFound(object=_OVERVIEW_NAME)
    # Counted before anything is locked, as in freezing.
    with store.read() as connection:
        counting = Counting(connection, desk.places, period, desk.now)
        tables = {code: rules.stored(counting.release(code)) for code in OVERVIEW}
    with store.write() as connection:
        figures.count_anew(connection, _months(period), tables, desk.now)


def count_current(store: Store, places: Gazetteer | None, now: datetime) -> int:
    """Count what people look at first, this quarter and this year; gives how many periods that were."""
    desk, today = Desk(JOB, places, now), now.date()
    year = str(today.year)
    for period in (Period.asked(None, None, today), Period.read(year, year)):
        count_overview(store, desk, period)
    return 2


def table(store: Store, desk: Desk, code: str, period: Period) -> Release:
    """A table of a period: counted now, or, of a quarter that is over, as it was frozen, with what came late.

    The log keeps who read which. Raises NotFound for whoever may read no figures, and KeyError for no such table.
    """
    if not permit(desk.actor, "read_statistics"):
        raise NotFound(object=code)
    quarter = period.quarter
    with store.read() as connection:
        counting = Counting(connection, desk.places, period, desk.now)
        frozen = None if quarter is None else figures.find(connection, rules.quarter_text(quarter), code)
        if quarter is None or frozen is None:
            release = counting.release(code)
        else:
            release = rules.restored(TABLES[code], period, frozen.cells, frozen.at)
            release = replace(release, late=counting.late(release))
    _note_reading(store, desk, code, period)
    return release


def published(store: Store, desk: Desk, period: Period) -> list[Release]:
    """Every table of a quarter that is over, as `table` gives it. Raises NotFound for whoever may read no figures."""
    return [table(store, desk, code, period) for code in TABLES]


def every_frozen(store: Store, desk: Desk) -> list[Release]:
    """Every table of every quarter that was frozen, as it was then, quarter by quarter.

    The log keeps who read them. Raises NotFound for whoever may read no figures.
    """
    if not permit(desk.actor, "read_statistics"):
        raise NotFound(object=_EVERY_NAME)
    with store.read() as connection:
        kept = {name: figures.all_frozen(connection, name) for name in sorted(figures.periods(connection))}
    periods = {name: Period.read(name, name) for name in kept}
    if kept:
        _note_reading(store, desk, _EVERY_NAME, Period.read(min(kept), max(kept)))
    return [
        rules.restored(TABLES[code], periods[name], found[code].cells, found[code].at)
        for name, found in kept.items()
        for code in TABLES
        if code in found
    ]


def freeze_closed(store: Store, now: datetime) -> int:
    """Freeze the tables of each quarter that is over and was not frozen yet; gives how many quarters that were.

    What is frozen never changes. Two that do it at once freeze it once.
    """
    with store.read() as connection:
        first = counts.first_at(connection)
        known = figures.periods(connection)
        due = [] if first is None else rules.closed_quarters(first, now)
    return sum(_freeze(store, Period.of(each), now) for each in due if rules.quarter_text(each) not in known)


def _freeze(store: Store, period: Period, now: datetime) -> bool:
    assert period.quarter is not None
    name = rules.quarter_text(period.quarter)
    # Counted before anything is locked: it takes seconds, and devices go on sending.
    with store.read() as connection:
        counting = Counting(connection, CurrentPlaces().read(connection), period, now)
        tables = {code: rules.stored(counting.release(code)) for code in TABLES}
    with store.write() as connection:
        is_new = figures.keep(connection, name, tables, now)
        if is_new:
            audit.record(
                connection,
                at=now,
                actor=JOB.signature,
                action="freeze",
                object=f"figures:{name}",
                details={"tables": len(tables)},
            )
    return is_new


def _months(period: Period) -> tuple[str, str]:
    return f"{period.first:%Y-%m}", f"{period.last:%Y-%m}"


def _note_reading(store: Store, desk: Desk, code: str, period: Period) -> None:
    """Who compares tables of periods that overlap can learn more than one of them tells: that is seen here."""
    with store.write() as connection:
        audit.record(
            connection,
            at=desk.now,
            actor=desk.actor.signature,
            action="read_statistics",
            object=f"figures:{code}",
            details={"first": period.first.isoformat(), "last": period.last.isoformat()},
        )


class Counting:
    """One counting: of a period, by one list of places, in one snapshot of the data."""

    def __init__(self, connection: sa.Connection, places: Gazetteer | None, period: Period, now: datetime) -> None:
        self._connection, self._places, self._period, self._now = connection, places, period, now
        self._regions: dict[str | None, str] = {}

    def release(self, code: str) -> Release:
        """A table as it may be read."""
        table = TABLES[code]
        if code in self._measures:
            return rules.measured(table, self._measures[code](), self._period, self._now)
        return rules.tabulate(table, self.counted(code), self._period, self._now)

    def late(self, frozen: Release) -> Mapping[Key, int | None]:
        """What came after a table was frozen, where that can be said."""
        code = frozen.table.code
        return {} if code in _NOT_RECOUNTED else rules.late_by_column(frozen, self.counted(code))

    def counted(self, code: str) -> Counted:
        """What a table is laid out from, by row and column, nothing hidden: not for readers."""
        return self._counted[code]()

    @cached_property
    def _measures(self) -> Mapping[str, Callable[[], Mapping[Key, Mapping[str, int | None]]]]:
        return {"T7": self._times, "T11M": self._money}

    @cached_property
    def _counted(self) -> Mapping[str, Callable[[], Counted]]:
        return {
            **{code: partial(self._progress, by) for code, by in _BY.items()},
            "N6": self._complainants,
            "N7": lambda: self._families("month"),
            "N8": lambda: self._families("region"),
            "T1": self._complaints,
            "T2": self._victims,
            "T3": self._stock,
            "T4": self._statuses,
            "T5": self._acts,
            "T6": self._referrals,
            "T8": self._sizes,
            "T9": self._channels,
            "T10": self._consents,
            "T11": self._payments,
            "T12": self._backlog,
        }

    def _progress(self, by: By) -> Counted:
        for value, status, is_referred, number in counts.progress(self._connection, self._period, by):
            row = (self._cercle(value),) if by == "place" else rules.named_key(value)
            yield row, rules.progress_key(status, is_referred), number

    def _families(self, by: Literal["month", "region"]) -> Counted:
        for kind, month, place, number in counts.complaints(self._connection, self._period):
            yield (month if by == "month" else self._region(place),), rules.family_key(kind), number

    def _complainants(self) -> Counted:
        for _, sex, age, number in counts.persons(self._connection, self._period, "complainant"):
            yield (rules.age_group(age),), (sex or UNKNOWN,), number

    def _complaints(self) -> Counted:
        for kind, month, place, number in counts.complaints(self._connection, self._period):
            yield (kind,), (month, self._region(place)), number

    def _victims(self) -> Counted:
        for kind, sex, age, number in counts.persons(self._connection, self._period, "victim"):
            yield (kind,), (sex or UNKNOWN, age or UNKNOWN), number

    def _stock(self) -> Counted:
        """Each case that came before, came within, was closed or opened again, and what is open by all that."""
        for place, is_within, number in counts.opened(self._connection, self._period):
            yield from self._stocked(place, "received" if is_within else "open_at_start", number)
        for place, is_closing, is_within, number in counts.turns(self._connection, self._period):
            if is_within:
                yield from self._stocked(place, "closed" if is_closing else "reopened", number)
            else:
                yield from self._stocked(place, "open_at_start", -number if is_closing else number)

    def _stocked(self, place: str | None, column: str, number: int) -> Counted:
        row = (self._region(place),)
        yield row, (column,), number
        yield row, ("open_at_end",), -number if column == "closed" else number

    def _statuses(self) -> Counted:
        for kind, status, number in counts.statuses(self._connection, self._period):
            yield (kind,), (status or "received",), number

    def _acts(self) -> Counted:
        for first, last, number in counts.unverified(self._connection, self._period):
            yield rules.accused_key(first, last), ("unverified", "in_time"), number
        for first, last, state, is_late, number in counts.findings(self._connection, self._period):
            yield rules.accused_key(first, last), (state, "late" if is_late else "in_time"), number

    def _referrals(self) -> Counted:
        for programme, body, state, outcome, number in counts.referrals(self._connection, self._period):
            yield (programme, outcome or state), (body,), number

    def _sizes(self) -> Counted:
        for status, complaints, number in counts.sizes(self._connection, self._period):
            yield rules.size_key(status, complaints), ("number",), number

    def _channels(self) -> Counted:
        for channel, team, number in counts.channels(self._connection, self._period):
            yield (channel,), rules.named_key(team), number

    def _consents(self) -> Counted:
        for level, number in counts.consents(self._connection, self._period):
            yield (level,), ("number",), number

    def _payments(self) -> Counted:
        for sector, paid, _, _, number in counts.payments(self._connection, self._period):
            yield (sector or UNKNOWN,), (paid or UNKNOWN,), number

    def _backlog(self) -> Counted:
        for urgency, day, number in counts.backlog(self._connection):
            waited = (self._now.date() - date.fromisoformat(day)).days
            yield rules.waited_key(waited), (urgency,), number

    def _times(self) -> Mapping[Key, Mapping[str, int | None]]:
        hub: defaultdict[Key, Counter[int]] = defaultdict(Counter)
        person: defaultdict[Key, Counter[int]] = defaultdict(Counter)
        judged: defaultdict[Key, Counter[bool]] = defaultdict(Counter)
        for step, days, days_collected, is_in_time, number in self._spans():
            for clock, taken in ((hub, days), (person, days_collected)):
                clock[step].update({} if taken is None else {taken: number})
            if is_in_time is not None:
                judged[step][bool(is_in_time)] += number
        return {
            step: rules.times(hub[step], person[step], judged[step][True], judged[step][False]) for step in list(hub)
        }

    def _spans(self) -> Iterator[tuple[Key, int | None, int | None, bool | None, int]]:
        """Steps: how many days each took by the hub's clock and by the person's, and whether it was in time."""
        for kind, days, collected, is_in_time, number in counts.steps(self._connection, self._period, self._now):
            yield (kind,), days, collected, is_in_time, number
        for days, number in counts.roads(self._connection, self._period):
            yield _ROAD, None, days, None, number
        for days, collected, number in counts.closings(self._connection, self._period):
            yield _CLOSING, days, collected, None, number

    def _money(self) -> Mapping[Key, Mapping[str, int | None]]:
        asked: defaultdict[Key, Counter[int]] = defaultdict(Counter)
        paid: defaultdict[Key, Counter[int]] = defaultdict(Counter)
        for sector, _, asked_xof, paid_xof, number in counts.payments(self._connection, self._period):
            for counted, amount in ((asked, asked_xof), (paid, paid_xof)):
                if amount is not None:
                    counted[(sector or UNKNOWN,)][amount] += number
        return rules.money(asked, paid)

    def _cercle(self, place: str | None) -> str:
        found = None if self._places is None or place is None else self._places.cercle_of(place)
        return UNKNOWN if found is None else found.id

    def _region(self, place: str | None) -> str:
        if place not in self._regions:
            self._regions[place] = self._region_of(place)
        return self._regions[place]

    def _region_of(self, place: str | None) -> str:
        if self._places is None or place is None:
            return UNKNOWN
        found = self._places.region_of(place, REGIONS) or self._places.region_around(place)
        return UNKNOWN if found is None else found.id
