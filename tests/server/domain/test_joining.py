"""Joining cases and taking complaints out again: nothing is lost, and all of it can be put back exactly."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from server.domain import joining
from server.domain.case import CaseFacts, Left, Step, UrgencyWord
from server.domain.casework import Status
from server.domain.errors import RegroupingRefused, TransitionRefused
from server.domain.joining import attach, detach, place_of, split
from server.domain.permission import Actor, Target
from server.domain.urgency import standing
from tests.builders import NOW
from tests.case_worlds import COORDINATOR, READY, a_case, stands

LATER = NOW + timedelta(days=2)
GAO = Actor("g", "coordinator", frozenset({"ml-r-gao"}))


def _attached(case: CaseFacts, into: CaseFacts, now: datetime = LATER) -> tuple[CaseFacts, CaseFacts]:
    own, other = attach(case, into, COORDINATOR, now).after
    return stands(case, own), stands(into, other)


def _fault(case: CaseFacts, out: Iterable[int], home: CaseFacts) -> object:
    with pytest.raises(RegroupingRefused) as refused:
        split(case, set(out), home, COORDINATOR, LATER)
    return refused.value.values["fault"]


def test_a_case_that_joins_another_is_its_duplicate_and_leaves_it_all_its_complaints() -> None:
    first, second, third = (a_case(id, "in_triage") for id in (1, 2, 3))
    second, first = _attached(second, first)
    first, third = _attached(first, third)
    assert (third.complaints, third.status) == ({1, 2, 3}, "in_triage")
    assert (first.complaints, first.status, first.since) == (frozenset(), "duplicate", LATER)
    assert (first.joined_into, first.left) == (3, Left("in_triage", NOW))


def test_who_joined_is_told_that_somebody_works_on_it_and_no_more() -> None:
    strict = (Target(is_strict=True),)
    for into in (a_case(2, "referred"), a_case(2, "in_progress", targets=strict)):
        assert attach(a_case(1), into, COORDINATOR, LATER).moved.step == Step("worked_on", {})
    told_before = a_case(1, "in_progress")
    assert attach(told_before, a_case(2), COORDINATOR, LATER).moved.step is None


def test_a_case_is_as_urgent_as_what_joined_it_and_again_as_it_was_when_that_goes() -> None:
    urgencies = {1: "U4", 2: "U3"}
    loud = a_case(1, word=UrgencyWord("U1", {1: "U4"}))
    quiet = a_case(2)
    made = attach(loud, quiet, COORDINATOR, LATER)
    assert standing(made.after[1].word, urgencies) == "U1"  # type: ignore[arg-type]
    back = joining.undo(made, (stands(loud, made.after[0]), stands(quiet, made.after[1])), COORDINATOR)
    assert back[1].word is None


@pytest.mark.parametrize("status", ["referred", "resolved", "inadmissible", "closed", "withdrawn", "duplicate"])
def test_a_case_that_is_with_a_body_or_settled_joins_no_other(status: str) -> None:
    with pytest.raises(TransitionRefused) as refused:
        attach(a_case(1, status), a_case(2), COORDINATOR, LATER)  # type: ignore[arg-type]
    assert refused.value.values["fault"] == "path"


@pytest.mark.parametrize("status", ["in_progress", "reopened", "in_triage"])
def test_a_case_joins_no_other_while_a_referral_stands(status: Status) -> None:
    with pytest.raises(TransitionRefused) as refused:
        attach(a_case(1, status, **READY), a_case(2), COORDINATOR, LATER)
    assert refused.value.values["faults"] == ("no_referral",)


@pytest.mark.parametrize("into", [a_case(1), a_case(2, "closed"), a_case(2, "duplicate"), a_case(2, "withdrawn")])
def test_a_case_joins_neither_itself_nor_one_that_is_closed(into: CaseFacts) -> None:
    with pytest.raises(TransitionRefused) as refused:
        attach(a_case(1), into, COORDINATOR, LATER)
    assert refused.value.values["faults"] == ("joins_another",)


def test_joining_is_for_whoever_handles_both() -> None:
    with pytest.raises(TransitionRefused) as refused:
        attach(a_case(1), a_case(2, targets=(Target(region="ml-r-mopti"),)), GAO, LATER)
    assert refused.value.values["faults"] == ("right",)


def test_detaching_is_the_exact_inverse_however_late() -> None:
    word = UrgencyWord("U2", {2: "U3"})
    first, second = a_case(1, "in_progress"), a_case(2, "needs_information", since=NOW, word=word)
    joined, holder = _attached(second, first)
    holder = replace(holder, status="resolved", since=LATER)
    made = detach(holder, joined, COORDINATOR, LATER + timedelta(days=90))
    assert made.after[0] == place_of(second)
    assert (made.after[1].complaints, made.after[1].status) == ({1}, "resolved")


def test_what_was_said_to_be_more_urgent_stays_so_when_it_goes_out() -> None:
    joined, holder = _attached(a_case(2), a_case(1))
    holder = replace(holder, word=UrgencyWord("U1", {1: "U3", 2: "U3"}))
    made = detach(holder, joined, COORDINATOR, LATER)
    assert [standing(place.word, dict.fromkeys(place.complaints, "U3")) for place in made.after] == ["U1", "U1"]


def test_several_complaints_go_out_together_into_the_case_of_one_of_them() -> None:
    cases = {id: a_case(id) for id in (1, 2, 3)}
    for id in (2, 3):
        cases[id], cases[1] = _attached(cases[id], cases[1])
    made = split(cases[1], {2, 3}, cases[3], COORDINATOR, LATER)
    assert (made.kind, made.moved.source, made.moved.to, made.moved.step) == ("split", "duplicate", "in_triage", None)
    assert [place.complaints for place in made.after] == [{2, 3}, {1}]
    assert cases[2].joined_into == 1


def test_what_can_not_go_out_does_not() -> None:
    second, first = _attached(a_case(2), a_case(1))
    assert _fault(first, [], second) == "nothing"
    assert _fault(first, [3], second) == "nothing"
    assert _fault(first, [1], second) == "own"
    assert _fault(first, [1, 2], second) == "own"
    assert _fault(first, [2], a_case(3)) == "home"
    assert _fault(replace(first, opened_for=None), [1, 2], second) == "own"
    assert _fault(first, [2], replace(second, opened_for=None)) == "home"


@pytest.mark.parametrize("kind", ["attach", "detach", "split"])
def test_undo_puts_both_cases_back_exactly(kind: str) -> None:
    word = UrgencyWord("U1", {2: "U4"})
    pair = a_case(2, "acknowledged", word=word), a_case(1, "in_progress", word=UrgencyWord("U3", {1: "U3"}))
    made = attach(*pair, COORDINATOR, LATER)
    if kind != "attach":
        pair = stands(pair[0], made.after[0]), stands(pair[1], made.after[1])
        made = (
            detach(pair[1], pair[0], COORDINATOR, LATER)
            if kind == "detach"
            else split(pair[1], {2}, pair[0], COORDINATOR, LATER)
        )
    stand = stands(pair[0], made.after[0]), stands(pair[1], made.after[1])
    assert joining.undo(made, stand, COORDINATOR) == made.before == (place_of(pair[0]), place_of(pair[1]))


def test_undo_leaves_what_others_did_to_the_case_that_was_joined() -> None:
    pair = a_case(2), a_case(1, "in_progress")
    made = attach(*pair, COORDINATOR, LATER)
    own, other = stands(pair[0], made.after[0]), stands(pair[1], made.after[1])
    said = UrgencyWord("U1", {1: "U3", 2: "U3"})
    other = replace(other, status="resolved", since=LATER, word=said)
    back = joining.undo(made, (own, other), COORDINATOR)
    assert back[0] == made.before[0]
    assert (back[1].complaints, back[1].status, back[1].since, back[1].word) == ({1}, "resolved", LATER, said)


def test_undo_is_refused_where_more_came_and_to_whoever_may_not() -> None:
    pair = a_case(2), a_case(1)
    made = attach(*pair, COORDINATOR, LATER)
    own, other = stands(pair[0], made.after[0]), stands(pair[1], made.after[1])
    _, more = _attached(a_case(3), other)
    for stand, actor, fault in (
        ((own, more), COORDINATOR, "changed"),
        ((replace(own, status="in_triage"), other), COORDINATOR, "changed"),
        ((own, replace(other, targets=(Target(region="ml-r-mopti"),))), GAO, "right"),
    ):
        with pytest.raises(RegroupingRefused) as refused:
            joining.undo(made, stand, actor)
        assert refused.value.values["fault"] == fault
