"""Choosing: each complaint by its own consent, nothing that tells fewer than five apart, and what stands no more."""

from typing import Any

import pytest

from server.domain.packages import Item
from server.domain.release import Named
from server.hub import Hub
from server.services.commission.choosing import Choice, Keyed
from server.store import packages
from server.store.packages import Told
from tests.builders import Person, Sender, an_id, complaint, operation
from tests.commission import CNDH, arrest, chosen, consent, lay_down, prepared, quarter_over

FIVE = tuple(f"plain {n}" for n in range(5))


@pytest.fixture
def ready(hub: Hub, awa: Person, phone: Sender) -> Hub:
    """A hub with five complaints that are alike, in a quarter that is over."""
    lay_down(hub, awa)
    phone.send(*(arrest(name) for name in FIVE))
    return hub


def against(choice: Choice) -> list[str]:
    return sorted(choice.against.values())


def seal(hub: Hub, who: Person) -> Choice:
    """Let a package be sealed as it stands, with the names of nobody."""
    package, choice = prepared(hub, who), chosen(hub, who)
    keyed = Keyed.of(hub.secrets.pepper, CNDH.code)
    lines = choice.lines({each.complaint: Named("X") for each in choice.named})
    parts = {each.complaint: sorted(each.parts) for each in choice.candidates}
    told = [
        Told(Item(each.ref, each.shape), each.complaint, keyed.hashes(each), parts[each.complaint]) for each in lines
    ]
    voids = [Told(Item(each.told.item.ref, "void"), each.told.complaint, {}, []) for each in choice.voids]
    with hub.store.write() as connection:
        packages.set_items(connection, package.id, [*told, *voids])
        packages.change(connection, package.id, state="transmitted", sealed_at=hub.clock())
    return choice


def test_five_that_are_alike_have_lines_and_their_references_say_nothing(ready: Hub, awa: Person) -> None:
    quarter_over(ready)
    choice = chosen(ready, awa)
    lines = list(choice.lines({}))
    assert len(lines) == len(FIVE)
    assert choice.against == {}
    assert {each.said["cercle"] for each in lines} == {"ml-c-bla"}
    assert [each.ref for each in lines] == sorted(each.ref for each in lines)
    assert not any("SRE" in each.ref for each in lines)


def test_region_is_that_of_the_law_that_the_commission_goes_by(ready: Hub, awa: Person, phone: Sender) -> None:
    phone.send(*(arrest(f"koro {n}", "ml-c-koro") for n in range(5)))
    quarter_over(ready)
    found = {each.said["region"] for each in chosen(ready, awa).lines({}) if each.said["cercle"] == "ml-c-koro"}
    assert found == {"ml-r-bandiagara"}


def test_another_destination_knows_them_under_other_references(ready: Hub) -> None:
    one, other = (Keyed.of(ready.secrets.pepper, code) for code in ("cndh", "amdh"))
    assert one.ref("SRE-2026-000001") != other.ref("SRE-2026-000001")
    assert one.hash("status", "closed") != other.hash("status", "closed")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"consent": consent("C0")}, "numbers"),
        ({"consent": consent("C1")}, "numbers"),
        ({"consent": consent(expires="2026-12-01")}, "consent_expired"),
        ({"consent": consent("C3", "cofo")}, "consent_body"),
        ({"consent": consent(given_by="guardian", assent=False)}, "no_assent"),
        ({"kinds": ["GBV-1"], "confidentiality": "strict", "consent": consent("C3", "cndh")}, "totals"),
        ({"kinds": ["COR-LAND"]}, "elsewhere"),
        ({"place": "ml-c-gao"}, "few_alike"),
    ],
)
def test_who_has_no_line_and_why(ready: Hub, awa: Person, phone: Sender, changes: dict[str, Any], why: str) -> None:
    phone.send(arrest("one more", **changes))
    quarter_over(ready)
    choice = chosen(ready, awa)
    assert against(choice) == [why]
    assert len(choice.candidates) == len(FIVE)


def test_name_goes_to_the_body_that_was_chosen(ready: Hub, awa: Person, phone: Sender) -> None:
    phone.send(arrest("named", "ml-c-gao", consent=consent("C3", "cndh")))
    quarter_over(ready)
    choice = chosen(ready, awa)
    [named] = choice.named
    assert named.parts == {"facts", "statement", "identity"}
    assert {each.shape for each in choice.lines({named.complaint: Named("Awa Exemple")})} == {"line", "named"}


def test_line_that_was_sent_is_not_sent_again(ready: Hub, awa: Person) -> None:
    quarter_over(ready)
    seal(ready, awa)
    choice = chosen(ready, awa)
    assert (choice.candidates, choice.voids, choice.corrections, choice.against) == ([], [], [], {})


def test_consent_that_is_taken_back_makes_the_line_void(ready: Hub, awa: Person, phone: Sender) -> None:
    quarter_over(ready)
    seal(ready, awa)
    about = {"complaint": an_id(FIVE[0]), "consent": consent("C0")}
    phone.send(operation("consent_change", "taken back", about, seq=9))
    [void] = chosen(ready, awa).voids
    assert void.told.number == "CNDH-2026-T4-0001"
    assert void.why in ("consent_level", "numbers")
    seal(ready, awa)
    assert chosen(ready, awa).voids == []


def test_what_is_said_of_the_person_anew_makes_the_line_void_and_another_stands_for_it(
    ready: Hub, awa: Person, phone: Sender
) -> None:
    quarter_over(ready)
    seal(ready, awa)
    phone.send(complaint("other", kinds=["COR-LAND"]))
    about = {"complaint": an_id(FIVE[1]), "consent": consent("C3", "cndh")}
    phone.send(operation("consent_change", "more", about, seq=10))
    choice = chosen(ready, awa)
    assert [each.why for each in choice.voids] == ["retold"]
    assert len(choice.named) == 1
    seal(ready, awa)
    assert chosen(ready, awa).voids == []
