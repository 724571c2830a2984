"""Agenda: what is late, what is due today and what comes next, with a month of it by day and by kind."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Literal, get_args

import sqlalchemy as sa

from server.domain.desk import Desk
from server.domain.permission import Actor, may_ever
from server.services.cases import due
from server.services.cases.due import Item
from server.services.cases.holding import ACTION
from server.store import accounts
from server.store import due as deadlines
from server.store.due import Within
from server.store.engine import Store
from server.store.lines import Reach
from server.store.scopes import scope_of

Part = Literal["late", "today", "next", "day"]
# Of whose cases: the actor's own, those of colleagues too, all in the actor's scope.
Whose = Literal["mine", "colleagues", "all"]
WHOSE: Final[tuple[Whose, ...]] = get_args(Whose)

# Rows of each part that a page shows, and of a day that is chosen.
PART_MAX: Final = 25
DAY_MAX: Final = 200
# What the month and the kinds count: a page must not cost what a whole network has left undone.
MONTH_MAX: Final = 1_000
_DAY: Final = timedelta(days=1)
_DECEMBER: Final = 12


@dataclass(frozen=True)
class Wish:
    """What is asked of the agenda. `day`: that one alone, where one is chosen; `kind`: of a deadline, empty for all.
    `month`: any day of the month that is counted."""

    month: date
    day: date | None = None
    kind: str = ""
    whose: Whose = "mine"


@dataclass(frozen=True)
class Agenda:
    """What is due, by part in its order; a part that has nothing is left out. `days` and `kinds` are counts.

    `shown_to`: of a part that goes on, until when it is shown. `late` and `today` count all that is due, of whatever
    kind. `following`: when the first thing after today falls due. `counted_to`: where counting ended, where there is
    more than is counted. `has_colleagues`: whether the actor has any.
    """

    parts: Mapping[Part, Sequence[Item]]
    shown_to: Mapping[Part, datetime]
    days: Mapping[date, int]
    kinds: Mapping[str, int]
    late: int
    today: int
    following: datetime | None
    counted_to: datetime | None
    has_colleagues: bool


def agenda(store: Store, desk: Desk, wish: Wish) -> Agenda:
    """What is due in the actor's scope; empty for whoever handles no case."""
    if not may_ever(desk.actor, ACTION):
        return Agenda({}, {}, {}, {}, 0, 0, None, None, has_colleagues=False)
    scope, tomorrow = scope_of(desk.actor, [ACTION], desk.places), _midnight(desk.now.date() + _DAY)
    parts: dict[Part, Sequence[Item]] = {}
    shown_to: dict[Part, datetime] = {}
    with store.read() as connection:
        own, colleagues = due.owners_of(desk), _colleagues(connection, desk)
        owned = Within(owners={"mine": own, "colleagues": own | colleagues, "all": None}[wish.whose])
        for part, within in _parts(wish, desk.now, replace(owned, kind=wish.kind or None)):
            page = deadlines.waiting(connection, scope, Reach(DAY_MAX if part == "day" else PART_MAX), within)
            if page.rows:
                parts[part] = due.items(connection, page.rows, desk.now)
            if page.ends_at is not None:
                shown_to[part] = page.ends_at[0]
        until = replace(owned, until=max(_after_month(wish.month), tomorrow))
        counted = deadlines.days(connection, scope, Reach(MONTH_MAX), until)
        coming = deadlines.days(connection, scope, Reach(1), replace(owned, since=tomorrow))
    return Agenda(
        parts=parts,
        shown_to=shown_to,
        days=Counter(at.date() for at, _ in counted.rows),
        kinds=Counter(kind for _, kind in counted.rows),
        late=sum(at < desk.now for at, _ in counted.rows),
        today=sum(at >= desk.now and at.date() == desk.now.date() for at, _ in counted.rows),
        following=coming.rows[0][0] if coming.rows else None,
        counted_to=counted.ends_at[0] if counted.ends_at is not None else None,
        has_colleagues=bool(colleagues - own),
    )


def _colleagues(connection: sa.Connection, desk: Desk) -> set[str]:
    """The ids of all who can handle a case and cover the same as the actor."""
    own = _covers(desk.actor)
    known = (each.actor for each in accounts.active(connection, sa.true()))
    return {each.id for each in known if may_ever(each, ACTION) and _covers(each) == own}


def _covers(actor: Actor) -> tuple[frozenset[str], ...]:
    return actor.regions, actor.teams, actor.partners


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
