"""Steps: which of a complaint wait to be told to its device, which were told, and which of these somebody saw there."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from server.domain.timeline import TELLS_WITHIN
from server.store.case_tables import case_complaint
from server.store.dialect import locked
from server.store.schema import change, device, received
from server.store.step_tables import step_waiting, told_step


@dataclass(frozen=True)
class Told:
    """A step that a device was told of a complaint, by the entry it comes from, and the change `n` that says it.

    `body` is that of the change. `seen_at`: when a person saw it there.
    """

    complaint: int
    casefile: int
    no: int
    n: int
    template: str
    at: datetime
    seen_at: datetime | None
    body: Mapping[str, Any]


@dataclass(frozen=True)
class Reached:
    """How far the devices of a complaint came: the last change that one of them says to have, and when the hub last
    heard from one; `since` the first of them was enrolled."""

    delivered: int
    heard_at: datetime | None
    since: datetime


_TOLD = tuple((change if name == "body" else told_step).c[name] for name in Told.__dataclass_fields__)


def await_telling(connection: sa.Connection, casefile: int, no: int, complaint: int | None, tells_at: datetime) -> None:
    """Have the step of an entry told to each complaint that its case has now, or to that one alone."""
    columns = case_complaint.c
    of_case = columns.casefile == casefile if complaint is None else columns.complaint == complaint
    told = (sa.literal(no), sa.literal(tells_at, step_waiting.c.tells_at.type))
    rows = sa.select(columns.complaint, columns.casefile, *told).where(of_case, columns.casefile == casefile)
    names = ["complaint", "casefile", "no", "tells_at"]
    connection.execute(sa.insert(step_waiting).from_select(names, rows))


def await_each(connection: sa.Connection, waiting: Sequence[tuple[int, int, int, datetime]]) -> None:
    """Have each of these told: case and number of the entry, the complaint, and from when."""
    rows = [
        {"casefile": casefile, "no": no, "complaint": complaint, "tells_at": tells_at}
        for casefile, no, complaint, tells_at in waiting
    ]
    if rows:
        connection.execute(sa.insert(step_waiting), rows)


def await_elsewhere(
    connection: sa.Connection, casefile: int, no: int, complaints: Collection[int], tells_at: datetime
) -> None:
    """Have the step of an entry told to complaints that went out of its case."""
    rows = [{"complaint": each, "casefile": casefile, "no": no, "tells_at": tells_at} for each in sorted(complaints)]
    if rows:
        connection.execute(sa.insert(step_waiting), rows)


def due(connection: sa.Connection, now: datetime, after: int, limit: int) -> list[int]:
    """At most `limit` complaints after this one of which a step may be told by `now`, in the order of their ids."""
    columns = step_waiting.c
    is_due = (columns.tells_at <= now) | (columns.tells_at > now + TELLS_WITHIN)
    select = sa.select(columns.complaint).where(is_due, columns.complaint > after)
    return list(connection.scalars(select.distinct().order_by(columns.complaint).limit(limit)))


def waiting(connection: sa.Connection, complaint: int, *, is_locked: bool = False) -> list[tuple[int, int]]:
    """Case and number of each entry of which the step was not told of a complaint yet, in the order in which they were
    made; `is_locked`: until commit."""
    columns = step_waiting.c
    select = sa.select(columns.casefile, columns.no).where(columns.complaint == complaint).order_by(columns.id)
    rows = connection.execute(locked(connection, select) if is_locked else select)
    return [(casefile, no) for casefile, no in rows]


def drop_waiting(connection: sa.Connection, complaint: int, entries: Collection[tuple[int, int]]) -> None:
    """Take what was told, or is not to be told any more, from what waits."""
    columns = step_waiting.c
    entry = sa.tuple_(columns.casefile, columns.no)
    connection.execute(sa.delete(step_waiting).where(columns.complaint == complaint, entry.in_(sorted(entries))))


def keep(connection: sa.Connection, lineage_id: str, made: Told) -> None:
    """Note a step that was told to the lineage of its complaint."""
    row = {name: value for name, value in vars(made).items() if name != "body"}
    connection.execute(sa.insert(told_step).values(**row, lineage=lineage_id))


def told(connection: sa.Connection, complaints: Collection[int]) -> dict[int, list[Told]]:
    """By complaint, what its device was told, in order."""
    select = (
        sa.select(*_TOLD)
        .join(change, (change.c.lineage == told_step.c.lineage) & (change.c.n == told_step.c.n))
        .where(told_step.c.complaint.in_(complaints))
        .order_by(told_step.c.n, told_step.c.casefile, told_step.c.no)
    )
    found: dict[int, list[Told]] = {id: [] for id in complaints}
    for row in connection.execute(select):
        found[row.complaint].append(Told(*row))
    return found


def seen_of(connection: sa.Connection, casefile: int) -> set[tuple[int, int]]:
    """Complaint and number of the entry, of each step of a case that somebody saw on the complaint's device."""
    columns = told_step.c
    select = sa.select(columns.complaint, columns.no).where(columns.casefile == casefile, columns.seen_at.is_not(None))
    return {(complaint, no) for complaint, no in connection.execute(select)}


def note_seen(connection: sa.Connection, lineage_id: str, changes: Collection[int], at: datetime) -> None:
    """Note the changes of a lineage that a person saw on its device; the first time counts, and no other change."""
    columns = told_step.c
    mine = sa.and_(columns.lineage == lineage_id, columns.n.in_(changes), columns.seen_at.is_(None))
    connection.execute(sa.update(told_step).where(mine).values(seen_at=at))


def whose(connection: sa.Connection, complaint: int) -> tuple[str, str] | None:
    """The lineage that a complaint came from, and its id there; None where it is gone."""
    select = sa.select(received.c.lineage, received.c.client_id).where(received.c.id == complaint)
    row = connection.execute(select).one_or_none()
    return None if row is None else (row.lineage, row.client_id)


def reached(connection: sa.Connection, complaints: Collection[int]) -> dict[int, Reached]:
    """By complaint, how far the devices of its lineage came."""
    last = sa.func.max(device.c.last_sync_at, type_=device.c.last_sync_at.type)
    first = sa.func.min(device.c.enrolled_at, type_=device.c.enrolled_at.type)
    select = (
        sa.select(received.c.id, sa.func.max(device.c.delivered_change), last, first)
        .join(device, device.c.lineage == received.c.lineage)
        .where(received.c.id.in_(complaints))
        .group_by(received.c.id)
    )
    return {id: Reached(*rest) for id, *rest in connection.execute(select)}
