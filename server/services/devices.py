"""Devices: enrolment by a one-time code, confirmation by six words, revocation, limits, orders."""

import hashlib
import json
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import uuid4

import sqlalchemy as sa
from nacl.exceptions import CryptoError
from nacl.public import PublicKey, SealedBox
from nacl.signing import SigningKey, VerifyKey

from client_sync.protocol import keyring
from client_sync.protocol.enrolment import CODE_ALPHABET, CODE_CHARS, fingerprint, normal_code, proof_digest
from client_sync.protocol.frames import from_text
from client_sync.protocol.orders import administrator_signature, order_body, order_number, sign_order
from server.domain.allowance import Refill
from server.domain.errors import (
    AdministratorUnknown,
    DeviceUnconfirmed,
    DeviceUnknown,
    EnrolmentRefused,
    KeyringMissing,
    NotFound,
)
from server.domain.permission import OPERATOR, Actor, permit
from server.store import audit, devices, recipients
from server.store.devices import Enrolment, Order
from server.store.engine import Store
from server.store.recipients import Published

Device = devices.Device
KEY_BYTES: Final = 32


@dataclass(frozen=True)
class Invitation:
    """A one-time code as shown once; only its hash is kept."""

    code: str
    label: str
    expires_at: datetime


@dataclass(frozen=True)
class Application:
    """What a new device sends: its code, keys and the proof that it holds them."""

    code: str
    sign_key: str
    box_key: str
    proof: str
    software: str | None
    succeeds: str | None


@dataclass(frozen=True)
class Admission:
    """What a new device is given; the token is kept as a hash. `keyring` is the signed one that stands.

    `root` is the public key that signed it, as text: the device pins it.
    """

    device: str
    lineage: str
    token: str
    team: str | None
    partner: str | None
    root: str
    keyring: bytes


def invite(
    store: Store,
    now: datetime,
    *,
    label: str,
    valid_hours: int,
    team: str | None = None,
    partner: str | None = None,
    succeeds: str | None = None,
    by: Actor = OPERATOR,
) -> Invitation:
    """Make a one-time code for a device to be called `label`; `succeeds` is the device it replaces.

    Team and partner that are not given are those of the device replaced. Raises NotFound when there is no
    such device or `by` manages none, and KeyringMissing: without a keyring a device can seal nothing.
    """
    _check_manager(by)
    code = "".join(secrets.choice(CODE_ALPHABET) for _ in range(CODE_CHARS))
    expires_at = now + timedelta(hours=valid_hours)
    with store.write() as connection:
        _standing_keyring(connection)
        replaced = None if succeeds is None else _known(connection, succeeds)
        devices.add_enrolment(
            connection,
            {
                "code_hash": _hashed(code),
                "label": label,
                "team": team or (replaced and replaced.team),
                "partner": partner or (replaced and replaced.partner),
                "succeeds": succeeds,
                "made_at": now,
                "expires_at": expires_at,
            },
        )
        audit.record(connection, at=now, actor=by.signature, action="invite", object="enrolment")
    return Invitation(code, label, expires_at)


def withdraw(store: Store, code_hash: str, now: datetime, by: Actor) -> None:
    """Let a one-time code be of no use any more. Raises NotFound, also once a device used it."""
    _check_manager(by)
    with store.write() as connection:
        if not devices.drop_enrolment(connection, code_hash):
            raise NotFound(object="enrolment")
        audit.record(connection, at=now, actor=by.signature, action="withdraw_invitation", object="enrolment")


def scanned(invitation: Invitation, address: str) -> str:
    """What a device reads from a picture of the code: that and the hub's address, as JSON."""
    return json.dumps({"code": invitation.code, "url": address})


def enrol(store: Store, application: Application, now: datetime, refill: Refill) -> Admission:
    """Admit a device that has the code and holds its keys; it waits until its words are confirmed.

    A device that lost the answer may ask again with the same keys, until then.
    Raises EnrolmentRefused, in one way for every cause.
    """
    code = _proven_code(application)
    token = secrets.token_urlsafe(KEY_BYTES)
    id = str(uuid4())
    # First without the right to write: guessers of codes must not hold up those who sync.
    with store.read() as connection:
        _valid(devices.enrolment_of(connection, _hashed(code)), now)
    with store.write() as connection:
        invitation = _valid(devices.take_enrolment(connection, _hashed(code)), now)
        if invitation.used_by is not None:
            return _admit_again(connection, invitation, application, token, now)
        lineage = _lineage_for(connection, invitation, application, id)
        devices.add(connection, _new_device(id, lineage, token, invitation, application, now, refill))
        devices.use_enrolment(connection, invitation.code_hash, id)
        audit.record(connection, at=now, actor=f"device:{id}", action="enrol", object=f"device:{id}")
        # After the device is there: a keyring published from now on is ordered for it.
        published = _standing_keyring(connection)
    scope = invitation.team, invitation.partner
    return Admission(id, lineage, token, *scope, published.root, published.document)


def authenticate(store: Store, token: str) -> Device:
    """The device with this token; raises DeviceUnknown, or DeviceUnconfirmed before its words were confirmed."""
    with store.read() as connection:
        device = devices.by_token(connection, _hashed(token))
    if device is None:
        raise DeviceUnknown
    if device.state == "waiting":
        raise DeviceUnconfirmed
    return device


def words_of(store: Store, device: Device, hub_sign_key: SigningKey) -> list[str]:
    """The six words that both sides show for the device. Raises KeyringMissing."""
    with store.read() as connection:
        root = from_text(_standing_keyring(connection).root)
    device_keys = from_text(device.sign_key), from_text(device.box_key)
    return fingerprint(bytes(hub_sign_key.verify_key), root, *device_keys)


def confirm(store: Store, device_id: str, now: datetime, by: Actor = OPERATOR) -> None:
    """Let a device sync, once `by`, who manages devices, heard its six words. Raises NotFound."""
    _check_manager(by)
    with store.write() as connection:
        device = _known(connection, device_id)
        if device.state == "waiting":
            devices.update(connection, device.id, state="ready", confirmed_at=now)
        audit.record(connection, at=now, actor=by.signature, action="confirm", object=f"device:{device.id}")


def revoke(
    store: Store,
    device_id: str,
    now: datetime,
    sign_key: SigningKey,
    *,
    reason: str,
    suspect_since: datetime | None = None,
    by: Actor = OPERATOR,
) -> None:
    """Revoke a device: what it still pushes is kept aside, and only a signed order comes down.

    Raises NotFound, also where `by` manages none.
    """
    _check_manager(by)
    with store.write() as connection:
        device = _revoked(connection, device_id, suspect_since or now, now)
        _give_order(connection, device, sign_key, "revoke", now)
        audit.record(
            connection, at=now, actor=by.signature, action="revoke", object=f"device:{device.id}", reason=reason
        )


def wipe(
    store: Store,
    device_id: str,
    now: datetime,
    sign_key: SigningKey,
    administrator: SigningKey,
    *,
    reason: str,
    suspect_since: datetime | None = None,
) -> None:
    """Revoke a device and order it to wipe itself, by the word of an administrator whom devices know.

    What only the device has it keeps, sends on and lets go of when that is in a backup. Raises NotFound, and
    AdministratorUnknown for a key that the keyring that stands does not name: no device would obey it.
    """
    public = bytes(administrator.verify_key)
    with store.write() as connection:
        published = _standing_keyring(connection)
        if public not in keyring.read(published.document, from_text(published.root)).administrators:
            raise AdministratorUnknown(kid=keyring.key_id(public))
        device = _revoked(connection, device_id, suspect_since or now, now)
        _give_order(connection, device, sign_key, "wipe", now, administrator)
        audit.record(
            connection,
            at=now,
            actor=f"administrator:{keyring.key_id(public)}",
            action="wipe",
            object=f"device:{device.id}",
            reason=reason,
        )


def set_burst(store: Store, device_id: str, records: int, until: datetime, now: datetime) -> None:
    """Let a device send `records` at once, until a day, for a backlog. Raises NotFound."""
    with store.write() as connection:
        device = _known(connection, device_id)
        left = max(device.records_left, float(records))
        devices.update(connection, device.id, burst_records=records, burst_until=until, records_left=left)
        audit.record(connection, at=now, actor=OPERATOR.signature, action="limit", object=f"device:{device.id}")


def listed(store: Store) -> list[Device]:
    """Every device, in the order of enrolment."""
    with store.read() as connection:
        return devices.listed(connection)


def with_id(store: Store, id: str) -> Device:
    """The device with this id. Raises NotFound."""
    with store.read() as connection:
        return _known(connection, id)


def find(store: Store, name: str) -> Device:
    """The device called `name`: its id, its number (`M-14` or `14`), or its label. Raises NotFound."""
    with store.read() as connection:
        device = devices.called(connection, name)
    if device is None:
        raise NotFound(object=name)
    return device


def _check_manager(by: Actor) -> None:
    if not permit(by, "manage_devices"):
        raise NotFound(object="device")


def _standing_keyring(connection: sa.Connection) -> Published:
    published = recipients.newest(connection)
    if published is None:
        raise KeyringMissing
    return published


def _known(connection: sa.Connection, device_id: str) -> Device:
    device = devices.find(connection, device_id)
    if device is None:
        raise NotFound(object=device_id)
    return device


def _revoked(connection: sa.Connection, device_id: str, suspect_since: datetime, now: datetime) -> Device:
    device = _known(connection, device_id)
    devices.update(connection, device.id, state="revoked", revoked_at=now, suspect_since=suspect_since)
    return device


def _give_order(
    connection: sa.Connection,
    device: Device,
    sign_key: SigningKey,
    kind: str,
    now: datetime,
    administrator: SigningKey | None = None,
) -> None:
    no = order_number(devices.last_orders(connection, [device.id]).get(device.id, 0), now)
    body = order_body(kind, device.id, no, now)
    if administrator is not None:
        body |= {"by": administrator_signature(body, administrator)}
    devices.add_orders(connection, [(device.id, Order(no, kind, body, sign_order(body, sign_key)))], now)


def _valid(invitation: Enrolment | None, now: datetime) -> Enrolment:
    if invitation is None or invitation.expires_at < now:
        raise EnrolmentRefused
    return invitation


def _proven_code(application: Application) -> str:
    keys = [from_text(application.sign_key), from_text(application.box_key)]
    if any(len(key) != KEY_BYTES for key in keys):
        raise EnrolmentRefused
    try:
        code = normal_code(application.code)
        VerifyKey(keys[0]).verify(proof_digest(code, *keys), from_text(application.proof))
        # A key of low order is refused here, and not each time that something is sealed to it.
        SealedBox(PublicKey(keys[1])).encrypt(b"")
    except (CryptoError, ValueError):
        raise EnrolmentRefused from None
    return code


def _admit_again(
    connection: sa.Connection, invitation: Enrolment, application: Application, token: str, now: datetime
) -> Admission:
    """The same admission under a new token: no other device can prove that it holds these keys."""
    device = _known(connection, invitation.used_by or "")
    is_same = (device.sign_key, device.box_key) == (application.sign_key, application.box_key)
    if not is_same or device.state != "waiting":
        raise EnrolmentRefused
    devices.update(connection, device.id, token_hash=_hashed(token))
    audit.record(connection, at=now, actor=f"device:{device.id}", action="enrol_again", object=f"device:{device.id}")
    published = _standing_keyring(connection)
    scope = device.team, device.partner
    return Admission(device.id, device.lineage, token, *scope, published.root, published.document)


def _lineage_for(connection: sa.Connection, invitation: Enrolment, application: Application, device_id: str) -> str:
    """The lineage of the device that it replaces, where operator and device name the same one; else a new one.

    A device that goes on with what it sent before must not be given a lineage that does not know it.
    """
    if application.succeeds not in (None, invitation.succeeds):
        raise EnrolmentRefused
    if invitation.succeeds is None:
        devices.add_lineage(connection, device_id, invitation.team)
        return device_id
    return _known(connection, invitation.succeeds).lineage


def _new_device(
    id: str,
    lineage: str,
    token: str,
    invitation: Enrolment,
    application: Application,
    now: datetime,
    refill: Refill,
) -> dict[str, Any]:
    return {
        "id": id,
        "lineage": lineage,
        "label": invitation.label,
        "team": invitation.team,
        "partner": invitation.partner,
        "state": "waiting",
        "sign_key": application.sign_key,
        "box_key": application.box_key,
        "token_hash": _hashed(token),
        "succeeds": invitation.succeeds,
        "software": application.software,
        "enrolled_at": now,
        "records_left": float(refill.burst_records),
        "bytes_left": float(refill.burst_bytes),
        "refilled_at": now,
    }


def _hashed(secret: str) -> str:
    """SHA-256 of a random secret of at least 100 bits: no slow hash is needed."""
    return hashlib.sha256(secret.encode()).hexdigest()
