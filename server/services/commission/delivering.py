"""Delivering: a sealed file goes to its destination, whole and once: to a folder that somebody names, or an address."""

import errno
import hashlib
import os
import shutil
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from server import durable
from server.domain.errors import PackageRefused
from server.services.commission.road import PATIENT, Patience, Road
from server.store.packages import Series

_PIECE_BYTES: Final = 2**20
_KEY_CHARS: Final = 16
_TAKEN: Final = frozenset({200, 201, 202})
# What stands against writing to a folder; anything else is the disk itself.
_FAULTS: Final[Mapping[int, str]] = {
    errno.ENOSPC: "folder_full",
    errno.EDQUOT: "folder_full",
    # What a stick formatted as FAT says of more than 4 GiB.
    errno.EFBIG: "folder_full",
    errno.EACCES: "folder_closed",
    errno.EPERM: "folder_closed",
    errno.EROFS: "folder_closed",
    errno.ENOENT: "folder_not_there",
    errno.ENOTDIR: "folder_not_there",
    errno.ENODEV: "folder_not_there",
}


@dataclass(frozen=True)
class Outgoing:
    """A sealed file as it leaves: where it is kept, its SHA-256 in hexadecimal digits, the number of its package."""

    path: Path
    digest: str
    number: str


def to_folder(file: Outgoing, folder: Path) -> bool:
    """Copy a file to a folder or a stick, under its own name, and read it back; whether it was there before.

    It is on that disk when this returns, whole or not at all. Raises PackageRefused: `file_missing` and `file_differs`
    where what is kept is not what was sealed, `folder_not_there`, `folder_closed`, `folder_full`, `folder_failed`, and
    `name_taken` where another file has that name there.
    """
    _check(file)
    with _refusing(folder):
        if not folder.is_dir():
            raise PackageRefused(fault="folder_not_there", folder=str(folder))
        target = folder / file.path.name
        was_there = os.path.lexists(target)
        if was_there and (not target.is_file() or _digest(target) != file.digest):
            raise PackageRefused(fault="name_taken", folder=str(folder), name=target.name)
        if not was_there:
            _copy(file.path, target)
        _settle(target)
        if _digest(target) != file.digest:
            target.unlink()
            raise PackageRefused(fault="folder_failed", folder=str(folder))
    return was_there


def to_address(file: Outgoing, series: Series, patience: Patience = PATIENT) -> None:
    """Send a file to the address of a series; returns once the destination said that it has that very file.

    Sent again, it goes under the same key, by which the destination knows that it is the same. Raises PackageRefused:
    as `to_folder` for the file, `address`, `receiver_unproven`, `receiver_away`, `receiver_refuses` with the `status`,
    and `receiver_differs` where it says to have something else.
    """
    _check(file)
    headers = {
        "Content-Type": "application/octet-stream",
        "Accept": "application/json",
        "Idempotency-Key": f"{file.number}-{file.digest[:_KEY_CHARS]}",
        # RFC 9530, a dictionary of byte sequences (RFC 8941 §3.3.5).
        "Content-Digest": f"sha-256=:{b64encode(bytes.fromhex(file.digest)).decode()}:",
    }
    with Road(series.address, series.pin, patience) as road:
        said = road.post(file.path, headers)
    if said.status not in _TAKEN:
        raise PackageRefused(fault="receiver_refuses", status=said.status)
    members = said.members()
    has = members if isinstance(members, dict) else {}
    if (has.get("package"), str(has.get("file_sha256")).lower()) != (file.number, file.digest):
        raise PackageRefused(fault="receiver_differs")


def _check(file: Outgoing) -> None:
    """Raises PackageRefused unless what is kept is what was sealed."""
    try:
        is_same = _digest(file.path) == file.digest
    except FileNotFoundError:
        raise PackageRefused(fault="file_missing", number=file.number) from None
    if not is_same:
        raise PackageRefused(fault="file_differs", number=file.number)


def _copy(source: Path, target: Path) -> None:
    with source.open("rb") as read, durable.writing(target) as written:
        shutil.copyfileobj(read, written, _PIECE_BYTES)
        # Whoever carries it need not be who the hub runs as. A stick may know no owners at all.
        with suppress(PermissionError):
            os.fchmod(written.fileno(), 0o644)


def _settle(target: Path) -> None:
    """Have a file and its name on disk, whoever wrote it, and nothing of it in memory: it is read back from there."""
    with target.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    durable.sync_folder(target.parent)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _refusing(folder: Path) -> Iterator[None]:
    """Say what stands against a folder, as a person can put it right."""
    try:
        yield
    except OSError as error:
        fault = _FAULTS.get(error.errno or 0, "folder_failed")
        raise PackageRefused(fault=fault, folder=str(folder)) from error
