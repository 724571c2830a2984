"""S10: what may go where and why not elsewhere, what exactly leaves, and what comes back; checked on the hub's rows."""

import re
from typing import Any

import pytest
import sqlalchemy as sa

from server.domain.people import NO_KEYS
from server.domain.referral import Destination
from server.hub import Hub
from server.services.vault import handing_on
from server.store import accounts
from server.store.referral_tables import referral, referral_complaint
from server.store.schema import opening
from tests.browsing import Browser
from tests.builders import ROOT, Clock, Person, Sender, clear_content, enrolled, operation, publish_keyring
from tests.case_referrals import FROM, KNOWN, consent, land, lay_down, recall, send, worked_on
from tests.case_work import at_desk, version

PNEF = Destination("pnef", "pnef", "anticorruption", None, FROM)
NAME, STORY = "Awa Canari", "On a pris mon champ près du figuier."
IDENTITY = {"persons": [{"no": 1, "name": NAME, "phone": "+223 00 00 98 76"}]}
LAND = {"kinds": ["HR-LAN"], "sector": "land"}
WHY = "pour la commission foncière"


@pytest.fixture
def hub(sealing_hub: Hub) -> Hub:
    return sealing_hub


@pytest.fixture
def who(hub: Hub, awa: Browser) -> Person:
    """`awa`, as services know her."""
    assert awa
    with hub.store.read() as connection:
        account = accounts.by_login(connection, "awa")
    assert account is not None
    person = Person(account.actor, NO_KEYS)
    lay_down(hub, person, *KNOWN, PNEF)
    return person


@pytest.fixture
def phone(hub: Hub, who: Person) -> Sender:
    publish_keyring(hub, bytes(ROOT))
    return enrolled(hub, "Gao 1", team="gao")


def sealed(phone: Sender, name: object = "a", **facts: Any) -> bytes:
    content = clear_content(**LAND | {"consent": consent("C3"), "contact_ok": "yes"} | facts)
    parts = {"identity": {"clear": IDENTITY}, "statement": {"clear": {"narrative": STORY, "lang": "fra"}}}
    return operation("complaint", name, phone.seal(name, content | parts))


def kept(hub: Hub, *names: str) -> list[tuple[Any, ...]]:
    with hub.store.read() as connection:
        select = sa.select(*(referral.c[name] for name in names)).order_by(referral.c.prepared_at, referral.c.id)
        return [tuple(row) for row in connection.execute(select)]


def form_of(hub: Hub, who: Person, number: str, **said: str) -> dict[str, str]:
    return {"to": "cofo", "after": str(version(hub, who, number)), "what": "facts"} | said


def test_c1_complaint_is_blocked_with_its_reason_and_no_form_is_taken(
    hub: Hub, awa: Browser, who: Person, phone: Sender
) -> None:
    number = worked_on(hub, who, phone, land("a", kinds=["COR-RACKET"], consent={"level": "C1", "given_by": "self"}))
    page = awa.get(f"/console/cases/{number}/referrals/new").text
    button = re.search(r'<button[^>]*disabled[^>]*aria-describedby="why-pnef"', page)
    reason = re.search(r'id="why-pnef">(.*?)</p>', page, re.S)
    assert button is not None
    assert reason is not None
    assert "L&#39;accord de la personne ne va pas jusque-là." in reason[1]
    assert "?to=pnef" not in page
    for doing in ("prepare", "send", "read"):
        said = form_of(hub, who, number, to="pnef", do=doing, confirmed="1")
        refused = awa.post(f"/console/cases/{number}/referrals/new", **said)
        assert refused.status_code == 422
        assert "L&#39;accord de la personne ne va pas jusque-là." in refused.text
    assert awa.get(f"/console/cases/{number}/referrals/new?to=pnef").status_code == 422
    assert kept(hub, "id") == []


def test_preview_shows_what_leaves_of_each_complaint_and_what_does_not(
    hub: Hub, awa: Browser, who: Person, phone: Sender
) -> None:
    number = worked_on(hub, who, phone, land("a"), land("b", consent=consent("C1")))
    page = awa.get(f"/console/cases/{number}/referrals/new?to=cofo").text
    assert "PROJET, NON ENVOYÉ" in page
    assert f"Plainte {number}" in page
    assert page.count("ne part pas") == 1
    assert kept(hub, "id") == []


def test_sent_with_confirmation_the_letter_is_given_once_and_noted(
    hub: Hub, awa: Browser, who: Person, phone: Sender
) -> None:
    number = worked_on(hub, who, phone, land("a"))
    path = f"/console/cases/{number}/referrals/new"
    awa.get(f"{path}?to=cofo")
    unconfirmed = awa.post(path, **form_of(hub, who, number, do="send"))
    assert (unconfirmed.status_code, kept(hub, "id")) == (422, [])
    sent = awa.post(path, **form_of(hub, who, number, do="send", confirmed="1"))
    assert sent.status_code == 200
    assert "RÉFÉRENCEMENT" in sent.text
    assert sent.headers["Cache-Control"] == "no-store"
    assert kept(hub, "destination", "state") == [("cofo", "sent")]
    again = awa.post(path, **form_of(hub, who, number, do="send", confirmed="1"))
    assert (again.status_code, len(kept(hub, "id"))) == (422, 1)


def test_what_was_prepared_is_offered_to_be_taken_back_until_it_left(
    hub: Hub, awa: Browser, who: Person, phone: Sender
) -> None:
    number = worked_on(hub, who, phone, land("a"))
    case = f"/console/cases/{number}"
    offered = re.compile(r'action="[^"]+/undo">.*?name="no" value="(\d+)"', re.S)
    awa.get(f"{case}/referrals/new?to=cofo")
    awa.post(f"{case}/referrals/new", **form_of(hub, who, number, do="prepare"))
    assert kept(hub, "state") == [("prepared",)]
    [prepared] = offered.findall(awa.get(case).text)
    awa.post(f"{case}/referrals/new", **form_of(hub, who, number, do="send", confirmed="1"))
    assert kept(hub, "state") == [("sent",)]
    assert offered.findall(awa.get(case).text) == []
    assert awa.post(f"{case}/undo", no=prepared).status_code == 422


def test_names_stand_in_the_letter_alone_and_only_for_a_reason(
    hub: Hub, awa: Browser, who: Person, phone: Sender
) -> None:
    number = worked_on(hub, who, phone, sealed(phone))
    path = f"/console/cases/{number}/referrals/new"
    said = form_of(hub, who, number, what="all", reason=WHY, confirmed="1")
    awa.get(f"{path}?to=cofo")
    short = awa.post(path, **said | {"do": "send", "reason": "trop peu"})
    unassigned = awa.post(path, **said | {"do": "read"})
    assert (short.status_code, unassigned.status_code) == (422, 422)
    assert "ne s&#39;ouvre que pour qui en est chargé" in unassigned.text
    handing_on.assign(hub.store, at_desk(hub, who), 1, who.actor.id)
    facts = awa.get(f"{path}?to=cofo").text
    draft = awa.post(path, **said | {"do": "read"})
    letter = awa.post(path, **said | {"do": "send"})
    assert (draft.status_code, letter.status_code) == (200, 200)
    assert [NAME in each.text and STORY in each.text for each in (draft, letter)] == [True, True]
    [[id]] = kept(hub, "id")
    pages = [awa.get(each).text for each in ("/console/referrals", f"/console/cases/{number}/referrals/{id}")]
    assert [text for text in (facts, *pages, awa.cookie) if NAME in text or STORY in text] == []
    with hub.store.read() as connection:
        reasons = set(connection.scalars(sa.select(opening.c.reason)))
        parts = connection.scalars(sa.select(referral_complaint.c.parts)).one()
    assert reasons == {WHY}
    assert parts == ["facts", "statement", "identity"]


def test_complaints_without_a_tick_do_not_leave(hub: Hub, awa: Browser, who: Person, phone: Sender) -> None:
    number = worked_on(hub, who, phone, land("a"), land("b"))
    path = f"/console/cases/{number}/referrals/new"
    awa.get(f"{path}?to=cofo")
    said = form_of(hub, who, number, do="send", confirmed="1", choice="1")
    assert awa.post(path, **said).status_code == 422
    assert kept(hub, "id") == []
    assert awa.post(path, **said, only=number).status_code == 200
    with hub.store.read() as connection:
        assert list(connection.scalars(sa.select(referral_complaint.c.complaint))) == [1]


def test_prepared_referral_is_kept_given_up_and_offered_to_be_undone(
    hub: Hub, awa: Browser, who: Person, phone: Sender
) -> None:
    number = worked_on(hub, who, phone, land("a"))
    path = f"/console/cases/{number}/referrals"
    awa.get(f"{path}/new?to=cofo")
    made = awa.post(f"{path}/new", **form_of(hub, who, number, do="prepare"))
    [[id]] = kept(hub, "id")
    assert (made.status_code, made.location) == (303, f"{path}/{id}")
    page = awa.get(made.location).text
    assert f'action="/console/cases/{number}/undo"' in page
    awa.post(f"{path}/{id}", step="cancelled", after=str(version(hub, who, number)))
    assert kept(hub, "state") == [("cancelled",)]


@pytest.mark.parametrize(
    ("said", "stands"),
    [
        ({"step": "received", "reference": "CF-12"}, ("received", None, "CF-12", 0)),
        ({"step": "reminded"}, ("sent", None, None, 1)),
        ({"step": "refused"}, ("refused", None, None, 0)),
        ({"step": "recalled"}, ("recalled", None, None, 0)),
        ({"step": "answered", "outcome": "hearing_set"}, ("answered", "hearing_set", None, 0)),
    ],
)
def test_each_step_is_noted(
    hub: Hub, awa: Browser, who: Person, phone: Sender, said: dict[str, str], stands: tuple[Any, ...]
) -> None:
    number = worked_on(hub, who, phone, land("a"))
    path = f"/console/cases/{number}/referrals/{send(hub, who, number)}"
    page = awa.get(path)
    assert all(f'value="{step}"' in page.text for step in ("received", "answered", "refused", "reminded", "recalled"))
    assert awa.post(path, **said, after=str(version(hub, who, number))).status_code == 303
    assert kept(hub, "state", "outcome", "external_ref", "reminders") == [stands]
    assert awa.get(path).status_code == 200


def test_what_can_not_be_noted_is_refused_in_place(hub: Hub, awa: Browser, who: Person, phone: Sender) -> None:
    number = worked_on(hub, who, phone, land("a"))
    path = f"/console/cases/{number}/referrals/{send(hub, who, number)}"
    awa.get(path)
    after = str(version(hub, who, number))
    unknown = awa.post(path, step="answered", outcome="nonsense", after=after)
    assert (unknown.status_code, kept(hub, "state")) == (422, [("sent",)])
    assert "pas de celles que ce programme donne" in unknown.text
    assert awa.post(path, step="nonsense", after=after).status_code == 422
    assert awa.post(path, step="received", after="1").status_code == 409


def test_list_of_awaited_answers_has_keys_and_says_the_same_as_its_file(
    hub: Hub, awa: Browser, who: Person, phone: Sender
) -> None:
    numbers = [worked_on(hub, who, phone, land(name)) for name in "ab"]
    first = send(hub, who, numbers[0])
    assert isinstance(hub.clock, Clock)
    hub.clock.pass_(minutes=1)
    second = send(hub, who, numbers[1])
    page = awa.get("/console/referrals").text
    assert [page.count(f'data-key="{key}"') for key in "jkya"] == [1, 0, 1, 1]
    page = awa.get(f"/console/referrals?sel={second}").text
    assert [page.count(f'data-key="{key}"') for key in "jkya"] == [0, 1, 1, 1]
    file = awa.get("/console/referrals?format=csv").text
    assert [number in file for number in numbers] == [True, True]
    assert "2 lignes" in page
    own = awa.get(f"/console/cases/{numbers[0]}/referrals?format=csv").text
    assert [number in own for number in numbers] == [True, False]
    path = f"/console/cases/{numbers[0]}/referrals/{first}"
    said = {"step": "reminded", "after": str(version(hub, who, numbers[0])), "back": "list"}
    assert awa.post(path, **said).location == "/console/referrals"
    assert "1 relance" in awa.get("/console/referrals").text


def test_letters_that_remind_and_recall_name_numbers_alone(hub: Hub, awa: Browser, who: Person, phone: Sender) -> None:
    number = worked_on(hub, who, phone, land("a"))
    path = f"/console/cases/{number}/referrals/{send(hub, who, number)}/letter"
    reminder = awa.get(path).text
    assert "RELANCE" in reminder
    assert number in reminder
    recall(hub, who, number)
    assert "DEMANDE DE RETOUR" in awa.get(path).text


def test_case_lists_its_own_referrals_also_those_that_are_over(
    hub: Hub, awa: Browser, who: Person, phone: Sender
) -> None:
    number = worked_on(hub, who, phone, land("a"))
    assert "Ce dossier n&#39;a été référé nulle part." in awa.get(f"/console/cases/{number}/referrals").text
    id = send(hub, who, number)
    recall(hub, who, number)
    page = awa.get(f"/console/cases/{number}/referrals").text
    assert f'href="/console/cases/{number}/referrals/{id}"' in page
    assert "Repris" in page


def test_copy_is_written_as_far_as_consent_lets_it(hub: Hub, awa: Browser, who: Person, phone: Sender) -> None:
    number = worked_on(hub, who, phone, land("a"))
    path = f"/console/cases/{number}/referrals/{send(hub, who, number)}"
    awa.get(path)
    assert "COPIE D&#39;UN RÉFÉRENCEMENT ENVOYÉ" in awa.post(f"{path}/letter", what="facts").text


def test_referrals_of_cases_that_are_not_for_the_reader_are_not_found(
    hub: Hub, awa: Browser, binta: Browser, who: Person, phone: Sender
) -> None:
    strict = sealed(phone, "s", confidentiality="strict")
    number = worked_on(hub, who, phone, strict)
    id = send(hub, who, number)
    for path in (f"/console/cases/{number}/referrals/{id}", f"/console/cases/{number}/referrals/new"):
        assert (awa.get(path).status_code, binta.get(path).status_code) == (200, 404)
    assert "Aucun référencement ouvert." in binta.get("/console/referrals").text
