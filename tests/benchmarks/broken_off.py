"""Broken off: files over a road that is cut 200 times, while hub and device are killed in turn."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from subprocess import PIPE
from threading import Event, Thread
from time import monotonic
from typing import Final

from client_sync.stores import Folder
from client_sync.uploads import CHUNK_FIRST_BYTES
from fixtures.bad_road import BadRoad, Cut, Rule
from tests.benchmarks.binding import bind
from tests.benchmarks.figure import Figure, note
from tests.benchmarks.handset import photo, sent_twice, told, write
from tests.benchmarks.harness import CHECKOUT, HubProcess, Void, enrol, free_port, fresh_folder, opened
from tests.benchmarks.wire import foreign_contents

FIGURES: Final = ("cuts", "files_wrong", "files_lost", "resent_share")
_CUTS: Final = 200
_PHOTOS: Final = 40
_PHOTO_BYTES: Final = 400_000
# So that the cuts are over before the files are.
_BETWEEN_CUTS_BYTES: Final = 120_000
_ANSWER_BYTES: Final = 150
_DOWN_SHARE: Final = 0.2
_LOOK_S: Final = 0.002
_PATIENCE_S: Final = 900
_PAUSE_FIRST_S: Final = 0.01
_GIVES_UP_S: Final = 1.0
_SEED: Final = 200
_LEEWAY: Final = 0.02


@dataclass
class Handset:
    """The field client as a process that can be killed; what all its processes said is kept."""

    folder: Path
    lines: list[str] = field(default_factory=list)
    _process: subprocess.Popen[str] = field(init=False)
    _reader: Thread = field(init=False)

    def start(self) -> None:
        """Send what is left to send."""
        command = [sys.executable, "-m", "tests.benchmarks.handset", str(self.folder)]
        command += [str(_PAUSE_FIRST_S), str(_GIVES_UP_S)]
        self._process = subprocess.Popen(command, cwd=CHECKOUT, stdin=subprocess.DEVNULL, stdout=PIPE, text=True)
        self._reader = Thread(target=self._read)
        self._reader.start()

    def kill(self) -> None:
        """End it as an empty battery would."""
        self._process.kill()
        self._process.wait()
        self._reader.join()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def has_ended(self) -> bool:
        """Whether it came to its end. Raises Void where that was none."""
        code = self._process.poll()
        if code:
            raise Void(f"the field client ended with {code}")
        return code is not None

    def _read(self) -> None:
        assert self._process.stdout is not None
        self.lines.extend(self._process.stdout)


def measure() -> Iterator[Figure]:
    """What is at the hub in the end, against what the device sent."""
    port = free_port()
    with fresh_folder() as folder:
        handset = Handset(folder / "device")
        with opened(folder / "hub") as hub:
            bind(handset.folder, hub, enrol(hub), ("127.0.0.1", port))
        photos = [photo(_PHOTO_BYTES, _SEED + no) for no in range(_PHOTOS)]
        write(Folder(handset.folder), foreign_contents(_SEED, _PHOTOS), photos)
        sent = {path.name: path.read_bytes() for path in Folder(handset.folder).files.iterdir()}
        with HubProcess(folder / "hub") as process, _cutting(process, port) as road:
            kills = _drive(process, handset, road)
            cuts, up_bytes = road.cuts, road.bytes_up
        with opened(folder / "hub") as hub:
            blobs = hub.depot.blobs
            here = {sha256: b"".join(blobs.read(sha256)) for sha256 in blobs.each()}
    yield Figure("cuts", cuts, "cuts", ">=", _CUTS)
    yield Figure("files_wrong", sum(sent.get(sha256) != data for sha256, data in here.items()), "files", "=", 0)
    yield Figure("files_lost", len(sent.keys() - here.keys()), "files", "=", 0)
    handed = told(handset.lines).handed
    note(
        f"{kills} kills; {len(handed)} chunks, of {max(each.tried for each in handed)} bytes at most; from the sockets"
    )
    note(f"  {sum(sent_twice(handed))} bytes went again, of {sum(each.size for each in handed)}")
    yield resent(up_bytes, sum(map(len, sent.values())), cuts)


def resent(up_bytes: int, file_bytes: int, cuts: int) -> Figure:
    """The share of what went up that was not the files once: what went again, and all that is said around them. It may
    be a chunk a cut, and a fiftieth of all."""
    bound = cuts * CHUNK_FIRST_BYTES / up_bytes + _LEEWAY
    return Figure("resent_share", (up_bytes - file_bytes) / up_bytes, "of all bytes", "<=", round(bound, 3))


@contextmanager
def _cutting(hub: HubProcess, port: int) -> Iterator[BadRoad]:
    """A road that breaks connections at random bytes until it has done so often enough."""
    dice = Random(_SEED)

    def rules() -> Iterator[Rule]:
        while road.cuts < _CUTS:
            if dice.random() < _DOWN_SHARE:
                yield Cut(after_down=dice.randint(0, _ANSWER_BYTES))
            else:
                yield Cut(after_up=dice.randint(0, _BETWEEN_CUTS_BYTES))

    with BadRoad(hub.address, rules(), port=port) as road:
        yield road


def _drive(hub: HubProcess, handset: Handset, road: BadRoad) -> int:
    """Let the handset send all that it has; at every other cut kill the hub or the device in turn. Gives how many were
    killed. Raises Void when there is no end."""
    kills, seen, give_up_at = 0, 0, monotonic() + _PATIENCE_S
    handset.start()
    try:
        while not handset.has_ended():
            if monotonic() > give_up_at:
                raise Void(f"files have no end after {road.cuts} cuts")
            Event().wait(_LOOK_S)
            if road.cuts // 2 == seen // 2:
                continue
            seen = road.cuts
            kills += 1
            victim = hub if kills % 2 else handset
            victim.kill()
            victim.start()
    finally:
        handset.kill()
    return kills
