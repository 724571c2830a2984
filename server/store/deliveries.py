"""Deliveries: that an account has notices to read, as it is told outside, each under a key of its own."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4

import sqlalchemy as sa

from server.store import accounts
from server.store.delivery_tables import delivery
from server.store.due_tables import notice
from server.store.schema import account

SEVERAL: Final = "several"
# Nothing is put off for so long, unless by a clock that was ahead.
_PUT_OFF_MOST: Final = timedelta(days=1)


@dataclass(frozen=True)
class Delivery:
    """What is told of one account: the code of what it is to hear, SEVERAL for more than one, and how many wait.

    `attempts` counts the tries so far, with the one that is made.
    """

    id: str
    account: str
    code: str
    waiting: int
    attempts: int


_DELIVERY: Final = tuple(delivery.c[name] for name in Delivery.__dataclass_fields__)


def unheard(connection: sa.Connection, limit: int) -> list[str]:
    """Accounts with notices that they have not read and that nothing carried outside yet."""
    select = (
        sa.select(notice.c.account)
        .join(account, account.c.id == notice.c.account)
        .where(_is_unheard(), account.c.state == accounts.ACTIVE)
    )
    return list(connection.scalars(select.distinct().order_by(notice.c.account).limit(limit)))


def gather(connection: sa.Connection, account_id: str, at: datetime) -> str | None:
    """Make one delivery of all that an account has not heard; gives its key, None where another process was first."""
    key = str(uuid4())
    taken = sa.update(notice).where(notice.c.account == account_id, _is_unheard()).values(delivery=key)
    codes = set(connection.scalars(taken.returning(notice.c.code)))
    if not codes:
        return None
    unread = (notice.c.account == account_id) & notice.c.read_at.is_(None)
    waiting = connection.scalars(sa.select(sa.func.count()).select_from(notice).where(unread)).one()
    code = codes.pop() if len(codes) == 1 else SEVERAL
    row = {"id": key, "account": account_id, "code": code, "waiting": waiting, "at": at, "next_at": at}
    connection.execute(sa.insert(delivery).values(row))
    return key


def is_any_due(connection: sa.Connection, now: datetime) -> bool:
    """Whether any delivery can be tried now."""
    return connection.scalar(sa.select(delivery.c.id).where(_is_due(now)).limit(1)) is not None


def claim(connection: sa.Connection, now: datetime, until: datetime) -> Delivery | None:
    """Take the delivery that waits longest for this process until then; None when none can be tried now."""
    due = sa.select(delivery.c.id).where(_is_due(now)).order_by(delivery.c.next_at, delivery.c.id).limit(1)
    id = connection.scalar(due)
    # Whoever took it since it was read has put it off.
    taken = sa.update(delivery).where(delivery.c.id == id, _is_due(now))
    put_off = taken.values(next_at=until, attempts=delivery.c.attempts + 1).returning(*_DELIVERY)
    row = connection.execute(put_off).one_or_none()
    return None if row is None else Delivery(*row)


def note_done(connection: sa.Connection, made: Delivery, at: datetime) -> None:
    """Note that the receiver has it."""
    _note(connection, made, done_at=at, next_at=None, failure=None)


def note_failure(connection: sa.Connection, made: Delivery, failure: str, next_at: datetime | None) -> None:
    """Note why the receiver does not have it, and when it is tried again: None for never."""
    _note(connection, made, failure=failure, next_at=next_at)


def count_given_up(connection: sa.Connection) -> int:
    """How many deliveries nobody tries any more, of which the account has still something to read."""
    given_up = delivery.c.done_at.is_(None) & delivery.c.next_at.is_(None)
    waits = sa.exists().where(notice.c.delivery == delivery.c.id, notice.c.read_at.is_(None))
    return connection.scalar(sa.select(sa.func.count()).select_from(delivery).where(given_up, waits)) or 0


def forget(connection: sa.Connection, before: datetime) -> int:
    """Drop deliveries made before that which are over; gives how many."""
    is_over = delivery.c.next_at.is_(None) & (delivery.c.at < before)
    return connection.execute(sa.delete(delivery).where(is_over)).rowcount


def _is_due(now: datetime) -> sa.ColumnElement[bool]:
    return (delivery.c.next_at <= now) | (delivery.c.next_at > now + _PUT_OFF_MOST)


def _is_unheard() -> sa.ColumnElement[bool]:
    return notice.c.delivery.is_(None) & notice.c.read_at.is_(None)


def _note(connection: sa.Connection, made: Delivery, **values: object) -> None:
    # Whoever took it over meanwhile has made another attempt of it; a word that it arrived counts from anybody.
    mine = (delivery.c.id == made.id) & delivery.c.done_at.is_(None)
    if values.get("done_at") is None:
        mine &= delivery.c.attempts == made.attempts
    connection.execute(sa.update(delivery).where(mine).values(**values))
