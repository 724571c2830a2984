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
from server.domain.matching.model import Band, Relation
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


@pytest.mark.parametrize(
    ("ours", "theirs", "bands"),
    [
        (profile(), profile(told(incident_from="2026-10-04"), names=("EXEMPLAIRE Fanta",)), ["strong", "strong"]),
        # What happens there each week, to others.
        (profile(), profile(told(amounts=(3_000,)), names=("Oumar Autrement",)), ["silent", "silent"]),
        (
            profile(told(kinds=("COR-LAND",), incident_from="2026-03-01", amounts=(), bodies=())),
            profile(told(amounts=())),
            ["silent", "strong"],
        ),
        (
            profile(told(place_id="ml-c-kayes"), names=("Moussa Traoré",), said=""),
            profile(told(incident_from="2026-01-03", kinds=("HR-TOR",)), names=("Moussa Traoré",)),
            ["silent", "silent"],
        ),
    ],
    ids=["one incident", "one market, two victims", "one person, two matters", "two who bear a common name"],
)
def test_shipped_models_tell_the_relations_apart(ours: Profile, theirs: Profile, bands: list[str]) -> None:
    without = [Profile(each.veils, {k: v for k, v in each.numbers.items() if k != "sm"}) for each in (ours, theirs)]
    without = [Profile({k: v for k, v in each.veils.items() if k != "ss"}, each.numbers) for each in without]
    judged = complaints.judge_pair(MODELS, *without)
    found = [model.band(each.judgement.probability) for model, each in zip(MODELS, judged, strict=True)]
    assert found == [Band(band) for band in bands]
    assert [each.relation for each in judged] == [Relation.SAME_INCIDENT, Relation.SAME_COMPLAINANT]
