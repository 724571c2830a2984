"""Sending: each complaint goes by its own consent, what is against it holds in the transaction that sends."""

from dataclasses import replace
from datetime import date

import pytest
import sqlalchemy as sa

from server.domain.errors import NotFound, ReferralRefused, StaleRevision, TransitionRefused
from server.domain.places import Gazetteer, Place
from server.domain.referral import Destination
from server.hub import Hub
from server.services import places
from server.services.cases import destinations, sending
from server.services.cases.sending import Sheet
from server.store import erasures
from server.store.referral_tables import referral, referral_complaint
from tests.builders import Clock, Person, Sender, an_id, enrolled, operation
from tests.case_referrals import (
    COFO,
    COMMUNE,
    DIGEST,
    FROM,
    LEGAL_AID,
    ONE_STOP,
    answer,
    consent,
    entries,
    in_progress,
    land,
    lay_down,
    numbered,
    send,
    sheets,
    told,
    views,
    worked_on,
)
from tests.case_work import at_desk, attach, detach, move, undo, version

ACCUSED = {"no": 2, "roles": ["alleged_perpetrator"], "category": "traditional_authority"}
LIST = Gazetteer("2026.1", (Place("ml-r-gao", "Gao", "region", None), Place("ml-c-gao", "Gao", "cercle", "ml-r-gao")))


@pytest.fixture
def case(hub: Hub, awa: Person, phone: Sender) -> str:
    """A case about land, worked on, which may go to the land commission."""
    lay_down(hub, awa)
    return worked_on(hub, awa, phone, land("a"))


def fault(refused: pytest.ExceptionInfo[ReferralRefused]) -> object:
    return refused.value.values["fault"]


def put(hub: Hub, who: Person, number: str, *sent: Sheet, code: str = COFO.code) -> None:
    """Send these sheets, whatever may go."""
    seen = version(hub, who, number)
    sending.send(hub.store, at_desk(hub, who), number, code, sent, DIGEST, after=seen)


def test_sending_refers_the_case_and_says_what_went_to_whom(hub: Hub, awa: Person, case: str) -> None:
    id = send(hub, awa, case)
    [view] = views(hub, awa, case)
    assert (view.kept.id, view.kept.state, view.destination) == (id, "sent", COFO)
    [(number, part)] = view.sent.items()
    assert (number, part.consent_level, part.digest) == (case, "C3", DIGEST)
    assert part.parts == ("facts", "statement", "identity")
    *_, sent, moved = entries(hub, case)
    assert (sent.code, sent.fields["referral"], sent.fields["sent"]) == ("referral_sent", id, [part.complaint])
    assert (moved.fields["to"], moved.fields["sent"]) == ("referred", [part.complaint])
    assert told(hub, case)[-1] == {"template": "referred", "fields": {"body": "cofo"}}


def test_a_case_lends_no_complaint_the_consent_of_another(hub: Hub, awa: Person, phone: Sender) -> None:
    lay_down(hub, awa)
    lines = land("a"), land("b", consent=consent("C2")), land("c", consent=consent("C3", "mediator"))
    first = worked_on(hub, awa, phone, *lines)
    second, third = numbered(hub, 2, 2)
    offer = next(each for each in sending.offers(hub.store, at_desk(hub, awa), first) if each.destination == COFO)
    assert offer.against == {first: (), second: ("consent_level",), third: ("consent_body",)}
    [sheet] = sheets(hub, awa, first)
    for lent in (2, 3):
        with pytest.raises(ReferralRefused) as refused:
            put(hub, awa, first, sheet, replace(sheet, complaint=lent))
        assert fault(refused) in ("consent_level", "consent_body")
    with pytest.raises(ReferralRefused):
        sheets(hub, awa, first, COFO.code, second)
    assert views(hub, awa, first) == []
    send(hub, awa, first)
    assert [list(each.sent) for each in views(hub, awa, first)] == [[first]]


def test_no_more_of_a_complaint_goes_than_its_consent_lets(hub: Hub, awa: Person, case: str) -> None:
    [sheet] = sheets(hub, awa, case)
    with pytest.raises(ReferralRefused) as refused:
        put(hub, awa, case, replace(sheet, parts=("facts", "contacts")))
    assert fault(refused) == "changed"


@pytest.mark.parametrize("times", [0, 2])
def test_each_complaint_has_one_sheet(hub: Hub, awa: Person, case: str, times: int) -> None:
    with pytest.raises(ReferralRefused) as refused:
        put(hub, awa, case, *sheets(hub, awa, case) * times)
    assert fault(refused) == "changed"


def test_consent_that_was_narrowed_since_the_letter_was_written_holds(
    hub: Hub, awa: Person, case: str, phone: Sender
) -> None:
    [sheet] = sheets(hub, awa, case)
    seen = version(hub, awa, case)
    about = {"complaint": an_id("a")}
    phone.send(operation("consent_change", "less", {**about, "consent": consent("C2")}))
    with pytest.raises(ReferralRefused) as refused:
        sending.send(hub.store, at_desk(hub, awa), case, COFO.code, [sheet], DIGEST, after=seen)
    assert fault(refused) == "consent_level"


def test_a_withdrawal_that_is_set_aside_holds_too(hub: Hub, awa: Person, case: str, phone: Sender) -> None:
    phone.send(operation("withdrawal", "back", {"complaint": an_id("a"), "scope": "nothing-known"}))
    with pytest.raises(ReferralRefused) as refused:
        send(hub, awa, case)
    assert fault(refused) == "consent_level"


def test_nothing_goes_to_a_body_that_was_suspended_since(hub: Hub, awa: Person, case: str) -> None:
    [sheet] = sheets(hub, awa, case)
    assert destinations.suspend(hub.store, at_desk(hub, awa), COFO.code).suspended_at == hub.clock()
    with pytest.raises(ReferralRefused) as refused:
        put(hub, awa, case, sheet)
    assert fault(refused) == "suspended"
    destinations.lift(hub.store, at_desk(hub, awa), COFO.code)
    put(hub, awa, case, sheet)


def test_nothing_goes_on_a_day_on_which_the_body_is_not_there(hub: Hub, awa: Person, phone: Sender) -> None:
    first, last = date(2026, 11, 21), date(2026, 11, 22)
    lay_down(hub, awa, replace(COFO, valid_from=first, valid_to=last))
    number = worked_on(hub, awa, phone, land("a"))
    [sheet] = sheets(hub, awa, number)
    assert isinstance(hub.clock, Clock)
    hub.clock.pass_(days=2)
    with pytest.raises(ReferralRefused) as refused:
        put(hub, awa, number, sheet)
    assert fault(refused) == "not_valid"
    hub.clock.pass_(days=-1)
    put(hub, awa, number, sheet)


def test_whom_one_complaint_accuses_gets_none_of_its_case(hub: Hub, awa: Person, phone: Sender) -> None:
    lay_down(hub, awa)
    number = worked_on(hub, awa, phone, land("a"), land("b", persons=[ACCUSED]))
    [offer] = [each for each in sending.offers(hub.store, at_desk(hub, awa), number) if each.destination == COFO]
    assert set(offer.against.values()) == {("own_people",)}
    assert not offer.is_open
    with pytest.raises(ReferralRefused) as refused:
        put(hub, awa, number, Sheet(1, ("facts",), 1))
    assert fault(refused) == "own_people"


def test_a_service_not_rendered_goes_to_no_commune_whose_own_elected_are_accused(
    hub: Hub, awa: Person, phone: Sender
) -> None:
    lay_down(hub, awa)
    unserved = {"kinds": ["SRV-NON"], "sector": "water_energy", "consent": {"level": "C2", "given_by": "self"}}
    accused = [ACCUSED | {"category": "elected_official"}]
    fair = worked_on(hub, awa, phone, land("a", **unserved))
    accusing = worked_on(hub, awa, phone, land("b", **unserved, persons=accused))
    send(hub, awa, fair, COMMUNE.code)
    with pytest.raises(ReferralRefused) as refused:
        send(hub, awa, accusing, COMMUNE.code)
    assert fault(refused) == "own_people"


def test_a_racket_goes_to_the_corridor_committee_by_the_officials_whom_it_accuses(
    hub: Hub, awa: Person, phone: Sender
) -> None:
    places.import_list(hub.store, LIST, "test", hub.clock())
    committee = Destination("corridor", "corridor_committee", "corridor", None, FROM)
    lay_down(hub, awa, committee)
    facts = {"kinds": ["COR-RACKET"], "sector": "transport", "place": {"id": "ml-c-gao", "list": "2026.1"}}
    facts |= {"money": {"asked_xof": 3000}, "consent": {"level": "C2", "given_by": "self"}}
    by_police = worked_on(hub, awa, phone, land("a", **facts, persons=[ACCUSED | {"category": "police"}]))
    by_a_firm = worked_on(hub, awa, phone, land("b", **facts, persons=[ACCUSED | {"category": "private_company"}]))
    found = [
        sending.offers(hub.store, at_desk(hub, awa), number)[0].against[number] for number in (by_police, by_a_firm)
    ]
    assert found == [(), ("facts_missing",)]


def test_violence_based_on_gender_goes_to_the_centre_that_she_chose_alone(
    hub: Hub, awa: Person, phone: Sender
) -> None:
    lay_down(hub, awa)
    hers = {"kinds": ["GBV-1"], "confidentiality": "strict", "consent": consent("C3", "one_stop", "mediator")}
    number = worked_on(hub, awa, phone, land("a", **hers))
    offers = {each.destination.code: each for each in sending.offers(hub.store, at_desk(hub, awa), number)}
    assert offers[ONE_STOP.code].against == {number: ()}
    assert offers[LEGAL_AID.code].against == {number: ("consent_body",)}
    assert "gbv" in offers["mediator"].against[number]
    send(hub, awa, number, ONE_STOP.code)
    assert told(hub, number)[-1] == {"template": "referred_unnamed", "fields": {}}


def test_offers_show_first_where_something_may_go(hub: Hub, awa: Person, case: str) -> None:
    found = sending.offers(hub.store, at_desk(hub, awa), case)
    assert [each.is_open for each in found] == sorted((each.is_open for each in found), reverse=True)
    assert {each.destination.code for each in found if each.is_open} == {"cofo", "mediator"}


def test_the_same_complaint_goes_nowhere_twice(hub: Hub, awa: Person, phone: Sender, case: str) -> None:
    send(hub, awa, case)
    with pytest.raises(ReferralRefused) as refused:
        send(hub, awa, case)
    assert fault(refused) == "there"


def test_what_comes_to_a_referred_case_is_sent_by_a_referral_of_its_own(
    hub: Hub, awa: Person, phone: Sender
) -> None:
    lay_down(hub, awa)
    number = worked_on(hub, awa, phone, land("a"), land("b"))
    second = numbered(hub, 2)[0]
    send(hub, awa, number, COFO.code, number)
    assert isinstance(hub.clock, Clock)
    hub.clock.pass_(hours=1)
    send(hub, awa, number, COFO.code, second)
    assert [list(each.sent) for each in views(hub, awa, number)] == [[number], [second]]
    assert [each["template"] for each in told(hub, number)][-2:] == ["referred", "referred"]
    assert [each.code for each in entries(hub, number)][-3:] == ["referral_sent", "moved", "referral_sent"]


def test_a_case_that_is_not_worked_on_is_referred_nowhere(hub: Hub, awa: Person, phone: Sender) -> None:
    lay_down(hub, awa)
    phone.send(land("a"))
    [number] = numbered(hub, 1)
    with pytest.raises(TransitionRefused):
        send(hub, awa, number)
    with hub.store.read() as connection:
        assert connection.execute(sa.select(referral.c.id)).all() == []


def test_who_does_not_handle_the_case_sends_nothing_of_it(
    hub: Hub, awa: Person, gao: Person, phone: Sender, case: str
) -> None:
    mopti = enrolled(hub, "Mopti 1", team="mopti")
    mopti.send(land("m"))
    [theirs] = numbered(hub, 2)
    attach(hub, awa, theirs, case)
    for act in (lambda: sheets(hub, gao, case), lambda: sending.offers(hub.store, at_desk(hub, gao), case)):
        with pytest.raises(NotFound):
            act()
    with pytest.raises(NotFound):
        sending.send(hub.store, at_desk(hub, gao), case, COFO.code, sheets(hub, awa, case), DIGEST, after=0)


def test_sending_on_what_somebody_changed_since_is_refused(hub: Hub, awa: Person, binta: Person, case: str) -> None:
    seen, sent = version(hub, awa, case), sheets(hub, awa, case)
    sending.prepare(hub.store, at_desk(hub, binta), case, COFO.code, after=seen)
    with pytest.raises(StaleRevision):
        sending.send(hub.store, at_desk(hub, awa), case, COFO.code, sent, DIGEST, after=seen)


def test_what_was_prepared_is_what_is_sent(hub: Hub, awa: Person, case: str) -> None:
    made = sending.prepare(hub.store, at_desk(hub, awa), case, COFO.code, after=version(hub, awa, case)).kept
    with pytest.raises(ReferralRefused) as refused:
        sending.prepare(hub.store, at_desk(hub, awa), case, COFO.code, after=version(hub, awa, case))
    assert fault(refused) == "prepared"
    assert send(hub, awa, case) == made.id


def test_what_was_prepared_is_taken_back_and_what_was_sent_is_not(hub: Hub, awa: Person, case: str) -> None:
    sending.prepare(hub.store, at_desk(hub, awa), case, COFO.code, after=version(hub, awa, case))
    assert undo(hub, awa, case) == "referral_prepared"
    assert [each.kept.state for each in views(hub, awa, case)] == ["cancelled"]
    send(hub, awa, case)
    with pytest.raises(TransitionRefused) as refused:
        undo(hub, awa, case)
    assert refused.value.values["fault"] == "left"


def test_by_hand_a_case_is_referred_for_those_complaints_alone_that_were_sent(
    hub: Hub, awa: Person, phone: Sender
) -> None:
    lay_down(hub, awa)
    number = worked_on(hub, awa, phone, land("a", consent=consent("C3", "legal_aid")), land("b"))
    send(hub, awa, number, LEGAL_AID.code, number)
    answer(hub, awa, number, "brought_to_trial", LEGAL_AID.code)
    move(hub, awa, number, "in_progress", referral_over="answered")
    move(hub, awa, number, "referred")
    assert entries(hub, number)[-1].fields["sent"] == [1]


def test_a_copy_says_nothing_of_what_went_out_of_the_case_since(hub: Hub, awa: Person, gao: Person) -> None:
    lay_down(hub, awa)
    enrolled(hub, "Gao 1", team="gao").send(land("a"))
    enrolled(hub, "Mopti 1", team="mopti").send(land("b"))
    first, second = numbered(hub, 1, 2)
    in_progress(hub, awa, first)
    attach(hub, awa, second, first)
    send(hub, awa, first)
    copied = sending.copy(hub.store, at_desk(hub, awa), first, COFO.code)
    assert [each.number for each in copied.going] == [first, second]
    detach(hub, awa, second)
    copied = sending.copy(hub.store, at_desk(hub, gao), first, COFO.code)
    assert [each.number for each in copied.going] == [first]


def test_an_erased_complaint_leaves_nothing_of_what_was_sent(hub: Hub, awa: Person, case: str) -> None:

    send(hub, awa, case)
    with hub.store.write() as connection:
        subject = erasures.subject_of(connection, 1)
        assert subject is not None
        erasures.wipe(connection, subject, hub.clock(), hub.clock())
        for table in (referral, referral_complaint):
            assert connection.execute(sa.select(table)).all() == []
