"""Destinations: the bodies that complaints can be referred to, and which of them are suspended."""

from collections.abc import Collection
from datetime import date, datetime

import sqlalchemy as sa

from server.domain.referral import Destination
from server.store.dialect import insert_new, locked
from server.store.referral_tables import destination

_COLUMNS = tuple(destination.c[name] for name in Destination.__dataclass_fields__)


def add(connection: sa.Connection, made: Destination, by: str, at: datetime) -> bool:
    """Keep a destination; False where one of that code is there, which stays as it is."""
    row = vars(made) | {"valid_from": made.valid_from.isoformat(), "at": at, "by": by}
    row["valid_to"] = None if made.valid_to is None else made.valid_to.isoformat()
    return bool(insert_new(connection, destination, [row], ["code"], destination.c.code))


def listed(connection: sa.Connection) -> list[Destination]:
    """All destinations, by body, place and code."""
    columns = destination.c
    select = sa.select(*_COLUMNS).order_by(columns.programme, columns.body, columns.place, columns.code)
    return [_read(row) for row in connection.execute(select)]


def find(connection: sa.Connection, codes: Collection[str], *, is_locked: bool = False) -> dict[str, Destination]:
    """Destinations by code; `is_locked`: nobody suspends them until commit."""
    select = sa.select(*_COLUMNS).where(destination.c.code.in_(codes)).order_by(destination.c.code)
    rows = connection.execute(locked(connection, select) if is_locked else select)
    return {row.code: _read(row) for row in rows}


def suspend(connection: sa.Connection, code: str, since: datetime | None) -> None:
    """Nothing goes there since then; None: it does again."""
    connection.execute(sa.update(destination).where(destination.c.code == code).values(suspended_at=since))


def _read(row: sa.Row[tuple[object, ...]]) -> Destination:
    told = dict(row._mapping)
    told["valid_from"] = date.fromisoformat(row.valid_from)
    told["valid_to"] = None if row.valid_to is None else date.fromisoformat(row.valid_to)
    return Destination(**told)
