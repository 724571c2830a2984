"""Agenda: what is late, what is due today and what comes next, with a month of it by day and by kind."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Literal

from server.domain.desk import Desk
from server.domain.permission import may_ever
from server.services.cases import due
from server.services.cases.due import Item
from server.services.cases.holding import ACTION
from server.store import due as deadlines
from server.store.due import Within
from server.store.engine import Store
from server.store.scopes import scope_of

Part = Literal["late", "today", "next", "day"]

# Rows of each part that a page shows, and of a day that is chosen.
PART_MAX: Final = 25
DAY_MAX: Final = 200
# What is counted at most: a page must not cost what a whole network has left undone.
COUNT_MAX: Final = 1_000
_DAY: Final = timedelta(days=1)
_DECEMBER: Final = 12


@dataclass(frozen=True)
class Wish:
    """What is asked of the agenda. `day`: that one alone, where one is chosen; `kind`: of a deadline, empty for all.
    `month`: any day of the month that is counted."""

    month: date
    day: date | None = None
    kind: str = ""
    is_mine: bool = True


@dataclass(frozen=True)
class Agenda:
    """What is due, by part in its order; a part that has nothing is left out. `days` and `kinds` are counts.

    `late` and `today` count all that is due, of whatever kind. `following`: when the first thing after today falls due.
    `counted_to`: where counting ended, where there is more than is counted.
    """

    parts: Mapping[Part, Sequence[Item]]
    days: Mapping[date, int]
    kinds: Mapping[str, int]
    late: int
    today: int
    following: datetime | None
    counted_to: datetime | None


def agenda(store: Store, desk: Desk, wish: Wish) -> Agenda:
    """What is due in the actor's scope; empty for whoever handles no case."""
    if not may_ever(desk.actor, ACTION):
        return Agenda({}, {}, {}, 0, 0, None, None)
    owned = Within(owners=due.owners_of(desk) if wish.is_mine else None)
    with store.read() as connection:
        scope = scope_of(desk.actor, [ACTION], desk.places)
        parts: dict[Part, Sequence[Item]] = {}
        for part, within in _parts(wish, desk.now, replace(owned, kind=wish.kind or None)):
            if rows := deadlines.waiting(connection, scope, DAY_MAX if part == "day" else PART_MAX, within):
                parts[part] = due.items(connection, rows, desk.now)
        until = replace(owned, until=max(_after_month(wish.month), _midnight(desk.now.date() + _DAY)))
        counted = deadlines.days(connection, scope, COUNT_MAX + 1, until)
        coming = deadlines.days(connection, scope, 1, replace(owned, since=_midnight(desk.now.date() + _DAY)))
    at_most = counted[:COUNT_MAX]
    return Agenda(
        parts=parts,
        days=Counter(at.date() for at, _ in at_most),
        kinds=Counter(kind for _, kind in at_most),
        late=sum(at < desk.now for at, _ in at_most),
        today=sum(at >= desk.now and at.date() == desk.now.date() for at, _ in at_most),
        following=coming[0][0] if coming else None,
        counted_to=at_most[-1][0] if len(counted) > COUNT_MAX else None,
    )


def _parts(wish: Wish, now: datetime, within: Within) -> list[tuple[Part, Within]]:
    if wish.day is not None:
        return [("day", replace(within, since=_midnight(wish.day), until=_midnight(wish.day + _DAY)))]
    tomorrow = _midnight(now.date() + _DAY)
    return [
        ("late", replace(within, until=now)),
        ("today", replace(within, since=now, until=tomorrow)),
        ("next", replace(within, since=tomorrow)),
    ]


def _after_month(day: date) -> datetime:
    return datetime(day.year + day.month // _DECEMBER, day.month % _DECEMBER + 1, 1, tzinfo=UTC)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
