"""Receiving files: which are wanted of a device, and how they arrive, part by part, until they are whole
(PROTOCOL §9)."""

import errno
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from client_sync.protocol.limits import NEED_MAX
from client_sync.protocol.uploads import KINDS, TOO_LARGE, turn, upload_id
from server.domain.errors import (
    FileDiffers,
    FilesTooMany,
    FileTooLarge,
    FileUnwanted,
    OffsetDiffers,
    SeereError,
    StorageFailed,
    StorageFull,
)
from server.domain.evidence import Piece, State
from server.store import audit, changes, devices, pieces, reconciling
from server.store.blobs import BlobDiffers
from server.store.depot import Depot
from server.store.devices import Device
from server.store.engine import Store
from server.store.reconciling import Repaired

log = logging.getLogger(__name__)

KEPT_FOR: Final = timedelta(days=30)
# As many as a device is told of at once; it sends two at a time.
PARTS_MOST: Final = NEED_MAX
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@dataclass(frozen=True)
class Standing:
    """An upload: how much of its `size` in bytes is here, and until when that is kept; None once it is whole."""

    upload: str
    offset: int
    size: int
    expires_at: datetime | None


@dataclass(frozen=True)
class Sender:
    """A device that sends files: where they go, and when it is."""

    store: Store
    depot: Depot
    device: Device
    at: datetime


def needed(sender: Sender) -> list[dict[str, Any]]:
    """The member `need`: what the device is still to send, in the order in which that is wanted."""
    if sender.device.state != "ready":
        return []
    with sender.store.read() as connection:
        wanted = pieces.wanted(connection, sender.device.id, KINDS, NEED_MAX)
    parts = {each.upload: each.size for each in sender.depot.parts.of_device(sender.device.id)} if wanted else {}
    return [{"sha256": each.sha256, "offset": min(parts.get(each.upload, 0), each.size)} for each in wanted]


def begin(sender: Sender, sha256: str, size: int) -> Standing:
    """Begin the upload of a file of `size` bytes, or find it begun.

    Raises FileUnwanted, FileTooLarge, which is noted where the file as declared is over a limit, FilesTooMany, and
    StorageFull.
    """
    piece = _declared(sender, upload_id(sender.device.id, sha256))
    if size != piece.size:
        raise FileTooLarge
    if piece.state == "awaited" and sender.depot.parts.find(sender.device.id, piece.upload) is None:
        _refuse_over(sender, piece)
        with _disk():
            sender.depot.parts.begin(sender.device.id, piece.upload)
    return _standing(sender, piece)


def standing(sender: Sender, upload: str) -> Standing:
    """How an upload stands. Raises FileUnwanted, also for one that was not begun."""
    return _standing(sender, _declared(sender, upload))


def add(sender: Sender, upload: str, offset: int, data: bytes) -> Standing:
    """Add bytes to an upload, and take the file in when it is whole; all is on disk when this returns.

    Raises FileUnwanted, OffsetDiffers, FileBusy, FileTooLarge for bytes beyond its end, FileDiffers for a whole that is
    not what was declared, of which nothing is kept, StorageFull and StorageFailed.
    """
    piece = _declared(sender, upload)
    before = _standing(sender, piece)
    if before.offset != offset:
        raise OffsetDiffers
    if offset + len(data) > piece.size:
        raise FileTooLarge
    if data:
        _refuse_when_full(sender.depot, len(data))
        try:
            with _disk():
                sender.depot.parts.append(sender.device.id, upload, offset, data)
        except FileNotFoundError:
            # Dropped, or taken in, by another request just now.
            raise FileUnwanted from None
    return _standing(sender, piece)


def drop(sender: Sender, upload: str) -> None:
    """Forget what arrived of a file. Raises FileUnwanted."""
    piece = _declared(sender, upload)
    sender.depot.parts.drop(sender.device.id, piece.upload)


def take_part(sender: Sender, sha256: str, offset: int, data: bytes) -> None:
    """Add what is new of bytes that a parcel brought; nothing of them where they leave a gap or aren't wanted."""
    try:
        with sender.store.read() as connection:
            found = pieces.of_upload(connection, sender.device.id, upload_id(sender.device.id, sha256))
        if not found:
            return
        stands = begin(sender, sha256, found[0].size)
        if offset <= stands.offset < offset + len(data):
            add(sender, stands.upload, stands.offset, data[stands.offset - offset :])
    except (StorageFull, StorageFailed):
        raise
    except SeereError as refused:
        # Its place in `need`, or a change, says what became of it.
        log.info("part_passed_over", extra={"code": refused.code})


def expire(store: Store, depot: Depot, now: datetime) -> int:
    """Drop the parts to which nothing was added for long, and those that nothing awaits; gives how many.

    What arrived whole and was not taken in, since the hub was killed, is taken in.
    """
    dropped = 0
    for part in list(depot.parts.each()):
        with store.read() as connection:
            is_awaited = pieces.awaits(connection, part.device, part.upload)
            device = devices.find(connection, part.device)
            found = pieces.of_upload(connection, part.device, part.upload)
        if is_awaited and device is not None and found and part.size >= found[0].size:
            _take_in_quietly(Sender(store, depot, device, now), found[0])
        elif not is_awaited or part.at + KEPT_FOR < now:
            depot.parts.drop(part.device, part.upload)
            dropped += 1
    return dropped


def _declared(sender: Sender, upload: str) -> Piece:
    """What the upload is for. Raises FileUnwanted."""
    if sender.device.state != "ready":
        raise FileUnwanted
    with sender.store.read() as connection:
        found = pieces.of_upload(connection, sender.device.id, upload)
    # Two complaints may declare the same file: one that still awaits it goes before.
    for state in ("awaited", "here"):
        for piece in found:
            if piece.state == state:
                return piece
    raise FileTooLarge if found else FileUnwanted


def _standing(sender: Sender, piece: Piece) -> Standing:
    """How the upload stands, once what is whole was taken in."""
    if piece.state == "here":
        return Standing(piece.upload, piece.size, piece.size, None)
    part = sender.depot.parts.find(sender.device.id, piece.upload)
    if part is None:
        raise FileUnwanted
    if part.size >= piece.size:
        _take_in(sender, piece)
        with sender.store.read() as connection:
            after = pieces.find(connection, piece.id)
        if after is None or after.state != "here":
            # Dropped by another request, or erased of another complaint, at this very moment.
            raise FileUnwanted
        return Standing(piece.upload, piece.size, piece.size, None)
    return Standing(piece.upload, part.size, piece.size, part.at + KEPT_FOR)


def _take_in(sender: Sender, piece: Piece) -> None:
    """Keep a whole file, say so to its device, and let go of its part. Raises FileDiffers, with the part dropped."""
    parts, blobs = sender.depot.parts, sender.depot.blobs
    try:
        with _disk(), parts.whole(piece.device, piece.upload) as path:
            blobs.put(piece.sha256, path)
            if not _settle(sender, piece, "here"):
                # Erased, or left out of a revision, while it came.
                reconciling.remove_unless_kept(sender.store, sender.depot, piece.sha256)
            parts.drop(piece.device, piece.upload)
    except FileNotFoundError:
        # Another request took it in just now.
        return
    except BlobDiffers:
        parts.drop(piece.device, piece.upload)
        raise FileDiffers from None
    if blobs.size(piece.sha256) is None:
        # Erased of another complaint at this very moment.
        _await_again(sender, piece)


def _take_in_quietly(sender: Sender, piece: Piece) -> None:
    try:
        _take_in(sender, piece)
    except SeereError as refused:
        log.info("part_passed_over", extra={"code": refused.code})


def _settle(sender: Sender, piece: Piece, state: State, fault: str = "") -> list[Piece]:
    """Note what became of a file, of every complaint that awaits it of this device, and tell the device."""
    with sender.store.write() as connection:
        devices.lock_lineage(connection, sender.device.lineage)
        settled = pieces.settle(connection, piece, state, sender.at, fault)
        said = {"sha256": piece.sha256, "state": state} | ({"code": fault} if fault else {})
        names = pieces.client_ids(connection, {each.complaint for each in settled})
        for each in settled:
            # Who sent it is told, also of a complaint that a colleague's device made.
            changes.append(connection, sender.device.lineage, "file", names[each.complaint], said, sender.at)
        by = f"device:{piece.device}"
        for each in settled if state == "here" else ():
            pieces.note(connection, each.id, "received", by, sender.at)
        if settled:
            _log(connection, settled, by, state, sender.at)
    return settled


def _log(connection: sa.Connection, settled: list[Piece], by: str, state: State, at: datetime) -> None:
    for each in settled:
        audit.record(
            connection,
            at=at,
            actor=by,
            action=f"piece_{state}",
            object=f"complaint:{each.complaint}",
            details={"piece": each.no, "sha256": each.sha256},
        )


def _await_again(sender: Sender, piece: Piece) -> None:
    with sender.store.write() as connection:
        found = pieces.of_upload(connection, piece.device, piece.upload)
        pieces.await_again(connection, [each.id for each in found if each.state == "here"])


def _refuse_over(sender: Sender, piece: Piece) -> None:
    """Raises FileTooLarge, which the device is told for good, FilesTooMany and StorageFull."""
    limits, under_way = sender.depot.limits, [each.upload for each in sender.depot.parts.of_device(piece.device)]
    everybodys = [each.upload for each in sender.depot.parts.each()]
    with sender.store.read() as connection:
        beside = pieces.of_complaints(connection, [piece.complaint])[piece.complaint]
        sizes = pieces.sizes_of(connection, everybodys)
    if piece.size > limits.file or _with_those_before(piece, beside) > limits.complaint:
        _settle(sender, piece, "refused", TOO_LARGE)
        raise FileTooLarge
    # Whoever has begun may end: what counts is what was declared.
    own = sum(sizes.get(upload, 0) for upload in under_way)
    if len(under_way) >= PARTS_MOST or own + piece.size > limits.device_parts:
        raise FilesTooMany
    if sum(sizes.values()) + piece.size > limits.parts:
        raise StorageFull
    _refuse_when_full(sender.depot, piece.size)


def _with_those_before(piece: Piece, beside: Sequence[Piece]) -> int:
    """Bytes of a piece and of all of its complaint that go before it: over a limit, what is wanted least stays out."""
    place = (*turn(piece.kind, piece.size), piece.id)
    before = (each for each in beside if each.state != "refused" and (*turn(each.kind, each.size), each.id) <= place)
    return sum(each.size for each in before)


def _refuse_when_full(depot: Depot, size: int) -> None:
    """Raises StorageFull before the last of the room is gone: the texts need it more."""
    if depot.free_bytes() < depot.limits.spared + size:
        raise StorageFull


@contextmanager
def _disk() -> Iterator[None]:
    """Faults of the disk in the words of the wire; a file that is not there is the caller's to know."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise (StorageFull if error.errno in _FULL else StorageFailed) from error


def repair(store: Store, depot: Depot, backups: Path, actor: str, now: datetime, *, is_deep: bool) -> Repaired:
    """Bring pieces and bytes into line: drop what expired and what is to be removed, also from the copies in the folder
    of `backups`, await again what was lost. `is_deep`: every byte is hashed."""
    with _disk():
        copies = reconciling.within_reach(store, backups)
        expire(store, depot, now)
        reconciling.remove_unkept(store, depot, copies)
        _find_again(store, depot, now)
        return reconciling.repair(store, depot, copies, actor, now, is_deep=is_deep)


def _find_again(store: Store, depot: Depot, now: datetime) -> None:
    """Take in what was lost and is there again: a disk or a bucket that was away."""
    with store.read() as connection:
        lost = pieces.lost(connection)
    for piece in lost:
        with store.read() as connection:
            device = devices.find(connection, piece.device)
        if device is not None and reconciling.is_sound(depot.blobs, piece, is_deep=True):
            _settle(Sender(store, depot, device, now), piece, "here")
