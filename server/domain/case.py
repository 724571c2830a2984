"""The machine of cases: which moves are possible and why the others are not, and what a move does."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from server.domain.casework import CASEWORK, Condition, Status, Transition, Urgency
from server.domain.errors import StaleRevision, TransitionRefused
from server.domain.permission import JOB, Action, Actor, Target, permit

# What can stand against any move, beside its conditions and what is not said: there is no such move, it is another
# person's to make, it can't be taken back any more, something came after it, something was said that it does not ask.
Obstacle = Literal["path", "right", "undo_over", "not_last", "not_asked"]

_NOTHING_SAID: Final[Mapping[str, str]] = {}


@dataclass(frozen=True)
class Left:
    """Where a case stood when it joined another: its status, and since when."""

    status: Status
    since: datetime


@dataclass(frozen=True)
class UrgencyWord:
    """A person's word on a case: how urgent it is, and how urgent each complaint it had was by its own answers."""

    level: Urgency
    heard: Mapping[int, Urgency]


@dataclass(frozen=True)
class CaseFacts:
    """A case as its moves go by it.

    `complaints`: rows; none while it is a duplicate. `targets`: these as permission sees them; of a duplicate, the one
    that it was opened for. `opened_for`: None where that complaint was erased. `withdrawn`: those of its complaints
    that were taken back altogether. `owner` and `moved_by`, who brought it to its status, are ids of accounts. `kind`:
    what it is about, as triage settled it. `word`: the last on its urgency. `has_answer`: something came from the
    complainants since they were asked. `was_paused`: it waited for them before. `referrals`: those that stand, of
    which `referrals_waiting` have no answer and are not silent past their day. `is_told`: the complainants know what
    became of it. `joined_into` and `left` are set while it is a duplicate.
    """

    id: int
    status: Status
    since: datetime
    revision: int
    urgency: Urgency
    complaints: frozenset[int]
    targets: tuple[Target, ...]
    opened_for: int | None = None
    withdrawn: frozenset[int] = frozenset()
    owner: str | None = None
    kind: str | None = None
    moved_by: str | None = None
    word: UrgencyWord | None = None
    has_answer: bool = False
    was_paused: bool = False
    referrals: int = 0
    referrals_waiting: int = 0
    is_told: bool = False
    joined_into: int | None = None
    left: Left | None = None

    @property
    def is_strict(self) -> bool:
        """Whether a complaint of it is for named readers alone: then it is, too."""
        return any(target.is_strict for target in self.targets)

    @property
    def is_closed(self) -> bool:
        """Whether nothing is left to do in it."""
        return CASEWORK.statuses[self.status].stage == "closed"


@dataclass(frozen=True)
class Choice:
    """A move from where a case stands: `unmet` stands against it, codes of `unsaid` lists are still to be said."""

    transition: Transition
    unmet: tuple[Condition | Obstacle, ...]
    unsaid: tuple[str, ...]


@dataclass(frozen=True)
class Step:
    """What devices are told: a template, and its fields by name; codes all of them."""

    template: str
    fields: Mapping[str, str]


@dataclass(frozen=True)
class Moved:
    """A move that was made.

    `given`: what was said, codes by the name of their list. `revision`: that of the case from now on. `pauses`: the
    clock of feedback stands still. `step` is told at `undo_until`, if nobody took the move back.
    """

    case: int
    source: Status
    to: Status
    at: datetime
    by: str
    given: Mapping[str, str]
    revision: int
    pauses: bool
    undo_until: datetime
    step: Step | None


@dataclass(frozen=True)
class Version:
    """A case at a revision: who made it, when, and what it says by field, to be shown beside another."""

    revision: int
    by: str
    at: datetime
    fields: Mapping[str, str]


@dataclass(frozen=True)
class _Attempt:
    case: CaseFacts
    to: Status
    actor: Actor
    now: datetime
    given: Mapping[str, str]
    other: CaseFacts | None = None


def moves(case: CaseFacts, actor: Actor, now: datetime, given: Mapping[str, str] = _NOTHING_SAID) -> tuple[Choice, ...]:
    """Every move that there is from where the case stands, with all that still stands against it."""
    known = (each for each in CASEWORK.transitions.values() if each.source == case.status)
    return tuple(_weigh(_Attempt(case, each.to, actor, now, given), each) for each in known)


def move(
    case: CaseFacts,
    to: Status,
    actor: Actor,
    now: datetime,
    given: Mapping[str, str] = _NOTHING_SAID,
    *,
    other: CaseFacts | None = None,
) -> Moved:
    """The move of a case to another status, decided.

    `given`: codes by the name of their list, and of a referral the `body`. `other`: the case that it joins, or out of
    which its complaint comes back (`joining` moves the complaints). Raises TransitionRefused with all that is unmet.
    """
    transition = CASEWORK.transitions.get((case.status, to))
    if transition is None:
        raise _refused(case, to, ["path"])
    choice = _weigh(_Attempt(case, to, actor, now, given, other), transition)
    if choice.unmet or choice.unsaid:
        raise _refused(case, to, [*choice.unmet, *(f"say_{name}" for name in choice.unsaid)])
    return Moved(
        case=case.id,
        source=case.status,
        to=to,
        at=now,
        by=actor.id,
        given=dict(given),
        revision=case.revision + 1,
        pauses=transition.pauses and not case.was_paused,
        undo_until=now + transition.undo,
        step=step(transition, given, is_strict=case.is_strict),
    )


def step(transition: Transition, given: Mapping[str, str], *, is_strict: bool) -> Step | None:
    """What devices are told of a move; None where they are told nothing."""
    if transition.template is None:
        return None
    template = transition.strict_template if is_strict else None
    hidden = CASEWORK.left_out_when_strict if is_strict else frozenset()
    fields = {name: given[name] for name in transition.fields if name in given and name not in hidden}
    told = {name: code for name, code in fields.items() if code not in CASEWORK.never_told}
    return Step(template or transition.template, told)


def check_undo(case: CaseFacts, source: Status, made: int, actor: Actor, now: datetime) -> None:
    """Whether the move by which the case came from `source` to its status, at revision `made`, can be taken back.

    What it changed is then put there again as it was. Raises TransitionRefused with all that stands against it.
    """
    transition = CASEWORK.transitions.get((source, case.status))
    if transition is None:
        raise _refused(case, source, ["path"])
    against: dict[Obstacle, bool] = {
        "right": not _is_permitted(transition, _Attempt(case, source, actor, now, _NOTHING_SAID)),
        "not_last": case.revision != made,
        "undo_over": now >= case.since + transition.undo,
    }
    if any(against.values()):
        raise _refused(case, source, [name for name, stands in against.items() if stands])


def check_revision(seen: int, wanted: Mapping[str, str], stands: Version) -> None:
    """Raises StaleRevision, with what was `wanted` and what `stands`, unless that is the revision that was `seen`."""
    if seen != stands.revision:
        raise StaleRevision(seen=seen, wanted=dict(wanted), stands=stands, revision=stands.revision)


def version_after(seen: int) -> int:
    """That of a case after the one act of whoever saw it so, which is the number of the entry that this left.

    With 0, the act opened it, or followed an opening alone.
    """
    return max(seen, 1) + 1


def permits(case: CaseFacts, actor: Actor, action: Action) -> bool:
    """Whether the actor may do that to every complaint of a case."""
    return bool(case.targets) and all(permit(actor, action, target) for target in case.targets)


def _refused(case: CaseFacts, to: Status, faults: Sequence[str]) -> TransitionRefused:
    return TransitionRefused(status=case.status, to=to, faults=tuple(faults), fault=faults[0])


def _weigh(attempt: _Attempt, transition: Transition) -> Choice:
    unmet: list[Condition | Obstacle] = [] if _is_permitted(transition, attempt) else ["right"]
    unmet += [name for name in transition.conditions if not _MET[name](attempt)]
    return Choice(transition, tuple(unmet), tuple(_unsaid(transition, attempt.given)))


def _unsaid(transition: Transition, given: Mapping[str, str]) -> list[str]:
    """Lists of which a code has to be said and is not, or of which what was said is none."""
    named = [*transition.asks, *(name for name in transition.may_say if name in given)]
    return [name for name in named if given.get(name) not in CASEWORK.reasons[name]]


def _is_permitted(transition: Transition, attempt: _Attempt) -> bool:
    if attempt.actor == JOB and not transition.by_hub:
        return False
    cases = [each for each in (attempt.case, attempt.other) if each is not None]
    return all(permits(each, attempt.actor, transition.action) for each in cases)


def _is_answered_or_waited(attempt: _Attempt) -> bool:
    is_answered = attempt.case.has_answer or "heard" in attempt.given
    return is_answered or attempt.now >= attempt.case.since + CASEWORK.answer_wait


def _has_second_person(attempt: _Attempt) -> bool:
    return not attempt.case.is_strict or attempt.actor.id != attempt.case.moved_by


def _is_wish_of_all(attempt: _Attempt) -> bool:
    """What one of several complainants wishes takes nothing from the others; what no device sent, none sent."""
    case = attempt.case
    is_told = len(case.complaints) == 1 and attempt.given.get("withdrawal") != "on_device"
    return is_told or case.complaints <= case.withdrawn


def _joins_another(attempt: _Attempt) -> bool:
    other = attempt.other
    return other is not None and other.id != attempt.case.id and not other.is_closed


def _comes_back(attempt: _Attempt) -> bool:
    left = attempt.case.left
    return attempt.other is not None and left is not None and left.status == attempt.to


_MET: Final[Mapping[Condition, Callable[[_Attempt], bool]]] = {
    "answered_or_waited": _is_answered_or_waited,
    "owner_set": lambda attempt: attempt.case.owner is not None,
    "kind_set": lambda attempt: attempt.case.kind is not None,
    "urgency_set": lambda attempt: attempt.case.word is not None,
    "referral_sent": lambda attempt: attempt.case.referrals > 0,
    "referral_over": lambda attempt: attempt.case.referrals_waiting == 0,
    "no_referral": lambda attempt: attempt.case.referrals == 0,
    "told_or_impossible": lambda attempt: attempt.case.is_told or "untold" in attempt.given,
    "second_person": _has_second_person,
    "wish_of_all": _is_wish_of_all,
    "joins_another": _joins_another,
    "comes_back": _comes_back,
}
