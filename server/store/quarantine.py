"""What was kept but not filed: held, quarantined and conflicting operations, as received."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

import sqlalchemy as sa

from server.store.complaints import Origin
from server.store.dialect import among, insert_new, locked
from server.store.lines import Line, Page, Reach, passed_by
from server.store.schema import quarantine

# `dismissed`: somebody said that nothing is to be done about it; it is kept, and can wait again.
State = Literal["waiting", "stored", "dismissed"]


@dataclass(frozen=True, slots=True)
class Aside:
    """One operation to set aside; `hash` tells two contents under one id apart.

    `waits_for` is the complaint whose arrival, or next revision, can put it right, or the task that its device was not
    told of; `about` is the complaint it speaks of, which came from `about_lineage`.
    """

    client_id: str
    hash: str
    payload: bytes
    verdict: str
    code: str
    field: str
    waits_for: str | None
    about: str | None
    about_lineage: str | None


@dataclass(frozen=True, slots=True)
class Kept:
    """One operation that was set aside.

    `settled_by` is who settled it, as the log names them, where a person did; `settled_why` why it was dismissed.
    """

    id: int
    lineage: str
    device: str
    carried_by: str | None
    client_id: str
    hash: str
    payload: bytes
    verdict: str
    code: str
    field: str
    state: str
    received_at: datetime
    settled_at: datetime | None
    settled_by: str | None
    settled_why: str | None


@dataclass(frozen=True)
class Wanted:
    """Which rows a list is about: in a state, set aside for a reason, of a device; None is not asked for."""

    state: State = "waiting"
    code: str | None = None
    device: str | None = None


LINE: Final = Line((quarantine.c.id,))

_KEPT = tuple(quarantine.c[name] for name in Kept.__dataclass_fields__)


def add(connection: sa.Connection, origin: Origin, asides: Sequence[Aside]) -> None:
    """Set operations aside; those that are there with the same content add nothing."""
    rows = [
        {
            "lineage": origin.lineage,
            "client_id": aside.client_id,
            "hash": aside.hash,
            "payload": aside.payload,
            "verdict": aside.verdict,
            "code": aside.code,
            "field": aside.field,
            "waits_for": aside.waits_for,
            "about": aside.about,
            "about_lineage": aside.about_lineage,
            "device": origin.device,
            "carried_by": origin.carried_by,
            "received_at": origin.at,
        }
        for aside in asides
    ]
    if rows:
        insert_new(connection, quarantine, rows, ["lineage", "client_id", "hash"], quarantine.c.id)


def rehearse(connection: sa.Connection, origin: Origin, asides: Sequence[Aside]) -> None:
    """Take the time of `add`, and add nothing."""
    if not asides:
        return
    with connection.begin_nested() as savepoint:
        add(connection, origin, asides)
        savepoint.rollback()


def known(
    connection: sa.Connection, lineage: str, client_ids: Collection[str]
) -> dict[tuple[str, str], tuple[str, str, str, str]]:
    """(verdict, code, field, state) by (id, hash), of what this lineage has set aside."""
    columns = quarantine.c
    select = sa.select(
        columns.client_id, columns.hash, columns.verdict, columns.code, columns.field, columns.state
    ).where(columns.lineage == lineage, among(connection, columns.client_id, client_ids))
    return {
        (client_id, hash): (verdict, code, field, state)
        for client_id, hash, verdict, code, field, state in connection.execute(select)
    }


def waiting_for(
    connection: sa.Connection,
    lineage: str,
    codes: Collection[str],
    *,
    after: int = 0,
    limit: int | None = None,
) -> list[Kept]:
    """What the lineage has waiting for one of these reasons, oldest first, at most `limit` after row `after`."""
    select = sa.select(*_KEPT).where(
        quarantine.c.lineage == lineage,
        quarantine.c.state == "waiting",
        quarantine.c.code.in_(codes),
        quarantine.c.id > after,
    )
    return [Kept(*row) for row in connection.execute(select.order_by(quarantine.c.id).limit(limit))]


def waiting_on(connection: sa.Connection, lineage: str, complaints: Collection[str], limit: int) -> list[Kept]:
    """At most `limit` operations of the lineage that wait for one of these complaints, oldest first."""
    select = sa.select(*_KEPT).where(
        quarantine.c.lineage == lineage,
        among(connection, quarantine.c.waits_for, complaints),
        quarantine.c.state == "waiting",
    )
    return [Kept(*row) for row in connection.execute(select.order_by(quarantine.c.id).limit(limit))]


def lineages_waiting(connection: sa.Connection, codes: Collection[str]) -> list[str]:
    """The lineages that have something waiting for one of these reasons."""
    select = sa.select(quarantine.c.lineage).where(quarantine.c.state == "waiting", quarantine.c.code.in_(codes))
    return sorted(connection.scalars(select.distinct()))


def find(connection: sa.Connection, id: int) -> Kept | None:
    """One operation that was set aside, locked for a decision."""
    select = locked(connection, sa.select(*_KEPT).where(quarantine.c.id == id))
    row = connection.execute(select).one_or_none()
    return None if row is None else Kept(*row)


def listed(connection: sa.Connection, *, code: str | None = None, limit: int = 100) -> list[Kept]:
    """At most `limit` of what waits, oldest first; of one reason where it is named."""
    select = sa.select(*_KEPT).where(quarantine.c.state == "waiting")
    if code is not None:
        select = select.where(quarantine.c.code == code)
    return [Kept(*row) for row in connection.execute(select.order_by(quarantine.c.id).limit(limit))]


def page(connection: sa.Connection, wanted: Wanted, reach: Reach) -> Page[int]:
    """The rows that are wanted and come next, oldest first, by their ids alone: what came may be long."""
    select = sa.select(quarantine.c.id)
    if wanted.code is not None:
        select = select.where(passed_by(quarantine.c.code == wanted.code))
    if wanted.device is not None:
        select = select.where(passed_by(quarantine.c.device == wanted.device))
    return LINE.page(connection, select, [quarantine.c.state == wanted.state], reach, lambda row: int(row[0]))


def several(connection: sa.Connection, ids: Collection[int]) -> list[Kept]:
    """The rows of these ids, of which there are few, oldest first."""
    select = sa.select(*_KEPT).where(quarantine.c.id.in_(ids)).order_by(quarantine.c.id)
    return [Kept(*row) for row in connection.execute(select)]


def settle(connection: sa.Connection, id: int, received_id: int | None, at: datetime) -> None:
    """Note that what was set aside is stored now, and as which received operation."""
    connection.execute(
        sa.update(quarantine).where(quarantine.c.id == id).values(state="stored", settled_at=at, received=received_id)
    )


def sign(connection: sa.Connection, ids: Collection[int], by: str) -> None:
    """Note who settled those of these rows that are stored now."""
    stored = sa.update(quarantine).where(quarantine.c.id.in_(ids), quarantine.c.state == "stored")
    connection.execute(stored.values(settled_by=by))


def dismiss(connection: sa.Connection, id: int, by: str, why: str, at: datetime) -> None:
    """Note that nothing is to be done about it, who said so and why."""
    dismissed = {"state": "dismissed", "settled_at": at, "settled_by": by, "settled_why": why}
    connection.execute(sa.update(quarantine).where(quarantine.c.id == id).values(dismissed))


def take_up(connection: sa.Connection, id: int) -> None:
    """Let what was dismissed wait again."""
    waiting = {"state": "waiting", "settled_at": None, "settled_by": None, "settled_why": None}
    connection.execute(sa.update(quarantine).where(quarantine.c.id == id).values(waiting))


def id_of(connection: sa.Connection, lineage: str, client_id: str, hash: str) -> int:
    """The row of what the lineage has aside under this id, with this content."""
    columns = quarantine.c
    select = sa.select(columns.id).where(
        columns.lineage == lineage, columns.client_id == client_id, columns.hash == hash
    )
    return int(connection.scalars(select).one())


def reclassify(connection: sa.Connection, id: int, verdict: str, code: str, field: str) -> None:
    """Note why something is still set aside, now that it was looked at again."""
    connection.execute(
        sa.update(quarantine).where(quarantine.c.id == id).values(verdict=verdict, code=code, field=field)
    )


def count_waiting(connection: sa.Connection) -> dict[str, int]:
    """How many wait, by code."""
    select = (
        sa.select(quarantine.c.code, sa.func.count().label("waiting"))
        .where(quarantine.c.state == "waiting")
        .group_by(quarantine.c.code)
    )
    return {row.code: row.waiting for row in connection.execute(select)}
