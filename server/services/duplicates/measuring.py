"""Evaluation: how many of a labelled table's matches a model finds, how rightly, and what it takes."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from math import ceil
from statistics import fmean
from typing import Any, Final

from server.domain.errors import FitFailed
from server.domain.matching.fitting import Labelled, calibration_error, refit
from server.domain.matching.model import Model, chance_of
from server.services.duplicates.arriving import Comparison, Pair, Passage, for_table, likeliest, send
from server.services.duplicates.tables import Pairs, Table

# From here on a pair is likelier a match than not.
THRESHOLD: Final = 0.5
# Nearly all pairs are below, and nearly all of them rightly: they would hide what the others say.
_CALIBRATED_FROM: Final = 0.02
_SHOWN_MOST: Final = 5
# Answers are asked in this many rounds, each by the model that the earlier ones made.
_ROUNDS: Final = 10

Numbers = tuple[int, int]

# What there is to say of pairs of which none matches.
_UNKNOWN: Final = dict.fromkeys(("precision", "recall", "f1"))
_UNMEASURED: Final = {
    "shipped": {"threshold": THRESHOLD, **_UNKNOWN},
    "best": {"threshold": None, **_UNKNOWN},
    "average_precision": None,
}


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
    tick: Callable[[], object] = lambda: None,
) -> dict[str, Any]:
    """What a model reaches on a table, for JSON: each record is judged as it comes, with no label seen.

    With `labels`, so many pairs are then asked of the gold, the model is fitted to the answers and frozen, and all
    pairs are judged again; `not_asked` leaves out those that it was fitted to. `clock_s` is a clock of seconds; `tick`
    is called after each record. What no match is left to measure by is None.
    """
    passage = send(table, gold.told, model, comparison, seed=seed, pepper=pepper, clock_s=clock_s, tick=tick)
    known, waits = _known(passage.pairs, gold), passage.costs_ms
    told = {
        "model": model.version,
        "records": len(table.ids),
        "unread_values": dict(table.unread),
        "pairs": _counts(passage.pairs, known, gold),
        "retrieval_recall": _share(sum(map(passage.has_compared, gold.true)), gold.true),
        **_measures(known, gold.true),
        "recall_at_5": _recall_at(passage.pairs, gold.true, _SHOWN_MOST),
        "keys_per_record": fmean(passage.keys),
        "ms_per_record": {"median": _quantile(waits, 0.5), "p95": _quantile(waits, 0.95)},
    }
    if passage.told:
        told["labelled_pairs"] = _of_labelled(passage.told, gold.true)
    if labels:
        told["labels"] = _with_labels(for_table(model, table.form, comparison), passage, gold, labels)
    return told


def _known(pairs: Sequence[Pair], gold: Pairs) -> list[Pair]:
    """The pairs known to match or not: all, unless some were said not to match, which leaves the others open."""
    return [pair for pair in pairs if not gold.told or pair.numbers in gold.told]


def _counts(pairs: Sequence[Pair], known: Sequence[Pair], gold: Pairs) -> dict[str, int]:
    said, of_known = (sum(pair.chance >= THRESHOLD for pair in each) for each in (pairs, known))
    counts = {"true": len(gold.true), "unknown_id": gold.unknown, "same_side": gold.same_side}
    return {**counts, "false": len(gold.told - gold.true), "unlabelled_found": said - of_known}


def _of_labelled(pairs: Sequence[Pair], true: Collection[Numbers]) -> dict[str, Any]:
    """Measures over the pairs that somebody labelled and no others, whether they were found or not."""
    said = {pair.numbers for pair in pairs} & set(true)
    return {"true": len(said), "false": len(pairs) - len(said), **_measures(pairs, said)}


def _with_labels(model: Model, passage: Passage, gold: Pairs, labels: int) -> dict[str, Any]:
    asked, fitted = learn(model, passage.told or passage.pairs, gold.true, labels)
    again = [_again(fitted, pair) for pair in passage.pairs]
    known = _known(again, gold)
    rest = [pair for pair in known if pair.numbers not in asked]
    told = {
        "asked": len(asked),
        "is_fitted": fitted is not model,
        **_measures(known, gold.true),
        "recall_at_5": _recall_at(again, gold.true, _SHOWN_MOST),
        "not_asked": _measures(rest, gold.true - asked),
    }
    if passage.told:
        not_asked = [_again(fitted, pair) for pair in passage.told if pair.numbers not in asked]
        told["labelled_pairs_not_asked"] = _of_labelled(not_asked, gold.true)
    return told


def _again(fitted: Model, pair: Pair) -> Pair:
    return pair._replace(chance=_chance(fitted, pair))


def learn(model: Model, pairs: Sequence[Pair], true: Collection[Numbers], labels: int) -> tuple[set[Numbers], Model]:
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
    """Precision, recall and F1 over pairs, at the shipped threshold and at the best; average precision; calibration."""
    judged = sorted(((pair.chance, pair.numbers in true) for pair in pairs), reverse=True)
    error = calibration_error(each for each in judged if each[0] >= _CALIBRATED_FROM)
    if not true:
        return {**_UNMEASURED, "calibration_error": error}
    curve = list(_curve(judged, len(true)))
    best = max(curve, key=lambda point: point["f1"], default=_point(1.0, 0, 0, len(true)))
    shipped = [point for point in curve if point["threshold"] >= THRESHOLD]
    return {
        "shipped": {**(shipped[-1] if shipped else _point(1.0, 0, 0, len(true))), "threshold": THRESHOLD},
        "best": best,
        "average_precision": _average_precision(curve),
        "calibration_error": error,
    }


def _curve(judged: Sequence[tuple[float, bool]], true: int) -> Iterator[dict[str, float]]:
    """A point for each probability that pairs have, from the highest."""
    found = 0
    for at, (chance, is_match) in enumerate(judged):
        found += is_match
        if at + 1 == len(judged) or judged[at + 1][0] < chance:
            yield _point(chance, found, at + 1, true)


def _average_precision(curve: Sequence[dict[str, float]]) -> float:
    """The precision met on the way down, weighted by the recall that each point adds."""
    before = [0.0, *(point["recall"] for point in curve)]
    return sum((point["recall"] - had) * point["precision"] for point, had in zip(curve, before, strict=False))


def _point(threshold: float, found: int, said: int, true: int) -> dict[str, float]:
    precision, recall = found / said if said else 1.0, found / true
    return {"threshold": threshold, "precision": precision, "recall": recall, "f1": 2 * found / (said + true)}


def _recall_at(pairs: Sequence[Pair], true: Collection[Numbers], most: int) -> float | None:
    """The share of matches that are among the first so many pairs of the record that came later."""
    by_record: defaultdict[int, list[Pair]] = defaultdict(list)
    for pair in pairs:
        by_record[pair.then].append(pair)
    shown = {pair.numbers for each in by_record.values() for pair in likeliest(each, most)}
    return _share(len(shown & set(true)), true)


def _share(found: int, true: Collection[Numbers]) -> float | None:
    return found / len(true) if true else None


def _quantile(values: Sequence[float], share: float) -> float:
    return sorted(values)[max(ceil(len(values) * share) - 1, 0)]
