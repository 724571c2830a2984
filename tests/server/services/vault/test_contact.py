"""The vault and reaching a person: who opens an identity is told how, and sees no contact where that is in no way."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from server.domain.contact import WAYS
from server.domain.desk import Desk
from server.hub import Hub
from server.services.vault import handing_on, opening
from server.services.vault.holding import Compartment
from server.services.vault.opening import Opened
from server.store.schema import event
from tests.builders import (
    Clock,
    Person,
    Sender,
    add_person,
    an_id,
    clear_content,
    enrolled,
    facts,
    found_keyring,
    open_bare_hub,
    operation,
    revision,
)

WHO = {"persons": [{"no": 1, "name": "Awa Exemple", "phone": "+223 00 00 12 34"}]}
NAMES = {"persons": [{"no": 1, "name": "Awa Exemple"}]}
WHY = "rappeler la plaignante"


@pytest.fixture
def hub(hub_url: str, tmp_path: Path) -> Iterator[Hub]:
    opened = open_bare_hub(hub_url, tmp_path, Clock(), seal_statement="strict")
    yield opened
    opened.close()


@pytest.fixture
def reader(hub: Hub) -> Person:
    """Who reads everything."""
    person = add_person(hub, "nationale", is_named_reader=True)
    found_keyring(hub, person)
    return person


@pytest.fixture
def device(hub: Hub, reader: Person) -> Sender:
    assert reader
    return enrolled(hub, "Gao 1", team="gao")


def _desk(hub: Hub, reader: Person) -> Desk:
    return hub.desk(reader.actor, reader.keys)


def _received(device: Sender, reader: Person, contact_ok: str) -> None:
    """A complaint that its device sealed, assigned to its reader."""
    device.send(operation("complaint", "a", device.seal("a", clear_content(contact_ok=contact_ok))))
    handing_on.assign(device.hub.store, _desk(device.hub, reader), 1, reader.actor.id)


def _open(hub: Hub, reader: Person, compartment: Compartment = "identity") -> Opened:
    return opening.open_compartment(hub.store, _desk(hub, reader), 1, compartment, WHY)


def test_identity_of_a_person_who_may_be_reached_is_shown_whole(hub: Hub, device: Sender, reader: Person) -> None:
    _received(device, reader, "yes")
    opened = _open(hub, reader)
    assert (opened.clear, opened.is_withheld, opened.reach.ways) == (WHO, False, frozenset(WAYS))


def test_identity_of_a_person_who_said_never_shows_no_contact_and_is_logged(
    hub: Hub, device: Sender, reader: Person
) -> None:
    _received(device, reader, "never")

    opened = _open(hub, reader)

    assert (opened.clear, opened.is_withheld, opened.is_unopenable) == (NAMES, True, False)
    assert (opened.reach.ways, opened.reach.limits) == (frozenset(), ("never",))
    [look] = opening.openings(hub.store, _desk(hub, reader), 1)
    assert (look.compartment, look.reason) == ("identity", WHY)
    with hub.store.read() as connection:
        assert connection.scalars(sa.select(event.c.words).where(event.c.action == "open")).all() == [WHY]


def test_contacts_follow_the_latest_answer(hub: Hub, device: Sender, reader: Person) -> None:
    _received(device, reader, "never")
    for base, answer in ((1, "yes"), (2, "never"), (3, "in_person")):
        told = {"clear": facts(contact_ok=answer)}
        device.send(revision(answer + str(base), "a", base, facts=told).replace(b'"seq":1', b'"seq":%d' % (base + 1)))
        assert (_open(hub, reader).clear == NAMES) is (answer == "never")
    device.send(operation("withdrawal", "w", {"complaint": an_id("a"), "scope": "all"}, 9))
    assert _open(hub, reader).is_withheld


def test_other_compartments_are_shown_as_they_are(hub: Hub, device: Sender, reader: Person) -> None:
    _received(device, reader, "never")
    opened = _open(hub, reader, "traces")
    assert opened.is_withheld is False
    assert opened.clear == clear_content()["traces"]["clear"]


@pytest.mark.parametrize(("contact_ok", "shown"), [("yes", WHO), ("never", NAMES)])
def test_identity_that_was_carried_away_is_shown_as_it_would_be_here(
    hub: Hub, device: Sender, reader: Person, contact_ok: str, shown: dict[str, object]
) -> None:
    _received(device, reader, contact_ok)
    file = opening.hand_over(hub.store, _desk(hub, reader), 1, "identity", WHY)
    [private] = reader.keys.private.values()

    opened = opening.open_file(file, private)

    assert (opened.clear, opened.reach) == (shown, _open(hub, reader).reach)
    assert opening.open_file(file, b"k" * 32).is_unopenable
