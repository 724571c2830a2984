"""Erasure: what is left of an erased operation, and the sentences that remove all the rest of it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from server.domain.retention import kept_id
from server.store import audit, cases, due, duplicates, packages, pieces, tasks
from server.store.dialect import among, insert_new, locked
from server.store.schema import (
    act,
    assignment,
    change,
    complaint,
    conflict,
    erasure,
    frame,
    legal_hold,
    lineage,
    linkage_pending,
    opening,
    person,
    quarantine,
    received,
    registry,
    revision,
    search_pending,
    search_text,
    sequel,
    wrap,
)

# Rows that belong to a complaint, in an order in which none points at one that is gone.
_BY_COMPLAINT: Final = (
    act,
    person,
    revision,
    conflict,
    assignment,
    opening,
    legal_hold,
    search_pending,
    search_text,
    sequel,
)
# Of a task, which is no operation of its device.
NO_HASH: Final = ""
# Of what waits for more: that is named by the hub, and says nothing of what became of it.
_OWN_FIELDS: Final = frozenset({"complaint", "base_revision"})


@dataclass(frozen=True)
class Subject:
    """What is to be erased: a complaint by its id on its device; `complaint` is empty for one that was never filed."""

    lineage: str
    client_id: str
    complaint: int | None


@dataclass(frozen=True)
class Erased:
    """What is left of one operation: where it came from, its id, its content hash, and when it was erased."""

    lineage: str
    client_id: str
    hash: str
    at: datetime


@dataclass(frozen=True)
class _Operation:
    id: int
    lineage: str
    client_id: str
    hash: str
    field: str = ""


def lineages_of(connection: sa.Connection, complaint_id: int) -> set[str]:
    """The lineages of which something goes with a complaint, or which were told of a task of it; none where it is gone.

    Whoever erases it holds them before it, as intake does: the other way round two would wait for each other.
    """
    subject = _subject(connection, complaint_id, is_locked=False)
    if subject is None:
        return set()
    kept = _operations(connection, complaint_id)
    asides = _set_aside(connection, subject, kept)
    told = {lineage_id for lineage_id, _ in tasks.ids_of(connection, complaint_id)}
    return {subject.lineage, *told, *(each.lineage for each in (*kept, *asides))}


def subject_of(connection: sa.Connection, complaint_id: int) -> Subject | None:
    """The complaint, locked until commit."""
    return _subject(connection, complaint_id, is_locked=True)


def _subject(connection: sa.Connection, complaint_id: int, *, is_locked: bool) -> Subject | None:
    select = (
        sa.select(received.c.lineage, received.c.client_id, complaint.c.id)
        .join(complaint, complaint.c.id == received.c.id)
        .where(complaint.c.id == complaint_id)
    )
    row = connection.execute(locked(connection, select) if is_locked else select).one_or_none()
    return None if row is None else Subject(*row)


def subject_aside(connection: sa.Connection, quarantine_id: int) -> Subject | None:
    """What was set aside; None also where something is filed under its id. Whoever erases it holds its lineage."""
    columns = quarantine.c
    filed = sa.exists().where(received.c.lineage == columns.lineage, received.c.client_id == columns.client_id)
    select = sa.select(columns.lineage, columns.client_id).where(columns.id == quarantine_id, ~filed)
    row = connection.execute(select).one_or_none()
    return None if row is None else Subject(row.lineage, row.client_id, None)


def wipe(connection: sa.Connection, subject: Subject, at: datetime, gone_at: datetime) -> list[Erased]:
    """Remove a complaint and all that came about it; gives what is left, which is kept in `erasure`.

    Of what another team said of it nothing is left: it must not learn, when it says that again, what became of it.
    A row that points at it and is not known here makes the database refuse, and nothing is erased.
    """
    kept = [] if subject.complaint is None else _operations(connection, subject.complaint)
    asides = _set_aside(connection, subject, kept)
    near = _team_of(connection, subject.lineage)
    told = [*kept, *(each for each in asides if each.lineage in near)]
    left = [Erased(each.lineage, kept_id(each.client_id), each.hash, at) for each in told]
    # A device that has a task still tells what came of it: nothing of that is kept, either.
    given = [] if subject.complaint is None else tasks.ids_of(connection, subject.complaint)
    keep(connection, [*left, *(Erased(lineage_id, id, NO_HASH, at) for lineage_id, id in given)], gone_at)
    _forget_told(connection, [*kept, *asides])
    _forget_fields(connection, asides)
    for object in (f"complaint:{subject.complaint}", *(f"quarantine:{each.id}" for each in asides)):
        audit.erase_words(connection, object)
    pending = linkage_pending.c
    connection.execute(
        sa.delete(linkage_pending).where(pending.lineage == subject.lineage, pending.complaint == subject.client_id)
    )
    connection.execute(sa.delete(quarantine).where(quarantine.c.id.in_([each.id for each in asides])))
    if subject.complaint is not None:
        _remove_filed(connection, subject.complaint, [each.id for each in kept], at)
    return left


def keep(connection: sa.Connection, left: Sequence[Erased], gone_at: datetime) -> None:
    """Note what was erased; what is noted already stays as it is."""
    rows = [{**vars(each), "gone_at": gone_at} for each in left]
    insert_new(connection, erasure, rows, ["lineage", "client_id", "hash"], erasure.c.hash)


def known(connection: sa.Connection, client_ids: Collection[str]) -> set[tuple[str, str]]:
    """(lineage, id) of those that were erased, among these ids of whatever lineage; an id as `kept_id` gives it."""
    select = sa.select(erasure.c.lineage, erasure.c.client_id).where(among(connection, erasure.c.client_id, client_ids))
    return {(lineage, client_id) for lineage, client_id in connection.execute(select)}


def listed(connection: sa.Connection) -> list[Erased]:
    """All that was erased, in the order of time."""
    columns = (erasure.c[name] for name in Erased.__dataclass_fields__)
    select = sa.select(*columns).order_by(erasure.c.at, erasure.c.lineage, erasure.c.client_id, erasure.c.hash)
    return [Erased(*row) for row in connection.execute(select)]


def last_gone_at(connection: sa.Connection) -> datetime | None:
    """When the last backup that may hold something erased is gone; None when nothing was erased."""
    # Not sa.func.max alone: that loses the type, and with it the zone.
    return connection.scalar(sa.select(erasure.c.gone_at).order_by(erasure.c.gone_at.desc()).limit(1))


def count_erased(connection: sa.Connection) -> int:
    """How many numbered complaints were erased."""
    select = sa.select(sa.func.count()).select_from(registry).where(registry.c.erased_at.is_not(None))
    return connection.scalar(select) or 0


def again(connection: sa.Connection, left: Sequence[Erased], gone_at: datetime) -> int:
    """Erase again what an older state of the data brought back; gives how many complaints that were.

    What it did not bring back is noted too: the device may still have it.
    """
    ids = {each.client_id for each in left}
    pairs = {(each.lineage, each.client_id): each.at for each in left}
    filed = (
        sa.select(received.c.lineage, received.c.client_id, complaint.c.id)
        .join(complaint, complaint.c.id == received.c.id)
        .where(among(connection, received.c.client_id, ids))
    )
    back = [Subject(*row) for row in connection.execute(filed)]
    found = [each for each in back if (each.lineage, each.client_id) in pairs]
    for each in found:
        wipe(connection, each, pairs[each.lineage, each.client_id], gone_at)
    columns = quarantine.c
    aside = sa.select(columns.id, columns.lineage, columns.client_id, columns.about_lineage, columns.about)
    for id, sender, client_id, about_lineage, about in connection.execute(aside).all():
        at = pairs.get((sender, kept_id(client_id)))
        if at is not None:
            wipe(connection, Subject(sender, client_id, None), at, gone_at)
        elif (about_lineage, about) in pairs:
            connection.execute(sa.delete(quarantine).where(columns.id == id))
    keep(connection, left, gone_at)
    return len(found)


def quiet(connection: sa.Connection, state: str, before: datetime, limit: int) -> list[int]:
    """At most `limit` complaints in a state about which nothing came since `before`, oldest first."""
    later = (
        sa.select(sequel.c.received)
        .join(received, received.c.id == sequel.c.received)
        .where(sequel.c.complaint == complaint.c.id, received.c.received_at >= before)
    )
    select = (
        sa.select(complaint.c.id)
        .join(received, received.c.id == complaint.c.id)
        .where(complaint.c.state == state, received.c.received_at < before, ~later.exists())
    )
    return list(connection.scalars(select.order_by(complaint.c.id).limit(limit)))


def _operations(connection: sa.Connection, complaint_id: int) -> list[_Operation]:
    """The complaint and what came about it, as received."""
    about = sa.select(sequel.c.received).where(sequel.c.complaint == complaint_id)
    columns = received.c
    select = sa.select(columns.id, columns.lineage, columns.client_id, columns.hash).where(
        (columns.id == complaint_id) | columns.id.in_(about)
    )
    return [_Operation(*row) for row in connection.execute(select)]


def _team_of(connection: sa.Connection, id: str) -> set[str]:
    """The lineages that may speak of what this one sent: itself, and those of its team."""
    team = sa.select(lineage.c.team).where(lineage.c.id == id).scalar_subquery()
    return {id, *connection.scalars(sa.select(lineage.c.id).where(lineage.c.team == team))}


def _set_aside(connection: sa.Connection, subject: Subject, kept: Sequence[_Operation]) -> list[_Operation]:
    """What was set aside under the same ids, became one of the operations, or speaks of the complaint."""
    columns = quarantine.c
    own = {(each.lineage, each.client_id) for each in kept} | {(subject.lineage, subject.client_id)}
    given = [] if subject.complaint is None else tasks.ids_of(connection, subject.complaint)
    belongs = (
        columns.received.in_([each.id for each in kept])
        | ((columns.about == subject.client_id) & (columns.about_lineage == subject.lineage))
        | sa.tuple_(columns.lineage, columns.client_id).in_(sorted(own))
        | columns.waits_for.in_({id for _, id in given})
    )
    select = sa.select(columns.id, columns.lineage, columns.client_id, columns.hash, columns.field)
    return [_Operation(*row) for row in connection.execute(select.where(belongs))]


def _forget_told(connection: sa.Connection, gone: Sequence[_Operation]) -> None:
    """What devices were to learn of the erased operations."""
    pairs = sorted({(each.lineage, each.client_id) for each in gone})
    connection.execute(sa.delete(change).where(sa.tuple_(change.c.lineage, change.c.client_id).in_(pairs)))


def _forget_fields(connection: sa.Connection, asides: Sequence[_Operation]) -> None:
    """Paths in the reports of frames: a member that no form knows may be named by anything."""
    named = [each for each in asides if each.field and each.field not in _OWN_FIELDS]
    fields, lineages = {each.field for each in named}, {each.lineage for each in named}
    select = sa.select(frame.c.lineage, frame.c.number, frame.c.mark, frame.c.report)
    for maker, number, digest, report in connection.execute(select.where(frame.c.lineage.in_(lineages))).all():
        if fields.isdisjoint(each.get("field") for each in report.get("named", ())):
            continue
        connection.execute(
            sa.update(frame)
            .where(frame.c.lineage == maker, frame.c.number == number, frame.c.mark == digest)
            .values(report=report | {"named": [_without(each, fields) for each in report["named"]]})
        )


def _without(named: dict[str, Any], fields: Collection[str]) -> dict[str, Any]:
    return {name: value for name, value in named.items() if name != "field" or value not in fields}


def _remove_filed(connection: sa.Connection, complaint_id: int, operations: Sequence[int], at: datetime) -> None:
    """The rows read from the operations, then the operations; the registry number stays given."""
    connection.execute(
        sa.update(registry).where(registry.c.complaint == complaint_id).values(complaint=None, erased_at=at)
    )
    duplicates.remove(connection, complaint_id)
    packages.forget(connection, complaint_id)
    pieces.remove(connection, complaint_id)
    tasks.remove(connection, complaint_id, at)
    going_on = cases.remove(connection, complaint_id)
    cases.renew_standing(connection, going_on)
    due.reckon(connection, going_on)
    for table in _BY_COMPLAINT:
        connection.execute(sa.delete(table).where(table.c.complaint == complaint_id))
    connection.execute(sa.delete(wrap).where(wrap.c.received.in_(operations)))
    connection.execute(sa.delete(complaint).where(complaint.c.id == complaint_id))
    connection.execute(sa.delete(received).where(received.c.id.in_(operations)))
