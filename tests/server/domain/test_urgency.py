"""How urgent a complaint is by its answers, a case by its complaints, and who may say that it is less so."""

from datetime import UTC, datetime
from typing import Any

import pytest

from server.domain.case import UrgencyWord
from server.domain.casework import Urgency
from server.domain.complaint import parse_complaint
from server.domain.errors import UrgencyRefused
from server.domain.permission import Actor, Target
from server.domain.urgency import (
    Computed,
    check_said,
    common_word,
    computed,
    most_urgent,
    standing,
    told_in,
    word_along,
)
from tests.builders import content
from tests.case_worlds import COORDINATOR, a_case

RECEIVED = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
_ANSWERS = {"danger", "within_72h", "minor", "detained", "reprisals", "witness", "eviction"}


def _computed(*kinds: str, **changes: Any) -> Computed:
    """Of a complaint told the day before it was received; what is no member of the facts is an urgency answer."""
    answers = {name: changes.pop(name) for name in _ANSWERS & changes.keys()}
    if answers:
        changes["urgency"] = {"danger": "unknown", **answers}
    told = {"collected_at": "2026-11-20T10:00:00Z", "kinds": list(kinds or ["COR-RACKET"]), **changes}
    return computed(told_in(parse_complaint(content(**told), None), RECEIVED))


def _happened(day: str | None, precision: str = "day", to: str | None = None) -> dict[str, Any]:
    return {"incident": {"from": day, "precision": precision} | ({} if to is None else {"to": to})}


@pytest.mark.parametrize(
    ("found", "level", "because"),
    [
        (_computed(danger="yes"), "U1", ("danger",)),
        (_computed("HR-DIS"), "U1", ("disappeared",)),
        (_computed("HR-TOR", detained=True), "U1", ("detainee_tortured",)),
        (_computed("HR-TOR", "HR-DET"), "U1", ("tortured_in_custody",)),
        (_computed("GBV-1", within_72h=True), "U1", ("assault_said_recent",)),
        (_computed("GBV-1", **_happened("2026-11-17")), "U1", ("assault_recent",)),
        (_computed("GBV-1", danger="yes", within_72h=True), "U1", ("danger", "assault_said_recent")),
        (_computed("HR-DET"), "U2", ("detained_by_kind",)),
        (_computed(detained=True), "U2", ("detained",)),
        (_computed(minor=True), "U2", ("minor",)),
        (_computed("HR-CHI"), "U2", ("minor_by_kind",)),
        (_computed(reprisals=True), "U2", ("reprisals",)),
        (_computed("HR-THR"), "U2", ("threats",)),
        (_computed(witness=True), "U2", ("witness_at_risk",)),
        (_computed(eviction=True), "U2", ("eviction",)),
        (_computed("HR-SLA"), "U2", ("held_in_bondage",)),
        (_computed("HR-TOR"), "U3", ()),
        (_computed("GBV-1", **_happened("2026-11-16")), "U3", ("gender_based_violence",)),
        (_computed("GBV-3", danger="no", **_happened("2020-01-01")), "U3", ("gender_based_violence",)),
        (_computed(), "U3", ()),
        (_computed(danger="no"), "U3", ()),
        (_computed(danger="unknown", **_happened("2020-01-01")), "U3", ()),
        (_computed(danger="no", **_happened("2026-05-24")), "U4", ("past_without_risk",)),
        (_computed(danger="no", **_happened("2026-05-25")), "U3", ()),
        (_computed(danger="no", minor=True, **_happened("2020-01-01")), "U2", ("minor",)),
    ],
)
def test_the_most_urgent_rule_that_holds_says_how_urgent(found: Computed, level: str, because: tuple[str, ...]) -> None:
    assert found == Computed(level, because)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("incident", "level"),
    [
        (_happened("2025-01-01", "year"), "U4"),
        (_happened("2026-01-01", "year"), "U3"),
        (_happened("2026-04-01", "month"), "U4"),
        (_happened("2026-05-01", "month"), "U3"),
        (_happened("2020-01-01", "day", to="2026-11-01"), "U3"),
        (_happened("2020-01-01", "estimate"), "U3"),
        (_happened(None, "unknown"), "U3"),
        ({}, "U3"),
    ],
)
def test_past_is_what_was_over_half_a_year_before_however_the_day_is_meant(
    incident: dict[str, Any], level: str
) -> None:
    assert _computed(danger="no", **incident).level == level


def test_what_may_be_of_this_month_is_not_of_these_three_days() -> None:
    assert _computed("GBV-1", **_happened("2026-11-01", "month")).level == "U3"
    assert _computed("GBV-1", **_happened("2026-11-12", "week")).level == "U1"


def test_a_clock_that_runs_ahead_makes_nothing_past() -> None:
    ahead = {"collected_at": "2027-11-20T10:00:00Z", **_happened("2026-11-19")}
    assert _computed(danger="no", **ahead).level == "U3"


def test_the_age_of_a_victim_counts_and_that_of_an_accused_does_not() -> None:
    child = {"no": 1, "roles": ["victim"], "age": "5-11"}
    accused = {"no": 1, "roles": ["alleged_perpetrator"], "age": "12-17"}
    assert _computed(persons=[child]) == Computed("U2", ("minor_by_age",))
    assert _computed(persons=[accused]).level == "U3"


def test_without_a_word_a_case_is_as_urgent_as_its_most_urgent_complaint() -> None:
    assert standing(None, {1: "U3", 2: "U2", 3: "U4"}) == "U2"


@pytest.mark.parametrize(
    ("urgencies", "level"),
    [
        ({1: "U1"}, "U3"),
        ({1: "U2"}, "U3"),
        ({1: "U1", 2: "U4"}, "U3"),
        ({1: "U1", 2: "U2"}, "U2"),
    ],
)
def test_a_word_goes_before_what_it_heard_and_not_before_what_came_later(
    urgencies: dict[int, Urgency], level: str
) -> None:
    assert standing(UrgencyWord("U3", {1: "U1"}), urgencies) == level


def test_answers_that_grow_worse_raise_a_case_above_the_word_on_it() -> None:
    assert standing(UrgencyWord("U4", {1: "U3"}), {1: "U2"}) == "U2"


def test_a_case_that_another_joins_is_as_urgent_as_either_by_both_words() -> None:
    one, other = UrgencyWord("U2", {1: "U1"}), UrgencyWord("U4", {2: "U3"})
    assert common_word(one, other) == UrgencyWord("U2", {1: "U1", 2: "U3"})
    assert common_word(None, other) == common_word(other, None) == other
    assert common_word(None, None) is None


def test_only_a_word_that_raised_goes_along_with_a_complaint_that_goes_out() -> None:
    raised, lowered = UrgencyWord("U1", {1: "U2", 2: "U3"}), UrgencyWord("U4", {1: "U2", 2: "U1"})
    assert word_along(raised, {2, 3}) == UrgencyWord("U1", {2: "U3"})
    assert word_along(lowered, {2}) is None
    assert word_along(raised, {3}) is None
    assert word_along(UrgencyWord("U3", {2: "U3"}), {2}) is None
    assert word_along(None, {2}) is None


def test_raising_needs_no_reason_and_lowering_one_of_the_list() -> None:
    case = a_case(urgency="U2")
    check_said(case, "U1", COORDINATOR, {})
    check_said(case, "U2", COORDINATOR, {})
    check_said(case, "U3", COORDINATOR, {"lowering": "danger_over"})
    for said in ({}, {"lowering": "tired"}):
        with pytest.raises(UrgencyRefused) as refused:
            check_said(case, "U3", COORDINATOR, said)
        assert refused.value.values["faults"] == ("say_lowering",)


def test_urgency_is_for_whoever_handles_every_complaint_of_the_case() -> None:
    case = a_case(urgency="U2", targets=(Target(region="ml-r-gao"), Target(region="ml-r-mopti")))
    for actor in (Actor("v", "verifier"), Actor("g", "coordinator", frozenset({"ml-r-gao"}))):
        with pytest.raises(UrgencyRefused) as refused:
            check_said(case, "U4", actor, {})
        assert refused.value.values["faults"] == ("right", "say_lowering")


def test_the_most_urgent_of_several_is_found() -> None:
    assert most_urgent("U4", "U2", "U3") == "U2"
