"""Tasks as rules: by which ways each kind reaches somebody, and when one that is repeated comes again."""

from datetime import date

import pytest

from server.domain.contact import Way, Wish
from server.domain.errors import ContactNotAllowed, TaskRefused
from server.domain.task import KINDS, RULES, Kind, Window, next_window, travels_from, ways


def wish(contact_ok: str = "yes", *kinds: str, confidentiality: str = "confidential", level: str = "C2") -> Wish:
    return Wish(contact_ok, confidentiality, level, "", frozenset(kinds or ("COR-RACKET",)))


@pytest.mark.parametrize(
    ("kind", "said", "allowed"),
    [
        ("visit", wish(), ("verification_visit",)),
        ("quarterly", wish(), ("visit",)),
        ("ask", wish(), ("at_next_meeting", "call", "message", "visit")),
        ("ask", wish("in_person"), ("at_next_meeting",)),
        ("collect", wish(confidentiality="strict"), ("at_next_meeting", "visit")),
        ("inform", wish(level="C0"), ("at_next_meeting", "call", "message", "visit")),
    ],
)
def test_task_takes_the_ways_that_the_complaint_allows(kind: Kind, said: Wish, allowed: tuple[Way, ...]) -> None:
    assert ways(kind, [said], has_chosen=False) == allowed


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("contact_ok", ["never", "unasked", "", "whatever"])
def test_without_a_yes_no_task_reaches_anybody(kind: Kind, contact_ok: str) -> None:
    for kinds in ((), ("GBV-1",)):
        with pytest.raises((ContactNotAllowed, TaskRefused)):
            ways(kind, [wish(contact_ok, *kinds)], has_chosen=True)


@pytest.mark.parametrize("kind", KINDS)
def test_survivor_is_visited_by_nobody(kind: Kind) -> None:
    for each in ("GBV-2", "COR-SEX"):
        try:
            found = ways(kind, [wish("yes", each)], has_chosen=True)
        except TaskRefused:
            continue
        assert not {"visit", "verification_visit"} & set(found)


def test_survivor_chooses_before_anything_else() -> None:
    said = [wish("yes", "GBV-2")]
    assert ways("choice", said, has_chosen=False) == ("at_next_meeting", "call")
    with pytest.raises(TaskRefused):
        ways("ask", said, has_chosen=False)
    assert ways("ask", said, has_chosen=True) == ("at_next_meeting", "call", "message")


def test_what_one_device_heard_less_of_counts_at_once() -> None:
    assert ways("ask", [wish(), wish("in_person")], has_chosen=False) == ("at_next_meeting",)
    with pytest.raises(TaskRefused):
        ways("visit", [wish(), wish("yes", "GBV-1")], has_chosen=False)


def test_visit_of_the_quarter_comes_again_when_it_is_not_over_yet() -> None:
    first = Window(date(2026, 11, 30), date(2026, 12, 9))
    assert next_window("quarterly", first, date(2026, 12, 1)) == Window(date(2027, 2, 28), date(2027, 3, 9))
    assert next_window("quarterly", first, date(2027, 9, 7)).closes_on >= date(2027, 9, 7)
    with pytest.raises(KeyError):
        next_window("visit", first, date(2026, 12, 1))


def test_task_travels_two_weeks_before_its_window() -> None:
    assert travels_from(Window(date(2026, 12, 15), date(2026, 12, 20))) == date(2026, 12, 1)


def test_what_settles_and_what_tells_are_outcomes() -> None:
    assert all(rule.choices | rule.tells <= set(rule.outcomes) for rule in RULES.values())
