"""Legal holds: who asked that nothing of a complaint be erased, who agreed, and how it ended."""

from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa

from server.domain.retention import Hold
from server.store.dialect import locked
from server.store.schema import legal_hold

_HOLD = tuple(legal_hold.c[name] for name in Hold.__dataclass_fields__)


def ask(connection: sa.Connection, complaint: int, by: str, at: datetime) -> None:
    """Note that an account asks for a hold."""
    connection.execute(sa.insert(legal_hold).values(complaint=complaint, asked_by=by, asked_at=at))


def agree(connection: sa.Connection, id: int, by: str, at: datetime) -> None:
    """Note the second account, with which the hold stands."""
    _set(connection, id, agreed_by=by, agreed_at=at)


def ask_lift(connection: sa.Connection, id: int, by: str) -> None:
    """Note that an account asks for the end of a hold."""
    _set(connection, id, lift_asked_by=by)


def lift(connection: sa.Connection, id: int, by: str, at: datetime) -> None:
    """Note who ended a hold."""
    _set(connection, id, lifted_by=by, lifted_at=at)


def current(connection: sa.Connection, complaint: int) -> Hold | None:
    """The hold on a complaint that was not lifted, locked until commit; there is at most one."""
    select = sa.select(*_HOLD).where(legal_hold.c.complaint == complaint, legal_hold.c.lifted_at.is_(None))
    row = connection.execute(locked(connection, select)).one_or_none()
    return None if row is None else Hold(*row)


def blocked(connection: sa.Connection, complaints: Collection[int]) -> set[int]:
    """Those of the complaints that a hold keeps."""
    return {hold.complaint for hold in listed(connection) if hold.blocks and hold.complaint in complaints}


def listed(connection: sa.Connection) -> list[Hold]:
    """Every hold that was not lifted, oldest first."""
    select = sa.select(*_HOLD).where(legal_hold.c.lifted_at.is_(None)).order_by(legal_hold.c.id)
    return [Hold(*row) for row in connection.execute(select)]


def _set(connection: sa.Connection, id: int, **values: object) -> None:
    connection.execute(sa.update(legal_hold).where(legal_hold.c.id == id).values(**values))
