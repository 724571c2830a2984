"""Letters: nothing is in them that the complaint's own consent does not give that very body."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from server.domain.errors import NotFound
from server.hub import Hub
from server.services.cases import letters, referring, sending
from server.services.cases.letters import Letter, Words
from server.services.vault import handing_on, opening
from server.store.schema import metadata
from tests.builders import ROOT, Person, Sender, clear_content, enrolled, operation, publish_keyring
from tests.case_referrals import COFO, DIGEST, consent, land, lay_down, numbered, recall, worked_on
from tests.case_work import at_desk, detach, version

# What no letter has, whatever the consent: the witness, places, the team, the receipt, words for ourselves.
NEVER = ("Boubou", "près du puits", "16.27", "7K4M", "gao-equipe", "Gao 1", "entre nous", "collector")
PEOPLE = [
    {"no": 1, "roles": ["complainant", "victim"], "sex": "f", "age": "25-59"},
    {"no": 2, "roles": ["witness"], "sex": "m"},
    {"no": 3, "roles": ["alleged_perpetrator"], "category": "community_member", "count": 3},
]
IDENTITY = {
    "persons": [
        {"no": 1, "name": "Awa Exemple", "phone": "+223 00 00 12 34", "note": "entre nous"},
        {"no": 2, "name": "Boubou Exemple", "phone": "+223 00 00 99 99"},
    ],
    "contact": {"how": "par la cousine", "when": "le soir"},
}
STORY = "On a pris mon champ.\x1b[2J"


@pytest.fixture
def phone(hub: Hub) -> Sender:
    return enrolled(hub, "Gao 1", team="gao-equipe")


def case_of(hub: Hub, awa: Person, phone: Sender, level: str, **changes: Any) -> str:
    """A case whose complaint is sealed, and which `awa` has by assignment."""
    lay_down(hub, awa)
    # So that devices seal to `awa`, too.
    publish_keyring(hub, bytes(ROOT))
    about = {"kinds": ["HR-LAN"], "sector": "land", "persons": PEOPLE, "consent": consent(level), "contact_ok": "yes"}
    content = clear_content(**about | changes) | {"identity": {"clear": IDENTITY}}
    content["statement"] = {"clear": {"narrative": STORY, "lang": "fra", "withhold_note": "entre nous"}}
    number = worked_on(hub, awa, phone, operation("complaint", "a", phone.seal("a", content)))
    handing_on.assign(hub.store, at_desk(hub, awa), 1, awa.actor.id)
    return number


def opened(hub: Hub, who: Person, parts: list[Any]) -> Mapping[int, Words]:
    desk = at_desk(hub, who)
    found = {each: opening.open_compartment(hub.store, desk, 1, each, "référencement") for each in parts}
    clear = {name: each.clear for name, each in found.items()}
    is_reachable = "identity" in found and not found["identity"].is_withheld
    return {1: Words(clear.get("statement"), clear.get("identity"), is_reachable)}


def letter(hub: Hub, who: Person, number: str, *, is_opened: bool = True) -> Letter:
    planned = sending.plan(hub.store, at_desk(hub, who), number, COFO.code)
    words = opened(hub, who, letters.needed(planned.going[0])) if is_opened else {}
    return letters.compose(planned, words, at_desk(hub, who), "fr")


def test_with_names_and_contact_everything_that_was_allowed_is_there(hub: Hub, awa: Person, phone: Sender) -> None:
    made = letter(hub, awa, case_of(hub, awa, phone, "C4"))
    text = made.text.decode()
    for there in (
        "Awa Exemple",
        "+223 00 00 12 34",
        "par la cousine",
        "On a pris mon champ.",
        "présumé",
        "de 03/10/2026 à",
    ):
        assert there in text
    assert made.sheets[0].parts == ("facts", "statement", "identity", "contacts")
    assert [each for each in (*NEVER, "00 00 99 99", "\x1b") if each in text] == []
    assert made.digest == hashlib.sha256(made.text).hexdigest()


def test_names_without_contact_leave_out_how_to_reach_the_person(hub: Hub, awa: Person, phone: Sender) -> None:
    made = letter(hub, awa, case_of(hub, awa, phone, "C3"))
    text = made.text.decode()
    assert "Awa Exemple" in text
    assert [each for each in (*NEVER, "+223", "cousine") if each in text] == []
    assert made.sheets[0].parts == ("facts", "statement", "identity")


def test_who_may_not_be_reached_is_not_handed_on_with_contacts(hub: Hub, awa: Person, phone: Sender) -> None:
    made = letter(hub, awa, case_of(hub, awa, phone, "C4", contact_ok="never"))
    assert "Awa Exemple" in made.text.decode()
    assert [each for each in ("+223", "cousine") if each in made.text.decode()] == []
    assert "contacts" not in made.sheets[0].parts


def test_what_is_withheld_is_not_quoted(hub: Hub, awa: Person, phone: Sender) -> None:
    made = letter(hub, awa, case_of(hub, awa, phone, "C3", consent=consent("C3", withhold="fear")))
    assert "mon champ" not in made.text.decode()
    assert made.sheets[0].parts == ("facts", "identity")


def test_nothing_is_opened_without_a_word_and_facts_alone_go(hub: Hub, awa: Person, phone: Sender) -> None:
    made = letter(hub, awa, case_of(hub, awa, phone, "C4"), is_opened=False)
    text = made.text.decode()
    assert made.sheets[0].parts == ("facts",)
    assert [each for each in (*NEVER, "Awa", "mon champ", "+223", "cousine", "03/10/2026") if each in text] == []
    assert "Quand : 10/2026\n" in text


def test_letter_says_whose_it_is(hub: Hub, awa: Person, phone: Sender) -> None:
    planned = sending.plan(hub.store, at_desk(hub, awa), case_of(hub, awa, phone, "C3"), COFO.code)
    for coalition, first in (("Coalition Exemple", "De : Coalition Exemple"), ("", "À : ")):
        desk = replace(at_desk(hub, awa), coalition=coalition)
        title, second, *_ = letters.compose(planned, {}, desk, "fr").text.decode().splitlines()
        assert title == "RÉFÉRENCEMENT"
        assert second.startswith(first)


def test_two_letters_of_the_same_words_have_two_digests(hub: Hub, awa: Person, phone: Sender) -> None:
    number = case_of(hub, awa, phone, "C3")
    assert letter(hub, awa, number).digest != letter(hub, awa, number).digest


def test_opening_for_a_letter_is_logged_with_its_reason(hub: Hub, awa: Person, phone: Sender) -> None:
    letter(hub, awa, case_of(hub, awa, phone, "C3"))
    looks = opening.openings(hub.store, at_desk(hub, awa), 1)
    assert {(each.compartment, each.reason) for each in looks} == {
        ("statement", "référencement"),
        ("identity", "référencement"),
    }


def test_nothing_of_a_letter_is_kept_but_its_digest(hub: Hub, awa: Person, phone: Sender) -> None:
    number = case_of(hub, awa, phone, "C4")
    made = letter(hub, awa, number)
    seen = version(hub, awa, number)
    sending.send(hub.store, at_desk(hub, awa), number, COFO.code, made.sheets, made.digest, after=seen)
    with hub.store.read() as connection:
        kept = [str(row) for table in metadata.sorted_tables for row in connection.execute(sa.select(table))]
    assert any(made.digest in row for row in kept)
    [code] = re.findall(r"Code de ce document : (\w+)", made.text.decode())
    assert [row for row in kept if any(each in row for each in ("Awa Exemple", "00 00 12 34", "cousine", code))] == []


def reference(made: Letter) -> str:
    [number] = re.findall(r"Notre référence : (\S+),", made.text.decode())
    return str(number)


def test_letter_goes_by_the_number_of_what_was_sent(hub: Hub, awa: Person, phone: Sender) -> None:
    lay_down(hub, awa)
    case = worked_on(hub, awa, phone, land("a", consent=consent("C1")), land("b"), land("c"))
    _, second, third = numbered(hub, 1, 3)
    made = letter(hub, awa, case, is_opened=False)
    assert reference(made) == second
    assert case not in made.text.decode()
    seen = version(hub, awa, case)
    sending.send(hub.store, at_desk(hub, awa), case, COFO.code, made.sheets, made.digest, after=seen)
    detach(hub, awa, second)
    copied = sending.copy(hub.store, at_desk(hub, awa), case, COFO.code)
    assert reference(letters.compose(copied, {}, at_desk(hub, awa), "fr", "copy")) == third
    recall(hub, awa, case)
    [view] = referring.listed(hub.store, at_desk(hub, awa), case)
    assert reference(letters.compose_recall(view, at_desk(hub, awa), "fr")) == second
    unnamed = letters.compose_recall(replace(view, sent={third: view.sent[third]}, others=1), at_desk(hub, awa), "fr")
    assert (reference(unnamed), "et 1 autre plainte du même envoi" in unnamed.text.decode()) == (third, True)
    with pytest.raises(NotFound):
        letters.compose_recall(replace(view, sent={}, others=2), at_desk(hub, awa), "fr")


def test_copy_has_no_more_than_what_was_sent_and_ends_with_consent(hub: Hub, awa: Person, phone: Sender) -> None:
    number = case_of(hub, awa, phone, "C4")
    made = letter(hub, awa, number, is_opened=False)
    seen = version(hub, awa, number)
    sending.send(hub.store, at_desk(hub, awa), number, COFO.code, made.sheets, DIGEST, after=seen)
    copied = sending.copy(hub.store, at_desk(hub, awa), number, COFO.code)
    assert [each.parts for each in copied.going] == [("facts",)]
    recall(hub, awa, number)
    [view] = referring.listed(hub.store, at_desk(hub, awa), number)
    asked = letters.compose_recall(view, at_desk(hub, awa), "fr").text.decode()
    assert number in asked
    assert "DEMANDE DE RETOUR" in asked
    assert numbered(hub, 1) == [number]
