"""Walks: whatever people do to cases, and take back, no case ever stands as none may; on both engines."""

import os
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import cycle
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

from server.domain.casework import CASEWORK
from server.domain.desk import Desk
from server.domain.errors import NotFound, RegroupingRefused, TransitionRefused
from server.hub import Hub
from server.services.cases import joining, moving, undoing
from server.services.cases.moving import Intent
from tests.benchmarks.figure import Figure, note
from tests.benchmarks.harness import Void
from tests.builders import Clock, Person, add_person, complaint, enrolled, open_test_hub
from tests.case_law import Rows, illegal, rows_of
from tests.case_walks import GIVEN_TO, KINDS, MOVES, keep, open_all, put_back
from tests.case_work import SETTLED, Numbers
from tests.memory import ram
from tests.postgres import running_cluster

FIGURES: Final = ("illegal_states",)
_ENGINES: Final = ("sqlite", "postgresql")
_WALKS: Final = 5_000
# So many on one hub, after which it is told what they came to.
_SHARE: Final = 125
_STEPS: Final = 12
_COMPLAINTS: Final = 4
# Most acts are moves.
_KINDS: Final = (*KINDS, "move", "move", "attach")
# An answer that nobody's device sent, with which a question is left before its time.
_HEARD: Final = {"heard": "heard_by_call"}
_BACK: Final = ("needs_information", "in_triage")
# Between two acts: most at once, some when a move can't be taken back any more, or a question needs no answer.
_PASSES: Final = (timedelta(), timedelta(), timedelta(minutes=4), timedelta(minutes=11), timedelta(days=31))


@dataclass
class Tally:
    """Acts that were `done` and `refused`, those taken back to the row (`exact`), and what was `illegal` in words."""

    done: int = 0
    refused: int = 0
    exact: int = 0
    illegal: list[str] = field(default_factory=list)


class _Done(NamedTuple):
    """An act that stands: the entries that it left, by case and number, and all rows before it."""

    entries: frozenset[tuple[int, int]]
    before: Rows


def measure() -> Iterator[Figure]:
    """What was illegal in 5,000 walks of twelve acts on four complaints, half of them on each engine.

    Raises Void when next to nothing was done, or taken back.
    """
    tallies = list(_shares(_WALKS))
    done, exact = sum(each.done for each in tallies), sum(each.exact for each in tallies)
    found = [each for tally in tallies for each in tally.illegal]
    note(f"{done} acts done, {sum(each.refused for each in tallies)} refused, {exact} taken back before any other")
    note(f"illegal: {found[:5] or 'none'}")
    if done < _WALKS or exact < _WALKS // 20:
        raise Void("hardly anything was done to cases, or taken back")
    yield Figure("illegal_states", len(found), "cases", "=", 0)


def _shares(walks: int) -> Iterator[Tally]:
    """The engines in turn, by as many processes as there are cores; says how far it is."""
    shares = [range(walks)[first : first + _SHARE] for first in range(0, walks, _SHARE)]
    with (
        TemporaryDirectory(dir=ram()) as folder,
        running_cluster(os.environ) as cluster,
        ProcessPoolExecutor(os.cpu_count()) as pool,
    ):
        walked: dict[Future[Tally], str] = {}
        for seeds, engine in zip(shares, cycle(_ENGINES)):
            url = cluster.name_database() if engine == "postgresql" else engine
            share = pool.submit(walk_through, url, Path(folder) / str(seeds.start), seeds)
            walked[share] = f"{len(seeds)} walks on {engine}"
        for at, each in enumerate(as_completed(walked), 1):
            tally = each.result()
            note(f"illegal_states: {len(tally.illegal)} in {walked[each]} ({at} of {len(walked)} shares)")
            yield tally


def walk_through(url: str, folder: Path, seeds: range) -> Tally:
    """Walks by their seeds on one hub behind `url`, each from four cases in triage, one of them strict."""
    clock, tally = Clock(), Tally()
    hub = open_test_hub(url, folder, clock)
    try:
        people, numbers = _settled(hub)
        start, kept = clock.now, keep(hub)
        for seed in seeds:
            walk = Walk(hub, clock, people, numbers, seed, tally)
            for _ in range(_STEPS):
                walk.step()
            put_back(hub, kept)
            clock.now = start
    finally:
        hub.close()
    return tally


def _settled(hub: Hub) -> tuple[list[Person], Numbers]:
    """Two people who handle everything, and complaints of two teams whose cases are in triage."""
    of_gao, of_mopti = (enrolled(hub, team, team=team) for team in ("gao", "mopti"))
    of_gao.send(complaint("a"), complaint("b"))
    of_mopti.send(complaint("c"), complaint("d", confidentiality="strict"))
    people = [add_person(hub, name, is_named_reader=True) for name in ("Awa", "Binta")]
    numbers = tuple(f"SRE-{hub.clock().year}-{number:06}" for number in range(1, _COMPLAINTS + 1))
    open_all(hub, people[0], numbers)
    return people, numbers


class Walk:
    """What two people do to some complaints, by the dice; all rows are looked at after each act."""

    def __init__(self, hub: Hub, clock: Clock, people: list[Person], numbers: Numbers, seed: int, tally: Tally) -> None:
        self._hub, self._clock, self._numbers, self._tally = hub, clock, numbers, tally
        self._name, self._dice = f"walk {seed} on {hub.store.engine.dialect.name}", Random(seed)
        self._desks = [hub.desk(each.actor, each.keys) for each in people]
        self._rows = rows_of(hub)
        self._complaints = dict(zip(numbers, sorted(self._rows.revisions), strict=True))
        self._standing: list[_Done] = []
        self._last = numbers[0]

    def step(self) -> None:
        """Let time pass, do one thing, and look."""
        self._clock.now += self._dice.choice(_PASSES)
        desk = replace(self._dice.choice(self._desks), now=self._clock.now)
        # Mostly to the case of before: few acts would ever lead far.
        number = self._dice.choice((self._last, self._last, *self._numbers))
        kind, before = self._dice.choice(_KINDS), self._rows
        try:
            self._act(desk, kind, number)
        except (TransitionRefused, RegroupingRefused, NotFound) as refused:
            self._look()
            self._tally.refused += 1
            if self._rows != before:
                self._report(f"what was refused ({refused.code}) left something")
            return
        self._look()
        self._last = number
        self._tally.done += 1
        for fault in illegal(self._rows):
            self._report(fault)
        self._note(kind, before)

    def _report(self, fault: str) -> None:
        """What is wrong stays wrong, and counts once."""
        told = f"{self._name}: {fault}"
        if told not in self._tally.illegal:
            self._tally.illegal.append(told)

    def _look(self) -> None:
        self._rows = rows_of(self._hub)

    def _act(self, desk: Desk, kind: str, number: str) -> None:
        """One thing to one complaint, with a second where it takes two. Raises what the services refuse."""
        store, second = self._hub.store, self._dice.choice(self._numbers)
        after, into_after = self._seen(number), self._seen(second)
        if kind == "move":
            moving.move(store, desk, number, self._intent(number), after=after)
        elif kind == "attach":
            joining.attach(store, desk, number, second, after=after, into_after=into_after)
        elif kind == "detach":
            joining.detach(store, desk, number, after=after)
        elif kind == "split":
            joining.split(store, desk, [*dict.fromkeys((number, second))], after=after)
        else:
            # Mostly the newest; else any, be it one that can't be taken back.
            undoing.undo(store, desk, number, self._dice.choice((None, None, self._dice.randint(1, after))))

    def _seen(self, number: str) -> int:
        """The version of a complaint's case, as whoever looked at it after the last act knows it."""
        return self._rows.revisions[self._complaints[number]]

    def _intent(self, number: str) -> Intent:
        """Mostly a status that follows where the case is, with what such a move asks; at times any."""
        source = self._rows.statuses[self._complaints[number]]
        following = [to for to in MOVES if (source, to) in CASEWORK.transitions]
        to = self._dice.choice(self._dice.choice((following or MOVES, following or MOVES, MOVES)))
        given = {**GIVEN_TO[to], **(_HEARD if (source, to) == _BACK else {})}
        return Intent(to, self._most_of(given), **self._most_of(SETTLED))

    def _most_of(self, whole: Mapping[str, Any]) -> dict[str, Any]:
        """All of it; as often, all but one."""
        missing = self._dice.choice((*whole, *("" for _ in whole), ""))
        return {name: value for name, value in whole.items() if name != missing}

    def _note(self, kind: str, before: Rows) -> None:
        """Keep what was done; whatever is taken back before anything else is done leaves every row as it was."""
        made = [each for each in self._rows.entries if each.no > _revision(before, each.casefile)]
        entries = frozenset((each.casefile, each.no) for each in made)
        if kind != "undo":
            self._standing.append(_Done(entries, before))
            return
        if self._standing and {(each.casefile, each.undoes) for each in made} == self._standing[-1].entries:
            self._tally.exact += 1
            if self._rows.state() != self._standing.pop().before.state():
                self._report("what was taken back left something")
        else:
            # What was done since then was done to something else.
            self._standing.clear()


def _revision(rows: Rows, case: int) -> int:
    return next(int(each.revision) for each in rows.cases if each.id == case)
