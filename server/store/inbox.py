"""The inbox: what waits for a decision, page by page in the order of an index, and what somebody decided today."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from server.domain.casework import Queue
from server.domain.matching.decisions import PROPOSED, Verdict
from server.domain.matching.model import Relation
from server.domain.matching.review import Shelf
from server.store import registry
from server.store.case_tables import casefile, timeline, waiting
from server.store.cases import has_other, in_index, within
from server.store.dialect import among
from server.store.evidence_tables import piece
from server.store.lines import Conditions, Count, Key, Line, Page, Reach
from server.store.links import in_scope
from server.store.match_tables import link
from server.store.schema import complaint, device, lineage, person, received
from server.store.scopes import Scope

# The most urgent first, of these what waits longest.
LINE: Final = Line((waiting.c.urgency, waiting.c.since, waiting.c.complaint))

# Pairs that are shown with what they are judged by; the others are decided unaided.
_SHOWN: Final = (Shelf.STRONG, Shelf.POSSIBLE)


@dataclass(frozen=True)
class Wanted:
    """Which of what waits, all of it at once; what is None is not asked for. `complaints`: ids, of which few."""

    queue: Queue | None = None
    owner: str | None = None
    urgency: str | None = None
    kind: str | None = None
    places: Collection[str] | None = None
    complaints: Collection[int] | None = None


@dataclass(frozen=True)
class Listed:
    """Something that waits, with what its first complaint says; without a case, `version` is 0 and `status` None."""

    complaint: int
    case: int | None
    ref: str | None
    status: str | None
    version: int
    owner: str | None
    queue: str
    urgency: str
    since: datetime
    kind: str
    place_id: str | None
    confidentiality: str
    received_at: datetime
    collected_at: datetime | None
    incident_from: str | None
    sector: str | None
    asked_xof: int | None


@dataclass(frozen=True)
class Told:
    """What else a row says of a complaint: kinds of its files, and categories of whom it accuses first."""

    files: frozenset[str]
    accused: str | None


@dataclass(frozen=True)
class Paired:
    """A pair of a complaint, by its link, with its other complaint; `is_same`: somebody decided that both tell of one
    incident."""

    link: int
    other: int
    is_same: bool


@dataclass(frozen=True)
class Decided:
    """An entry by which somebody brought a case on: when, what it was, and where the case came to."""

    at: datetime
    code: str
    fields: Mapping[str, Any]
    before: Mapping[str, Any]


def page(connection: sa.Connection, scope: Scope, wanted: Wanted, reach: Reach) -> Page[Listed]:
    """What of all that is wanted in the scope comes next. Every complaint of a case has to be in the scope."""
    if wanted.complaints is not None:
        reach = replace(reach, stretch=None)
    select = _within(connection, scope).where(*_passed_by(connection, wanted))
    return LINE.page(connection, select, _looked_up(wanted), reach, lambda row: Listed(*row[: len(_COLUMNS)]))


def key_of(listed: Listed) -> Key:
    """Where a page ends that has this last."""
    return listed.urgency, listed.since, listed.complaint


def counts(connection: sa.Connection, scope: Scope, wanted: Sequence[Wanted]) -> list[Count]:
    """How many `page` gives of each, page after page, as far as a list counts."""
    all_of_scope = _within(connection, scope)
    return [
        LINE.count(connection, all_of_scope.where(*_passed_by(connection, each)), _looked_up(each)) for each in wanted
    ]


def called(connection: sa.Connection, numbers: Collection[str]) -> list[int]:
    """What waits and is listed under one of these numbers, each by the complaint that it waits by."""
    columns, alone = waiting.c, registry.complaints_numbered(connection, numbers).values()
    of_them = columns.casefile.in_(sa.select(casefile.c.id).where(casefile.c.ref.in_(numbers)))
    found = (
        sa.select(columns.complaint)
        .where(of_them)
        .union(sa.select(columns.complaint).where(columns.casefile.is_(None), columns.complaint.in_(alone)))
    )
    return list(connection.scalars(found))


def told(connection: sa.Connection, complaints: Collection[int]) -> dict[int, Told]:
    """By complaint, what else a row says of it."""
    files: dict[int, set[str]] = {id: set() for id in complaints}
    listed = sa.select(piece.c.complaint, piece.c.kind).where(piece.c.complaint.in_(complaints))
    for id, kind in connection.execute(listed):
        files[id].add(kind)
    columns = person.c
    select = sa.select(columns.complaint, columns.category).where(
        columns.complaint.in_(complaints), columns.category.is_not(None)
    )
    accused: dict[int, str] = {}
    for id, category in connection.execute(select.order_by(columns.complaint, columns.no)):
        accused.setdefault(id, category)
    return {id: Told(frozenset(kinds), accused.get(id)) for id, kinds in files.items()}


def with_lookalike(connection: sa.Connection, scope: Scope, complaints: Collection[int]) -> set[int]:
    """Those of the complaints that a pair to be compared has, whose other complaint is in the scope, too."""
    columns = link.c
    select = in_scope(connection, scope, sa.select(columns.a, columns.b)).where(
        columns.id.in_([row.id for row in _links_of(connection, complaints) if _is_shown(row)])
    )
    return {end for pair in connection.execute(select) for end in pair} & {*complaints}


def lookalikes_of(connection: sa.Connection, scope: Scope, complaint_id: int, limit: int) -> list[Paired]:
    """The pairs of one complaint that are one incident, as somebody decided, then those that are to be compared, the
    likeliest first; at most `limit`."""
    columns = link.c
    other = sa.case((columns.a == complaint_id, columns.b), else_=columns.a)
    found = {row.id: _is_same(row) for row in _links_of(connection, [complaint_id]) if _is_same(row) or _is_shown(row)}
    same = [id for id, is_same in found.items() if is_same]
    select = in_scope(connection, scope, sa.select(columns.id, other)).where(columns.id.in_(found))
    first = sa.case((columns.id.in_(same), 0), else_=1)
    rows = connection.execute(select.order_by(first, columns.probability.desc(), columns.id).limit(limit))
    return [Paired(row[0], row[1], found[row[0]]) for row in rows]


def _links_of(connection: sa.Connection, complaints: Collection[int]) -> Sequence[sa.Row[Any]]:
    """Links of the complaints: read by their ends alone, of which each complaint has few, since a planner that is told
    more begins with all that wait, or with all that is in the scope."""
    columns = link.c
    what = sa.select(columns.id, columns.state, columns.shelf, columns.relation)
    return connection.execute(sa.union(*(what.where(end.in_(complaints)) for end in (columns.a, columns.b)))).all()


def _is_shown(row: sa.Row[Any]) -> bool:
    return bool(row.state == PROPOSED and row.shelf in _SHOWN)


def _is_same(row: sa.Row[Any]) -> bool:
    return bool(row.state == Verdict.CONFIRMED and row.relation == Relation.SAME_INCIDENT)


def decided(connection: sa.Connection, actor: str, since: datetime, limit: int) -> list[Decided]:
    """The last entries, in order, by which somebody, by signature, brought cases on since then, and that stand."""
    columns, undone = timeline.c, timeline.alias()
    is_undone = sa.exists().where(undone.c.casefile == columns.casefile, undone.c.undoes == columns.no)
    select = sa.select(columns.at, columns.code, columns.fields, columns.before).where(
        columns.actor == actor, columns.at >= since, columns.code.in_(("moved", "attached")), ~is_undone
    )
    rows = connection.execute(select.order_by(columns.at.desc()).limit(limit)).all()
    return [Decided(*row) for row in reversed(rows)]


def consent_of(connection: sa.Connection, complaint_id: int) -> str:
    """The level of consent of a complaint, as it stands."""
    return str(connection.scalars(sa.select(complaint.c.consent_level).where(complaint.c.id == complaint_id)).one())


def kind_waiting(connection: sa.Connection, case: int) -> str:
    """What a case that waits is about."""
    return str(connection.scalars(sa.select(waiting.c.kind).where(waiting.c.casefile == case)).one())


_COLUMNS: Final = (
    waiting.c.complaint,
    waiting.c.casefile,
    casefile.c.ref,
    casefile.c.status,
    sa.func.coalesce(casefile.c.revision, 0),
    waiting.c.owner,
    waiting.c.queue,
    waiting.c.urgency,
    waiting.c.since,
    waiting.c.kind,
    waiting.c.place_id,
    complaint.c.confidentiality,
    received.c.received_at,
    complaint.c.collected_at,
    complaint.c.incident_from,
    complaint.c.sector,
    complaint.c.asked_xof,
)


def _within(connection: sa.Connection, scope: Scope) -> sa.Select[Any]:
    """All that waits in the scope."""
    return (
        sa.select(*_COLUMNS)
        .select_from(waiting)
        .join(complaint, complaint.c.id == waiting.c.complaint)
        .join(received, received.c.id == waiting.c.complaint)
        .join(lineage, lineage.c.id == received.c.lineage)
        .join(device, device.c.id == received.c.device)
        .join(casefile, casefile.c.id == waiting.c.casefile, isouter=True)
        .where(*in_index(connection, waiting, scope))
        .where(within(connection, scope, complaint, lineage, device))
        .where(~has_other(connection, scope, waiting.c.casefile))
    )


def _looked_up(wanted: Wanted) -> Conditions:
    columns = waiting.c
    exact = (columns.queue, wanted.queue), (columns.owner, wanted.owner), (columns.urgency, wanted.urgency)
    return [column == value for column, value in exact if value is not None]


def _passed_by(connection: sa.Connection, wanted: Wanted) -> Conditions:
    columns, found = waiting.c, list[sa.ColumnElement[bool]]()
    if wanted.kind is not None:
        found.append(columns.kind == wanted.kind)
    if wanted.places is not None:
        found.append(among(connection, columns.place_id, wanted.places))
    if wanted.complaints is not None:
        found.append(columns.complaint.in_(wanted.complaints))
    return found
