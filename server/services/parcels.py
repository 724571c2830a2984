"""Parcels: the frames of one device, brought by another or on a stick, and the reply that goes back (PROTOCOL §6)."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, PublicKey, SealedBox
from nacl.signing import SigningKey, VerifyKey

from client_sync.protocol.canonical import Unreadable, canonical, is_id, parse
from client_sync.protocol.coding import Inflated, inflate
from client_sync.protocol.frames import Frame, from_text, to_text
from client_sync.protocol.orders import reply_digest
from client_sync.protocol.parts import Part, parts_digest, read_parts
from server.domain.errors import DeviceUnconfirmed, ParcelUnreadable
from server.store import audit, devices
from server.store.devices import Device
from server.store.engine import Store

_NUMBER_MAX: Final = 2**31
# The number of a parcel is not signed: what it can make the hub list is bounded.
_MISSING_MAX: Final = 100


@dataclass(frozen=True)
class Parcel:
    """An opened parcel: who made it, its number, the body in it, and the parts of files behind that."""

    device: Device
    number: int
    body: Inflated
    parts: bytes


def open_parcel(store: Store, data: bytes, hub: str, box_key: PrivateKey) -> Parcel:
    """Open a parcel for this hub; raises ParcelUnreadable, or DeviceUnconfirmed when its author is not confirmed yet.

    The box is whole or it does not open: a parcel that lost its end is asked for again, as a file is copied again.
    """
    head, _, box = data.partition(b"\n")
    members = _head(head)
    if members.get("hub") != hub:
        raise ParcelUnreadable
    with store.read() as connection:
        device = devices.find(connection, members["device"])
    if device is None:
        raise ParcelUnreadable
    if device.state == "waiting":
        raise DeviceUnconfirmed
    try:
        opened = SealedBox(box_key).decrypt(box)
        end = members.get("body", len(opened))
        body = inflate(opened[:end], members["coding"], members.get("dictionary"))
    except (CryptoError, Unreadable):
        raise ParcelUnreadable from None
    return Parcel(device, members["parcel"], body, opened[end:])


def of_author(parcel: Parcel, frames: Sequence[Frame]) -> list[Frame]:
    """The frames that the parcel's author signed; raises ParcelUnreadable when there are none.

    Anybody can seal a box for the hub: what a carrier made up must not count as the author's, not even aside.
    """
    key = VerifyKey(from_text(parcel.device.sign_key))
    signed = [frame for frame in frames if frame.is_signed_by(key)]
    if not signed:
        raise ParcelUnreadable
    return signed


def parts_of(parcel: Parcel, frames: Sequence[Frame]) -> Iterator[Part]:
    """The parts of files in a parcel, up to the first thing that is none; none where no frame of its author says so."""
    if not parcel.parts or parts_digest(parcel.parts) not in {frame.header.parts for frame in frames}:
        return
    try:
        yield from read_parts(parcel.parts)
    except Unreadable:
        return


def note(store: Store, parcel: Parcel, carried_by: str, now: datetime) -> list[int]:
    """Note that a parcel arrived; gives the numbers of earlier ones that did not, of the hundred before it."""
    with store.write() as connection:
        devices.note_parcel(connection, parcel.device.id, parcel.number, carried_by, now)
        audit.record(
            connection,
            at=now,
            actor=f"device:{carried_by}",
            action="parcel",
            object=f"device:{parcel.device.id}",
            details={"parcel": parcel.number},
        )
        arrived = set(devices.parcels_of(connection, parcel.device.id))
    earlier = range(max(1, parcel.number - _MISSING_MAX), parcel.number)
    return [number for number in earlier if number not in arrived]


def seal_reply(parcel: Parcel, answer: dict[str, Any], hub: str, sign_key: SigningKey) -> bytes:
    """The answer as a file that only the parcel's author can read, and that only the hub can have made."""
    author = PublicKey(from_text(parcel.device.box_key))
    box = SealedBox(author).encrypt(json.dumps(answer, ensure_ascii=False).encode())
    head = {
        "device": parcel.device.id,
        "hub": hub,
        "parcel": parcel.number,
        "seere_reply": 1,
        "sig": to_text(sign_key.sign(reply_digest(box)).signature),
    }
    return canonical(head) + b"\n" + box


def _head(line: bytes) -> dict[str, Any]:
    try:
        members = parse(line)
    except Unreadable:
        raise ParcelUnreadable from None
    is_parcel = (
        isinstance(members, dict)
        and members.get("seere_parcel") == 1
        and is_id(members.get("device"))
        and type(members.get("parcel")) is int
        and 0 < members["parcel"] < _NUMBER_MAX
        and isinstance(members.get("coding"), str)
        and type(members.get("body", 0)) is int
        and members.get("body", 0) >= 0
    )
    if not is_parcel:
        raise ParcelUnreadable
    return dict(members)
