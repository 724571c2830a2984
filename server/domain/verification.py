"""Verification: a finding on each act, who may make it, in which quarter it counts, and what a case comes to."""

import tomllib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from importlib import resources
from typing import Any, Final, Literal, get_args

from server.domain.errors import FindingRefused

State = Literal["corroborated", "falsely_attributed", "inconclusive", "under_verification", "unverified", "unfounded"]
# Why a finding can't stand, the weightiest first.
Fault = Literal[
    "state", "reason", "own", "second", "method", "sources", "certainty", "sources_too_few", "certainty_too_low", "day"
]

_QUARTER_MONTHS: Final = 3


@dataclass(frozen=True, order=True)
class Quarter:
    """Three months of a year, `number` from 1 to 4; a later one is greater."""

    year: int
    number: int

    @classmethod
    def of(cls, day: date) -> "Quarter":
        """The quarter that a day lies in."""
        return cls(day.year, (day.month - 1) // _QUARTER_MONTHS + 1)


@dataclass(frozen=True)
class Basis:
    """What a finding rests on. `verifier`: id of an account, or of the lineage that did the task; `sources`: how many
    independent ones there are."""

    verifier: str
    method: str
    sources: int
    certainty: str
    verified_on: date


@dataclass(frozen=True)
class Finding:
    """What one act, named by complaint and kind, is held to be.

    `basis` is None while it is being verified; `reason`: the code for which it is so again. `is_late`: it came after
    the quarter of the facts was over.
    """

    complaint: int
    kind: str
    state: State
    basis: Basis | None = None
    reason: str | None = None
    is_late: bool = False


@dataclass(frozen=True)
class Sum:
    """What the acts of a case come to: the worst that is known of one of them, and how many there are of each."""

    state: State
    acts: Mapping[State, int]


@dataclass(frozen=True)
class Rule:
    """Where an act may go from a state, and the least that a finding of that state rests on."""

    next: frozenset[str]
    certainty: str | None
    sources: int


def begin(before: Finding | None, complaint: int, kind: str, *, reason: str | None = None) -> Finding:
    """An act is being verified: for the first time, or again for a coded reason. Raises FindingRefused."""
    state: State = "unverified" if before is None else before.state
    faults: list[Fault] = [] if "under_verification" in RULES[state].next else ["state"]
    if before is not None and reason not in REOPENING:
        faults.append("reason")
    _refuse(faults)
    return Finding(complaint, kind, "under_verification", reason=reason)


def conclude(
    before: Finding,
    state: State,
    basis: Basis,
    *,
    collectors: Collection[str],
    happened_by: date | None,
    received_on: date,
    today: date,
    is_alone: bool = False,
) -> Finding:
    """The finding on an act that is under verification. `happened_by`: the last day of the facts as claimed.

    `collectors`: ids of whoever recorded the complaint, account and lineage. `is_alone`: of what is strict, whoever
    began it concludes it too. Raises FindingRefused with every fault.
    """
    faults: list[Fault] = ["second"] if is_alone else []
    faults += [*_state_faults(before, state), *_basis_faults(basis, RULES[state], collectors, today)]
    _refuse(faults)
    late = is_late(happened_by, received_on, today)
    return Finding(before.complaint, before.kind, state, basis, is_late=late)


def is_late(happened_by: date | None, received_on: date, today: date) -> bool:
    """Whether a finding of today comes after the quarter of the facts; of facts without a day, that of reception.

    Facts that a wrong clock put after their reception happened then at the latest.
    """
    day = received_on if happened_by is None else min(happened_by, received_on)
    return Quarter.of(today) > Quarter.of(day)


def summed(states: Iterable[State]) -> Sum:
    """What a case comes to by the states of all its acts; without any act it is unverified."""
    counted: Counter[State] = Counter(states)
    worst: State = next((state for state in STATES if counted[state]), "unverified")
    return Sum(worst, dict(counted))


def _state_faults(before: Finding, state: State) -> Iterator[Fault]:
    if before.state != "under_verification" or state not in RULES[before.state].next:
        yield "state"


def _basis_faults(basis: Basis, rule: Rule, collectors: Collection[str], today: date) -> Iterator[Fault]:
    if basis.verifier in collectors:
        yield "own"
    if basis.method not in METHODS:
        yield "method"
    if basis.sources < 1:
        yield "sources"
    elif basis.sources < rule.sources:
        yield "sources_too_few"
    if basis.certainty not in CERTAINTIES:
        yield "certainty"
    elif rule.certainty is not None and CERTAINTIES.index(basis.certainty) < CERTAINTIES.index(rule.certainty):
        yield "certainty_too_low"
    if basis.verified_on > today:
        yield "day"


def _refuse(faults: Collection[Fault]) -> None:
    if faults:
        ordered = tuple(fault for fault in FAULTS if fault in faults)
        raise FindingRefused(fault=ordered[0], faults=ordered)


def _rule(row: Mapping[str, Any]) -> Rule:
    return Rule(frozenset(row["next"]), row.get("certainty"), row.get("sources", 0))


_DATA: Final = tomllib.loads((resources.files("server.domain") / "verification.toml").read_text("utf-8"))
# The worst known first.
STATES: Final[tuple[State, ...]] = get_args(State)
FAULTS: Final[tuple[Fault, ...]] = get_args(Fault)
METHODS: Final[tuple[str, ...]] = tuple(_DATA["lists"]["method"])
CERTAINTIES: Final[tuple[str, ...]] = tuple(_DATA["lists"]["certainty"])
COURTS: Final[tuple[str, ...]] = tuple(_DATA["lists"]["court"])
REOPENING: Final[tuple[str, ...]] = tuple(_DATA["lists"]["reopening"])
RULES: Final[Mapping[str, Rule]] = {state: _rule(row) for state, row in _DATA["state"].items()}
