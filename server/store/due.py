"""Deadlines: their rows, which the timeline makes, and what is due, one sentence over one index."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, cast

import sqlalchemy as sa

from server.domain.calendar import MALI
from server.domain.casework import Urgency
from server.domain.deadlines import Deadline, next_telling
from server.domain.due import Heard, Key, Story, acknowledged_at, derive
from server.domain.urgency import read_word
from server.store import cases, timeline
from server.store.case_tables import case_complaint, casefile
from server.store.cases import CaseFile
from server.store.dialect import among
from server.store.due_tables import deadline, deadline_due
from server.store.lines import Conditions, Count, Line, Page, Reach, passed_by
from server.store.schema import complaint, device, lineage, received
from server.store.scopes import Scope
from server.store.timeline import Entry


@dataclass(frozen=True)
class Known:
    """A deadline as it is kept."""

    id: int
    casefile: int
    subject: str
    stands: Deadline

    @property
    def key(self) -> Key:
        """Its kind and subject."""
        return self.stands.kind, self.subject


@dataclass(frozen=True)
class Due:
    """Something that is due of a case, by its first complaint; `collected_at` is what the device claims.

    `revision`: the last entry of the case. `about`: what kind of case it is.
    """

    case: int
    ref: str
    revision: int
    about: str
    complaint: int
    place_id: str | None
    owner: str | None
    urgency: str
    deadline: Known
    received_at: datetime
    collected_at: datetime | None


@dataclass(frozen=True)
class Within:
    """Which of what is due: from a moment on, before another, of a kind, of cases of these accounts; None for any."""

    since: datetime | None = None
    until: datetime | None = None
    kind: str | None = None
    owners: Collection[str] | None = None


ANY: Final = Within()
# The first to fall due first.
LINE: Final = Line((deadline_due.c.due_at, deadline_due.c.deadline))
_DEADLINE = tuple(deadline.c[name] for name in Deadline.__dataclass_fields__)
# The case that a complaint was opened for, wherever that is now.
_HOME = casefile.alias("home")
_KNOWN = (deadline.c.id, deadline.c.casefile, deadline.c.subject, *_DEADLINE)


def reckon(connection: sa.Connection, ids: Collection[int]) -> None:
    """Bring the deadlines of these cases to what their complaints and timelines make them, and what of them is due to
    where it is looked for."""
    files = cases.find(connection, ids, is_locked=True)
    entries = timeline.of_cases(connection, files)
    heard, known = _heard(connection, entries), of_cases(connection, files)
    for id, file in files.items():
        story = Story(heard[id], entries[id], cast(Urgency, file.urgency), read_word(file.word))
        wanted = derive(story, MALI)
        numbers = _renew(connection, id, known[id], wanted)
        waits = {numbers[key]: each for key, each in wanted.items() if each.met_at is None}
        _await(connection, file, heard[id], waits)


def of_cases(connection: sa.Connection, ids: Collection[int]) -> dict[int, list[Known]]:
    """By case, its deadlines, the first to fall due first."""
    found: dict[int, list[Known]] = {id: [] for id in ids}
    select = sa.select(*_KNOWN).where(deadline.c.casefile.in_(ids)).order_by(deadline.c.due_at, deadline.c.id)
    for row in connection.execute(select):
        found[row.casefile].append(_known(row))
    return found


def waiting(connection: sa.Connection, scope: Scope, reach: Reach, within: Within = ANY) -> Page[Due]:
    """What comes next of what is due in the scope and not met. Every complaint of a case has to be in the scope."""
    columns = deadline_due.c
    select: sa.Select[Any] = sa.select(
        columns.casefile,
        casefile.c.ref,
        casefile.c.revision,
        sa.func.coalesce(casefile.c.kind, complaint.c.kind).label("about"),
        columns.complaint,
        columns.place_id,
        columns.owner,
        columns.urgency,
        received.c.received_at,
        complaint.c.collected_at,
        *_KNOWN,
    )
    select = _among_due(connection, scope, within, select)
    return LINE.page(connection, select, _looked_up(connection, within), reach, _due)


def days(connection: sa.Connection, scope: Scope, reach: Reach, within: Within) -> Page[tuple[datetime, str]]:
    """When each of what `waiting` gives falls due, and of what kind it is."""
    select = _among_due(connection, scope, within, sa.select(deadline_due.c.due_at, deadline.c.kind))
    return LINE.page(connection, select, _looked_up(connection, within), reach, lambda row: (row.due_at, row.kind))


def count(connection: sa.Connection, scope: Scope, within: Within) -> Count:
    """How many `waiting` gives, page after page, as far as a list counts."""
    select = _among_due(connection, scope, within, sa.select(deadline_due.c.deadline))
    return LINE.count(connection, select, _looked_up(connection, within))


def _among_due(connection: sa.Connection, scope: Scope, within: Within, select: sa.Select[Any]) -> sa.Select[Any]:
    columns = deadline_due.c
    select = (
        select.select_from(deadline_due)
        .join(deadline, deadline.c.id == columns.deadline)
        .join(casefile, casefile.c.id == columns.casefile)
        .join(complaint, complaint.c.id == columns.complaint)
        .join(received, received.c.id == columns.complaint)
        .join(lineage, lineage.c.id == received.c.lineage)
        .join(device, device.c.id == received.c.device)
        .where(*cases.in_index(connection, deadline_due, scope))
        .where(cases.within(connection, scope, complaint, lineage, device))
        .where(~cases.has_other(connection, scope, columns.casefile))
    )
    return select if within.kind is None else select.where(passed_by(deadline.c.kind == within.kind))


def _looked_up(connection: sa.Connection, within: Within) -> Conditions:
    columns, found = deadline_due.c, list[sa.ColumnElement[bool]]()
    if within.since is not None:
        found.append(columns.due_at >= within.since)
    if within.until is not None:
        found.append(columns.due_at < within.until)
    if within.owners is not None:
        found.append(among(connection, columns.owner, within.owners))
    return found


def to_tell(connection: sa.Connection, now: datetime, limit: int, after: int = 0) -> list[tuple[int, int]]:
    """At most `limit` cases past that id, each by its id and first complaint, of which somebody is to hear now that
    something is late; in the order of their ids."""
    columns = deadline_due.c
    select = sa.select(columns.casefile, columns.complaint).where(columns.tells_at <= now, columns.casefile > after)
    rows = connection.execute(select.distinct().order_by(columns.casefile).limit(limit))
    return [(row.casefile, row.complaint) for row in rows]


def look_again(connection: sa.Connection, ids: Collection[int], now: datetime, at: datetime) -> None:
    """Of these deadlines, which were to be told by now, see then whether somebody is to hear."""
    columns = deadline_due.c
    waits = columns.deadline.in_(ids) & (columns.tells_at <= now)
    connection.execute(sa.update(deadline_due).where(waits).values(tells_at=at))


def _heard(connection: sa.Connection, entries: Mapping[int, Sequence[Entry]]) -> dict[int, list[Heard]]:
    """By case, what its deadlines go by of its complaints; `entries` of these cases."""
    columns, home = case_complaint.c, _HOME
    select = (
        sa.select(
            columns.casefile,
            columns.complaint,
            received.c.received_at,
            columns.urgency,
            columns.urgent_since,
            home.c.id.label("home"),
        )
        .join(received, received.c.id == columns.complaint)
        .join(home, home.c.complaint == columns.complaint, isouter=True)
        .where(columns.casefile.in_(entries))
        .order_by(columns.complaint)
    )
    rows = connection.execute(select).all()
    elsewhere = {row.home for row in rows if row.home is not None} - entries.keys()
    told = {**entries, **(timeline.of_cases(connection, elsewhere) if elsewhere else {})}
    found: dict[int, list[Heard]] = {id: [] for id in entries}
    for row in rows:
        at = acknowledged_at(told.get(row.home, ()))
        found[row.casefile].append(Heard(row.complaint, row.received_at, row.urgency, row.urgent_since, at))
    return found


def _renew(
    connection: sa.Connection, case: int, known: Sequence[Known], wanted: Mapping[Key, Deadline]
) -> dict[Key, int]:
    """Let these be all the deadlines of a case, which is locked; gives their ids, which those that were there keep."""
    columns, stood = deadline.c, {each.key: each for each in known}
    connection.execute(sa.delete(deadline_due).where(deadline_due.c.casefile == case))
    gone = [each.id for key, each in stood.items() if key not in wanted]
    if gone:
        connection.execute(sa.delete(deadline).where(columns.id.in_(gone)))
    for key, each in stood.items():
        if key in wanted and wanted[key] != each.stands:
            connection.execute(sa.update(deadline).where(columns.id == each.id).values(_values(wanted[key])))
    made = [{"casefile": case, "subject": key[1], **_values(wanted[key])} for key in wanted if key not in stood]
    new = sa.insert(deadline).returning(columns.id, columns.kind, columns.subject)
    rows = connection.execute(new, made).all() if made else []
    return {key: each.id for key, each in stood.items()} | {(row.kind, row.subject): row.id for row in rows}


def _await(connection: sa.Connection, case: CaseFile, heard: Sequence[Heard], waits: Mapping[int, Deadline]) -> None:
    """Put what is due of a case, by id, where it is found."""
    if not waits:
        return
    first = min(each.complaint for each in heard)
    scope = connection.execute(cases.covered([first])).one()
    common = {"casefile": case.id, "complaint": first, "owner": case.owner, "urgency": case.urgency}
    common |= {"team": scope.team, "partner": scope.partner, "place_id": scope.place_id}
    rows = [
        {"deadline": id, "due_at": each.due_at, "tells_at": next_telling(each, case.urgency), **common}
        for id, each in waits.items()
    ]
    connection.execute(sa.insert(deadline_due), rows)


def _values(each: Deadline) -> dict[str, Any]:
    return vars(each) | {"told": sorted(each.told)}


def _due(row: sa.Row[Any]) -> Due:
    values = row._mapping
    return Due(
        case=values[deadline_due.c.casefile],
        ref=row.ref,
        revision=row.revision,
        about=row.about,
        complaint=values[deadline_due.c.complaint],
        place_id=values[deadline_due.c.place_id],
        owner=values[deadline_due.c.owner],
        urgency=values[deadline_due.c.urgency],
        deadline=_known(row),
        received_at=row.received_at,
        collected_at=row.collected_at,
    )


def _known(row: sa.Row[Any]) -> Known:
    values = {name: row._mapping[deadline.c[name]] for name in Deadline.__dataclass_fields__}
    stands = Deadline(**values | {"told": frozenset(values["told"])})
    return Known(row._mapping[deadline.c.id], row._mapping[deadline.c.casefile], row.subject, stands)
