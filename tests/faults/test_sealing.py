"""Sealing a package, killed at any moment, on a full disk or one without power: whole under its name, or not there."""

import hashlib
import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from time import monotonic

import pyrage
import pytest
import pyzipper

from server.services.commission import sealing
from tests.faults.kill import Child, ChildEnded, at_random
from tests.faults.replay import disks
from tests.faults.rig import Sizes, sized
from tests.faults.sealer import SIZE_BYTES
from tests.faults.shim import FaultShim
from tests.packing import NUMBER, bag

KILLS = Sizes(ci=20, full=200)
FULL_DISKS = Sizes(ci=20, full=100)
POWER_CUTS = Sizes(ci=100, full=1_000)
PASSPHRASE = "mil sorgho riz fonio niebe"
IDENTITY = pyrage.x25519.Identity.generate()
WAYS = {"age": (str(IDENTITY.to_public()), ""), "passphrase": ("", PASSPHRASE)}


@pytest.fixture(scope="session")
def clear() -> str:
    """SHA-256 of what is sealed."""
    made = bag(SIZE_BYTES)
    for _ in made:
        """Read to the end."""
    return made.zip


@pytest.fixture(params=WAYS)
def bench(request: pytest.FixtureRequest, ram: Path, clear: str) -> "Bench":
    folder = ram / "packages"
    folder.mkdir()
    return Bench(folder, request.param, clear)


@dataclass
class Bench:
    """A folder of sealed packages, a child that seals one there, and what was found in it after each fault."""

    folder: Path
    way: str
    clear: str
    found: list[str] = field(default_factory=list)

    @property
    def path(self) -> Path:
        return self.folder / sealing.file_name(NUMBER, by_passphrase=self.way == "passphrase")

    @contextmanager
    def child(self, shim: FaultShim | None = None, log: Path | None = None) -> Iterator[Child]:
        """The child, ready to be told."""
        marked = [] if log is None else [str(log)]
        command = [sys.executable, "-m", "tests.faults.sealer", str(self.folder), *WAYS[self.way], *marked]
        environment = None if shim is None else shim.environment(match=self.folder, log=log)
        with Child(command, environment, takes_input=True) as child:
            child.wait_for("ready")
            yield child

    def look(self) -> None:
        """Note what stands under the name, once a start has removed what it may; it is made anew from there."""
        sealing.clean(self.folder)
        assert {path.name for path in self.folder.iterdir()} <= {self.path.name}
        self.found.append(self._state())
        self.path.unlink(missing_ok=True)

    def _state(self) -> str:
        if not self.path.exists():
            return "absent"
        return "whole" if hashlib.sha256(self._opened()).hexdigest() == self.clear else "cut"

    def _opened(self) -> bytes:
        data = self.path.read_bytes()
        if self.way == "age":
            return pyrage.decrypt(data, [IDENTITY])
        with pyzipper.AESZipFile(io.BytesIO(data)) as archive:
            return archive.read(archive.namelist()[0], PASSPHRASE.encode())


def kills_at_operations(bench: Bench, size: int, shim: FaultShim) -> None:
    """Kill the child before so many operations on its disk, or each of them, from the first to beyond the last."""
    with bench.child(shim) as child:
        child.say("seal")
        child.wait_for("sealed")
        operations = shim.operations
    bench.look()
    # The last ones sync, rename and sync again: each of them, and others from the first on.
    early = Random(size).sample(range(1, operations), min(size - 6, operations - 1))
    points = sorted({*early, *range(operations - 4, operations + 2)})
    for point in points:
        with bench.child(shim) as child:
            shim.arm(kill_at=point)
            child.say("seal")
            try:
                child.wait_for("sealed")
            except ChildEnded:
                """It was killed."""
        shim.arm()
        bench.look()


def kills_at_random(bench: Bench, size: int) -> None:
    """Kill the child at drawn times."""
    chances = Random(size)
    with bench.child() as child:
        told = monotonic()
        child.say("seal")
        child.wait_for("sealed")
        takes_s = monotonic() - told
    for _ in range(size):
        bench.look()
        with bench.child() as child, at_random(child, chances, takes_s):
            child.say("seal")
    bench.look()


def full_disks(bench: Bench, size: int, shim: FaultShim) -> None:
    """Let the disk run full at so many points of one file, and give it room again each time."""
    with bench.child(shim) as child:
        for point in range(size):
            shim.arm(enospc_after=point * SIZE_BYTES // 2 // size)
            child.say("seal")
            assert child.wait_for("") == "storage_full"
            # Nothing waits for a start here: the refusal itself leaves nothing.
            assert list(bench.folder.iterdir()) == []
            bench.look()
        shim.arm()
        child.say("seal")
        child.wait_for("sealed")
    bench.look()


def power_cuts(bench: Bench, size: int, log: Path, shim: FaultShim) -> None:
    """Look at so many disks that a power cut could have left."""
    with bench.child(shim, log) as child:
        child.say("seal")
        digest = child.wait_for("sealed").removeprefix("sealed ")
    for disk in disks(log, bench.folder, size, seed=size):
        data = disk.contents().get(bench.path.name)
        if data is None:
            bench.found.append("lost" if disk.acknowledged else "absent")
        else:
            bench.found.append("whole" if hashlib.sha256(data).hexdigest() == digest else "cut")


@sized(KILLS)
def test_killed_before_any_operation_leaves_a_whole_file_or_none(size: int, bench: Bench, shim: FaultShim) -> None:
    kills_at_operations(bench, size, shim)
    assert "cut" not in bench.found
    # Both sides of the rename were met.
    assert {"absent", "whole"} <= set(bench.found)


@sized(KILLS)
def test_killed_at_any_time_leaves_a_whole_file_or_none(size: int, bench: Bench) -> None:
    kills_at_random(bench, size)
    assert "cut" not in bench.found
    assert bench.found.count("absent") > size // 4


@sized(FULL_DISKS)
def test_full_disk_is_said_and_leaves_nothing(size: int, bench: Bench, shim: FaultShim) -> None:
    full_disks(bench, size, shim)
    assert bench.found == ["absent"] * size + ["whole"]


@sized(POWER_CUTS)
def test_power_cut_leaves_a_whole_file_or_none_and_keeps_a_sealed_one(
    size: int, bench: Bench, ram: Path, shim: FaultShim
) -> None:
    power_cuts(bench, size, ram / "operations", shim)
    assert set(bench.found) == {"absent", "whole"}
