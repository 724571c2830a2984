"""Results of tasks: what a device did in the field is kept with its task, and told to whoever has the case."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, Final, cast

import sqlalchemy as sa

from client_sync.protocol.codes import STORED
from server.domain import task as rules
from server.domain.contact import Way
from server.domain.errors import ContactNotAllowed, TaskRefused
from server.domain.task import OPEN, RULES, Kind
from server.domain.timeline import TOLD, TOLD_BY
from server.services.intake.reading import Outcome, set_aside
from server.store import cases, complaints, contact, due, erasures, notices, tasks, timeline
from server.store.complaints import Origin, Received
from server.store.tasks import Result, Task
from server.store.timeline import Entry

DONE: Final = "task_done"
# How the person heard it.
_BY_TASK: Final = "task"


def file_result(connection: sa.Connection, origin: Origin, operation: Received, content: Mapping[str, Any]) -> Outcome:
    """Keep what a device says it did; of a task that went with its complaint nothing is kept.

    It counts for a task that its lineage was told of, or is to be: what comes when that has ended, or was done by
    another device, is kept beside the rest. Of any other task it is set aside as of one that there is not, so that
    nobody learns which.
    """
    found = _held(connection, content["task"])
    if found is None or not _is_theirs(connection, found, origin.lineage):
        return _missing(connection, content["task"], origin.lineage)
    received = complaints.keep_about(connection, origin, operation, found.complaint)
    made = _result(found, origin, operation, received, content)
    is_repeat = tasks.has_result(connection, made)
    tasks.add_result(connection, made)
    if not made.is_late:
        # Of what comes again the box stays for the next time.
        tasks.update(connection, found.id, state="done", box=found.box if found.repeats else None)
    # The device let go of it when it sealed the result.
    tasks.take_back(connection, found.id, origin.at, silently_of=origin.lineage)
    if not is_repeat:
        # Who says the same a thousand times fills no timeline, and calls nobody.
        _leave(connection, origin, found, made)
    return Outcome(STORED, received=received)


def withhold(connection: sa.Connection, named: Collection[tuple[str, str]]) -> None:
    """Of complaints by lineage and id, about which something came just now: a device that has not read yet of a task
    does not read of it where the person allows less than it says. What devices have already, the job takes back."""
    ids = complaints.ids_of(connection, named) if named else {}
    for each in tasks.of_complaints(connection, ids.values()) if ids else []:
        if each.state == "told" and not set(each.ways) <= set(_ways(connection, each)):
            tasks.hide(connection, each)


def _ways(connection: sa.Connection, found: Task) -> tuple[Way, ...]:
    wishes = contact.wishes_of(connection, found.complaint)
    try:
        return rules.ways(cast(Kind, found.kind), wishes, has_chosen=tasks.has_chosen(connection, found.complaint))
    except (TaskRefused, ContactNotAllowed):
        return ()


def _held(connection: sa.Connection, id: str) -> Task | None:
    """The task as it stands, its complaint locked until commit."""
    found = tasks.find(connection, id)
    if found is None:
        return None
    complaints.lock(connection, found.complaint)
    return tasks.find(connection, id)


def _missing(connection: sa.Connection, id: str, lineage: str) -> Outcome:
    gone = {maker for maker, _ in erasures.known(connection, [id])}
    if lineage in gone:
        return Outcome(STORED)
    aside = set_aside("task_missing", "task")
    return replace(aside, is_kept=False) if gone else aside


def _is_theirs(connection: sa.Connection, found: Task, lineage: str) -> bool:
    return lineage in {found.lineage, *(each.lineage for each in tasks.told_of(connection, found.id))}


def _result(found: Task, origin: Origin, operation: Received, received: int, content: Mapping[str, Any]) -> Result:
    return Result(
        task=found.id,
        lineage=origin.lineage,
        client_id=operation.client_id,
        received=received,
        outcome=content["outcome"],
        done_on=content.get("done_on"),
        method=content.get("method"),
        sources=content.get("sources"),
        certainty=content.get("certainty"),
        state=content.get("finding") if RULES[cast(Kind, found.kind)].finds else None,
        is_late=found.state not in OPEN and found.state != "done",
        at=origin.at,
    )


def _leave(connection: sa.Connection, origin: Origin, found: Task, made: Result) -> None:
    """The entries of it in the timeline of the case that has the complaint, and a notice to whoever has the case."""
    [id] = cases.holding(connection, [found.complaint]).values()
    [case] = cases.find(connection, [id], is_locked=True).values()
    codes = [DONE, *([TOLD] if made.outcome in RULES[cast(Kind, found.kind)].tells else [])]
    actor = f"device:{origin.device}"
    for no, code in enumerate(codes, case.revision + 1):
        done = {"task": found.id, "kind": found.kind, "outcome": made.outcome}
        fields = done if code == DONE else {TOLD_BY: _BY_TASK}
        timeline.append(connection, Entry(id, no, code, actor, origin.at, found.complaint, fields))
    due.reckon(connection, [id])
    notices.tell_owner(connection, case.owner, DONE, f"{DONE}:{made.received}", origin.at, id)
