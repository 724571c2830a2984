"""Parts: what arrived of files so far, one file an upload in a folder a device; its length is the offset."""

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from typing import Final

from server import durable
from server.domain.errors import FileBusy, OffsetDiffers

_NAME: Final = re.compile("[0-9a-f-]{32,36}")


@dataclass(frozen=True)
class Part:
    """An upload of a device: how many bytes of it arrived, and when the last did."""

    device: str
    upload: str
    size: int
    at: datetime


class Parts:
    """The parts of all devices, in a folder for its owner alone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, device: str, upload: str) -> Part | None:
        """What arrived of an upload; None where it was not begun."""
        return _part(self._path(device, upload))

    def begin(self, device: str, upload: str) -> None:
        """Make an upload that has no byte yet; one that is there stays as it is."""
        path = self._path(device, upload)
        if path.exists():
            return
        durable.make_folder(path.parent)
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
        durable.sync_folder(path.parent)

    def append(self, device: str, upload: str, offset: int, data: bytes) -> None:
        """Add bytes at the end of what arrived; on disk when this returns.

        Raises OffsetDiffers where that is another place, FileBusy while another request adds to it, and OSError, which
        leaves it as it was. FileNotFoundError where it was not begun.
        """
        with self._held(device, upload) as file:
            size = file.seek(0, os.SEEK_END)
            if size != offset:
                raise OffsetDiffers
            left = memoryview(data)
            try:
                while left:
                    left = left[file.write(left) :]
                os.fsync(file.fileno())
            except OSError:
                file.truncate(size)
                raise

    @contextmanager
    def whole(self, device: str, upload: str) -> Iterator[Path]:
        """The file of an upload, to which nobody adds while the block runs. Raises FileBusy and FileNotFoundError."""
        with self._held(device, upload):
            yield self._path(device, upload)

    def drop(self, device: str, upload: str) -> None:
        """Forget what arrived; no error where nothing did."""
        path = self._path(device, upload)
        path.unlink(missing_ok=True)
        if path.parent.is_dir():
            durable.sync_folder(path.parent)

    def of_device(self, device: str) -> list[Part]:
        """All that is under way of a device."""
        return _parts(self._path(device, "0" * 32).parent)

    def each(self) -> Iterator[Part]:
        """All that is under way."""
        for folder in sorted(self._folder.glob("*")):
            yield from _parts(folder)

    @contextmanager
    def _held(self, device: str, upload: str) -> Iterator[FileIO]:
        with self._path(device, upload).open("r+b", buffering=0) as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise FileBusy from None
            # Closing it lets it go.
            yield file

    def _path(self, device: str, upload: str) -> Path:
        if not (_NAME.fullmatch(device) and _NAME.fullmatch(upload)):
            raise ValueError("no name of ours")
        return self._folder / device / upload


def _parts(folder: Path) -> list[Part]:
    found = (_part(path) for path in sorted(folder.glob("*")) if _NAME.fullmatch(path.name))
    return [each for each in found if each is not None]


def _part(path: Path) -> Part | None:
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    return Part(path.parent.name, path.name, stat.st_size, datetime.fromtimestamp(stat.st_mtime, UTC))
