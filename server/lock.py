"""The lock of a hub that serves and has no passphrase yet: a socket in its folder through which it gets one."""

import json
import logging
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from threading import Event, Thread
from types import TracebackType
from typing import Final, Self

from server.domain.errors import LockUnreachable, PassphraseWrong, SeereError, trace_of
from server.domain.passphrase import MAX_BYTES

log = logging.getLogger(__name__)

UNLOCKED: Final = "unlocked"
TOO_SOON: Final = "too_soon"
DELAY_MAX_S: Final = 30
# One for each process: several may serve one PostgreSQL from the same folder.
_SOCKETS: Final = "unlock-*.socket"
_HEARS_S: Final = 5.0
# Hashing, and bringing the tables up to date after an upgrade.
_OPENS_S: Final = 600.0
_PIECE_BYTES: Final = 4096


@dataclass(frozen=True)
class Outcome:
    """What came of a passphrase: UNLOCKED, TOO_SOON, or the code of a refusal; then when the next may come."""

    code: str
    retry_after_s: int = 0


@dataclass
class Tries:
    """Wrong passphrases since the start, and the delay that they cost: 1 s, doubling to 30 s, never for good."""

    clock: Callable[[], float]
    _count: int = 0
    _next_at: float = 0.0

    def wait_s(self) -> int:
        """Whole seconds until the next try may be made; 0 when it may be made now."""
        return max(0, ceil(self._next_at - self.clock())) if self._count else 0

    def note_wrong(self) -> None:
        """Count one more."""
        delay_s = min(2**self._count, DELAY_MAX_S)
        self._count += 1
        self._next_at = self.clock() + delay_s


@dataclass
class Lock:
    """The socket, open until a passphrase was right or the block ends; only the owner of the folder reaches it.

    `unlock` opens the hub with a passphrase and raises a SeereError when it can't. `clock` gives seconds.
    Entering raises LockUnreachable where the folder takes no socket.
    """

    folder: Path
    process: int
    unlock: Callable[[str], object]
    clock: Callable[[], float] = time.monotonic
    _socket: socket.socket = field(init=False)
    _thread: Thread = field(init=False)
    _is_over: Event = field(init=False, default_factory=Event)

    @property
    def path(self) -> Path:
        """Where the socket is."""
        return self.folder / _SOCKETS.replace("*", str(self.process))

    def __enter__(self) -> Self:
        self._socket = socket.socket(socket.AF_UNIX)
        try:
            self.path.unlink(missing_ok=True)
            self._socket.bind(str(self.path))
            # Before it listens: until then nobody can connect.
            self.path.chmod(0o600)
            self._socket.listen()
        except OSError:
            self._socket.close()
            raise LockUnreachable(folder=self.folder) from None
        self._thread = Thread(target=self._answer, name="lock")
        self._thread.start()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if not self._is_over.is_set():
            self._is_over.set()
            # To wake the thread: closing a socket does not, on every system.
            with socket.socket(socket.AF_UNIX) as waking, suppress(OSError):
                waking.connect(str(self.path))
        self._thread.join()

    def _answer(self) -> None:
        tries = Tries(self.clock)
        while not self._is_over.is_set():
            connection, _ = self._socket.accept()
            with connection:
                if not self._is_over.is_set():
                    self._serve(connection, tries)
        self._socket.close()
        self.path.unlink(missing_ok=True)

    def _serve(self, connection: socket.socket, tries: Tries) -> None:
        connection.settimeout(_HEARS_S)
        try:
            outcome = self._tried(_all_of(connection).decode(), tries)
            connection.sendall(json.dumps([outcome.code, outcome.retry_after_s]).encode())
        except (OSError, UnicodeDecodeError):
            # Whoever asked is gone, or sent no text. The next one is heard.
            return

    def _tried(self, passphrase: str, tries: Tries) -> Outcome:
        if (wait_s := tries.wait_s()) > 0:
            return Outcome(TOO_SOON, wait_s)
        try:
            self.unlock(passphrase)
        except PassphraseWrong as wrong:
            tries.note_wrong()
            return Outcome(wrong.code, tries.wait_s())
        except SeereError as refusal:
            return Outcome(refusal.code)
        except Exception as fault:  # noqa: BLE001 - whoever tries again must be heard
            log.error("hub_did_not_open", extra=trace_of(fault))
            return Outcome(SeereError.code)
        self._is_over.set()
        return Outcome(UNLOCKED)


def hand_over(folder: Path, passphrase: str) -> Iterator[Outcome]:
    """Give the passphrase to every locked hub that serves from the folder; what came of it, hub by hub.

    Raises OSError when a hub went away while it was asked.
    """
    for path in sorted(folder.glob(_SOCKETS)):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_OPENS_S)
            try:
                connection.connect(str(path))
            except ConnectionRefusedError:
                # Left by a process that was killed.
                path.unlink(missing_ok=True)
                continue
            connection.sendall(passphrase.encode())
            connection.shutdown(socket.SHUT_WR)
            code, retry_after_s = json.loads(_all_of(connection))
            yield Outcome(code, retry_after_s)


def _all_of(connection: socket.socket) -> bytes:
    """What the other side sends until it is done; no more than a passphrase may have is ever kept."""
    data = bytearray()
    while piece := connection.recv(_PIECE_BYTES):
        data += piece
        if len(data) > MAX_BYTES:
            raise OSError
    return bytes(data)
