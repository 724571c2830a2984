"""The vault: who opens which compartment, what is left behind, and that losing a reader loses no case."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
import sqlalchemy as sa
from nacl.public import PrivateKey

from client_sync.protocol.boxes import write_boxes
from client_sync.protocol.canonical import canonical
from client_sync.protocol.frames import from_text, to_text
from client_sync.seal import Binding, seal
from server.domain.desk import Desk
from server.domain.errors import NotFound, ReasonMissing
from server.domain.people import NO_KEYS, HeldKeys
from server.domain.permission import OPERATOR, Actor
from server.hub import Hub
from server.services import keyrings, places, vault
from server.services.accounts import people
from server.services.vault import Compartment, Opened
from server.store import recipients
from server.store.schema import event, opening, recipient, wrap
from tests.builders import (
    Clock,
    FoundedKeys,
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
    publish_keyring,
    revision,
    verdicts,
)

PLACES = Path(__file__).resolve().parents[3] / "fixtures" / "places" / "mali-2026.1.csv"
COMPARTMENTS: tuple[Compartment, ...] = get_args(Compartment)
SAID = {"narrative": "On m'a demandé de l'argent sans reçu.", "lang": "fra"}
WHO = {"persons": [{"no": 1, "name": "Awa Exemple", "phone": "+223 00 00 12 34"}]}
WHY = "rappeler la plaignante"


@pytest.fixture
def hub(hub_url: str, tmp_path: Path) -> Iterator[Hub]:
    """A hub with places and no keys, whose devices seal statements when they are strict."""
    opened = open_bare_hub(hub_url, tmp_path, Clock(), seal_statement="strict")
    places.import_list(opened.store, places.read_list_file(PLACES, "2026.1"), "essai", opened.clock())
    yield opened
    opened.close()


@pytest.fixture
def keys(hub: Hub) -> FoundedKeys:
    """Coordinators of Gao and of Mopti, and a national one who is a named reader."""
    gao = add_person(hub, "gao", regions=["ml-r-gao"])
    mopti = add_person(hub, "mopti", regions=["ml-r-mopti"])
    return found_keyring(hub, gao, mopti, add_person(hub, "nationale", is_named_reader=True))


@pytest.fixture
def device(hub: Hub, keys: FoundedKeys) -> Sender:
    assert keys
    return enrolled(hub, "Gao 1", team="gao")


def _sealed(device: Sender, name: object, whole: dict[str, Any], op: str = "complaint") -> bytes:
    """The line of an operation, sealed as its device does."""
    return operation(op, name, device.seal(name, whole))


def _received(device: Sender, name: object = "a", **facts: Any) -> int:
    """A complaint that a device sealed and sent."""
    assert [each.verdict for each in verdicts(device.send(_sealed(device, name, clear_content(**facts))))] == ["stored"]
    with device.hub.store.read() as connection:
        newest = sa.select(sa.func.max(sa.column("id"))).select_from(sa.table("complaint"))
        found: int = connection.scalars(newest).one()
    return found


def _desk(hub: Hub, person: Person, keys: HeldKeys | None = None) -> Desk:
    return hub.desk(person.actor, person.keys if keys is None else keys)


def _open(hub: Hub, person: Person, complaint: int, compartment: Compartment, why: str = WHY) -> Opened:
    return vault.open_compartment(hub.store, _desk(hub, person), complaint, compartment, why)


def _opens(hub: Hub, person: Person, complaint: int, compartment: Compartment) -> bool:
    try:
        return _open(hub, person, complaint, compartment).clear is not None
    except NotFound:
        return False


def _assign(hub: Hub, by: Person, complaint: int, to: Person) -> vault.Given:
    return vault.assign(hub.store, _desk(hub, by), complaint, to.actor.id)


def _recovering(hub: Hub, keys: FoundedKeys) -> Desk:
    return _desk(hub, Person(OPERATOR, keys.recovery_keys))


def test_each_reader_opens_exactly_what_is_permitted(hub: Hub, device: Sender, keys: FoundedKeys) -> None:
    verifier = add_person(hub, "vérificatrice", "verifier", regions=["ml-r-gao"])
    administrator = Person(Actor("x", "administrator"), keys.people["gao"].keys)
    monitor = add_person(hub, "enquêteur", "monitor")
    complaint = _received(device)
    people = {**keys.people, "verifier": verifier, "administrator": administrator, "monitor": monitor}
    _assign(hub, keys.people["gao"], complaint, verifier)

    opened = {
        name: {each for each in COMPARTMENTS if _opens(hub, person, complaint, each)}
        for name, person in people.items()
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
    gao, complaint = keys.people["gao"], _received(device)
    _assign(hub, gao, complaint, gao)

    assert _open(hub, gao, complaint, "identity").clear == WHO
    assert _open(hub, gao, complaint, "statement").clear == SAID


def test_refusals_of_what_is_forbidden_and_of_what_never_was_are_alike(
    hub: Hub, device: Sender, keys: FoundedKeys
) -> None:
    complaint = _received(device)
    for missing in (complaint, complaint + 1):
        with pytest.raises(NotFound) as refused:
            _open(hub, keys.people["mopti"], missing, "traces")
        assert refused.value.values == {"object": missing}


@pytest.mark.parametrize("why", ["", " " * 12, "trop peu", "  neuf car.  "[:11], "x" * 501])
def test_reason_that_is_given_has_ten_to_five_hundred_characters(
    hub: Hub, device: Sender, keys: FoundedKeys, why: str
) -> None:
    gao, complaint = keys.people["gao"], _received(device)
    _assign(hub, gao, complaint, gao)
    for compartment in COMPARTMENTS:
        with pytest.raises(ReasonMissing) as refused:
            _open(hub, gao, complaint, compartment, why)
        assert refused.value.values == {"least": 10, "most": 500}
        with pytest.raises(ReasonMissing):
            vault.hand_over(hub.store, _desk(hub, gao), complaint, compartment, why)
    assert vault.openings(hub.store, _desk(hub, gao), complaint) == []


def test_identity_alone_is_not_opened_without_a_reason(hub: Hub, device: Sender, keys: FoundedKeys) -> None:
    gao, complaint = keys.people["gao"], _received(device)
    _assign(hub, gao, complaint, gao)
    with pytest.raises(ReasonMissing):
        vault.open_compartment(hub.store, _desk(hub, gao), complaint, "identity")
    for why in (None, " dix lettres ", "x" * 500):
        assert vault.open_compartment(hub.store, _desk(hub, gao), complaint, "statement", why).clear is not None
    reasons = [each.reason for each in vault.openings(hub.store, _desk(hub, gao), complaint)]
    assert reasons == ["tri", "dix lettres", "x" * 500]


def test_every_opening_leaves_a_row_and_an_event_that_the_team_sees(
    hub: Hub, device: Sender, keys: FoundedKeys
) -> None:
    gao, complaint = keys.people["gao"], _received(device)
    _assign(hub, gao, complaint, gao)

    vault.open_compartment(hub.store, _desk(hub, gao), complaint, "traces")
    _open(hub, gao, complaint, "identity")

    looks = vault.openings(hub.store, _desk(hub, keys.people["nationale"]), complaint)
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
    complaint = _received(device)
    assert not _opens(hub, keys.people["mopti"], complaint, "traces")
    with hub.store.read() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(opening)) == 0


def test_strict_case_opens_for_named_readers_alone(hub: Hub, device: Sender, keys: FoundedKeys) -> None:
    complaint = _received(device, confidentiality="strict")

    assert {name for name, person in keys.people.items() if _opens(hub, person, complaint, "statement")} == {
        "nationale"
    }
    # Not by permission alone: the key of the others opens nothing of it.
    [part] = vault._page(hub.store, 0, 9)
    assert part.prove(keys.people["gao"].keys.private) is None
    assert part.boxes.boxes.keys() == {"identity", "statement", "traces"}


def test_strict_case_is_assigned_to_named_readers_alone(hub: Hub, device: Sender, keys: FoundedKeys) -> None:
    complaint = _received(device, confidentiality="strict")
    with pytest.raises(NotFound):
        _assign(hub, keys.people["nationale"], complaint, keys.people["gao"])


def test_strict_case_stays_strict_whatever_a_device_revises(hub: Hub, device: Sender, keys: FoundedKeys) -> None:
    gao, nationale = keys.people["gao"], keys.people["nationale"]
    complaint = _received(device, confidentiality="strict")
    colleague = enrolled(hub, "Gao 2", team="gao")

    colleague.send(revision("r", "a", 1, lineage=device.lineage, facts={"clear": facts()}))

    assert {each for each in COMPARTMENTS if _opens(hub, gao, complaint, each)} == set()
    with pytest.raises(NotFound):
        _assign(hub, nationale, complaint, gao)


def test_case_that_became_strict_is_handed_on_to_named_readers_alone(
    hub: Hub, device: Sender, keys: FoundedKeys
) -> None:
    gao, nationale = keys.people["gao"], keys.people["nationale"]
    complaint = _received(device)
    _assign(hub, gao, complaint, gao)
    strict = clear_content(confidentiality="strict")
    changed = {name: strict[name] for name in ("facts", "statement", "identity")}
    device.send(_sealed(device, "r", {"base_revision": 1, "complaint": an_id("a")} | changed, "revision"))

    assert _open(hub, nationale, complaint, "statement").clear == SAID

    with hub.store.read() as connection:
        assert gao.kid not in connection.scalars(sa.select(wrap.c.kid)).all()


def test_field_says_who_can_open_it_and_where(hub: Hub, device: Sender, keys: FoundedKeys) -> None:
    opened = _open(hub, keys.people["gao"], _received(device), "traces")
    assert [(key.name, key.held, key.is_recovery) for key in opened.openers] == [
        ("gao", "hub", False),
        ("nationale", "hub", False),
        ("", "offline", True),
    ]


def test_clear_statement_is_opened_and_logged_too(hub: Hub, device: Sender, keys: FoundedKeys) -> None:
    complaint = _received(device)
    opened = _open(hub, keys.people["gao"], complaint, "statement")
    assert (opened.clear, opened.is_sealed, opened.openers) == (SAID, False, ())
    assert len(vault.openings(hub.store, _desk(hub, keys.people["gao"]), complaint)) == 1


def test_without_a_key_at_hand_the_field_is_shown_as_closed(hub: Hub, device: Sender, keys: FoundedKeys) -> None:
    complaint = _received(device)
    opened = vault.open_compartment(hub.store, _desk(hub, keys.people["gao"], NO_KEYS), complaint, "traces")
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

    opened = _open(hub, keys.people["gao"], 1, "traces")

    assert (opened.clear, opened.is_unopenable) == (None, True)


def test_boxes_of_another_record_do_not_open_in_this_one(hub: Hub, device: Sender, keys: FoundedKeys) -> None:
    moved = operation("complaint", "b", device.seal("a", clear_content()))
    device.send(moved)

    assert _open(hub, keys.people["gao"], 1, "traces").is_unopenable


def test_text_that_is_sealed_and_is_no_object_renders_as_one_that_does_not_open(
    hub: Hub, device: Sender, keys: FoundedKeys
) -> None:
    readers = keyrings.current(hub.store).recipients
    sealed = seal({"traces": b"\xff["}, readers, Binding(an_id("a"), device.lineage))
    whole = {name: part for name, part in clear_content().items() if name != "identity"}
    device.send(operation("complaint", "a", write_boxes(whole, sealed.boxes, sealed.keys)))

    assert _open(hub, keys.people["gao"], 1, "traces").is_unopenable


def test_revised_compartment_opens_as_revised_and_the_other_as_it_was(
    hub: Hub, device: Sender, keys: FoundedKeys
) -> None:
    gao, complaint = keys.people["gao"], _received(device)
    about = {"complaint": an_id("a"), "base_revision": 1}
    device.send(_sealed(device, "r", about | {"traces": {"clear": {"said": "au marché"}}}, "revision"))
    _assign(hub, gao, complaint, gao)

    assert _open(hub, gao, complaint, "traces").clear == {"said": "au marché"}
    assert _open(hub, gao, complaint, "identity").clear == WHO


def test_assignment_hands_on_what_the_assigner_can_open_and_no_more(
    hub: Hub, device: Sender, keys: FoundedKeys
) -> None:
    verifier = add_person(hub, "vérificatrice", "verifier")
    complaint = _received(device)
    national = keys.people["nationale"]

    closed = vault.assign(hub.store, _desk(hub, national, NO_KEYS), complaint, verifier.actor.id)
    assert (closed.given, closed.out_of_reach) == (0, 1)
    assert _open(hub, verifier, complaint, "identity").is_unopenable

    again = _assign(hub, national, complaint, verifier)
    assert (again.given, again.out_of_reach) == (1, 0)
    assert _open(hub, verifier, complaint, "identity").clear == WHO


def test_what_comes_after_the_assignment_is_handed_on_when_somebody_opens_it(
    hub: Hub, device: Sender, keys: FoundedKeys
) -> None:
    verifier = add_person(hub, "vérificatrice", "verifier")
    complaint = _received(device)
    _assign(hub, keys.people["gao"], complaint, verifier)
    about = {"complaint": an_id("a"), "base_revision": 1}
    device.send(_sealed(device, "r", about | {"traces": {"clear": {"said": "au marché"}}}, "revision"))

    assert _open(hub, verifier, complaint, "traces").is_unopenable
    _open(hub, keys.people["gao"], complaint, "traces")
    assert _open(hub, verifier, complaint, "traces").clear == {"said": "au marché"}


def test_nobody_assigns_what_they_may_not_handle(hub: Hub, device: Sender, keys: FoundedKeys) -> None:
    complaint = _received(device)
    with pytest.raises(NotFound):
        _assign(hub, keys.people["mopti"], complaint, keys.people["mopti"])
    with hub.store.read() as connection:
        assert recipients.assigned_to(connection, [complaint]) == {}


def test_key_slipped_under_another_record_is_not_handed_on(hub: Hub, device: Sender, keys: FoundedKeys) -> None:
    """A device that copies the key of somebody else's record into its own must not have it sealed to more readers."""
    _received(device, "a")
    [other] = vault._page(hub.store, 0, 9)
    mine = device.seal("b", clear_content())
    stolen = {kid: to_text(key) for kid, key in other.boxes.keys.items()}
    device.send(operation("complaint", "b", mine | {"seal": {"v": 1, "keys": stolen}}))

    verifier = add_person(hub, "vérificatrice", "verifier")
    given = _assign(hub, keys.people["nationale"], 2, verifier)

    assert (given.given, given.out_of_reach) == (0, 1)


def _with_junk_for(device: Sender, kid: str) -> bytes:
    """A complaint whose device wrote, beside the id of one reader's key, a box that this key opens to nothing."""
    whole = json.loads(_sealed(device, "a", clear_content()))
    assert kid in whole["content"]["seal"]["keys"]
    whole["content"]["seal"]["keys"][kid] = "A" * 107
    return canonical(whole)


def test_junk_beside_a_readers_key_does_not_keep_the_case_from_who_is_assigned(
    hub: Hub, device: Sender, keys: FoundedKeys
) -> None:
    gao, nationale = keys.people["gao"], keys.people["nationale"]
    device.send(_with_junk_for(device, gao.kid))
    assert _open(hub, gao, 1, "traces").is_unopenable

    given = _assign(hub, nationale, 1, gao)

    assert (given.given, given.out_of_reach) == (1, 0)
    assert _open(hub, gao, 1, "identity").clear == WHO
    again = _assign(hub, nationale, 1, gao)
    assert (again.given, again.out_of_reach) == (0, 0)


def test_junk_beside_a_readers_key_is_put_right_by_giving_keys(hub: Hub, device: Sender, keys: FoundedKeys) -> None:
    gao = keys.people["gao"]
    device.send(_with_junk_for(device, gao.kid))
    given = vault.give_keys(hub.store, _desk(hub, keys.people["nationale"]), gao.actor.id)
    assert (given.given, given.out_of_reach) == (1, 0)
    assert _opens(hub, gao, 1, "traces")


def test_what_was_sealed_again_wrongly_does_not_keep_out_who_has_the_devices_key(
    hub: Hub, device: Sender, keys: FoundedKeys
) -> None:
    gao, complaint = keys.people["gao"], _received(device)
    with hub.store.write() as connection:
        recipients.add_wraps(connection, [(complaint, gao.kid, "A" * 107)], hub.clock())
    assert _opens(hub, gao, complaint, "traces")


def test_opening_by_the_devices_own_key_seals_nothing_again(hub: Hub, device: Sender, keys: FoundedKeys) -> None:
    _open(hub, keys.people["gao"], _received(device), "traces")
    with hub.store.read() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(wrap)) == 0


def test_reset_account_is_handed_nothing_because_a_colleague_opens_what_it_had(
    hub: Hub, device: Sender, keys: FoundedKeys
) -> None:
    """Who resets an account knows its new passphrase: only a colleague's word gives it keys again."""
    gao, nationale, complaint = keys.people["gao"], keys.people["nationale"], _received(device)
    offline = PrivateKey.generate()
    kid = keyrings.add_offline(hub.store, gao.actor.id, bytes(offline.public_key), hub.clock())
    _assign(hub, nationale, complaint, gao)

    people.reset(hub.store, hub.secrets.totp, OPERATOR, "gao", "mil sorgho riz fonio", hub.clock())
    assert _open(hub, nationale, complaint, "traces").clear is not None

    with hub.store.read() as connection:
        handed = set(connection.scalars(sa.select(wrap.c.kid)))
        held = {each.kid: each.state for each in recipients.of_account(connection, gao.actor.id)}
        assert recipients.assigned_to(connection, [complaint]) == {}
    assert handed.isdisjoint(held)
    assert sorted(held.values()) == ["current", "removed", "removed"]
    # Neither of the old keys, also in hand or in a file, opens anything here any more.
    old = HeldKeys({**gao.keys.private, kid: bytes(offline)})
    assert vault.open_compartment(hub.store, _desk(hub, gao, old), complaint, "traces").is_unopenable
    file = vault.hand_over(hub.store, _desk(hub, nationale), complaint, "traces")
    assert vault.open_file(file, bytes(offline)).is_unopenable


@pytest.mark.parametrize("lost", ["gao", "mopti", "nationale", "recovery"])
def test_losing_any_recipient_loses_no_case(hub: Hub, device: Sender, keys: FoundedKeys, lost: str) -> None:
    cases = [_received(device, "a"), _received(device, "s", confidentiality="strict")]
    if lost == "recovery":
        assert all(_opens(hub, keys.people["nationale"], case, "traces") for case in cases)
        return
    # Reset: the old key is gone, and a new one opens nothing yet.
    person = keys.people[lost]
    expected = [_opens(hub, person, case, "traces") for case in cases]
    with hub.store.write() as connection:
        recipients.remove(connection, [person.kid], hub.clock())
    with_new = _with_another_key(hub, person)
    assert not any(_opens(hub, with_new, case, "traces") for case in cases)

    vault.give_keys(hub.store, _recovering(hub, keys), person.actor.id)

    assert [_opens(hub, with_new, case, "traces") for case in cases] == expected


def _with_another_key(hub: Hub, person: Person) -> Person:
    """The person with a new key, which the hub knows as theirs."""
    other = add_person(hub, f"autre que {person.actor.id}")
    with hub.store.write() as connection:
        mine = sa.update(recipient).where(recipient.c.kid == other.kid)
        connection.execute(mine.values(account=person.actor.id))
    return replace(person, keys=other.keys)


def test_colleague_hands_on_what_both_may_handle(hub: Hub, device: Sender, keys: FoundedKeys) -> None:
    cases = [_received(device, "a"), _received(device, "s", confidentiality="strict")]
    late = add_person(hub, "arrivée", regions=["ml-r-gao"])

    given = vault.give_keys(hub.store, _desk(hub, keys.people["nationale"]), late.actor.id)

    assert (given.given, given.out_of_reach) == (1, 0)
    assert [_opens(hub, late, case, "traces") for case in cases] == [True, False]


def test_coordinator_of_another_region_hands_on_nothing(hub: Hub, device: Sender, keys: FoundedKeys) -> None:
    _received(device)
    late = add_person(hub, "arrivée", regions=["ml-r-gao"])
    given = vault.give_keys(hub.store, _desk(hub, keys.people["mopti"]), late.actor.id)
    assert (given.given, given.out_of_reach) == (0, 0)


def test_new_key_of_a_person_opens_the_old_cases_once_both_were_in_hand(
    hub: Hub, device: Sender, keys: FoundedKeys
) -> None:
    gao, complaint = keys.people["gao"], _received(device)
    assert keyrings.rotate(hub.store, gao.actor.id, hub.clock()) == 1
    assert _opens(hub, gao, complaint, "traces")
    with_new = _with_another_key(hub, gao)
    assert not _opens(hub, with_new, complaint, "traces")

    both = HeldKeys({**gao.keys.private, **with_new.keys.private})
    vault.give_keys(hub.store, _desk(hub, gao, both), gao.actor.id)

    assert _opens(hub, with_new, complaint, "traces")


def test_case_opened_by_an_old_key_opens_by_the_new_one_from_then_on(
    hub: Hub, device: Sender, keys: FoundedKeys
) -> None:
    gao, complaint = keys.people["gao"], _received(device)
    keyrings.rotate(hub.store, gao.actor.id, hub.clock())
    with_new = _with_another_key(hub, gao)
    _open(hub, gao, complaint, "traces")
    assert _opens(hub, with_new, complaint, "traces")


def test_new_complaints_are_sealed_to_the_new_key_alone(hub: Hub, device: Sender, keys: FoundedKeys) -> None:
    gao = keys.people["gao"]
    keyrings.rotate(hub.store, gao.actor.id, hub.clock())
    with_new = _with_another_key(hub, gao)
    publish_keyring(hub, keys.root)

    complaint = _received(device)

    assert not _opens(hub, gao, complaint, "traces")
    assert _opens(hub, with_new, complaint, "traces")


def test_leaver_opens_nothing_more_and_new_complaints_are_not_sealed_to_them(
    hub: Hub, device: Sender, keys: FoundedKeys
) -> None:
    gao, before = keys.people["gao"], _received(device, "a")
    verifier = add_person(hub, "vérificatrice", "verifier")
    _assign(hub, gao, before, verifier)
    for leaver in (gao, verifier):
        keyrings.remove(hub.store, leaver.kid, hub.clock())
    publish_keyring(hub, keys.root)
    after = _received(device, "b")

    # Also with the private key still in hand, as in a session that was open.
    assert _open(hub, gao, before, "traces").is_unopenable
    assert _open(hub, gao, after, "traces").is_unopenable
    with hub.store.read() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(wrap)) == 0
        slots = connection.scalars(sa.select(recipient.c.slot).where(recipient.c.state == recipients.REMOVED)).all()
    assert slots == [None, None]


def test_drill_opens_what_was_sealed_by_the_recovery_key(hub: Hub, device: Sender, keys: FoundedKeys) -> None:
    _received(device, "a")
    _received(device, "s", confidentiality="strict")
    done = vault.drill(hub.store, _recovering(hub, keys))
    assert (done.given, done.out_of_reach) == (2, 0)
    none = vault.drill(hub.store, _desk(hub, keys.people["mopti"]))
    assert (none.given, none.out_of_reach) == (0, 2)


def test_another_recovery_key_opens_the_old_cases_once_it_was_given_them(
    hub: Hub, device: Sender, keys: FoundedKeys
) -> None:
    _received(device)
    another = add_person(hub, "prêtée")
    public = _public(hub, another.kid)
    with hub.store.write() as connection:
        connection.execute(sa.delete(recipient).where(recipient.c.kid == another.kid))
    keyrings.set_recovery(hub.store, public, hub.clock())

    given = vault.give_recovery_keys(hub.store, _recovering(hub, keys))

    assert (given.given, given.out_of_reach) == (1, 0)
    assert vault.drill(hub.store, _desk(hub, another)).given == 1


def _public(hub: Hub, kid: str) -> bytes:
    with hub.store.read() as connection:
        found = recipients.find(connection, kid)
    assert found is not None
    return from_text(found.public)


def test_handing_on_goes_through_many_complaints(hub: Hub, device: Sender, keys: FoundedKeys) -> None:
    lines = [_sealed(device, n, clear_content()) for n in range(vault.PAGE_PARTS + 3)]
    device.send(*lines)
    late = add_person(hub, "arrivée")
    given = vault.give_keys(hub.store, _recovering(hub, keys), late.actor.id)
    assert (given.given, given.out_of_reach) == (vault.PAGE_PARTS + 3, 0)


def test_log_of_the_vault_names_nobody(hub: Hub, device: Sender, keys: FoundedKeys) -> None:
    gao, complaint = keys.people["gao"], _received(device)
    _assign(hub, gao, complaint, gao)
    _open(hub, gao, complaint, "identity")
    with hub.store.read() as connection:
        written = b"".join(connection.scalars(sa.select(event.c.canonical)))
    assert b"Awa Exemple" not in written
    assert WHY.encode() not in written
