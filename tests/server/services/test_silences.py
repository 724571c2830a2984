"""Silences: who hears of a device that says nothing, once, and never because the hub itself was away."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from server.domain.places import Gazetteer, Place
from server.hub import Hub
from server.services import devices, places, silences
from server.services.silences import is_matcher_silent, note_matcher, tell_devices, tell_matcher
from server.store import schema, unmatched
from tests.builders import NOW, Clock, Person, add_person, complaint, enrolled

DAYS = 14
LIST = Gazetteer("2026.1", (Place("ml-r-gao", "Gao", "region", None), Place("ml-c-gao", "Gao", "cercle", "ml-r-gao")))


@pytest.fixture
def clock(own_hub: Hub) -> Clock:
    assert isinstance(own_hub.clock, Clock)
    return own_hub.clock


@pytest.fixture
def people(own_hub: Hub) -> dict[str, Person]:
    return {
        "admin": add_person(own_hub, "Oumou", "administrator"),
        "all": add_person(own_hub, "Awa"),
        "gao": add_person(own_hub, "Cheick", teams=["gao"]),
        "mopti": add_person(own_hub, "Dado", teams=["mopti"]),
        "verifier": add_person(own_hub, "Elie", "verifier"),
    }


def _told(hub: Hub, people: dict[str, Person]) -> list[str]:
    names = {person.actor.id: name for name, person in people.items()}
    with hub.store.read() as connection:
        heard = connection.scalars(sa.select(schema.metadata.tables["notice"].c.account))
        return sorted(names[account] for account in heard if account in names)


def test_silent_device_is_told_once_to_administrators_and_to_who_covers_its_team(
    own_hub: Hub, clock: Clock, people: dict[str, Person]
) -> None:
    device = enrolled(own_hub, "Gao 1", team="gao")
    device.send(complaint("one"))
    clock.pass_(days=DAYS)
    assert tell_devices(own_hub.store, own_hub.gazetteer(), clock.now, DAYS, None) == 0
    clock.pass_(minutes=1)
    # The national coordinator of every test hub hears of it too.
    assert tell_devices(own_hub.store, own_hub.gazetteer(), clock.now, DAYS, None) == 4
    assert _told(own_hub, people) == ["admin", "all", "gao"]
    assert tell_devices(own_hub.store, own_hub.gazetteer(), clock.now + timedelta(days=3), DAYS, None) == 0
    device.send(complaint("two"))
    clock.pass_(days=DAYS, minutes=1)
    assert tell_devices(own_hub.store, own_hub.gazetteer(), clock.now, DAYS, None) == 4


def test_silent_device_is_told_to_who_covers_a_region_of_what_it_sent(
    own_hub: Hub, clock: Clock, people: dict[str, Person]
) -> None:
    scopes = {"region": ("ml-r-gao", ()), "elsewhere": ("ml-r-mopti", ()), "team": ("ml-r-gao", ("mopti",))}
    for name, (region, teams) in scopes.items():
        people[name] = add_person(own_hub, name, regions=[region], teams=teams)
    places.import_list(own_hub.store, LIST, "test", NOW)
    device = enrolled(own_hub, "Gao 1", team="gao")
    device.send(complaint("one", place={"id": "ml-c-gao", "list": "2026.1"}), complaint("two"))
    clock.pass_(days=DAYS, minutes=1)
    tell_devices(own_hub.store, own_hub.gazetteer(), clock.now, DAYS, None)
    assert _told(own_hub, people) == ["admin", "all", "gao", "region"]


def test_device_that_nobody_could_hear_is_not_silent(own_hub: Hub, clock: Clock) -> None:
    enrolled(own_hub, "Gao 1").send(complaint("one"))
    clock.pass_(days=20)
    back_since = clock.now - timedelta(days=1)
    assert tell_devices(own_hub.store, own_hub.gazetteer(), clock.now, DAYS, back_since) == 0


def test_revoked_and_replaced_devices_are_not_missed(own_hub: Hub, clock: Clock) -> None:
    old, lost = enrolled(own_hub, "Gao 1"), enrolled(own_hub, "Gao 2")
    devices.revoke(own_hub.store, lost.device, NOW, own_hub.identity.sign_key, reason="perdu")
    new = enrolled(own_hub, "Gao 3", succeeds=old)
    clock.pass_(days=DAYS + 1)
    new.send(complaint("one"))
    assert tell_devices(own_hub.store, own_hub.gazetteer(), clock.now, DAYS, None) == 0


def test_matcher_is_silent_only_where_something_waits_and_nothing_was_done_for_an_hour(own_hub: Hub) -> None:
    assert not is_matcher_silent(own_hub.store, NOW)
    enrolled(own_hub, "Gao 1").send(complaint("one"))
    assert is_matcher_silent(own_hub.store, NOW)
    note_matcher(own_hub.store, NOW)
    assert not is_matcher_silent(own_hub.store, NOW + timedelta(minutes=59))
    assert is_matcher_silent(own_hub.store, NOW + timedelta(minutes=60))
    with own_hub.store.read() as connection:
        assert unmatched.count(connection) == 1


def test_silent_matcher_is_told_to_administrators_once_a_day(own_hub: Hub, people: dict[str, Person]) -> None:
    assert [tell_matcher(own_hub.store, NOW + timedelta(hours=hours)) for hours in (0, 1, 24)] == [1, 0, 1]
    assert _told(own_hub, people) == ["admin", "admin"]
    with own_hub.store.read() as connection:
        codes = set(connection.scalars(sa.select(schema.metadata.tables["notice"].c.code)))
    assert codes == {silences.MATCHER}
