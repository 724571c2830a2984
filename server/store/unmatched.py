"""Complaints that have to be matched: which wait, and which process has which in hand."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any, Final

import sqlalchemy as sa

from server.store.dialect import insert_many, insert_new, unlocked
from server.store.match_tables import match_pending, match_profile
from server.store.schema import complaint

# Whose turn it is. What was told before can come a thousand times: it never comes before what nobody matched yet.
_NEW, _TOLD_AGAIN, _OF_OLD_SCHEME = range(3)
# A claim is of minutes. One that ends later than so long from now was made while the clock was ahead.
_CLAIM_MOST: Final = timedelta(hours=1)


@dataclass(frozen=True)
class Waiting:
    """A complaint that the process called `by` has in hand; `attempts`: how often that went wrong because of it."""

    complaint: int
    by: str
    attempts: int = 0


def add(connection: sa.Connection, complaints: Sequence[int]) -> None:
    """Have new complaints matched, later."""
    insert_many(connection, match_pending, ("complaint",), [(id,) for id in complaints])


def renew(connection: sa.Connection, complaint_id: int, *, is_own: bool = True) -> None:
    """Have a complaint matched again once no new one waits, whoever has it in hand now; the caller has locked it.

    What is its own lineage's news begins anew; of somebody else's the failures so far go on counting.
    """
    columns = match_pending.c
    turn = sa.case((columns.turn == _NEW, _NEW), else_=_TOLD_AGAIN)
    again: dict[str, Any] = {**_IN_NO_HAND, "turn": turn} | ({"attempts": 0} if is_own else {})
    if not connection.execute(sa.update(match_pending).where(columns.complaint == complaint_id).values(again)).rowcount:
        row = {"complaint": complaint_id, "turn": _TOLD_AGAIN}
        insert_new(connection, match_pending, [row], ["complaint"], columns.complaint)


def renew_old(connection: sa.Connection, scheme: int, after: int, limit: int) -> list[int]:
    """Have complaints whose profile is of another scheme matched again, when nothing new waits; gives these.

    The next `limit` of them above the id `after`, in order.
    """
    columns = match_profile.c
    old = sa.select(columns.complaint).where(columns.scheme != scheme, columns.complaint > after)
    found = list(connection.scalars(old.order_by(columns.complaint).limit(limit)))
    rows = [{"complaint": id, "turn": _OF_OLD_SCHEME} for id in found]
    insert_new(connection, match_pending, rows, ["complaint"], match_pending.c.complaint)
    return found


def renew_in_hand(connection: sa.Connection) -> None:
    """Have all that somebody has in hand now matched again."""
    connection.execute(sa.update(match_pending).where(match_pending.c.claimed_by.is_not(None)).values(_IN_NO_HAND))


def count(connection: sa.Connection) -> int:
    """How many complaints wait to be matched."""
    return connection.scalar(sa.select(sa.func.count()).select_from(match_pending)) or 0


def is_any_free(connection: sa.Connection, now: datetime) -> bool:
    """Whether any complaint waits that nobody has in hand."""
    return connection.scalar(_FREE, _free(now, 1)) is not None


def claim(connection: sa.Connection, by: str, now: datetime, until: datetime, limit: int) -> list[Waiting]:
    """Take at most so many complaints that wait for the process called `by`: new ones, the oldest first, then others.

    It has nothing else in hand. One that went wrong comes alone. `until`: no more than an hour from now.
    """
    rows = connection.execute(unlocked(connection, _FREE, match_pending), _free(now, limit))
    found = [Waiting(row.complaint, by, row.attempts) for row in rows]
    taken = [*takewhile(lambda each: not each.attempts, found)] or found[:1]
    connection.execute(_CLAIM, {"complaints": [each.complaint for each in taken], "by": by, "until": until})
    return taken


def note_failure(connection: sa.Connection, waiting: Waiting) -> None:
    """Count that matching this went wrong, unless something new came of it since and nobody has that in hand."""
    columns = match_pending.c
    # Whoever has it: what hangs may outlast its claim, and would go from hand to hand uncounted.
    is_in_hand = (columns.complaint == waiting.complaint) & columns.claimed_by.is_not(None)
    connection.execute(sa.update(match_pending).where(is_in_hand).values(attempts=columns.attempts + 1))


def standing(connection: sa.Connection, page: Sequence[Waiting]) -> set[int]:
    """Complaints of which nothing new came since they were claimed, and that nobody else took over; kept as they are
    until commit."""
    by = {each.complaint: each.by for each in page}
    in_hand = unlocked(connection, _IN_HAND, complaint, by_others_held=True)
    rows = connection.execute(in_hand, {"complaints": list(by)})
    return {row.complaint for row in rows if row.claimed_by == by[row.complaint]}


def remove(connection: sa.Connection, complaints: Collection[int]) -> None:
    """These wait no more; a process that has one in hand at this moment is waited for."""
    connection.execute(_REMOVE, {"complaints": list(complaints)})


def _free(now: datetime, limit: int) -> dict[str, Any]:
    return {"now": now, "ahead": now + _CLAIM_MOST, "limit": limit}


# Whatever is new takes a complaint out of the hand that has it: what was read before is not the whole any more.
_IN_NO_HAND: Final = {"claimed_by": None, "claimed_until": None}
# Written once, as in `duplicates`.
_MANY: Final[sa.BindParameter[Any]] = sa.bindparam("complaints", expanding=True)
# What waits and nobody has in hand, by turns.
_FREE: Final = (
    sa.select(match_pending.c.complaint, match_pending.c.attempts)
    .where(
        match_pending.c.claimed_until.is_(None)
        | (match_pending.c.claimed_until < sa.bindparam("now"))
        | (match_pending.c.claimed_until > sa.bindparam("ahead"))
    )
    .order_by(match_pending.c.turn, match_pending.c.complaint)
    .limit(sa.bindparam("limit", type_=sa.Integer))
)
_CLAIM: Final = (
    sa.update(match_pending)
    .where(match_pending.c.complaint.in_(_MANY))
    .values(claimed_by=sa.bindparam("by"), claimed_until=sa.bindparam("until"))
)
_IN_HAND: Final = (
    sa.select(match_pending.c.complaint, match_pending.c.claimed_by)
    .join(complaint, complaint.c.id == match_pending.c.complaint)
    .where(match_pending.c.complaint.in_(_MANY))
)
_REMOVE: Final = sa.delete(match_pending).where(match_pending.c.complaint.in_(_MANY))
