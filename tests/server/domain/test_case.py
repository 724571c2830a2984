"""The machine of cases: what is possible, why the rest is not, what a move does and how it is taken back."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.domain.case import Left, Step, Version, check_revision, check_undo, move, moves
from server.domain.casework import CASEWORK, STATUSES, Status
from server.domain.errors import StaleRevision, TransitionRefused
from server.domain.permission import JOB, OPERATOR, Actor, Target
from tests.builders import NOW
from tests.case_worlds import COORDINATOR, OTHER, READY, SAID, World, a_case

STRICT = (Target(region="ml-r-gao", is_strict=True),)
SOON = NOW + timedelta(minutes=5)


def _faults(*arguments: Any, **options: Any) -> tuple[str, ...]:
    with pytest.raises(TransitionRefused) as refused:
        move(*arguments, **options)
    faults = refused.value.values["faults"]
    assert isinstance(faults, tuple)
    return faults


@pytest.mark.parametrize(
    ("status", "to", "missing", "faults"),
    [
        ("needs_information", "in_triage", {"has_answer": False}, ("answered_or_waited",)),
        ("in_triage", "in_progress", {"owner": None}, ("owner_set",)),
        ("in_triage", "in_progress", {"kind": None}, ("kind_set",)),
        ("in_triage", "in_progress", {"word": None}, ("urgency_set",)),
        ("in_triage", "in_progress", {"owner": None, "kind": None}, ("owner_set", "kind_set")),
        ("in_progress", "referred", {"referrals": 0}, ("referral_sent",)),
        ("referred", "in_progress", {"referrals_waiting": 1}, ("referral_over",)),
        ("referred", "resolved", {"referrals_waiting": 1}, ("referral_over",)),
        ("in_progress", "withdrawn", {"complaints": frozenset({1, 2}), "withdrawn": {1}}, ("wish_of_all",)),
    ],
)
def test_a_move_is_refused_by_each_condition_that_is_not_met(
    status: Status, to: Status, missing: dict[str, Any], faults: tuple[str, ...]
) -> None:
    case = a_case(status=status, **READY)
    assert move(case, to, COORDINATOR, SOON, SAID).to == to
    assert _faults(replace(case, **missing), to, COORDINATOR, SOON, SAID) == faults


def test_whoever_may_not_says_nothing_and_meets_nothing_hears_all_of_it_at_once() -> None:
    monitor = Actor("m", "monitor")
    assert _faults(a_case(status="resolved"), "closed", monitor, SOON) == ("right", "told_or_impossible", "say_closure")


def test_a_status_that_no_move_leads_to_is_refused() -> None:
    assert _faults(a_case(status="closed", **READY), "referred", COORDINATOR, SOON, SAID) == ("path",)


@pytest.mark.parametrize("code", [None, "", "because"])
def test_a_reason_is_a_code_of_its_list(code: str | None) -> None:
    said = {} if code is None else {"inadmissible": code}
    assert _faults(a_case(**READY), "inadmissible", COORDINATOR, SOON, said) == ("say_inadmissible",)


def test_what_may_be_said_is_a_code_too() -> None:
    case = a_case(status="resolved", **{**READY, "is_told": False})
    assert _faults(case, "closed", COORDINATOR, SOON, {"closure": "remedied", "untold": "?"}) == ("say_untold",)
    assert move(case, "closed", COORDINATOR, SOON, {"closure": "remedied", "untold": "unreachable"}).to == "closed"


def test_a_strict_case_is_closed_by_another_than_who_resolved_it() -> None:
    case = a_case(status="resolved", targets=STRICT, moved_by=COORDINATOR.id, **READY)
    assert _faults(case, "closed", COORDINATOR, SOON, SAID) == ("second_person",)
    assert move(case, "closed", OTHER, SOON, SAID).by == OTHER.id
    assert move(replace(case, targets=a_case().targets), "closed", COORDINATOR, SOON, SAID).to == "closed"


def test_a_question_without_answer_holds_a_case_up_for_thirty_days() -> None:
    case = a_case(status="needs_information")
    last = NOW + timedelta(days=30)
    assert _faults(case, "in_triage", JOB, last - timedelta(seconds=1)) == ("answered_or_waited",)
    assert move(case, "in_triage", JOB, last).to == "in_triage"


def test_the_clock_of_feedback_stands_still_once() -> None:
    case = a_case()
    assert move(case, "needs_information", COORDINATOR, SOON, SAID).pauses
    assert not move(replace(case, was_paused=True), "needs_information", COORDINATOR, SOON, SAID).pauses
    assert not move(a_case(**READY), "in_progress", COORDINATOR, SOON, SAID).pauses


def test_the_hub_does_by_itself_what_is_its_own_alone() -> None:
    assert move(a_case(status="received", **READY), "acknowledged", JOB, SOON).by == JOB.id
    assert _faults(a_case(**READY), "in_progress", JOB, SOON) == ("right",)


def test_a_case_is_for_whoever_handles_each_of_its_complaints() -> None:
    gao = Actor("g", "coordinator", frozenset({"ml-r-gao"}))
    both = a_case(status="acknowledged", targets=(Target(region="ml-r-gao"), Target(region="ml-r-mopti")))
    assert move(replace(both, targets=both.targets[:1]), "in_triage", gao, SOON).by == "g"
    assert _faults(both, "in_triage", gao, SOON) == ("right",)
    assert _faults(replace(both, targets=STRICT), "in_triage", gao, SOON) == ("right",)
    assert _faults(replace(both, targets=()), "in_triage", COORDINATOR, SOON) == ("right",)
    assert _faults(both, "in_triage", OPERATOR, SOON) == ("right",)


def test_a_duplicate_comes_back_out_of_the_case_that_has_its_complaint_and_to_where_it_stood() -> None:
    case = a_case(status="duplicate", left=Left("in_triage", NOW))
    assert move(case, "in_triage", COORDINATOR, SOON, other=a_case(2)).to == "in_triage"
    assert _faults(case, "in_triage", COORDINATOR, SOON) == ("comes_back",)
    assert _faults(case, "received", COORDINATOR, SOON, other=a_case(2)) == ("comes_back",)


def test_a_wish_of_a_case_of_one_is_said_by_whoever_heard_it_and_else_has_to_be_here() -> None:
    case = a_case(status="in_progress", **READY)
    assert move(case, "withdrawn", COORDINATOR, SOON, {"withdrawal": "told_to_us"}).to == "withdrawn"
    assert _faults(case, "withdrawn", COORDINATOR, SOON, {"withdrawal": "on_device"}) == ("wish_of_all",)
    gone = replace(case, withdrawn=case.complaints)
    assert move(gone, "withdrawn", JOB, SOON, {"withdrawal": "on_device"}).to == "withdrawn"


def test_choices_are_all_moves_from_there_with_what_is_against_each() -> None:
    found = {each.transition.to: each for each in moves(a_case(**READY), COORDINATOR, SOON)}
    assert {to: each.unmet for to, each in found.items()} == {
        "needs_information": (),
        "inadmissible": (),
        "in_progress": (),
        "withdrawn": (),
        "duplicate": ("joins_another", "no_referral"),
    }
    assert {to: each.unsaid for to, each in found.items() if each.unsaid} == {
        "needs_information": ("question",),
        "inadmissible": ("inadmissible",),
        "withdrawn": ("withdrawal",),
    }


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("said", [SAID, {}])
@pytest.mark.parametrize("known", [READY, {}])
def test_a_choice_says_what_the_move_would(status: Status, said: dict[str, str], known: dict[str, Any]) -> None:
    case = a_case(status=status, **known)
    for choice in moves(case, COORDINATOR, SOON, said):
        against = (*choice.unmet, *(f"say_{name}" for name in choice.unsaid))
        if against:
            assert _faults(case, choice.transition.to, COORDINATOR, SOON, said) == against
        else:
            assert move(case, choice.transition.to, COORDINATOR, SOON, said).to == choice.transition.to


def test_a_move_is_a_revision_and_is_told_when_it_can_no_more_be_taken_back() -> None:
    case = a_case(status="in_progress", revision=7, **READY)
    made = move(case, "resolved", COORDINATOR, SOON, {"outcome": "mediated"})
    assert (made.case, made.source, made.to, made.at, made.by) == (1, "in_progress", "resolved", SOON, COORDINATOR.id)
    assert (made.revision, made.undo_until) == (8, SOON + timedelta(minutes=10))
    assert made.step == Step("resolved", {"outcome": "mediated"})


def test_where_devices_are_told_nothing_there_is_no_step() -> None:
    assert move(a_case(status="acknowledged"), "in_triage", COORDINATOR, SOON).step is None


@pytest.mark.parametrize(
    ("status", "to", "said", "fields", "strict_template"),
    [
        ("in_progress", "referred", {"body": "cndh"}, {"body": "cndh"}, "referred_unnamed"),
        ("in_progress", "resolved", {"outcome": "mediated"}, {"outcome": "mediated"}, "resolved"),
        ("in_triage", "inadmissible", {"inadmissible": "abusive"}, {}, "inadmissible"),
    ],
)
def test_a_step_leaves_out_what_no_device_is_told(
    status: Status, to: Status, said: dict[str, str], fields: dict[str, str], strict_template: str
) -> None:
    case = a_case(status=status, **READY)
    assert move(case, to, COORDINATOR, SOON, said).step == Step(to, fields)
    assert move(replace(case, targets=STRICT), to, COORDINATOR, SOON, said).step == Step(strict_template, {})


def test_the_last_move_is_taken_back_within_its_minutes_by_whoever_may() -> None:
    case = a_case(status="in_progress", revision=4)
    check_undo(case, "in_triage", 4, COORDINATOR, NOW + timedelta(minutes=9, seconds=59))
    with pytest.raises(TransitionRefused) as refused:
        check_undo(case, "in_triage", 3, Actor("m", "monitor"), NOW + timedelta(minutes=10))
    assert refused.value.values["faults"] == ("right", "not_last", "undo_over")


def test_what_was_told_at_once_is_not_taken_back() -> None:
    with pytest.raises(TransitionRefused, match="transition_refused") as refused:
        check_undo(a_case(status="acknowledged"), "received", 1, COORDINATOR, NOW)
    assert refused.value.values["faults"] == ("undo_over",)


def test_a_move_that_there_never_was_is_not_taken_back() -> None:
    with pytest.raises(TransitionRefused) as refused:
        check_undo(a_case(status="closed"), "received", 1, COORDINATOR, NOW)
    assert refused.value.values["fault"] == "path"


def test_an_edit_of_what_was_seen_passes_and_a_stale_one_carries_both_versions() -> None:
    stands = Version(5, "a-2", NOW, {"status": "in_progress"})
    check_revision(5, {"status": "resolved"}, stands)
    with pytest.raises(StaleRevision) as stale:
        check_revision(4, {"status": "inadmissible"}, stands)
    assert stale.value.values == {"seen": 4, "revision": 5, "wanted": {"status": "inadmissible"}, "stands": stands}


@given(st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_however_cases_are_worked_on_they_stay_sound(seed: int) -> None:
    world = World(seed)
    for _ in range(60):
        before = world.levels()
        is_lowered = world.stir() == "attach" and any(level > before[id] for id, level in world.levels().items())
        assert not is_lowered
        assert [ids for ids in world.holders().values() if len(ids) != 1] == []
        for case in world.cases.values():
            is_duplicate = case.status == "duplicate"
            assert is_duplicate == (not case.complaints) == (case.left is not None) == (case.joined_into is not None)
            assert is_duplicate or case.opened_for in case.complaints
    assert [step for step in world.steps if step not in CASEWORK.transitions] == []
