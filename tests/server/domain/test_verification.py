"""Findings on acts: whose they may be, what they rest on, in which quarter they count, and their sum."""

import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from server.domain.errors import FindingRefused
from server.domain.verification import (
    FAULTS,
    RULES,
    STATES,
    Basis,
    Finding,
    State,
    begin,
    conclude,
    summed,
)
from server.i18n import catalogue

PAGE = Path(__file__).resolve().parents[3] / "server" / "docs" / "states.md"
RECEIVED_ON = date(2026, 7, 10)
BEGUN_ON = date(2026, 9, 1)
BASIS = Basis("verifier", "visit", 2, "reasonable_grounds", date(2026, 9, 20))


def _open() -> Finding:
    return begin(None, 7, "HR-ARR")


def _concluded(
    basis: Basis = BASIS,
    *,
    state: State = "corroborated",
    happened_by: date | None = date(2026, 7, 1),
    today: date = date(2026, 9, 25),
) -> Finding:
    return conclude(
        _open(), state, basis, collectors={"collector"}, happened_by=happened_by, received_on=RECEIVED_ON, today=today
    )


@pytest.mark.parametrize(
    ("basis", "state", "faults"),
    [
        (replace(BASIS, verifier="collector"), "corroborated", ("own",)),
        (replace(BASIS, method="rumour"), "corroborated", ("method",)),
        (replace(BASIS, sources=0), "inconclusive", ("sources",)),
        (replace(BASIS, sources=1), "corroborated", ("sources_too_few",)),
        (replace(BASIS, certainty="sure"), "corroborated", ("certainty",)),
        (replace(BASIS, certainty="reasonable_suspicion"), "falsely_attributed", ("certainty_too_low",)),
        (replace(BASIS, verified_on=date(2026, 9, 26)), "corroborated", ("day",)),
        (
            replace(BASIS, verifier="collector", method="", sources=1),
            "corroborated",
            ("own", "method", "sources_too_few"),
        ),
        (BASIS, "unverified", ("state",)),
    ],
)
def test_a_finding_that_rests_on_too_little_is_refused_with_all_that_is_against_it(
    basis: Basis, state: State, faults: tuple[str, ...]
) -> None:
    with pytest.raises(FindingRefused) as error:
        _concluded(basis, state=state)
    assert error.value.values["faults"] == faults
    assert error.value.values["fault"] == faults[0]


@pytest.mark.parametrize(
    ("state", "basis"),
    [
        ("corroborated", BASIS),
        ("falsely_attributed", BASIS),
        ("unfounded", replace(BASIS, sources=1)),
        ("inconclusive", replace(BASIS, sources=1, certainty="none")),
    ],
)
def test_each_finding_stands_on_the_least_that_it_takes(state: State, basis: Basis) -> None:
    found = _concluded(basis, state=state)
    assert (found.state, found.basis, found.complaint, found.kind) == (state, basis, 7, "HR-ARR")


def test_an_act_is_not_found_to_be_anything_before_it_was_looked_at_nor_twice() -> None:
    for before in (replace(_open(), state="unverified"), _concluded()):
        with pytest.raises(FindingRefused) as error:
            conclude(
                before,
                "unfounded",
                BASIS,
                collectors=(),
                happened_by=None,
                received_on=RECEIVED_ON,
                today=date(2026, 9, 25),
            )
        assert error.value.values["faults"] == ("state",)


def test_a_finding_is_looked_at_again_for_a_reason_alone() -> None:
    again = begin(_concluded(), 7, "HR-ARR", reason="source_withdrew")
    assert (again.state, again.reason, again.basis) == ("under_verification", "source_withdrew", None)
    for reason in (None, "because"):
        with pytest.raises(FindingRefused) as error:
            begin(_concluded(), 7, "HR-ARR", reason=reason)
        assert error.value.values["fault"] == "reason"
    with pytest.raises(FindingRefused) as error:
        begin(_open(), 7, "HR-ARR", reason="new_source")
    assert error.value.values["fault"] == "state"


@pytest.mark.parametrize(
    ("happened_by", "today", "is_late"),
    [
        (date(2026, 7, 1), date(2026, 9, 30), False),
        (date(2026, 7, 1), date(2026, 10, 1), True),
        (date(2026, 6, 30), date(2026, 9, 25), True),
        (date(2025, 8, 15), date(2026, 9, 25), True),
        # No day of the facts: that of reception. A day to come cannot be true.
        (None, date(2026, 9, 25), False),
        (None, date(2026, 12, 1), True),
        (date(2036, 1, 1), date(2026, 12, 1), True),
    ],
)
def test_a_finding_is_late_after_the_quarter_of_the_facts(happened_by: date | None, today: date, is_late: bool) -> None:
    assert _concluded(happened_by=happened_by, today=today).is_late is is_late


def test_what_was_verified_within_the_quarter_and_brought_after_it_is_late() -> None:
    in_september = replace(BASIS, verified_on=date(2026, 9, 20))
    found = _concluded(in_september, happened_by=date(2026, 7, 1), today=date(2026, 10, 12))
    assert found.is_late


@pytest.mark.parametrize(
    ("states", "worst"),
    [
        ([], "unverified"),
        (["unfounded", "corroborated", "inconclusive"], "corroborated"),
        (["unverified", "falsely_attributed"], "falsely_attributed"),
        (["unfounded", "unverified"], "unverified"),
        (["unfounded", "under_verification"], "under_verification"),
        (["unfounded", "unfounded"], "unfounded"),
    ],
)
def test_a_case_comes_to_the_worst_that_is_known_and_is_unfounded_only_altogether(
    states: list[State], worst: State
) -> None:
    assert summed(states).state == worst


def test_the_sum_counts_acts_and_tells_when_each_has_a_finding() -> None:
    mixed = summed(["corroborated", "unverified", "corroborated"])
    assert mixed.acts == {"corroborated": 2, "unverified": 1}


@pytest.mark.parametrize("language", ["fr", "en"])
def test_every_fault_has_its_sentence(language: str) -> None:
    texts = catalogue(language)
    assert len({texts.text(f"refusal.finding_refused_{fault}") for fault in FAULTS}) == len(FAULTS)


def test_the_page_says_of_each_state_what_it_leads_to_and_rests_on() -> None:
    page = PAGE.read_text("utf-8").split("## An act\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| (.*) \| (.*) \| (.*) \|$", page, re.M)
    written = [
        (state, frozenset(re.findall(r"`(\w+)`", following)), certainty.strip("` ") or None, int(sources.strip() or 0))
        for state, following, certainty, sources in rows
    ]
    assert written == [(state, rule.next, rule.certainty, rule.sources) for state, rule in RULES.items()]
    assert tuple(RULES) == STATES
