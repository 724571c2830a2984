"""Glances: what of complaints is seen of their sending, confidentiality and files, beside their facts."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from server.domain.evidence import Piece
from server.store import pieces
from server.store.devices import COUNTER
from server.store.schema import complaint, device, received, sequel


@dataclass(frozen=True)
class Glance:
    """One complaint. `device`: the number of the device that sent it, None where it was written down at the counter;
    `collected_at` is what the sender claims.

    `withdrawn` is empty, or a scope. `files`: those that it lists.
    """

    device: int | None
    collected_at: datetime | None
    received_at: datetime
    confidentiality: str
    withdrawn: str
    withdrawn_at: datetime | None
    files: tuple[Piece, ...]


def of(connection: sa.Connection, complaints: Collection[int]) -> dict[int, Glance]:
    """By complaint; those that are not here are left out."""
    columns = complaint.c
    select = (
        sa.select(
            columns.id,
            sa.case((device.c.state != COUNTER, device.c.number)).label("number"),
            columns.collected_at,
            received.c.received_at,
            columns.confidentiality,
            sa.func.coalesce(columns.withdrawn, "").label("withdrawn"),
        )
        .join(received, received.c.id == columns.id)
        .join(device, device.c.id == received.c.device)
        .where(columns.id.in_(complaints))
    )
    files = pieces.of_complaints(connection, complaints)
    withdrawn_at = _withdrawn_at(connection, complaints)
    return {
        row.id: Glance(
            device=row.number,
            collected_at=row.collected_at,
            received_at=row.received_at,
            confidentiality=row.confidentiality,
            withdrawn=row.withdrawn,
            withdrawn_at=withdrawn_at.get(row.id),
            files=tuple(files.get(row.id, ())),
        )
        for row in connection.execute(select)
    }


def _withdrawn_at(connection: sa.Connection, complaints: Collection[int]) -> dict[int, datetime]:
    """By complaint, when the last withdrawal of it came."""
    select = (
        sa.select(sequel.c.complaint, received.c.received_at)
        .join(received, received.c.id == sequel.c.received)
        .where(sequel.c.complaint.in_(complaints), received.c.op == "withdrawal")
        .order_by(received.c.id)
    )
    return {row.complaint: row.received_at for row in connection.execute(select)}
