"""Learning from decisions: what was kept is evidence, nothing is tried on what it was learned from, and scores."""

from collections.abc import Sequence
from random import Random

import pytest

from server.domain.matching import complaints, learning
from server.domain.matching.complaints import STORED
from server.domain.matching.fitting import Labelled
from server.domain.matching.learning import Evidence, Lesson, Preference
from server.domain.matching.levels import FieldName, Level
from server.domain.matching.model import Relation, judge

SHIPPED = complaints.shipped(Relation.SAME_INCIDENT)
VICTIMS, PLACE, WHEN = (FieldName(name) for name in ("victims", "place", "when"))


def a_lesson(a: int, b: int, is_match: bool, place: Level = Level.EQUAL) -> Lesson:
    return Lesson((a, b), Labelled({PLACE: place}, {}, STORED, is_match))


def lessons(truths: Sequence[bool]) -> list[Lesson]:
    return [a_lesson(2 * at, 2 * at + 1, truth) for at, truth in enumerate(truths)]


def test_what_a_link_keeps_is_judged_again_as_it_was() -> None:
    levels, rarity = {VICTIMS: Level.NEAR, PLACE: Level.DIFFERS, WHEN: Level.MISSING}, {VICTIMS: 16.5}
    judged = judge(SHIPPED, levels, rarity, STORED)
    kept = Evidence(SHIPPED.version, judged.kept)
    assert learning.rarity_told(kept, SHIPPED) == {VICTIMS: pytest.approx(16.5, abs=0.01)}
    assert learning.judge_again(kept, SHIPPED, SHIPPED).weight == pytest.approx(judged.weight, abs=0.01)


def test_pairs_that_share_a_complaint_are_tried_together() -> None:
    draw = Random(3)
    known = [a_lesson(a, b, draw.random() < 0.5) for a, b in [(1, 2), (2, 3), (4, 3), (10, 11), (12, 11)]]
    known += [a_lesson(100 + 2 * at, 101 + 2 * at, at % 2 == 0) for at in range(40)]
    folds = learning._folds(known)
    assert sorted(at for fold in folds for at in fold) == list(range(len(known)))
    ends = [{end for at in fold for end in known[at].ends} for fold in folds]
    assert all(one.isdisjoint(other) for at, one in enumerate(ends) for other in ends[:at])
    assert max(map(len, folds)) - min(map(len, folds)) <= 1


def test_a_pair_is_not_tried_on_a_model_that_learned_from_it() -> None:
    # All others of its kind are no match: who had seen this one would believe it more.
    known = [a_lesson(2 * at, 2 * at + 1, at == 0) for at in range(60)]
    known += [a_lesson(1000 + 2 * at, 1001 + 2 * at, True, Level.NEAR) for at in range(30)]
    known += [a_lesson(2000 + 2 * at, 2001 + 2 * at, False, Level.NEAR) for at in range(30)]
    seen = learning.chances_by(learning.learn(SHIPPED, known), known)[0]
    assert learning.crossed(SHIPPED, known)[0] < seen


def test_scores_are_those_worked_out_by_hand() -> None:
    # Says six, four of them rightly; five match.
    known = lessons([True, True, True, True, False, False, True, False, False, False])
    told = learning.score([0.9] * 6 + [0.1] * 4, known)
    assert (told.precision.value, told.recall.value) == (4 / 6, 4 / 5)
    assert told.f1.value == pytest.approx(8 / 11)
    assert told.f1.low < 8 / 11 < told.f1.high
    assert told.wrong == 3


def test_nothing_is_said_of_a_share_that_nothing_follows_from() -> None:
    told = learning.score([0.1, 0.1], lessons([False, False]))
    assert (told.precision.value, told.recall.value, told.f1.value) == (None, None, None)


@pytest.mark.parametrize(
    ("only_new", "only_old", "preference"),
    [(6, 0, Preference.NEW), (5, 0, Preference.NEITHER), (0, 6, Preference.OLD), (9, 7, Preference.NEITHER)],
)
def test_a_model_is_preferred_where_chance_does_not_explain_it(
    only_new: int, only_old: int, preference: Preference
) -> None:
    # 2 * (1/2)^6 is below 5 in 100, 2 * (1/2)^5 is not.
    known = lessons([True] * (only_new + only_old) + [True] * 20)
    old = [0.1] * only_new + [0.9] * only_old + [0.9] * 20
    new = [0.9] * only_new + [0.1] * only_old + [0.9] * 20
    assert learning.preferred(old, new, known) is preference
