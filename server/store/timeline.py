"""The timeline of a case: what was done, by whom and when, in order; append only, gone with the case alone."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from server.domain.timeline import FOR
from server.store import audit, steps, turns
from server.store.case_tables import casefile, note, timeline


@dataclass(frozen=True)
class Entry:
    """One entry of one case.

    `fields` are codes and ids that say what; `before` is what was changed, as it was. `undo_until`: None where it
    can be taken back at any time. `step` is what devices are told at `tells_at`; None: nothing. `undoes` is the number
    of the entry of the same case that this one takes back.
    """

    casefile: int
    no: int
    code: str
    actor: str
    at: datetime
    complaint: int | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    before: Mapping[str, Any] = field(default_factory=dict)
    undo_until: datetime | None = None
    step: Mapping[str, Any] | None = None
    tells_at: datetime | None = None
    undoes: int | None = None


@dataclass(frozen=True)
class Note:
    """What somebody wrote for the team about a complaint: sealed, and by key id what opens it as base64url text."""

    id: str
    complaint: int
    account: str
    at: datetime
    box: bytes = field(repr=False)
    keys: Mapping[str, str] = field(repr=False)


_ENTRY = tuple(timeline.c[name] for name in Entry.__dataclass_fields__)
_NOTE = tuple(note.c[name] for name in Note.__dataclass_fields__)


def append(connection: sa.Connection, made: Entry) -> None:
    """Add an entry, whose number is the next of its case, which is locked, and an event of it; its step is to be told.

    It goes to the complaints that the case has at this moment, before any of them goes elsewhere.
    """
    row = vars(made) | {"fields": dict(made.fields), "before": dict(made.before)}
    connection.execute(sa.insert(timeline).values(**row))
    connection.execute(sa.update(casefile).where(casefile.c.id == made.casefile).values(revision=made.no))
    if made.step is not None:
        steps.await_telling(connection, made.casefile, made.no, made.complaint, made.tells_at or made.at)
    # Figures count what stands: an entry that is taken back closed nothing.
    if made.undoes is not None:
        turns.take_back(connection, made.casefile, made.undoes)
    else:
        turns.note(connection, made.casefile, made.no, made.at, made.fields)
    _record(connection, made)


def append_each(connection: sa.Connection, made: Sequence[Entry]) -> None:
    """As `append`, of many entries at once that move nothing and take nothing back, in the order of their numbers.

    A step is told to the one complaint that its entry is about, which its case has.
    """
    if not made:
        return
    rows = [vars(each) | {"fields": dict(each.fields), "before": dict(each.before)} for each in made]
    connection.execute(sa.insert(timeline), rows)
    last = {each.casefile: each.no for each in made}
    counted = sa.update(casefile).where(casefile.c.id == sa.bindparam("of")).values(revision=sa.bindparam("to"))
    connection.execute(counted, [{"of": id, "to": no} for id, no in last.items()])
    steps.await_each(
        connection,
        [
            (each.casefile, each.no, each.complaint, each.tells_at or each.at)
            for each in made
            if each.step is not None and each.complaint is not None
        ],
    )
    for each in made:
        _record(connection, each)


def _record(connection: sa.Connection, made: Entry) -> None:
    audit.record(
        connection,
        at=made.at,
        actor=made.actor,
        action=f"case_{made.code}",
        object=f"case:{made.casefile}",
        # The leaf is for good: what was said of people, be it by a code, goes with the case.
        details={name: made.fields.get(name) for name in ("from", "to")}
        | {"no": made.no, "undoes": made.undoes}
        | {name: account for name, account in made.fields.items() if name == FOR},
    )


def of_case(connection: sa.Connection, id: int) -> list[Entry]:
    """The entries of a case, in order."""
    return _entries(connection, timeline.c.casefile == id)


def of_cases(connection: sa.Connection, ids: Collection[int]) -> dict[int, list[Entry]]:
    """By case, its entries in order."""
    found: dict[int, list[Entry]] = {id: [] for id in ids}
    for entry in _entries(connection, timeline.c.casefile.in_(ids)):
        found[entry.casefile].append(entry)
    return found


def numbered(connection: sa.Connection, id: int, no: int) -> Entry | None:
    """One entry of a case."""
    return next(iter(_entries(connection, (timeline.c.casefile == id) & (timeline.c.no == no))), None)


def add_note(connection: sa.Connection, made: Note) -> None:
    """Keep a note."""
    connection.execute(sa.insert(note).values(**vars(made) | {"keys": dict(made.keys)}))


def notes_of(connection: sa.Connection, complaints: Collection[int]) -> Sequence[Note]:
    """The notes on several complaints, in the order written."""
    select = sa.select(*_NOTE).where(note.c.complaint.in_(complaints)).order_by(note.c.at, note.c.id)
    return [Note(*row) for row in connection.execute(select)]


def _entries(connection: sa.Connection, condition: sa.ColumnElement[bool]) -> list[Entry]:
    select = sa.select(*_ENTRY).where(condition).order_by(timeline.c.casefile, timeline.c.no)
    return [Entry(*row) for row in connection.execute(select)]
