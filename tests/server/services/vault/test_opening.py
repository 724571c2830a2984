"""Opening: who opens which compartment, what is left behind, and what does not open."""

from typing import Any, get_args

import pytest
import sqlalchemy as sa

from client_sync.protocol.boxes import write_boxes
from client_sync.protocol.frames import to_text
from client_sync.seal import Binding, seal
from server.domain.errors import NotFound, ReasonMissing
from server.domain.people import NO_KEYS
from server.domain.permission import Actor
from server.hub import Hub
from server.services import keyrings
from server.services.vault import holding, opening
from server.services.vault.holding import Compartment
from server.store import recipients, schema
from server.store.schema import event, wrap
from tests.builders import (
    FoundedKeys,
    Person,
    Sender,
    add_person,
    an_id,
    clear_content,
    enrolled,
    facts,
    operation,
    revision,
    verdicts,
)
from tests.vault_work import SAID, WHO, WHY, assign, at_desk, open_as, opens, received, sealed

COMPARTMENTS: tuple[Compartment, ...] = get_args(Compartment)


def test_each_reader_opens_exactly_what_is_permitted(hub: Hub, device: Sender, keys: FoundedKeys) -> None:
    verifier = add_person(hub, "vérificatrice", "verifier", regions=["ml-r-gao"])
    administrator = Person(Actor("x", "administrator"), keys.people["gao"].keys)
    monitor = add_person(hub, "enquêteur", "monitor")
    complaint = received(device)
    people = {**keys.people, "verifier": verifier, "administrator": administrator, "monitor": monitor}
    assign(hub, keys.people["gao"], complaint, verifier)

    opened = {
        name: {each for each in COMPARTMENTS if opens(hub, person, complaint, each)} for name, person in people.items()
    }

    assert opened == {
        "gao": {"statement", "traces"},
        "mopti": set(),
        "nationale": {"statement", "traces"},
        "verifier": {"statement", "traces", "identity"},
        "administrator": set(),
        "monitor": set(),
    }


def test_what_is_opened_is_what_the_person_said(hub: Hub, device: Sender, keys: FoundedKeys) -> None:
    gao, complaint = keys.people["gao"], received(device)
    assign(hub, gao, complaint, gao)

    assert open_as(hub, gao, complaint, "identity").clear == WHO
    assert open_as(hub, gao, complaint, "statement").clear == SAID


def test_refusals_of_what_is_forbidden_and_of_what_never_was_are_alike(
    hub: Hub, device: Sender, keys: FoundedKeys
) -> None:
    complaint = received(device)
    for missing in (complaint, complaint + 1):
        with pytest.raises(NotFound) as refused:
            open_as(hub, keys.people["mopti"], missing, "traces")
        assert refused.value.values == {"object": missing}


@pytest.mark.parametrize("why", ["", " " * 12, "trop peu", "  neuf car.  "[:11], "x" * 501])
def test_reason_that_is_given_has_ten_to_five_hundred_characters(
    hub: Hub, device: Sender, keys: FoundedKeys, why: str
) -> None:
    gao, complaint = keys.people["gao"], received(device)
    assign(hub, gao, complaint, gao)
    for compartment in COMPARTMENTS:
        with pytest.raises(ReasonMissing) as refused:
            open_as(hub, gao, complaint, compartment, why)
        assert refused.value.values == {"least": 10, "most": 500}
        with pytest.raises(ReasonMissing):
            opening.hand_over(hub.store, at_desk(hub, gao), complaint, compartment, why)
    assert opening.openings(hub.store, at_desk(hub, gao), complaint) == []


def test_identity_alone_is_not_opened_without_a_reason(hub: Hub, device: Sender, keys: FoundedKeys) -> None:
    gao, complaint = keys.people["gao"], received(device)
    assign(hub, gao, complaint, gao)
    with pytest.raises(ReasonMissing):
        opening.open_compartment(hub.store, at_desk(hub, gao), complaint, "identity")
    for why in (None, " dix lettres ", "x" * 500):
        assert opening.open_compartment(hub.store, at_desk(hub, gao), complaint, "statement", why).clear is not None
    reasons = [each.reason for each in opening.openings(hub.store, at_desk(hub, gao), complaint)]
    assert reasons == ["tri", "dix lettres", "x" * 500]


def test_every_opening_leaves_a_row_and_an_event_that_the_team_sees(
    hub: Hub, device: Sender, keys: FoundedKeys
) -> None:
    gao, complaint = keys.people["gao"], received(device)
    assign(hub, gao, complaint, gao)

    opening.open_compartment(hub.store, at_desk(hub, gao), complaint, "traces")
    open_as(hub, gao, complaint, "identity")

    looks = opening.openings(hub.store, at_desk(hub, keys.people["nationale"]), complaint)
    assert [(look.name, look.compartment, look.reason) for look in looks] == [
        ("gao", "traces", "tri"),
        ("gao", "identity", WHY),
    ]
    with hub.store.read() as connection:
        select = sa.select(event.c.actor, event.c.object, event.c.words).where(event.c.action == "open")
        events = [tuple(row) for row in connection.execute(select.order_by(event.c.place))]
    whose = f"account:{gao.actor.id}"
    assert events == [(whose, f"complaint:{complaint}", "tri"), (whose, f"complaint:{complaint}", WHY)]


def test_refused_opening_leaves_no_row(hub: Hub, device: Sender, keys: FoundedKeys) -> None:
    complaint = received(device)
    assert not opens(hub, keys.people["mopti"], complaint, "traces")
    with hub.store.read() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(schema.opening)) == 0


def test_strict_case_opens_for_named_readers_alone(hub: Hub, device: Sender, keys: FoundedKeys) -> None:
    complaint = received(device, confidentiality="strict")

    assert {name for name, person in keys.people.items() if opens(hub, person, complaint, "statement")} == {"nationale"}
    # Not by permission alone: the key of the others opens nothing of it.
    [part] = holding.page(hub.store, 0, 9)
    assert part.prove(keys.people["gao"].keys.private) is None
    assert part.boxes.boxes.keys() == {"identity", "statement", "traces"}


def test_strict_case_stays_strict_whatever_a_device_revises(hub: Hub, device: Sender, keys: FoundedKeys) -> None:
    gao, nationale = keys.people["gao"], keys.people["nationale"]
    complaint = received(device, confidentiality="strict")
    colleague = enrolled(hub, "Gao 2", team="gao")

    colleague.send(revision("r", "a", 1, lineage=device.lineage, facts={"clear": facts()}))

    assert {each for each in COMPARTMENTS if opens(hub, gao, complaint, each)} == set()
    with pytest.raises(NotFound):
        assign(hub, nationale, complaint, gao)


def test_field_says_who_can_open_it_and_where(hub: Hub, device: Sender, keys: FoundedKeys) -> None:
    opened = open_as(hub, keys.people["gao"], received(device), "traces")
    assert [(key.name, key.held, key.is_recovery) for key in opened.openers] == [
        ("gao", "hub", False),
        ("nationale", "hub", False),
        ("", "offline", True),
    ]


def test_clear_statement_is_opened_and_logged_too(hub: Hub, device: Sender, keys: FoundedKeys) -> None:
    complaint = received(device)
    opened = open_as(hub, keys.people["gao"], complaint, "statement")
    assert (opened.clear, opened.is_sealed, opened.openers) == (SAID, False, ())
    assert len(opening.openings(hub.store, at_desk(hub, keys.people["gao"]), complaint)) == 1


def test_without_a_key_at_hand_the_field_is_shown_as_closed(hub: Hub, device: Sender, keys: FoundedKeys) -> None:
    complaint = received(device)
    opened = opening.open_compartment(hub.store, at_desk(hub, keys.people["gao"], NO_KEYS), complaint, "traces")
    assert (opened.clear, opened.is_unopenable) == (None, True)
    assert [key.name for key in opened.openers] == ["gao", "nationale", ""]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda whole: whole | {"traces": {"box": to_text(b"x" * 80)}},
        lambda whole: whole | {"seal": {"v": 1, "keys": dict.fromkeys(whole["seal"]["keys"], "A" * 107)}},
        lambda whole: whole | {"seal": whole["seal"] | {"v": 2}},
    ],
)
def test_spoilt_record_renders_as_one_that_does_not_open(
    hub: Hub, device: Sender, keys: FoundedKeys, spoil: Any
) -> None:
    whole = spoil(device.seal("a", clear_content()))
    assert [each.verdict for each in verdicts(device.send(operation("complaint", "a", whole)))] == ["stored"]

    opened = open_as(hub, keys.people["gao"], 1, "traces")

    assert (opened.clear, opened.is_unopenable) == (None, True)


def test_boxes_of_another_record_do_not_open_in_this_one(hub: Hub, device: Sender, keys: FoundedKeys) -> None:
    moved = operation("complaint", "b", device.seal("a", clear_content()))
    device.send(moved)

    assert open_as(hub, keys.people["gao"], 1, "traces").is_unopenable


def test_text_that_is_sealed_and_is_no_object_renders_as_one_that_does_not_open(
    hub: Hub, device: Sender, keys: FoundedKeys
) -> None:
    readers = keyrings.current(hub.store).recipients
    sealed = seal({"traces": b"\xff["}, readers, Binding(an_id("a"), device.lineage))
    whole = {name: part for name, part in clear_content().items() if name != "identity"}
    device.send(operation("complaint", "a", write_boxes(whole, sealed.boxes, sealed.keys)))

    assert open_as(hub, keys.people["gao"], 1, "traces").is_unopenable


def test_revised_compartment_opens_as_revised_and_the_other_as_it_was(
    hub: Hub, device: Sender, keys: FoundedKeys
) -> None:
    gao, complaint = keys.people["gao"], received(device)
    about = {"complaint": an_id("a"), "base_revision": 1}
    device.send(sealed(device, "r", about | {"traces": {"clear": {"said": "au marché"}}}, "revision"))
    assign(hub, gao, complaint, gao)

    assert open_as(hub, gao, complaint, "traces").clear == {"said": "au marché"}
    assert open_as(hub, gao, complaint, "identity").clear == WHO


def test_what_was_sealed_again_wrongly_does_not_keep_out_who_has_the_devices_key(
    hub: Hub, device: Sender, keys: FoundedKeys
) -> None:
    gao, complaint = keys.people["gao"], received(device)
    with hub.store.write() as connection:
        recipients.add_wraps(connection, [(complaint, gao.kid, "A" * 107)], hub.clock())
    assert opens(hub, gao, complaint, "traces")


def test_opening_by_the_devices_own_key_seals_nothing_again(hub: Hub, device: Sender, keys: FoundedKeys) -> None:
    open_as(hub, keys.people["gao"], received(device), "traces")
    with hub.store.read() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(wrap)) == 0


def test_log_of_the_vault_names_nobody(hub: Hub, device: Sender, keys: FoundedKeys) -> None:
    gao, complaint = keys.people["gao"], received(device)
    assign(hub, gao, complaint, gao)
    open_as(hub, gao, complaint, "identity")
    with hub.store.read() as connection:
        written = b"".join(connection.scalars(sa.select(event.c.canonical)))
    assert b"Awa Exemple" not in written
    assert WHY.encode() not in written
