"""What is due of a case, derived from its timeline: what meets it, what puts it off, and what undoing leaves."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from server.domain.calendar import MALI
from server.domain.case import UrgencyWord
from server.domain.casework import Urgency
from server.domain.deadlines import Deadline
from server.domain.due import Heard, Key, Story, acknowledged_at, derive

# A Monday, without a feast near it.
MONDAY = datetime(2026, 11, 2, 10, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Said:
    """An entry of a timeline."""

    no: int
    code: str
    at: datetime
    complaint: int | None = None
    fields: dict[str, Any] = field(default_factory=dict)
    before: dict[str, Any] = field(default_factory=dict)
    step: None = None
    tells_at: None = None
    undoes: int | None = None


class Case:
    """A case of one complaint, received on a Monday at ten; what is done to it is done by hours after that."""

    def __init__(self, urgency: Urgency = "U3") -> None:
        self.urgency: Urgency = urgency
        self.word: UrgencyWord | None = None
        self.heard = [Heard(1, MONDAY, urgency, MONDAY, None)]
        self.entries = [Said(1, "opened", MONDAY)]

    def do(self, code: str, hours: float, complaint: int | None = None, **fields: Any) -> int:
        at = MONDAY + timedelta(hours=hours)
        self.entries.append(Said(len(self.entries) + 1, code, at, complaint, fields))
        return len(self.entries)

    def go(self, *path: str, hours: float, **given: str) -> int:
        for source, to in zip(path, path[1:], strict=False):
            self.do("moved", hours, **{"from": source, "to": to, "given": given})
        return len(self.entries)

    def undo(self, no: int, hours: float) -> None:
        self.entries.append(Said(len(self.entries) + 1, "undone", MONDAY + timedelta(hours=hours), undoes=no))

    def due(self) -> dict[Key, Deadline]:
        heard = [Heard(**vars(each) | {"acknowledged_at": acknowledged_at(self.entries)}) for each in self.heard]
        return derive(Story(heard, self.entries, self.urgency, self.word), MALI)

    def waits(self) -> set[Key]:
        return {key for key, each in self.due().items() if each.met_at is None}


def closed() -> Case:
    case = Case()
    case.go("received", "acknowledged", "in_triage", "in_progress", "resolved", "closed", hours=1)
    return case


@pytest.mark.parametrize(
    ("urgency", "triage", "action"), [("U1", 4, 24), ("U2", 24, 72), ("U3", 72, 15 * 24), ("U4", 7 * 24, 30 * 24)]
)
def test_triage_and_first_action_are_due_by_urgency_from_reception(urgency: Urgency, triage: int, action: int) -> None:
    found = Case(urgency).due()
    assert [found[kind, ""].due_at - MONDAY for kind in ("triage", "first_action")] == [
        timedelta(hours=triage),
        timedelta(hours=action),
    ]
    assert ("feedback", "") not in found


def test_each_is_met_by_what_does_it() -> None:
    case = Case()
    assert case.waits() == {("triage", ""), ("first_action", ""), ("acknowledge", "")}
    case.go("received", "acknowledged", hours=1)
    assert case.waits() == {("triage", ""), ("first_action", ""), ("feedback", "")}
    case.go("acknowledged", "in_triage", hours=2)
    case.go("in_triage", "in_progress", hours=3)
    assert case.waits() == {("first_action", ""), ("feedback", "")}
    case.do("task_set", 4, 1, task="t", kind="visit")
    assert case.waits() == {("feedback", "")}
    case.go("in_progress", "resolved", hours=5)
    assert case.waits() == set()
    assert case.due()["triage", ""].met_at == MONDAY + timedelta(hours=3)


def test_what_is_taken_back_is_due_again_as_it_was() -> None:
    case = Case()
    case.go("received", "acknowledged", "in_triage", hours=1)
    before = case.due()
    no = case.go("in_triage", "in_progress", hours=2)
    assert case.due() != before
    case.undo(no, 2.1)
    assert case.due() == before


def test_question_stops_the_clock_of_feedback_once() -> None:
    case = Case()
    case.go("received", "acknowledged", "in_triage", hours=0)
    unpaused = case.due()["feedback", ""].due_at
    case.go("in_triage", "needs_information", hours=24)
    assert case.due()["feedback", ""].pause_reason == "information_asked"
    case.go("needs_information", "in_triage", hours=72)
    assert case.due()["feedback", ""].due_at == unpaused + timedelta(days=2)
    case.go("in_triage", "needs_information", "in_triage", hours=96)
    assert case.due()["feedback", ""].due_at == unpaused + timedelta(days=2)


def test_persons_pause_is_not_ended_by_an_answer() -> None:
    case = Case()
    case.go("received", "acknowledged", "in_triage", hours=0)
    case.do("paused", 1, deadline="feedback", subject="", reason="insecurity")
    case.go("in_triage", "needs_information", "in_triage", hours=24)
    assert case.due()["feedback", ""].resumed_at is None
    case.do("resumed", 49, deadline="feedback", subject="")
    assert case.due()["feedback", ""].resumed_at == MONDAY + timedelta(hours=49)


def test_pause_taken_back_leaves_no_trace_and_makes_room_for_another() -> None:
    case = Case()
    case.go("received", "acknowledged", hours=0)
    before = case.due()
    no = case.do("paused", 1, deadline="feedback", subject="", reason="insecurity")
    case.undo(no, 2)
    assert case.due() == before
    case.do("paused", 3, deadline="feedback", subject="", reason="body_closed")
    assert case.due()["feedback", ""].pause_reason == "body_closed"


def test_feedback_is_due_after_three_months_or_six_with_a_reason() -> None:
    case = Case()
    case.go("received", "acknowledged", hours=0)
    assert case.due()["feedback", ""].due_at == datetime(2027, 2, 2, 10, 0, tzinfo=UTC)
    case.do("extended", 1, deadline="feedback", subject="", reason="court_proceeds")
    # Six months later is a Sunday; the 3rd of May is a Monday.
    assert case.due()["feedback", ""].due_at == datetime(2027, 5, 3, 10, 0, tzinfo=UTC)


def test_verification_is_due_for_each_act_until_its_finding() -> None:
    case = Case()
    for act in ("COR-RACKET", "HR-TOR"):
        case.do("verifying", 0, 1, act=act)
    case.do("found", 5, 1, act="HR-TOR", no=2, state="corroborated")
    found = case.due()
    assert found["verification", "1:HR-TOR"].met_at == MONDAY + timedelta(hours=5)
    # Thirty days on.
    assert found["verification", "1:COR-RACKET"].due_at == datetime(2026, 12, 2, 10, 0, tzinfo=UTC)
    case.do("verifying", 48, 1, act="HR-TOR", reason="new_facts")
    assert case.due()["verification", "1:HR-TOR"].met_at is None


@pytest.mark.parametrize(
    ("programme", "term", "due"),
    [
        ("legal_aid", None, datetime(2026, 12, 2, 10, 0, tzinfo=UTC)),
        ("legal_aid", "P10D", datetime(2026, 11, 12, 10, 0, tzinfo=UTC)),
        # Nights count: somebody is held.
        ("detention_visit", None, datetime(2026, 11, 4, 10, 0, tzinfo=UTC)),
        # A Saturday: petitions don't wait for offices to open.
        ("election", None, datetime(2026, 11, 7, 10, 0, tzinfo=UTC)),
    ],
)
def test_body_owes_its_answer_by_its_programme_or_its_own_term(programme: str, term: str | None, due: datetime) -> None:
    case = Case()
    case.do("referral_sent", 0, referral="r-1", destination="d", body="b", programme=programme, term=term)
    [key] = [each for each in case.due() if each[1] == "r-1"]
    assert case.due()[key].due_at == due
    case.do("referral_answered", 30, referral="r-1", outcome="x")
    assert case.due()[key].met_at == MONDAY + timedelta(hours=30)


def test_recalled_referral_owes_nothing() -> None:
    case = Case()
    case.do("referral_sent", 0, referral="r-1", destination="d", body="b", programme="legal_aid")
    no = case.do("referral_recalled", 1, referral="r-1")
    assert "r-1" not in {subject for _, subject in case.due()}
    case.undo(no, 2)
    assert "r-1" in {subject for _, subject in case.due()}


def test_person_is_asked_after_a_closed_case_three_times() -> None:
    case = closed()
    assert case.waits() == {(f"after_closure_{days}", "") for days in (30, 60, 90)}
    case.do("followed_up", 31 * 24, deadline="after_closure_30", subject="", answer="better")
    assert case.waits() == {("after_closure_60", ""), ("after_closure_90", "")}


def test_nobody_is_asked_whom_nobody_could_tell() -> None:
    case = Case()
    case.go("received", "acknowledged", "in_triage", "inadmissible", hours=1)
    case.go("inadmissible", "closed", hours=2, untold="anonymous")
    assert case.waits() == set()


def test_reopened_case_has_deadlines_of_its_own_again() -> None:
    case = closed()
    before = case.due()
    no = case.go("closed", "reopened", hours=100)
    subject = str(no)
    assert case.waits() == {("triage", subject), ("first_action", subject), ("feedback", subject)}
    assert case.due()["triage", subject].starts_at == MONDAY + timedelta(hours=100)
    assert case.due()["triage", ""].met_at is not None
    case.undo(no, 100.1)
    assert case.due() == before


def test_case_whose_complaints_went_elsewhere_has_none() -> None:
    case = Case()
    case.heard = []
    assert case.due() == {}


def test_withdrawn_case_waits_for_nobody() -> None:
    case = Case()
    case.go("received", "acknowledged", "withdrawn", hours=1)
    assert set(case.due()) == {("acknowledge", "")}


def test_complaint_that_joins_counts_since_the_hub_has_it() -> None:
    case = Case("U1")
    later = MONDAY + timedelta(hours=2)
    case.heard = [Heard(1, MONDAY, "U3", MONDAY, None), Heard(2, later, "U1", later, None)]
    assert case.due()["triage", ""].due_at == later + timedelta(hours=4)


def test_what_grew_worse_is_urgent_from_then_and_not_due_later() -> None:
    case = Case("U1")
    risen = MONDAY + timedelta(hours=10)
    case.heard = [Heard(1, MONDAY, "U1", risen, None)]
    assert case.due()["triage", ""].due_at == risen + timedelta(hours=4)
    risen = MONDAY + timedelta(hours=70)
    case.heard = [Heard(1, MONDAY, "U2", risen, None)]
    assert case.due()["triage", ""].due_at == MONDAY + timedelta(days=3)


def test_word_that_raises_counts_from_when_it_was_said_and_one_that_lowers_from_the_beginning() -> None:
    case = Case("U1")
    case.heard = [Heard(1, MONDAY, "U3", MONDAY, None)]
    case.word = UrgencyWord("U1", {1: "U3"})
    case.entries.append(Said(2, "moved", MONDAY + timedelta(hours=5), before={"word": None}))
    assert case.due()["first_action", ""].due_at == MONDAY + timedelta(hours=29)
    case.word, case.urgency = UrgencyWord("U4", {1: "U3"}), "U4"
    assert case.due()["first_action", ""].due_at - MONDAY == timedelta(days=30)


def test_late_is_told_of_until_it_begins_anew() -> None:
    case = Case()
    case.do("verifying", 0, 1, act="HR-TOR")
    case.do("escalated", 900, deadline="verification", subject="1:HR-TOR", account="awa")
    assert case.due()["verification", "1:HR-TOR"].told == {"awa"}
    case.do("verifying", 901, 1, act="HR-TOR", reason="new_facts")
    assert case.due()["verification", "1:HR-TOR"].told == set()
