"""Tasks: what a team does for a complaint in the field, by which ways it reaches the person, in which days."""

import tomllib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from importlib import resources
from typing import Any, Final, Literal, get_args

from server.domain import contact
from server.domain.contact import WAYS, Way, Wish
from server.domain.deadlines import Term
from server.domain.errors import TaskRefused

Kind = Literal["visit", "ask", "collect", "inform", "quarterly", "choice"]
# `set`: it waits for its day to travel; `told`: it is in the changes for its device.
State = Literal["set", "told", "done", "recalled", "over"]
# Why a task can't be set, the weightiest first.
Fault = Literal[
    "gbv_visit", "choice_first", "not_gbv", "collector", "already", "window", "repeats", "words", "place", "ended"
]

KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
FAULTS: Final[tuple[Fault, ...]] = get_args(Fault)
OPEN: Final[frozenset[State]] = frozenset({"set", "told"})
TEXT_MAX_CHARS: Final = 4_000


@dataclass(frozen=True)
class Rule:
    """What a kind of task goes by; see task.toml. `every`: None for what is done once."""

    ways: tuple[Way, ...]
    outcomes: tuple[str, ...]
    finds: bool
    by_another: bool
    tells: frozenset[str]
    answers: frozenset[str]
    choices: frozenset[str]
    every: Term | None


@dataclass(frozen=True)
class Window:
    """The days in which a task is to be done, both of them counted."""

    opens_on: date
    closes_on: date

    @property
    def days(self) -> int:
        """How many there are."""
        return (self.closes_on - self.opens_on).days + 1


@dataclass(frozen=True)
class Situation:
    """What setting a task of a complaint goes by, beside how the person may be reached.

    `collector`: the lineage that recorded the complaint, `lineage`: that of the device that gets the task.
    `open_kinds`: kinds of its tasks that are not done yet.
    """

    collector: str
    lineage: str
    open_kinds: Collection[str]


def ways(kind: Kind, wishes: Sequence[Wish], *, has_chosen: bool) -> tuple[Way, ...]:
    """The ways by which a task may reach the person, as the complaint stands; at least one.

    `has_chosen`: a survivor chose a centre, or none. Asked when the task is set, again when it travels, and as long as
    it lies on a device. Raises TaskRefused (`gbv_visit`, `choice_first`, `not_gbv`) and ContactNotAllowed.
    """
    rule, is_gbv = RULES[kind], any(wish.care == "gbv" for wish in wishes)
    offered = [way for way in rule.ways if not (is_gbv and way in _COMES)]
    _refuse(_gbv_faults(kind, offered, is_gbv=is_gbv, has_chosen=has_chosen))
    allowed = contact.reach(wishes).ways
    found = tuple(way for way in offered if way in allowed)
    if not found:
        contact.check(wishes, offered[0])
    return found


def check(kind: Kind, window: Window, situation: Situation, today: date, *, repeats: bool) -> None:
    """Whether a task may be set so. Raises TaskRefused with every fault."""
    _refuse(_faults(kind, window, situation, today, repeats=repeats))


def travels_from(window: Window) -> date:
    """The day from which a task may lie on its device."""
    return window.opens_on - timedelta(days=_AHEAD.days)


def next_window(kind: Kind, window: Window, today: date) -> Window:
    """When a task that comes again does: as long, so many terms later that it is not over yet. Raises KeyError for what
    is done once."""
    term = RULES[kind].every
    if term is None:
        raise KeyError(kind)
    found = window
    while found == window or found.closes_on < today:
        opens_on = term.after(datetime.combine(found.opens_on, time(), UTC)).date()
        found = Window(opens_on, opens_on + (window.closes_on - window.opens_on))
    return found


def _gbv_faults(kind: Kind, offered: Sequence[Way], *, is_gbv: bool, has_chosen: bool) -> Iterator[Fault]:
    is_choice = bool(RULES[kind].choices)
    if is_gbv and not offered:
        yield "gbv_visit"
    if is_gbv and not is_choice and not has_chosen:
        yield "choice_first"
    if is_choice and not is_gbv:
        yield "not_gbv"


def _faults(kind: Kind, window: Window, situation: Situation, today: date, *, repeats: bool) -> Iterator[Fault]:
    if RULES[kind].by_another and situation.lineage == situation.collector:
        yield "collector"
    if kind in situation.open_kinds:
        yield "already"
    if not _DAYS_LEAST <= window.days <= _DAYS_MOST or window.closes_on < today:
        yield "window"
    if repeats and RULES[kind].every is None:
        yield "repeats"


def _refuse(faults: Iterator[Fault]) -> None:
    found = set(faults)
    if found:
        ordered = tuple(fault for fault in FAULTS if fault in found)
        raise TaskRefused(fault=ordered[0], faults=ordered, least=_DAYS_LEAST, most=_DAYS_MOST)


def _rule(row: Mapping[str, Any]) -> Rule:
    return Rule(
        ways=tuple(way for way in WAYS if way in row["ways"]),
        outcomes=tuple(row["outcomes"]),
        finds=row.get("finds", False),
        by_another=row.get("by_another", False),
        tells=frozenset(row.get("tells", ())),
        answers=frozenset(row.get("answers", ())),
        choices=frozenset(row.get("choices", ())),
        every=Term.read(row["every"]) if "every" in row else None,
    )


_DATA: Final = tomllib.loads((resources.files("server.domain") / "task.toml").read_text("utf-8"))
RULES: Final[Mapping[Kind, Rule]] = {kind: _rule(_DATA["kind"][kind]) for kind in KINDS}
ANSWERS: Final = frozenset(outcome for rule in RULES.values() for outcome in rule.answers)
_COMES: Final = frozenset(_DATA["comes"])
_AHEAD: Final = Term.read(_DATA["ahead"])
_DAYS_LEAST: Final[int] = _DATA["window_days_least"]
_DAYS_MOST: Final[int] = _DATA["window_days_most"]
