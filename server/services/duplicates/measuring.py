"""Evaluation: how many of a labelled table's matches a model finds, how rightly, and what it takes."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from math import ceil
from statistics import fmean
from typing import Any, Final

from server.domain.errors import FitFailed
from server.domain.matching.fitting import Labelled, calibration_error, refit
from server.domain.matching.model import Model, chance_of
from server.services.duplicates.arriving import Comparison, Pair, likeliest, send
from server.services.duplicates.tables import Pairs, Table

# From here on a pair is likelier a match than not.
THRESHOLD: Final = 0.5
# Nearly all pairs are below, and nearly all of them rightly: they would hide what the others say.
_CALIBRATED_FROM: Final = 0.02
_SHOWN_MOST: Final = 5
# Answers are asked in this many rounds, each by the model that the earlier ones made.
_ROUNDS: Final = 10

Numbers = tuple[int, int]


def evaluate(
    table: Table,
    gold: Pairs,
    model: Model,
    comparison: Comparison,
    *,
    labels: int,
    seed: int,
    pepper: bytes,
    clock_s: Callable[[], float],
) -> dict[str, Any]:
    """What a model reaches on a table, for JSON: each record is judged as it comes, with no label seen.

    With `labels`, so many pairs are then asked of the gold, the model is fitted to the answers and frozen, and all
    pairs are judged again; `not_asked` leaves out those that it was fitted to. `clock_s` is a clock of seconds.
    """
    passage = send(table, model, comparison, seed, pepper, clock_s)
    told = {
        "model": model.version,
        "records": len(table.ids),
        "unread_values": dict(table.unread),
        "pairs": {"true": len(gold.true), "unknown_id": gold.unknown, "same_side": gold.same_side},
        "retrieval_recall": len(passage.retrieved & gold.true) / max(len(gold.true), 1),
        **_measures(passage.pairs, gold.true),
        "keys_per_record": fmean(passage.keys),
        "ms_per_record": {"median": _quantile(passage.costs_ms, 0.5), "p95": _quantile(passage.costs_ms, 0.95)},
    }
    if labels:
        told["labels"] = _with_labels(model.for_form(table.form), passage.pairs, gold.true, labels)
    return told


def _with_labels(model: Model, pairs: Sequence[Pair], true: Collection[Numbers], labels: int) -> dict[str, Any]:
    asked, fitted = learn(model, pairs, true, labels)
    again = [pair._replace(chance=_chance(fitted, pair)) for pair in pairs]
    rest = [pair for pair in again if pair.numbers not in asked]
    return {
        "asked": len(asked),
        "is_fitted": fitted is not model,
        **_measures(again, true),
        "not_asked": _measures(rest, set(true) - asked),
    }


def learn(
    model: Model, pairs: Sequence[Pair], true: Collection[Numbers], labels: int
) -> tuple[set[Numbers], Model]:
    """Ask for the answer to so many pairs, the most uncertain first, and fit the model to them.

    Gives the pairs that were asked, and the model as it was where the answers do not allow a fit.
    """
    asked: dict[Numbers, Labelled] = {}
    fitted = model
    open_pairs = {pair.numbers: pair for pair in pairs}
    for round_ in range(_ROUNDS):
        share = ceil(labels * (round_ + 1) / _ROUNDS) - len(asked)
        aim = _aim({each.is_match for each in asked.values()})
        for pair in _nearest(fitted, list(open_pairs.values()), aim, share):
            del open_pairs[pair.numbers]
            asked[pair.numbers] = Labelled(pair.levels, pair.rarity, pair.then, pair.numbers in true)
        try:
            fitted = refit(model, list(asked.values()), f"{model.version}+{len(asked)}", f"{len(asked)} answers")
        except FitFailed:
            continue
    return set(asked), fitted


def _aim(answers: Collection[bool]) -> float:
    """The probability to ask near: where nobody knows, but nothing is learned from answers all alike."""
    if len(set(answers)) == 1:
        return 0.0 if True in answers else 1.0
    return THRESHOLD


def _nearest(model: Model, pairs: Sequence[Pair], aim: float, most: int) -> list[Pair]:
    return sorted(pairs, key=lambda pair: (abs(_chance(model, pair) - aim), pair.numbers))[:most]


def _chance(model: Model, pair: Pair) -> float:
    return chance_of(model, pair.levels, pair.rarity, pair.then)


def _measures(pairs: Sequence[Pair], true: Collection[Numbers]) -> dict[str, Any]:
    """Precision, recall and F1 over pairs, at the shipped threshold and at the best; calibration; the first five."""
    judged = sorted(((pair.chance, pair.numbers in true) for pair in pairs), reverse=True)
    curve = list(_curve(judged, len(true)))
    best = max(curve, key=lambda point: point["f1"], default=_point(1.0, 0, 0, len(true)))
    shipped = [point for point in curve if point["threshold"] >= THRESHOLD]
    return {
        "shipped": {**(shipped[-1] if shipped else _point(1.0, 0, 0, len(true))), "threshold": THRESHOLD},
        "best": best,
        "calibration_error": calibration_error(each for each in judged if each[0] >= _CALIBRATED_FROM),
        "recall_at_5": _recall_at(pairs, true, _SHOWN_MOST),
    }


def _curve(judged: Sequence[tuple[float, bool]], true: int) -> Iterator[dict[str, float]]:
    """A point for each probability that pairs have, from the highest."""
    found = 0
    for at, (chance, is_match) in enumerate(judged):
        found += is_match
        if at + 1 == len(judged) or judged[at + 1][0] < chance:
            yield _point(chance, found, at + 1, true)


def _point(threshold: float, found: int, said: int, true: int) -> dict[str, float]:
    precision, recall = found / said if said else 1.0, found / true if true else 1.0
    f1 = 2 * found / (said + true) if said + true else 1.0
    return {"threshold": threshold, "precision": precision, "recall": recall, "f1": f1}


def _recall_at(pairs: Sequence[Pair], true: Collection[Numbers], most: int) -> float:
    """The share of matches that are among the first so many pairs of the record that came later."""
    by_record: defaultdict[int, list[Pair]] = defaultdict(list)
    for pair in pairs:
        by_record[pair.then].append(pair)
    shown = {pair.numbers for each in by_record.values() for pair in likeliest(each, most)}
    return len(shown & set(true)) / len(true) if true else 1.0


def _quantile(values: Sequence[float], share: float) -> float:
    return sorted(values)[max(ceil(len(values) * share) - 1, 0)]
