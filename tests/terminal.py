"""A terminal with a person at it, for the programs that ask one."""

import os
import pty
import select
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

# A program that waits for what nobody types must not make the run of the tests wait too.
_PATIENCE_S: Final = 60
# How long a program may have been gone before that is noticed.
_GLANCE_S: Final = 0.02


class Terminal:
    """A terminal with a person at it, who reads and presses keys."""

    def __init__(self) -> None:
        self._ours, self.theirs = pty.openpty()
        self._unread = b""

    def run(self, command: Sequence[str], environ: Mapping[str, str], folder: Path) -> "subprocess.Popen[bytes]":
        """Start a program that has this as its terminal, so that it asks for passphrases here too."""
        return subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, "TERM": "xterm", **environ},
            preexec_fn=self._seat,
            pass_fds=[self.theirs],
        )

    def _seat(self) -> None:
        # Whoever runs the tests in the background ignores Ctrl-C, and a program inherits that.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.login_tty(self.theirs)

    def press(self, keys: str) -> None:
        """Press keys, one after the other."""
        os.write(self._ours, keys.encode())

    def answer(self, asked: str, typed: str) -> str:
        """Type a line once this is asked; gives what was said before."""
        said = self.read_until(asked)
        self.press(f"{typed}\n")
        return said

    def read_until(self, words: str) -> str:
        """What was said up to `words`."""
        while words.encode() not in self._unread:
            assert select.select([self._ours], [], [], _PATIENCE_S)[0], f"{words!r} never came: {self._unread!r}"
            self._unread += os.read(self._ours, 4096)
        said, _, self._unread = self._unread.partition(words.encode())
        return said.decode()

    def read_rest(self, running: "subprocess.Popen[bytes]") -> str:
        """What is said until a program has ended."""
        while running.poll() is None or select.select([self._ours], [], [], 0)[0]:
            if select.select([self._ours], [], [], _GLANCE_S)[0]:
                self._unread += os.read(self._ours, 4096)
        said, self._unread = self._unread, b""
        return said.decode()

    def close(self) -> None:
        """Hang up."""
        os.close(self._ours)
        os.close(self.theirs)
