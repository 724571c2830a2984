"""Referring: what bodies answer, or don't, what is recalled, and consent that is taken back after something went."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from server.domain.errors import NotFound, ReferralRefused, TransitionRefused
from server.domain.permission import JOB
from server.hub import Hub
from server.services import deputies
from server.services.cases import due, referring, sending
from server.services.cases.due import Which
from server.services.cases.sending import Noted
from server.services.cases.telling import tell_due
from server.store import cases, erasures, notices
from server.store.case_tables import casefile
from tests.builders import Clock, Person, Sender, add_person, an_id, enrolled, operation
from tests.case_referrals import (
    COFO,
    LEGAL_AID,
    MEDIATOR,
    answer,
    consent,
    entries,
    in_progress,
    land,
    lay_down,
    numbered,
    recall,
    send,
    told,
    views,
    worked_on,
)
from tests.case_work import at_desk, attach, detach, move, undo, version


@dataclass(frozen=True)
class Parted:
    """A case, the complaint that went out of it, and the device of that."""

    first: str
    second: str
    mopti: Sender


@pytest.fixture
def case(hub: Hub, awa: Person, phone: Sender) -> str:
    """A case about land that is at the land commission; `awa` owns it."""
    lay_down(hub, awa)
    number = worked_on(hub, awa, phone, land("a", consent=consent("C3", "cofo", "mediator", "legal_aid")))
    send(hub, awa, number)
    pass_(hub, hours=1)
    return number


def pass_(hub: Hub, **time: float) -> None:
    assert isinstance(hub.clock, Clock)
    hub.clock.pass_(**time)


def status(hub: Hub, number: str) -> str:
    with hub.store.read() as connection:
        return connection.execute(sa.select(casefile.c.status).where(casefile.c.ref == number)).scalar_one()


def heard(hub: Hub, who: Person) -> list[str]:
    """What a person is to hear."""
    with hub.store.read() as connection:
        return [each.code for each in notices.of_account(connection, who.actor.id, 10)]


def note_silent(hub: Hub) -> int:
    return referring.note_silent(hub.store, hub.desk(JOB).places, hub.clock())


def note_taken_back(hub: Hub) -> int:
    return referring.note_taken_back(hub.store, hub.desk(JOB).places, hub.clock())


def test_last_answer_brings_the_case_back_to_who_works_on_it(hub: Hub, awa: Person, case: str) -> None:
    answer(hub, awa, case, "settled")
    assert status(hub, case) == "in_progress"
    answered, moved = entries(hub, case)[-2:]
    assert answered.fields["outcome"] == "settled"
    assert (moved.actor, moved.fields["given"]) == ("job", {"referral_over": "answered"})
    fields = {"body": "cofo", "programme": "land_commission", "outcome": "settled"}
    assert told(hub, case)[-2:] == [
        {"template": "body_answered", "fields": fields},
        {"template": "worked_on", "fields": {}},
    ]


def test_case_stays_referred_while_the_body_may_say_more_and_people_may_move_it(
    hub: Hub, awa: Person, case: str
) -> None:
    answer(hub, awa, case, "hearing_set")
    assert status(hub, case) == "referred"
    answer(hub, awa, case, "refused")
    assert status(hub, case) == "in_progress"


def test_case_waits_for_the_last_of_several_bodies(hub: Hub, awa: Person, case: str) -> None:
    send(hub, awa, case, MEDIATOR.code)
    answer(hub, awa, case, "settled")
    assert status(hub, case) == "referred"
    with pytest.raises(TransitionRefused) as refused:
        move(hub, awa, case, "in_progress", referral_over="answered")
    assert refused.value.values["fault"] == "referral_over"
    referring.refuse(hub.store, at_desk(hub, awa), case, MEDIATOR.code, after=version(hub, awa, case))
    assert status(hub, case) == "in_progress"


def test_body_gives_it_a_number_and_it_is_known_by_the_beginning_of_its_id(hub: Hub, awa: Person, case: str) -> None:
    [view] = views(hub, awa, case)
    seen = version(hub, awa, case)
    referring.receive(hub.store, at_desk(hub, awa), case, view.kept.id[:8], after=seen, reference=" RG 114/26 ")
    [view] = views(hub, awa, case)
    assert (view.kept.state, view.kept.external_ref) == ("received", "RG 114/26")
    with pytest.raises(NotFound):
        referring.receive(hub.store, at_desk(hub, awa), case, "", after=version(hub, awa, case))


def test_answer_that_no_programme_of_this_kind_gives_is_refused(hub: Hub, awa: Person, case: str) -> None:
    with pytest.raises(ReferralRefused) as refused:
        answer(hub, awa, case, "acquittal")
    assert refused.value.values["fault"] == "outcome"
    assert status(hub, case) == "referred"


def test_owner_hears_of_an_answer_that_did_harm_and_devices_do_not(hub: Hub, awa: Person, case: str) -> None:
    send(hub, awa, case, MEDIATOR.code)
    answer(hub, awa, case, "harmful", MEDIATOR.code)
    assert heard(hub, awa) == [referring.HARMFUL]
    fields = {"body": "mediator", "programme": "mediation"}
    assert told(hub, case)[-1] == {"template": "body_answered", "fields": fields}


def test_answer_that_was_noted_by_mistake_is_taken_back_after_the_move_that_came_of_it(
    hub: Hub, awa: Person, case: str
) -> None:
    answer(hub, awa, case, "settled")
    no = entries(hub, case)[-2].no
    with pytest.raises(TransitionRefused):
        undo(hub, awa, case, no)
    assert undo(hub, awa, case) == "moved"
    assert undo(hub, awa, case) == "referral_answered"
    [view] = views(hub, awa, case)
    assert (view.kept.state, view.kept.outcome, view.kept.answered_at) == ("sent", None, None)
    assert status(hub, case) == "referred"


def test_answer_is_not_taken_back_once_devices_hear_of_it(hub: Hub, awa: Person, case: str) -> None:
    answer(hub, awa, case, "hearing_set")
    pass_(hub, minutes=10)
    with pytest.raises(TransitionRefused) as refused:
        undo(hub, awa, case)
    assert refused.value.values["fault"] == "undo_over"


def test_reminders_are_counted_and_the_last_has_its_day(hub: Hub, awa: Person, case: str) -> None:
    for _ in range(2):
        pass_(hub, days=1)
        referring.remind(hub.store, at_desk(hub, awa), case, COFO.code, after=version(hub, awa, case))
    assert views(hub, awa, case)[0].kept.reminders == 2
    assert views(hub, awa, case)[0].kept.reminded_at == hub.clock()
    assert undo(hub, awa, case) == "referral_reminded"
    assert views(hub, awa, case)[0].kept.reminders == 1


def test_body_that_does_not_answer_in_time_is_silent_once_and_may_still_answer(
    hub: Hub, awa: Person, case: str
) -> None:
    assert note_silent(hub) == 0
    pass_(hub, days=31)
    assert note_silent(hub) == 1
    assert note_silent(hub) == 0
    assert [each.kept.state for each in views(hub, awa, case)] == ["silent"]
    assert referring.SILENT in heard(hub, awa)
    assert status(hub, case) == "in_progress"
    assert entries(hub, case)[-1].fields["given"] == {"referral_over": "silent"}
    answer(hub, awa, case, "settled")
    assert views(hub, awa, case)[0].kept.outcome == "settled"


def test_body_whose_answer_was_put_off_is_silent_as_much_later(hub: Hub, awa: Person, case: str) -> None:
    which, desk = Which(kind="referral_answer"), at_desk(hub, awa)
    due.put_off(hub.store, desk, case, due.PAUSED, which, reason="body_closed", after=version(hub, awa, case))
    pass_(hub, days=20)
    due.put_off(hub.store, at_desk(hub, awa), case, due.RESUMED, which, after=version(hub, awa, case))
    pass_(hub, days=29)
    assert note_silent(hub) == 0
    pass_(hub, days=4)
    assert note_silent(hub) == 1


def test_who_stands_in_for_the_owner_hears_it_as_well(hub: Hub, awa: Person, binta: Person, case: str) -> None:
    today = hub.clock().date()
    deputies.name(hub.store, at_desk(hub, awa), "Awa", "Binta", today, today + timedelta(days=40))
    pass_(hub, days=31)
    assert note_silent(hub) == 1
    assert heard(hub, awa) == heard(hub, binta) == [referring.SILENT]


def test_answer_by_a_term_of_the_destination_is_awaited_as_long(hub: Hub, awa: Person, phone: Sender) -> None:
    lay_down(hub, awa, replace(COFO, answer_term="P5D"))
    number = worked_on(hub, awa, phone, land("a"))
    send(hub, awa, number)
    pass_(hub, days=4)
    assert note_silent(hub) == 0
    pass_(hub, days=2)
    assert note_silent(hub) == 1


def test_what_was_just_sent_is_recalled_and_devices_never_hear_of_it(hub: Hub, awa: Person, phone: Sender) -> None:
    lay_down(hub, awa)
    number = worked_on(hub, awa, phone, land("a"))
    send(hub, awa, number)
    recall(hub, awa, number)
    assert status(hub, number) == "in_progress"
    undone, recalled = entries(hub, number)[-2:]
    assert (undone.code, undone.undoes) == ("undone", entries(hub, number)[-3].no)
    assert (recalled.code, views(hub, awa, number)[0].kept.state) == ("referral_recalled", "recalled")
    send(hub, awa, number)


def test_what_went_to_a_referred_case_is_recalled_before_devices_hear(hub: Hub, awa: Person, case: str) -> None:
    send(hub, awa, case, LEGAL_AID.code)
    [sent] = [each for each in entries(hub, case) if each.fields.get("destination") == LEGAL_AID.code]
    recall(hub, awa, case, LEGAL_AID.code)
    assert entries(hub, case)[-1].undoes == sent.no
    assert status(hub, case) == "referred"


def test_what_devices_heard_of_is_recalled_by_an_entry_of_its_own(hub: Hub, awa: Person, case: str) -> None:
    recall(hub, awa, case)
    recalled, moved = entries(hub, case)[-2:]
    assert (recalled.code, recalled.undoes) == ("referral_recalled", None)
    assert moved.fields["given"] == {"referral_over": "recalled"}
    with pytest.raises(ReferralRefused):
        answer(hub, awa, case, "settled")


@pytest.mark.parametrize(
    ("op", "said"),
    [
        ("withdrawal", {"scope": "exports"}),
        ("consent_change", {"consent": consent("C2")}),
        ("consent_change", {"consent": consent("C3", "mediator")}),
    ],
)
def test_consent_taken_back_after_sending_shows_and_reaches_the_owner_once(
    hub: Hub, awa: Person, case: str, phone: Sender, op: str, said: dict[str, object]
) -> None:
    assert note_taken_back(hub) == 0
    phone.send(operation(op, "less", {"complaint": an_id("a"), **said}))
    assert [each.taken_back for each in views(hub, awa, case)] == [{case}]
    assert note_taken_back(hub) == 1
    assert note_taken_back(hub) == 0
    assert heard(hub, awa) == [referring.TAKEN_BACK]
    recall(hub, awa, case)
    assert [each.taken_back for each in views(hub, awa, case)] == [frozenset()]


def test_consent_that_ran_out_since_is_not_taken_back(hub: Hub, awa: Person, phone: Sender) -> None:
    lay_down(hub, awa)
    number = worked_on(hub, awa, phone, land("a", consent=consent("C3", expires="2026-11-22")))
    send(hub, awa, number)
    pass_(hub, days=5)
    again = consent("C3", expires="2026-11-22", publish=True)
    phone.send(operation("consent_change", "same", {"complaint": an_id("a"), "consent": again}))
    assert views(hub, awa, number)[0].taken_back == frozenset()
    assert note_taken_back(hub) == 0


def test_those_who_handle_a_case_see_what_is_awaited_of_it(
    hub: Hub, awa: Person, gao: Person, phone: Sender, case: str
) -> None:
    mopti = enrolled(hub, "Mopti 1", team="mopti")
    second = numbered(hub, 2)[0]
    theirs = worked_on(hub, awa, mopti, land("m"))
    assert theirs == second
    send(hub, awa, theirs)
    assert [each.ref for each in referring.awaited(hub.store, at_desk(hub, awa), 10)] == [case, theirs]
    assert [each.ref for each in referring.awaited(hub.store, at_desk(hub, gao), 10)] == [case]
    answer(hub, awa, case, "settled")
    assert [each.ref for each in referring.awaited(hub.store, at_desk(hub, awa), 10)] == [theirs]


@pytest.fixture
def parted(hub: Hub, awa: Person, phone: Sender) -> Parted:
    """Two complaints that went to the mediator by one referral; the second one's went out of the case since."""
    lay_down(hub, awa)
    mopti = enrolled(hub, "Mopti 1", team="mopti")
    phone.send(land("a"))
    mopti.send(land("b"))
    first, second = numbered(hub, 1, 2)
    in_progress(hub, awa, first, second)
    attach(hub, awa, second, first)
    send(hub, awa, first, MEDIATOR.code)
    pass_(hub, hours=1)
    detach(hub, awa, second)
    return Parted(first, second, mopti)


def templates(hub: Hub, sender: Sender) -> list[str]:
    """What a device is told once nothing can be taken back any more."""
    pass_(hub, hours=1)
    tell_due(hub.store, hub.clock())
    return [each["t"] for each in sender.send(limit=16_000).get("changes", []) if each["kind"] == "step"]


def test_answer_reaches_every_complaint_that_was_sent_wherever_it_is_now(
    hub: Hub, awa: Person, phone: Sender, parted: Parted
) -> None:
    answer(hub, awa, parted.first, "agreed", MEDIATOR.code)
    assert templates(hub, parted.mopti)[-2:] == templates(hub, phone)[-2:] == ["body_answered", "worked_on"]


@pytest.mark.parametrize("step", [referring.refuse, referring.recall])
def test_complaint_that_went_out_hears_that_the_body_has_it_no_more(
    hub: Hub, awa: Person, phone: Sender, parted: Parted, step: Callable[..., Noted]
) -> None:
    assert templates(hub, parted.mopti)[-1] == templates(hub, phone)[-1] == "referred"
    step(hub.store, at_desk(hub, awa), parted.first, MEDIATOR.code, after=version(hub, awa, parted.first))
    assert templates(hub, parted.mopti)[-2:] == templates(hub, phone)[-2:] == ["referred", "worked_on"]


def test_refusal_is_no_news_of_a_complaint_whose_new_case_is_further(hub: Hub, awa: Person, parted: Parted) -> None:
    move(hub, awa, parted.second, "resolved", outcome="mediated")
    assert templates(hub, parted.mopti)[-1] == "resolved"
    referring.refuse(
        hub.store, at_desk(hub, awa), parted.first, MEDIATOR.code, after=version(hub, awa, parted.first)
    )
    assert templates(hub, parted.mopti)[-1] == "resolved"


def test_complaint_that_went_out_before_devices_heard_is_at_the_body_all_the_same(
    hub: Hub, awa: Person, phone: Sender
) -> None:
    lay_down(hub, awa)
    number = worked_on(hub, awa, phone, land("a"), land("b"))
    send(hub, awa, number)
    detach(hub, awa, numbered(hub, 2)[0])
    assert templates(hub, phone).count("referred") == 2


def test_silence_reaches_what_went_out_of_the_case_too(hub: Hub, awa: Person, parted: Parted) -> None:
    pass_(hub, days=60)
    assert note_silent(hub) == 1
    assert templates(hub, parted.mopti)[-2:] == ["body_silent", "worked_on"]


def test_answer_that_did_harm_is_told_to_whoever_has_a_complaint_of_it_now(
    hub: Hub, awa: Person, binta: Person, parted: Parted
) -> None:
    with hub.store.write() as connection:
        case = cases.with_ref(connection, parted.second)
        assert case is not None
        cases.set_columns(connection, case, {"owner": binta.actor.id})
    answer(hub, awa, parted.first, "harmful", MEDIATOR.code)
    assert heard(hub, awa) == heard(hub, binta) == [referring.HARMFUL]


def test_of_what_left_the_case_its_readers_learn_how_many(
    hub: Hub, awa: Person, gao: Person, parted: Parted
) -> None:
    [seen], [whole] = (views(hub, who, parted.first) for who in (gao, awa))
    assert (list(seen.sent), seen.others, seen.taken_back) == ([parted.first], 1, frozenset())
    assert (list(whole.sent), whole.others) == ([parted.first, parted.second], 0)
    wish = {"complaint": an_id("b"), "scope": "all", "wished_on": "2026-11-20"}
    parted.mopti.send(operation("withdrawal", "w", wish))
    [seen], [whole] = (views(hub, who, parted.first) for who in (gao, awa))
    assert (seen.taken_back, seen.others_taken_back) == (frozenset(), 1)
    assert (whole.taken_back, whole.others_taken_back) == ({parted.second}, 0)


def test_case_of_a_complaint_that_was_sent_by_another_shows_that_and_sends_it_no_more(
    hub: Hub, awa: Person, parted: Parted
) -> None:
    mopti = add_person(hub, "Fanta", teams=["mopti"])
    [theirs], [whole] = (views(hub, who, parted.second) for who in (mopti, awa))
    assert (theirs.ref, list(theirs.sent), theirs.others) == (parted.second, [parted.second], 1)
    assert theirs.is_elsewhere
    assert (whole.ref, whole.is_elsewhere) == (parted.first, True)
    offers = sending.offers(hub.store, at_desk(hub, mopti), parted.second)
    offer = next(each for each in offers if each.destination == MEDIATOR)
    assert (offer.against, offer.since) == ({parted.second: ("there",)}, {parted.second: whole.kept.sent_at})
    with pytest.raises(ReferralRefused) as refused:
        send(hub, mopti, parted.second, MEDIATOR.code)
    assert (refused.value.values["fault"], refused.value.values["since"]) == ("there", whole.kept.sent_at)


def test_referral_of_an_erased_case_goes_on_where_a_complaint_of_it_is(
    hub: Hub, awa: Person, parted: Parted
) -> None:
    with hub.store.write() as connection:
        subject = erasures.subject_of(connection, 1)
        assert subject is not None
        erasures.wipe(connection, subject, hub.clock(), hub.clock())
    [view] = views(hub, awa, parted.second)
    assert (list(view.sent), view.others, view.is_elsewhere) == ([parted.second], 0, False)
    answer(hub, awa, parted.second, "agreed", MEDIATOR.code)
    assert templates(hub, parted.mopti)[-1] == "body_answered"
