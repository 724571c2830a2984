"""A complaint as it is filed: columns from the facts alone, and clocks that can't be right."""

from datetime import UTC, datetime
from typing import Any

import pytest

from server.domain.complaint import File, Person, is_ahead_of, parse_complaint
from tests.builders import NOW, content, sealed


def test_columns_come_from_the_facts_alone() -> None:
    whole = parse_complaint(content(), "ml-c-gao")
    closed = parse_complaint(content() | dict.fromkeys(("statement", "traces", "identity"), sealed()), "ml-c-gao")

    assert whole == closed
    assert (whole.facts.kind, whole.facts.place_id, whole.facts.consent_level) == ("COR-RACKET", "ml-c-gao", "C2")
    assert whole.facts.entered_at == datetime(2026, 10, 6, 18, 40, 12, tzinfo=UTC)


def test_least_complaint_leaves_the_other_columns_empty() -> None:
    least = content(
        **dict.fromkeys(("relation", "sector", "language", "incident", "place", "persons"), None),
        **dict.fromkeys(("money", "urgency", "collected_at"), None),
    )

    facts = parse_complaint(least, None).facts

    assert {facts.relation, facts.incident_from, facts.asked_xof, facts.danger, facts.collected_at} == {None}


def test_kind_said_twice_is_one_act() -> None:
    assert parse_complaint(content(kinds=["HR-THR", "HR-ARR", "HR-THR"]), None).acts == ["HR-THR", "HR-ARR"]


def test_last_said_of_a_person_stands() -> None:
    persons = [{"no": 1, "roles": ["victim"]}, {"no": 1, "roles": ["witness", "source"], "sex": "m"}]

    assert parse_complaint(content(persons=persons), None).persons == [
        Person(1, "witness source", "m", None, None, None, None, None)
    ]


def test_files_are_listed_by_hash() -> None:
    listed = {"sha256": "a" * 64, "size": 5, "kind": "audio", "role": "testimony"}

    assert parse_complaint(content(files=[listed]), None).files == [File("a" * 64, 5, "audio", "testimony")]


# The clock of the hub stands at 2026-11-21T10:04:05Z; 366 days later is 2027-11-22T10:04:05Z.
@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, False),
        ({"entered_at": "2027-11-22T10:04:05Z"}, False),
        ({"entered_at": "2027-11-22T10:04:06Z"}, True),
        ({"collected_at": "2036-01-01T00:00:00Z"}, True),
        ({"incident": {"from": "2027-11-22", "precision": "day"}}, False),
        ({"incident": {"from": "2027-11-23", "precision": "day"}}, True),
        ({"incident": {"from": None, "to": "2030-01-01", "precision": "unknown"}}, True),
        ({"incident": {"from": None, "precision": "unknown"}}, False),
        ({"entered_at": "1970-01-01T00:00:00Z"}, False),
    ],
)
def test_only_a_clock_far_ahead_is_wrong_for_sure(changes: dict[str, Any], expected: bool) -> None:
    assert is_ahead_of(content(**changes), NOW) is expected
