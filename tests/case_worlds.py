"""Cases in memory, worked on by the pure rules alone: what the store has to do, done with dictionaries."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

from server.domain import joining
from server.domain.case import CaseFacts, UrgencyWord, move, moves
from server.domain.casework import CASEWORK, Status, Urgency
from server.domain.errors import RegroupingRefused, TransitionRefused
from server.domain.joining import Place, Regrouping
from server.domain.permission import Actor, Target
from server.domain.urgency import standing
from tests.builders import NOW

COORDINATOR = Actor("a-1", "coordinator", is_named_reader=True)
OTHER = Actor("a-2", "coordinator", is_named_reader=True)
# Against a case like this no condition stands, but for those on what other cases and complaints are to it.
READY: Mapping[str, Any] = {
    "owner": "a-1",
    "kind": "COR-RACKET",
    "word": UrgencyWord("U3", {}),
    "has_answer": True,
    "is_told": True,
    "referrals": 1,
}
# One code of every list that a move may ask for.
# But for an answer that somebody heard: whether there is one is another fact of a case.
SAID: Mapping[str, str] = {name: codes[0] for name, codes in CASEWORK.reasons.items() if name != "heard"} | {
    "withdrawal": "told_to_us"
}
_STARTS: tuple[Status, ...] = ("received", "acknowledged", "in_triage", "in_progress", "referred")
_LEVELS: tuple[Urgency, ...] = ("U1", "U2", "U3", "U4")


def a_case(id: int = 1, status: Status = "in_triage", **changes: Any) -> CaseFacts:
    """A case of one complaint of its own, in its status since NOW, about which nothing more is known."""
    known: dict[str, Any] = {
        "since": NOW,
        "revision": 1,
        "urgency": "U3",
        "complaints": frozenset({id}),
        "targets": (Target(region="ml-r-gao"),),
        "opened_for": id,
    }
    return CaseFacts(id=id, status=status, **{**known, **changes})


def stands(case: CaseFacts, place: Place) -> CaseFacts:
    """The case after a regrouping."""
    said = {name: value for name, value in vars(place).items() if name != "case"}
    return replace(case, **said, revision=case.revision + 1)


class World:
    """Several cases of one complaint each, to which anything may be done; `seed` says what."""

    def __init__(self, seed: int, count: int = 5) -> None:
        self._dice = Random(seed)
        self.now: datetime = NOW
        self.urgencies = {id: self._dice.choice(_LEVELS) for id in range(count)}
        self.cases = {id: self._new(id) for id in range(count)}
        self.done: list[Regrouping] = []
        self.steps: list[tuple[Status, Status]] = []

    def stir(self) -> str:
        """Do one thing, if it is possible: move, attach, take out, or undo the last of these; gives what it tried."""
        self.now += timedelta(minutes=1)
        doing = self._dice.choice((self._move, self._move, self._attach, self._take_out, self._undo))
        doing()
        return doing.__name__.strip("_")

    def holders(self) -> dict[int, list[int]]:
        """By complaint, the cases that have it."""
        return {each: [id for id, case in self.cases.items() if each in case.complaints] for each in self.urgencies}

    def levels(self) -> dict[int, Urgency]:
        """By complaint, how urgent the case is that has it."""
        return {
            id: standing(case.word, {each: self.urgencies[each] for each in case.complaints})
            for case in self.cases.values()
            for id in case.complaints
        }

    def _new(self, id: int) -> CaseFacts:
        status = self._dice.choice(_STARTS)
        said = UrgencyWord(self._dice.choice(_LEVELS), {id: self.urgencies[id]})
        # Nobody works on a case before that.
        word = said if status in ("in_progress", "referred") else self._dice.choice((None, said))
        return a_case(id, status, **{**READY, "word": word, "referrals": int(status == "referred")})

    def _any(self) -> CaseFacts:
        return self._dice.choice(list(self.cases.values()))

    def _move(self) -> None:
        case = self._any()
        possible = [each for each in moves(case, COORDINATOR, self.now, SAID) if not each.unmet]
        if possible:
            to = self._dice.choice(possible).transition.to
            made = move(case, to, COORDINATOR, self.now, SAID)
            self.steps.append((case.status, to))
            self.cases[case.id] = replace(case, status=to, since=self.now, revision=made.revision)

    def _attach(self) -> None:
        case, into = self._any(), self._any()
        has_path = (case.status, "duplicate") in CASEWORK.transitions
        may = has_path and case != into and not into.is_closed and not case.referrals
        try:
            self._keep(joining.attach(case, into, COORDINATOR, self.now))
        except TransitionRefused:
            assert not may

    def _take_out(self) -> None:
        case, home = self._any(), self._any()
        out = {each for each in case.complaints if self._dice.random() < 0.5}
        try:
            self._keep(joining.split(case, out, home, COORDINATOR, self.now))
        except RegroupingRefused:
            assert not out or case.opened_for in out or home.opened_for not in out

    def _undo(self) -> None:
        if self.done:
            last = self.done.pop()
            own, other = (self.cases[place.case] for place in last.after)
            try:
                self._put(joining.undo(last, (own, other), COORDINATOR))
            except RegroupingRefused:
                regrouped = own.since != last.after[0].since or other.complaints != last.after[1].complaints
                assert regrouped or other.since != last.after[1].since

    def _keep(self, made: Regrouping) -> None:
        self.done.append(made)
        self.steps.append((made.before[0].status, made.after[0].status))
        self._put(made.after)
        own, other = (self.cases[place.case] for place in made.after)
        assert joining.undo(made, (own, other), COORDINATOR) == made.before

    def _put(self, places: tuple[Place, Place]) -> None:
        for place in places:
            self.cases[place.case] = stands(self.cases[place.case], place)
