"""Deputies: from day to day somebody works and opens in the place of who is away, no further, and the log says so."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from client_sync.protocol.canonical import parse
from server.domain.errors import DeputyRefused, NotFound
from server.domain.permission import OPERATOR
from server.hub import Hub
from server.services import deputies
from server.services.accounts import people
from server.services.cases import due, queues, verifying
from server.services.vault import handing_on, opening
from server.store import deputies as deputations
from server.store.schema import act, event, registry, wrap
from tests.builders import (
    Clock,
    FoundedKeys,
    Person,
    Sender,
    add_person,
    clear_content,
    enrolled,
    found_keyring,
    open_bare_hub,
    operation,
)
from tests.case_work import at_desk, move

WHY = "rappeler la plaignante"


@pytest.fixture
def hub(database_url: str, tmp_path: Path) -> Iterator[Hub]:
    """A hub without keys."""
    opened = open_bare_hub(database_url, tmp_path, Clock())
    yield opened
    opened.close()


@pytest.fixture
def keys(hub: Hub) -> FoundedKeys:
    """Coordinators of the teams of Gao and of Mopti; who is on leave is the one of Gao."""
    gao, mopti = (add_person(hub, team, teams=[team]) for team in ("gao", "mopti"))
    return found_keyring(hub, gao, mopti)


@pytest.fixture
def device(hub: Hub, keys: FoundedKeys) -> Sender:
    assert keys
    return enrolled(hub, "Gao 1", team="gao")


def received(device: Sender, name: str = "a") -> tuple[int, str]:
    """A complaint that the device sealed and sent: its row and registry number."""
    device.send(operation("complaint", name, device.seal(name, clear_content())))
    columns = registry.c
    with device.hub.store.read() as connection:
        row = connection.execute(sa.select(*columns).order_by(columns.number.desc())).first()
    assert row is not None
    return row.complaint, f"SRE-{device.hub.clock().year}-{row.number:06}"


def name(hub: Hub, by: Person, account: str, deputy: str, days: int = 9, start: int = 0) -> deputies.Named:
    first = hub.clock().date() + timedelta(days=start)
    made = deputies.name(hub.store, at_desk(hub, by), account, deputy, first, first + timedelta(days=days))
    if made.is_own:
        handing_on.give_deputy(hub.store, at_desk(hub, by), made.deputy_id)
    return made


def today(hub: Hub, person: Person) -> Person:
    """The person as a session of today knows them."""
    with hub.store.read() as connection:
        actor = deputations.acting(connection, person.actor, hub.clock().date())
    return replace(person, actor=actor)


def opens(hub: Hub, person: Person, complaint: int) -> bool:
    """Whether the person reads the identity."""
    try:
        return opening.open_compartment(hub.store, at_desk(hub, person), complaint, "identity", WHY).clear is not None
    except NotFound:
        return False


def sealed_again(hub: Hub, person: Person) -> set[int]:
    """The operations of which the hub sealed the keys again to a person."""
    with hub.store.read() as connection:
        return set(connection.scalars(sa.select(wrap.c.received).where(wrap.c.kid == person.kid)))


def own_keys(hub: Hub, keys: FoundedKeys) -> set[int]:
    """The operation of a complaint of Mopti, whose keys its coordinator was given by the recovery key."""
    mopti = keys.people["mopti"]
    received(enrolled(hub, "Mopti 1", team="mopti"), "of_mopti")
    handing_on.give_keys(hub.store, at_desk(hub, Person(OPERATOR, keys.recovery_keys)), mopti.actor.id)
    return sealed_again(hub, mopti)


def details(hub: Hub, action: str) -> dict[str, object]:
    """Of the last event of that action."""
    with hub.store.read() as connection:
        select = sa.select(event.c.canonical).where(event.c.action == action).order_by(event.c.place.desc())
        canonical = connection.scalars(select).first()
    assert canonical is not None
    found: dict[str, object] = parse(canonical)["details"]
    return found


def test_deputy_opens_what_was_assigned_to_who_is_away(hub: Hub, device: Sender, keys: FoundedKeys) -> None:
    gao, mopti = keys.people["gao"], keys.people["mopti"]
    complaint, _ = received(device)
    handing_on.assign(hub.store, at_desk(hub, gao), complaint, gao.actor.id)
    assert not opens(hub, today(hub, mopti), complaint)
    name(hub, gao, "gao", "mopti")
    assert opens(hub, today(hub, mopti), complaint)
    assert details(hub, "open")["for"] == gao.actor.id
    assert isinstance(hub.clock, Clock)
    hub.clock.pass_(days=10)
    assert not opens(hub, today(hub, mopti), complaint)


def test_what_comes_later_is_handed_on_when_somebody_opens_it(hub: Hub, device: Sender, keys: FoundedKeys) -> None:
    gao, mopti = keys.people["gao"], keys.people["mopti"]
    name(hub, gao, "gao", "mopti")
    complaint, _ = received(device)
    handing_on.assign(hub.store, at_desk(hub, gao), complaint, gao.actor.id)
    assert not opens(hub, today(hub, mopti), complaint)
    assert opens(hub, gao, complaint)
    assert opens(hub, today(hub, mopti), complaint)


def test_keys_of_a_deputy_go_after_the_last_day_and_own_ones_stay(
    hub: Hub, device: Sender, keys: FoundedKeys
) -> None:
    assert isinstance(hub.clock, Clock)
    gao, mopti = keys.people["gao"], keys.people["mopti"]
    own = own_keys(hub, keys)
    received(device)
    name(hub, gao, "gao", "mopti")
    assert len(sealed_again(hub, mopti)) == 2
    hub.clock.pass_(days=9)
    assert deputies.take_keys(hub.store, None, hub.clock()) == 0
    hub.clock.pass_(days=1)
    assert [deputies.take_keys(hub.store, None, hub.clock()) for _ in range(2)] == [1, 0]
    assert sealed_again(hub, mopti) == own
    assert details(hub, "take_keys") == {"account": gao.actor.id, "dropped": 1}


def test_keys_of_a_deputy_go_when_it_is_ended_and_stay_where_another_one_is_to_come(
    hub: Hub, device: Sender, keys: FoundedKeys
) -> None:
    gao, mopti = keys.people["gao"], keys.people["mopti"]
    received(device)
    first, second = name(hub, gao, "gao", "mopti"), name(hub, gao, "gao", "mopti", start=20)
    deputies.end(hub.store, at_desk(hub, gao), first.id)
    assert len(sealed_again(hub, mopti)) == 1
    deputies.end(hub.store, at_desk(hub, gao), second.id)
    assert sealed_again(hub, mopti) == set()


def test_deputy_works_on_the_queue_and_each_entry_says_for_whom(hub: Hub, device: Sender, keys: FoundedKeys) -> None:
    gao, mopti = keys.people["gao"], keys.people["mopti"]
    _, number = received(device)
    with pytest.raises(NotFound):
        move(hub, today(hub, mopti), number, "acknowledged")
    name(hub, gao, "gao", "mopti")
    deputy = today(hub, mopti)
    assert [each.ref for each in queues.waiting(hub.store, at_desk(hub, deputy), 9)] == [number]
    move(hub, deputy, number, "acknowledged")
    assert details(hub, "case_moved")["for"] == gao.actor.id
    assert {each.ref for each in due.listed(hub.store, at_desk(hub, deputy), 9)} == {number}
    [*_, (_, last)] = queues.show(hub.store, at_desk(hub, gao), number).entries
    assert (last.actor, last.fields["for"]) == (mopti.actor.signature, gao.actor.id)


def test_own_work_of_a_deputy_is_logged_as_one_s_own(hub: Hub, keys: FoundedKeys) -> None:
    gao, mopti = keys.people["gao"], keys.people["mopti"]
    _, number = received(enrolled(hub, "Mopti 1", team="mopti"))
    name(hub, gao, "gao", "mopti")
    move(hub, today(hub, mopti), number, "acknowledged")
    assert "for" not in details(hub, "case_moved")


def test_deputation_is_from_day_to_day_and_ends_when_said(hub: Hub, keys: FoundedKeys) -> None:
    assert isinstance(hub.clock, Clock)
    gao, mopti = keys.people["gao"], keys.people["mopti"]
    made = name(hub, gao, "gao", "mopti", start=2, days=1)
    stands = []
    for _ in range(5):
        stands.append(bool(today(hub, mopti).actor.stands_for))
        hub.clock.pass_(days=1)
    assert stands == [False, False, True, True, False]
    assert deputies.listed(hub.store, at_desk(hub, gao)) == []
    made = name(hub, gao, "gao", "mopti")
    assert [each.id for each in deputies.listed(hub.store, at_desk(hub, mopti))] == [made.id]
    with pytest.raises(NotFound):
        deputies.end(hub.store, at_desk(hub, mopti), made.id)
    deputies.end(hub.store, at_desk(hub, gao), made.id)
    assert not today(hub, mopti).actor.stands_for


def test_what_is_strict_is_handed_on_to_named_readers_alone(hub: Hub) -> None:
    away, other = (add_person(hub, name, is_named_reader=True) for name in ("gao", "Kayes"))
    keys = found_keyring(hub, away, add_person(hub, "mopti", teams=["mopti"]), other)
    device = enrolled(hub, "Gao 1", team="gao")
    device.send(operation("complaint", "a", device.seal("a", clear_content(confidentiality="strict"))))
    number = f"SRE-{hub.clock().year}-000001"
    handing_on.assign(hub.store, at_desk(hub, keys.people["gao"]), 1, keys.people["gao"].actor.id)
    name(hub, keys.people["gao"], "gao", "mopti", days=0)
    opening.open_compartment(hub.store, at_desk(hub, keys.people["gao"]), 1, "statement", WHY)
    deputy = today(hub, keys.people["mopti"])
    assert (opens(hub, deputy, 1), sealed_again(hub, deputy)) == (False, set())
    assert queues.waiting(hub.store, at_desk(hub, deputy), 9) == []
    with pytest.raises(NotFound):
        queues.show(hub.store, at_desk(hub, deputy), number)
    hub.clock.pass_(days=1)  # type: ignore[attr-defined]
    name(hub, keys.people["gao"], "gao", "Kayes")
    assert opens(hub, today(hub, keys.people["Kayes"]), 1)


def test_who_leaves_has_no_deputy_any_more(hub: Hub, keys: FoundedKeys) -> None:
    name(hub, keys.people["gao"], "gao", "mopti")
    people.end(hub.store, OPERATOR, "gao", hub.clock())
    assert not today(hub, keys.people["mopti"]).actor.stands_for


def test_only_the_person_or_an_administrator_names_a_deputy(hub: Hub, keys: FoundedKeys) -> None:
    with pytest.raises(NotFound):
        name(hub, keys.people["mopti"], "gao", "mopti")
    administrator = add_person(hub, "Issa", "administrator")
    assert name(hub, administrator, "gao", "mopti").is_own is False


def test_deputy_of_a_deputy_does_not_name_one_for_the_first(hub: Hub, keys: FoundedKeys) -> None:
    add_person(hub, "Kayes", teams=["kayes"])
    name(hub, keys.people["gao"], "gao", "mopti")
    with pytest.raises(NotFound):
        name(hub, today(hub, keys.people["mopti"]), "gao", "Kayes")


@pytest.mark.parametrize(
    ("deputy", "start", "days", "fault"),
    [("gao", 0, 9, "self"), ("Verif", 0, 9, "role"), ("mopti", 3, -2, "days"), ("mopti", -9, 3, "days")],
)
def test_nobody_stands_in_for_whom_they_cannot(
    hub: Hub, keys: FoundedKeys, deputy: str, start: int, days: int, fault: str
) -> None:
    add_person(hub, "Verif", "verifier")
    with pytest.raises(DeputyRefused) as refused:
        name(hub, keys.people["gao"], "gao", deputy, days, start)
    assert refused.value.values["fault"] == fault


def test_there_is_one_deputy_at_a_time(hub: Hub, keys: FoundedKeys) -> None:
    add_person(hub, "Kayes", teams=["kayes"])
    name(hub, keys.people["gao"], "gao", "mopti")
    with pytest.raises(DeputyRefused) as refused:
        name(hub, keys.people["gao"], "gao", "Kayes", start=9)
    assert refused.value.values["fault"] == "there"
    name(hub, keys.people["gao"], "gao", "Kayes", start=10)


def test_deputy_of_a_verifier_verifies_what_was_assigned_to_the_verifier(
    hub: Hub, device: Sender, keys: FoundedKeys
) -> None:
    oumar, fanta = (add_person(hub, each, "verifier") for each in ("Oumar", "Fanta"))
    complaint, number = received(device)
    kind = first_act(hub, complaint)
    handing_on.assign(hub.store, at_desk(hub, keys.people["gao"]), complaint, oumar.actor.id)
    name(hub, oumar, "Oumar", "Fanta")
    verifying.begin(hub.store, at_desk(hub, today(hub, fanta)), number, kind, after=0)
    assert details(hub, "case_verifying")["for"] == oumar.actor.id


def first_act(hub: Hub, complaint: int) -> str:
    with hub.store.read() as connection:
        return str(connection.scalars(sa.select(act.c.kind).where(act.c.complaint == complaint)).first())
