"""The change log: what each lineage is to learn, in an order that no clock decides.

`n` is drawn under the lock on the lineage's row, so that a later commit never appears below a cursor,
on either engine, and a cursor tells a device nothing of what other lineages do.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from server.store.dialect import among
from server.store.schema import change, lineage, received


@dataclass(frozen=True)
class Change:
    """One thing that a lineage is to learn."""

    n: int
    kind: str
    client_id: str | None
    body: dict[str, Any]


def append(
    connection: sa.Connection,
    lineage_id: str,
    kind: str,
    client_id: str | None,
    body: Mapping[str, Any],
    at: datetime,
) -> int:
    """Add a change for the lineage; gives its number."""
    # The update locks the lineage's row until commit: numbers are committed in the order they are drawn.
    n: int = connection.scalars(
        sa.update(lineage)
        .where(lineage.c.id == lineage_id)
        .values(changes=lineage.c.changes + 1)
        .returning(lineage.c.changes)
    ).one()
    connection.execute(
        sa.insert(change).values(lineage=lineage_id, n=n, kind=kind, client_id=client_id, body=dict(body), at=at)
    )
    return n


def skip(connection: sa.Connection, count: int) -> None:
    """Leave out so many numbers of every lineage: those of changes that are lost, which a device may still name."""
    connection.execute(sa.update(lineage).values(changes=lineage.c.changes + count))


def replace(connection: sa.Connection, lineage_id: str, n: int, kind: str, body: Mapping[str, Any]) -> None:
    """Say something else under the number of a change: whoever has not read it yet never learns what it said."""
    told = (change.c.lineage == lineage_id) & (change.c.n == n)
    connection.execute(sa.update(change).where(told).values(kind=kind, body=dict(body)))


def after(connection: sa.Connection, lineage_id: str, n: int, limit: int) -> list[Change]:
    """At most `limit` changes for the lineage after number `n`, in order."""
    columns = change.c
    select = (
        sa.select(columns.n, columns.kind, columns.client_id, columns.body)
        .where(columns.lineage == lineage_id, columns.n > n)
        .order_by(columns.n)
        .limit(limit)
    )
    return [Change(*row) for row in connection.execute(select)]


def last_at(connection: sa.Connection, lineage_id: str) -> datetime | None:
    """When the last change of a lineage was written; None before the first."""
    select = sa.select(change.c.at).where(change.c.lineage == lineage_id).order_by(change.c.n.desc())
    return connection.scalar(select.limit(1))


def short_ids(connection: sa.Connection, lineage_id: str, client_ids: Collection[str], least: int) -> dict[str, str]:
    """By id, its shortest prefix of at least `least` characters that is unique in its lineage."""
    if not client_ids:
        return {}
    beginning = sa.func.substr(received.c.client_id, 1, least)
    select = sa.select(received.c.client_id).where(
        received.c.lineage == lineage_id, among(connection, beginning, {id[:least] for id in client_ids})
    )
    near: dict[str, list[str]] = {}
    for id in connection.scalars(select):
        near.setdefault(id[:least], []).append(id)
    return {id: _shortest_prefix(id, near.get(id[:least], []), least) for id in client_ids}


def _shortest_prefix(id: str, known: Collection[str], least: int) -> str:
    length = least
    while any(other != id and other[:length] == id[:length] for other in known):
        length += 1
    return id[:length]
