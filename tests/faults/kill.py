"""Run a program and SIGKILL it at a chosen point: an operation on its disk, a line it says, a drawn time."""

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Queue
from random import Random
from threading import Thread
from typing import Self

from tests.faults.shim import FaultShim

# Long enough for the slowest machine: it bounds a hang, nothing is timed by it.
PATIENCE_S = 60.0


class ChildEnded(Exception):
    """The child ended, or stayed silent too long, before it said what was waited for."""


@dataclass(frozen=True)
class Ending:
    """How a child ended. `lines` holds all it said on stdout and stderr, without line ends."""

    returncode: int
    lines: tuple[str, ...]

    @property
    def was_killed(self) -> bool:
        return self.returncode == -signal.SIGKILL


class Child:
    """A running program in a process group of its own; it is dead once its `with` block is left."""

    def __init__(
        self,
        command: Sequence[str | Path],
        environment: Mapping[str, str] | None = None,
        *,
        takes_input: bool = False,
    ) -> None:
        self._process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.PIPE if takes_input else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._said: list[str] = []
        self._unread: Queue[str | None] = Queue()
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def say(self, line: str) -> None:
        """A line to a child that takes input."""
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def wait_for(self, text: str) -> str:
        """The next line that contains `text`, as soon as the child says it. Raises ChildEnded."""
        while True:
            try:
                line = self._unread.get(timeout=PATIENCE_S)
            except Empty:
                raise ChildEnded(f"silent for {PATIENCE_S} s, waited for {text!r}: {self._said}") from None
            if line is None:
                self._unread.put(None)
                raise ChildEnded(f"ended before it said {text!r}: {self._said}")
            if text in line:
                return line

    def kill(self) -> Ending:
        """SIGKILL to the whole group; a child that has already ended keeps its own ending."""
        if self._process.poll() is None:
            os.killpg(self.pid, signal.SIGKILL)
        return self.wait()

    def kill_unless_over(self, after_s: float) -> Ending:
        """Leave the child `after_s` seconds to end by itself, then kill it."""
        try:
            self._process.wait(timeout=after_s)
        except subprocess.TimeoutExpired:
            return self.kill()
        return self.wait()

    def wait(self) -> Ending:
        """The ending, once child and output are over. Raises `subprocess.TimeoutExpired` on a hang."""
        returncode = self._process.wait(timeout=PATIENCE_S)
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._reader.join(timeout=PATIENCE_S)
        return Ending(returncode, tuple(self._said))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.kill()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                self._said.append(line.rstrip("\n"))
                self._unread.put(self._said[-1])
        self._unread.put(None)


def at_write(
    command: Sequence[str | Path],
    operation: int,
    *,
    shim: FaultShim,
    match: str | Path,
    log: Path | None = None,
) -> Ending:
    """Run `command` and kill it right before its n-th operation on files under `match`.

    A child that ends with fewer operations is not killed, which `Ending.was_killed` tells.
    """
    environment = shim.environment(match=match, kill_at=operation, log=log)
    with Child(command, environment) as child:
        return child.wait()


def when(command: Sequence[str | Path], says: str, *, environment: Mapping[str, str] | None = None) -> Ending:
    """Run `command` and kill it as soon as a line of its output contains `says`. Raises ChildEnded."""
    with Child(command, environment) as child:
        child.wait_for(says)
        return child.kill()


@contextmanager
def at_random(child: Child, chances: Random, longest_s: float) -> Iterator[None]:
    """Kill `child` at a time drawn from `chances`, at most `longest_s` from now, while the block drives load.

    When the block is left the child is dead. Without the shim a drawn time is the only way to hit a request
    half done; the same seed draws the same time, though not the same operation.
    """
    killer = Thread(target=child.kill_unless_over, args=(chances.uniform(0, longest_s),))
    killer.start()
    try:
        yield
    finally:
        killer.join()
