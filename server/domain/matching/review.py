"""Clerical review: what a decision on a pair is worth, which pairs are looked at unseen, and what those tell of all."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from hashlib import blake2b
from math import exp, lgamma, log, log1p, log2, sqrt
from typing import Final

from server.domain.matching.model import Band

# A draw is one of so many numbers.
DRAWS: Final = 2**31
# Of the pairs that are shown, so many are decided without their score, and tell how right the bands are.
BLIND_BELOW: Final = DRAWS // 16
# Of the pairs that are not shown, so many are kept, and tell what the bands miss: more of those that nearly were.
NEAR_FROM: Final = 0.02
NEAR_SHARE: Final = 1 / 8
FAR_SHARE: Final = 1 / 512
# Of a person's decisions, each so manieth goes to one of the samples: 14 of 100, in turn.
_SAMPLE_EVERY: Final = 7
# A pair of which one asks for haste is worth as much as so many others.
_URGENT_GAIN: Final = 3.0
_CLUSTER_GAIN: Final = 0.25
# Of a day's pairs, those that one lineage sent, or that are of one group, take no more than this.
_LARGEST_SHARE: Final = 1 / 3
_CONFIDENCE: Final = 0.95
# Strata, and what was drawn of one of them: as many intervals have to hold at once.
_BOUNDED_APART: Final = 4
_HALVINGS: Final = 50


class Slot(StrEnum):
    """What a place in the queue is for: the most valuable pair, the most uncertain one, or one of the samples."""

    VALUE = "value"
    UNCERTAIN = "uncertain"
    BLIND = "blind"
    SILENT = "silent"


class Shelf(StrEnum):
    """Where a pair waits: with those of its band, or with its sample."""

    STRONG = "strong"
    POSSIBLE = "possible"
    BLIND = "blind"
    SILENT = "silent"


_SAMPLES: Final = (Slot.BLIND, Slot.SILENT, Slot.UNCERTAIN)
# Where nothing waits for a slot, the next of these has it. Silent pairs never take more than their own.
_INSTEAD: Final[Mapping[Slot, tuple[Slot, ...]]] = {
    Slot.VALUE: (Slot.VALUE, Slot.BLIND),
    Slot.UNCERTAIN: (Slot.UNCERTAIN, Slot.VALUE, Slot.BLIND),
    Slot.BLIND: (Slot.BLIND, Slot.VALUE),
    Slot.SILENT: (Slot.SILENT, Slot.VALUE, Slot.BLIND),
}


class Stratum(StrEnum):
    """Pairs of which a sample is decided apart: the bands, and the silent one in two."""

    STRONG = "strong"
    POSSIBLE = "possible"
    NEAR = "near"
    FAR = "far"


@dataclass(frozen=True)
class Pair:
    """A link that waits for a decision: what it is worth, and the lineages of its two complaints.

    `sender`: the lineage of the later one, without which there would be no pair. `group`: the same for pairs that
    resemble each other, as those of a flood do; empty for a sample.
    """

    link: int
    value: float
    lineages: frozenset[str]
    sender: str
    group: str = ""

    @cached_property
    def takers(self) -> frozenset[str]:
        """Those of whose share of the day it takes one: whoever sent more complaints like somebody's takes nothing of
        what that one has."""
        return frozenset({self.sender, self.group} if self.group else {self.sender})


@dataclass(frozen=True)
class Sample:
    """Of a stratum: how many of its pairs are links, and of those decided blind how many matched."""

    stratum: Stratum
    kept: int
    decided: int
    confirmed: int

    @property
    def pairs(self) -> float:
        """How many pairs it has, or, where only a share was kept, is reckoned to have."""
        return self.kept / share_kept(self.stratum)

    def bounds(self) -> tuple[float, float]:
        """Between how many pairs it has: a little more than the 95 % interval of what was drawn (Poisson)."""
        share = share_kept(self.stratum)
        if share == 1:
            return self.pairs, self.pairs
        spread = 2 * sqrt(self.kept)
        return max(self.kept - spread, 0) / share, (self.kept + spread + 4) / share


@dataclass(frozen=True)
class Estimate:
    """A share with its 95 % interval; `value` is None where nothing was decided that it could follow from."""

    value: float | None
    low: float
    high: float


def draw_of(pepper: bytes, a: int, b: int, relation: str) -> int:
    """The number of a pair, from 0 up to DRAWS, the same whenever it is asked; nobody without the pepper knows it."""
    text = f"{a} {b} {relation}".encode()
    return int.from_bytes(blake2b(text, key=pepper, person=b"seere draw", digest_size=4).digest()) >> 1


def stratum_of(band: str, probability: float) -> Stratum:
    """Where a pair is counted."""
    if band != Band.SILENT:
        return Stratum(band)
    return Stratum.NEAR if probability >= NEAR_FROM else Stratum.FAR


def share_kept(stratum: Stratum) -> float:
    """The share of a stratum's pairs that become links."""
    return {Stratum.NEAR: NEAR_SHARE, Stratum.FAR: FAR_SHARE}.get(stratum, 1.0)


def is_kept(band: str, probability: float, draw: int) -> bool:
    """Whether a pair becomes a link: every one that is shown, and a sample of the others."""
    return draw < DRAWS * share_kept(stratum_of(band, probability))


def is_blind(band: str, draw: int) -> bool:
    """Whether a pair is decided without its score: it is of a sample."""
    return band == Band.SILENT or draw < BLIND_BELOW


def shelf_of(band: str, draw: int) -> Shelf:
    """Where a pair waits for its decision."""
    return Shelf.BLIND if band != Band.SILENT and is_blind(band, draw) else Shelf(band)


def value_of(probability: float, is_urgent: bool) -> float:
    """What a decision is worth: what it finds where the pair matches, and what it teaches, weighed by haste."""
    # 1 where nobody knows, 0 where everybody does.
    uncertainty = 4 * probability * (1 - probability)
    return (probability + uncertainty) * (_URGENT_GAIN if is_urgent else 1.0)


def weighed(value: float, linked: int) -> float:
    """The value of a decision that joins what has so many confirmed links already: it concerns all of them."""
    return value * (1 + _CLUSTER_GAIN * log2(1 + linked))


def slot_at(number: int) -> Slot:
    """What the decision after so many others of the same person is for."""
    if number % _SAMPLE_EVERY != _SAMPLE_EVERY - 1:
        return Slot.VALUE
    return _SAMPLES[number // _SAMPLE_EVERY % len(_SAMPLES)]


def room_of(capacity: int) -> int:
    """How many of a day's pairs may be sent by one lineage, or be of one group: a flood of reports fills no day."""
    return max(1, int(capacity * _LARGEST_SHARE))


def fill(
    slots: Iterable[Slot],
    shelves: Mapping[Slot, Sequence[Pair]],
    seen: Mapping[str, int],
    met: Mapping[frozenset[str], int],
    room: int,
) -> list[tuple[Slot, Pair]]:
    """A pair for each slot, from the shelf of its kind, each the best first, until there is nothing left for one.

    `seen`: how many of the day's pairs each lineage sent, or are of each group, so far; none gets more than `room`.
    `met`: how many are of each two lineages; within one share they take turns, so that a flood does not spend it.
    Of a group one pair stands for all: what is said of it may settle others.
    """
    counts, turns, taken, groups, filled = Counter(seen), Counter(met), set[int](), set[str](), []

    def is_free(pair: Pair) -> bool:
        is_new = pair.link not in taken and (not pair.group or pair.group not in groups)
        return is_new and all(counts[each] < room for each in pair.takers)

    for slot in slots:
        found = _first(_INSTEAD[slot], shelves, is_free, turns)
        if found is None:
            break
        taken.add(found[1].link)
        groups.add(found[1].group)
        counts.update(found[1].takers)
        turns[found[1].lineages] += 1
        filled.append(found)
    return filled


def estimate(hits: int, tries: int) -> Estimate:
    """The share of which `hits` of `tries` were seen."""
    return Estimate(hits / tries if tries else None, *interval(hits, tries, _CONFIDENCE))


def precision(sample: Sample) -> Estimate:
    """Which share of a stratum matches."""
    return estimate(sample.confirmed, sample.decided)


def recall(samples: Collection[Sample]) -> Estimate:
    """Which share of the matches is shown, among the pairs that are shown or nearly were.

    Those far from it are left out: they are so many that the sample of a year could not bound the matches among
    them; their own share says what is known of them. Both ends hold at once for all strata (Bonferroni).
    """
    counted = {each.stratum: each for each in samples}
    shown = [counted.get(each, Sample(each, 0, 0, 0)) for each in (Stratum.STRONG, Stratum.POSSIBLE)]
    hidden = [counted.get(Stratum.NEAR, Sample(Stratum.NEAR, 0, 0, 0))]
    (few_shown, most_shown), (few_hidden, most_hidden) = _matches(shown), _matches(hidden)
    found, missed = (sum(map(_reckoned, each)) for each in (shown, hidden))
    is_known = all(each.decided for each in (*shown, *hidden) if each.kept) and found + missed > 0
    value = found / (found + missed) if is_known else None
    return Estimate(value, _share(few_shown, most_hidden, 0.0), _share(most_shown, few_hidden, 1.0))


def _reckoned(sample: Sample) -> float:
    """How many matches a stratum has, as far as its sample says."""
    return sample.pairs * sample.confirmed / sample.decided if sample.decided else 0.0


def _matches(samples: Sequence[Sample]) -> tuple[float, float]:
    """Between how many matches there are in strata."""
    sure = 1 - (1 - _CONFIDENCE) / _BOUNDED_APART
    shares = [interval(each.confirmed, each.decided, sure) for each in samples]
    fewest = sum(each.bounds()[0] * low for each, (low, _) in zip(samples, shares, strict=True))
    return fewest, sum(each.bounds()[1] * high for each, (_, high) in zip(samples, shares, strict=True))


def interval(hits: int, tries: int, confidence: float) -> tuple[float, float]:
    """The bounds of a share of which `hits` of `tries` were seen. Method: Clopper & Pearson (1934), exact."""
    tail = (1 - confidence) / 2
    low = 0.0 if hits == 0 else _where(lambda share: 1 - _at_most(hits - 1, tries, share), tail)
    high = 1.0 if hits == tries else _where(lambda share: 1 - _at_most(hits, tries, share), 1 - tail)
    return low, high


def _first(
    kinds: Iterable[Slot],
    shelves: Mapping[Slot, Sequence[Pair]],
    is_free: Callable[[Pair], bool],
    turns: Mapping[frozenset[str], int],
) -> tuple[Slot, Pair] | None:
    for kind in kinds:
        shelf = shelves.get(kind, ())
        first = next(filter(is_free, shelf), None)
        if first is not None:
            sharing = (each for each in shelf if not each.takers.isdisjoint(first.takers) and is_free(each))
            return kind, min(sharing, key=lambda each: turns[each.lineages])
    return None


def _share(found: float, missed: float, otherwise: float) -> float:
    return found / (found + missed) if found + missed else otherwise


def _where(rising: Callable[[float], float], wanted: float) -> float:
    """Where a function that rises from 0 to 1 reaches the value that is wanted."""
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < wanted else (low, middle)
    return (low + high) / 2


def _at_most(hits: int, tries: int, share: float) -> float:
    """The probability of no more than so many hits; `share` lies between 0 and 1."""
    # In logarithms: the factors alone leave the range of floats from a thousand tries on.
    ways = (lgamma(tries + 1) - lgamma(each + 1) - lgamma(tries - each + 1) for each in range(hits + 1))
    return sum(exp(way + each * log(share) + (tries - each) * log1p(-share)) for each, way in enumerate(ways))
