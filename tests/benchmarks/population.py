"""A hub with many complaints, filled through the services' own path, kept in var/figures and used again.

Later figures open it by `populated(size)`: copy it before anything is written into the copy.
"""

import json
import shutil
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import Any, Final

from nacl.signing import SigningKey

from client_sync.protocol.canonical import canonical
from client_sync.protocol.frames import read_frames
from fixtures.generate import contents, random_id
from server.hub import Hub
from server.services import devices, keyrings, maintenance
from server.services.intake.receiving import Rules, receive
from server.services.intake.sealing import Sealing
from tests.benchmarks.figure import note
from tests.benchmarks.harness import FIGURES, UNBOUNDED, Sender, Void, enrol, fresh_folder, opened
from tests.benchmarks.load import sealed_content

RECORDS_PER_DEVICE: Final = 5_000
_FRAME_RECORDS: Final = 100
_FRAMES_A_BODY: Final = 10
_SENDERS: Final = "senders.jsonl"
_SHARES_AHEAD: Final = 2
_SAY_EVERY_S: Final = 10


@dataclass(frozen=True)
class Population:
    """A filled hub that nobody has open, and devices that may go on sending to a copy of it."""

    folder: Path
    senders: tuple[Sender, ...]


def populated(size: int) -> Population:
    """The hub of `size` complaints: as it was left, completed, or built anew when its tables are of another day."""
    folder = FIGURES / f"hub-{size}"
    if (folder / "hub.db").exists() and not _has_current_tables(folder):
        note(f"{folder.name}: tables of another version, built anew")
        shutil.rmtree(folder)
    with opened(folder) as hub:
        senders = _enrolled(hub, folder, -(-size // RECORDS_PER_DEVICE))
        _fill(hub, senders, size)
        stored = maintenance.counts(hub.store).complaints
    if stored != size:
        raise Void(f"{folder} holds {stored} complaints, not {size}: delete it")
    return Population(folder, tuple(senders))


def _has_current_tables(folder: Path) -> bool:
    with fresh_folder() as fresh, opened(fresh) as empty, opened(folder) as hub:
        return _tables(empty) == _tables(hub)


def _tables(hub: Hub) -> Sequence[Any]:
    with hub.store.read() as connection:
        return connection.exec_driver_sql("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()


def _enrolled(hub: Hub, folder: Path, count: int) -> list[Sender]:
    """The devices of the hub in the order of their shares; their keys lie beside it, so that they can go on."""
    file = folder / _SENDERS
    kept = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    with file.open("a") as lines:
        for _ in range(count - len(kept)):
            sender = enrol(hub)
            names = {"device": sender.device, "lineage": sender.lineage, "token": sender.token}
            kept.append(names | {"key": bytes(sender.key).hex()})
            lines.write(json.dumps(kept[-1]) + "\n")
    last_frames = {device.id: device.last_frame for device in devices.listed(hub.store)}
    return [
        Sender(
            one["device"],
            one["lineage"],
            one["token"],
            SigningKey(bytes.fromhex(one["key"])),
            hub.identity.id,
            hub.epoch(),
            last_frames[one["device"]] + 1,
        )
        for one in kept
    ]


def _fill(hub: Hub, senders: Sequence[Sender], size: int) -> None:
    """Send what is missing, device by device; one that was cut short goes on after its last frame."""
    shares = [_Share(number, sender.next_frame - 1, size) for number, sender in enumerate(senders)]
    missing = [share for share in shares if not share.is_sent]
    began = said_at = time.monotonic()
    with ProcessPoolExecutor(1, get_context("spawn")) as teller:
        for done, (share, frames) in enumerate(_told_ahead(teller, missing), 1):
            sender = senders[share.number]
            _receive_all(hub, sender, [sender.frame(lines) for lines in frames])
            now = time.monotonic()
            if now - said_at > _SAY_EVERY_S:
                said_at = now
                left_s = (now - began) / done * (len(missing) - done)
                note(f"{share.upto} of {size} complaints stored, about {left_s:.0f} s left")


@dataclass(frozen=True)
class _Share:
    """The part of the whole that one device sends, and how many of its frames are there already."""

    number: int
    frames_sent: int
    size: int

    @property
    def first(self) -> int:
        return self.number * RECORDS_PER_DEVICE

    @property
    def upto(self) -> int:
        return min(self.first + RECORDS_PER_DEVICE, self.size)

    @property
    def is_sent(self) -> bool:
        return self.frames_sent * _FRAME_RECORDS >= self.upto - self.first

    def frames(self) -> list[list[bytes]]:
        """Lines of the frames that are still to be sent; what a share tells is the same on each call, but for boxes."""
        rng = Random(self.number)
        told = [(random_id(rng), content) for content in contents(self.number, self.upto - self.first)]
        lines = [
            canonical({"content": sealed_content(id, content), "id": id, "op": "complaint", "seq": seq})
            for seq, (id, content) in enumerate(told[self.frames_sent * _FRAME_RECORDS :], 1)
        ]
        return [lines[at : at + _FRAME_RECORDS] for at in range(0, len(lines), _FRAME_RECORDS)]


def _told_ahead(teller: ProcessPoolExecutor, missing: Sequence[_Share]) -> Iterator[tuple[_Share, list[list[bytes]]]]:
    """The lines of each share, told on the other core while this one stores those of the share before."""
    waiting = iter(missing)
    ahead: list[tuple[_Share, Future[list[list[bytes]]]]] = []
    while True:
        ahead += [(share, teller.submit(share.frames)) for share in islice(waiting, _SHARES_AHEAD - len(ahead))]
        if not ahead:
            return
        share, told = ahead.pop(0)
        yield share, told.result()


def _receive_all(hub: Hub, sender: Sender, frames: Sequence[bytes]) -> None:
    """Hand the frames to the intake, several a transaction. Raises Void unless all is newly stored."""
    sealing = Sealing(keyrings.current(hub.store), hub.secrets.pepper, None)
    rules = Rules(hub.identity.id, hub.settings.registry_prefix, UNBOUNDED, sealing)
    for at in range(0, len(frames), _FRAMES_A_BODY):
        body = list(read_frames(b"".join(frames[at : at + _FRAMES_A_BODY])))
        device = devices.authenticate(hub.store, sender.token)
        receipt = receive(hub.store, device, body, hub.clock(), rules)
        if not all(report.keys() == {"frame", "n"} for report in receipt.reports):
            raise Void(f"the intake said {receipt.reports}")
