"""Files that survive a power cut: whole or not at all, and on disk before anybody relies on them."""

import os
from pathlib import Path
from typing import Final

_DRAFT: Final = ".part"


def write(path: Path, data: bytes) -> None:
    """Write a small file, whole or not at all, for its owner alone; on disk when this returns."""
    draft = path.with_name(path.name + _DRAFT)
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Put on disk what was made, renamed or deleted in a folder."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
