"""Parts: the length of a file is the offset; two who add at once, a full disk, and names from outside."""

import fcntl
from pathlib import Path

import pytest

from server.domain.errors import FileBusy, OffsetDiffers
from server.store.parts import Parts

DEVICE = "0b1c2d3e-0000-4000-8000-000000000001"
UPLOAD = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def parts(tmp_path: Path) -> Parts:
    return Parts(tmp_path / "parts")


def test_bytes_are_added_at_the_end_and_nowhere_else(parts: Parts, tmp_path: Path) -> None:
    assert parts.find(DEVICE, UPLOAD) is None
    parts.begin(DEVICE, UPLOAD)
    parts.append(DEVICE, UPLOAD, 0, b"abc")
    parts.begin(DEVICE, UPLOAD)
    parts.append(DEVICE, UPLOAD, 3, b"de")
    for offset in (0, 4, 6):
        with pytest.raises(OffsetDiffers):
            parts.append(DEVICE, UPLOAD, offset, b"x")
    with parts.whole(DEVICE, UPLOAD) as path:
        assert path.read_bytes() == b"abcde"
        assert path.stat().st_mode & 0o077 == path.parent.stat().st_mode & 0o077 == 0
    [part] = parts.of_device(DEVICE)
    assert (part.device, part.upload, part.size) == (DEVICE, UPLOAD, 5)
    assert list(parts.each()) == [part]


def test_one_adds_at_a_time(parts: Parts) -> None:
    parts.begin(DEVICE, UPLOAD)
    with parts.whole(DEVICE, UPLOAD):
        with pytest.raises(FileBusy):
            parts.append(DEVICE, UPLOAD, 0, b"abc")
    parts.append(DEVICE, UPLOAD, 0, b"abc")


def test_what_does_not_fit_is_not_there(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    parts.begin(DEVICE, UPLOAD)
    parts.append(DEVICE, UPLOAD, 0, b"abc")

    def refuse(_: int) -> None:
        raise OSError(28, "no room")

    monkeypatch.setattr("server.store.parts.os.fsync", refuse)
    with pytest.raises(OSError, match="no room"):
        parts.append(DEVICE, UPLOAD, 3, b"de")
    part = parts.find(DEVICE, UPLOAD)
    assert part is not None
    assert part.size == 3


def test_what_was_dropped_is_forgotten(parts: Parts) -> None:
    parts.drop(DEVICE, UPLOAD)
    parts.begin(DEVICE, UPLOAD)
    parts.drop(DEVICE, UPLOAD)
    assert list(parts.each()) == []
    with pytest.raises(FileNotFoundError):
        parts.append(DEVICE, UPLOAD, 0, b"abc")


@pytest.mark.parametrize("name", ["..", "../../hub.db", "a/b", "", "0" * 31, "G" * 32])
def test_no_name_from_outside_becomes_a_path(parts: Parts, name: str) -> None:
    for device, upload in ((name, UPLOAD), (DEVICE, name)):
        with pytest.raises(ValueError, match="no name"):
            parts.begin(device, upload)


def test_lock_is_that_of_the_file_so_that_processes_see_it(parts: Parts) -> None:
    parts.begin(DEVICE, UPLOAD)
    with parts.whole(DEVICE, UPLOAD) as path, path.open("rb") as another:
        with pytest.raises(BlockingIOError):
            fcntl.flock(another, fcntl.LOCK_EX | fcntl.LOCK_NB)
