"""When things fall due, how they are put off, and who is told that they are late."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from server.domain.calendar import MALI
from server.domain.deadlines import (
    ESCALATION,
    KINDS,
    Clocks,
    Deadline,
    Phone,
    Term,
    after_closure,
    begin,
    extend,
    is_term,
    ladder,
    meet,
    pause,
    resume,
    tell,
    to_tell,
)
from server.domain.errors import DeadlineRefused
from server.i18n import catalogue

# A Monday, without a feast near it.
MONDAY = datetime(2026, 11, 2, 10, 0, tzinfo=UTC)
NAMED = {"coordinator": "awa", "network_head": "moussa"}


def _days(count: float) -> timedelta:
    return timedelta(days=count)


@pytest.mark.parametrize(
    ("kind", "urgency", "due"),
    [
        ("acknowledge", "U3", datetime(2026, 11, 9, 10, 0, tzinfo=UTC)),
        ("triage", "U1", datetime(2026, 11, 2, 14, 0, tzinfo=UTC)),
        ("first_action", "U1", datetime(2026, 11, 3, 10, 0, tzinfo=UTC)),
        ("triage", "U3", datetime(2026, 11, 5, 10, 0, tzinfo=UTC)),
        ("feedback", "U3", datetime(2027, 2, 2, 10, 0, tzinfo=UTC)),
        ("verification", "U2", datetime(2026, 12, 2, 10, 0, tzinfo=UTC)),
        ("referral_answer", "U3", datetime(2026, 12, 2, 10, 0, tzinfo=UTC)),
        ("custody_answer", "U3", datetime(2026, 11, 4, 10, 0, tzinfo=UTC)),
        # A Saturday: petitions don't wait for offices to open.
        ("petition_answer", "U3", datetime(2026, 11, 7, 10, 0, tzinfo=UTC)),
    ],
)
def test_each_kind_falls_due_by_its_term(kind: str, urgency: str, due: datetime) -> None:
    assert begin(kind, MONDAY, MALI, urgency=urgency).due_at == due


def test_days_end_on_a_working_day_and_hours_do_not_wait_for_one() -> None:
    friday = datetime(2026, 12, 18, 10, 0, tzinfo=UTC)
    assert begin("acknowledge", friday, MALI).due_at == datetime(2026, 12, 28, 10, 0, tzinfo=UTC)
    assert begin("triage", friday, MALI, urgency="U2").due_at == datetime(2026, 12, 19, 10, 0, tzinfo=UTC)


def test_three_months_from_the_last_of_november_end_with_february() -> None:
    assert Term.read("P3M").after(datetime(2026, 11, 30, tzinfo=UTC)) == datetime(2027, 2, 28, tzinfo=UTC)
    assert Term.read("P3M").after(datetime(2027, 11, 30, tzinfo=UTC)) == datetime(2028, 2, 29, tzinfo=UTC)


@pytest.mark.parametrize("text", ["P", "P0D", "P3M2D", "3 days", "PT4M", "-P3D"])
def test_other_texts_are_no_term(text: str) -> None:
    assert not is_term(text)
    with pytest.raises(ValueError, match=text):
        Term.read(text)


def test_a_closed_case_is_asked_after_three_times_past_new_year_and_sundays() -> None:
    assert [each.due_at.date().isoformat() for each in after_closure(MONDAY, MALI)] == [
        "2026-12-02",
        "2027-01-04",
        "2027-02-01",
    ]


def test_a_device_ten_days_without_network_takes_nothing_from_the_hubs_time() -> None:
    clocks = Clocks(MONDAY - _days(10), MONDAY)
    now = MONDAY + _days(1)
    assert clocks.since_collected(now) == _days(11)
    assert clocks.since_received(now) == _days(1)
    assert clocks.on_road() == _days(10)
    assert begin("triage", clocks.received_at, MALI, urgency="U3").state(now) == "running"


@pytest.mark.parametrize("collected_at", [None, MONDAY + _days(400)])
def test_a_time_that_cannot_be_true_is_not_shown(collected_at: datetime | None) -> None:
    assert Clocks(collected_at, MONDAY).since_collected(MONDAY + _days(500)) is None


def test_a_pause_gives_back_the_time_it_took() -> None:
    stopped = pause(_verification(), "insecurity", MONDAY + _days(10), MALI)
    assert stopped.state(MONDAY + _days(12)) == "paused"
    going = resume(stopped, MONDAY + _days(15), MALI)
    assert going.state(MONDAY + _days(15)) == "running"
    assert going.due_at == datetime(2026, 12, 7, 10, 0, tzinfo=UTC)


def test_a_pause_that_nobody_ends_is_over_after_thirty_days() -> None:
    stopped = pause(_verification(), "insecurity", MONDAY + _days(10), MALI)
    assert stopped.state(MONDAY + _days(39)) == "paused"
    assert stopped.state(MONDAY + _days(40)) == "running"
    assert stopped.due_at == datetime(2027, 1, 4, 10, 0, tzinfo=UTC)


def test_a_deadline_is_paused_once_for_a_reason_that_is_known() -> None:
    now = MONDAY + _days(1)
    once = resume(pause(_verification(), "insecurity", now, MALI), now, MALI)
    assert _fault(lambda: pause(once, "insecurity", now, MALI)) == "paused_before"
    assert _fault(lambda: pause(_verification(), "holidays", now, MALI)) == "reason"
    assert _fault(lambda: resume(_verification(), now, MALI)) == "not_paused"


def test_what_is_urgent_late_or_done_is_not_paused() -> None:
    custody = begin("custody_answer", MONDAY, MALI)
    assert _fault(lambda: pause(custody, "body_closed", MONDAY, MALI)) == "urgent"
    of_hours = begin("referral_answer", MONDAY, MALI, term="PT12H")
    assert _fault(lambda: pause(of_hours, "body_closed", MONDAY, MALI)) == "urgent"
    assert _fault(lambda: pause(_verification(), "insecurity", MONDAY + _days(31), MALI)) == "late"
    assert _fault(lambda: pause(meet(_verification(), MONDAY), "insecurity", MONDAY, MALI)) == "met"


def test_feedback_takes_six_months_once_there_is_a_reason() -> None:
    feedback = begin("feedback", MONDAY, MALI)
    longer = extend(feedback, "court_proceeds", MONDAY, MALI)
    assert longer.due_at == datetime(2027, 5, 3, 10, 0, tzinfo=UTC)
    assert _fault(lambda: extend(longer, "court_proceeds", MONDAY, MALI)) == "extended_before"
    assert _fault(lambda: extend(feedback, "", MONDAY, MALI)) == "reason"
    assert _fault(lambda: extend(_verification(), "court_proceeds", MONDAY, MALI)) == "not_extended"


def test_what_was_done_stays_done_when_it_was() -> None:
    done = meet(_verification(), MONDAY)
    assert meet(done, MONDAY + _days(5)).met_at == MONDAY
    assert done.state(MONDAY + _days(90)) == "met"


def test_a_vital_case_goes_up_to_the_head_when_as_much_time_has_passed_again() -> None:
    triage, people = begin("triage", MONDAY, MALI, urgency="U1"), ladder("triage", "U1", NAMED)
    told = {hours: to_tell(triage, people, MONDAY + timedelta(hours=hours)) for hours in (3, 4, 7, 8, 60)}
    assert told == {3: (), 4: ("awa",), 7: ("awa",), 8: ("awa", "moussa"), 60: ("awa", "moussa")}
    assert to_tell(tell(triage, "awa"), people, MONDAY + timedelta(hours=9)) == ("moussa",)


def test_nobody_is_told_twice_and_a_rung_without_anybody_is_left_out() -> None:
    assert ladder("triage", "U1", {"coordinator": "awa", "network_head": "awa"}) == ("awa",)
    assert ladder("triage", "U1", {"network_head": "moussa"}) == ("moussa",)
    assert ladder("triage", "U4", NAMED) == ()
    # A person waits to be asked how it is.
    assert ladder("after_closure_30", "U4", NAMED) == ("awa",)
    assert ladder("after_closure_30", "U1", NAMED) == ("awa", "moussa")


def test_what_is_done_or_paused_is_told_to_nobody() -> None:
    later = MONDAY + _days(35)
    stopped = pause(_verification(), "insecurity", MONDAY + _days(29), MALI)
    assert to_tell(_verification(), ["awa"], later) == ("awa",)
    assert to_tell(meet(_verification(), MONDAY), ["awa"], later) == ()
    assert to_tell(stopped, ["awa"], later) == ()


@pytest.mark.parametrize(
    ("phone", "told"),
    [
        # Never reached; reached, and silent since; heard of, before its time was up with the road on top.
        (Phone(MONDAY, None, None), ()),
        (Phone(MONDAY, MONDAY + _days(20), MONDAY + _days(20)), ()),
        (Phone(MONDAY, MONDAY + _days(20), MONDAY + _days(45)), ()),
        # Heard of after that, and nothing came.
        (Phone(MONDAY, MONDAY + _days(20), MONDAY + _days(51)), ("awa",)),
        (Phone(MONDAY, MONDAY, MONDAY + _days(31)), ("awa",)),
        # Asked when it was late already: that was no matter of network.
        (Phone(MONDAY + _days(31), None, None), ("awa",)),
        (None, ("awa",)),
    ],
)
def test_nothing_escalates_because_a_phone_was_out_of_reach(phone: Phone | None, told: tuple[str, ...]) -> None:
    assert to_tell(_verification(), ["awa"], MONDAY + _days(55), phone) == told


def test_a_silent_phone_is_no_excuse_for_what_the_hub_owes() -> None:
    acknowledge = begin("acknowledge", MONDAY, MALI)
    assert to_tell(acknowledge, ["awa"], MONDAY + _days(8), Phone(MONDAY, None, None)) == ("awa",)


def test_the_data_is_whole() -> None:
    urgencies = set(ESCALATION)
    assert urgencies == {"U1", "U2", "U3", "U4"}
    for kind in KINDS.values():
        begun = {urgency: begin(kind.code, MONDAY, MALI, urgency=urgency) for urgency in urgencies}
        assert all(each.due_at > MONDAY for each in begun.values())
        assert kind.waits_for in ("hub", "device", "body")


@pytest.mark.parametrize("language", ["fr", "en"])
def test_every_kind_has_its_words(language: str) -> None:
    texts = catalogue(language)
    assert len({texts.text(kind.key) for kind in KINDS.values()}) == len(KINDS)


def _verification() -> Deadline:
    return begin("verification", MONDAY, MALI)


def _fault(refused: Callable[[], object]) -> object:
    with pytest.raises(DeadlineRefused) as error:
        refused()
    return error.value.values["fault"]
