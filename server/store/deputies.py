"""Deputies: who acts for whom, from day to day."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import date, datetime

import sqlalchemy as sa

from server.domain.permission import Actor
from server.store import accounts
from server.store.due_tables import deputy
from server.store.schema import account


@dataclass(frozen=True)
class Deputation:
    """That `deputy` acts for `account`, both days counted; `by` is the signature of who said so."""

    id: str
    account: str
    deputy: str
    from_day: str
    to_day: str
    by: str
    at: datetime
    ended_at: datetime | None = None
    keys_gone_at: datetime | None = None


_DEPUTATION = tuple(deputy.c[name] for name in Deputation.__dataclass_fields__)


def add(connection: sa.Connection, made: Deputation) -> None:
    """Keep a deputation."""
    connection.execute(sa.insert(deputy).values(**vars(made)))


def find(connection: sa.Connection, id: str) -> Deputation | None:
    """The deputation with this id."""
    return next(iter(_found(connection, deputy.c.id == id)), None)


def listed(connection: sa.Connection, day: date) -> list[Deputation]:
    """Those that stand that day or later, by their first day."""
    return _found(connection, (deputy.c.to_day >= day.isoformat()) & deputy.c.ended_at.is_(None))


def end(connection: sa.Connection, id: str, at: datetime) -> bool:
    """End a deputation; whether it stood."""
    stands = (deputy.c.id == id) & deputy.c.ended_at.is_(None)
    return connection.execute(sa.update(deputy).where(stands).values(ended_at=at)).rowcount == 1


def over(connection: sa.Connection, day: date) -> list[Deputation]:
    """Those that are over that day, and whose deputies may still have keys by them."""
    is_over = (deputy.c.to_day < day.isoformat()) | deputy.c.ended_at.is_not(None)
    return _found(connection, is_over & deputy.c.keys_gone_at.is_(None))


def note_keys_gone(connection: sa.Connection, id: str, at: datetime) -> None:
    """Note that the deputy has no keys by it any more."""
    connection.execute(sa.update(deputy).where(deputy.c.id == id).values(keys_gone_at=at))


def acting(connection: sa.Connection, actor: Actor, day: date) -> Actor:
    """The actor with those for whom the actor stands in that day, as long as they have their accounts."""
    return _standing_for(connection, actor, _standing(day))


def promised(connection: sa.Connection, actor: Actor, day: date) -> Actor:
    """The actor with those for whom the actor stands in that day or will later."""
    return _standing_for(connection, actor, [deputy.c.to_day >= day.isoformat(), deputy.c.ended_at.is_(None)])


def of_accounts(connection: sa.Connection, ids: Collection[str], day: date) -> dict[str, str]:
    """By account, who stands in for it that day, the first who was named; those without anybody are left out."""
    rows = _found(connection, sa.and_(deputy.c.account.in_(ids), *_standing(day)))
    here = {each.id for each in accounts.active(connection, account.c.id.in_([row.deputy for row in rows]))}
    return {row.account: row.deputy for row in reversed(rows) if row.deputy in here}


def _standing_for(connection: sa.Connection, actor: Actor, conditions: list[sa.ColumnElement[bool]]) -> Actor:
    principals = sa.select(deputy.c.account).where(deputy.c.deputy == actor.id, *conditions)
    found = [each.actor for each in accounts.active(connection, account.c.id.in_(principals))]
    # Whoever is no named reader becomes none by somebody else's absence.
    stands_for = [replace(each, is_named_reader=each.is_named_reader and actor.is_named_reader) for each in found]
    return replace(actor, stands_for=tuple(stands_for)) if stands_for else actor


def _standing(day: date) -> list[sa.ColumnElement[bool]]:
    text = day.isoformat()
    return [deputy.c.from_day <= text, deputy.c.to_day >= text, deputy.c.ended_at.is_(None)]


def _found(connection: sa.Connection, condition: sa.ColumnElement[bool]) -> list[Deputation]:
    ordered = sa.select(*_DEPUTATION).where(condition).order_by(deputy.c.from_day, deputy.c.at, deputy.c.id)
    return [Deputation(*row) for row in connection.execute(ordered)]
