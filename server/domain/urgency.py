"""How urgent a complaint is by its own answers, and who may say otherwise of its case."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from server.domain.act import ACCUSED_ROLES
from server.domain.case import CaseFacts, UrgencyWord, permits
from server.domain.casework import CASEWORK, URGENCIES, Urgency, UrgencyRule
from server.domain.complaint import Complaint
from server.domain.errors import UrgencyRefused
from server.domain.permission import Action, Actor

# The list of which lowering asks a code.
LOWERING: Final = "lowering"

# How many days after the first one that is named a thing may have happened, by how sure the day is.
_SPAN_DAYS: Final[Mapping[str, int]] = {"day": 0, "week": 6, "month": 30, "year": 365}
# As sure as it takes to count in days.
_SURE: Final = frozenset({"day", "week"})


@dataclass(frozen=True)
class Told:
    """What of a complaint its urgency goes by.

    `answers`: those that are yes. `ages`: bands of the persons who are not accused. `days_ago`: how long before it was
    told the last of it happened, None where nobody can say; `is_sure`: to the week.
    """

    kinds: frozenset[str]
    answers: frozenset[str]
    danger: str | None
    ages: frozenset[str]
    days_ago: int | None
    is_sure: bool


@dataclass(frozen=True)
class Computed:
    """An urgency, and the codes of the rules of that level that hold; none where it is the usual one."""

    level: Urgency
    because: tuple[str, ...]


def most_urgent(*levels: Urgency) -> Urgency:
    """The most urgent of them."""
    return min(levels, key=URGENCIES.index)


def told_word(word: UrgencyWord | None) -> dict[str, Any] | None:
    """A person's word on urgency, as a case keeps it."""
    return None if word is None else {"level": word.level, "heard": {str(id): each for id, each in word.heard.items()}}


def read_word(told: Mapping[str, Any] | None) -> UrgencyWord | None:
    """What `told_word` wrote."""
    if told is None:
        return None
    return UrgencyWord(told["level"], {int(id): each for id, each in told["heard"].items()})


def told_in(complaint: Complaint, received_at: datetime) -> Told:
    """What a complaint says of its urgency. What a clock claims is believed no further than when it was received."""
    facts = complaint.facts
    claimed = facts.collected_at or facts.entered_at
    ages = {each.age for each in complaint.persons if each.age and ACCUSED_ROLES.isdisjoint(each.roles.split())}
    return Told(
        kinds=frozenset(complaint.acts),
        answers=frozenset((facts.urgency or "").split()),
        danger=facts.danger,
        ages=frozenset(ages),
        days_ago=_days_ago(complaint, min(claimed, received_at).date()),
        is_sure=facts.incident_precision in _SURE,
    )


def computed(told: Told) -> Computed:
    """How urgent a complaint is: the most urgent level of which a rule holds, else the usual one."""
    held = [rule for rule in CASEWORK.urgency_rules if _holds(rule, told)]
    if not held:
        return Computed(CASEWORK.usual_urgency, ())
    return Computed(held[0].level, tuple(rule.code for rule in held if rule.level == held[0].level))


def standing(word: UrgencyWord | None, urgencies: Mapping[int, Urgency]) -> Urgency:
    """How urgent a case is, by the last word on it and by complaint how urgent its answers make it.

    What the word did not hear, a complaint that came or answers that grew worse, raises it; nothing else changes it.
    Raises ValueError without any complaint and word.
    """
    if word is None:
        return most_urgent(*urgencies.values())
    heard = word.heard
    unheard = [
        each
        for complaint, each in urgencies.items()
        if complaint not in heard or URGENCIES.index(each) < URGENCIES.index(heard[complaint])
    ]
    return most_urgent(word.level, *unheard)


def common_word(one: UrgencyWord | None, other: UrgencyWord | None) -> UrgencyWord | None:
    """The word on a case that another joins: by it the case is as urgent as either was."""
    if one is None or other is None:
        return one or other
    return UrgencyWord(most_urgent(one.level, other.level), {**one.heard, **other.heard})


def word_along(word: UrgencyWord | None, gone: Collection[int]) -> UrgencyWord | None:
    """What the word on a case goes on saying of complaints that go out of it: that they are more urgent than they say.

    None where it heard none of them, or made them less urgent: then their own answers count again.
    """
    heard = {} if word is None else {id: level for id, level in word.heard.items() if id in gone}
    if word is None or not heard or URGENCIES.index(word.level) >= URGENCIES.index(most_urgent(*heard.values())):
        return None
    return UrgencyWord(word.level, heard)


def check_said(case: CaseFacts, level: Urgency, actor: Actor, given: Mapping[str, str]) -> None:
    """Whether a person may say that a case is as urgent as that.

    Making it less urgent takes a right of its own and a code of the list `lowering` in `given`. Raises UrgencyRefused
    with all that is missing.
    """
    is_lower = URGENCIES.index(level) > URGENCIES.index(case.urgency)
    right: Action = "lower_urgency" if is_lower else "handle_case"
    unmet = [] if permits(case, actor, right) else ["right"]
    if is_lower and given.get(LOWERING) not in CASEWORK.reasons[LOWERING]:
        unmet.append(f"say_{LOWERING}")
    if unmet:
        raise UrgencyRefused(urgency=case.urgency, to=level, faults=tuple(unmet), fault=unmet[0])


def _days_ago(complaint: Complaint, told: date) -> int | None:
    facts = complaint.facts
    span = _SPAN_DAYS.get(facts.incident_precision or "")
    if facts.incident_from is None or span is None:
        return None
    last = facts.incident_to or facts.incident_from
    happened = date.fromisoformat(last)
    if facts.incident_to is None:
        happened = min(happened + timedelta(days=span), told)
    return (told - happened).days


def _holds(rule: UrgencyRule, told: Told) -> bool:
    return (
        _meets(rule.kinds, told.kinds)
        and _meets(rule.answers, told.answers)
        and rule.danger in (None, told.danger)
        and _meets(rule.ages, told.ages)
        and _meets(rule.with_kinds, told.kinds)
        and _is_within(rule, told)
        and _is_past(rule, told)
    )


def _meets(wanted: frozenset[str], said: frozenset[str]) -> bool:
    return not wanted or not wanted.isdisjoint(said)


def _is_within(rule: UrgencyRule, told: Told) -> bool:
    if rule.within_days is None:
        return True
    return told.days_ago is not None and told.is_sure and told.days_ago <= rule.within_days


def _is_past(rule: UrgencyRule, told: Told) -> bool:
    return rule.past_days is None or (told.days_ago is not None and told.days_ago >= rule.past_days)
