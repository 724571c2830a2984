"""Files that survive a power cut: whole or not at all, and on disk before anybody relies on them."""

import os
from pathlib import Path
from typing import Final

_DRAFT: Final = ".part"


def write(path: Path, data: bytes) -> None:
    """Write a small file, whole or not at all, for its owner alone; on disk when this returns."""
    path.with_name(path.name + _DRAFT).unlink(missing_ok=True)
    settle(draft(path, data), path)


def draft(path: Path, data: bytes) -> Path:
    """Write what is to be a file beside it, for its owner alone; on disk when this returns, and what `settle` takes.

    Raises FileExistsError where such a draft is there, and OSError where the disk fails, which then leaves none.
    """
    made = path.with_name(path.name + _DRAFT)
    descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        sync_folder(path.parent)
    except BaseException:
        made.unlink(missing_ok=True)
        raise
    return made


def settle(draft: Path, path: Path) -> None:
    """Give a draft its name; on disk when this returns."""
    draft.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Put on disk what was made, renamed or deleted in a folder."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
