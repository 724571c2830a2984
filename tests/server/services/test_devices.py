"""Devices by hand: codes for one use, six words, revocation, and more room for a backlog."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from nacl.public import PrivateKey
from nacl.signing import SigningKey, VerifyKey

from client_sync.protocol.canonical import canonical
from client_sync.protocol.enrolment import code_words, fingerprint, grouped_code, proof_digest
from client_sync.protocol.frames import from_text, to_text
from client_sync.protocol.keyring import key_id
from client_sync.protocol.orders import administrator_digest, order_digest
from server.domain.allowance import Refill
from server.domain.errors import AdministratorUnknown, DeviceUnconfirmed, DeviceUnknown, EnrolmentRefused, NotFound
from server.hub import Hub
from server.services import devices
from server.services.devices import Admission, Application, Invitation
from server.store import schema
from tests.builders import ADMINISTRATOR, NOW, Sender, application, complaint, verdicts

# Minutes from 1970 to NOW.
ORDER_NO = 29_920_924
REFILL = Refill(100, 10**6, 10, 10**5)


def _invite(hub: Hub, **options: Any) -> Invitation:
    return devices.invite(hub.store, NOW, **{"label": "Gao 1", "valid_hours": 72} | options)


def _enrol(hub: Hub, code: str, key: SigningKey | None = None, later: float = 0, **members: Any) -> Admission:
    sent = application(code, key or SigningKey.generate(), PrivateKey.generate()) | members
    fields = {"software": None, "succeeds": None} | sent
    return devices.enrol(hub.store, Application(**fields), NOW + timedelta(hours=later), REFILL)


def test_code_is_accepted_as_shown_in_groups_and_as_words(hub: Hub) -> None:
    for write in (lambda code: code, grouped_code, lambda code: " ".join(code_words(code)), str.lower):
        invitation = _invite(hub)
        key, box = SigningKey.generate(), PrivateKey.generate()
        sent = application(invitation.code, key, box) | {"code": write(invitation.code)}
        admitted = devices.enrol(hub.store, Application(**sent, software=None, succeeds=None), NOW, REFILL)
        assert devices.find(hub.store, admitted.device).state == "waiting"


def test_code_is_kept_only_as_a_hash(hub: Hub) -> None:
    code = _invite(hub).code
    with hub.store.read() as connection:
        kept = connection.execute(sa.select(schema.enrolment)).all()
    assert code not in str(kept)


def test_code_serves_one_device(hub: Hub) -> None:
    code = _invite(hub).code
    _enrol(hub, code)
    with pytest.raises(EnrolmentRefused):
        _enrol(hub, code)


def test_code_that_ran_out_is_refused_like_a_wrong_one(hub: Hub) -> None:
    refusals = []
    for code, later in ((_invite(hub).code, 72.1), ("0" * 20, 0)):
        with pytest.raises(EnrolmentRefused) as refused:
            _enrol(hub, code, later=later)
        refusals.append((str(refused.value), refused.value.values))
    assert refusals[0] == refusals[1]


def test_key_that_is_not_held_is_refused(hub: Hub) -> None:
    other = application("0" * 20, SigningKey.generate(), PrivateKey.generate())
    with pytest.raises(EnrolmentRefused):
        _enrol(hub, _invite(hub).code, sign_key=other["sign_key"])


# 0, 1 and a point of order 8, by which every exchange gives the same: nothing sealed to them is secret.
_LOW_ORDER = (
    bytes(32),
    b"\1" + bytes(31),
    bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
)


@pytest.mark.parametrize("box_key", _LOW_ORDER, ids=["0", "1", "order 8"])
def test_box_key_that_keeps_no_secret_is_refused(hub: Hub, box_key: bytes) -> None:
    code, key = _invite(hub).code, SigningKey.generate()
    proof = key.sign(proof_digest(code, bytes(key.verify_key), box_key)).signature
    with pytest.raises(EnrolmentRefused):
        _enrol(hub, code, key, box_key=to_text(box_key), proof=to_text(proof))


def test_wrong_code_is_refused_while_another_writes(own_hub: Hub) -> None:
    with ThreadPoolExecutor(1) as pool, own_hub.store.write():
        refused = pool.submit(_enrol, own_hub, "0" * 20)
        with pytest.raises(EnrolmentRefused):
            refused.result(timeout=30)


def test_device_waits_for_its_words_and_then_has_the_token(hub: Hub) -> None:
    key = SigningKey.generate()
    admitted = _enrol(hub, _invite(hub).code, key)
    with pytest.raises(DeviceUnconfirmed):
        devices.authenticate(hub.store, admitted.token)
    device = devices.find(hub.store, admitted.device)
    hub_key = bytes(hub.identity.sign_key.verify_key)
    expected = fingerprint(hub_key, from_text(admitted.root), bytes(key.verify_key), from_text(device.box_key))
    assert devices.words_of(hub.store, device, hub.identity.sign_key) == expected
    devices.confirm(hub.store, admitted.device, NOW)
    assert devices.authenticate(hub.store, admitted.token).id == admitted.device
    with pytest.raises(DeviceUnknown):
        devices.authenticate(hub.store, admitted.token + "x")


def test_words_of_another_key_are_others(hub: Hub) -> None:
    found = [devices.find(hub.store, _enrol(hub, _invite(hub).code).device) for _ in range(2)]
    words = [devices.words_of(hub.store, device, hub.identity.sign_key) for device in found]
    assert words[0] != words[1]


def test_device_is_found_by_id_number_and_label(hub: Hub) -> None:
    admitted = _enrol(hub, _invite(hub, label="Ménaka 7").code)
    device = devices.find(hub.store, admitted.device)
    for name in (f"M-{device.number}", str(device.number), "Ménaka 7"):
        assert devices.find(hub.store, name) == device
    with pytest.raises(NotFound):
        devices.find(hub.store, "M-999999")


def test_successor_joins_the_lineage_that_its_code_names(hub: Hub, enrol: Any) -> None:
    first: Sender = enrol("Gao 1", team="gao")
    second: Sender = enrol("Gao 1 bis", succeeds=first)
    assert (second.lineage, second.device != first.device) == (first.lineage, True)
    with pytest.raises(NotFound):
        _invite(hub, succeeds="00000000-0000-4000-8000-000000000000")
    code = _invite(hub, succeeds=first.device).code
    with pytest.raises(EnrolmentRefused):
        _enrol(hub, code, succeeds=second.device)


def test_successor_works_for_the_team_and_partner_of_the_device_it_replaces(hub: Hub) -> None:
    first = _enrol(hub, _invite(hub, team="gao", partner="ami").code)
    second = _enrol(hub, _invite(hub, succeeds=first.device).code)
    third = _enrol(hub, _invite(hub, succeeds=first.device, team="mopti").code)
    assert [(each.team, each.partner) for each in (second, third)] == [("gao", "ami"), ("mopti", "ami")]


@pytest.mark.parametrize("kind", ["revoke", "wipe"])
def test_revoked_device_gets_a_signed_order(hub: Hub, device: Sender, kind: str) -> None:
    if kind == "wipe":
        devices.wipe(hub.store, device.device, NOW, hub.identity.sign_key, ADMINISTRATOR, reason="saisi")
    else:
        devices.revoke(hub.store, device.device, NOW, hub.identity.sign_key, reason="perdu")
    answer = device.send(complaint("late"))
    [order] = answer["orders"]
    assert (order["order"]["kind"], order["order"]["device"], order["order"]["no"]) == (kind, device.device, ORDER_NO)
    digest = order_digest(canonical(order["order"]))
    assert VerifyKey(bytes(hub.identity.sign_key.verify_key)).verify(digest, from_text(order["sig"]))
    assert [verdict.code for verdict in verdicts(answer)] == ["device_revoked"]


def test_wipe_is_signed_by_the_administrator_too_over_what_the_hub_signs(hub: Hub, device: Sender) -> None:
    devices.wipe(hub.store, device.device, NOW, hub.identity.sign_key, ADMINISTRATOR, reason="saisi")
    [signed] = device.send()["orders"]
    by = signed["order"].pop("by")
    assert by["kid"] == key_id(bytes(ADMINISTRATOR.verify_key))
    assert ADMINISTRATOR.verify_key.verify(administrator_digest(canonical(signed["order"])), from_text(by["sig"]))


def test_wipe_by_a_key_that_devices_do_not_know_changes_nothing(hub: Hub, device: Sender) -> None:
    with pytest.raises(AdministratorUnknown):
        devices.wipe(
            hub.store, device.device, NOW, hub.identity.sign_key, SigningKey.generate(), reason="saisi"
        )
    assert devices.find(hub.store, device.device).state == "ready"
    assert "orders" not in device.send()


def test_wipe_is_in_the_log_under_the_administrator(hub: Hub, device: Sender) -> None:
    devices.wipe(hub.store, device.device, NOW, hub.identity.sign_key, ADMINISTRATOR, reason="saisi")
    kid = key_id(bytes(ADMINISTRATOR.verify_key))
    with hub.store.read() as connection:
        told = sa.select(schema.event.c.actor, schema.event.c.action)
        last = told.where(schema.event.c.object == f"device:{device.device}").order_by(schema.event.c.place.desc())
        assert connection.execute(last.limit(1)).one() == (f"administrator:{kid}", "wipe")


def test_revocation_keeps_since_when_the_device_is_suspect(hub: Hub, device: Sender) -> None:
    since = NOW - timedelta(days=3)
    devices.revoke(hub.store, device.device, NOW, hub.identity.sign_key, reason="saisi", suspect_since=since)
    assert devices.find(hub.store, device.device).suspect_since == since


def test_backlog_is_let_in_until_its_day(hub: Hub, device: Sender) -> None:
    devices.set_burst(hub.store, device.device, 50_000, NOW + timedelta(days=7), NOW)
    found = devices.find(hub.store, device.device)
    assert (found.burst_records, found.burst_until) == (50_000, NOW + timedelta(days=7))
    with pytest.raises(NotFound):
        devices.set_burst(hub.store, "nobody", 1, NOW, NOW)
