"""Cases: their rows, which complaints each has, and what waits for somebody."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, cast

import sqlalchemy as sa

from server.domain.casework import CASEWORK, TRIAGE, Status, Urgency, queue_of
from server.domain.task import ANSWERS
from server.domain.urgency import read_word, standing
from server.store import referrals
from server.store.case_tables import case_complaint, casefile, look, note, timeline, waiting
from server.store.dialect import UtcTime, among, locked
from server.store.due_tables import deadline, deadline_due, notice
from server.store.referral_tables import finding, judgement, referral_complaint
from server.store.schema import complaint, device, lineage, received, sequel
from server.store.scopes import Scope, limits, within_any
from server.store.step_tables import step_waiting, told_step
from server.store.task_tables import task_result


@dataclass(frozen=True)
class CaseFile:
    """A case as it stands. Names are those of the table `casefile`."""

    id: int
    ref: str
    complaint: int | None
    status: str
    status_since: datetime
    revision: int
    owner: str | None
    kind: str | None
    urgency: str
    word: Mapping[str, Any] | None
    moved_by: str | None
    was_paused: bool
    opened_at: datetime
    closed_at: datetime | None
    outcome: str | None
    closure: str | None
    joined_into: int | None
    left_status: str | None
    left_since: datetime | None


@dataclass(frozen=True)
class Member:
    """A complaint of a case: since when it is there, and the most urgent that its answers ever were."""

    complaint: int
    at: datetime
    urgency: str
    confidentiality: str
    is_withdrawn: bool


@dataclass(frozen=True)
class Waiting:
    """What waits for somebody: a case by the first of its complaints, or a complaint without one."""

    complaint: int
    case: int | None
    ref: str | None
    status: str | None
    owner: str | None
    urgency: str
    since: datetime


_CASE = tuple(casefile.c[name] for name in CaseFile.__dataclass_fields__)
# Made once: to name the columns of four tables anew takes longer than the question.
_OTHER = tuple(table.alias(f"other_{table.name}") for table in (complaint, received, lineage, device))
_ANSWERING = ("answer", "revision", "consent_change")


def open_for(connection: sa.Connection, complaint_id: int, *, ref: str, status: str, urgency: str, at: datetime) -> int:
    """Open the case of one complaint, which is locked and has none; gives its id. It is in its status since the
    complaint was received."""
    came = sa.select(received.c.received_at).where(received.c.id == complaint_id).scalar_subquery()
    row = {"ref": ref, "complaint": complaint_id, "status": status, "status_since": came, "urgency": urgency}
    scope = _scope_columns(connection.execute(covered([complaint_id])).one())
    made = sa.insert(casefile).values(**row, **scope, opened_at=at).returning(casefile.c.id)
    id: int = connection.scalars(made).one()
    first = {"complaint": complaint_id, "casefile": id, "at": at, "urgency": urgency, "urgent_since": came}
    connection.execute(sa.insert(case_complaint).values(first))
    return id


def find(connection: sa.Connection, ids: Collection[int], *, is_locked: bool = False) -> dict[int, CaseFile]:
    """Cases by id, in the order of their ids; `is_locked`: until commit."""
    select = sa.select(*_CASE).where(casefile.c.id.in_(ids)).order_by(casefile.c.id)
    return {row.id: CaseFile(*row) for row in connection.execute(locked(connection, select) if is_locked else select)}


def with_ref(connection: sa.Connection, ref: str) -> int | None:
    """The case of this reference, also where the complaint that it is called by was erased."""
    return connection.scalar(sa.select(casefile.c.id).where(casefile.c.ref == ref))


def with_refs(connection: sa.Connection, refs: Collection[str]) -> list[int]:
    """The cases of these references; those that are not known are left out."""
    return list(connection.scalars(sa.select(casefile.c.id).where(casefile.c.ref.in_(refs))))


def opened_for(connection: sa.Connection, complaint_id: int) -> int | None:
    """The complaint's own case, wherever the complaint is now."""
    return connection.scalar(sa.select(casefile.c.id).where(casefile.c.complaint == complaint_id))


def holding(connection: sa.Connection, complaints: Collection[int]) -> dict[int, int]:
    """By complaint, the case that has it; those that no case has are left out."""
    columns = case_complaint.c
    select = sa.select(columns.complaint, columns.casefile).where(columns.complaint.in_(complaints))
    return {row.complaint: row.casefile for row in connection.execute(select)}


def members(connection: sa.Connection, ids: Collection[int]) -> dict[int, list[Member]]:
    """By case, its complaints in the order of their ids."""
    columns = case_complaint.c
    select = (
        sa.select(
            columns.casefile,
            columns.complaint,
            columns.at,
            columns.urgency,
            complaint.c.confidentiality,
            complaint.c.state == "withdrawn",
        )
        .join(complaint, complaint.c.id == columns.complaint)
        .where(columns.casefile.in_(ids))
        .order_by(columns.complaint)
    )
    found: dict[int, list[Member]] = {id: [] for id in ids}
    for id, *rest in connection.execute(select):
        found[id].append(Member(*rest))
    return found


def set_columns(connection: sa.Connection, id: int, values: Mapping[str, Any]) -> None:
    """Set columns of a case; times may be as `as_told` gives them."""
    read = {name: _read(casefile.c[name], value) for name, value in values.items()}
    if read:
        connection.execute(sa.update(casefile).where(casefile.c.id == id).values(**read))


def put_into(connection: sa.Connection, id: int, complaints: Mapping[int, datetime | str]) -> None:
    """Move complaints that are in some case to this one, each as there since then."""
    columns = case_complaint.c
    for at in sorted(set(complaints.values()), key=str):
        ids = [each for each, since in complaints.items() if since == at]
        moved = sa.update(case_complaint).where(columns.complaint.in_(ids))
        connection.execute(moved.values(casefile=id, at=_read(columns.at, at)))


def as_told(value: Any) -> Any:
    """A value as an entry of a timeline keeps it."""
    return value.isoformat() if isinstance(value, datetime) else value


def beside(connection: sa.Connection, complaint_id: int) -> set[int]:
    """A complaint, and those in the case that has it and in the one that was opened for it."""
    own = opened_for(connection, complaint_id)
    ids = {*holding(connection, [complaint_id]).values(), *(() if own is None else (own,))}
    others = members(connection, ids).values()
    return {complaint_id, *(each.complaint for those in others for each in those)}


def lock_complaints(connection: sa.Connection, complaints: Collection[int]) -> set[int]:
    """Hold complaints until commit, in the order of their ids; gives those that are here."""
    select = sa.select(complaint.c.id).where(complaint.c.id.in_(complaints)).order_by(complaint.c.id)
    return set(connection.scalars(locked(connection, select)))


def unacknowledged(connection: sa.Connection, after: int, limit: int) -> list[int]:
    """At most `limit` complaints above the id `after`, in order, that nobody acknowledged: those without a case, and
    of each case that is where it began the first."""
    columns = waiting.c
    without = sa.select(columns.complaint).where(columns.casefile.is_(None), columns.complaint > after)
    begun = (
        sa.select(columns.complaint)
        .join(casefile, casefile.c.id == columns.casefile)
        .where(casefile.c.status == "received", columns.complaint > after)
    )
    return list(connection.scalars(without.union(begun).order_by("complaint").limit(limit)))


def await_opening(connection: sa.Connection, urgencies: Mapping[int, str], since: datetime) -> None:
    """Put complaints that are new, by each its urgency, where they wait."""
    for urgency in sorted(set(urgencies.values())):
        ids = [id for id, each in urgencies.items() if each == urgency]
        _await(connection, ids, {"urgency": urgency, "since": since, "queue": TRIAGE})


def renew_waiting(connection: sa.Connection, case: CaseFile, complaints: Collection[int], *, waits: bool) -> None:
    """Put a case where it waits, by its urgency and since when it is in its state, or take it from there."""
    gone = (waiting.c.casefile == case.id) | waiting.c.complaint.in_(complaints)
    connection.execute(sa.delete(waiting).where(gone))
    if waits and complaints:
        queue = queue_of(cast(Status, case.status))
        row = {"casefile": case.id, "urgency": case.urgency, "since": case.status_since, "queue": queue}
        settled = {} if case.kind is None else {"kind": case.kind}
        _await(connection, [min(complaints)], {**row, "owner": case.owner, **settled})


def renew_scope(connection: sa.Connection, complaint_id: int) -> None:
    """Note anew what scopes go by, of a complaint that was revised: of its case, and of what waits by it."""
    row = connection.execute(covered([complaint_id])).one()
    values = _scope_columns(row)
    held = sa.select(case_complaint.c.casefile).where(case_complaint.c.complaint == complaint_id)
    of_case = (casefile.c.complaint == complaint_id) | (casefile.c.complaint.is_(None) & casefile.c.id.in_(held))
    connection.execute(sa.update(casefile).where(of_case).values(values))
    for table in (waiting, deadline_due):
        connection.execute(sa.update(table).where(table.c.complaint == complaint_id).values(values))
    settled = sa.select(casefile.c.kind).where(casefile.c.id == waiting.c.casefile).scalar_subquery()
    told = sa.update(waiting).where(waiting.c.complaint == complaint_id)
    connection.execute(told.values(kind=sa.func.coalesce(settled, row.kind)))


def renew_standing(connection: sa.Connection, ids: Collection[int]) -> None:
    """Let these cases be as urgent as their complaints and the last word on them say, and wait unless closed."""
    held = members(connection, ids)
    for id, file in find(connection, ids).items():
        levels = {each.complaint: cast(Urgency, each.urgency) for each in held[id]}
        level = standing(read_word(file.word), levels) if levels else file.urgency
        set_columns(connection, id, {"urgency": level})
        waits = CASEWORK.statuses[cast(Status, file.status)].stage != "closed"
        renew_waiting(connection, replace(file, urgency=level), list(levels), waits=waits)


def raise_urgency(connection: sa.Connection, complaint_id: int, urgency: str, at: datetime) -> int | None:
    """Note what the answers of a complaint say since then, where that is more urgent: of it, of the case that has it,
    and of what waits; gives that case. Nothing goes lower by it."""
    # U1 is the most urgent: what is more urgent stands before the other.
    columns = case_complaint.c
    risen = sa.update(case_complaint).where(columns.complaint == complaint_id, columns.urgency > urgency)
    id: int | None = connection.scalar(risen.values(urgency=urgency, urgent_since=at).returning(columns.casefile))
    if id is None:
        waits = sa.and_(waiting.c.complaint == complaint_id, waiting.c.casefile.is_(None))
    else:
        waits = sa.and_(waiting.c.casefile == id)
        of_case = sa.update(casefile).where(casefile.c.id == id, casefile.c.urgency > urgency)
        connection.execute(of_case.values(urgency=urgency))
    connection.execute(sa.update(waiting).where(waits, waiting.c.urgency > urgency).values(urgency=urgency))
    return id


def urgency_waiting(connection: sa.Connection, complaint_id: int) -> str:
    """How urgent a complaint without a case is."""
    return str(connection.scalars(sa.select(waiting.c.urgency).where(waiting.c.complaint == complaint_id)).one())


def has_answer(connection: sa.Connection, complaints: Collection[int], since: datetime) -> bool:
    """Whether something came from a complainant since then that answers a question."""
    came = _answers().where(sequel.c.complaint.in_(complaints), received.c.received_at >= since)
    return connection.scalar(came.limit(1)) is not None


def asked(connection: sa.Connection, before: datetime, limit: int, after: int) -> list[int]:
    """At most `limit` cases, in the order of their ids and those `after` that one, that wait for a complainant: since
    `before`, or something came that answers."""
    columns = casefile.c
    answer = (
        _answers()
        .join(case_complaint, case_complaint.c.complaint == sequel.c.complaint)
        .where(case_complaint.c.casefile == columns.id, received.c.received_at >= columns.status_since)
    )
    over = (columns.status_since <= before) | answer.exists()
    select = sa.select(columns.id).where(columns.status == "needs_information", over, columns.id > after)
    return list(connection.scalars(select.order_by(columns.id).limit(limit)))


def taken_back(connection: sa.Connection, limit: int, after: int) -> list[int]:
    """At most `limit` cases, in the order of their ids and those `after` that one, that are not closed and whose first
    complaint was withdrawn altogether."""
    columns = waiting.c
    select = (
        sa.select(columns.casefile)
        .join(complaint, complaint.c.id == columns.complaint)
        .where(complaint.c.state == "withdrawn", columns.casefile > after)
    )
    return list(connection.scalars(select.order_by(columns.casefile).limit(limit)))


def queue(connection: sa.Connection, scope: Scope, limit: int) -> list[Waiting]:
    """What waits in the scope, the most urgent first and of these what waits longest.

    One sentence that reads the index in its order. Every complaint of a case has to be in the scope.
    """
    columns = waiting.c
    select = (
        sa.select(
            columns.complaint,
            columns.casefile,
            casefile.c.ref,
            casefile.c.status,
            casefile.c.owner,
            columns.urgency,
            columns.since,
        )
        .join(complaint, complaint.c.id == columns.complaint)
        .join(received, received.c.id == columns.complaint)
        .join(lineage, lineage.c.id == received.c.lineage)
        .join(device, device.c.id == received.c.device)
        .join(casefile, casefile.c.id == columns.casefile, isouter=True)
        .where(*in_index(connection, waiting, scope), within(connection, scope, complaint, lineage, device))
        .where(~has_other(connection, scope, columns.casefile))
        .order_by(columns.urgency, columns.since, columns.complaint)
        .limit(limit)
    )
    return [Waiting(*row) for row in connection.execute(select)]


def remove(connection: sa.Connection, complaint_id: int) -> list[int]:
    """Remove what case work has of one complaint; gives the cases that go on without it, for `renew_standing`.

    What was done with it stays in their timelines, by ids alone.
    """
    going_on = []
    own = opened_for(connection, complaint_id)
    holder = holding(connection, [complaint_id]).get(complaint_id)
    connection.execute(sa.delete(waiting).where(waiting.c.complaint == complaint_id, waiting.c.casefile.is_(None)))
    for table in (note, look, step_waiting, told_step, finding, judgement, referral_complaint, case_complaint):
        connection.execute(sa.delete(table).where(table.c.complaint == complaint_id))
    # An entry without its complaint says nothing of anybody, and a timeline without an entry leads nowhere.
    nobodys = {"complaint": None, "step": None}
    connection.execute(sa.update(timeline).where(timeline.c.complaint == complaint_id).values(nobodys))
    if own is not None:
        connection.execute(sa.update(casefile).where(casefile.c.id == own).values(complaint=None))
    for id, others in members(connection, {each for each in (own, holder) if each is not None}).items():
        if others:
            renew_scope(connection, others[0].complaint)
            going_on.append(id)
        else:
            _remove_empty(connection, id)
    return going_on


def _answers() -> sa.Select[Any]:
    """What came that may answer a question: teams answer most of them by correcting what they had written."""
    return (
        sa.select(received.c.id)
        .join(sequel, sequel.c.received == received.c.id)
        .join(task_result, task_result.c.received == received.c.id, isouter=True)
        .where(received.c.op.in_(_ANSWERING) | task_result.c.outcome.in_(ANSWERS))
    )


def _read(column: sa.Column[Any], value: Any) -> Any:
    is_told = isinstance(value, str) and isinstance(column.type, UtcTime)
    return datetime.fromisoformat(value) if is_told else value


def _await(connection: sa.Connection, complaints: Collection[int], values: Mapping[str, Any]) -> None:
    told = {name: sa.literal(value, waiting.c[name].type) for name, value in values.items()}
    known = covered(complaints)
    names = ("complaint", "team", "partner", "place_id", "kind")
    columns = dict(zip(names, known.selected_columns, strict=True)) | told
    select = known.with_only_columns(*columns.values())
    connection.execute(sa.insert(waiting).from_select(list(columns), select))


def _scope_columns(row: sa.Row[Any]) -> dict[str, str | None]:
    return {"team": row.team, "partner": row.partner, "place_id": row.place_id}


def covered(complaints: Collection[int]) -> sa.Select[Any]:
    """What scopes go by, by complaint, and what it is about first of all."""
    return (
        sa.select(
            complaint.c.id,
            sa.func.coalesce(lineage.c.team, complaint.c.team).label("team"),
            sa.func.coalesce(device.c.partner, complaint.c.partner).label("partner"),
            complaint.c.place_id,
            complaint.c.kind,
        )
        .join(received, received.c.id == complaint.c.id)
        .join(lineage, lineage.c.id == received.c.lineage)
        .join(device, device.c.id == received.c.device)
        .where(complaint.c.id.in_(complaints))
    )


def in_index(connection: sa.Connection, table: sa.FromClause, scope: Scope) -> list[sa.ColumnElement[bool]]:
    """What of a scope the row of a case tells, or the index of the queue or of what is due."""
    return within_any(scope, lambda each: _covering(connection, table, each))


def within(
    connection: sa.Connection, scope: Scope, of: sa.FromClause, line: sa.FromClause, by: sa.FromClause
) -> sa.ColumnElement[bool]:
    """Whether a complaint is in the scope; the tables, or aliases of them, are its own, its lineage's, its device's."""
    # As one value, by which nothing can be looked up: from all complaints of a place there is no way to those that
    # have waited longest but to sort them.
    return sa.func.coalesce(sa.and_(sa.true(), *limits(connection, scope, of, line, by)), sa.false())


def _covering(connection: sa.Connection, table: sa.FromClause, scope: Scope) -> list[sa.ColumnElement[bool]]:
    columns = table.c
    known = (columns.team, scope.teams), (columns.partner, scope.partners), (columns.place_id, scope.places)
    return [among(connection, column, values) for column, values in known if values is not None]


def has_other(connection: sa.Connection, scope: Scope, case: sa.ColumnElement[int]) -> sa.ColumnElement[bool]:
    """Whether a case has a complaint that is not in the scope."""
    other, came, line, by = _OTHER
    return (
        sa.exists()
        .select_from(case_complaint)
        .where(
            case_complaint.c.casefile == case,
            case_complaint.c.complaint == other.c.id,
            came.c.id == other.c.id,
            line.c.id == came.c.lineage,
            by.c.id == came.c.device,
            ~within(connection, scope, other, line, by),
        )
    )


def _remove_empty(connection: sa.Connection, id: int) -> None:
    """A case that nothing is in any more; of those that had joined it nobody knows where they went."""
    connection.execute(sa.update(casefile).where(casefile.c.joined_into == id).values(joined_into=None))
    referrals.remove_case(connection, id)
    connection.execute(sa.delete(timeline).where(timeline.c.casefile == id))
    for table in (waiting, step_waiting, deadline_due, deadline, notice):
        connection.execute(sa.delete(table).where(table.c.casefile == id))
    connection.execute(sa.delete(casefile).where(casefile.c.id == id))
