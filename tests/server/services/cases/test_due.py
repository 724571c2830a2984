"""What is due: shown by day and scope with both clocks, put off once and for a reason, and taken back exactly."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from server.domain.deadlines import Deadline
from server.domain.errors import DeadlineRefused, NotFound, StaleRevision
from server.domain.task import Window
from server.hub import Hub
from server.services.cases import due, following, holding, queues, tasking, telling
from server.services.cases.due import EXTENDED, PAUSED, RESUMED, Which
from server.services.cases.tasking import Errand
from server.store import erasures, notices
from server.store.due_tables import deadline
from tests.builders import Clock, Person, an_id, complaint, enrolled, facts, operation, revision
from tests.case_work import SETTLED, Numbers, at_desk, attach, detach, move, state, undo, version

FEEDBACK = Which(kind="feedback")


def kinds(hub: Hub, person: Person, number: str) -> dict[str, Deadline]:
    """By kind, what nobody did yet of a case."""
    found = due.of_case(hub.store, at_desk(hub, person), number)
    return {each.stands.kind: each.stands for each in found if each.stands.met_at is None}


def put_off(hub: Hub, person: Person, number: str, code: str, which: Which = FEEDBACK, reason: str = "") -> Deadline:
    seen = version(hub, person, number)
    return due.put_off(hub.store, at_desk(hub, person), number, code, which, reason=reason, after=seen)


def tell(hub: Hub, person: Person, number: str) -> None:
    """The person heard by the receipt code what became of it."""
    seen = version(hub, person, number)
    telling.by_word(hub.store, at_desk(hub, person), number, telling.BY_RECEIPT, after=seen)


def close(hub: Hub, person: Person, number: str) -> None:
    move(hub, person, number, "acknowledged")
    move(hub, person, number, "in_triage")
    move(hub, person, number, "in_progress", **SETTLED)
    move(hub, person, number, "resolved", outcome="mediated")
    move(hub, person, number, "closed", closure="mediated", untold="unsafe")


def listed(hub: Hub, person: Person, **wish: Any) -> list[tuple[str, str]]:
    found = due.listed(hub.store, at_desk(hub, person), 20, **wish)
    return [(each.ref, each.due.deadline.stands.kind) for each in found]


def test_first_act_makes_what_is_due_and_undoing_restores_it(hub: Hub, awa: Person, numbers: Numbers) -> None:
    assert listed(hub, awa) == []
    move(hub, awa, numbers[0], "acknowledged")
    assert set(kinds(hub, awa, numbers[0])) == {"triage", "first_action", "feedback"}
    move(hub, awa, numbers[0], "in_triage")
    before = state(hub)
    move(hub, awa, numbers[0], "in_progress", **SETTLED)
    assert set(kinds(hub, awa, numbers[0])) == {"first_action", "feedback"}
    undo(hub, awa, numbers[0])
    assert state(hub) == before


def test_first_to_fall_due_comes_first_and_each_sees_what_is_in_scope(
    hub: Hub, awa: Person, gao: Person, numbers: Numbers
) -> None:
    move(hub, awa, numbers[2], "acknowledged")
    move(hub, awa, numbers[0], "acknowledged")
    move(hub, awa, numbers[0], "in_triage")
    move(hub, awa, numbers[0], "in_progress", **SETTLED)
    assert listed(hub, awa) == [
        (numbers[2], "triage"),
        (numbers[2], "first_action"),
        (numbers[0], "first_action"),
        (numbers[2], "feedback"),
        (numbers[0], "feedback"),
    ]
    assert {ref for ref, _ in listed(hub, gao)} == {numbers[0]}
    assert {ref for ref, _ in listed(hub, awa, is_mine=True)} == {numbers[0]}
    assert listed(hub, gao, is_mine=True) == []


def test_case_with_a_complaint_out_of_scope_is_not_shown(hub: Hub, awa: Person, gao: Person, numbers: Numbers) -> None:
    move(hub, awa, numbers[0], "acknowledged")
    attach(hub, awa, numbers[2], numbers[0])
    assert listed(hub, gao) == []
    detach(hub, awa, numbers[2])
    assert {ref for ref, _ in listed(hub, gao)} == {numbers[0]}


def test_joined_case_waits_for_nothing_and_again_when_it_comes_back(hub: Hub, awa: Person, numbers: Numbers) -> None:
    move(hub, awa, numbers[0], "acknowledged")
    move(hub, awa, numbers[1], "acknowledged")
    before = state(hub)
    attach(hub, awa, numbers[0], numbers[1])
    assert {ref for ref, _ in listed(hub, awa)} == {numbers[1]}
    undo(hub, awa, numbers[1])
    assert state(hub) == before


def test_both_clocks_are_shown(hub: Hub, awa: Person) -> None:
    collected = hub.clock() - timedelta(days=10)
    sender = enrolled(hub, "Kidal 1", team="kidal")
    sender.send(complaint("a", collected_at=collected.isoformat().replace("+00:00", "Z")))
    number = f"SRE-{hub.clock().year}-000001"
    move(hub, awa, number, "acknowledged")
    [first, *_] = due.listed(hub.store, at_desk(hub, awa), 20)
    assert first.clocks.on_road() == timedelta(days=10)
    assert first.clocks.since_received(hub.clock()) == timedelta()
    assert first.due.deadline.stands.state(hub.clock()) == "running"


def test_feedback_is_paused_once_and_resumed(hub: Hub, awa: Person, numbers: Numbers) -> None:
    assert isinstance(hub.clock, Clock)
    move(hub, awa, numbers[0], "acknowledged")
    usual = kinds(hub, awa, numbers[0])["feedback"].due_at
    put_off(hub, awa, numbers[0], PAUSED, reason="insecurity")
    hub.clock.pass_(days=7)
    put_off(hub, awa, numbers[0], RESUMED)
    assert usual + timedelta(days=7) <= kinds(hub, awa, numbers[0])["feedback"].due_at <= usual + timedelta(days=9)
    with pytest.raises(DeadlineRefused) as refused:
        put_off(hub, awa, numbers[0], PAUSED, reason="insecurity")
    assert refused.value.values["fault"] == "paused_before"


@pytest.mark.parametrize(
    ("code", "which", "reason", "fault"),
    [
        (PAUSED, FEEDBACK, "", "reason"),
        (PAUSED, Which(kind="first_action"), "insecurity", "urgent"),
        (RESUMED, FEEDBACK, "", "not_paused"),
        (EXTENDED, Which(kind="triage"), "court_proceeds", "not_extended"),
        (EXTENDED, Which(), "court_proceeds", None),
        (RESUMED, Which(), "", "none"),
        (PAUSED, Which(kind="verification"), "insecurity", "none"),
    ],
)
def test_what_cannot_be_put_off_says_why(
    hub: Hub, awa: Person, numbers: Numbers, code: str, which: Which, reason: str, fault: str | None
) -> None:
    move(hub, awa, numbers[0], "acknowledged")
    before = state(hub)
    if fault is None:
        assert put_off(hub, awa, numbers[0], code, which, reason).extension_reason == reason
        return
    with pytest.raises(DeadlineRefused) as refused:
        put_off(hub, awa, numbers[0], code, which, reason)
    assert refused.value.values["fault"] == fault
    assert state(hub) == before


def test_putting_off_needs_the_case_and_the_version_that_stands(
    hub: Hub, awa: Person, gao: Person, numbers: Numbers
) -> None:
    move(hub, awa, numbers[2], "acknowledged")
    with pytest.raises(StaleRevision):
        due.put_off(hub.store, at_desk(hub, awa), numbers[2], PAUSED, FEEDBACK, reason="insecurity", after=1)
    with pytest.raises(NotFound):
        due.put_off(hub.store, at_desk(hub, gao), numbers[2], PAUSED, FEEDBACK, reason="insecurity", after=2)
    with pytest.raises(NotFound):
        due.of_case(hub.store, at_desk(hub, gao), numbers[2])


def test_putting_off_is_taken_back_to_the_letter_and_in_order(hub: Hub, awa: Person, numbers: Numbers) -> None:
    move(hub, awa, numbers[0], "acknowledged")
    before = state(hub)
    put_off(hub, awa, numbers[0], EXTENDED, reason="court_proceeds")
    extended = version(hub, awa, numbers[0])
    put_off(hub, awa, numbers[0], PAUSED, reason="body_closed")
    with pytest.raises(DeadlineRefused) as refused:
        undo(hub, awa, numbers[0], extended)
    assert refused.value.values["fault"] == "said_since"
    assert [undo(hub, awa, numbers[0]) for _ in range(2)] == [PAUSED, EXTENDED]
    assert state(hub) == before


def test_follow_ups_come_due_after_closure_and_reprisals_reopen(hub: Hub, awa: Person, numbers: Numbers) -> None:
    assert isinstance(hub.clock, Clock)
    move(hub, awa, numbers[0], "acknowledged")
    move(hub, awa, numbers[0], "in_triage")
    move(hub, awa, numbers[0], "in_progress", **SETTLED)
    move(hub, awa, numbers[0], "resolved", outcome="mediated")
    tell(hub, awa, numbers[0])
    move(hub, awa, numbers[0], "closed", closure="mediated")
    assert set(kinds(hub, awa, numbers[0])) == {"after_closure_30", "after_closure_60", "after_closure_90"}
    hub.clock.pass_(days=31)
    before = state(hub)
    assert follow_up(hub, awa, numbers[0], "better") == "after_closure_30"
    assert undo(hub, awa, numbers[0]) == "followed_up"
    assert state(hub) == before
    assert follow_up(hub, awa, numbers[0], "reprisals", days=60) == "after_closure_60"
    move(hub, awa, numbers[0], "reopened", reopening="reprisals")
    assert set(kinds(hub, awa, numbers[0])) == {"triage", "first_action", "feedback"}
    with pytest.raises(DeadlineRefused) as refused:
        follow_up(hub, awa, numbers[0], "better")
    assert refused.value.values["fault"] == "no_follow_up"


def test_nobody_whom_nobody_could_tell_is_asked_after(hub: Hub, awa: Person, numbers: Numbers) -> None:
    close(hub, awa, numbers[0])
    assert kinds(hub, awa, numbers[0]) == {}


def follow_up(hub: Hub, person: Person, number: str, answer: str, days: int | None = None) -> str:
    seen = version(hub, person, number)
    return following.follow_up(hub.store, at_desk(hub, person), number, answer, days, after=seen)


def test_answers_that_grow_worse_make_it_due_earlier(hub: Hub, awa: Person) -> None:
    sender = enrolled(hub, "Gao 1", team="gao")
    sender.send(complaint("a"))
    number = f"SRE-{hub.clock().year}-000001"
    move(hub, awa, number, "acknowledged")
    assert kinds(hub, awa, number)["triage"].term == "PT24H"
    sender.send(revision("worse", "a", 1, facts={"clear": facts(urgency={"danger": "yes"})}))
    assert kinds(hub, awa, number)["triage"].term == "PT4H"
    assert kinds(hub, awa, number)["first_action"].term == "PT24H"


def test_question_that_was_answered_or_waited_long_enough_ends_by_itself(
    hub: Hub, awa: Person, numbers: Numbers
) -> None:
    assert isinstance(hub.clock, Clock)
    for number in numbers[:2]:
        move(hub, awa, number, "acknowledged")
        move(hub, awa, number, "in_triage")
        move(hub, awa, number, "needs_information", question="where")
    counts = [following.end_waits(hub.store, None, hub.clock())]
    hub.clock.pass_(days=31)
    counts += [following.end_waits(hub.store, None, hub.clock()) for _ in range(2)]
    assert counts == [0, 2, 0]
    assert version(hub, awa, numbers[0]) == 5


@pytest.mark.parametrize(("outcome", "goes_on"), [(None, True), ("answered", True), ("not_met", False)])
def test_corrected_complaint_or_task_that_brings_the_answer_ends_the_wait(
    hub: Hub, awa: Person, outcome: str | None, goes_on: bool
) -> None:
    assert isinstance(hub.clock, Clock)
    sender = enrolled(hub, "Gao 1", team="gao")
    sender.send(complaint("a", contact_ok="yes"))
    number = f"SRE-{hub.clock().year}-000001"
    move(hub, awa, number, "acknowledged")
    move(hub, awa, number, "in_triage")
    sender.send(revision("before", "a", 1, facts={"clear": facts(contact_ok="yes", sector="land")}))
    hub.clock.pass_(minutes=1)
    move(hub, awa, number, "needs_information", question="where")
    hub.clock.pass_(minutes=1)
    if outcome is None:
        sender.send(revision("after", "a", 2, facts={"clear": facts(contact_ok="yes", sector="health")}))
    else:
        window = Window(hub.clock().date(), hub.clock().date() + timedelta(days=9))
        seen = version(hub, awa, number)
        id = tasking.set_task(hub.store, at_desk(hub, awa), number, Errand("ask", "Gao 1", window), after=seen).id
        sender.send(operation("task_done", "told", {"task": id, "outcome": outcome}))
    assert following.end_waits(hub.store, None, hub.clock()) == goes_on


def owned(hub: Hub, person: Person, number: str) -> None:
    """A case that is somebody's, in triage."""
    move(hub, person, number, "acknowledged")
    move(hub, person, number, "in_triage", owner="awa")


def told(hub: Hub, person: Person) -> list[str]:
    with hub.store.read() as connection:
        return [each.code for each in notices.of_account(connection, person.actor.id, 20)]


@pytest.mark.parametrize(("is_answered", "code"), [(True, "question_answered"), (False, "question_unanswered")])
def test_owner_hears_that_the_wait_is_over(hub: Hub, awa: Person, is_answered: bool, code: str) -> None:
    assert isinstance(hub.clock, Clock)
    sender = enrolled(hub, "Gao 1", team="gao")
    sender.send(complaint("a"))
    number = f"SRE-{hub.clock().year}-000001"
    owned(hub, awa, number)
    move(hub, awa, number, "needs_information", question="where")
    hub.clock.pass_(days=1 if is_answered else 31)
    if is_answered:
        sender.send(revision("after", "a", 1, facts={"clear": facts(sector="land")}))
    assert [following.end_waits(hub.store, None, hub.clock()) for _ in range(2)] == [1, 0]
    assert told(hub, awa) == [code]


def test_owner_hears_that_the_case_was_withdrawn_on_a_device(hub: Hub, awa: Person) -> None:
    sender = enrolled(hub, "Gao 1", team="gao")
    sender.send(complaint("a"))
    owned(hub, awa, f"SRE-{hub.clock().year}-000001")
    sender.send(operation("withdrawal", "back", {"complaint": an_id("a"), "scope": "all"}))
    assert following.end_waits(hub.store, None, hub.clock()) == 1
    assert told(hub, awa) == ["case_withdrawn"]


def test_case_ends_by_itself_once_every_complaint_of_it_was_withdrawn_on_a_device(hub: Hub, awa: Person) -> None:
    sender = enrolled(hub, "Gao 1", team="gao")
    sender.send(complaint("a"), complaint("b"))
    first, second = (f"SRE-{hub.clock().year}-{number:06}" for number in (1, 2))
    for number in (first, second):
        move(hub, awa, number, "acknowledged")
    attach(hub, awa, second, first)
    ended = []
    for name in ("a", "b"):
        sender.send(operation("withdrawal", f"back-{name}", {"complaint": an_id(name), "scope": "all"}))
        ended.append(following.end_waits(hub.store, None, hub.clock()))
    assert ended == [0, 1]
    shown = queues.show(hub.store, at_desk(hub, awa), first)
    assert shown.stands is not None
    assert shown.stands.fields["status"] == "withdrawn"
    assert (shown.entries[-1][1].actor, kinds(hub, awa, first)) == ("job", {})
    undo(hub, awa, first)


def test_what_is_due_goes_with_its_complaint_or_stays_with_the_others(
    hub: Hub, awa: Person, numbers: Numbers
) -> None:
    for number in numbers[:2]:
        move(hub, awa, number, "acknowledged")
    attach(hub, awa, numbers[0], numbers[1])
    erase(hub, numbers[1])
    assert {ref for ref, _ in listed(hub, awa)} == {numbers[1]}
    erase(hub, numbers[0])
    with hub.store.read() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(deadline)) == 0


def test_case_that_goes_on_is_as_urgent_and_due_as_what_it_still_has(
    hub: Hub, awa: Person, numbers: Numbers
) -> None:
    enrolled(hub, "Gao 2", team="gao").send(complaint("vital", urgency={"danger": "yes"}))
    move(hub, awa, numbers[0], "acknowledged")
    before, calm = kinds(hub, awa, numbers[0]), urgency(hub, awa, numbers[0])
    attach(hub, awa, f"SRE-{hub.clock().year}-000005", numbers[0])
    assert (urgency(hub, awa, numbers[0]), calm) == ("U1", "U2")
    assert kinds(hub, awa, numbers[0])["triage"].due_at < before["triage"].due_at
    erase(hub, f"SRE-{hub.clock().year}-000005")
    assert (urgency(hub, awa, numbers[0]), kinds(hub, awa, numbers[0])) == (calm, before)
    [waits] = [each for each in queues.waiting(hub.store, at_desk(hub, awa), 10) if each.ref == numbers[0]]
    assert waits.waiting.urgency == calm


def urgency(hub: Hub, person: Person, number: str) -> str:
    stands = queues.show(hub.store, at_desk(hub, person), number).stands
    assert stands is not None
    return stands.fields["urgency"]


def erase(hub: Hub, number: str) -> None:
    with hub.store.write() as connection:
        subject = erasures.subject_of(connection, holding.complaint_of(connection, number))
        assert subject is not None
        erasures.wipe(connection, subject, hub.clock(), hub.clock())
