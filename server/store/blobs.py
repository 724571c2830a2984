"""Bytes of files under their SHA-256, in a folder: whole or not there, and on disk before anybody relies on them."""

import hashlib
import re
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Protocol

from server import durable

# What is held in memory of a file while it is read or written.
CHUNK_BYTES: Final = 262_144
_SHA256: Final = re.compile("[0-9a-f]{64}")
_DRAFTS: Final = "drafts"
# No put takes so long.
_DRAFT_KEPT: Final = timedelta(days=1)


class BlobDiffers(Exception):
    """What was to be kept under a hash has another one."""


class BlobMissing(Exception):
    """Nothing is kept under this hash."""


class Blobs(Protocol):
    """Where bytes are kept. A hash is 64 lower-case hex digits; ValueError is raised of anything else."""

    def put(self, sha256: str, source: Path) -> None:
        """Keep a copy of a file under its hash; it will outlive a power cut when this returns. Twice changes nothing.

        Raises BlobDiffers where the file has another hash, and OSError where there is no room; neither leaves a blob.
        """

    def read(self, sha256: str) -> Iterator[bytes]:
        """The bytes in chunks, as they are kept: whoever relies on them compares the hash.

        The first chunk raises BlobMissing where nothing is kept under it.
        """

    def size(self, sha256: str) -> int | None:
        """How many bytes are kept under a hash; None: nothing is."""

    def delete(self, sha256: str) -> None:
        """Keep nothing under a hash from here on; no error where nothing was."""

    def each(self) -> Iterator[str]:
        """Every hash under which something is kept, in no order."""

    def clean(self, now: datetime) -> None:
        """Drop what puts left that a kill ended long before `now`."""


class FolderBlobs:
    """Blobs as files `ab/cdef…` of a folder, for its owner alone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, sha256: str, source: Path) -> None:
        """As `Blobs` promises; no two who put the same hash write the same draft."""
        path = self._path(sha256)
        if self.size(sha256) == source.stat().st_size:
            check_hash(sha256, source)
            # Who made it may not have come to this before it was killed.
            durable.sync_folder(path.parent)
            return
        draft = self._folder / _DRAFTS / secrets.token_hex(16)
        durable.make_folder(draft.parent)
        durable.make_folder(path.parent)
        try:
            with durable.writing(draft) as file:
                for chunk in hashed_chunks(sha256, source):
                    file.write(chunk)
            durable.settle(draft, path)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise

    def read(self, sha256: str) -> Iterator[bytes]:
        """As `Blobs` promises."""
        try:
            file = self._path(sha256).open("rb")
        except FileNotFoundError:
            raise BlobMissing(sha256) from None
        with file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk

    def size(self, sha256: str) -> int | None:
        """As `Blobs` promises."""
        try:
            return self._path(sha256).stat().st_size
        except FileNotFoundError:
            return None

    def delete(self, sha256: str) -> None:
        """As `Blobs` promises; the name is off the disk when this returns."""
        path = self._path(sha256)
        try:
            path.unlink()
        except FileNotFoundError:
            return
        durable.sync_folder(path.parent)

    def each(self) -> Iterator[str]:
        """As `Blobs` promises; drafts are none of them."""
        for path in self._folder.glob("[0-9a-f][0-9a-f]/*"):
            sha256 = path.parent.name + path.name
            if _SHA256.fullmatch(sha256):
                yield sha256

    def clean(self, now: datetime) -> None:
        """As `Blobs` promises."""
        for draft in (self._folder / _DRAFTS).glob("*"):
            if datetime.fromtimestamp(draft.stat().st_mtime, UTC) < now - _DRAFT_KEPT:
                draft.unlink(missing_ok=True)

    def _path(self, sha256: str) -> Path:
        checked = checked_hash(sha256)
        return self._folder / checked[:2] / checked[2:]


def checked_hash(sha256: str) -> str:
    """The hash itself; ValueError where it is none, so that no name from outside becomes a path."""
    if not _SHA256.fullmatch(sha256):
        raise ValueError("not 64 lower-case hex digits")
    return sha256


def check_hash(sha256: str, source: Path) -> None:
    """Raise BlobDiffers where a file has another hash."""
    for _ in hashed_chunks(sha256, source):
        pass


def hashed_chunks(sha256: str, source: Path) -> Iterator[bytes]:
    """The bytes of a file in chunks; raises BlobDiffers at their end where they have another hash."""
    digest = hashlib.sha256()
    with source.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
            yield chunk
    if digest.hexdigest() != sha256:
        raise BlobDiffers(sha256)
