"""Operations as received, and the complaints read from them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any

import sqlalchemy as sa

from server.domain.complaint import Complaint, Facts, Person
from server.domain.urgency import computed, told_in
from server.store import cases, dialect, due, search_texts, unmatched
from server.store.duplicates import is_withdrawn
from server.store.schema import act, complaint, conflict, person, received, revision, sequel

CONSENT_COLUMNS = ("consent", "consent_level")
# Whoever is shown more looks at none.
_ALIKE_MAX = 5


@dataclass(frozen=True, slots=True)
class Received:
    """One operation to keep verbatim."""

    client_id: str
    op: str
    seq: int
    hash: str
    line: bytes


@dataclass(frozen=True)
class Origin:
    """Who sent it, for which lineage, through whom, and when the hub had it."""

    lineage: str
    device: str
    carried_by: str | None
    at: datetime


@dataclass(frozen=True)
class Filed:
    """A stored complaint, as far as the rules need it."""

    id: int
    revision: int
    place_id: str | None
    team: str | None
    partner: str | None
    confidentiality: str


@dataclass(frozen=True)
class Clash:
    """A field of a revision that waits for a person's word, and the operation that said it."""

    id: int
    field: str
    received: int
    lineage: str
    client_id: str
    hash: str
    line: bytes


@dataclass(frozen=True)
class Revision:
    """A revision that was filed: whose it is, the fields that it set, none where it clashed, and its line."""

    lineage: str
    fields: tuple[str, ...]
    line: bytes


def known_hashes(connection: sa.Connection, lineage: str, client_ids: Sequence[str]) -> dict[str, str]:
    """Content hash by id, of the operations that this lineage has here."""
    select = sa.select(received.c.client_id, received.c.hash).where(
        received.c.lineage == lineage, dialect.among(connection, received.c.client_id, client_ids)
    )
    return {row.client_id: row.hash for row in connection.execute(select)}


def keep(connection: sa.Connection, origin: Origin, operations: Sequence[Received]) -> list[int]:
    """Keep the operations verbatim; gives their ids, in order."""
    ids = dialect.draw_ids(connection, received, len(operations))
    columns = ("id", *_RECEIVED, "lineage", "device", "carried_by", "received_at")
    came = (origin.lineage, origin.device, origin.carried_by, origin.at)
    rows = [(id, *_received_values(each), *came) for id, each in zip(ids, operations, strict=True)]
    dialect.insert_many(connection, received, columns, rows)
    return ids


def keep_about(connection: sa.Connection, origin: Origin, operation: Received, complaint_id: int) -> int:
    """Keep an operation about a complaint verbatim; gives its id."""
    [id] = keep(connection, origin, [operation])
    connection.execute(sa.insert(sequel).values(received=id, complaint=complaint_id))
    return id


def file_complaints(
    connection: sa.Connection, ids: Sequence[int], complaints: Sequence[Complaint], at: datetime
) -> None:
    """Store the parsed columns, acts and persons of complaints kept under `ids`, received `at`."""
    pairs = list(zip(ids, complaints, strict=True))
    rows = [(id, *_facts_values(one.facts)) for id, one in pairs]
    dialect.insert_many(connection, complaint, ("id", *_FACTS), rows)
    _file_parts(connection, pairs)
    search_texts.await_reading(connection, ids)
    unmatched.add(connection, ids)
    cases.await_opening(connection, {id: _urgency(one, at) for id, one in pairs}, at)


def refile(
    connection: sa.Connection, id: int, one: Complaint, number: int, at: datetime, kept: Collection[str] = ()
) -> None:
    """Replace the parsed columns of a complaint, but those `kept`, by those of its revision `number`, received `at`."""
    values = dict(zip(_FACTS, _facts_values(one.facts), strict=True)) | {"revision": number}
    changed = {name: value for name, value in values.items() if name not in kept}
    connection.execute(sa.update(complaint).where(complaint.c.id == id).values(changed))
    for table in (act, person):
        connection.execute(sa.delete(table).where(table.c.complaint == id))
    _file_parts(connection, [(id, one)])
    search_texts.renew(connection, id)
    unmatched.renew(connection, id)
    received_at = connection.scalars(sa.select(received.c.received_at).where(received.c.id == id)).one()
    cases.renew_scope(connection, id)
    risen = cases.raise_urgency(connection, id, _urgency(one, received_at), at)
    if risen is not None:
        due.reckon(connection, [risen])


def find(connection: sa.Connection, lineage: str, client_id: str) -> Filed | None:
    """The stored complaint of that lineage and id, locked until commit: it is changed by one at a time."""
    select = (
        sa.select(*(complaint.c[name] for name in Filed.__dataclass_fields__))
        .join(received, received.c.id == complaint.c.id)
        .where(received.c.lineage == lineage, received.c.client_id == client_id)
    )
    row = connection.execute(dialect.locked(connection, select)).one_or_none()
    return None if row is None else Filed(*row)


def ids_of(connection: sa.Connection, names: Collection[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """Stored complaints by lineage and id; those that are not here are left out."""
    columns = received.c
    select = (
        sa.select(columns.lineage, columns.client_id, columns.id)
        .join(complaint, complaint.c.id == columns.id)
        .where(sa.tuple_(columns.lineage, columns.client_id).in_(sorted(names)))
    )
    return {(lineage, client_id): id for lineage, client_id, id in connection.execute(select)}


def confidentiality(connection: sa.Connection, lineage: str, client_id: str) -> str | None:
    """How confidential the stored complaint of that lineage and id is; None when it is not here."""
    select = (
        sa.select(complaint.c.confidentiality)
        .join(received, received.c.id == complaint.c.id)
        .where(received.c.lineage == lineage, received.c.client_id == client_id)
    )
    return connection.scalar(select)


def revisions(connection: sa.Connection, id: int) -> list[Revision]:
    """Each revision of a complaint that was filed, also one that only clashed, in the order filed."""
    select = (
        sa.select(received.c.lineage, revision.c.fields, received.c.line)
        .join(sequel, sequel.c.received == received.c.id)
        .join(revision, revision.c.received == received.c.id, isouter=True)
        .where(sequel.c.complaint == id, received.c.op == "revision")
        .order_by(received.c.id)
    )
    return [Revision(lineage, tuple(fields or ()), line) for lineage, fields, line in connection.execute(select)]


def is_any(connection: sa.Connection) -> bool:
    """Whether any complaint is here."""
    return connection.scalar(sa.select(complaint.c.id).limit(1)) is not None


def newest_lines(connection: sa.Connection, limit: int) -> list[bytes]:
    """The verbatim lines of the complaints that came last, the newest first."""
    select = sa.select(received.c.line).join(complaint, complaint.c.id == received.c.id)
    return list(connection.scalars(select.order_by(complaint.c.id.desc()).limit(limit)))


def line_of(connection: sa.Connection, id: int) -> bytes:
    """The verbatim line of an operation."""
    line: bytes = connection.scalars(sa.select(received.c.line).where(received.c.id == id)).one()
    return line


def add_revision(
    connection: sa.Connection,
    *,
    complaint_id: int,
    number: int,
    received_id: int,
    base_revision: int,
    field_names: Sequence[str],
    at: datetime,
) -> None:
    """Note that a received revision became number `number` of the complaint."""
    connection.execute(
        sa.insert(revision).values(
            complaint=complaint_id,
            number=number,
            received=received_id,
            base_revision=base_revision,
            fields=list(field_names),
            at=at,
        )
    )


def add_conflicts(
    connection: sa.Connection,
    complaint_id: int,
    kept_revision: int,
    received_id: int,
    field_names: Sequence[str],
    at: datetime,
) -> None:
    """Note the fields on which a revision clashed: both values are kept, a person decides."""
    rows = [
        {
            "complaint": complaint_id,
            "field": name,
            "kept_revision": kept_revision,
            "received": received_id,
            "at": at,
        }
        for name in field_names
    ]
    connection.execute(sa.insert(conflict), rows)


def conflicts(connection: sa.Connection, complaint_id: int) -> list[str]:
    """Fields of a complaint that wait for a person's word, in the order they came."""
    select = sa.select(conflict.c.field).where(conflict.c.complaint == complaint_id, conflict.c.state == "open")
    return list(connection.scalars(select.order_by(conflict.c.id)))


def clashes(connection: sa.Connection, complaint_id: int, field_names: Collection[str]) -> list[Clash]:
    """What waits for a person's word on these fields of a complaint, in the order it came."""
    columns, operation = conflict.c, received.c
    select = (
        sa.select(columns.id, columns.field, operation.id, *(operation[name] for name in _CLASH))
        .join(received, operation.id == columns.received)
        .where(columns.complaint == complaint_id, columns.state == "open", columns.field.in_(field_names))
    )
    return [Clash(*row) for row in connection.execute(select.order_by(columns.id))]


def clashing(connection: sa.Connection, complaint_id: int) -> set[int]:
    """The operations about a complaint of which some field waits for a person's word."""
    select = sa.select(conflict.c.received).where(conflict.c.complaint == complaint_id, conflict.c.state == "open")
    return set(connection.scalars(select))


def settle_clashes(connection: sa.Connection, ids: Sequence[int]) -> None:
    """Note that a person has decided on these."""
    connection.execute(sa.update(conflict).where(conflict.c.id.in_(ids)).values(state="settled"))


def lock(connection: sa.Connection, id: int) -> None:
    """Hold a complaint until commit: it is changed by one at a time."""
    connection.execute(dialect.locked(connection, sa.select(complaint.c.id).where(complaint.c.id == id)))


def set_consent(connection: sa.Connection, id: int, consent: Mapping[str, Any]) -> None:
    """Note the consent that stands now."""
    values = {"consent": dict(consent), "consent_level": consent["level"]}
    connection.execute(sa.update(complaint).where(complaint.c.id == id).values(values))


def set_confidentiality(connection: sa.Connection, id: int, code: str) -> None:
    """Note how confidential a complaint is now; of a strict one no word is found any more, of another they are."""
    connection.execute(sa.update(complaint).where(complaint.c.id == id).values(confidentiality=code))
    search_texts.renew(connection, id)


def withdraw(connection: sa.Connection, id: int, scope: str) -> None:
    """Mark a complaint as taken back: from what leaves, or altogether, which nothing lessens later."""
    values = {"withdrawn": scope, "state": "withdrawn"} if scope == "all" else {"withdrawn": scope}
    connection.execute(sa.update(complaint).where(complaint.c.id == id, ~is_withdrawn(complaint)).values(values))
    unmatched.renew(connection, id)


def told_alike(
    connection: sa.Connection, lineage: str, place_id: str, kind: str, incident_from: str | None, day: datetime
) -> list[Filed]:
    """What a lineage filed of the same place, kind and first day, told on the day that begins then; a few at most."""
    columns = complaint.c
    told_at = sa.func.coalesce(columns.collected_at, columns.entered_at)
    is_alike = sa.and_(
        columns.place_id == place_id,
        columns.kind == kind,
        columns.incident_from.is_not_distinct_from(incident_from),
        told_at >= day,
        told_at < day + timedelta(days=1),
        columns.state == "received",
        received.c.lineage == lineage,
    )
    select = sa.select(*(columns[each.name] for each in fields(Filed))).join(received, received.c.id == columns.id)
    return [Filed(*row) for row in connection.execute(select.where(is_alike).order_by(columns.id).limit(_ALIKE_MAX))]


def by_receipt(connection: sa.Connection, receipt: str) -> list[tuple[int, datetime, str | None]]:
    """Id, day received and cercle of every complaint with that receipt code: it is no key."""
    select = (
        sa.select(complaint.c.id, received.c.received_at, complaint.c.place_id)
        .join(received, received.c.id == complaint.c.id)
        .where(complaint.c.receipt == receipt)
        .order_by(complaint.c.id)
    )
    return [(id, at, place) for id, at, place in connection.execute(select)]


def count(connection: sa.Connection) -> int:
    """How many complaints are stored."""
    return connection.scalar(sa.select(sa.func.count()).select_from(complaint)) or 0


# Plain tuples: dataclasses.asdict copies deeply, at three times the cost of the insert itself.
_RECEIVED = tuple(each.name for each in fields(Received))
_FACTS = tuple(each.name for each in fields(Facts))
_PERSON = tuple(each.name for each in fields(Person))
_CLASH = ("lineage", "client_id", "hash", "line")
_received_values = attrgetter(*_RECEIVED)
_facts_values = attrgetter(*_FACTS)
_person_values = attrgetter(*_PERSON)


def _urgency(one: Complaint, received_at: datetime) -> str:
    return computed(told_in(one, received_at)).level


def _file_parts(connection: sa.Connection, complaints: Sequence[tuple[int, Complaint]]) -> None:
    """Store acts and persons."""
    acts = [(id, no, kind) for id, one in complaints for no, kind in enumerate(one.acts, 1)]
    dialect.insert_many(connection, act, ("complaint", "no", "kind"), acts)
    persons = [(id, *_person_values(who)) for id, one in complaints for who in one.persons]
    dialect.insert_many(connection, person, ("complaint", *_PERSON), persons)
