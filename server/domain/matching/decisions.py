"""Decisions on a link: what people said of it in order, what of that stands, and the state that follows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final


class Verdict(StrEnum):
    """What a decision says: the two match, they don't, or an earlier word is taken back.

    Who is unsure decides nothing: the pair stays as it is, for others.
    """

    CONFIRMED = "confirmed"
    REJECTED = "rejected"
    UNSURE = "unsure"
    UNDONE = "undone"


class Reason(StrEnum):
    """Why somebody decided so, or took it back. A list, since free text would name people where nothing is sealed."""

    PEOPLE = "people"
    FACTS = "facts"
    PLACE_AND_DAY = "place_and_day"
    TEAM = "team"
    NAMESAKE = "namesake"
    OTHER_TIME = "other_time"
    OTHER_PLACE = "other_place"
    MISTAKE = "mistake"
    NEWS = "news"
    OTHER = "other"


# What decides; whoever says anything else leaves the pair as it is.
DECIDING: Final = (Verdict.CONFIRMED, Verdict.REJECTED)
PROPOSED: Final = "proposed"
# The relation that holds by itself: the same report again.
RETRY: Final = "retry"


@dataclass(frozen=True)
class Judged:
    """How a link was judged: `model` is None for a retry; reasons are a name, a level or None, and bits."""

    model: str | None
    reasons: Sequence[tuple[str, int | None, float]]
    weight: float
    probability: float
    band: str


@dataclass(frozen=True)
class Decision:
    """One word on a link, never changed; `no` counts those of the link from 1, and `undoes` is one of these numbers.

    `is_blind`: made without the score. `is_second`: beside the word that decides, which changes nothing: a second
    person's judgement of the pair, or that somebody is unsure.
    `judged`: the link as it was judged then.
    """

    no: int
    link: int
    verdict: Verdict
    account: str
    reason: Reason | None
    at: datetime
    undoes: int | None
    is_blind: bool
    is_second: bool
    judged: Judged


def levels_told(reasons: Iterable[tuple[str, int | None, float]]) -> dict[str, int]:
    """The level of each field of which both complaints of a pair say something."""
    return {name: level for name, level, _ in reasons if level is not None}


def odds_before(judged: Judged) -> float:
    """The bits that the weight began with, before any reason was added."""
    return judged.weight - sum(bits for _, _, bits in judged.reasons)


def undone(history: Sequence[Decision]) -> frozenset[int]:
    """The numbers of those that were taken back."""
    return frozenset(each.undoes for each in history if each.undoes is not None)


def words_that_stand(history: Sequence[Decision], *, is_second: bool) -> list[Decision]:
    """The verdicts that nobody took back, in order: those that decide, or those beside them."""
    gone = undone(history)
    return [
        each for each in history if each.is_second is is_second and each.verdict in DECIDING and each.no not in gone
    ]


def standing(history: Sequence[Decision]) -> Decision | None:
    """The decision that holds: the last that nobody took back."""
    return next(reversed(words_that_stand(history, is_second=False)), None)


def second_opinions(history: Sequence[Decision]) -> list[Decision]:
    """The opinions of others that stand beside the decision that holds, in order; none where nothing holds."""
    beside = words_that_stand(history, is_second=True) if standing(history) is not None else []
    return [each for each in beside if not is_own_second(history, each)]


def is_own_second(history: Sequence[Decision], word: Decision) -> bool:
    """Whether a second opinion is of the very person whose decision holds: it does not make two of one."""
    held = standing(history)
    is_opinion = word.is_second and word.verdict in DECIDING
    return held is not None and is_opinion and word.account == held.account


def is_unseen(history: Sequence[Decision]) -> bool:
    """Whether nobody decided yet, not even what was taken back since; to be unsure shows nobody a score."""
    return not any(each.verdict in DECIDING for each in history)


def last_of(history: Sequence[Decision]) -> int:
    """The number of the last word that decided or took back; 0 before the first. Who decides says what they saw."""
    return max((each.no for each in history if not each.is_second), default=0)


def state_of(relation: str, history: Sequence[Decision]) -> str:
    """The state of a link, by what stands alone."""
    held = standing(history)
    if held is not None:
        return held.verdict
    return Verdict.CONFIRMED if relation == RETRY else PROPOSED
