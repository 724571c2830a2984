"""Walks over cases: what is done is drawn by chance, and taking it back puts every row about cases where it was."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from server.domain.casework import CASEWORK, Status
from server.domain.errors import RegroupingRefused, TransitionRefused
from server.hub import Hub
from server.store.case_tables import casefile
from server.store.columns import metadata
from server.store.timeline import of_case
from tests.builders import Person
from tests.case_replays import Broken, replay
from tests.case_work import SETTLED, Numbers, State, attach, detach, entries, move, split, state, undo

Step = tuple[str, int, int]
Kept = dict[sa.Table, list[dict[str, Any]]]
KINDS = ("move", "attach", "detach", "split", "undo")
# One code of each list that a move may ask.
GIVEN = {
    "question": "where",
    "inadmissible": "out_of_mandate",
    "referral_over": "silent",
    "outcome": "mediated",
    "closure": "mediated",
    "untold": "anonymous",
    "reopening": "new_facts",
    "withdrawal": "told_to_us",
}
MOVES: Final[tuple[Status, ...]] = (
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
# Of these what a move to a status may ask, wherever it comes from.
GIVEN_TO: Final[Mapping[Status, Mapping[str, str]]] = {
    to: {
        name: GIVEN[name]
        for each in CASEWORK.transitions.values()
        for name in (*each.asks, *each.may_say)
        if each.to == to and name in GIVEN
    }
    for to in MOVES
}


def walks(*kinds: str) -> st.SearchStrategy[list[Step]]:
    """Walks of 6 to 16 steps; a kind that is named comes so much oftener."""
    step = st.tuples(st.sampled_from((*KINDS, *kinds)), st.integers(0, 3), st.integers(0, 26))
    return st.lists(step, min_size=6, max_size=16)


def few_or_100(few: int) -> pytest.MarkDecorator:
    """Gives a test `drawn`, the settings to draw so many walks by; or 100 of them, to prove."""
    many = pytest.param(_drawn(100), marks=[pytest.mark.prove, pytest.mark.timeout(900)], id="100")
    return pytest.mark.parametrize("drawn", [pytest.param(_drawn(few), id=str(few)), many])


def _drawn(examples: int) -> settings:
    return settings(max_examples=examples, deadline=None, suppress_health_check=[HealthCheck.too_slow])


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
            to = MOVES[other % len(MOVES)]
            wish: dict[str, Any] = {**GIVEN_TO[to], **(SETTLED if to == "in_progress" else {})}
            move(self.hub, self.who, number, to, **wish)
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
            except Broken:
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
    kept = keep(hub)
    try:
        yield
    finally:
        put_back(hub, kept)


def keep(hub: Hub) -> Kept:
    """All that case work has of any case now; the log and what devices were told is not of it."""
    with hub.store.read() as connection:
        return {each: [dict(row) for row in connection.execute(sa.select(each)).mappings()] for each in _of_cases()}


def put_back(hub: Hub, kept: Kept) -> None:
    """Bring every case to where it was when that was kept."""
    # No walk is there after a power cut.
    with hub.store.write(is_synced=False) as connection:
        for table in reversed(kept):
            connection.execute(sa.delete(table))
        for table, rows in kept.items():
            if rows:
                connection.execute(sa.insert(table), rows)


def _of_cases() -> list[sa.Table]:
    """The tables of cases, before each of them those to which it refers."""
    return [
        table
        for table in metadata.sorted_tables
        if table is casefile or any(key.column.table is casefile for key in table.foreign_keys)
    ]
