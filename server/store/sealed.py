"""Sealed operations as their readers need them: the line, where it belongs, and what complaint it speaks of."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from server.domain.permission import Target, case_target
from server.domain.places import Gazetteer
from server.store.schema import complaint, device, lineage, received, revision, sequel

# Operations whose content may hold sealed compartments.
SEALABLE = ("complaint", "revision", "answer", "consent_change", "withdrawal", "task_done")


@dataclass(frozen=True)
class Part:
    """An operation with compartments, and the complaint that it is or speaks of.

    `number` is that of the revision which it became, None where it became none; `fields` are those it set.
    """

    received: int
    complaint: int
    lineage: str
    client_id: str
    line: bytes
    number: int | None
    fields: tuple[str, ...]


@dataclass(frozen=True)
class Standing:
    """Where a complaint belongs, by what the hub knows of who sent it before what the record claims."""

    complaint: int
    place_id: str | None
    team: str | None
    partner: str | None
    confidentiality: str

    def target(self, places: Gazetteer | None, assigned: frozenset[str] | None = None) -> Target:
        """The complaint as permission sees it; `assigned` are the ids of the accounts that have it."""
        return case_target(places, self.place_id, self.team, self.partner, self.confidentiality, assigned)


def standings(connection: sa.Connection, complaints: Collection[int]) -> dict[int, Standing]:
    """Where complaints belong; those that are not here are left out."""
    select = (
        sa.select(complaint.c.id, *standing_of(complaint, lineage, device).values())
        .join(received, received.c.id == complaint.c.id)
        .join(lineage, lineage.c.id == received.c.lineage)
        .join(device, device.c.id == received.c.device)
        .where(complaint.c.id.in_(complaints))
    )
    return {row[0]: Standing(*row) for row in connection.execute(select)}


def standing_of(facts: sa.FromClause, sender: sa.FromClause, used: sa.FromClause) -> dict[str, sa.ColumnElement[Any]]:
    """By the name of each member of a Standing but the first, the column that tells it; the tables, or aliases of them,
    are those of a complaint, its lineage and its device."""
    return {
        "place_id": facts.c.place_id,
        "team": sa.func.coalesce(sender.c.team, facts.c.team),
        "partner": sa.func.coalesce(used.c.partner, facts.c.partner),
        "confidentiality": facts.c.confidentiality,
    }


def complaint_of(connection: sa.Connection, received_id: int) -> int | None:
    """The complaint that an operation speaks of."""
    return connection.scalar(sa.select(sequel.c.complaint).where(sequel.c.received == received_id))


def parts_of(connection: sa.Connection, complaints: Collection[int]) -> list[Part]:
    """Every operation with compartments of complaints, in the order received."""
    about = sa.select(sequel.c.received).where(sequel.c.complaint.in_(complaints))
    own = sa.select(complaint.c.id).where(complaint.c.id.in_(complaints))
    return _parts(connection, _PARTS.where(received.c.id.in_(sa.union_all(own, about))))


def after(connection: sa.Connection, received_id: int, limit: int) -> list[Part]:
    """The next operations with compartments, of any complaint, in the order received."""
    return _parts(connection, _PARTS.where(received.c.id > received_id).limit(limit))


_PARTS = (
    sa.select(
        received.c.id,
        sa.func.coalesce(sequel.c.complaint, received.c.id),
        received.c.lineage,
        received.c.client_id,
        received.c.line,
        revision.c.number,
        revision.c.fields,
    )
    .join(sequel, sequel.c.received == received.c.id, isouter=True)
    .join(revision, revision.c.received == received.c.id, isouter=True)
    .where(received.c.op.in_(SEALABLE))
    .order_by(received.c.id)
)


def _parts(connection: sa.Connection, select: sa.Select[Any]) -> list[Part]:
    return [_part(*row) for row in connection.execute(select)]


def _part(
    received_id: int,
    complaint_id: int,
    lineage_id: str,
    client_id: str,
    line: bytes,
    number: int | None,
    fields: list[str] | None,
) -> Part:
    return Part(received_id, complaint_id, lineage_id, client_id, line, number, tuple(fields or ()))
