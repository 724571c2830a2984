"""Chances: the rarer a value in this store, the more it says that two share it."""

import pytest

from server.domain.matching.chances import Chances
from server.domain.matching.levels import FieldName, Level
from server.domain.matching.model import Model, Relation, Weights
from server.domain.matching.records import Form, Kind

NAME = FieldName("name")
FORM = Form("try", {NAME: Kind.WORDS})
WEIGHTS = Weights((0.0,) * 6, 1.0)
SHARES = {Kind.WORDS: (0.0, 0.75, 0.125, 0.0625, 0.03125, 0.03125)}
WORDS = {Kind.WORDS: WEIGHTS}
MODEL = Model("t", Relation.SAME_RECORD, "", 0.0, 1.0, 0, 1.0, WORDS, SHARES, {}, (), 1.0, 0.0, 0.95, 0.3)


def bits(chances: Chances, level: Level, ours: str = "a", theirs: str = "b") -> float:
    return chances.rarity({NAME: level}, {NAME: [ours]}, {NAME: [theirs]})[NAME]


def with_names(*names: str) -> Chances:
    chances = Chances(FORM, MODEL)
    for name in names:
        chances.count_values({NAME: [name]})
    return chances


def test_an_empty_store_says_what_the_kind_does_of_a_level_or_better() -> None:
    chances = Chances(FORM, MODEL)
    # 0.25 agree at least faintly, 0.0625 at least nearly.
    assert bits(chances, Level.FAINT) == pytest.approx(2.0)
    assert bits(chances, Level.NEAR) == pytest.approx(4.0)


def test_a_rare_value_says_more_than_a_common_one() -> None:
    chances = with_names(*["traore"] * 400, *["sissako"] * 2, *[str(number) for number in range(598)])
    rare, common = bits(chances, Level.EQUAL, "sissako", "sissako"), bits(chances, Level.EQUAL, "traore", "traore")
    assert rare > 8
    assert common == pytest.approx(1.33, abs=0.1)


def test_strangers_that_agree_make_agreement_cheap() -> None:
    chances = Chances(FORM, MODEL)
    before = bits(chances, Level.CLOSE)
    for _ in range(200):
        chances.count_pair({NAME: Level.CLOSE})
    assert bits(chances, Level.CLOSE) < before - 2


def test_what_differs_or_is_missing_has_no_rarity() -> None:
    chances = with_names("a", "b")
    assert chances.rarity({NAME: Level.DIFFERS}, {NAME: ["a"]}, {NAME: ["b"]}) == {}
    assert chances.rarity({NAME: Level.MISSING}, {}, {}) == {}
    chances.count_pair({NAME: Level.MISSING})
    assert bits(chances, Level.FAINT) == pytest.approx(2.0)


def test_of_several_shared_values_the_rarest_counts() -> None:
    chances = with_names(*["traore"] * 50, "sissako")
    both = chances.rarity({NAME: Level.EQUAL}, {NAME: ["traore", "sissako"]}, {NAME: ["sissako", "traore"]})
    assert both[NAME] == bits(chances, Level.EQUAL, "sissako", "sissako")
