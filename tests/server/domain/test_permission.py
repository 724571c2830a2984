"""The table of roles and actions, cell by cell, and what scopes, assignment and confidentiality make of it."""

from dataclasses import replace

import pytest

from server.domain.people import ROLES
from server.domain.permission import (
    ACTIONS,
    JOB,
    NOTHING,
    OPERATOR,
    Action,
    Actor,
    Target,
    case_target,
    may_ever,
    permit,
    stood_for,
)
from server.domain.places import Gazetteer, Place

GAO = Target(region="ml-r-gao", team="gao", partner="jigiya")
# security, C2: what each role may do in the best case, with the case in its scope, assigned, and nothing strict.
BEST_CASE = {
    "monitor": {"record_complaint", "see_own_status", "use_account"},
    "verifier": {
        "record_complaint", "see_own_status", "find_complaint", "read_statement", "read_traces", "read_identity",
        "verify_act", "name_deputy", "use_account",
    },
    "coordinator": {
        "record_complaint", "see_own_status", "find_complaint", "read_statement", "read_traces", "read_identity",
        "handle_case", "lower_urgency", "settle_set_aside", "lift_strictness", "prepare_export", "approve_export",
        "erase_complaint", "hold_complaint", "verify_act", "manage_destinations", "read_log",
        "read_statistics", "name_deputy", "use_account",
    },
    "administrator": {
        "manage_devices", "manage_hub", "manage_people", "manage_destinations", "hold_complaint", "read_log",
        "read_statistics", "name_deputy", "use_account",
    },
    "commission": {"receive_export", "use_account"},
    "auditor": {"read_log", "read_statistics", "use_account"},
}  # fmt: skip
CASE_ACTIONS: tuple[Action, ...] = (
    "find_complaint", "read_statement", "read_traces", "read_identity", "handle_case", "lower_urgency",
    "verify_act", "settle_set_aside", "lift_strictness", "prepare_export", "approve_export",
)  # fmt: skip


def _may(actor: Actor, target: Target = NOTHING) -> set[str]:
    return {action for action in ACTIONS if permit(actor, action, target)}


@pytest.mark.parametrize("role", ROLES)
def test_role_may_what_the_table_says_and_nothing_else(role: str) -> None:
    actor = Actor("a", role)  # type: ignore[arg-type]
    targets = [replace(GAO, assigned=frozenset({"a"}), is_own=is_own) for is_own in (True, False)]
    assert set.union(*(_may(actor, target) for target in targets)) == BEST_CASE[role]
    assert {action for action in ACTIONS if may_ever(actor, action)} == BEST_CASE[role]


def test_operator_runs_the_hub_and_reads_no_case() -> None:
    target = replace(GAO, assigned=frozenset({"operator"}), is_own=True)
    assert _may(OPERATOR, target) == {"manage_devices", "manage_hub", "manage_people"}


@pytest.mark.parametrize("action", CASE_ACTIONS)
def test_scope_needs_every_kind_to_match_and_empty_means_all(action: Action) -> None:
    def may(regions: str = "", teams: str = "", partners: str = "", target: Target = GAO) -> bool:
        scopes = [frozenset(each.split()) for each in (regions, teams, partners)]
        return permit(Actor("a", "coordinator", *scopes), action, replace(target, assigned=frozenset({"a"})))

    assert may()
    assert may("ml-r-gao ml-r-mopti", "gao", "jigiya")
    assert not may("ml-r-mopti")
    assert not may("ml-r-gao", "mopti")
    assert not may("ml-r-gao", "gao", "other")
    unplaced = Target()
    assert may(target=unplaced)
    assert not may("ml-r-gao", target=unplaced)


@pytest.mark.parametrize("action", CASE_ACTIONS)
def test_strictly_confidential_is_for_named_readers_alone(action: Action) -> None:
    strict = replace(GAO, is_strict=True, assigned=frozenset({"a"}))
    assert not permit(Actor("a", "coordinator"), action, strict)
    assert permit(Actor("a", "coordinator", is_named_reader=True), action, strict)
    assert not permit(Actor("a", "coordinator", frozenset({"ml-r-kayes"}), is_named_reader=True), action, strict)


@pytest.mark.parametrize("action", ["find_complaint", "read_statement", "read_traces", "read_identity", "verify_act"])
def test_verifier_reads_what_is_assigned_and_in_scope(action: Action) -> None:
    verifier = Actor("a", "verifier", teams=frozenset({"gao"}))
    assert not permit(verifier, action, GAO)
    assert permit(verifier, action, replace(GAO, assigned=frozenset({"a", "b"})))
    assert not permit(verifier, action, replace(GAO, team="mopti", assigned=frozenset({"a"})))


def test_identity_needs_assignment_of_a_coordinator_too() -> None:
    coordinator = Actor("a", "coordinator")
    assert not permit(coordinator, "read_identity", GAO)
    assert not permit(coordinator, "read_identity", replace(GAO, assigned=frozenset({"b"})))
    assert permit(coordinator, "read_identity", replace(GAO, assigned=frozenset({"a"})))


def test_export_is_approved_by_another_than_who_prepared_it() -> None:
    assert permit(Actor("a", "coordinator"), "approve_export", GAO)
    assert not permit(Actor("a", "coordinator"), "approve_export", replace(GAO, is_own=True))


def test_log_names_accounts_by_id_and_the_hub_as_itself() -> None:
    assert [each.signature for each in (Actor("a", "monitor"), OPERATOR, JOB)] == ["account:a", "operator", "job"]


def test_case_belongs_to_the_region_around_its_place() -> None:
    places = Gazetteer("1", (Place("r", "R", "region", None), Place("c", "C", "cercle", "r")))
    assert case_target(places, "c", "gao", None, "strict") == Target("r", "gao", None, is_strict=True)
    assert case_target(places, "nowhere", None, None, "confidential").region is None
    assert case_target(None, "c", None, None, "confidential").region is None
    assert case_target(places, None, None, None, "confidential").region is None


def test_deputy_does_to_complaints_what_both_may_and_takes_over_nothing_else() -> None:
    gao = Actor("a", "coordinator", teams=frozenset({"gao"}), is_named_reader=True)
    mopti = Actor("b", "coordinator", teams=frozenset({"mopti"}))
    deputy = replace(mopti, stands_for=(gao,))
    strict = replace(GAO, team="gao", is_strict=True, assigned=frozenset({"a"}))
    gained = _may(deputy, strict) - _may(mopti, strict)
    assert gained == {
        "find_complaint", "read_statement", "read_traces", "read_identity", "handle_case", "lower_urgency",
        "verify_act",
    }  # fmt: skip
    assert not permit(deputy, "handle_case", replace(GAO, team="kayes"))
    assert permit(deputy, "handle_case", replace(GAO, team="mopti"))


def test_deputy_of_a_verifier_does_what_was_assigned_to_the_verifier() -> None:
    verifier = Actor("v", "verifier")
    deputy = Actor("c", "verifier", stands_for=(verifier,))
    assert permit(deputy, "verify_act", replace(GAO, assigned=frozenset({"v"})))
    assert not permit(deputy, "verify_act", replace(GAO, assigned=frozenset({"w"})))


def test_act_is_ones_own_unless_it_takes_the_other_or_the_case_is_theirs() -> None:
    gao, mopti = (Actor(team, "coordinator", teams=frozenset({team})) for team in ("gao", "mopti"))
    deputy = replace(mopti, stands_for=(gao,))
    of_gao, of_mopti = replace(GAO, team="gao"), replace(GAO, team="mopti")
    assert stood_for(deputy, "handle_case", [of_gao]) == "gao"
    assert stood_for(deputy, "handle_case", [of_mopti]) is None
    assert stood_for(deputy, "handle_case", [of_gao, of_mopti]) == "gao"
    everything = Actor("all", "coordinator", stands_for=(gao,))
    assert stood_for(everything, "handle_case", [of_gao]) is None
    assert stood_for(everything, "handle_case", [of_gao], owner="gao") == "gao"
