"""Learning a model from decisions, and how it does on pairs that it has not seen beside the one in use."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from hashlib import blake2b
from typing import Final, NamedTuple

from server.domain.matching import clusters
from server.domain.matching.complaints import STORED
from server.domain.matching.decisions import levels_told
from server.domain.matching.fitting import Labelled, calibration_error, refit
from server.domain.matching.levels import FieldName, Level
from server.domain.matching.model import AGREES, Judgement, Model, Rarity, chance_of, judge
from server.domain.matching.review import Estimate, estimate

# Fewer decisions than this say less than the model that they would change.
DECISIONS_LEAST: Final = 100
# From here on a pair is likelier a match than not.
THRESHOLD: Final = 0.5
_FOLDS: Final = 5
_EVEN: Final = 0.5
_MARK_BYTES: Final = 4


@dataclass(frozen=True)
class Evidence:
    """What a link was judged by, as it is kept: the model and its reasons (see `decisions.Judged`)."""

    model: str
    reasons: Sequence[tuple[str, int | None, float]]


class Lesson(NamedTuple):
    """A pair that somebody decided: its two complaints, and what is learned from them."""

    ends: tuple[int, int]
    pair: Labelled


@dataclass(frozen=True)
class Score:
    """How a model does on decided pairs at THRESHOLD; `wrong` counts those that it puts on the other side."""

    precision: Estimate
    recall: Estimate
    f1: Estimate
    wrong: int
    calibration_error: float


class Preference(StrEnum):
    """Which of two models the decisions speak for: surely enough, or neither."""

    NEW = "new"
    OLD = "old"
    NEITHER = "neither"


def lesson(evidence: Evidence, judged_by: Model, ends: tuple[int, int], is_match: bool) -> Lesson:
    """What a decision teaches, by the evidence that was before whoever decided."""
    return Lesson(ends, Labelled(_levels(evidence), rarity_told(evidence, judged_by), STORED, is_match))


def rarity_told(evidence: Evidence, judged_by: Model) -> Rarity:
    """By how many bits each agreement was rarer than chance: what its reason says beyond the weight of its level.

    `judged_by` is the model of the evidence.
    """
    found = {}
    for name, level, bits in evidence.reasons:
        if level is not None and level >= AGREES:
            weights = judged_by.fields[FieldName(name)]
            if weights.rarity:
                found[FieldName(name)] = (bits - weights.bits[level]) / weights.rarity
    return found


def judge_again(evidence: Evidence, judged_by: Model, model: Model) -> Judgement:
    """What another model says of what was judged by one."""
    return judge(model, _levels(evidence), rarity_told(evidence, judged_by), STORED)


def learn(base: Model, lessons: Sequence[Lesson]) -> Model:
    """The model that follows from `base` and the decisions; from the same ones, the same model and version.

    Raises FitFailed as `refit` does.
    """
    made_from = f"{base.version} and {len(lessons)} decisions"
    fitted = refit(base, [each.pair for each in lessons], base.version, made_from)
    mark = blake2b(fitted.write().encode(), digest_size=_MARK_BYTES).hexdigest()
    return replace(fitted, version=f"{base.version}+{len(lessons)}-{mark}")


def crossed(base: Model, lessons: Sequence[Lesson]) -> list[float]:
    """The probability of each pair by a model that learned from others: from none that shares a complaint with it,
    nor one with a pair that does, and so on. Raises FitFailed where such a model can't be had."""
    chances = [0.0] * len(lessons)
    for fold in _folds(lessons):
        tested = set(fold)
        learned = learn(base, [each for at, each in enumerate(lessons) if at not in tested])
        for at in fold:
            chances[at] = chance_of(learned, *lessons[at].pair[:3])
    return chances


def chances_by(model: Model, lessons: Sequence[Lesson]) -> list[float]:
    """The probability of each pair by one model."""
    return [chance_of(model, *each.pair[:3]) for each in lessons]


def score(chances: Sequence[float], lessons: Sequence[Lesson]) -> Score:
    """How well probabilities agree with what was decided."""
    truths = [each.pair.is_match for each in lessons]
    said = [truth for chance, truth in zip(chances, truths, strict=True) if chance >= THRESHOLD]
    hits, matches = sum(said), sum(truths)
    # F1 is 2s / (1 + s) of the share s that both call matches of what either does: so has the interval that s has.
    shared = estimate(hits, len(said) + matches - hits)
    return Score(
        precision=estimate(hits, len(said)),
        recall=estimate(hits, matches),
        f1=Estimate(shared.value and _f1(shared.value), _f1(shared.low), _f1(shared.high)),
        wrong=len(said) - hits + matches - hits,
        calibration_error=calibration_error(zip(chances, truths, strict=True)),
    )


def preferred(old: Sequence[float], new: Sequence[float], lessons: Sequence[Lesson]) -> Preference:
    """Whom the pairs speak for that only one of two puts on the right side. Method: McNemar (1947), exact."""
    right = [
        tuple((chance >= THRESHOLD) is each.pair.is_match for chance in chances)
        for *chances, each in zip(old, new, lessons, strict=True)
    ]
    only_new = right.count((False, True))
    share = estimate(only_new, only_new + right.count((True, False)))
    if share.low > _EVEN:
        return Preference.NEW
    return Preference.OLD if share.high < _EVEN else Preference.NEITHER


def _levels(evidence: Evidence) -> dict[FieldName, Level]:
    return {FieldName(field): Level(level) for field, level in levels_told(evidence.reasons).items()}


def _folds(lessons: Sequence[Lesson]) -> list[list[int]]:
    """Places of the lessons, in parts of much the same size, none of which shares a complaint with another."""
    joined = clusters.groups(each.ends for each in lessons)
    groups: defaultdict[frozenset[int], list[int]] = defaultdict(list)
    for at, each in enumerate(lessons):
        groups[joined[each.ends[0]]].append(at)
    folds: list[list[int]] = [[] for _ in range(_FOLDS)]
    for group in sorted(groups.values(), key=lambda group: (-len(group), group)):
        min(folds, key=len).extend(group)
    return [fold for fold in folds if fold]


def _f1(shared: float) -> float:
    return 2 * shared / (1 + shared)
