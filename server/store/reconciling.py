"""Reconciling: no piece that is here without its bytes, no bytes without a piece, and a copy of all beside the
backups, believed only once it was hashed."""

import errno
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256 as hash_of
from pathlib import Path
from typing import Final

from server.domain.evidence import Piece
from server.store import audit, backups, pieces
from server.store.blobs import BlobDiffers, BlobMissing, Blobs, FolderBlobs
from server.store.depot import Depot
from server.store.engine import Store
from server.store.pieces import Unkept

# Beside the backups.
COPIES: Final = "blobs"
_PAGE: Final = 500


@dataclass(frozen=True)
class Repaired:
    """What a repair found: how many pieces are `sound`, `lost` their bytes, and how many blobs were `removed` that
    belonged to none."""

    sound: int
    lost: int
    removed: int


def repair(store: Store, depot: Depot, copies: Blobs | None, actor: str, now: datetime, *, is_deep: bool) -> Repaired:
    """Bring back from `copies` what lost its bytes, await again what has none there either, which devices that have it
    still are then asked for, and remove what belongs to nothing. `is_deep`: every byte is read and hashed.

    Raises OSError, with nothing changed, where the blobs as a whole are not there: a bucket or a disk that is away.
    """
    if next(depot.blobs.each(), None) is None and any(each_page(store)):
        raise OSError(errno.ENODEV, "no blobs at all")
    sound, lost = 0, 0
    for page in each_page(store):
        wrong = [each for each in page if not is_sound(depot.blobs, each, is_deep=is_deep)]
        gone = [each for each in wrong if copies is None or not _bring(each, copies, depot.blobs, depot.folder)]
        lose(store, depot.blobs, gone, actor, now)
        sound, lost = sound + len(page) - len(gone), lost + len(gone)
    depot.blobs.clean(now)
    return Repaired(sound, lost, _remove_strays(store, depot.blobs))


def each_page(store: Store) -> Iterator[list[Piece]]:
    """The pieces that are here, some at a time."""
    after = 0
    while True:
        with store.read() as connection:
            page = pieces.here(connection, after, _PAGE)
        if page:
            yield page
        if len(page) < _PAGE:
            return
        after = page[-1].id


def is_sound(blobs: Blobs, piece: Piece, *, is_deep: bool) -> bool:
    """Whether the bytes of a piece are there; `is_deep`: whether the disk reads them, and they have its hash."""
    if blobs.size(piece.sha256) != piece.size:
        return False
    if not is_deep:
        return True
    digest = hash_of()
    try:
        for chunk in blobs.read(piece.sha256):
            digest.update(chunk)
    except BlobMissing:
        return False
    except OSError as fault:
        if fault.errno == errno.EIO:
            return False
        raise
    return digest.hexdigest() == piece.sha256


def lose(store: Store, blobs: Blobs, gone: Sequence[Piece], actor: str, now: datetime) -> None:
    """Note that bytes of pieces are lost, and await them again; what is left of them must not pass for whole."""
    for each in gone:
        blobs.delete(each.sha256)
    if not gone:
        return
    with store.write() as connection:
        # Some may have been erased since they were looked at.
        still = pieces.locked(connection, [each.id for each in gone])
        pieces.await_again(connection, [each.id for each in still])
        for each in still:
            pieces.note(connection, each.id, "lost", actor, now)
            audit.record(
                connection,
                at=now,
                actor=actor,
                action="piece_lost",
                object=f"complaint:{each.complaint}",
                details={"piece": each.no, "sha256": each.sha256},
            )


def _remove_strays(store: Store, blobs: Blobs) -> int:
    count, batch = 0, []
    for sha256 in blobs.each():
        batch.append(sha256)
        if len(batch) == _PAGE:
            count += _remove_undeclared(store, blobs, batch)
            batch = []
    return count + _remove_undeclared(store, blobs, batch)


def _remove_undeclared(store: Store, blobs: Blobs, hashes: Sequence[str]) -> int:
    # Of what is awaited the bytes may be there a moment before that is noted.
    with store.read() as connection:
        strays = set(hashes) - pieces.declared(connection, hashes)
    for each in strays:
        blobs.delete(each)
    return len(strays)


def remove_unkept(store: Store, depot: Depot, copies: Blobs | None) -> int:
    """Remove what erasures and revisions left behind, also from `copies`; gives how many.

    While these are out of reach, None, all of it is done again by whoever calls next.
    """
    with store.read() as connection:
        gone = pieces.to_remove(connection)
    for each in gone:
        if not _is_awaited(store, each):
            depot.parts.drop(each.device, each.upload)
        remove_unless_kept(store, depot, each.sha256, copies)
    if gone and copies is not None:
        with store.write() as connection:
            pieces.removed(connection, gone)
    return len(gone)


def _is_awaited(store: Store, each: Unkept) -> bool:
    """Whether another complaint of the device declares the same file."""
    with store.read() as connection:
        return pieces.awaits(connection, each.device, each.upload)


def remove_unless_kept(store: Store, depot: Depot, sha256: str, copies: Blobs | None = None) -> None:
    """Remove bytes under which no piece is here."""
    with store.read() as connection:
        if pieces.kept(connection, [sha256]):
            return
    depot.blobs.delete(sha256)
    if copies is not None:
        copies.delete(sha256)


@dataclass(frozen=True)
class Copied:
    """How many files have a sound copy now, and those of which there is none to be had."""

    sound: int
    lost: Sequence[Piece]


def copies_in(folder: Path) -> FolderBlobs:
    """The copies beside the backups in a folder."""
    return FolderBlobs(folder / COPIES)


def within_reach(store: Store, folder: Path) -> FolderBlobs | None:
    """The copies beside the backups; None while the folder is away, which may have some."""
    with store.read() as connection:
        is_any = backups.has_any(connection)
    return copies_in(folder) if folder.is_dir() or not is_any else None


def copy_all(store: Store, source: Blobs, target: Blobs, work: Path) -> Copied:
    """Bring every file that is here from one place to the other, and hash all that are there already."""
    sound, lost = 0, []
    for page in each_page(store):
        for piece in page:
            if _bring(piece, source, target, work):
                sound += 1
            else:
                lost.append(piece)
    return Copied(sound, lost)


def bring_back(store: Store, source: Blobs, target: Blobs, work: Path) -> Copied:
    """As `copy_all`, into a hub that is being restored; what has no sound copy is awaited again."""
    copied = copy_all(store, source, target, work)
    with store.write() as connection:
        pieces.await_again(connection, [each.id for each in copied.lost])
    return copied


def _bring(piece: Piece, source: Blobs, target: Blobs, work: Path) -> bool:
    if is_sound(target, piece, is_deep=True):
        return True
    target.delete(piece.sha256)
    with tempfile.NamedTemporaryFile(dir=work) as draft:
        try:
            for chunk in source.read(piece.sha256):
                draft.write(chunk)
            draft.flush()
            target.put(piece.sha256, Path(draft.name))
        except (BlobMissing, BlobDiffers):
            return False
        except OSError as fault:
            if fault.errno == errno.EIO:
                return False
            raise
    return True
