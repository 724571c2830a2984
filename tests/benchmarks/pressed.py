"""How packages are made: the same again wherever it is, whole or not there whatever happens, and at what cost."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Final

from server.store.packages import Package
from tests.benchmarks.figure import Figure, note
from tests.benchmarks.harness import CHECKOUT, Void
from tests.benchmarks.quarter import CNDH, QUARTER, Quarter, again, quarter
from tests.builders import PASSPHRASE
from tests.faults.kill import Child, ChildEnded
from tests.faults.shim import FaultShim, compiled, missing
from tests.memory import ram
from tests.postgres import running_cluster

FIGURES: Final = (
    "rebuild_byte_equal",
    "kills_partial_files",
    "kills_series_gaps",
    "full_disks_partial_files",
    "full_disks_series_gaps",
    "seconds_20k_cases",
    "mb_20k_cases",
)
_SMALL: Final = 120
_LARGE: Final = 20_000
_KILLS: Final = 50
_FULL_DISKS: Final = 20
# Less than what one round writes.
_ROOM_BYTES: Final = 400_000
_SEED: Final = 20_261_123
# On the other side of the line where a day begins, and where words are sorted and written another way.
_ELSEWHERE: Final = {"TZ": "Pacific/Kiritimati", "LC_ALL": "C", "PYTHONHASHSEED": "4711"}
# sqlite-utils takes them in where it finds them: the tests have them, and no hub does (requirements/run.lock).
_WITHOUT: Final = """
import runpy, sys
sys.modules.update(numpy=None, pandas=None)
runpy.run_module(sys.argv[1], run_name="__main__", alter_sys=True)
"""
_ENDS: Final = ("sealed", "cancelled")


def measure() -> Iterator[Figure]:
    """The figures, the quick ones first."""
    yield rebuild_byte_equal()
    yield from kills()
    yield from full_disks()
    yield from cost()


def rebuild_byte_equal() -> Figure:
    """1 where the ZIP before encryption is the same: sealed twice, in another time zone, and on PostgreSQL."""
    found = {}
    with _folder() as folder, quarter(_SMALL, folder / "hub") as made:
        package = made.prepare()
        found["once"] = made.seal(package).zip
        made.reopen(package)
        found["twice"] = made.seal(package).zip
    with _folder() as folder:
        found["elsewhere"] = _elsewhere(folder / "hub", "sqlite")
    with running_cluster(os.environ) as cluster, _folder() as folder:
        url = cluster.name_database()
        found["postgresql"] = _elsewhere(folder / "hub", url)
        cluster.drop_database(url)
    note(f"SHA-256 of the ZIP: {found}")
    return Figure("rebuild_byte_equal", int(len(set(found.values())) == 1), "", "=", 1)


def kills() -> Iterator[Figure]:
    """A hub killed before one of the writes of preparing and sealing, again and again, from the first to the last."""
    with _folder() as folder, _shim(folder) as shim:
        hub = _founded(folder)
        with _child(hub, shim) as child:
            child.say("seal")
            child.wait_for("sealed")
            operations = shim.operations
        partial, killed, dice = 0, 0, Random(_SEED)
        # What was prepared before it was killed is only sealed next time, in fewer writes.
        while killed < _KILLS:
            with _child(hub, shim) as child:
                shim.arm(kill_at=dice.randint(1, operations))
                child.say("seal")
                killed += not _is_sealed(child)
            shim.arm()
            partial += _partial(hub)
        yield Figure("kills_partial_files", partial + _left_over(hub, shim), "files", "=", 0)
        yield Figure("kills_series_gaps", _gaps(hub), "numbers", "=", 0)


def full_disks() -> Iterator[Figure]:
    """A disk that runs full at some byte of preparing and sealing, and has room again the next time."""
    with _folder() as folder, _shim(folder) as shim:
        hub = _founded(folder)
        partial, refused = 0, 0
        with _child(hub, shim) as child:
            for point in range(_FULL_DISKS):
                shim.arm(enospc_after=point * _ROOM_BYTES // _FULL_DISKS)
                child.say("seal")
                refused += "sealed" not in child.wait_for("")
                partial += _partial(hub)
        if refused < _FULL_DISKS // 2:
            raise Void(f"{refused} of {_FULL_DISKS} disks were full")
        shim.arm()
        yield Figure("full_disks_partial_files", partial + _left_over(hub, shim), "files", "=", 0)
        yield Figure("full_disks_series_gaps", _gaps(hub), "numbers", "=", 0)


def cost() -> Iterator[Figure]:
    """What it costs a hub to prepare and seal a quarter of _LARGE complaints, and how much memory it holds at most."""
    with _folder() as folder:
        with quarter(_LARGE, folder / "hub") as made:
            now = made.hub.clock().isoformat()
        program = [sys.executable, "-c", _WITHOUT, "tests.benchmarks.pressing"]
        said = _said([*program, str(folder / "hub"), PASSPHRASE, now, CNDH.code, QUARTER])
        with again(folder / "hub") as made:
            note(f"of {_LARGE} complaints: {made.made()[0].counts}")
    took_s, held_mb = map(float, said.split())
    yield Figure("seconds_20k_cases", took_s, "s", "<=", 30)
    yield Figure("mb_20k_cases", held_mb, "MB", "<=", 250)


@contextmanager
def _folder() -> Iterator[Path]:
    with TemporaryDirectory(dir=ram()) as folder:
        yield Path(folder)


@contextmanager
def _shim(folder: Path) -> Iterator[FaultShim]:
    lacking = missing()
    if lacking is not None:
        raise Void(lacking)
    with FaultShim(compiled(CHECKOUT / "var"), folder) as shim:
        yield shim


def _founded(folder: Path) -> Path:
    with quarter(_SMALL, folder / "hub"):
        """It is there."""
    return folder / "hub"


@contextmanager
def _child(hub: Path, shim: FaultShim) -> Iterator[Child]:
    """A hub that seals a package for each line, whose writes are counted."""
    command = [sys.executable, "-m", "tests.faults.presser", str(hub)]
    with Child(command, shim.environment(match=hub), takes_input=True) as child:
        child.wait_for("ready")
        shim.arm()
        yield child


def _is_sealed(child: Child) -> bool:
    """Whether it lived to say so."""
    try:
        child.wait_for("sealed")
    except ChildEnded:
        return False
    return True


def _partial(hub: Path) -> int:
    """Files under the name of a sealed one that are not what their packages say, or of packages that are gone."""
    with again(hub) as made:
        return sum(not _is_whole(each, made) for each in made.made() if each.state == "sealed")


def _is_whole(package: Package, made: Quarter) -> bool:
    path = made.file(package)
    return path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() == package.file


def _left_over(hub: Path, shim: FaultShim) -> int:
    """Files that are there after a last round without a fault, and belong to no package that was sealed."""
    with _child(hub, shim) as child:
        child.say("seal")
        child.wait_for("sealed")
    with again(hub) as made:
        ended = [each for each in made.made() if each.state in _ENDS and each.file]
        known = {made.file(each).name for each in ended}
        found = {path.name for path in made.press.folder.iterdir() if path.suffix != ".lock"}
        note(f"{len(ended)} packages sealed, files: {len(found)}")
        return len(found - known) + sum(not _is_whole(each, made) for each in ended if made.file(each).exists())


def _gaps(hub: Path) -> int:
    """Numbers that no package has, of those up to the last, and numbers that two have."""
    with again(hub) as made:
        drawn = sorted(each.number.no for each in made.made())
    note(f"numbers drawn: {drawn[0]} to {drawn[-1]}")
    return len(set(range(1, drawn[-1] + 1)) ^ set(drawn)) + len(drawn) - len(set(drawn))


def _elsewhere(folder: Path, url: str) -> str:
    command = [sys.executable, "-m", "tests.benchmarks.quarter", str(folder), str(_SMALL), url]
    return _said(command, **_ELSEWHERE)


def _said(command: list[str], **environ: str) -> str:
    done = subprocess.run(
        command, cwd=CHECKOUT, env={**os.environ, **environ}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise Void(done.stderr[-2_000:])
    return done.stdout.strip()
