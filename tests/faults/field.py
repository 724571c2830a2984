"""A device as a program: it writes and sends, and marks in an operation log each promise that it made or was given.

Arguments: device folder, port of the hub, history, operation log, number of turns. A mark is one JSON object:
`kept`, ids whose finalising returned; `left`, numbers and digests of the frames about to leave; `told`, ids that
the centre has, by what the device shows.
"""

import json
import sys
from functools import partial
from pathlib import Path
from typing import Any

from client_sync.protocol.coding import DICTIONARY_ID, Coding, inflate
from client_sync.protocol.frames import read_frames
from client_sync.transport import Answer, HttpTransport
from tests.faults.history import History
from tests.faults.rig import Device
from tests.faults.shim import mark_acknowledged

SEED = 7


class MarkingTransport(HttpTransport):
    """Marks which frames are about to leave."""

    def __init__(self, log: Path, url: str) -> None:
        super().__init__(url)
        self._log = log

    def sync(self, body: bytes, coding: Coding, token: str) -> Answer:
        """Mark, then send."""
        frames = read_frames(inflate(body, coding, DICTIONARY_ID).data)
        _mark(self._log, "left", [[frame.header.frame, frame.digest.hex()] for frame in frames])
        return super().sync(body, coding, token)


def live(folder: Path, port: int, history: History, log: Path, turns: int) -> None:
    """Write one to four complaints a turn and send them in every second one."""
    device = Device("Poste 1", folder, history, SEED)
    # Held open: closing a store for the last time syncs all of it, whatever its commits did.
    with device.outbox():
        for turn in range(turns):
            _mark(log, "kept", device.write(1 + turn % 4))
            if turn % 2:
                before = device.told()
                device.sync(("127.0.0.1", port), transport=partial(MarkingTransport, log))
                _mark(log, "told", sorted(device.told() - before))


def _mark(log: Path, promise: str, what: list[Any]) -> None:
    mark_acknowledged(log, json.dumps({promise: what}).encode())


if __name__ == "__main__":
    device, port, notes, operations, turns = sys.argv[1:]
    with History(Path(notes)) as history:
        live(Path(device), int(port), history, Path(operations), int(turns))
