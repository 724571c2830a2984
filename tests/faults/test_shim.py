"""The shim under a real SQLite writer: each fault bites where it is armed, and the log holds all."""

import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from shutil import rmtree
from typing import NamedTuple

import pytest
import sqlcipher3

from tests.faults.kill import Child, Ending, at_write
from tests.faults.replay import Survival, disks, files_under, final_disk, ram_folder
from tests.faults.shim import FaultShim
from tests.faults.writer import opened

pytestmark = [pytest.mark.prove, pytest.mark.ci]

PYTHON = sys.executable
REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def shim(library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultShim]:
    # The writer is found from wherever pytest was started.
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    with FaultShim(library, tmp_path) as shim:
        yield shim


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


def writer(data: Path, count: int, synchronous: str = "FULL", log: Path | None = None) -> list[str]:
    command = [PYTHON, "-m", "tests.faults.writer", str(data / "pairs.db"), synchronous, str(count)]
    return command if log is None else [*command, str(log)]


def acknowledged(ending: Ending) -> set[int]:
    return {int(line.split()[1]) for line in ending.lines if line.startswith("acknowledged")}


def pairs_in(database: Path) -> set[int]:
    """The pairs that are there; fails when the file is damaged or a pair is there by half."""
    with closing(opened(database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        try:
            ids = {row[0] for row in connection.execute("SELECT id FROM pair")}
        except sqlcipher3.OperationalError as error:
            assert "no such table" in str(error)  # noqa: PT017 - any other error is damage
            return set()
    assert ids == {-number for number in ids}
    return {number for number in ids if number > 0}


def disks_that_lose(log: Path, data: Path, count: int) -> int:
    """How many of `count` disks lack an acknowledged pair."""
    losing = 0
    with ram_folder() as folder:
        for made in disks(log, data, count, seed=11):
            made.write_to(folder)
            last = int(made.acknowledged or b"0")
            losing += not set(range(1, last + 1)) <= pairs_in(folder / "pairs.db")
    return losing


def test_writer_is_killed_before_the_nth_operation(shim: FaultShim, data: Path) -> None:
    ended = at_write(writer(data, 8), 10**6, shim=shim, match=data)
    assert (ended.was_killed, len(acknowledged(ended))) == (False, 8)
    last = shim.operations

    for operation in range(1, last + 1, 9):
        rmtree(data)
        data.mkdir()
        ending = at_write(writer(data, 8), operation, shim=shim, match=data)
        assert ending.was_killed
        assert shim.operations == operation
        kept = pairs_in(data / "pairs.db")
        assert acknowledged(ending) <= kept <= set(range(1, 9))


def test_power_cut_loses_acknowledged_rows_unless_commits_are_synced(
    shim: FaultShim, data: Path, tmp_path: Path
) -> None:
    losing = {}
    for synchronous in ("FULL", "NORMAL"):
        log = tmp_path / synchronous
        place = data / synchronous
        place.mkdir()
        environment = shim.environment(match=place, log=log)
        with Child(writer(place, 40, synchronous, log), environment) as child:
            assert len(acknowledged(child.wait())) == 40
        losing[synchronous] = disks_that_lose(log, place, 300)

    assert losing["FULL"] == 0
    assert losing["NORMAL"] > 30


def test_everything_survives_as_the_program_left_it(shim: FaultShim, data: Path, tmp_path: Path) -> None:
    log = tmp_path / "operations"
    with Child(writer(data, 30, log=log), shim.environment(match=data, log=log)) as child:
        child.wait()

    assert final_disk(log, data).contents() == files_under(data)


def test_full_disk_gives_sqlite_full_until_there_is_space(shim: FaultShim, data: Path) -> None:
    environment = shim.environment(match=data, enospc_after=60_000)
    with Child(writer(data, 100_000), environment) as child:
        child.wait_for("error SQLITE_FULL")
        shim.arm()
        child.wait_for("acknowledged")
        ending = child.kill()

    assert {line for line in ending.lines if line.startswith("error")} == {"error SQLITE_FULL"}
    assert acknowledged(ending) <= pairs_in(data / "pairs.db")


def test_failed_sync_is_not_acknowledged(shim: FaultShim, data: Path) -> None:
    environment = shim.environment(match=data)
    with Child(writer(data, 100_000), environment) as child:
        child.wait_for("acknowledged 5")
        shim.arm(fail_sync=1)
        child.wait_for("error SQLITE_IOERR")
        shim.arm()
        ending = child.kill()

    failed = ending.lines.index("error SQLITE_IOERR")
    number = int(ending.lines[failed - 1].split()[1]) + 1
    assert f"acknowledged {number}" not in ending.lines


def test_single_failed_sync_fails_one_commit(shim: FaultShim, data: Path) -> None:
    with Child(writer(data, 12), shim.environment(match=data, fail_sync=-9)) as child:
        ending = child.wait()

    assert ending.lines.count("error SQLITE_IOERR") == 1
    assert len(acknowledged(ending)) == 11


def test_failed_sync_makes_nothing_durable(shim: FaultShim, data: Path, tmp_path: Path) -> None:
    log = tmp_path / "operations"
    environment = shim.environment(match=data, log=log, fail_sync=1)
    with Child([PYTHON, "-c", FAILED_SYNC, str(data / "file")], environment) as child:
        assert child.wait() == Ending(0, ("EIO",))

    poorest = [made for made in disks(log, data, 50, seed=2) if made.survival is Survival.NOTHING]
    assert {len(made.files) for made in poorest} == {0}


def test_only_the_wall_clock_moves(shim: FaultShim) -> None:
    ten_years_s = 10 * 365 * 86_400
    environment = shim.environment(match="no file")
    with Child([PYTHON, "-u", "-c", CLOCK_READER], environment) as child:
        true = reading(child)
        shim.clock_offset_s = ten_years_s
        ahead = reading(child, lambda then: then.wall > true.wall + ten_years_s / 2)
        shim.clock_offset_s = -ten_years_s
        behind = reading(child, lambda then: then.wall < true.wall)

    for then, expected in ((ahead, 1), (behind, -1)):
        passed_s = then.monotonic - true.monotonic
        assert 0 < passed_s < ten_years_s / 2
        assert then.wall - true.wall == pytest.approx(expected * ten_years_s + passed_s, abs=1)
        assert then.coarse == pytest.approx(then.wall, abs=1)


@pytest.mark.parametrize("ways", ["plain", "vectored", "recycled"])
def test_every_way_of_changing_a_file_is_logged(shim: FaultShim, data: Path, tmp_path: Path, ways: str) -> None:
    log = tmp_path / "operations"
    with Child([PYTHON, "-c", WAYS[ways], str(data)], shim.environment(match=data, log=log)) as child:
        assert child.wait() == Ending(0, ())

    real = files_under(data)
    assert len(real) >= 2
    assert final_disk(log, data).contents() == real


class Reading(NamedTuple):
    wall: float
    coarse: float
    monotonic: float


def reading(child: Child, is_wanted: Callable[[Reading], bool] = lambda then: True) -> Reading:
    """The first wanted reading; those already on their way may be older than the shift."""
    while True:
        then = Reading(*map(float, child.wait_for("reading").split()[1:]))
        if is_wanted(then):
            return then


CLOCK_READER = """
import time
while True:
    print("reading", time.time(), time.clock_gettime(5), time.monotonic())
"""

FAILED_SYNC = """
import errno, os, sys
file = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
os.write(file, b"words")
try:
    os.fsync(file)
except OSError as error:
    print(errno.errorcode[error.errno])
"""

WAYS = {
    "plain": """
import os, sys
os.chdir(sys.argv[1])
os.mkdir("kept")
with open("draft", "wb", buffering=0) as file:
    file.write(b"emptied again")
with open("draft", "wb", buffering=0) as file:
    file.write(b"some words")
    file.truncate(4)
with open("draft", "ab", buffering=0) as file:
    file.write(b" more")
os.rename("draft", "kept/renamed")
folder = os.open("kept", os.O_RDONLY)
with open("kept/gone", "xb"):
    pass
os.unlink("gone", dir_fd=folder)
os.close(folder)
with open("kept/empty", "xb"):
    pass
""",
    "vectored": """
import os, sys
os.chdir(sys.argv[1])
one = os.open("one", os.O_RDWR | os.O_CREAT)
os.writev(one, [b"ab", b"cd", b"ef"])
os.pwritev(one, [b"XY", b"Z"], 9)
os.pwrite(one, b"!", 1)
os.write(one, b"G")
os.rename("one", "two")
os.write(one, b"H")
os.unlink("two")
os.write(one, b"to nowhere")
os.close(one)
other = os.open("three", os.O_RDWR | os.O_CREAT)
os.write(other, b"three")
os.close(other)
again = os.open("four", os.O_RDWR | os.O_CREAT)
os.write(again, b"four")
os.fdatasync(again)
os.mkdir("five")
os.rename("four", "five/four")
os.rename("five", "six")
os.ftruncate(again, 3)
""",
    # The new file gets the descriptor, and on ext4 the inode, of one that was none of ours.
    "recycled": """
import os, sys
os.chdir(sys.argv[1])
for name in ("one", "two", "three"):
    foreign = os.open("../foreign", os.O_WRONLY | os.O_CREAT)
    os.write(foreign, b"words")
    os.close(foreign)
    os.unlink("../foreign")
    ours = os.open(name, os.O_WRONLY | os.O_CREAT)
    os.write(ours, b"more words")
    os.close(ours)
""",
}
