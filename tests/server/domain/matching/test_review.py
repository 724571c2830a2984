"""Clerical review: the order of the queue, its samples, and what they tell."""

from collections import Counter
from random import Random

import pytest

from server.domain.matching import review
from server.domain.matching.review import DRAWS, Estimate, Pair, Sample, Slot, Stratum

_PEPPER = b"p" * 32


def pair(link: int, *lineages: str, value: float = 1.0) -> Pair:
    known = lineages or (f"of {link}",)
    return Pair(link, value, frozenset(known), sender=known[-1])


def test_between_a_tenth_and_a_fifth_of_all_slots_go_to_samples_and_doubt() -> None:
    slots = Counter(review.slot_at(number) for number in range(210))
    assert slots == {Slot.VALUE: 180, Slot.BLIND: 10, Slot.SILENT: 10, Slot.UNCERTAIN: 10}


def test_haste_and_doubt_are_worth_more_and_certainty_less() -> None:
    assert review.value_of(0.5, False) > review.value_of(0.98, False) > review.value_of(0.05, False)
    assert review.value_of(0.4, True) > review.value_of(0.5, False)
    assert review.weighed(1.0, 3) > review.weighed(1.0, 1) > review.weighed(1.0, 0) == 1.0


def test_slots_take_the_best_of_their_shelf_and_the_next_shelf_where_it_is_empty() -> None:
    shelves = {Slot.VALUE: [pair(1), pair(2), pair(3)], Slot.UNCERTAIN: [pair(3)], Slot.BLIND: [pair(4)]}
    slots = [Slot.VALUE, Slot.UNCERTAIN, Slot.SILENT, Slot.VALUE, Slot.VALUE]
    filled = review.fill(slots, shelves, {}, {}, room=9)
    assert [(slot, each.link) for slot, each in filled] == [
        (Slot.VALUE, 1),
        (Slot.UNCERTAIN, 3),
        (Slot.VALUE, 2),
        (Slot.BLIND, 4),
    ]


def test_silent_pairs_never_take_the_place_of_others() -> None:
    assert review.fill([Slot.VALUE], {Slot.SILENT: [pair(1)]}, {}, {}, room=9) == []


def test_one_lineage_takes_no_more_than_its_share_of_the_day() -> None:
    flood = [pair(number, "flood") for number in range(50)]
    others = [pair(100 + number) for number in range(5)]
    filled = review.fill([Slot.VALUE] * 12, {Slot.VALUE: [*flood, *others]}, {"flood": 1}, {}, review.room_of(12))
    assert [each.link for _, each in filled] == [0, 1, 2, 100, 101, 102, 103, 104]


def test_within_a_share_those_that_are_alike_take_turns() -> None:
    flood = [pair(number, "flood", "victim") for number in range(50)]
    other = pair(100, "other", "victim")
    filled = review.fill([Slot.VALUE] * 3, {Slot.VALUE: [*flood, other]}, {}, {}, review.room_of(12))
    assert [each.link for _, each in filled] == [0, 100, 1]


def test_draws_are_keyed_and_even() -> None:
    draws = [review.draw_of(_PEPPER, 1, number, "same_incident") for number in range(4_000)]
    assert draws[0] == review.draw_of(_PEPPER, 1, 0, "same_incident")
    assert draws[0] != review.draw_of(b"q" * 32, 1, 0, "same_incident")
    assert all(0 <= draw < DRAWS for draw in draws)
    blind = sum(review.is_blind("strong", draw) for draw in draws)
    near = sum(review.is_kept("silent", 0.1, draw) for draw in draws)
    far = sum(review.is_kept("silent", 0.001, draw) for draw in draws)
    assert (blind, near, far) == (pytest.approx(250, abs=60), pytest.approx(500, abs=85), pytest.approx(8, abs=11))
    assert all(review.is_kept("possible", 0.4, draw) for draw in draws)
    assert all(review.is_blind("silent", draw) for draw in draws)


@pytest.mark.parametrize(
    ("hits", "tries", "low", "high"),
    # 0 of 10 and 10 of 10: 1 - 0.025 ** (1/10), by hand; 5 of 10 and 81 of 263: printed tables, and Agresti & Coull.
    [(0, 10, 0.0, 0.3085), (10, 10, 0.6915, 1.0), (5, 10, 0.1871, 0.8129), (0, 0, 0.0, 1.0), (81, 263, 0.2527, 0.3676)],
)
def test_interval_is_the_exact_one(hits: int, tries: int, low: float, high: float) -> None:
    assert review.interval(hits, tries, 0.95) == pytest.approx((low, high), abs=5e-4)


def test_interval_of_thousands_of_decisions_is_finite() -> None:
    low, high = review.interval(4_900, 5_000, 0.95)
    assert 0.97 < low < 0.98 < high < 0.99


def test_nothing_decided_says_nothing() -> None:
    assert review.precision(Sample(Stratum.STRONG, 40, 0, 0)) == Estimate(None, 0.0, 1.0)
    assert review.recall([Sample(Stratum.STRONG, 40, 0, 0)]) == Estimate(None, 0.0, 1.0)


def test_recall_weighs_each_stratum_by_its_pairs() -> None:
    # 25 kept stand for 200; how many there are far away says nothing.
    known = Sample(Stratum.STRONG, 100, 10, 9), Sample(Stratum.NEAR, 25, 20, 1)
    reached = review.recall([*known, Sample(Stratum.FAR, 30, 0, 0)])
    assert reached.value == pytest.approx(90 / (90 + 10))
    assert reached.low < 0.9 < reached.high


def test_interval_of_recall_holds_what_is_true() -> None:
    random, held = Random(4), 0
    strata = {Stratum.STRONG: (300, 0.95), Stratum.POSSIBLE: (200, 0.5), Stratum.NEAR: (800, 0.05)}
    true = (285 + 100) / (285 + 100 + 40)
    for _ in range(100):
        samples = []
        for stratum, (pairs, share) in strata.items():
            kept = sum(random.random() < review.share_kept(stratum) for _ in range(pairs))
            samples.append(Sample(stratum, kept, 40, sum(random.random() < share for _ in range(40))))
        reached = review.recall(samples)
        held += reached.low <= true <= reached.high
    assert held >= 95
