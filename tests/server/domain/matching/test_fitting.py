"""Fitting: as an established library does it, on what can't be fitted refused, and probabilities that come true."""

from collections.abc import Sequence
from dataclasses import replace
from math import log
from random import Random

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from server.domain.errors import FitFailed
from server.domain.matching.fitting import (
    OWN,
    Labelled,
    Regression,
    calibration_error,
    check_calibration,
    fit,
    fit_kinds,
    refit,
)
from server.domain.matching.levels import FieldName, Level
from server.domain.matching.model import Interaction, Model, Relation, Weights, judge, probability
from server.domain.matching.records import Form, Kind

WHO, WHERE, CODE = FieldName("who"), FieldName("where"), FieldName("code")
FORM = Form("try", {WHO: Kind.PERSON, WHERE: Kind.WORDS, CODE: Kind.CODE})
TRUTH = Weights((0.0, -5.0, -3.0, -1.0, 1.0, 2.0), 0.8)
START = Weights((0.0, -2.0, -1.0, 0.0, 1.0, 1.0), 0.8)
BOTH = Interaction("both", {WHO: (Level.EQUAL, Level.EQUAL), WHERE: (Level.EQUAL, Level.EQUAL)}, 0.0)


def a_model(weights: Weights, **changes: object) -> Model:
    kinds = dict.fromkeys(FORM.fields.values(), weights)
    model = Model("try-1", Relation.SAME_RECORD, "", 4.0, 1.0, 0, 1.0, kinds, {}, {}, (), 1.0, 0.0, 0.95, 0.3)
    return replace(model, **changes).for_form(FORM)


def drawn(model: Model, count: int, seed: int) -> list[Labelled]:
    """Pairs whose truth is drawn with the probability that the model gives them."""
    draw = Random(seed)
    pairs = []
    for _ in range(count):
        levels = {field: Level(draw.choices(range(6), (1, 6, 2, 2, 3, 4))[0]) for field in FORM.fields}
        rarity = {field: draw.uniform(1, 12) for field, level in levels.items() if level >= Level.FAINT}
        chance = judge(model, levels, rarity, 1000).probability
        pairs.append(Labelled(levels, rarity, 1000, draw.random() < chance))
    return pairs


def regression(rows: Sequence[Sequence[float]], truths: Sequence[bool], stiffness: float) -> Regression:
    size = len(rows[0]) + 1
    sparse = [{0: 1.0, **{at: value for at, value in enumerate(row, 1) if value}} for row in rows]
    return Regression(sparse, truths, [0.0] * len(rows), [0.0] * size, [0.0, *[stiffness] * (size - 1)])


def test_weights_are_those_of_an_established_library() -> None:
    draw = np.random.default_rng(3)
    rows = draw.normal(size=(400, 5)) * (draw.random((400, 5)) < 0.7)
    truths = draw.random(400) < 1 / (1 + np.exp(-(rows @ [2, -1, 0.5, 0, 3] - 1)))
    theirs = LogisticRegression(C=1 / 0.7, tol=1e-10, max_iter=5000).fit(rows, truths)
    ours = fit(regression(rows.tolist(), truths.tolist(), 0.7))
    assert ours == pytest.approx([*theirs.intercept_, *theirs.coef_[0]], abs=1e-4)


def test_offsets_are_odds_that_need_no_weight() -> None:
    rows = [{0: 1.0}] * 4
    found = fit(Regression(rows, [True, False, False, False], [log(1 / 3)] * 4, [0.0], [0.0]))
    assert found == pytest.approx([0.0], abs=1e-6)


def test_pairs_that_can_be_told_apart_entirely_converge_to_weights_of_moderate_size() -> None:
    rows = [[float(number)] for number in range(-200, 200) if number]
    weights = fit(regression(rows, [row[0] > 0 for row in rows], 0.1))
    assert all(abs(weight) < 10 for weight in weights)
    assert weights[1] > 0


def test_a_weight_that_nothing_holds_is_refused() -> None:
    # The second column is never there and nothing draws it anywhere.
    with pytest.raises(FitFailed) as refused:
        fit(Regression([{0: 1.0}] * 2, [True, False], [0.0] * 2, [0.0, 0.0], [0.0, 0.0]))
    assert refused.value.values == {"fault": "undetermined"}


def test_a_refit_finds_the_weights_that_made_the_labels() -> None:
    fitted = refit(a_model(START), drawn(a_model(TRUTH), 4000, 1), "try-2", "4000 drawn")
    for field in FORM.fields:
        assert fitted.fields[field].bits[1:] == pytest.approx(TRUTH.bits[1:], abs=1.2)
        assert fitted.fields[field].rarity == pytest.approx(TRUTH.rarity, abs=0.12)


def test_probabilities_of_a_refit_come_true_on_pairs_it_has_not_seen() -> None:
    fitted = refit(a_model(START), drawn(a_model(TRUTH), 2000, 1), "try-2", "2000 drawn")
    fresh = drawn(a_model(TRUTH), 4000, 2)
    judged = [(judge(fitted, pair.levels, pair.rarity, pair.stored).probability, pair.is_match) for pair in fresh]
    assert calibration_error(judged) < 0.02
    # A divergent fit throws nearly everything into one bin and still looks like weights.
    assert sum(0.05 < chance < 0.95 for chance, _ in judged) > 400


def test_few_labels_move_a_model_little() -> None:
    pairs = drawn(a_model(TRUTH), 12, 5)
    fitted = refit(a_model(START), pairs, "try-2", "12 drawn")
    for field in FORM.fields:
        assert fitted.fields[field].bits == pytest.approx(START.bits, abs=2)


def test_an_interaction_is_learned() -> None:
    truth = a_model(TRUTH, interactions=(replace(BOTH, bits=-8.0),))
    fitted = refit(a_model(START, interactions=(BOTH,)), drawn(truth, 4000, 4), "try-2", "")
    assert fitted.interactions[0].bits < -4


def test_a_refit_bears_its_own_version_and_leaves_the_model_alone() -> None:
    model = a_model(START)
    fitted = refit(model, drawn(a_model(TRUTH), 500, 1), "try-2", "500 drawn")
    assert (fitted.version, fitted.made_from, model.version) == ("try-2", "500 drawn", "try-1")
    assert model == a_model(START)


def test_answers_that_no_weights_explain_are_refused() -> None:
    # What is rarer is likelier the same, but of the rarest half are not.
    shares = ((0.0, 200, 0), (10.0, 200, 180), (30.0, 40, 20))
    pairs = [
        Labelled({WHO: Level.EQUAL}, {WHO: rare}, 1000, at < matches)
        for rare, count, matches in shares
        for at in range(count)
    ]
    with pytest.raises(FitFailed) as refused:
        refit(a_model(START), pairs, "try-2", "")
    assert refused.value.values == {"fault": "uncalibrated"}


@pytest.mark.parametrize("is_match", [True, False])
def test_answers_all_alike_are_refused(is_match: bool) -> None:
    alike = [pair._replace(is_match=is_match) for pair in drawn(a_model(TRUTH), 50, 1)]
    with pytest.raises(FitFailed) as refused:
        refit(a_model(START), alike, "try-2", "")
    assert refused.value.values == {"fault": "one_sided"}


def test_kinds_are_fitted_over_all_their_fields() -> None:
    fitted = fit_kinds(a_model(START), drawn(a_model(TRUTH), 4000, 1), FORM, OWN, {})
    assert fitted.kinds[Kind.PERSON].bits[1:] == pytest.approx(TRUTH.bits[1:], abs=1.2)
    assert fitted.fields == a_model(START).fields


def test_calibration_error_is_the_mean_distance_of_the_bins() -> None:
    # Said 0.9 and half came true, of 10; said 0.2 and one of 5 came true, of 5.
    judged = [(0.9, at < 5) for at in range(10)] + [(0.2, at < 1) for at in range(5)]
    assert calibration_error(judged) == pytest.approx(10 * 0.4 / 15)
    assert calibration_error([]) == 0.0


def test_probabilities_that_do_not_come_true_are_refused() -> None:
    with pytest.raises(FitFailed) as refused:
        check_calibration([(0.95, at % 2 == 0) for at in range(100)])
    assert refused.value.values == {"fault": "uncalibrated"}
    check_calibration([(probability(0), at % 2 == 0) for at in range(100)])
