"""Compile and steer the LD_PRELOAD shim that breaks a program's disk and shifts its wall clock."""

import mmap
import shutil
import struct
import subprocess
from hashlib import sha256
from os import environ, getpid
from pathlib import Path
from typing import Self

SOURCE = Path(__file__).with_name("shim.c")
COMPILER = "gcc"

# One signed 64-bit word each, in the order of `struct controls` in shim.c.
_FIELDS = ("operations", "kill_at", "syncs", "fail_sync", "space_left", "clock_offset_ns")
_UNBOUNDED = -1

# `struct record` in shim.c: kind, unused byte, bytes of path, bytes of data, offset.
RECORD = struct.Struct("<cxHIQ")


def missing() -> str | None:
    """What this machine lacks to build the shim, as words to print, or None when nothing."""
    if shutil.which(COMPILER) is None:
        return f"no {COMPILER}: install gcc and libc6-dev to run the disk and clock faults"
    return None


def compiled(cache: Path) -> Path:
    """The shared object built from shim.c, in `cache`; built once per content of the source.

    Raises `subprocess.CalledProcessError` when the compiler refuses, `FileNotFoundError` when there is none.
    """
    library = cache / f"shim-{sha256(SOURCE.read_bytes()).hexdigest()[:16]}.so"
    if not library.exists():
        cache.mkdir(parents=True, exist_ok=True)
        draft = library.with_suffix(f".{getpid()}")
        options = ["-std=gnu17", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
        subprocess.run([COMPILER, *options, "-o", draft, SOURCE, "-ldl", "-lpthread"], check=True)
        draft.replace(library)
    return library


def mark_acknowledged(log: Path, payload: bytes) -> None:
    """Write into an operation log that the caller holds an acknowledgement of `payload`.

    Call it after the acknowledgement came back, from any process: all that was made durable for it is then
    above the mark. One write, so marks of several processes never mix.
    """
    with log.open("ab", buffering=0) as entries:
        entries.write(RECORD.pack(b"A", 0, len(payload), 0) + payload)


class FaultShim:
    """The faults of one or more child processes, armed before they start or while they run.

    Every process started with `environment()` shares the same counters, also after a restart. Operations are
    writes, syncs, truncations, unlinks and renames of files below the matched path, counted from 1 since the
    last `arm`. Use as a context manager, or `close` it when the children are gone.
    """

    def __init__(self, library: Path, folder: Path) -> None:
        self._library = library
        self._path = folder / "shim-controls"
        self._path.write_bytes(bytes(mmap.PAGESIZE))
        with self._path.open("r+b") as page:
            self._page = mmap.mmap(page.fileno(), mmap.PAGESIZE)
        self._words = memoryview(self._page).cast("q")
        self.arm()

    def environment(
        self,
        *,
        match: str | Path,
        log: Path | None = None,
        kill_at: int = 0,
        enospc_after: int | None = None,
        fail_sync: int = 0,
        clock_offset_s: float = 0.0,
    ) -> dict[str, str]:
        """Whole environment for a child whose files below `match` (part of a real path) are to fail.

        The faults are armed at once, as by `arm` and `clock_offset_s`. `log` receives the operations.
        """
        self.arm(kill_at=kill_at, enospc_after=enospc_after, fail_sync=fail_sync)
        self.clock_offset_s = clock_offset_s
        watched = {"SHIM_MATCH": str(match)} if log is None else {"SHIM_MATCH": str(match), "SHIM_LOG": str(log)}
        return {**environ, "LD_PRELOAD": str(self._library), "SHIM_CONTROLS": str(self._path), **watched}

    def arm(self, *, kill_at: int = 0, enospc_after: int | None = None, fail_sync: int = 0) -> None:
        """Set the disk's faults anew, counting from here; without arguments the disk is sound again.

        `kill_at`: SIGKILL before this operation. `enospc_after`: bytes that still fit, then ENOSPC after a
        short write. `fail_sync`: EIO from the n-th sync on, or, when negative, only at the |n|-th.
        """
        # Faults off, counters to 0, faults on: a running child must not meet a new limit with old counts.
        for name in ("kill_at", "fail_sync", "operations", "syncs"):
            self._set(name, 0)
        self._set("space_left", _UNBOUNDED if enospc_after is None else enospc_after)
        self._set("fail_sync", fail_sync)
        self._set("kill_at", kill_at)

    @property
    def operations(self) -> int:
        """Matched operations begun since the last `arm`."""
        return self._get("operations")

    @property
    def syncs(self) -> int:
        """Matched syncs begun since the last `arm`."""
        return self._get("syncs")

    @property
    def clock_offset_s(self) -> float:
        """Seconds added to the children's wall clock; their monotonic clocks stay true."""
        return self._get("clock_offset_ns") / 1e9

    @clock_offset_s.setter
    def clock_offset_s(self, seconds: float) -> None:
        self._set("clock_offset_ns", round(seconds * 1e9))

    def close(self) -> None:
        """Let go of the shared page; children that still run keep the last faults."""
        self._words.release()
        self._page.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def _get(self, name: str) -> int:
        return self._words[_FIELDS.index(name)]

    def _set(self, name: str, value: int) -> None:
        self._words[_FIELDS.index(name)] = value
