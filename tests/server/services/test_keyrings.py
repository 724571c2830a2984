"""Keyrings: who is in them, who may sign them, and how every device gets the newest and no other."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from nacl.public import PrivateKey
from nacl.signing import SigningKey, VerifyKey

from client_sync.protocol import keyring
from client_sync.protocol.canonical import canonical
from client_sync.protocol.frames import from_text
from client_sync.protocol.keyring import Keyring, Policy
from client_sync.protocol.orders import order_digest
from server.commands.terms import terms_of
from server.domain.errors import KeyInUse, KeyringMissing, KeyringUnfit, KeyUnknown, NotFound, RecoveryMissing
from server.hub import Hub
from server.services import devices, keyrings
from server.services.keyrings import Administrators
from server.store import recipients
from tests.builders import (
    NOW,
    Clock,
    FoundedKeys,
    Sender,
    add_person,
    an_id,
    enrolled,
    found_keyring,
    open_bare_hub,
    publish_keyring,
)


@pytest.fixture
def hub(hub_url: str, tmp_path: Path) -> Iterator[Hub]:
    """A hub without keys."""
    opened = open_bare_hub(hub_url, tmp_path, Clock())
    yield opened
    opened.close()


@pytest.fixture
def keys(hub: Hub) -> FoundedKeys:
    return found_keyring(hub)


def _draft(hub: Hub, root: bytes | None = None, **options: Any) -> Keyring:
    public = None if root is None else bytes(SigningKey(root).verify_key)
    return keyrings.draft(hub.store, terms_of(hub), NOW, root=public, **options)


def _publish(hub: Hub, document: bytes, **options: Any) -> int:
    return keyrings.publish(hub.store, document, terms_of(hub), hub.identity.sign_key, NOW, **options)


def _ordered(device: Sender, **header: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = device.send(**header).get("orders", [])
    return found


def test_keyring_names_coordinators_with_their_scope_and_nobody_else(hub: Hub) -> None:
    gao = add_person(hub, "gao", regions=["ml-r-gao"], teams=["gao"])
    named = add_person(hub, "lectrice", is_named_reader=True)
    others = [add_person(hub, role, role) for role in ("verifier", "monitor", "administrator", "auditor")]
    keys = found_keyring(hub, gao, named)

    made = keyrings.current(hub.store)

    found = {each.kid: (each.regions, each.teams, each.is_named_reader, each.is_recovery) for each in made.recipients}
    [recovery] = keys.recovery_keys.private
    assert found == {
        gao.kid: (("ml-r-gao",), ("gao",), False, False),
        named.kid: ((), (), True, False),
        recovery: ((), (), False, True),
    }
    assert not {each.kid for each in others} & found.keys()
    assert made.linkage == bytes(PrivateKey(hub.secrets.linkage).public_key)


@pytest.mark.parametrize(
    ("settings", "policy"),
    [
        ({"seal_statement": "all", "strict_offline": "yes"}, Policy("all", strict_offline=True)),
        ({"seal_statement": "strict"}, Policy("strict")),
    ],
)
def test_keyring_says_what_the_settings_decide(hub: Hub, settings: dict[str, str], policy: Policy) -> None:
    decided = replace(hub, settings=replace(hub.settings, **settings))
    assert terms_of(decided).policy == policy


def test_statements_are_all_sealed_where_the_database_is_not_encrypted_by_us(hub: Hub) -> None:
    assert terms_of(hub).policy.seal_statement == ("all" if hub.settings.database else "strict")


def test_no_keyring_without_a_recovery_key(hub: Hub) -> None:
    add_person(hub, "gao")
    with pytest.raises(RecoveryMissing):
        _draft(hub, bytes(SigningKey.generate()))


def test_first_keyring_needs_to_know_its_root_and_the_next_ones_keep_it(hub: Hub) -> None:
    keyrings.set_recovery(hub.store, bytes(PrivateKey.generate().public_key), NOW)
    with pytest.raises(KeyringUnfit) as refused:
        _draft(hub)
    assert refused.value.values == {"fault": "root"}
    root = bytes(SigningKey.generate())
    publish_keyring(hub, root)
    assert _draft(hub).root == bytes(SigningKey(root).verify_key)


def test_hub_without_a_keyring_invites_nobody(hub: Hub) -> None:
    with pytest.raises(KeyringMissing):
        devices.invite(hub.store, NOW, label="Gao 1", valid_hours=72)
    found_keyring(hub)
    assert devices.invite(hub.store, NOW, label="Gao 1", valid_hours=72).label == "Gao 1"


def test_device_is_admitted_with_the_keyring_and_the_root_that_signed_it(hub: Hub, keys: FoundedKeys) -> None:
    device = enrolled(hub, "Gao 1")
    assert keyring.read(device.admission.keyring, from_text(device.admission.root)) == keyrings.current(hub.store)
    assert from_text(device.admission.root) == bytes(SigningKey(keys.root).verify_key)


def test_new_keyring_is_ordered_once_for_each_device_that_is_trusted(hub: Hub, keys: FoundedKeys) -> None:
    first, gone = enrolled(hub, "Gao 1"), enrolled(hub, "Gao 2")
    devices.revoke(hub.store, gone.device, NOW, hub.identity.sign_key, reason="perdu")
    add_person(hub, "gao")
    publish_keyring(hub, keys.root)
    add_person(hub, "mopti")
    newest = publish_keyring(hub, keys.root)

    [order] = _ordered(first)

    body = order["order"]
    VerifyKey(bytes(hub.identity.sign_key.verify_key)).verify(
        order_digest(canonical(body)), from_text(order["sig"])
    )
    assert (body["kind"], body["device"]) == ("keyring", first.device)
    assert keyring.read(canonical(body["keyring"]), newest.root) == newest
    assert newest.version == 3
    assert _ordered(first, order=body["no"]) == []
    assert [each["order"]["kind"] for each in _ordered(gone)] == ["revoke"]


def test_order_numbers_rise_also_where_the_hub_forgot_the_last(hub: Hub, keys: FoundedKeys) -> None:
    device = enrolled(hub, "Gao 1")
    publish_keyring(hub, keys.root)
    [first] = _ordered(device)
    publish_keyring(hub, keys.root)
    [second] = _ordered(device)
    assert first["order"]["no"] < second["order"]["no"]
    # As from a backup of before the first order, an hour later.
    with hub.store.write() as connection:
        devices.devices.drop_orders(connection, "keyring")
    hub.clock.pass_(hours=1)  # type: ignore[attr-defined]
    publish_keyring(hub, keys.root)
    [third] = _ordered(device)
    assert second["order"]["no"] < third["order"]["no"]


def test_keyring_of_another_root_is_not_published_unless_that_is_said(hub: Hub, keys: FoundedKeys) -> None:
    assert keys
    another = bytes(SigningKey.generate())
    document = keyrings.signed(_draft(hub, another), another)
    with pytest.raises(KeyringUnfit) as refused:
        _publish(hub, document)
    assert refused.value.values == {"fault": "signature"}
    assert keyrings.current(hub.store).version == 1

    assert _publish(hub, document, is_new_root=True) == 2


def test_draft_is_not_signed_by_another_root_than_it_names(hub: Hub, keys: FoundedKeys) -> None:
    assert keys
    with pytest.raises(KeyringUnfit):
        keyrings.signed(_draft(hub), bytes(SigningKey.generate()))


@pytest.mark.parametrize("document", [b"", b"{}", b"[]", b'{"keyring":[]}', b'{"keyring":{"root":7}}'])
def test_what_is_no_keyring_is_not_published(hub: Hub, document: bytes) -> None:
    with pytest.raises(KeyringUnfit):
        _publish(hub, document)
    with pytest.raises(KeyringMissing):
        keyrings.current(hub.store)


def test_keyring_is_published_once(hub: Hub, keys: FoundedKeys) -> None:
    document = keyrings.signed(_draft(hub), keys.root)
    _publish(hub, document)
    with pytest.raises(KeyringUnfit) as refused:
        _publish(hub, document)
    assert refused.value.values == {"fault": "version"}


def test_draft_made_before_somebody_left_is_not_published(hub: Hub, keys: FoundedKeys) -> None:
    document = keyrings.signed(_draft(hub), keys.root)
    keyrings.remove(hub.store, keys.people["nationale"].kid, NOW)
    with pytest.raises(KeyringUnfit) as refused:
        _publish(hub, document)
    assert refused.value.values == {"fault": "stale"}


def test_keyring_is_behind_once_a_scope_or_a_decision_changed(hub: Hub, keys: FoundedKeys) -> None:
    terms = terms_of(hub)
    assert not keyrings.is_behind(hub.store, terms)
    assert keyrings.is_behind(hub.store, replace(terms, policy=Policy("all", strict_offline=True)))
    keyrings.rotate(hub.store, keys.people["nationale"].actor.id, NOW)
    assert keyrings.is_behind(hub.store, terms)


def test_administrators_come_and_go_with_the_signature_of_the_root(hub: Hub, keys: FoundedKeys) -> None:
    first, second = bytes(SigningKey.generate().verify_key), bytes(SigningKey.generate().verify_key)
    _publish(hub, keyrings.signed(_draft(hub, administrators=Administrators(frozenset({first}))), keys.root))
    changed = Administrators(gained=frozenset({second}), lost=frozenset({first}))
    known = set(keyrings.current(hub.store).administrators)
    assert first in known
    assert set(_draft(hub).administrators) == known
    assert set(_draft(hub, administrators=changed).administrators) == (known - {first}) | {second}


def test_version_goes_on_above_what_devices_may_have(hub: Hub, keys: FoundedKeys) -> None:
    assert keys
    assert _draft(hub).version == 2
    assert _draft(hub, after=7).version == 8


def test_faults_name_the_readers_that_are_missing(hub: Hub) -> None:
    add_person(hub, "gao", regions=["ml-r-gao"])
    keyrings.set_recovery(hub.store, bytes(PrivateKey.generate().public_key), NOW)
    root = bytes(SigningKey.generate())
    assert keyrings.faults(_draft(hub, root)) == ["national", "named"]
    add_person(hub, "nationale")
    assert keyrings.faults(_draft(hub, root)) == ["named"]
    add_person(hub, "lectrice", is_named_reader=True)
    assert keyrings.faults(_draft(hub, root)) == []


def test_offline_key_of_a_coordinator_is_sealed_to_like_the_one_on_the_hub(hub: Hub, keys: FoundedKeys) -> None:
    public = bytes(PrivateKey.generate().public_key)
    national = keys.people["nationale"].actor.id
    kid = keyrings.add_offline(hub.store, national, public, NOW)
    publish_keyring(hub, keys.root)

    [found] = [each for each in keyrings.current(hub.store).recipients if each.kid == kid]
    assert (found.held, found.is_named_reader, found.public) == ("offline", True, public)
    with pytest.raises(KeyInUse):
        keyrings.add_offline(hub.store, national, public, NOW)
    with pytest.raises(NotFound):
        keyrings.add_offline(hub.store, an_id("nobody"), bytes(PrivateKey.generate().public_key), NOW)


def test_key_is_removed_once(hub: Hub, keys: FoundedKeys) -> None:
    kid = keys.people["nationale"].kid
    keyrings.remove(hub.store, kid, NOW)
    for unknown in (kid, "0" * 16):
        with pytest.raises(KeyUnknown):
            keyrings.remove(hub.store, unknown, NOW)


def test_list_of_keys_says_whose_they_are_and_which_are_in_the_keyring(hub: Hub, keys: FoundedKeys) -> None:
    assert keys
    add_person(hub, "mopti")
    keyrings.set_recovery(hub.store, bytes(PrivateKey.generate().public_key), NOW)

    found = sorted((key.name, key.held, key.state, key.in_keyring) for key in keyrings.listed(hub.store))

    assert found == [
        ("", "offline", "current", False),
        ("", "offline", "old", True),
        ("mopti", "hub", "current", False),
        ("nationale", "hub", "current", True),
    ]


def test_recovery_key_that_was_replaced_is_kept_for_what_it_opens(hub: Hub, keys: FoundedKeys) -> None:
    keyrings.set_recovery(hub.store, bytes(PrivateKey.generate().public_key), NOW)
    [old] = keys.recovery_keys.private
    with hub.store.read() as connection:
        found = recipients.find(connection, old)
    assert found is not None
    assert (found.state, found.is_recovery) == ("old", True)
