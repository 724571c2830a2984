"""Complaints compared: a fact counts once, levels have no direction, and rare names say more than common ones."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.domain.matching import complaints
from server.domain.matching.complaints import (
    ACCUSED,
    COMPLAINANTS,
    FORM,
    KINDS,
    MONEY,
    PEOPLE,
    PLACE,
    VICTIMS,
    WHEN,
    WORDING,
    levels_of,
)
from server.domain.matching.levels import FieldName, Level
from server.domain.matching.model import Relation
from server.domain.matching.profiles import EMPTY, Profile
from tests.server.domain.matching.test_profiles import profile, told

ROLES = {1: ("complainant", "victim"), 2: ("alleged_perpetrator",)}
MODELS = [complaints.shipped(relation) for relation in complaints.RELATIONS]


@pytest.mark.parametrize(
    ("theirs", "field", "level"),
    [
        (profile(), VICTIMS, Level.EQUAL),
        (profile(names=("Exemplaire Fanta",)), COMPLAINANTS, Level.EQUAL),
        (profile(names=("Oumar Autrement",)), VICTIMS, Level.DIFFERS),
        (profile(told(roles={1: ("witness",)})), VICTIMS, Level.MISSING),
        (profile(told(roles={1: ("witness",)})), PEOPLE, Level.EQUAL),
        (profile(), PEOPLE, Level.MISSING),
        (profile(), ACCUSED, Level.MISSING),
        (profile(said="Kwakuru"), PLACE, Level.NEAR),
        (profile(said="Djenné"), PLACE, Level.DIFFERS),
        (profile(said=""), PLACE, Level.FAINT),
        (profile(told(place_id="ml-c-kayes")), PLACE, Level.DIFFERS),
        (profile(told(place_id=None), said=""), PLACE, Level.MISSING),
        (profile(told(incident_from="2026-10-04")), WHEN, Level.NEAR),
        (profile(told(precision="unknown")), WHEN, Level.MISSING),
        (profile(told(kinds=("HR-THR",))), KINDS, Level.NEAR),
        (profile(told(kinds=("HR-TOR",))), KINDS, Level.FAINT),
        (profile(told(kinds=("GBV-1",))), KINDS, Level.DIFFERS),
        (profile(told(amounts=(14_000,))), MONEY, Level.NEAR),
        (profile(), WORDING, Level.EQUAL),
    ],
)
def test_levels_of_two_reports(theirs: Profile, field: FieldName, level: Level) -> None:
    assert levels_of(profile(), theirs)[field] is level


_REPORTS = st.sampled_from(
    [
        profile(),
        profile(told(roles=ROLES), names=("Fatoumata Exemplaire", "Oumar Autrement"), said="Kwakuru"),
        profile(told(place_id="ml-c-kayes", roles={1: ("witness",)}), found=("Modibo Inventé",), phones=("00001234",)),
        profile(told(kinds=("HR-TOR", "HR-THR"), incident_from=None), names=(), found=("Fanta Exemplaire",)),
        EMPTY,
    ]
)


@given(_REPORTS, _REPORTS)
def test_judgement_has_no_direction(ours: Profile, theirs: Profile) -> None:
    assert complaints.judge_pair(MODELS, ours, theirs) == complaints.judge_pair(MODELS, theirs, ours)
    assert levels_of(ours, theirs).keys() == FORM.fields.keys()


INCIDENT, COMPLAINANT = range(2)
OTHER_MATTER = told(kinds=("COR-LAND",), incident_from="2026-03-01", amounts=(), bodies=("elected_official", "land"))


def weight(theirs: Profile, relation: int, ours: Profile | None = None) -> float:
    """The evidence of two reports that nobody narrated."""
    silent = [
        Profile(*({label: v for label, v in part.items() if label[0] != "s"} for part in (each.veils, each.numbers)))
        for each in (ours or profile(), theirs)
    ]
    return complaints.judge_pair(MODELS, *silent)[relation].judgement.weight


def test_shipped_models_are_of_both_relations() -> None:
    assert [model.relation for model in MODELS] == [Relation.SAME_INCIDENT, Relation.SAME_COMPLAINANT]
    assert all(model.strong > model.possible > 0 for model in MODELS)


def test_another_victim_speaks_against_one_incident() -> None:
    same = weight(profile(told(incident_from="2026-10-04"), names=("EXEMPLAIRE Fanta",)), INCIDENT)
    assert same > weight(profile(told(incident_from="2026-10-04"), names=("Oumar Autrement",)), INCIDENT)


def test_another_matter_of_the_same_person_is_no_incident_of_theirs() -> None:
    assert weight(profile(OTHER_MATTER), INCIDENT) < weight(profile(), INCIDENT) - 5
    assert weight(profile(OTHER_MATTER), COMPLAINANT) > weight(profile(), COMPLAINANT) - 5


def test_common_name_says_less_than_a_rare_one() -> None:
    rare, common = profile(), profile(names=("Moussa Traoré",))
    for relation in (INCIDENT, COMPLAINANT):
        assert weight(rare, relation, rare) > weight(common, relation, common)


def test_telephone_speaks_for_one_complainant() -> None:
    calls = profile(phones=("00001234",))
    assert weight(calls, COMPLAINANT, calls) > weight(profile(), COMPLAINANT)
    assert weight(calls, COMPLAINANT, calls) > weight(profile(phones=("00009876",)), COMPLAINANT, calls)
