"""Fitting a model to labelled pairs: logistic regression drawn to what the model was, refused when it is not true."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import exp, log, log1p, sqrt
from typing import Final, NamedTuple

from server.domain.errors import FitFailed
from server.domain.matching.levels import FieldName, Level, Levels
from server.domain.matching.model import (
    AGREES,
    Interaction,
    Model,
    Rarity,
    Weights,
    chance_of,
    match_weight,
    odds_before,
    probability,
)
from server.domain.matching.records import Form, Kind

_LN2: Final = log(2)
# A bit of rarity is met by the dozen, a level once.
_FREE_RARITY: Final = 0.2
_STEPS_MOST: Final = 60
_HALVINGS_MOST: Final = 40
# Newton's decrement, in units of the loss, at which no further step can be seen in a weight.
_CONVERGED: Final = 1e-9

# The pairs that a calibration is fitted to are those of the weights, which are right about them: a slope to be believed
# is near 1.
_PLATT_STIFFNESS: Final = 25.0

# A bin of fewer pairs says nothing of calibration; beyond its sampling error a bin may be off by this much.
_BIN_LEAST: Final = 20
_BINS: Final = 10
_BIN_OFF_MOST: Final = 0.1


@dataclass(frozen=True)
class Spread:
    """How far each weight may be expected to lie from where the model had it, in bits; `rarity` is of its multiplier.

    The tighter, the more pairs it takes to move a weight. `free` are fields of which nothing was known: their weights
    may lie anywhere within `free_bits`, and their multiplier within a fifth of it.
    """

    constant: float
    differs: float
    agrees: float
    rarity: float
    free: Collection[str] = ()
    free_bits: float = 0.0


# A hub's own decisions are few, and of the pairs that were hard.
OWN: Final = Spread(constant=4.0, differs=2.0, agrees=2.0, rarity=0.3)


class Labelled(NamedTuple):
    """A pair that somebody decided."""

    levels: Levels
    rarity: Rarity
    stored: int
    is_match: bool


Row = Mapping[int, float]


@dataclass(frozen=True)
class Regression:
    """What a logistic regression is fitted to: sparse rows, what is true, and where each weight is drawn back to.

    `stiffness` is one over the square of a weight's spread around its prior: 0 lets it go free. `offsets` are log
    odds that stand before the fit. Everything in natural units.
    """

    rows: Sequence[Row]
    truths: Sequence[bool]
    offsets: Sequence[float]
    prior: Sequence[float]
    stiffness: Sequence[float]

    def odds(self, weights: Sequence[float]) -> list[float]:
        """The log odds of each row."""
        return [
            offset + sum(weights[at] * value for at, value in row.items())
            for row, offset in zip(self.rows, self.offsets, strict=True)
        ]

    def loss(self, weights: Sequence[float]) -> float:
        """Minus the log likelihood, with the price of leaving the prior."""
        told = zip(self.odds(weights), self.truths, strict=True)
        drawn = zip(weights, self.prior, self.stiffness, strict=True)
        misfit = sum(_log1p_exp(-odds if truth else odds) for odds, truth in told)
        return misfit + sum(stiffness * (weight - prior) ** 2 for weight, prior, stiffness in drawn) / 2


def fit(regression: Regression) -> list[float]:
    """The weights with the least loss, by Newton's method with a line search. Raises FitFailed where it finds none.

    Without the search the step overshoots as soon as pairs can be told apart entirely, and what comes of it still
    looks like weights.
    """
    weights = list(regression.prior)
    for _ in range(_STEPS_MOST):
        gradient, curvature = _slopes(regression, weights)
        step = _solve(curvature, gradient)
        decrement = sum(slope * each for slope, each in zip(gradient, step, strict=True))
        if decrement < _CONVERGED:
            return weights
        weights = _descended(regression, weights, step, decrement)
    raise FitFailed(fault="no_convergence")


def _slopes(regression: Regression, weights: Sequence[float]) -> tuple[list[float], list[list[float]]]:
    size = len(weights)
    gradient = [
        stiffness * (weight - prior)
        for weight, prior, stiffness in zip(weights, regression.prior, regression.stiffness, strict=True)
    ]
    curvature = [[0.0] * size for _ in range(size)]
    for at, stiffness in enumerate(regression.stiffness):
        curvature[at][at] = stiffness
    for row, odds, truth in zip(regression.rows, regression.odds(weights), regression.truths, strict=True):
        chance = probability(odds / _LN2)
        spread = chance * (1 - chance)
        for at, value in row.items():
            gradient[at] += (chance - truth) * value
            line, scaled = curvature[at], spread * value
            for other, theirs in row.items():
                line[other] += scaled * theirs
    return gradient, curvature


def _descended(
    regression: Regression, weights: Sequence[float], step: Sequence[float], decrement: float
) -> list[float]:
    """The weights after as much of the step as lessens the loss (Armijo's rule)."""
    before, share = regression.loss(weights), 1.0
    for _ in range(_HALVINGS_MOST):
        tried = [weight - share * each for weight, each in zip(weights, step, strict=True)]
        if regression.loss(tried) <= before - share * decrement / 4:
            return tried
        share /= 2
    raise FitFailed(fault="no_descent")


def _solve(matrix: list[list[float]], right: Sequence[float]) -> list[float]:
    """Solve for a symmetric positive definite matrix by Cholesky's method. Raises FitFailed for any other."""
    size = len(right)
    lower = [[0.0] * size for _ in range(size)]
    for at in range(size):
        for other in range(at + 1):
            rest = matrix[at][other] - sum(lower[at][k] * lower[other][k] for k in range(other))
            if at == other and rest <= 0:
                raise FitFailed(fault="undetermined")
            lower[at][other] = sqrt(rest) if at == other else rest / lower[other][other]
    half: list[float] = []
    for at in range(size):
        half.append((right[at] - sum(lower[at][k] * half[k] for k in range(at))) / lower[at][at])
    solved = [0.0] * size
    for at in reversed(range(size)):
        solved[at] = (half[at] - sum(lower[k][at] * solved[k] for k in range(at + 1, size))) / lower[at][at]
    return solved


def _log1p_exp(value: float) -> float:
    return value + log1p(exp(-value)) if value > 0 else log1p(exp(value))


def refit(model: Model, labelled: Sequence[Labelled], version: str, made_from: str, spread: Spread = OWN) -> Model:
    """The model with weights of its own for each field, drawn back to those it had; and calibrated.

    `model` is one for the form of the pairs. Raises FitFailed when the fit does not converge, when only matches or
    only others were labelled, and when its probabilities are not what comes true.
    """
    groups = {field: field for field in model.fields}
    fitted = _fitted(model, labelled, groups, model.fields, spread)
    fields = {FieldName(group): weights for group, weights in fitted.weights.items()}
    fresh = replace(model, version=version, made_from=made_from, constant=fitted.constant, fields=fields)
    fresh = replace(fresh, interactions=fitted.interactions)
    fresh = calibrated(fresh, [(match_weight(fresh, *each[:3]), each.is_match) for each in labelled])
    check_calibration([(chance_of(fresh, *each[:3]), each.is_match) for each in labelled])
    return fresh


def fit_kinds(
    model: Model, labelled: Sequence[Labelled], form: Form, spread: Spread, weighed_as: Mapping[FieldName, FieldName]
) -> Model:
    """The model with new weights by kind, fitted to pairs of a form over all fields of a kind together.

    What else is compared than the fields of the form goes by the weights of a field of the model, as `weighed_as`
    says. Raises FitFailed as `refit` does. For whoever makes a model that ships.
    """
    kinds = {str(kind): weights for kind, weights in model.kinds.items() if kind in form.fields.values()}
    others = {str(field): model.fields[field] for field in weighed_as.values()}
    groups = {**{field: str(kind) for field, kind in form.fields.items()}, **weighed_as}
    fitted = _fitted(model, labelled, groups, {**kinds, **others}, spread)
    learned = {Kind(kind): fitted.weights[kind] for kind in kinds}
    fields = {FieldName(field): fitted.weights[field] for field in others}
    return replace(model, constant=fitted.constant, kinds={**model.kinds, **learned}, fields={**model.fields, **fields})


@dataclass(frozen=True)
class _Fitted:
    constant: float
    weights: Mapping[str, Weights]
    interactions: tuple[Interaction, ...]


def _fitted(
    model: Model,
    labelled: Sequence[Labelled],
    groups: Mapping[FieldName, str],
    known: Mapping[str, Weights] | Mapping[FieldName, Weights],
    spread: Spread,
) -> _Fitted:
    if len({each.is_match for each in labelled}) < 2:
        raise FitFailed(fault="one_sided")
    prior = {str(group): weights for group, weights in known.items()}
    layout = _Layout(tuple(prior), len(model.interactions))
    start = layout.join(model.constant, prior, [each.bits for each in model.interactions])
    stiffness = layout.stiffness(spread)
    found = fit(
        Regression(
            rows=[layout.row(model, each, groups) for each in labelled],
            truths=[each.is_match for each in labelled],
            offsets=[_LN2 * odds_before(model, each.stored) for each in labelled],
            prior=[_LN2 * each for each in start],
            stiffness=stiffness,
        )
    )
    return layout.part([each / _LN2 for each in found], model.interactions)


@dataclass(frozen=True)
class _Layout:
    """Where each weight stands in a row of numbers: the constant, six for each group, the interactions.

    The place of a group's MISSING, which weighs nothing, is that of its multiplier of rarity.
    """

    groups: tuple[str, ...]
    interactions: int

    def row(self, model: Model, pair: Labelled, groups: Mapping[FieldName, str]) -> Row:
        row: dict[int, float] = {0: 1.0}
        for field, level in pair.levels.items():
            if level:
                start = self._start(groups[field])
                row[start + level] = row.get(start + level, 0.0) + 1.0
                if level >= AGREES:
                    row[start] = row.get(start, 0.0) + pair.rarity.get(field, 0.0)
        for at, each in enumerate(model.interactions):
            if each.holds(pair.levels):
                row[self._first_interaction + at] = 1.0
        return row

    def join(self, constant: float, weights: Mapping[str, Weights], interactions: Iterable[float]) -> list[float]:
        by_group = [number for group in self.groups for number in (weights[group].rarity, *weights[group].bits[1:])]
        return [constant, *by_group, *interactions]

    def part(self, numbers: Sequence[float], interactions: Sequence[Interaction]) -> _Fitted:
        weights = {}
        for group in self.groups:
            start = self._start(group)
            weights[group] = Weights((0.0, *numbers[start + 1 : start + len(Level)]), numbers[start])
        bits = numbers[self._first_interaction :]
        joined = tuple(replace(each, bits=each_bits) for each, each_bits in zip(interactions, bits, strict=True))
        return _Fitted(numbers[0], weights, joined)

    def stiffness(self, spread: Spread) -> list[float]:
        known = [spread.rarity, spread.differs, *[spread.agrees] * (len(Level) - 2)]
        free = [spread.free_bits * _FREE_RARITY, *[spread.free_bits] * (len(Level) - 1)]
        by_group = [each for group in self.groups for each in (free if group in spread.free else known)]
        spreads = [spread.constant, *by_group, *[spread.agrees] * self.interactions]
        return [1 / (_LN2 * each) ** 2 for each in spreads]

    def _start(self, group: str) -> int:
        return 1 + self.groups.index(group) * len(Level)

    @property
    def _first_interaction(self) -> int:
        return 1 + len(self.groups) * len(Level)


def calibrated(model: Model, weighed: Sequence[tuple[float, bool]]) -> Model:
    """The model with the slope and intercept under which the match weights of pairs come true. Method: Platt (1999)."""
    rows: list[Row] = [{0: _LN2 * weight, 1: 1.0} for weight, _ in weighed]
    truths = [truth for _, truth in weighed]
    slope, intercept = fit(Regression(rows, truths, [0.0] * len(rows), (1.0, 0.0), (_PLATT_STIFFNESS,) * 2))
    return replace(model, slope=slope, intercept=intercept / _LN2)


def calibration_error(judged: Iterable[tuple[float, bool]]) -> float:
    """How far probabilities lie from the share that comes true: the mean over ten bins, weighted by their pairs."""
    bins = _binned(judged)
    off = sum(abs(sum(chance for chance, _ in each) - sum(truth for _, truth in each)) for each in bins)
    return off / max(sum(map(len, bins)), 1)


def check_calibration(judged: Iterable[tuple[float, bool]]) -> None:
    """Raise FitFailed when a bin of probabilities is further from what comes true than its size explains."""
    for each in _binned(judged):
        if len(each) < _BIN_LEAST:
            continue
        said, came = sum(chance for chance, _ in each) / len(each), sum(truth for _, truth in each) / len(each)
        if abs(said - came) > _BIN_OFF_MOST + 2 * sqrt(said * (1 - said) / len(each)):
            raise FitFailed(fault="uncalibrated")


def _binned(judged: Iterable[tuple[float, bool]]) -> list[list[tuple[float, bool]]]:
    bins: list[list[tuple[float, bool]]] = [[] for _ in range(_BINS)]
    for chance, truth in judged:
        bins[min(int(chance * _BINS), _BINS - 1)].append((chance, truth))
    return bins
