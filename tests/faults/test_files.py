"""Files on their way while the hub is killed, or its disk runs full, at any operation: none is lost, none is wrong."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

import sqlalchemy as sa

from client_sync.client import SyncClient, SyncReport, utc_now
from client_sync.complaint import Answers, Consent, build_complaint
from client_sync.files import Pending
from client_sync.outbox import Finished
from client_sync.transport import HttpTransport
from client_sync.uploads import Pace
from fixtures.bad_road import Address
from server.domain.permission import OPERATOR
from server.hub import Hub
from server.services.evidence import receiving
from server.store.evidence_tables import piece
from tests import media
from tests.faults.history import History
from tests.faults.kill import ChildEnded
from tests.faults.rig import Device, HubChild, Sizes, enrolled, opened, settings_of, sized, url_of
from tests.faults.shim import FaultShim

KILLS = Sizes(ci=30, full=200)
POINTS = Sizes(ci=20, full=100)
# Prime, so that the kills walk through the operations of a start, of chunks and of what follows the last of them.
STRIDE = 29
OPERATIONS = 521
POINTS_BYTES = 300_000
_HURRIED = Pace(pause_first_s=0.01, gives_up_after_s=0.1)
_SESSIONS_MOST = 30


@dataclass(frozen=True)
class Found:
    """What a run left: files of the device that the hub lacks or has otherwise, bytes that belong to nothing, and rows
    without bytes."""

    faults: int
    wrong: int
    strays: int
    lost: int


def killed(count: int, folder: Path, shim: FaultShim) -> Found:
    """Kill the hub `count` times, each time before another operation on its disk."""
    with _prepared(folder, shim) as (hub, camera):
        for turn in range(count):
            camera.take(2, seed=turn)
            shim.arm(kill_at=turn * STRIDE % OPERATIONS + 1)
            try:
                hub.start()
                camera.send_until_cut(hub.address)
            except ChildEnded:
                """Killed before it listened."""
            hub.kill()
            shim.arm()
        hub.start()
        camera.send_all(hub.address)
    return _examined(folder, camera, count)


def full_disks(points: int, folder: Path, shim: FaultShim) -> Found:
    """Let the disk of one hub run full at `points` points of sending files, and give it room again each time."""
    with _prepared(folder, shim) as (hub, camera):
        hub.start()
        for point in range(points):
            camera.take(2, seed=point)
            shim.arm(enospc_after=point * POINTS_BYTES // points)
            report = camera.send(hub.address)
            assert report.is_whole or report.refused_code == "storage_full" or report.cut, report
            shim.arm()
            camera.send_all(hub.address)
    return _examined(folder, camera, points)


class Camera:
    """A device that takes files in."""

    def __init__(self, device: Device, folder: Path) -> None:
        self.device = device
        self._folder = folder

    def take(self, count: int, seed: int) -> None:
        """One complaint with files of 5 to 120 KB."""
        chances = Random(seed)
        with self.device.outbox() as outbox:
            taken = []
            for no in range(count):
                source = self._folder / f"{seed}-{no}.jpg"
                source.write_bytes(media.photo(40, 30) + chances.randbytes(chances.randrange(5_000, 120_000)))
                taken.append(outbox.files.take_in(source, now=utc_now()))
            answers = Answers(files=tuple(taken), consent=Consent("C1"))
        self.device.finalise([Finished("complaint", build_complaint(answers, now=utc_now(), receipt="7K4M-2QG"))])

    def send(self, address: Address, pace: Pace = _HURRIED) -> SyncReport:
        """One session."""
        road = HttpTransport(url_of(address))
        try:
            with self.device.outbox() as outbox:
                client = SyncClient(outbox, road, now=utc_now, rng=Random(0), version="faults", pace=pace)
                return client.sync()
        finally:
            road.close()

    def send_until_cut(self, address: Address) -> None:
        """Sessions until the hub is gone, or there is nothing left."""
        for _ in range(_SESSIONS_MOST):
            if not self.send(address).is_whole or self.pending() == Pending(0, 0):
                return

    def send_all(self, address: Address) -> None:
        """Sessions until the hub has all; fails when that never comes."""
        for _ in range(_SESSIONS_MOST):
            report = self.send(address, Pace())
            if report.is_whole and self.pending() == Pending(0, 0):
                return
        raise AssertionError(f"does not come to an end: {report}, {self.pending()}")

    def pending(self) -> Pending:
        """What the hub lacks, as far as the device knows."""
        with self.device.outbox() as outbox:
            return outbox.files.pending()

    def kept(self) -> dict[str, bytes]:
        """What the device has of its files, by their hash."""
        return {path.name: path.read_bytes() for path in self.device.folder.files.iterdir()}


@contextmanager
def _prepared(folder: Path, shim: FaultShim) -> Iterator[tuple[HubChild, Camera]]:
    root = folder / "hub"
    with History(folder / "history") as history:
        with opened(settings_of(root)) as hub:
            [device] = enrolled(hub, folder, history, 1)
        with HubChild(root, shim.environment(match=root)) as child:
            yield child, Camera(device, folder)


def _examined(folder: Path, camera: Camera, faults: int) -> Found:
    with opened(settings_of(folder / "hub")) as hub:
        wrong = _wrong(hub, camera.kept())
        found = receiving.repair(
            hub.store, hub.depot, hub.settings.backups, OPERATOR.signature, hub.clock(), is_deep=True
        )
        assert list(hub.depot.parts.each()) == []
        return Found(faults, wrong, found.removed, found.lost)


def _wrong(hub: Hub, kept: dict[str, bytes]) -> int:
    with hub.store.read() as connection:
        states = dict(connection.execute(sa.select(piece.c.sha256, piece.c.state)).all())  # type: ignore[arg-type]
    blobs = hub.depot.blobs
    return sum(states[sha256] != "here" or b"".join(blobs.read(sha256)) != data for sha256, data in kept.items())


@sized(KILLS)
def test_hub_that_is_killed_loses_no_file(size: int, ram: Path, shim: FaultShim) -> None:
    assert killed(size, ram, shim) == Found(size, 0, 0, 0)


@sized(POINTS)
def test_full_disk_loses_no_file(size: int, ram: Path, shim: FaultShim) -> None:
    assert full_disks(size, ram, shim) == Found(size, 0, 0, 0)
