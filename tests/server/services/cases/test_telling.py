"""What devices are told of their complaints: in order, once, when it can't be taken back, and nobody else's."""

from collections.abc import Sequence
from threading import Thread
from typing import Any

import pytest
import sqlalchemy as sa

from server.domain.errors import ContactNotAllowed, NotFound, StaleRevision, TransitionRefused
from server.hub import Hub
from server.services import retention
from server.services.cases import hearing, holding, queues, telling
from server.services.cases.hearing import Hearing
from server.services.cases.telling import BY_RECEIPT
from server.store import timeline
from server.store.case_tables import timeline as timeline_table
from server.store.schema import event
from server.store.step_tables import step_waiting, told_step
from tests.builders import Person, Sender, an_id, complaint, enrolled, operation, verdicts
from tests.case_work import SETTLED, Numbers, at_desk, attach, detach, move, split, undo, version


@pytest.fixture
def gao_phone(hub: Hub) -> Sender:
    return enrolled(hub, "Gao 1", team="gao")


@pytest.fixture
def mopti_phone(hub: Hub) -> Sender:
    return enrolled(hub, "Mopti 1", team="mopti")


@pytest.fixture
def numbers(hub: Hub, gao_phone: Sender, mopti_phone: Sender) -> Numbers:
    gao_phone.send(complaint("a"), complaint("b"))
    mopti_phone.send(complaint("c", contact_ok="yes"))
    gao_phone.send(complaint("d", confidentiality="strict"))
    return tuple(f"SRE-{hub.clock().year}-{number:06}" for number in range(1, 5))


def tell(hub: Hub, minutes: int = 0) -> int:
    """Let time pass, then tell what is due."""
    hub.clock.pass_(minutes=minutes)
    return telling.tell_due(hub.store, hub.clock())


def steps(phone: Sender, name: object | None = None) -> list[dict[str, Any]]:
    """Every step that a device is told from the beginning, of one complaint or of all."""
    phone.cursor = None
    told = [each for each in phone.changes() if each["kind"] == "step"]
    return told if name is None else [each for each in told if an_id(name).startswith(each["id"])]


def templates(phone: Sender, name: object) -> list[str]:
    return [each["t"] for each in steps(phone, name)]


def to_progress(hub: Hub, person: Person, number: str) -> None:
    for status in ("acknowledged", "in_triage"):
        move(hub, person, number, status)
    move(hub, person, number, "in_progress", **SETTLED)


def resolve(hub: Hub, person: Person, number: str) -> None:
    to_progress(hub, person, number)
    move(hub, person, number, "resolved", outcome="remedied")


def waiting(hub: Hub) -> int:
    with hub.store.read() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(step_waiting)) or 0


def heard(hub: Hub, person: Person, number: str) -> Hearing:
    return queues.show(hub.store, at_desk(hub, person), number).hearings[number]


def seen(name: object, *changes: int) -> bytes:
    return operation("seen", name, {"changes": list(changes)})


def leave_step(hub: Hub, person: Person, number: str, template: str, **fields: str) -> None:
    """An entry of the case of a complaint with this step."""
    desk = at_desk(hub, person)
    with hub.store.write() as connection:
        case = holding.look(connection, desk, holding.complaint_of(connection, number))
        assert case is not None
        said = {"step": {"template": template, "fields": fields}, "tells_at": desk.now}
        timeline.append(connection, holding.entry_of(desk, case, "came", fields={}, **said))


def test_a_step_is_told_once_when_it_can_not_be_taken_back(
    hub: Hub, awa: Person, numbers: Numbers, gao_phone: Sender
) -> None:
    to_progress(hub, awa, numbers[0])
    assert (tell(hub), templates(gao_phone, "a")) == (1, ["acknowledged"])
    assert (tell(hub, 9), templates(gao_phone, "a")) == (0, ["acknowledged"])
    assert (tell(hub, 1), templates(gao_phone, "a")) == (1, ["acknowledged", "worked_on"])
    assert (tell(hub, 60), waiting(hub)) == (0, 0)
    assert steps(gao_phone, "a")[0] == {
        "n": 1,
        "id": an_id("a")[:8],
        "kind": "step",
        "t": "acknowledged",
        "on": "2026-11-21",
        # From the Tuesday after it, to a Monday: the last day of the term is a Sunday.
        "next": [3, 16],
        "wait": True,
    }


def test_several_processes_tell_once(hub: Hub, awa: Person, numbers: Numbers, gao_phone: Sender) -> None:
    for number in numbers:
        move(hub, awa, number, "acknowledged")
    counts: list[int] = []
    tellers = [Thread(target=lambda: counts.append(tell(hub))) for _ in range(3)]
    for each in tellers:
        each.start()
    for each in tellers:
        each.join()
    assert sum(counts) == 4
    assert sorted(each["id"] for each in steps(gao_phone)) == sorted(an_id(name)[:8] for name in "abd")


def test_what_was_taken_back_is_never_told(hub: Hub, awa: Person, numbers: Numbers, gao_phone: Sender) -> None:
    to_progress(hub, awa, numbers[0])
    undo(hub, awa, numbers[0])
    assert tell(hub, 60) == 1
    assert templates(gao_phone, "a") == ["acknowledged"]


def test_a_device_is_told_of_its_own_complaints_alone(
    hub: Hub, awa: Person, numbers: Numbers, gao_phone: Sender, mopti_phone: Sender
) -> None:
    to_progress(hub, awa, numbers[0])
    to_progress(hub, awa, numbers[2])
    attach(hub, awa, numbers[1], numbers[2])
    move(hub, awa, numbers[2], "resolved", outcome="remedied")
    tell(hub, 60)
    assert {each["id"] for each in steps(mopti_phone)} == {an_id("c")[:8]}
    assert {each["id"] for each in steps(gao_phone)} == {an_id("a")[:8], an_id("b")[:8]}
    known = {"n", "id", "kind", "code", "t", "f", "on", "next", "wait"}
    assert all(each.keys() <= known for phone in (gao_phone, mopti_phone) for each in steps(phone))


def test_a_duplicate_is_never_said(
    hub: Hub, awa: Person, numbers: Numbers, gao_phone: Sender, mopti_phone: Sender
) -> None:
    """Whoever joined another case hears what whoever did not hears."""
    to_progress(hub, awa, numbers[2])
    move(hub, awa, numbers[0], "acknowledged")
    attach(hub, awa, numbers[0], numbers[2])
    move(hub, awa, numbers[2], "resolved", outcome="remedied")
    tell(hub, 60)
    assert templates(gao_phone, "a") == templates(mopti_phone, "c") == ["acknowledged", "worked_on", "resolved"]
    assert "duplicate" not in str(steps(gao_phone))


def test_that_it_arrived_is_no_news_of_what_joined_another_case(
    hub: Hub, awa: Person, numbers: Numbers, gao_phone: Sender, mopti_phone: Sender
) -> None:
    attach(hub, awa, numbers[0], numbers[2])
    move(hub, awa, numbers[2], "acknowledged")
    # It came later, and can't be taken back: it waits for what came first.
    assert tell(hub) == 1
    assert (templates(gao_phone, "a"), templates(mopti_phone, "c")) == ([], ["acknowledged"])
    tell(hub, 10)
    assert templates(gao_phone, "a") == ["worked_on"]
    assert waiting(hub) == 0


def test_who_left_a_case_hears_no_more_of_it(hub: Hub, awa: Person, numbers: Numbers, gao_phone: Sender) -> None:
    to_progress(hub, awa, numbers[2])
    attach(hub, awa, numbers[0], numbers[2])
    tell(hub, 10)
    move(hub, awa, numbers[2], "resolved", outcome="remedied")
    detach(hub, awa, numbers[0])
    move(hub, awa, numbers[2], "closed", closure="remedied", untold="unreachable")
    tell(hub, 60)
    assert templates(gao_phone, "a") == ["worked_on"]
    assert waiting(hub) == 0


def test_who_came_back_at_once_did_not_join_but_still_hears_the_question(
    hub: Hub, awa: Person, numbers: Numbers, gao_phone: Sender
) -> None:
    for status in ("acknowledged", "in_triage"):
        move(hub, awa, numbers[0], status)
    move(hub, awa, numbers[0], "needs_information", question="when")
    attach(hub, awa, numbers[0], numbers[2])
    detach(hub, awa, numbers[0])
    tell(hub, 60)
    assert [(each["t"], each.get("f")) for each in steps(gao_phone, "a")] == [
        ("acknowledged", None),
        ("question", {"question": "when"}),
    ]


def test_all_that_a_case_has_hear_of_it_and_who_went_out_with_others_hears_of_theirs(
    hub: Hub, awa: Person, numbers: Numbers, gao_phone: Sender
) -> None:
    to_progress(hub, awa, numbers[2])
    for number in numbers[:2]:
        attach(hub, awa, number, numbers[2])
    tell(hub, 10)
    split(hub, awa, *numbers[:2])
    to_progress(hub, awa, numbers[0])
    move(hub, awa, numbers[0], "resolved", outcome="mediated")
    tell(hub, 60)
    for name in "ab":
        assert templates(gao_phone, name) == ["worked_on", "resolved"]


def test_the_body_of_a_strict_case_is_not_named_be_it_strict_by_another(
    hub: Hub, awa: Person, numbers: Numbers, gao_phone: Sender, mopti_phone: Sender
) -> None:
    to_progress(hub, awa, numbers[2])
    leave_step(hub, awa, numbers[2], "referred", body="cndh")
    tell(hub, 10)
    assert steps(mopti_phone, "c")[-1]["f"] == {"body": "cndh"}
    attach(hub, awa, numbers[3], numbers[2])
    leave_step(hub, awa, numbers[2], "body_answered", body="cndh", programme="commission", outcome="registered")
    move(hub, awa, numbers[2], "resolved", outcome="remedied")
    tell(hub, 10)
    for phone, name in ((mopti_phone, "c"), (gao_phone, "d")):
        assert templates(phone, name)[-2:] == ["body_answered_unnamed", "resolved"]
        assert all("f" not in each for each in steps(phone, name)[-2:])


def test_what_says_nothing_new_is_not_said_again_and_counts_as_heard(
    hub: Hub, awa: Person, numbers: Numbers, mopti_phone: Sender
) -> None:
    to_progress(hub, awa, numbers[2])
    tell(hub, 10)
    leave_step(hub, awa, numbers[2], "worked_on")
    assert tell(hub) == 0
    with hub.store.read() as connection:
        numbered = connection.scalars(sa.select(told_step.c.n).order_by(told_step.c.no)).all()
    assert (numbered, waiting(hub)) == ([1, 2, 2], 0)
    assert templates(mopti_phone, "c") == ["acknowledged", "worked_on"]


def test_nobody_goes_and_tells_who_did_not_allow_it(
    hub: Hub, awa: Person, numbers: Numbers, gao_phone: Sender, mopti_phone: Sender
) -> None:
    for number in numbers:
        move(hub, awa, number, "acknowledged")
    tell(hub)
    assert all(each["wait"] for each in steps(gao_phone))
    assert ["wait" in each for each in steps(mopti_phone)] == [False]


def test_an_erased_complaint_is_told_nothing_and_leaves_nothing(
    hub: Hub, awa: Person, numbers: Numbers, gao_phone: Sender
) -> None:
    attach(hub, awa, numbers[0], numbers[2])
    to_progress(hub, awa, numbers[1])
    tell(hub)
    keeping = retention.keeping(hub.settings, hub.secrets.database, hub.depot)
    for number in numbers[:2]:
        retention.erase(hub.store, at_desk(hub, awa), number, "asked", keeping)
    assert (tell(hub, 60), steps(gao_phone)) == (0, [])
    with hub.store.read() as connection:
        assert connection.execute(sa.select(told_step)).all() == []
    assert waiting(hub) == 0


def test_one_timeline_that_leads_nowhere_keeps_nobody_else_from_hearing(
    hub: Hub, awa: Person, numbers: Numbers, gao_phone: Sender, mopti_phone: Sender, caplog: pytest.LogCaptureFixture
) -> None:
    for number in (numbers[0], numbers[2]):
        move(hub, awa, number, "acknowledged")
    with hub.store.write() as connection:
        broken = sa.update(timeline_table).where(timeline_table.c.casefile == 1, timeline_table.c.step.is_not(None))
        words = {"template": "acknowledged", "fields": {"note": "Allez voir Awa"}}
        connection.execute(broken.values(step=words))
    assert tell(hub) == 1
    assert (steps(gao_phone), len(steps(mopti_phone))) == ([], 1)
    assert "step_not_told" in caplog.text
    assert "Awa" not in caplog.text


def test_what_was_done_while_the_clock_was_a_year_ahead_is_told_once_it_is_right(
    hub: Hub, awa: Person, numbers: Numbers, gao_phone: Sender
) -> None:
    hub.clock.pass_(days=365)
    move(hub, awa, numbers[0], "acknowledged")
    move(hub, awa, numbers[0], "in_triage")
    move(hub, awa, numbers[0], "in_progress", **SETTLED)
    hub.clock.pass_(days=-365)
    assert tell(hub) == 2
    move(hub, awa, numbers[0], "resolved", outcome="remedied")
    assert (tell(hub, 9), tell(hub, 1)) == (0, 1)
    assert templates(gao_phone, "a") == ["acknowledged", "worked_on", "resolved"]


def test_only_its_own_lineage_says_that_a_step_was_seen(
    hub: Hub, awa: Person, numbers: Numbers, gao_phone: Sender, mopti_phone: Sender
) -> None:
    move(hub, awa, numbers[0], "acknowledged")
    tell(hub)
    said = [verdicts(mopti_phone.send(seen("s1", 1))), verdicts(gao_phone.send(seen("s2", 7, 2)))]
    assert [each.verdict for [each] in said] == ["stored", "stored"]
    assert heard(hub, awa, numbers[0]).seen_at is None
    move(hub, awa, numbers[1], "acknowledged")
    tell(hub)
    # It was told after somebody claimed to have seen it.
    assert heard(hub, awa, numbers[1]).seen_at is None
    first = hub.clock()
    gao_phone.send(seen("s3", 1))
    hub.clock.pass_(days=1)
    enrolled(hub, "Gao 1 bis", team="gao", succeeds=gao_phone).send(seen("s4", 1, 2))
    assert (heard(hub, awa, numbers[0]).seen_at, heard(hub, awa, numbers[1]).seen_at) == (first, hub.clock())


def test_what_a_device_gave_a_cursor_for_is_delivered(
    hub: Hub, awa: Person, numbers: Numbers, gao_phone: Sender
) -> None:
    move(hub, awa, numbers[0], "acknowledged")
    tell(hub)
    hub.clock.pass_(days=9)
    assert (heard(hub, awa, numbers[0]).is_delivered, heard(hub, awa, numbers[0]).silent_days) == (False, 9)
    cursor = gao_phone.send()["cursor"]
    for false in ("9f2c11aa.1", f"{hub.epoch()}.99", f"{hub.epoch()}.-1", "1"):
        gao_phone.send(cursor=false)
        assert not heard(hub, awa, numbers[0]).is_delivered
    gao_phone.send(cursor=cursor)
    assert (heard(hub, awa, numbers[0]).is_delivered, heard(hub, awa, numbers[0]).silent_days) == (True, 0)
    gao_phone.send(cursor=f"{hub.epoch()}.0")
    assert heard(hub, awa, numbers[0]).is_delivered


def test_a_cursor_that_does_not_move_writes_nothing(hub: Hub, awa: Person, numbers: Numbers, gao_phone: Sender) -> None:
    move(hub, awa, numbers[0], "acknowledged")
    tell(hub)
    cursor = gao_phone.send()["cursor"]
    gao_phone.send(cursor=cursor)
    before = _events(hub)
    gao_phone.send(cursor=cursor)
    assert _events(hub) == before


def test_a_case_is_closed_when_everybody_saw_what_became_of_it(
    hub: Hub, awa: Person, numbers: Numbers, gao_phone: Sender, mopti_phone: Sender
) -> None:
    attach(hub, awa, numbers[0], numbers[2])
    resolve(hub, awa, numbers[2])
    tell(hub, 10)
    last = {name: steps(phone, name)[-1]["n"] for phone, name in ((gao_phone, "a"), (mopti_phone, "c"))}
    gao_phone.send(seen("s1", last["a"]))
    with pytest.raises(TransitionRefused) as error:
        move(hub, awa, numbers[2], "closed", closure="remedied")
    assert error.value.values["faults"] == ("told_or_impossible",)
    mopti_phone.send(seen("s2", last["c"]))
    move(hub, awa, numbers[2], "closed", closure="remedied")


def test_a_case_is_closed_when_somebody_said_by_word_what_became_of_it(
    hub: Hub, awa: Person, numbers: Numbers
) -> None:
    to_progress(hub, awa, numbers[2])
    _by_word(hub, awa, numbers[2], "call")
    move(hub, awa, numbers[2], "resolved", outcome="remedied")
    # What was said before was not this.
    with pytest.raises(TransitionRefused):
        move(hub, awa, numbers[2], "closed", closure="remedied")
    _by_word(hub, awa, numbers[2], "call")
    undo(hub, awa, numbers[2])
    with pytest.raises(TransitionRefused):
        move(hub, awa, numbers[2], "closed", closure="remedied")
    _by_word(hub, awa, numbers[2], "visit")
    move(hub, awa, numbers[2], "closed", closure="remedied")
    move(hub, awa, numbers[2], "reopened", reopening="new_facts")


@pytest.mark.parametrize("way", ["call", "message", "visit", "verification_visit"])
def test_nobody_is_told_in_a_way_that_was_not_allowed(hub: Hub, awa: Person, numbers: Numbers, way: str) -> None:
    with pytest.raises(ContactNotAllowed):
        _by_word(hub, awa, numbers[0], way)
    assert version(hub, awa, numbers[0]) == 0


def test_who_comes_with_the_receipt_is_told_whatever_was_allowed(hub: Hub, awa: Person, numbers: Numbers) -> None:
    _by_word(hub, awa, numbers[0], BY_RECEIPT)
    assert heard(hub, awa, numbers[0]).by_word == (hub.clock(), BY_RECEIPT)


def test_told_by_word_goes_by_what_was_seen_and_by_who_handles_the_case(
    hub: Hub, awa: Person, gao: Person, numbers: Numbers
) -> None:
    move(hub, awa, numbers[2], "acknowledged")
    with pytest.raises(StaleRevision):
        telling.by_word(hub.store, at_desk(hub, awa), numbers[2], "call", after=0)
    with pytest.raises(NotFound):
        telling.by_word(hub.store, at_desk(hub, gao), numbers[2], "call", after=2)


def test_the_desk_reads_what_the_device_is_told_and_no_more(
    hub: Hub, awa: Person, gao: Person, numbers: Numbers, gao_phone: Sender
) -> None:
    resolve(hub, awa, numbers[0])
    tell(hub)
    assert _read(hub, awa, numbers[0]) == ["acknowledged"]
    hub.clock.pass_(minutes=10)
    # Nobody told the device yet: whoever has come does not wait for it.
    assert _read(hub, awa, numbers[0]) == ["acknowledged", "worked_on", "resolved"]
    assert _read(hub, awa, numbers[1]) == []
    tell(hub)
    assert _read(hub, awa, numbers[0]) == ["acknowledged", "worked_on", "resolved"] == templates(gao_phone, "a")
    assert {each.number for each in hearing.by_receipt(hub.store, at_desk(hub, gao), "7K4M-2QG")} == set(numbers[:2])


def _by_word(hub: Hub, person: Person, number: str, way: str) -> int:
    return telling.by_word(hub.store, at_desk(hub, person), number, way, after=version(hub, person, number))


def _read(hub: Hub, person: Person, number: str) -> Sequence[str]:
    answers = hearing.by_receipt(hub.store, at_desk(hub, person), "7K4M-2QG")
    [answer] = [each for each in answers if each.number == number]
    assert not any(each.waits for each in answer.steps)
    return [each.template for each in answer.steps]


def _events(hub: Hub) -> int:
    with hub.store.read() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(event)) or 0
