"""Tasks: what is to be done in the field for a complaint, which devices were told, and what came of it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from server.domain.task import OPEN, RULES
from server.store import changes
from server.store.schema import complaint, device, lineage, received
from server.store.scopes import Scope, limits
from server.store.task_tables import task, task_result, task_told

# Kinds of changes.
TASK: Final = "task"
GONE: Final = "task_gone"


@dataclass(frozen=True)
class Task:
    """A task as it stands. Names are those of the table `task`."""

    id: str
    complaint: int
    kind: str
    lineage: str
    device: str
    state: str
    opens_on: str
    closes_on: str
    place: str | None
    box: bytes | None = field(repr=False)
    ways: list[str]
    repeats: bool
    follows: str | None
    at: datetime
    by: str


@dataclass(frozen=True)
class Told:
    """That a lineage was told of a task, in its change `n`; `gone_at`: since when it is told that there is none."""

    task: str
    lineage: str
    n: int
    gone_at: datetime | None


@dataclass(frozen=True)
class Result:
    """What came of a task from one device; `state` is the finding that is proposed."""

    task: str
    lineage: str
    client_id: str
    received: int
    outcome: str
    done_on: str | None
    method: str | None
    sources: int | None
    certainty: str | None
    state: str | None
    is_late: bool
    at: datetime


_TASK = tuple(task.c[name] for name in Task.__dataclass_fields__)
_TOLD = tuple(task_told.c[name] for name in Told.__dataclass_fields__)
_RESULT = tuple(task_result.c[name] for name in Result.__dataclass_fields__)


def add(connection: sa.Connection, made: Task) -> None:
    """Keep a task."""
    connection.execute(sa.insert(task).values(**vars(made)))


def update(connection: sa.Connection, id: str, **values: Any) -> None:
    """Set columns of a task."""
    connection.execute(sa.update(task).where(task.c.id == id).values(**values))


def find(connection: sa.Connection, id: str) -> Task | None:
    """The task with this id; whoever changes it holds the complaint."""
    row = connection.execute(sa.select(*_TASK).where(task.c.id == id)).one_or_none()
    return None if row is None else Task(*row)


def several(connection: sa.Connection, ids: Collection[str]) -> list[Task]:
    """The tasks with these ids, in their order; those that are gone are left out."""
    select = sa.select(*_TASK).where(task.c.id.in_(ids)).order_by(task.c.id)
    return [Task(*row) for row in connection.execute(select)]


def named(connection: sa.Connection, beginning: str) -> Task | None:
    """The one task whose id begins so; None where that is none, or several."""
    # What follows every digit and hyphen that an id has.
    within = (task.c.id >= beginning) & (task.c.id < beginning + "g")
    rows = connection.execute(sa.select(*_TASK).where(within).limit(2)).all()
    return Task(*rows[0]) if beginning and len(rows) == 1 else None


def of_complaints(connection: sa.Connection, complaints: Collection[int]) -> list[Task]:
    """The tasks of complaints, in the order set."""
    select = sa.select(*_TASK).where(task.c.complaint.in_(complaints)).order_by(task.c.at, task.c.id)
    return [Task(*row) for row in connection.execute(select)]


def in_scope(connection: sa.Connection, scope: Scope, limit: int) -> list[Task]:
    """At most `limit` tasks of the scope that are not done yet, those that end first before the others."""
    select = (
        sa.select(*_TASK)
        .join(complaint, complaint.c.id == task.c.complaint)
        .join(received, received.c.id == complaint.c.id)
        .join(lineage, lineage.c.id == received.c.lineage)
        .join(device, device.c.id == received.c.device)
        .where(task.c.state.in_(OPEN), *limits(connection, scope, complaint, lineage, device))
        .order_by(task.c.closes_on, task.c.id)
        .limit(limit)
    )
    return [Task(*row) for row in connection.execute(select)]


def unsettled(connection: sa.Connection) -> list[str]:
    """Ids of the tasks that the hub has to look after: they are not done, come again, or still lie on a device."""
    found = sa.union(
        sa.select(task.c.id).where(task.c.state.in_(OPEN)),
        sa.select(task.c.id).where(task.c.repeats.is_(True)),
        sa.select(task_told.c.task).where(task_told.c.gone_at.is_(None)),
    )
    return sorted(connection.scalars(found))


def collector_of(connection: sa.Connection, complaint_id: int) -> str:
    """The lineage that recorded a complaint."""
    return str(connection.scalars(sa.select(received.c.lineage).where(received.c.id == complaint_id)).one())


def tell(connection: sa.Connection, one: Task, body: Mapping[str, Any], at: datetime) -> None:
    """Put an open task into the changes for its lineage, which is locked; `by` in the body are the ways."""
    n = changes.append(connection, one.lineage, TASK, None, body, at)
    connection.execute(sa.insert(task_told).values(task=one.id, lineage=one.lineage, n=n))
    update(connection, one.id, state="told", ways=body["by"])


def note_delivered(connection: sa.Connection, lineage_id: str, n: int, at: datetime) -> None:
    """Note that a lineage has the tasks that it was told of in the changes up to `n`."""
    new = (task_told.c.lineage == lineage_id) & (task_told.c.n <= n) & task_told.c.delivered_at.is_(None)
    connection.execute(sa.update(task_told).where(new).values(delivered_at=at))


def told_of(connection: sa.Connection, id: str) -> list[Told]:
    """Who was told of a task, in the order of the lineages' ids."""
    select = sa.select(*_TOLD).where(task_told.c.task == id).order_by(task_told.c.lineage, task_told.c.n)
    return [Told(*row) for row in connection.execute(select)]


def lying(connection: sa.Connection, ids: Collection[str]) -> set[str]:
    """Those of the tasks of which some lineage was told, and did not let go."""
    lies = task_told.c.task.in_(ids) & task_told.c.gone_at.is_(None)
    return set(connection.scalars(sa.select(task_told.c.task).where(lies)))


def take_back(connection: sa.Connection, id: str, at: datetime, *, silently_of: str | None = None) -> None:
    """Have every lineage that was told of a task, and that is locked, let go of it.

    `silently_of`: only what that lineage has not read yet is not told any more, for it let go by itself, or is told
    anew.
    """
    lying = [each for each in told_of(connection, id) if each.gone_at is None and silently_of in (None, each.lineage)]
    for each in lying:
        changes.replace(connection, each.lineage, each.n, GONE, {"task": id})
        if silently_of is None:
            changes.append(connection, each.lineage, GONE, None, {"task": id}, at)
        same = (task_told.c.lineage == each.lineage) & (task_told.c.n == each.n)
        connection.execute(sa.update(task_told).where(task_told.c.task == id, same).values(gone_at=at))


def hide(connection: sa.Connection, one: Task) -> None:
    """Whoever has not read yet of a task does not read of it any more, until it is told anew or taken back."""
    for each in told_of(connection, one.id):
        changes.replace(connection, each.lineage, each.n, GONE, {"task": one.id})
    update(connection, one.id, state="set")


def has_chosen(connection: sa.Connection, complaint_id: int) -> bool:
    """Whether a survivor chose a centre, or none."""
    return complaint_id in chosen(connection, [complaint_id])


def chosen(connection: sa.Connection, complaints: Collection[int]) -> set[int]:
    """Those of the complaints of which the survivor chose a centre, or none."""
    kinds = [kind for kind, rule in RULES.items() if rule.choices]
    outcomes = {outcome for kind in kinds for outcome in RULES[kind].choices}
    select = (
        sa.select(task.c.complaint)
        .join(task_result, task_result.c.task == task.c.id)
        .where(task.c.complaint.in_(complaints), task.c.kind.in_(kinds), task_result.c.outcome.in_(outcomes))
    )
    return set(connection.scalars(select))


def add_result(connection: sa.Connection, made: Result) -> None:
    """Keep what came of a task."""
    connection.execute(sa.insert(task_result).values(**vars(made)))


def results_of(connection: sa.Connection, tasks: Collection[str]) -> list[Result]:
    """What came of tasks, in the order received."""
    select = sa.select(*_RESULT).where(task_result.c.task.in_(tasks)).order_by(task_result.c.received)
    return [Result(*row) for row in connection.execute(select)]


def ids_of(connection: sa.Connection, complaint_id: int) -> list[tuple[str, str]]:
    """The tasks of a complaint: the lineage that each is for, or was told of it before, and its id."""
    own = sa.select(task.c.lineage, task.c.id).where(task.c.complaint == complaint_id)
    told = (
        sa.select(task_told.c.lineage, task.c.id)
        .join(task, task.c.id == task_told.c.task)
        .where(task.c.complaint == complaint_id)
    )
    return sorted((lineage_id, id) for lineage_id, id in connection.execute(own.union(told)))


def has_result(connection: sa.Connection, made: Result) -> bool:
    """Whether a lineage said of a task before what it says now: how it ended, and which finding it proposes."""
    columns = task_result.c
    same = sa.and_(*(columns[name] == getattr(made, name) for name in ("task", "lineage", "outcome")))
    proposed = columns.state.is_not_distinct_from(made.state)
    return connection.scalar(sa.select(columns.received).where(same, proposed).limit(1)) is not None


def remove(connection: sa.Connection, complaint_id: int, at: datetime) -> None:
    """Remove the tasks of a complaint; devices that have one let go of it."""
    ids = list(connection.scalars(sa.select(task.c.id).where(task.c.complaint == complaint_id)))
    for id in ids:
        take_back(connection, id, at)
    for table in (task_result, task_told):
        connection.execute(sa.delete(table).where(table.c.task.in_(ids)))
    connection.execute(sa.delete(task).where(task.c.complaint == complaint_id))
