"""Files that survive a power cut: whole or not at all, and on disk before anybody relies on them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

DRAFT: Final = ".part"


def write(path: Path, data: bytes) -> None:
    """Write a small file, whole or not at all, for its owner alone; on disk when this returns."""
    with writing(path) as file:
        file.write(data)


@contextmanager
def writing(path: Path) -> Iterator[BinaryIO]:
    """A file to be written in the block, for its owner alone: whole and on disk when that ends well, else not there.

    A draft that a kill left is written over.
    """
    made = _draft_of(path)
    made.unlink(missing_ok=True)
    with _drafting(made) as file:
        yield file
    try:
        settle(made, path)
    except BaseException:
        made.unlink(missing_ok=True)
        raise


def draft(path: Path, data: bytes) -> Path:
    """Write what is to be a file beside it, for its owner alone; on disk when this returns, and what `settle` takes.

    Raises FileExistsError where such a draft is there, and OSError where the disk fails, which then leaves none.
    """
    made = _draft_of(path)
    with _drafting(made) as file:
        file.write(data)
    return made


def settle(draft: Path, path: Path) -> None:
    """Give a draft its name; on disk when this returns."""
    draft.replace(path)
    sync_folder(path.parent)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it that are missing, for its owner alone; on disk when this returns."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)
    sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Put on disk what was made, renamed or deleted in a folder."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _draft_of(path: Path) -> Path:
    return path.with_name(path.name + DRAFT)


@contextmanager
def _drafting(made: Path) -> Iterator[BinaryIO]:
    descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        sync_folder(made.parent)
    except BaseException:
        made.unlink(missing_ok=True)
        raise
