"""Search texts: the words of clear statements, what still has to be read for them, and what is found by them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from server.store.dialect import among, having_words, insert_many, insert_new, unlocked
from server.store.schema import (
    act,
    complaint,
    device,
    lineage,
    received,
    revision,
    search_pending,
    search_text,
)
from server.store.scopes import Scope, limits


@dataclass(frozen=True)
class State:
    """What the words of a complaint go by: while it is the same, so are they."""

    revision: int
    confidentiality: str


@dataclass(frozen=True)
class Source:
    """A complaint to be read: its line as received, and number, fields and line of each revision, in order."""

    complaint: int
    state: State
    line: bytes
    revisions: Sequence[tuple[Sequence[str], bytes]]


@dataclass(frozen=True)
class Reading:
    """What was read of a complaint in that state; `text` is empty where nothing of it may be found by words."""

    complaint: int
    state: State
    text: str = field(repr=False)


@dataclass(frozen=True)
class Wanted:
    """What is looked for, all of it; None: anything. `words` as `search_words` gives them, `until` excluded."""

    words: Sequence[str] = field(default=(), repr=False)
    kind: str | None = None
    places: Collection[str] | None = None
    since: datetime | None = None
    until: datetime | None = None
    complaint: int | None = None


@dataclass(frozen=True)
class Found:
    """A complaint that was looked for."""

    id: int
    received_at: datetime
    place_id: str | None


def await_reading(connection: sa.Connection, complaints: Sequence[int]) -> None:
    """Have new complaints read, later."""
    insert_many(connection, search_pending, ("complaint",), [(id,) for id in complaints])


def renew(connection: sa.Connection, complaint_id: int) -> None:
    """Take the words of a complaint out of the index at once, and have it read again; the caller has locked it."""
    insert_new(connection, search_pending, [{"complaint": complaint_id}], ["complaint"], search_pending.c.complaint)
    _remove(connection, [complaint_id])


def count_pending(connection: sa.Connection) -> int:
    """How many complaints wait to be read."""
    return connection.scalar(sa.select(sa.func.count()).select_from(search_pending)) or 0


def is_any_pending(connection: sa.Connection) -> bool:
    """Whether any complaint waits to be read."""
    return connection.scalar(sa.select(search_pending.c.complaint).limit(1)) is not None


def pending(connection: sa.Connection, after: int, limit: int) -> list[Source]:
    """The next complaints that wait to be read, after that id."""
    select = (
        sa.select(complaint.c.id, complaint.c.revision, complaint.c.confidentiality, received.c.line)
        .join(search_pending, search_pending.c.complaint == complaint.c.id)
        .join(received, received.c.id == complaint.c.id)
        .where(search_pending.c.complaint > after)
        .order_by(search_pending.c.complaint)
        .limit(limit)
    )
    rows = connection.execute(select).all()
    later = _revisions(connection, [row.id for row in rows if row.revision > 1])
    return [Source(row.id, State(row.revision, row.confidentiality), row.line, later.get(row.id, ())) for row in rows]


def keep(connection: sa.Connection, readings: Sequence[Reading]) -> None:
    """Keep the words that were read; those complaints wait no more.

    One that changed since it was read, or that somebody changes now, is left alone and waits on.
    """
    ids = [each.complaint for each in readings]
    select = sa.select(complaint.c.id, complaint.c.revision, complaint.c.confidentiality).where(complaint.c.id.in_(ids))
    rows = connection.execute(unlocked(connection, select, complaint))
    states = {id: State(number, confidentiality) for id, number, confidentiality in rows}
    sound = [each for each in readings if states.get(each.complaint) == each.state]
    settled = [each.complaint for each in sound]
    # Another hub may have read the same ones.
    _remove(connection, settled)
    kept = [(each.complaint, each.text) for each in sound if each.text]
    insert_many(connection, search_text, ("complaint", "text"), kept)
    connection.execute(sa.delete(search_pending).where(search_pending.c.complaint.in_(settled)))


def find(connection: sa.Connection, wanted: Wanted, scope: Scope, before: int | None, limit: int) -> list[Found]:
    """At most `limit` complaints that are looked for, the newest first; `before`: only those with a lower id."""
    key: sa.ColumnClause[Any] = complaint.c.id
    select = (
        sa.select(complaint.c.id, received.c.received_at, complaint.c.place_id)
        .join(received, received.c.id == complaint.c.id)
        .join(lineage, lineage.c.id == received.c.lineage)
        .join(device, device.c.id == received.c.device)
        .where(*_conditions(connection, wanted), *limits(connection, scope, complaint, lineage, device))
    )
    if wanted.words:
        columns = search_text.c
        index, key, has_words = having_words(connection, columns.complaint, columns.text, wanted.words)
        select = select.join(index, key == complaint.c.id).where(has_words)
    if before is not None:
        select = select.where(key < before)
    rows = connection.execute(select.order_by(key.desc()).limit(limit))
    return [Found(*row) for row in rows]


def _conditions(connection: sa.Connection, wanted: Wanted) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = []
    if wanted.kind is not None:
        conditions.append(sa.exists().where(act.c.complaint == complaint.c.id, act.c.kind == wanted.kind))
    if wanted.places is not None:
        conditions.append(among(connection, complaint.c.place_id, wanted.places))
    if wanted.since is not None:
        conditions.append(received.c.received_at >= wanted.since)
    if wanted.until is not None:
        conditions.append(received.c.received_at < wanted.until)
    if wanted.complaint is not None:
        conditions.append(complaint.c.id == wanted.complaint)
    return conditions


def _remove(connection: sa.Connection, complaints: Collection[int]) -> None:
    connection.execute(sa.delete(search_text).where(search_text.c.complaint.in_(complaints)))


def _revisions(
    connection: sa.Connection, complaints: Collection[int]
) -> Mapping[int, list[tuple[Sequence[str], bytes]]]:
    found: dict[int, list[tuple[Sequence[str], bytes]]] = {}
    columns = revision.c
    select: sa.Select[Any] = (
        sa.select(columns.complaint, columns.fields, received.c.line)
        .join(received, received.c.id == columns.received)
        .where(columns.complaint.in_(complaints))
        .order_by(columns.complaint, columns.number)
    )
    for id, fields, line in connection.execute(select):
        found.setdefault(id, []).append((fields, line))
    return found
