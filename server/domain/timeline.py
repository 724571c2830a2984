"""The timeline of a case: append-only entries that lead to its status, and the public steps that devices are told."""

import re
import tomllib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from importlib import resources
from typing import Any, Final, Protocol, TypeVar

from server.domain.calendar import Calendar
from server.domain.case import Step
from server.domain.casework import CASEWORK, Transition
from server.domain.deadlines import Term
from server.domain.errors import TimelineBroken
from server.domain.packages import FILE_NUMBER

_ARRIVED: Final = "acknowledged"
# Somebody was told by word, and the field of an entry that says how.
TOLD: Final = "told"
TOLD_BY: Final = "way"
# In what a deputy left, the id of whose place it was done in.
FOR: Final = "for"
_CODE: Final = re.compile(r"[a-z0-9_]{1,40}")
# The one field of a step that is no code: the number that a body gave.
_NUMBER: Final = "file_number"
# What a device is told that a complaint is, of which it was told nothing yet.
_BEGUN: Final = CASEWORK.statuses["received"].public


class Entry(Protocol):
    """One entry: `no` counts those of a case from 1.

    `fields`: of a move `from`, `to` and the codes that were `given`; of a referral the complaints that were `sent`.
    `step`: `template` and `fields`.
    """

    @property
    def no(self) -> int:
        """Its number."""

    @property
    def at(self) -> datetime:
        """When."""

    @property
    def complaint(self) -> int | None:
        """The complaint that it is about alone."""

    @property
    def fields(self) -> Mapping[str, Any]:
        """What was done."""

    @property
    def step(self) -> Mapping[str, Any] | None:
        """What devices are told."""

    @property
    def tells_at(self) -> datetime | None:
        """When it can't be taken back any more."""

    @property
    def undoes(self) -> int | None:
        """The number of the entry that it takes back."""


_Entry = TypeVar("_Entry", bound=Entry)


@dataclass(frozen=True)
class Window:
    """The public step that comes next, and the days between which it does."""

    step: str
    opens_on: date
    closes_on: date


@dataclass(frozen=True)
class PublicStep:
    """What the device of one complaint is told: a code, a template with its fields, never words; and what comes next.

    `no`: the entry it comes from, which with the complaint is what makes it one step. It may be told from `tells_at`.
    """

    no: int
    complaint: int
    code: str
    said: Step
    at: datetime
    tells_at: datetime
    next: Window | None


@dataclass(frozen=True)
class _Kind:
    """A public step that is no move. `code`: what the complaint is from then on; empty: what it was before."""

    code: str
    template: str
    strict_template: str | None
    fields: tuple[str, ...]


def standing(entries: Sequence[_Entry]) -> list[_Entry]:
    """The entries that nobody took back, but for those that take back."""
    undone = {entry.undoes for entry in entries}
    return [entry for entry in entries if entry.no not in undone and entry.undoes is None]


def is_last_move(entries: Sequence[Entry], no: int) -> bool:
    """Whether no move that stands came after that entry of a case: a move is taken back only then."""
    return not any(_is_move(each) and each.no > no for each in standing(entries))


def step_of(name: str, given: Mapping[str, str], *, is_strict: bool) -> Step:
    """What devices are told of something that is no move. Raises KeyError for what is no such step."""
    kind = _KINDS[name]
    step = Step(kind.template, {field: given[field] for field in kind.fields if field in given})
    return quieted(step) if is_strict else step


def tells_at(at: datetime) -> datetime:
    """When what is no move is told: once it can't be taken back any more."""
    return at + _UNDO


def quieted(step: Step) -> Step:
    """The step as a strict case tells it: the body is not named, nor anything that says which it is."""
    fields = {name: code for name, code in step.fields.items() if name not in _LEFT_OUT}
    return Step(_STRICT_TEMPLATES.get(step.template, step.template), fields)


def public_steps(entries: Sequence[Entry], complaint: int, calendar: Calendar, *, is_strict: bool) -> list[PublicStep]:
    """All that entries of a case tell the device of this complaint: in order, without what was taken back.

    `is_strict`: as the case is now. Raises TimelineBroken where a field is no code: words never leave.
    """
    found: list[PublicStep] = []
    for entry in standing(entries):
        if entry.complaint in (None, complaint) and entry.step is not None:
            before = found[-1].code if found else _BEGUN
            found.append(_public(entry, complaint, before, calendar, is_strict=is_strict))
    return found


def to_tell(steps: Sequence[PublicStep], last: Step | None, now: datetime) -> list[PublicStep]:
    """Those of the steps that were not told yet which enter the change log now: no longer to be undone.

    None is told before one that came first, nor one that says nothing new after the `last` that was told: that it has
    arrived is no news of a complaint of which more is known, be it from the case that it joined.
    """
    found: list[PublicStep] = []
    for step in steps:
        if not may_tell(step.tells_at, now):
            break
        if step.said != last and not (last is not None and step.said.template == _ARRIVED):
            found.append(step)
            last = step.said
    return found


def may_tell(tells_at: datetime, now: datetime) -> bool:
    """Whether what waits for that moment may be told now: it came, or only a clock that was ahead can have set it."""
    return not now < tells_at <= now + TELLS_WITHIN


def untold(entries: Sequence[Entry], complaints: Collection[int], seen: Collection[tuple[int, int]]) -> frozenset[int]:
    """Those of the complaints of a case of which nobody is known to have heard what became of it.

    `seen`: complaint and number of the entry, of each step that somebody saw on the complaint's device; an entry that
    says by which way somebody was told counts as much. All of them, where there is nothing to hear yet.
    """
    stands = standing(entries)
    outcome = max((each.no for each in stands if (each.step or {}).get("template") in _OUTCOMES), default=None)
    if outcome is None:
        return frozenset(complaints)
    heard = {complaint for complaint, no in seen if no == outcome}
    told = {each.complaint for each in stands if each.no > outcome and TOLD_BY in each.fields}
    return frozenset(complaints) - heard - told


def window(template: str, at: datetime, calendar: Calendar) -> Window | None:
    """What comes after a template that was told of then, and when; None after the last one."""
    row = _NEXT.get(template)
    if row is None:
        return None
    opens_on, closes_on = (Term.read(row[name]).after(at).date() for name in ("from", "to"))
    return Window(row["step"], calendar.working_from(opens_on), calendar.working_from(closes_on))


def _is_move(entry: Entry) -> bool:
    """Complaints may come and go while a case stays what it is."""
    return "to" in entry.fields and entry.fields["to"] != entry.fields.get("from")


def _public(entry: Entry, complaint: int, before: str, calendar: Calendar, *, is_strict: bool) -> PublicStep:
    """`before`: what the complaint was by the step before it."""
    members = entry.step or {}
    step = Step(members["template"], members["fields"])
    _check_codes(entry.no, step.fields)
    step = quieted(step) if is_strict else step
    if complaint not in entry.fields.get("sent", [complaint]) and step.template in _NOT_SENT:
        step = Step(_NOT_SENT[step.template], {})
    return PublicStep(
        no=entry.no,
        complaint=complaint,
        code=_CODES[step.template] or before,
        said=step,
        at=entry.at,
        tells_at=entry.tells_at or tells_at(entry.at),
        next=window(step.template, entry.at, calendar),
    )


def _check_codes(no: int, fields: Mapping[str, object]) -> None:
    for name, value in fields.items():
        form = FILE_NUMBER if name == _NUMBER else _CODE
        if not isinstance(value, str) or not form.fullmatch(value):
            raise TimelineBroken(no=no, fault="words")


def _kinds(rows: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, _Kind]]:
    for name, row in rows.items():
        fields = tuple(row.get("fields", ()))
        yield name, _Kind(row.get("code", ""), row["template"], row.get("strict_template"), fields)


def _strict_templates() -> dict[str, str]:
    told: list[Transition | _Kind] = [*CASEWORK.transitions.values(), *_KINDS.values()]
    return {each.template: each.strict_template for each in told if each.template and each.strict_template}


def _outcomes() -> frozenset[str]:
    moves = [each for each in CASEWORK.transitions.values() if each.to in ENDED]
    return frozenset(name for move in moves for name in (move.template, move.strict_template) if name)


def _codes() -> dict[str, str]:
    """By template, what a device is told that the complaint is."""
    moves = [(move, CASEWORK.statuses[move.to].public) for move in CASEWORK.transitions.values()]
    named = [(move.template, code) for move, code in moves] + [(move.strict_template, code) for move, code in moves]
    for kind in _KINDS.values():
        named += [(kind.template, kind.code), (kind.strict_template, kind.code)]
    return {template: code for template, code in named if template}


_DATA: Final = tomllib.loads((resources.files("server.domain") / "steps.toml").read_text("utf-8"))
_UNDO: Final = timedelta(minutes=_DATA["undo_minutes"])
# Far longer than anything can be taken back.
TELLS_WITHIN: Final = timedelta(days=1)
_KINDS: Final[Mapping[str, _Kind]] = dict(_kinds(_DATA["step"]))
_NEXT: Final[Mapping[str, Mapping[str, str]]] = _DATA["next"]
_NOT_SENT: Final[Mapping[str, str]] = _DATA["not_sent"]
_LEFT_OUT: Final = CASEWORK.left_out_when_strict | frozenset(_DATA["left_out_when_strict"])
_STRICT_TEMPLATES: Final = _strict_templates()
_CODES: Final = _codes()
# Where cases are closed from, once the complainants know what became of them.
ENDED: Final = frozenset(
    each.source for each in CASEWORK.transitions.values() if "told_or_impossible" in each.conditions
)
_OUTCOMES: Final = _outcomes()
TEMPLATES: Final = frozenset(_CODES)
