"""Parcels: operations, and parts of files, that somebody else carries to the hub, and the sealed reply (PROTOCOL §6,
§9.4)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from errno import errorcode
from typing import Any, Final

from nacl.exceptions import BadSignatureError, CryptoError
from nacl.public import PublicKey, SealedBox
from nacl.signing import VerifyKey

from client_sync.answers import HubAnswer, read_answer
from client_sync.bodies import BODY_MOST_BYTES, Body, gather, gather_parts
from client_sync.errors import (
    HubBusy,
    HubRefuses,
    LinkCut,
    NotAnAnswer,
    NothingToSend,
    ParcelForAnotherHub,
    ParcelUnreadable,
    ReplyForAnotherDevice,
    StoreFailed,
)
from client_sync.files import Packed
from client_sync.obedience import obey
from client_sync.outbox import Applied, Outbox
from client_sync.protocol.canonical import Unreadable, canonical, is_id, parse
from client_sync.protocol.coding import DICTIONARY_ID
from client_sync.protocol.frames import from_text
from client_sync.protocol.orders import reply_digest
from client_sync.protocol.parts import Part, parts_digest, write_parts
from client_sync.protocol.uploads import DAMAGED
from client_sync.tables import Carried, Enrolled
from client_sync.transport import HttpTransport

_PARCEL: Final = "seere_parcel"
_REPLY: Final = "seere_reply"
_VERSION: Final = 1


@dataclass(frozen=True)
class CarriedParcel:
    """A parcel of another device was taken on board: it goes with the next sync."""

    device: str
    parcel: int


@dataclass(frozen=True)
class AppliedReply:
    """A reply to one of our parcels was applied.

    `missing` are numbers of earlier parcels that the hub has not seen; nothing is lost by it, what was in
    them still waits here. `orders` are the kinds of orders obeyed.
    """

    parcel: int
    applied: Applied
    missing: tuple[int, ...]
    orders: tuple[str, ...]


def write_parcel(outbox: Outbox, *, now: datetime, version: str) -> bytes:
    """A file with what still waits here, about 1 MiB of it compressed, that only the hub can open.

    It all keeps waiting until an answer comes, by whatever way. Raises NotEnrolled, and NothingToSend.
    """
    outbox.require_enrolled()
    if not outbox.waiting():
        raise NothingToSend
    body = gather(outbox, now, version, most_bytes=_PARCEL_MOST_BYTES)
    return _sealed_parcel(outbox, outbox.carrying.take_number(), body)


@dataclass(frozen=True)
class FileParcel:
    """A parcel with parts of files, and which they are: to be noted as packed once it is written."""

    number: int
    data: bytes
    packed: tuple[Packed, ...]


def write_file_parcels(
    outbox: Outbox, *, now: datetime, version: str, most_bytes: int, again: bool = False
) -> Iterator[FileParcel]:
    """Parcels with the next `most_bytes` of the files that wait, in the order in which they are to be read.

    What the next medium holds begins where the last parcel noted as packed ended; with `again`, where the hub was
    when it was last heard of. Raises NotEnrolled and NothingToSend at once, StoreFailed for a file that can't be read.
    """
    outbox.require_enrolled()
    packed = outbox.files.to_pack(_PARTS_MOST_BYTES, most_bytes, again=again)
    if not packed:
        raise NothingToSend
    return (_file_parcel(outbox, group, now, version) for group in _grouped(packed))


def _grouped(packed: Sequence[Packed]) -> Iterator[tuple[Packed, ...]]:
    group: tuple[Packed, ...] = ()
    for each in packed:
        if group and sum(part.size for part in group) + each.size > _PARTS_MOST_BYTES:
            yield group
            group = ()
        group += (each,)
    yield group


def _file_parcel(outbox: Outbox, packed: tuple[Packed, ...], now: datetime, version: str) -> FileParcel:
    parts = write_parts(Part(each.sha256, each.offset, _read(each)) for each in packed)
    body = gather_parts(outbox, now, version, parts_digest(parts))
    number = outbox.carrying.take_number()
    return FileParcel(number, _sealed_parcel(outbox, number, body, parts), packed)


def _read(packed: Packed) -> bytes:
    try:
        with packed.path.open("rb") as file:
            file.seek(packed.offset)
            data = file.read(packed.size)
    except OSError as error:
        raise StoreFailed(reason=errorcode.get(error.errno or 0, "-")) from error
    if len(data) < packed.size:
        raise StoreFailed(reason=DAMAGED)
    return data


def _sealed_parcel(outbox: Outbox, number: int, body: Body, parts: bytes = b"") -> bytes:
    enrolled = outbox.require_enrolled()
    head: dict[str, Any] = {
        "coding": body.coding,
        "count": body.records,
        "device": enrolled.device,
        "hub": enrolled.hub,
        "parcel": number,
        _PARCEL: _VERSION,
    }
    if body.coding == "zstd":
        head["dictionary"] = DICTIONARY_ID
    if parts:
        head["body"] = len(body.data)
    return canonical(head) + b"\n" + SealedBox(PublicKey(enrolled.hub_box_key)).encrypt(body.data + parts)


def read_parcel_file(outbox: Outbox, data: bytes, *, now: datetime) -> CarriedParcel | AppliedReply:
    """Take in a file from somebody else: carry another device's parcel, or apply a reply to ours.

    Doing it again changes nothing, but for a parcel that the hub refused: that one goes once more. Raises
    ParcelUnreadable, ParcelForAnotherHub, ReplyForAnotherDevice and NotEnrolled.
    """
    enrolled = outbox.require_enrolled()
    head, box = _opened(data)
    if head["hub"] != enrolled.hub:
        raise ParcelForAnotherHub
    if head.get(_PARCEL) == _VERSION:
        outbox.carrying.keep(head["device"], head["parcel"], data)
        return CarriedParcel(head["device"], head["parcel"])
    if head["device"] != enrolled.device:
        raise ReplyForAnotherDevice(device=head["device"])
    return _apply_reply(outbox, head["parcel"], _unsealed(enrolled, head, box), now)


def post_carried(outbox: Outbox, transport: HttpTransport) -> int:
    """Post the parcels carried for others and keep the replies; gives how many the hub took.

    One that the hub does not take is kept with the code of why, and the next one is posted. Raises LinkCut and
    NotAnAnswer, with what was posted before that kept.
    """
    token = outbox.require_enrolled().token
    waiting = (each for each in outbox.carrying.each() if each.reply is None and each.refused not in _REFUSED_FOR_GOOD)
    return sum(_post(outbox, transport, carried, token) for carried in waiting)


def replies_to_hand_back(outbox: Outbox) -> list[Carried]:
    """Carried parcels that the hub answered: `reply` is the file for `device`, to drop once it has it."""
    return [carried for carried in outbox.carrying.each() if carried.reply is not None]


# Twice what a sync at its best sends at once: a file has no link to break, yet has to fit a small phone.
_PARCEL_MOST_BYTES: Final = 2 * BODY_MOST_BYTES
# A carrier posts a parcel in one request: at 60 kbit/s it then takes a minute.
_PARTS_MOST_BYTES: Final = 448 * 2**10
# What is sealed in the file: it would cost its way up at every sync and never be taken.
_REFUSED_FOR_GOOD: Final = frozenset({"body_empty", "body_unreadable", "body_too_large", "frame_version"})


def _post(outbox: Outbox, transport: HttpTransport, carried: Carried, token: str) -> bool:
    try:
        reply = transport.parcel(carried.data, token)
        _check_reply(carried, reply)
    except (LinkCut, NotAnAnswer) as problem:
        # Should it be this parcel that never gets through, the others are tried before it next time.
        outbox.carrying.note_refused(carried, problem.code)
        raise
    except (HubRefuses, HubBusy) as refusal:
        _set_aside(outbox, carried, refusal.code)
        return False
    outbox.carrying.keep_reply(carried, reply)
    return True


def _set_aside(outbox: Outbox, carried: Carried, code: str) -> None:
    if code == ParcelUnreadable.code:
        # Damaged on its way to us: its author still has all that is in it.
        outbox.carrying.drop(carried)
    else:
        outbox.carrying.note_refused(carried, code)


def _check_reply(carried: Carried, reply: bytes) -> None:
    """Raises NotAnAnswer for what is no reply to this parcel."""
    try:
        head, _ = _opened(reply)
    except ParcelUnreadable:
        raise NotAnAnswer from None
    if (head["device"], head["parcel"], head.get(_REPLY)) != (carried.device, carried.parcel, _VERSION):
        raise NotAnAnswer


def _opened(data: bytes) -> tuple[dict[str, Any], bytes]:
    """The first line and the box of a parcel or a reply."""
    line, _, box = data.partition(b"\n")
    try:
        head = parse(line)
    except Unreadable:
        raise ParcelUnreadable from None
    if not isinstance(head, dict) or _VERSION not in (head.get(_PARCEL), head.get(_REPLY)):
        raise ParcelUnreadable
    if not (is_id(head.get("device")) and is_id(head.get("hub")) and isinstance(head.get("parcel"), int)):
        raise ParcelUnreadable
    return head, box


def _unsealed(enrolled: Enrolled, head: dict[str, Any], box: bytes) -> HubAnswer:
    """The answer in a reply, when our hub signed it."""
    try:
        VerifyKey(enrolled.hub_sign_key).verify(reply_digest(box), from_text(head.get("sig")))
        return read_answer(parse(SealedBox(enrolled.keys.box).decrypt(box)))
    except (BadSignatureError, CryptoError, ValueError, Unreadable, NotAnAnswer):
        raise ParcelUnreadable from None


def _apply_reply(outbox: Outbox, parcel: int, answer: HubAnswer, now: datetime) -> AppliedReply:
    applied = Applied(0, 0, 0, 0, 0, 0, frozenset())
    known = outbox.link.epoch
    # A reply that took the long way may come from before a restore that we heard of since: it proves nothing now.
    if answer.epoch == known or outbox.carrying.epoch_of(parcel) == known:
        applied = outbox.apply(answer, now)
        outbox.files.note_needed(answer.need)
    orders = obey(outbox, answer.orders)
    return AppliedReply(parcel, applied, answer.missing_parcels, tuple(orders))
