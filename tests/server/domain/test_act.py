"""Acts: who did what to whom, accused until judged, and no body to which its own people's accuser is sent."""

from datetime import date

import pytest

from server.domain.act import Act, Involvement, Judgement, accused_categories, is_own_people, judge
from server.domain.errors import JudgementRefused

CONVICTED = Judgement("convicted", "tgi-mopti", date(2026, 10, 1), is_final=True)


def _act(*involved: Involvement) -> Act:
    return Act(1, "HR-ARR", involved)


def test_whoever_stands_for_several_counts_as_so_many_victims() -> None:
    several, one = Involvement(1, "victim", None, 3), Involvement(2, "victim", None)
    assert _act(several, one, Involvement(3, "alleged_perpetrator", "police", 5)).victims == 4


@pytest.mark.parametrize(
    ("verdict", "is_final", "shown"),
    [
        ("convicted", True, "perpetrator"),
        ("acquitted", True, "acquitted"),
        ("convicted", False, "alleged_perpetrator"),
        ("acquitted", False, "alleged_perpetrator"),
    ],
)
def test_whoever_is_accused_is_alleged_until_a_court_decided_for_good(verdict: str, is_final: bool, shown: str) -> None:
    act = _act(Involvement(1, "victim", None), Involvement(2, "alleged_perpetrator", "police"))
    assert [each.role_shown for each in act.involved] == ["victim", "alleged_perpetrator"]
    judged = judge(act, 2, Judgement(verdict, "tgi-mopti", date(2026, 10, 1), is_final))  # type: ignore[arg-type]
    assert [each.role_shown for each in judged.involved] == ["victim", shown]
    assert judged.involved[1].is_alleged is not is_final


def test_whoever_helped_is_still_said_to_have_helped() -> None:
    [helper] = judge(_act(Involvement(2, "accomplice", None)), 2, CONVICTED).involved
    assert (helper.is_alleged, helper.role_shown) == (False, "accomplice")


def test_only_who_is_accused_is_judged_and_once_for_good() -> None:
    act = _act(Involvement(1, "victim", None), Involvement(2, "alleged_perpetrator", "police"))
    for person in (1, 3):
        with pytest.raises(JudgementRefused) as refused:
            judge(act, person, CONVICTED)
        assert refused.value.values["fault"] == "nobody"
    appealed = judge(act, 2, Judgement("convicted", "tgi-mopti", date(2026, 10, 1), is_final=False))
    final = judge(appealed, 2, CONVICTED)
    with pytest.raises(JudgementRefused) as refused:
        judge(final, 2, CONVICTED)
    assert refused.value.values["fault"] == "final"


@pytest.mark.parametrize(
    ("role", "category", "accused"),
    [
        ("alleged_perpetrator", "police", {"police"}),
        ("accomplice", "judiciary", {"judiciary"}),
        ("intermediary", "network_staff", {"network_staff"}),
        ("alleged_perpetrator", None, set()),
        ("witness", "police", set()),
        ("victim", "police", set()),
    ],
)
def test_whose_people_are_accused_is_said_by_category(role: str, category: str | None, accused: set[str]) -> None:
    others = _act(Involvement(1, "victim", None))
    assert accused_categories([others, _act(Involvement(2, role, category))]) == accused


@pytest.mark.parametrize(
    ("category", "body", "is_own"),
    [
        ("police", "police", True),
        ("police", "morals_brigade", True),
        ("judiciary", "prosecutor", True),
        ("traditional_authority", "cofo", True),
        ("network_staff", "amdh", True),
        ("police", "gendarmerie", False),
        ("police", "forces_inspection", False),
    ],
)
def test_no_case_goes_to_a_body_whose_own_people_it_accuses(category: str, body: str, is_own: bool) -> None:
    others = _act(Involvement(1, "victim", None))
    acts = [others, _act(Involvement(2, "alleged_perpetrator", category))]
    assert is_own_people(body, acts) is is_own


def test_an_acquitted_colleague_is_a_colleague() -> None:
    acquitted = Judgement("acquitted", "tgi-mopti", date(2026, 10, 1), is_final=True)
    act = judge(_act(Involvement(2, "alleged_perpetrator", "police")), 2, acquitted)
    assert accused_categories([act]) == {"police"}
