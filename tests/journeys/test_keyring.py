"""A keyring's way: from the root key over the hub to a phone, and what the phone then seals to whom."""

from pathlib import Path

import pytest
from nacl.signing import SigningKey

from server.commands.terms import terms_of
from server.services import keyrings, places
from server.services.vault import opening
from tests.builders import ROOT, add_person, publish_keyring
from tests.journeys.conftest import FieldDevice, NewDevice, RunningHub

PLACES = Path(__file__).resolve().parents[2] / "fixtures" / "places" / "mali-2026.1.csv"


@pytest.fixture
def device(new_device: NewDevice) -> FieldDevice:
    return new_device("Gao 1", team="gao")


def test_newcomer_reads_what_a_phone_writes_after_its_next_contact(hub: RunningHub, device: FieldDevice) -> None:
    own = hub.hub
    places.import_list(own.store, places.read_list_file(PLACES, "2026.1"), "essai", hub.clock())
    newcomer = add_person(own, "gao", regions=["ml-r-gao"])
    publish_keyring(own, bytes(ROOT))
    device.write("before")

    assert device.sync().orders == ("keyring",)
    device.write("after")
    assert device.sync().orders == ()

    desk = own.desk(newcomer.actor, newcomer.keys)
    opened = [opening.open_compartment(own.store, desk, complaint, "traces") for complaint in (1, 2)]
    assert [each.is_unopenable for each in opened] == [True, False]


def test_keyring_of_another_root_is_refused_and_the_phone_says_so_once(hub: RunningHub, device: FieldDevice) -> None:
    own, another = hub.hub, SigningKey.generate()
    terms, now = terms_of(own), hub.clock()
    made = keyrings.draft(own.store, terms, now, root=bytes(another.verify_key))
    document = keyrings.signed(made, bytes(another))
    keyrings.publish(own.store, document, terms, own.identity.sign_key, now, is_new_root=True)

    assert device.sync().orders == ("keyring_refused",)
    assert device.sync().orders == ()
    assert device.outbox.require_enrolled().trusted_keyring is not None


def test_phone_that_was_away_gets_the_newest_keyring_alone(hub: RunningHub, device: FieldDevice) -> None:
    for name in ("gao", "mopti", "kayes"):
        add_person(hub.hub, name)
        newest = publish_keyring(hub.hub, bytes(ROOT))

    assert device.sync().orders == ("keyring",)
    assert device.outbox.require_enrolled().trusted_keyring == newest
