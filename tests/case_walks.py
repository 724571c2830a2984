"""Walks over cases: what is done is drawn by chance, and taking it back puts every row about cases where it was."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import sqlalchemy as sa

from server.domain.casework import Status
from server.domain.errors import DeadlineRefused, RegroupingRefused, TimelineBroken, TransitionRefused
from server.domain.timeline import replay
from server.hub import Hub
from server.store.case_tables import casefile, waiting
from server.store.columns import metadata
from server.store.timeline import of_case
from tests.builders import Person
from tests.case_work import SETTLED, Numbers, State, attach, detach, entries, move, split, state, undo

Step = tuple[str, int, int]
KINDS = ("move", "attach", "detach", "split", "undo")
# One code of each list that a move may ask.
_GIVEN = {
    "question": "where",
    "inadmissible": "out_of_mandate",
    "referral_over": "silent",
    "outcome": "mediated",
    "closure": "mediated",
    "untold": "anonymous",
    "reopening": "new_facts",
    "withdrawal": "told_to_us",
}
_MOVES: tuple[Status, ...] = (
    "acknowledged",
    "in_triage",
    "needs_information",
    "in_progress",
    "inadmissible",
    "resolved",
    "closed",
    "reopened",
    "withdrawn",
)


@dataclass
class Walk:
    """What one person does to some complaints; `is_exact`: what was refused changed nothing, and what was taken back
    left every row as it was before it."""

    hub: Hub
    who: Person
    numbers: Numbers
    is_exact: bool = True
    done: int = 0
    undone: int = 0
    _before: list[tuple[str, State]] = field(default_factory=list)

    def go(self, steps: Sequence[Step]) -> None:
        """Walk: `undo` takes back the newest, the others do something to the complaint of that place."""
        for kind, at, other in steps:
            if kind == "undo":
                self._undo()
                continue
            number, second = (self.numbers[each % len(self.numbers)] for each in (at, other))
            before, count = state(self.hub), entries(self.hub)
            try:
                self.do(kind, number, second, other)
            except (TransitionRefused, RegroupingRefused):
                self._check((state(self.hub), entries(self.hub)) == (before, count))
            else:
                self.done += 1
                self._check(is_replayed(self.hub))
                self._before.append((number, before))

    def take_back_all(self) -> None:
        """Take back what still stands, the newest first."""
        while self._before:
            self._undo()

    def do(self, kind: str, number: str, second: str, other: int) -> None:
        """One thing to one complaint, with a second where it takes two. Raises what the services refuse."""
        if kind == "move":
            to = _MOVES[other % len(_MOVES)]
            move(self.hub, self.who, number, to, **_GIVEN, **(SETTLED if to == "in_progress" else {}))
        elif kind == "attach":
            attach(self.hub, self.who, number, second)
        elif kind == "detach":
            detach(self.hub, self.who, number)
        else:
            split(self.hub, self.who, *dict.fromkeys((number, second)))

    def _undo(self) -> None:
        if self._before:
            number, before = self._before.pop()
            undo(self.hub, self.who, number)
            self.undone += 1
            self._check(state(self.hub) == before and is_replayed(self.hub))

    def _check(self, holds: bool) -> None:
        self.is_exact = self.is_exact and holds


def stray(hub: Hub, who: Person, numbers: Numbers, steps: Sequence[Step]) -> int:
    """Walk without looking on the way; gives how many cases stand at the end where their timeline does not lead."""
    walk = Walk(hub, who, numbers)
    for kind, at, other in steps:
        number, second = (numbers[each % len(numbers)] for each in (at, other))
        with suppress(TransitionRefused, RegroupingRefused, DeadlineRefused):
            if kind == "undo":
                undo(hub, who, number)
            else:
                walk.do(kind, number, second, other)
    return strayed(hub)


def is_replayed(hub: Hub) -> bool:
    """Whether the timeline of each case leads to its status and version."""
    return strayed(hub) == 0


def strayed(hub: Hub) -> int:
    """How many cases have a status or a version to which their timeline does not lead."""
    columns = casefile.c
    count = 0
    with hub.store.read() as connection:
        for row in connection.execute(sa.select(columns.id, columns.status, columns.revision)).all():
            try:
                led = replay(of_case(connection, row.id))
            except TimelineBroken:
                count += 1
            else:
                count += (led.status, led.revision) != (row.status, row.revision)
    return count


def open_all(hub: Hub, who: Person, numbers: Numbers) -> None:
    """Bring the case of each complaint into triage: what is taken back leaves the case that it opened."""
    for number in numbers:
        move(hub, who, number, "acknowledged")
        move(hub, who, number, "in_triage")


@contextmanager
def forgotten(hub: Hub) -> Iterator[None]:
    """Nobody did anything to any case, again, once the block is over."""
    with hub.store.read() as connection:
        rows = [dict(each) for each in connection.execute(sa.select(waiting)).mappings()]
    try:
        yield
    finally:
        with hub.store.write() as connection:
            for table in reversed(metadata.sorted_tables):
                if table is casefile or any(key.column.table is casefile for key in table.foreign_keys):
                    connection.execute(sa.delete(table))
            connection.execute(sa.insert(waiting), rows)
