"""What holds of every case at every moment, whatever was done: read from the rows, and said once more in words of its
own, not by the rules that brought them there."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import sqlalchemy as sa

from server.domain.calendar import MALI
from server.domain.casework import CASEWORK, Status, Urgency
from server.domain.deadlines import Deadline
from server.domain.due import Heard, Key, Story, acknowledged_at, derive
from server.domain.timeline import standing
from server.domain.urgency import read_word
from server.domain.urgency import standing as urgency_of
from server.hub import Hub
from server.store.case_tables import case_complaint, casefile, timeline, waiting
from server.store.due_tables import deadline, deadline_due
from server.store.schema import complaint, received
from server.store.timeline import Entry
from tests.case_replays import Broken, Standing, replay

# Who works on a case was named, and what it is about, and how urgent somebody finds it.
_WORKED_ON: Final = frozenset({"in_progress", "referred", "resolved"})
_ENDED: Final = frozenset({"closed", "withdrawn"})

_Rows = tuple[sa.Row[Any], ...]
_ENTRY: Final = tuple(Entry.__dataclass_fields__)
_DEADLINE: Final = tuple(Deadline.__dataclass_fields__)
_MEMBER: Final = (
    sa.select(case_complaint, received.c.received_at, complaint.c.confidentiality)
    .join(received, received.c.id == case_complaint.c.complaint)
    .join(complaint, complaint.c.id == case_complaint.c.complaint)
    .order_by(case_complaint.c.complaint)
)
_SELECTS: Final = (
    sa.select(casefile).order_by(casefile.c.id),
    _MEMBER,
    sa.select(*(timeline.c[name] for name in _ENTRY)).order_by(timeline.c.casefile, timeline.c.no),
    sa.select(waiting).order_by(waiting.c.complaint),
    sa.select(deadline).order_by(deadline.c.casefile, deadline.c.kind, deadline.c.subject),
    sa.select(deadline_due),
)


@dataclass(frozen=True)
class Rows:
    """Every row about every case, as they were at one moment; two are equal when nothing was done between them."""

    cases: _Rows
    members: _Rows
    entries: _Rows
    waiting: _Rows
    deadlines: _Rows
    due: _Rows

    @property
    def revisions(self) -> dict[int, int]:
        """By complaint, how many entries the case has that has it."""
        of = {each.id: each.revision for each in self.cases}
        return {each.complaint: of[each.casefile] for each in self.members}

    @property
    def statuses(self) -> dict[int, Status]:
        """By complaint, where the case stands that has it."""
        of = {each.id: each.status for each in self.cases}
        return {each.complaint: of[each.casefile] for each in self.members}

    def state(self) -> list[list[tuple[Any, ...]]]:
        """All that taking something back puts where it was: not the timelines, which only grow, nor what counts their
        entries, nor the numbers of deadlines, of which one that was gone is another row."""
        keys = {each.id: (each.casefile, each.kind, each.subject) for each in self.deadlines}
        due = [(*keys[each.deadline], *_but(each, "deadline")) for each in self.due]
        cases = [_but(each, "revision") for each in self.cases]
        deadlines = [_but(each, "id") for each in self.deadlines]
        return [cases, [*map(tuple, self.members)], [*map(tuple, self.waiting)], deadlines, sorted(due, key=str)]


@dataclass(frozen=True)
class _File:
    """One case: its row, its complaints, its timeline, the entries of it that nobody took back, and what is due."""

    row: sa.Row[Any]
    members: Sequence[sa.Row[Any]]
    entries: Sequence[Entry]
    stands: Sequence[Entry]
    deadlines: Mapping[Key, Deadline]
    due: frozenset[Key]

    @property
    def moves(self) -> list[Entry]:
        """The moves that stand, but for joining and coming back."""
        return [each for each in self.stands if each.code == "moved"]


def rows_of(hub: Hub) -> Rows:
    """Every row about every case, as they are now."""
    with hub.store.read() as connection:
        return rows_in(connection)


def rows_in(connection: sa.Connection) -> Rows:
    """Every row about every case, as this transaction sees them."""
    return Rows(*(tuple(connection.execute(each)) for each in _SELECTS))


def illegal(rows: Rows) -> list[str]:
    """What is wrong with each case that stands as none may: its id and a word for what; empty where all are sound."""
    files = _files(rows)
    acknowledged = {each.row.complaint: acknowledged_at(each.entries) for each in files}
    waits = {each.casefile: (each.complaint, each.urgency, each.since) for each in rows.waiting}
    found = []
    for file in files:
        heard = [
            Heard(each.complaint, each.received_at, each.urgency, each.urgent_since, acknowledged.get(each.complaint))
            for each in file.members
        ]
        faults = [*_history(file), *_status(file), *_last_move(file), *_undone(file)]
        faults += [*_due(file, heard), *_waits(file, waits)]
        found += [f"case {file.row.id}: {each}" for each in faults]
    return found


def _files(rows: Rows) -> list[_File]:
    keys = {each.id: (each.kind, each.subject) for each in rows.deadlines}
    entries = [Entry(*tuple(each)) for each in rows.entries]
    found = []
    for row in rows.cases:
        own = [each for each in entries if each.casefile == row.id]
        members = [each for each in rows.members if each.casefile == row.id]
        known = {keys[each.id]: _deadline(each) for each in rows.deadlines if each.casefile == row.id}
        due = frozenset(keys[each.deadline] for each in rows.due if each.casefile == row.id)
        found.append(_File(row, members, own, standing(own), known, due))
    return found


def _deadline(row: sa.Row[Any]) -> Deadline:
    values = {name: row._mapping[name] for name in _DEADLINE}
    return Deadline(**values | {"told": frozenset(values["told"])})


def _history(file: _File) -> Iterator[str]:
    """Where the timeline leads, the case stands."""
    row = file.row
    try:
        led = replay(file.entries)
    except Broken as broken:
        yield f"its timeline breaks ({broken.args})"
        return
    left = (row.left_status, row.left_since)
    stands = (row.status, row.status_since, row.revision, left)
    if stands != (led.status, led.since, led.revision, _left(led)):
        yield f"it stands at {row.status} and its timeline leads to {led.status}"


def _left(led: Standing) -> tuple[object, object]:
    return (None, None) if led.left is None else (led.left.status, led.left.since)


def _status(file: _File) -> Iterator[str]:
    """What its status says of the row."""
    row = file.row
    is_duplicate = row.status == "duplicate"
    if not (is_duplicate == (row.joined_into is not None) == (not file.members)):
        yield "it has complaints and is a duplicate, or has none and is not"
    if not is_duplicate and row.complaint not in {each.complaint for each in file.members}:
        yield "the complaint that it was opened for is elsewhere"
    if row.status in _WORKED_ON and None in (row.owner, row.kind, row.word):
        yield f"{row.status} without owner, kind or urgency"
    if (row.status in _ENDED) != (row.closed_at is not None):
        yield f"{row.status}, closed at {row.closed_at}"
    if row.status == "resolved" and row.outcome is None:
        yield "resolved without outcome"
    if row.status == "withdrawn" and len(file.members) > 1:
        yield "withdrawn by one of several"


def _last_move(file: _File) -> Iterator[str]:
    """What has to be so for the move that brought it where it is."""
    moves = file.moves
    if not moves or moves[-1].fields["to"] != file.row.status:
        return
    last = moves[-1]
    # In a walk nobody hears anything by a phone.
    if file.row.status == "closed" and (file.row.closure is None or "untold" not in last.fields["given"]):
        yield "closed without a reason, or nobody was told and nobody said why"
    if file.row.status == "closed" and _is_strict(file) and last.actor == moves[-2].actor:
        yield "strict, and closed by whoever ended it"
    if (last.fields["from"], last.fields["to"]) == ("needs_information", "in_triage"):
        asked = max(each.at for each in moves[:-1] if each.fields["to"] == "needs_information")
        if last.at < asked + CASEWORK.answer_wait and "heard" not in last.fields["given"]:
            yield "a question was dropped before its time"


def _is_strict(file: _File) -> bool:
    return any(each.confidentiality == "strict" for each in file.members)


def _undone(file: _File) -> Iterator[str]:
    """Nothing is taken back once it can't be."""
    until = {each.no: each.undo_until for each in file.entries}
    for each in file.entries:
        limit = None if each.undoes is None else until.get(each.undoes)
        if limit is not None and each.at >= limit:
            yield f"what can be taken back until {limit} was at {each.at}"


def _due(file: _File, heard: Sequence[Heard]) -> Iterator[str]:
    """It is as urgent as its complaints and a person's word make it, and what is due follows from its timeline."""
    row = file.row
    word = read_word(row.word)
    if heard and row.urgency != urgency_of(word, {each.complaint: each.urgency for each in heard}):
        yield f"its urgency is {row.urgency}"
    wanted = derive(Story(heard, file.entries, cast(Urgency, row.urgency), word), MALI)
    if wanted != file.deadlines:
        yield f"its deadlines are {sorted(file.deadlines)} and should be {sorted(wanted)}"
    if file.due != {key for key, each in wanted.items() if each.met_at is None}:
        yield f"what is due of it is {sorted(file.due)}"


def _waits(file: _File, waits: Mapping[int, tuple[int, str, object]]) -> Iterator[str]:
    """It waits for somebody unless it is closed, by the first of its complaints."""
    row, found = file.row, waits.get(file.row.id)
    is_open = CASEWORK.statuses[cast(Status, row.status)].stage != "closed"
    first = min((each.complaint for each in file.members), default=None)
    if found != ((first, row.urgency, row.status_since) if is_open else None):
        yield f"it is {row.status} and waits as {found}"


def _but(row: sa.Row[Any], name: str) -> tuple[Any, ...]:
    return tuple(value for key, value in row._mapping.items() if key != name)
