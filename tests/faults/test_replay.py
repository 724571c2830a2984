"""The disks a power cut leaves, from logs written by hand."""

from pathlib import Path

import pytest

from tests.faults.replay import SECTOR_BYTES, Disk, Survival, disk, disks, files_under
from tests.faults.shim import RECORD, mark_acknowledged

ROOT = Path("/data")
FILE, OTHER = "/data/hub.db", "/data/blobs/new"


def entry(kind: bytes, path: str = "", offset: int = 0, data: bytes = b"") -> bytes:
    return RECORD.pack(kind, len(path.encode()), len(data), offset) + path.encode() + data


class Log:
    """An operation log written by hand, and all the disks a cut after its last operation could leave."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, *entries: bytes) -> None:
        self.path.write_bytes(b"".join(entries))

    def last_disks(self, survival: Survival, base: Path | None = None) -> list[Disk]:
        made = list(disks(self.path, ROOT, 300, seed=5, base=base))
        last_cut = max(disk.cut for disk in made)
        return [disk for disk in made if disk.cut == last_cut and disk.survival is survival]

    def outcomes(self, survival: Survival, base: Path | None = None) -> set[tuple[tuple[str, bytes], ...]]:
        """Every distinct disk of that survival, as (name, content) pairs."""
        return {tuple(sorted(disk.contents().items())) for disk in self.last_disks(survival, base)}


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path / "operations")


def test_unsynced_write_is_lost_or_kept(log: Log) -> None:
    log.write(entry(b"W", FILE, 0, b"old"), entry(b"S", FILE), entry(b"W", FILE, 1, b"NEW"))

    assert log.outcomes(Survival.NOTHING) == {(("hub.db", b"old"),)}
    assert log.outcomes(Survival.EVERYTHING) == {(("hub.db", b"oNEW"),)}
    assert log.outcomes(Survival.SECTORS) == {(("hub.db", b"old"),), (("hub.db", b"oNEW"),)}


def test_write_survives_by_whole_sectors(log: Log) -> None:
    log.write(
        entry(b"W", FILE, 0, b"a" * 3 * SECTOR_BYTES),
        entry(b"S", FILE),
        entry(b"W", FILE, SECTOR_BYTES // 2, b"B" * 2 * SECTOR_BYTES),
    )

    made = log.outcomes(Survival.SECTORS)

    half = SECTOR_BYTES // 2
    parts = {content[i : i + half] for ((_, content),) in made for i in range(0, len(content), half)}
    assert parts == {b"a" * half, b"B" * half}
    # Of the three sectors touched, the middle one is whole either way.
    middles = {content[SECTOR_BYTES : 2 * SECTOR_BYTES] for ((_, content),) in made}
    assert middles == {b"a" * SECTOR_BYTES, b"B" * SECTOR_BYTES}
    assert len(made) == 8


def test_sync_of_one_file_keeps_no_other(log: Log) -> None:
    log.write(entry(b"W", FILE, 0, b"db"), entry(b"W", OTHER, 0, b"blob"), entry(b"S", OTHER))

    # A journal keeps the order of names: the elder file is there, without its content.
    assert log.outcomes(Survival.NOTHING) == {(("blobs/new", b"blob"), ("hub.db", b""))}


def test_rename_is_sure_only_after_its_folder_is_synced(log: Log) -> None:
    renamed = [
        entry(b"W", OTHER, 0, b"blob"),
        entry(b"S", OTHER),
        entry(b"R", OTHER, 0, b"/data/blobs/final"),
    ]
    log.write(*renamed)
    assert log.outcomes(Survival.NOTHING) == {(("blobs/new", b"blob"),)}
    assert log.outcomes(Survival.SECTORS) == {(("blobs/new", b"blob"),), (("blobs/final", b"blob"),)}

    log.write(*renamed, entry(b"S", "/data/blobs"))
    assert log.outcomes(Survival.NOTHING) == {(("blobs/final", b"blob"),)}


def test_sync_of_another_folder_keeps_no_rename(log: Log) -> None:
    log.write(
        entry(b"W", OTHER, 0, b"blob"),
        entry(b"S", OTHER),
        entry(b"R", OTHER, 0, b"/data/blobs/final"),
        entry(b"S", "/data"),
    )

    assert log.outcomes(Survival.NOTHING) == {(("blobs/new", b"blob"),)}


def test_unlinked_file_may_come_back_and_its_successor_stays_itself(log: Log) -> None:
    made = [entry(b"W", FILE, 0, b"first"), entry(b"S", FILE), entry(b"U", FILE)]
    log.write(*made)
    assert log.outcomes(Survival.SECTORS) == {(), (("hub.db", b"first"),)}

    log.write(*made, entry(b"W", FILE, 0, b"2nd"), entry(b"S", FILE))
    assert log.outcomes(Survival.NOTHING) == {(("hub.db", b"2nd"),)}


def test_truncation_cuts_and_extends_with_zeros(log: Log) -> None:
    log.write(
        entry(b"W", FILE, 0, b"x" * 5000),
        entry(b"T", FILE, 4097),
        entry(b"T", FILE, 4099),
        entry(b"S", FILE),
    )

    assert log.outcomes(Survival.NOTHING) == {(("hub.db", b"x" * 4097 + b"\0\0"),)}


def test_what_stood_there_before_is_the_start(log: Log, tmp_path: Path) -> None:
    before = tmp_path / "before"
    before.mkdir()
    (before / "hub.db").write_bytes(b"before")
    log.write(entry(b"W", FILE, 0, b"A"), entry(b"S", FILE))

    assert log.outcomes(Survival.NOTHING, before) == {(("hub.db", b"Aefore"),)}


def test_disk_knows_what_was_acknowledged_before_its_cut(log: Log) -> None:
    log.write(entry(b"W", FILE, 0, b"1"), entry(b"S", FILE))
    mark_acknowledged(log.path, b"one")
    mark_acknowledged(log.path, b"two")

    by_cut = {disk.cut: disk for disk in disks(log.path, ROOT, 100, seed=3)}

    assert [by_cut[cut].acknowledged for cut in range(5)] == [b"", b"", b"", b"one", b"two"]
    assert by_cut[4].all_acknowledged == [b"one", b"two"]


def test_kept_disk_stays_as_it_was(log: Log) -> None:
    log.write(entry(b"W", FILE, 0, b"old"), entry(b"S", FILE), entry(b"W", FILE, 0, b"new"), entry(b"S", FILE))

    made = [disk for disk in disks(log.path, ROOT, 100, seed=3) if disk.survival is Survival.NOTHING]

    content = {disk.cut: disk.contents().get("hub.db") for disk in made}
    assert content == {0: None, 1: None, 2: b"old", 3: b"old", 4: b"new"}


def test_any_disk_comes_back_from_its_own_seed(log: Log) -> None:
    log.write(*(entry(b"W", FILE, n * 100, bytes([n]) * 2000) for n in range(20)))

    for made in disks(log.path, ROOT, 30, seed=9):
        again = disk(log.path, ROOT, made.seed)
        assert (again.cut, again.survival) == (made.cut, made.survival)
        assert again.contents() == made.contents()


def test_last_operation_cut_short_is_left_out(log: Log) -> None:
    log.write(entry(b"W", FILE, 0, b"whole"), entry(b"W", FILE, 0, b"torn")[:-1])

    assert log.outcomes(Survival.EVERYTHING) == {(("hub.db", b"whole"),)}


def test_folder_holds_the_disk_and_nothing_else(log: Log, tmp_path: Path) -> None:
    log.write(entry(b"W", OTHER, 0, b"blob"))
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "left over").touch()

    log.last_disks(Survival.EVERYTHING)[0].write_to(tmp_path / "disk")

    assert files_under(tmp_path / "disk") == {"blobs/new": b"blob"}
