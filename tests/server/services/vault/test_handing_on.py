"""Handing on: to whom the keys of what is sealed go, to whom not, and that losing a reader loses no case."""

import json
from dataclasses import replace

import pytest
import sqlalchemy as sa
from nacl.public import PrivateKey

from client_sync.protocol.canonical import canonical
from client_sync.protocol.frames import from_text, to_text
from server.domain.errors import NotFound
from server.domain.people import NO_KEYS, HeldKeys
from server.domain.permission import OPERATOR
from server.hub import Hub
from server.services import keyrings
from server.services.accounts import people
from server.services.vault import handing_on, holding, opening
from server.store import recipients
from server.store.schema import recipient, wrap
from tests.builders import (
    FoundedKeys,
    Person,
    Sender,
    add_person,
    an_id,
    clear_content,
    operation,
    publish_keyring,
)
from tests.vault_work import SAID, WHO, assign, at_desk, open_as, opens, received, recovering, sealed


def test_strict_case_is_assigned_to_named_readers_alone(hub: Hub, device: Sender, keys: FoundedKeys) -> None:
    complaint = received(device, confidentiality="strict")
    with pytest.raises(NotFound):
        assign(hub, keys.people["nationale"], complaint, keys.people["gao"])


def test_case_that_became_strict_is_handed_on_to_named_readers_alone(
    hub: Hub, device: Sender, keys: FoundedKeys
) -> None:
    gao, nationale = keys.people["gao"], keys.people["nationale"]
    complaint = received(device)
    assign(hub, gao, complaint, gao)
    strict = clear_content(confidentiality="strict")
    changed = {name: strict[name] for name in ("facts", "statement", "identity")}
    device.send(sealed(device, "r", {"base_revision": 1, "complaint": an_id("a")} | changed, "revision"))

    assert open_as(hub, nationale, complaint, "statement").clear == SAID

    with hub.store.read() as connection:
        assert gao.kid not in connection.scalars(sa.select(wrap.c.kid)).all()


def test_assignment_hands_on_what_the_assigner_can_open_and_no_more(
    hub: Hub, device: Sender, keys: FoundedKeys
) -> None:
    verifier = add_person(hub, "vérificatrice", "verifier")
    complaint = received(device)
    national = keys.people["nationale"]

    closed = handing_on.assign(hub.store, at_desk(hub, national, NO_KEYS), complaint, verifier.actor.id)
    assert (closed.given, closed.out_of_reach) == (0, 1)
    assert open_as(hub, verifier, complaint, "identity").is_unopenable

    again = assign(hub, national, complaint, verifier)
    assert (again.given, again.out_of_reach) == (1, 0)
    assert open_as(hub, verifier, complaint, "identity").clear == WHO


def test_what_comes_after_the_assignment_is_handed_on_when_somebody_opens_it(
    hub: Hub, device: Sender, keys: FoundedKeys
) -> None:
    verifier = add_person(hub, "vérificatrice", "verifier")
    complaint = received(device)
    assign(hub, keys.people["gao"], complaint, verifier)
    about = {"complaint": an_id("a"), "base_revision": 1}
    device.send(sealed(device, "r", about | {"traces": {"clear": {"said": "au marché"}}}, "revision"))

    assert open_as(hub, verifier, complaint, "traces").is_unopenable
    open_as(hub, keys.people["gao"], complaint, "traces")
    assert open_as(hub, verifier, complaint, "traces").clear == {"said": "au marché"}


def test_nobody_assigns_what_they_may_not_handle(hub: Hub, device: Sender, keys: FoundedKeys) -> None:
    complaint = received(device)
    with pytest.raises(NotFound):
        assign(hub, keys.people["mopti"], complaint, keys.people["mopti"])
    with hub.store.read() as connection:
        assert recipients.assigned_to(connection, [complaint]) == {}


def test_key_slipped_under_another_record_is_not_handed_on(hub: Hub, device: Sender, keys: FoundedKeys) -> None:
    """A device that copies the key of somebody else's record into its own must not have it sealed to more readers."""
    received(device, "a")
    [other] = holding.page(hub.store, 0, 9)
    mine = device.seal("b", clear_content())
    stolen = {kid: to_text(key) for kid, key in other.boxes.keys.items()}
    device.send(operation("complaint", "b", mine | {"seal": {"v": 1, "keys": stolen}}))

    verifier = add_person(hub, "vérificatrice", "verifier")
    given = assign(hub, keys.people["nationale"], 2, verifier)

    assert (given.given, given.out_of_reach) == (0, 1)


def _with_junk_for(device: Sender, kid: str) -> bytes:
    """A complaint whose device wrote, beside the id of one reader's key, a box that this key opens to nothing."""
    whole = json.loads(sealed(device, "a", clear_content()))
    assert kid in whole["content"]["seal"]["keys"]
    whole["content"]["seal"]["keys"][kid] = "A" * 107
    return canonical(whole)


def test_junk_beside_a_readers_key_does_not_keep_the_case_from_who_is_assigned(
    hub: Hub, device: Sender, keys: FoundedKeys
) -> None:
    gao, nationale = keys.people["gao"], keys.people["nationale"]
    device.send(_with_junk_for(device, gao.kid))
    assert open_as(hub, gao, 1, "traces").is_unopenable

    given = assign(hub, nationale, 1, gao)

    assert (given.given, given.out_of_reach) == (1, 0)
    assert open_as(hub, gao, 1, "identity").clear == WHO
    again = assign(hub, nationale, 1, gao)
    assert (again.given, again.out_of_reach) == (0, 0)


def test_junk_beside_a_readers_key_is_put_right_by_giving_keys(hub: Hub, device: Sender, keys: FoundedKeys) -> None:
    gao = keys.people["gao"]
    device.send(_with_junk_for(device, gao.kid))
    given = handing_on.give_keys(hub.store, at_desk(hub, keys.people["nationale"]), gao.actor.id)
    assert (given.given, given.out_of_reach) == (1, 0)
    assert opens(hub, gao, 1, "traces")


def test_reset_account_is_handed_nothing_because_a_colleague_opens_what_it_had(
    hub: Hub, device: Sender, keys: FoundedKeys
) -> None:
    """Who resets an account knows its new passphrase: only a colleague's word gives it keys again."""
    gao, nationale, complaint = keys.people["gao"], keys.people["nationale"], received(device)
    offline = PrivateKey.generate()
    kid = keyrings.add_offline(hub.store, gao.actor.id, bytes(offline.public_key), hub.clock())
    assign(hub, nationale, complaint, gao)

    people.reset(hub.store, hub.secrets.totp, OPERATOR, "gao", "mil sorgho riz fonio", hub.clock())
    assert open_as(hub, nationale, complaint, "traces").clear is not None

    with hub.store.read() as connection:
        handed = set(connection.scalars(sa.select(wrap.c.kid)))
        held = {each.kid: each.state for each in recipients.of_account(connection, gao.actor.id)}
        assert recipients.assigned_to(connection, [complaint]) == {}
    assert handed.isdisjoint(held)
    assert sorted(held.values()) == ["current", "removed", "removed"]
    # Neither of the old keys, also in hand or in a file, opens anything here any more.
    old = HeldKeys({**gao.keys.private, kid: bytes(offline)})
    assert opening.open_compartment(hub.store, at_desk(hub, gao, old), complaint, "traces").is_unopenable
    file = opening.hand_over(hub.store, at_desk(hub, nationale), complaint, "traces")
    assert opening.open_file(file, bytes(offline)).is_unopenable


@pytest.mark.parametrize("lost", ["gao", "mopti", "nationale", "recovery"])
def test_losing_any_recipient_loses_no_case(hub: Hub, device: Sender, keys: FoundedKeys, lost: str) -> None:
    cases = [received(device, "a"), received(device, "s", confidentiality="strict")]
    if lost == "recovery":
        assert all(opens(hub, keys.people["nationale"], case, "traces") for case in cases)
        return
    # Reset: the old key is gone, and a new one opens nothing yet.
    person = keys.people[lost]
    expected = [opens(hub, person, case, "traces") for case in cases]
    with hub.store.write() as connection:
        recipients.remove(connection, [person.kid], hub.clock())
    with_new = _with_another_key(hub, person)
    assert not any(opens(hub, with_new, case, "traces") for case in cases)

    handing_on.give_keys(hub.store, recovering(hub, keys), person.actor.id)

    assert [opens(hub, with_new, case, "traces") for case in cases] == expected


def _with_another_key(hub: Hub, person: Person) -> Person:
    """The person with a new key, which the hub knows as theirs."""
    other = add_person(hub, f"autre que {person.actor.id}")
    with hub.store.write() as connection:
        mine = sa.update(recipient).where(recipient.c.kid == other.kid)
        connection.execute(mine.values(account=person.actor.id))
    return replace(person, keys=other.keys)


def test_colleague_hands_on_what_both_may_handle(hub: Hub, device: Sender, keys: FoundedKeys) -> None:
    cases = [received(device, "a"), received(device, "s", confidentiality="strict")]
    late = add_person(hub, "arrivée", regions=["ml-r-gao"])

    given = handing_on.give_keys(hub.store, at_desk(hub, keys.people["nationale"]), late.actor.id)

    assert (given.given, given.out_of_reach) == (1, 0)
    assert [opens(hub, late, case, "traces") for case in cases] == [True, False]


def test_coordinator_of_another_region_hands_on_nothing(hub: Hub, device: Sender, keys: FoundedKeys) -> None:
    received(device)
    late = add_person(hub, "arrivée", regions=["ml-r-gao"])
    given = handing_on.give_keys(hub.store, at_desk(hub, keys.people["mopti"]), late.actor.id)
    assert (given.given, given.out_of_reach) == (0, 0)


def test_new_key_of_a_person_opens_the_old_cases_once_both_were_in_hand(
    hub: Hub, device: Sender, keys: FoundedKeys
) -> None:
    gao, complaint = keys.people["gao"], received(device)
    assert keyrings.rotate(hub.store, gao.actor.id, hub.clock()) == 1
    assert opens(hub, gao, complaint, "traces")
    with_new = _with_another_key(hub, gao)
    assert not opens(hub, with_new, complaint, "traces")

    both = HeldKeys({**gao.keys.private, **with_new.keys.private})
    handing_on.give_keys(hub.store, at_desk(hub, gao, both), gao.actor.id)

    assert opens(hub, with_new, complaint, "traces")


def test_case_opened_by_an_old_key_opens_by_the_new_one_from_then_on(
    hub: Hub, device: Sender, keys: FoundedKeys
) -> None:
    gao, complaint = keys.people["gao"], received(device)
    keyrings.rotate(hub.store, gao.actor.id, hub.clock())
    with_new = _with_another_key(hub, gao)
    open_as(hub, gao, complaint, "traces")
    assert opens(hub, with_new, complaint, "traces")


def test_new_complaints_are_sealed_to_the_new_key_alone(hub: Hub, device: Sender, keys: FoundedKeys) -> None:
    gao = keys.people["gao"]
    keyrings.rotate(hub.store, gao.actor.id, hub.clock())
    with_new = _with_another_key(hub, gao)
    publish_keyring(hub, keys.root)

    complaint = received(device)

    assert not opens(hub, gao, complaint, "traces")
    assert opens(hub, with_new, complaint, "traces")


def test_leaver_opens_nothing_more_and_new_complaints_are_not_sealed_to_them(
    hub: Hub, device: Sender, keys: FoundedKeys
) -> None:
    gao, before = keys.people["gao"], received(device, "a")
    verifier = add_person(hub, "vérificatrice", "verifier")
    assign(hub, gao, before, verifier)
    for leaver in (gao, verifier):
        keyrings.remove(hub.store, leaver.kid, hub.clock())
    publish_keyring(hub, keys.root)
    after = received(device, "b")

    # Also with the private key still in hand, as in a session that was open.
    assert open_as(hub, gao, before, "traces").is_unopenable
    assert open_as(hub, gao, after, "traces").is_unopenable
    with hub.store.read() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(wrap)) == 0
        slots = connection.scalars(sa.select(recipient.c.slot).where(recipient.c.state == recipients.REMOVED)).all()
    assert slots == [None, None]


def test_drill_opens_what_was_sealed_by_the_recovery_key(hub: Hub, device: Sender, keys: FoundedKeys) -> None:
    received(device, "a")
    received(device, "s", confidentiality="strict")
    done = handing_on.drill(hub.store, recovering(hub, keys))
    assert (done.given, done.out_of_reach) == (2, 0)
    none = handing_on.drill(hub.store, at_desk(hub, keys.people["mopti"]))
    assert (none.given, none.out_of_reach) == (0, 2)


def test_another_recovery_key_opens_the_old_cases_once_it_was_given_them(
    hub: Hub, device: Sender, keys: FoundedKeys
) -> None:
    received(device)
    another = add_person(hub, "prêtée")
    public = _public(hub, another.kid)
    with hub.store.write() as connection:
        connection.execute(sa.delete(recipient).where(recipient.c.kid == another.kid))
    keyrings.set_recovery(hub.store, public, hub.clock())

    given = handing_on.give_recovery_keys(hub.store, recovering(hub, keys))

    assert (given.given, given.out_of_reach) == (1, 0)
    assert handing_on.drill(hub.store, at_desk(hub, another)).given == 1


def _public(hub: Hub, kid: str) -> bytes:
    with hub.store.read() as connection:
        found = recipients.find(connection, kid)
    assert found is not None
    return from_text(found.public)


def test_handing_on_goes_through_many_complaints(hub: Hub, device: Sender, keys: FoundedKeys) -> None:
    lines = [sealed(device, n, clear_content()) for n in range(handing_on.PAGE_PARTS + 3)]
    device.send(*lines)
    late = add_person(hub, "arrivée")
    given = handing_on.give_keys(hub.store, recovering(hub, keys), late.actor.id)
    assert (given.given, given.out_of_reach) == (handing_on.PAGE_PARTS + 3, 0)
