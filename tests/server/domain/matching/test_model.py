"""Models: bits that add up, reasons that say which, and files that are read or refused."""

import json
from dataclasses import replace

import pytest

from server.domain.errors import ModelInvalid
from server.domain.matching.levels import FieldName, Level
from server.domain.matching.model import (
    Band,
    Interaction,
    Judgement,
    Model,
    Rarity,
    Reason,
    Relation,
    Weights,
    chance_of,
    judge,
    match_weight,
    probability,
)
from server.domain.matching.records import Form, Kind

WHO, WHERE = FieldName("who"), FieldName("where")
FORM = Form("try", {WHO: Kind.PERSON, WHERE: Kind.PLACE})
SHARES = (0.0, 0.9, 0.05, 0.03, 0.01, 0.01)
MODEL = Model(
    version="try-1",
    relation=Relation.SAME_INCIDENT,
    made_from="by hand",
    constant=1.0,
    partners=0.5,
    steps=0,
    step_bits=1.0,
    kinds={
        Kind.PERSON: Weights((0.0, -4.0, -2.0, 1.0, 2.0, 3.0), 0.5),
        Kind.PLACE: Weights((0.0, -1.0, 0.0, 0.5, 1.0, 2.0), 1.0),
    },
    chance_shares={Kind.PERSON: SHARES, Kind.PLACE: SHARES},
    fields={},
    interactions=(Interaction("who_where", {WHO: (Level.NEAR, Level.EQUAL), WHERE: (Level.CLOSE, Level.EQUAL)}, 1.5),),
    slope=1.0,
    intercept=0.0,
    strong=0.95,
    possible=0.30,
)
FITTED = MODEL.for_form(FORM)


def judged(who: Level, where: Level, stored: int = 1024, rarity: Rarity | None = None) -> Judgement:
    return judge(FITTED, {WHO: who, WHERE: where}, rarity or {}, stored)


def test_weight_is_the_odds_before_and_the_bits_of_each_reason() -> None:
    # 1 + log2(0.5 / 1024) = -10; who 3 + 0.5 * 8; where 0.5 + 1 * 4; both 1.5.
    told = judged(Level.EQUAL, Level.CLOSE, rarity={WHO: 8.0, WHERE: 4.0})
    assert told.reasons == (
        Reason("who", Level.EQUAL, 7.0),
        Reason("where", Level.CLOSE, 4.5),
        Reason("who_where", None, 1.5),
    )
    assert told.weight == pytest.approx(3.0)
    assert told.probability == pytest.approx(8 / 9)


def test_what_is_missing_is_no_reason() -> None:
    assert [reason.name for reason in judged(Level.EQUAL, Level.MISSING).reasons] == ["who"]


def test_rarity_says_nothing_of_values_that_differ() -> None:
    assert judged(Level.DIFFERS, Level.EQUAL, rarity={WHO: 20.0}) == judged(Level.DIFFERS, Level.EQUAL)


def test_the_strongest_reason_comes_first_for_or_against() -> None:
    assert [reason.name for reason in judged(Level.DIFFERS, Level.EQUAL).reasons] == ["who", "where"]


def test_among_twice_as_many_strangers_a_pair_weighs_one_bit_less() -> None:
    assert judged(Level.EQUAL, Level.EQUAL, 2048).weight == judged(Level.EQUAL, Level.EQUAL, 1024).weight - 1


def test_a_store_that_has_just_begun_is_as_careful_as_one_of_a_thousand() -> None:
    assert judged(Level.EQUAL, Level.EQUAL, 3) == judged(Level.EQUAL, Level.EQUAL, 1000)


def test_weight_and_chance_alone_are_those_of_the_judgement() -> None:
    levels, rarity = {WHO: Level.EQUAL, WHERE: Level.NEAR}, {WHO: 5.0}
    told = judge(FITTED, levels, rarity, 100)
    assert match_weight(FITTED, levels, rarity, 100) == pytest.approx(told.weight)
    assert chance_of(FITTED, levels, rarity, 100) == pytest.approx(told.probability)


def test_calibration_moves_the_probability_and_not_the_weight() -> None:
    levels = {WHO: Level.EQUAL, WHERE: Level.EQUAL}
    moved = judge(replace(FITTED, slope=0.5, intercept=2.0), levels, {}, 1024)
    plain = judge(FITTED, levels, {}, 1024)
    assert moved.weight == plain.weight
    assert moved.probability == pytest.approx(probability(0.5 * plain.weight + 2))


@pytest.mark.parametrize(("bits", "expected"), [(0, 0.5), (1, 2 / 3), (-1, 1 / 3), (1e9, 1.0), (-1e9, 0.0)])
def test_probability_of_bits(bits: float, expected: float) -> None:
    assert probability(bits) == pytest.approx(expected)


def test_a_field_of_its_own_weighs_by_itself_others_by_kind() -> None:
    own = replace(MODEL, fields={WHO: Weights((0.0,) * 6, 0.0)}).for_form(FORM)
    assert judge(own, {WHO: Level.EQUAL, WHERE: Level.EQUAL}, {}, 1).reasons[-1] == Reason("who", Level.EQUAL, 0.0)
    assert own.fields[WHERE] == MODEL.kinds[Kind.PLACE]


def test_a_field_nobody_weighed_is_refused() -> None:
    with pytest.raises(KeyError):
        judge(MODEL, {WHO: Level.EQUAL}, {}, 1)


@pytest.mark.parametrize(
    ("chance", "band"),
    [(0.95, Band.STRONG), (0.9499, Band.POSSIBLE), (0.30, Band.POSSIBLE), (0.2999, Band.SILENT)],
)
def test_bands_begin_where_the_model_says(chance: float, band: Band) -> None:
    assert MODEL.band(chance) is band


@pytest.mark.parametrize("chance", [0.49, 0.5, 0.99])
def test_a_faint_pair_has_to_be_likelier_than_not(chance: float) -> None:
    model = replace(MODEL, possible=0.3, strong=0.98)
    assert model.band(chance, is_faint=True) is (model.band(chance) if chance >= 0.5 else Band.SILENT)
    assert model.band(chance) is not Band.SILENT


def test_what_is_written_is_read_back() -> None:
    assert Model.read(FITTED.write()) == FITTED


@pytest.mark.parametrize(
    "damage",
    [
        {"relation": "same_person"},
        {"constant": "much"},
        {"kinds": {"person": {"bits": [0, 1, 2], "rarity": 1}}},
        {"kinds": {"person": {"bits": [1, 1, 1, 1, 1, 1], "rarity": 1}}},
        {"kinds": {"smell": {"bits": [0, 1, 1, 1, 1, 1], "rarity": 1}}},
        {"interactions": [{"name": "x", "when": {"who": [9, 9]}, "bits": 1}]},
        {"kinds": None},
    ],
)
def test_a_damaged_model_is_refused(damage: dict[str, object]) -> None:
    with pytest.raises(ModelInvalid):
        Model.read(json.dumps({**json.loads(MODEL.write()), **damage}))


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", "\x00"])
def test_no_model_is_refused(text: str) -> None:
    with pytest.raises(ModelInvalid):
        Model.read(text)
