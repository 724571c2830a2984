"""What a linker said of pairs, each with a probability, held against what is true."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

from fixtures.kit import Ids
from tests.benchmarks.kit import Reached, reached

Chances = Mapping[Ids, float]

# Between likely and unlikely.
EVEN: Final = 0.5


def chances_of(pairs: Sequence[Sequence[str | float]]) -> dict[Ids, float]:
    """The pairs as a peer writes them: one id, the other, the probability."""
    return {frozenset((str(one), str(other))): float(chance) for one, other, chance in pairs}


def at(chances: Chances, true: Collection[Ids], threshold: float) -> Reached:
    """What the pairs of this probability and above reach."""
    return reached({ids for ids, chance in chances.items() if chance >= threshold}, true)


def best_f1(chances: Chances, true: Collection[Ids]) -> float:
    """F1 at the threshold that suits best, which nobody knows before all is labelled."""
    return max(_curve(chances, true), default=0.0)


def recall(chances: Chances, true: Collection[Ids]) -> float:
    """The share of matches that were compared at all."""
    return len(chances.keys() & set(true)) / len(true)


def answered(chances: Chances, asked: Collection[Ids], true: Collection[Ids]) -> dict[Ids, float]:
    """The same when pairs that somebody was asked about stand as they were answered, which is rightly."""
    rest = {ids: chance for ids, chance in chances.items() if ids not in asked}
    return rest | dict.fromkeys(set(asked) & set(true), 1.0)


def least_sure(chances: Chances, most: int) -> set[Ids]:
    """So many pairs, those nearest to even."""
    order = sorted(chances, key=lambda ids: (abs(chances[ids] - EVEN), sorted(ids)))
    return set(order[:most])


def _curve(chances: Chances, true: Collection[Ids]) -> Iterator[float]:
    """F1 with one pair more each time, from the likeliest on; those of one probability together."""
    order = sorted(chances, key=lambda ids: -chances[ids])
    right = 0
    for said, ids in enumerate(order, 1):
        right += ids in true
        if said == len(order) or chances[order[said]] < chances[ids]:
            yield 2 * right / (said + len(true))
