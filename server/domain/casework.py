"""What case work goes by, read once and checked: statuses, moves, coded reasons, urgency, own people of bodies."""

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import timedelta
from importlib import resources
from typing import Any, Final, Literal, TypeVar, get_args

from server.domain.permission import ACTIONS, Action

Status = Literal[
    "received",
    "acknowledged",
    "in_triage",
    "needs_information",
    "in_progress",
    "referred",
    "resolved",
    "inadmissible",
    "reopened",
    "duplicate",
    "closed",
    "withdrawn",
]
Stage = Literal["open", "paused", "closed"]
# For what a case waits: to be decided first, for the complainant, or for whoever works on it.
Queue = Literal["triage", "asked", "work"]
# From the most to the least urgent.
Urgency = Literal["U1", "U2", "U3", "U4"]
# What a move may hang on, beside the right to make it and the reasons that it asks.
Condition = Literal[
    "answered_or_waited",
    "owner_set",
    "kind_set",
    "urgency_set",
    "referral_sent",
    "referral_over",
    "no_referral",
    "told_or_impossible",
    "second_person",
    "wish_of_all",
    "joins_another",
    "comes_back",
]

STAGES: Final[tuple[Stage, ...]] = get_args(Stage)
STATUSES: Final[tuple[Status, ...]] = get_args(Status)
QUEUES: Final[tuple[Queue, ...]] = get_args(Queue)
# What nobody did anything with yet waits here, too.
TRIAGE: Final[Queue] = "triage"
URGENCIES: Final[tuple[Urgency, ...]] = get_args(Urgency)
CONDITIONS: Final[tuple[Condition, ...]] = get_args(Condition)
_QUEUES: Final[Mapping[Status, Queue]] = {
    "received": TRIAGE,
    "acknowledged": TRIAGE,
    "in_triage": TRIAGE,
    "needs_information": "asked",
}
# What the hub does by itself, at a due time or when something comes.
HUB: Final = "hub"
# The field of a step that is no code of a list: the body that a case is referred to.
BODY: Final = "body"

_Code = TypeVar("_Code", bound=str)
_TRANSITION_KEYS: Final = {
    "from", "to", "who", "conditions", "asks", "may_say", "pauses", "undo_minutes", "template", "strict_template",
    "fields",
}  # fmt: skip


@dataclass(frozen=True)
class Meaning:
    """What a status is: its stage, and the code that a device is told of it."""

    stage: Stage
    public: str


@dataclass(frozen=True)
class Transition:
    """One move that the machine knows, from `source` to `to`.

    `action` is the right it takes, `by_hub` whether the hub does it by itself, too. `asks` and `may_say` name lists of
    reasons of which a code must, or may, be said. `undo`: how long it can be taken back; a public step is told when
    that is over. `template` is None where nothing is told; `strict_template` stands for it in strict cases.
    """

    source: Status
    to: Status
    action: Action
    by_hub: bool
    conditions: tuple[Condition, ...]
    asks: tuple[str, ...]
    may_say: tuple[str, ...]
    pauses: bool
    undo: timedelta
    template: str | None
    strict_template: str | None
    fields: tuple[str, ...]


@dataclass(frozen=True)
class UrgencyRule:
    """A rule of urgency, by its code: it holds where all that it names does; None and empty name nothing."""

    code: str
    level: Urgency
    kinds: frozenset[str] = frozenset()
    with_kinds: frozenset[str] = frozenset()
    answers: frozenset[str] = frozenset()
    danger: str | None = None
    ages: frozenset[str] = frozenset()
    within_days: int | None = None
    past_days: int | None = None


@dataclass(frozen=True)
class Casework:
    """All of it.

    `reasons`: lists of codes by their names. `urgency_rules`: the most urgent first; where none holds it is
    `usual_urgency`. `own_people`: bodies by the category of their people.
    """

    never_told: frozenset[str]
    left_out_when_strict: frozenset[str]
    answer_wait: timedelta
    statuses: Mapping[Status, Meaning]
    reasons: Mapping[str, tuple[str, ...]]
    transitions: Mapping[tuple[Status, Status], Transition]
    urgency_rules: tuple[UrgencyRule, ...]
    usual_urgency: Urgency
    own_people: Mapping[str, frozenset[str]]


def queue_of(status: Status) -> Queue:
    """For what a case waits that is not closed."""
    return _QUEUES.get(status, "work")


def read(table: Mapping[str, Any]) -> Casework:
    """Case work as a table says it. Raises ValueError for what the machine does not know, or what says two things."""
    reasons = {name: tuple(codes) for name, codes in table["reason"].items()}
    statuses = {_one_of(STATUSES, name): _meaning(row) for name, row in table["status"].items()}
    _expect(set(statuses) == set(STATUSES), "statuses that are missing", set(STATUSES) - set(statuses))
    transitions = [each for row in table["transition"] for each in _transitions(row, reasons)]
    by_ends = {(each.source, each.to): each for each in transitions}
    _expect(len(by_ends) == len(transitions), "two moves between the same statuses", len(transitions) - len(by_ends))
    rules = [_rule(code, row) for code, row in table["urgency"]["rule"].items()]
    return Casework(
        never_told=_codes(table["never_told"], (code for codes in reasons.values() for code in codes)),
        left_out_when_strict=_codes(table["left_out_when_strict"], [BODY, *reasons]),
        answer_wait=timedelta(days=table["answer_days"]),
        statuses=statuses,
        reasons=reasons,
        transitions=by_ends,
        urgency_rules=tuple(sorted(rules, key=lambda rule: URGENCIES.index(rule.level))),
        usual_urgency=_one_of(URGENCIES, table["urgency"]["usual"]),
        own_people={category: frozenset(bodies) for category, bodies in table["own_people"].items()},
    )


def _meaning(row: Mapping[str, str]) -> Meaning:
    return Meaning(_one_of(STAGES, row["stage"]), row["public"])


def _transitions(row: Mapping[str, Any], reasons: Mapping[str, Sequence[str]]) -> Iterator[Transition]:
    """One for each pair of statuses that the row names."""
    _expect(row.keys() <= _TRANSITION_KEYS, "keys of a move that are not known", row.keys() - _TRANSITION_KEYS)
    rights = [name for name in row["who"] if name != HUB]
    _expect(len(rights) == 1, "a move takes one right", rights)
    asks, may_say = tuple(row.get("asks", ())), tuple(row.get("may_say", ()))
    _codes([*asks, *may_say], reasons)
    _codes(row.get("fields", ()), [BODY, *asks, *may_say])
    _expect("template" in row or not row.keys() & {"strict_template", "fields"}, "a move that tells nothing", row)
    for source in row["from"]:
        for to in row["to"]:
            yield Transition(
                source=_one_of(STATUSES, source),
                to=_one_of(STATUSES, to),
                action=_one_of(ACTIONS, rights[0]),
                by_hub=HUB in row["who"],
                conditions=tuple(_one_of(CONDITIONS, name) for name in row.get("conditions", ())),
                asks=asks,
                may_say=may_say,
                pauses=row.get("pauses", False),
                undo=timedelta(minutes=row.get("undo_minutes", 0)),
                template=row.get("template"),
                strict_template=row.get("strict_template"),
                fields=tuple(row.get("fields", ())),
            )


def _rule(code: str, row: Mapping[str, Any]) -> UrgencyRule:
    known = {each.name for each in fields(UrgencyRule)} - {"code"}
    _expect(row.keys() <= known, "members of a rule that are not known", row.keys() - known)
    many = {name: frozenset(row[name]) for name in ("kinds", "with_kinds", "answers", "ages") if name in row}
    _expect(len(row) > 1, "a rule of urgency that names nothing", code)
    return UrgencyRule(code, **{**row, **many, "level": _one_of(URGENCIES, row["level"])})


def _one_of(known: Sequence[_Code], name: str) -> _Code:
    found = next((each for each in known if each == name), None)
    if found is None:
        raise ValueError(f"casework.toml: not known: {name}")
    return found


def _codes(named: Iterable[str], known: Iterable[str]) -> frozenset[str]:
    unknown = set(named) - set(known)
    _expect(not unknown, "not known", unknown)
    return frozenset(named)


def _expect(holds: bool, what: str, named: object) -> None:
    if not holds:
        raise ValueError(f"casework.toml: {what}: {named}")


def _load() -> dict[str, Any]:
    return tomllib.loads((resources.files("server.domain") / "casework.toml").read_text("utf-8"))


CASEWORK: Final = read(_load())
