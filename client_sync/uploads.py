"""Uploads: files go up two at a time, in chunks of which a cut costs one, and stop for whatever text has to go first
(PROTOCOL §9.3)."""

import hashlib
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, Queue
from threading import Event, Lock, Thread
from typing import Final

from client_sync.clocks import running_s
from client_sync.errors import ClientError, HubRefuses, LinkCut, NotAnAnswer
from client_sync.files import Wanted
from client_sync.protocol.uploads import (
    BUSY,
    CHECKSUM_DIFFERS,
    DAMAGED,
    DIFFERS,
    OFFSET_DIFFERS,
    TOO_LARGE,
    UNWANTED,
    upload_id,
)
from client_sync.transport import HttpTransport

AT_ONCE: Final = 2
CHUNK_FIRST_BYTES: Final = 32 * 2**10
CHUNK_LEAST_BYTES: Final = 4 * 2**10
CHUNK_MOST_BYTES: Final = 64 * 2**10
CHUNK_MOST_FAST_BYTES: Final = 256 * 2**10
# A chunk of twice the size has to fit well within the stall limit: all of it may wait in buffers on its way.
_FAST_S: Final = 1.0
_GROWS_WITHIN_S: Final = 6.0
_SHRINKS_AFTER_S: Final = 12.0
# How often the thread that owns the outbox looks whether a text has come.
_LOOK_S: Final = 1.0
# Twice as long as a link in the field is usually away. Then the session ends, and the next one begins with the texts.
GIVES_UP_AFTER_S: Final = 45.0
PAUSE_FIRST_S: Final = 1.0
_PAUSE_MOST_S: Final = 5.0
_LEAVE_S: Final = 2.0
_READ_BYTES: Final = 2**20
# Not said of the file but of the moment: where the upload stands is asked anew, and it goes on.
_OUT_OF_STEP: Final = frozenset({OFFSET_DIFFERS, CHECKSUM_DIFFERS, BUSY})
# By what the hub says of a file, why it can never go; None where it may want it another day.
_OF_THE_FILE: Final[Mapping[str, str | None]] = {UNWANTED: None, TOO_LARGE: TOO_LARGE, DIFFERS: DAMAGED}


@dataclass(frozen=True)
class Arrived:
    """The hub has so many bytes of a file."""

    sha256: str
    offset: int


@dataclass(frozen=True)
class Unfit:
    """A file that can never go: `code` says why."""

    sha256: str
    code: str


Note = Callable[[Arrived | Unfit], None]


@dataclass(frozen=True)
class Pace:
    """How long a session bears with a link that is away: `pause_first_s` after the first failure, doubling, until
    nothing has arrived for `gives_up_after_s`."""

    pause_first_s: float = PAUSE_FIRST_S
    gives_up_after_s: float = GIVES_UP_AFTER_S


USUAL_PACE: Final = Pace()


@dataclass
class ChunkSize:
    """How much goes in one request."""

    bytes: int = CHUNK_FIRST_BYTES

    def note_arrived(self, size: int, took_s: float, at_once: int = 1) -> None:
        """A chunk arrived, while so many files went at once; the rest of a file says little of the link."""
        # A cut costs what is on its way of all of them.
        most = CHUNK_MOST_FAST_BYTES if took_s < _FAST_S else CHUNK_MOST_BYTES // at_once
        if took_s > _SHRINKS_AFTER_S:
            self.note_cut()
        elif took_s >= _GROWS_WITHIN_S:
            self.bytes = min(self.bytes, max(most, CHUNK_LEAST_BYTES))
        elif size == self.bytes:
            self.bytes = max(self.bytes, min(self.bytes * 2, most))

    def note_cut(self) -> None:
        """A chunk did not arrive, or only just."""
        self.bytes = max(self.bytes // 2, CHUNK_LEAST_BYTES)


@dataclass
class Uploads:
    """The uploads of one session. `bytes` arrived; `given_up` are the files that this session leaves alone."""

    transport: HttpTransport
    device: str
    token: str
    pace: Pace = USUAL_PACE
    bytes: int = 0
    given_up: set[str] = field(default_factory=set)

    def run(self, wanted: Sequence[Wanted], note: Note, has_text: Callable[[], bool]) -> None:
        """Send files in their order, two at a time, until all arrived, a text waits or the link is given up.

        `note` hears in the caller's thread what became of them. Raises LinkCut, NotAnAnswer, HubRefuses and HubBusy;
        what was noted before stands.
        """
        second = self.transport.sibling()
        work = _Work(self, deque(wanted))
        threads = [Thread(target=work.do, args=(road,), daemon=True) for road in (self.transport, second)]
        try:
            for thread in threads:
                thread.start()
            self._follow(work, note, has_text)
        finally:
            work.stops.set()
            for thread in threads:
                # Who was interrupted does not wait for a chunk to end.
                thread.join(_LEAVE_S)
            second.close()
            self.transport.bytes_up += second.bytes_up
            self.transport.bytes_down += second.bytes_down
        if work.failure is not None:
            raise work.failure

    def _follow(self, work: "_Work", note: Note, has_text: Callable[[], bool]) -> None:
        at_work = AT_ONCE
        while at_work:
            with suppress(Empty):
                said = work.said.get(timeout=_LOOK_S)
                if said is None:
                    at_work -= 1
                else:
                    note(said)
            if has_text():
                work.stops.set()


class _Work:
    """What the two threads share."""

    def __init__(self, uploads: Uploads, files: deque[Wanted]) -> None:
        self.stops = Event()
        # None for each thread that is done.
        self.said: Queue[Arrived | Unfit | None] = Queue()
        self.failure: BaseException | None = None
        self._uploads = uploads
        self._files = files
        self._lock = Lock()
        self._failures = 0
        self._arrived_s = running_s()
        self.at_once = AT_ONCE

    def do(self, road: HttpTransport) -> None:
        """Send one file after the other; the first failure that is no matter of one file stops both threads."""
        size = ChunkSize()
        try:
            while (wanted := self._next()) is not None:
                _Sending(self, road, wanted, size).send()
        except BaseException as failure:  # noqa: BLE001 - raised again in the thread that waits
            with self._lock:
                self.failure = self.failure or failure
            self.stops.set()
        finally:
            with self._lock:
                self.at_once -= 1
            self.said.put(None)

    def _next(self) -> Wanted | None:
        with self._lock:
            return self._files.popleft() if self._files and not self.stops.is_set() else None

    @property
    def identity(self) -> tuple[str, str]:
        """Device and token."""
        return self._uploads.device, self._uploads.token

    def note_arrived(self, wanted: Wanted, offset: int, gained: int) -> None:
        """The hub has `offset` bytes of a file, `gained` of them since it was last heard of."""
        with self._lock:
            if gained > 0:
                self._failures = 0
                self._arrived_s = running_s()
                self._uploads.bytes += gained
        self.said.put(Arrived(wanted.sha256, offset))

    def give_up(self, wanted: Wanted, code: str | None = None) -> None:
        """Leave a file alone; with a code, for good."""
        with self._lock:
            self._uploads.given_up.add(wanted.sha256)
        if code is not None:
            self.said.put(Unfit(wanted.sha256, code))

    def bear(self, failure: ClientError) -> None:
        """Wait after a failure, longer each time. Raises it when nothing has arrived for too long."""
        pace = self._uploads.pace
        with self._lock:
            self._failures += 1
            pause_s = min(pace.pause_first_s * 2 ** min(self._failures - 1, 10), _PAUSE_MOST_S)
            is_over = running_s() - self._arrived_s + pause_s > pace.gives_up_after_s
        if is_over:
            raise failure
        self.stops.wait(pause_s)


class _Sending:
    """One file on its way."""

    def __init__(self, work: _Work, road: HttpTransport, wanted: Wanted, size: ChunkSize) -> None:
        self._work = work
        self._road = road
        self._wanted = wanted
        self._size = size
        self._device, self._token = work.identity
        self._upload = upload_id(self._device, wanted.sha256)
        self._offset = wanted.offset
        self._is_sure = True
        self._has_begun = wanted.offset > 0
        self._is_over = False
        self._has_begun_again = False

    def send(self) -> None:
        """Until all of it arrived, it is given up, or the work stops."""
        while not self._is_over and not self._work.stops.is_set():
            try:
                self._step()
            except (LinkCut, NotAnAnswer) as cut:
                self._lose_step()
                self._work.bear(cut)
            except HubRefuses as refusal:
                self._obey(refusal)

    def _step(self) -> None:
        if not self._is_sure:
            self._stand_at(self._road.uploaded(self._upload, self._token))
            return
        chunk = self._read()
        if chunk is None:
            self._leave(DAMAGED)
            return
        began_s, before = running_s(), self._offset
        self._stand_at(self._hand_over(chunk))
        if self._offset == before + len(chunk):
            self._size.note_arrived(len(chunk), running_s() - began_s, self._work.at_once)
        elif self._offset <= before:
            # It took nothing and does not say why: at once again would go on for ever.
            raise NotAnAnswer

    def _stand_at(self, offset: int) -> None:
        if offset > self._wanted.size:
            raise NotAnAnswer
        gained = offset - self._offset
        self._offset, self._is_sure, self._has_begun = offset, True, True
        self._is_over = offset == self._wanted.size
        self._work.note_arrived(self._wanted, offset, gained)

    def _leave(self, code: str | None = None) -> None:
        self._is_over = True
        self._work.give_up(self._wanted, code)

    def _hand_over(self, chunk: bytes) -> int:
        if self._has_begun:
            return self._road.go_on_uploading(self._upload, self._offset, chunk, self._token)
        return self._road.begin_upload(self._wanted.sha256, self._wanted.size, chunk, self._token)

    def _read(self) -> bytes | None:
        """The next chunk; None when the file is not what it was."""
        most = min(self._size.bytes, self._wanted.size - self._offset)
        try:
            with self._wanted.path.open("rb") as file:
                file.seek(self._offset)
                chunk = file.read(most)
        except OSError:
            return None
        return chunk if len(chunk) == most else None

    def _lose_step(self) -> None:
        """Nobody knows what arrived of the last chunk. That a question got no answer says nothing of its size."""
        if self._is_sure:
            self._size.note_cut()
        self._is_sure = False

    def _obey(self, refusal: HubRefuses) -> None:
        if refusal.code in _OUT_OF_STEP:
            self._lose_step()
            self._work.bear(refusal)
        elif refusal.code == UNWANTED and not self._has_begun and not self._is_sure:
            # What was to begin it never arrived.
            self._is_sure = True
        elif refusal.code == UNWANTED and self._has_begun:
            self._begin_again()
        elif refusal.code == DIFFERS and _is_whole(self._wanted):
            self._begin_again()
        elif refusal.code in _OF_THE_FILE:
            self._leave(_OF_THE_FILE[refusal.code])
        else:
            raise refusal

    def _begin_again(self) -> None:
        """What was there expired, or was changed on its way; twice in a session it is left alone."""
        if self._has_begun_again:
            self._leave()
            return
        self._offset, self._is_sure, self._has_begun, self._has_begun_again = 0, True, False, True
        self._work.note_arrived(self._wanted, 0, 0)


def _is_whole(wanted: Wanted) -> bool:
    """Whether the file is still the one that was sealed."""
    digest = hashlib.sha256()
    try:
        with wanted.path.open("rb") as file:
            while piece := file.read(_READ_BYTES):
                digest.update(piece)
    except OSError:
        return False
    return digest.hexdigest() == wanted.sha256
