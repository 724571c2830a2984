"""A real hub behind a real socket, and real devices that come and go."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from random import Random
from threading import Event, Thread
from typing import Any, Self

import pytest
from waitress import wasyncore

from client_sync.client import SyncClient, SyncReport
from client_sync.enrolment import enrol
from client_sync.outbox import Finished, Outbox
from client_sync.stores import Folder
from client_sync.tables import Enrolled
from client_sync.transport import HttpTransport
from client_sync.uploads import USUAL_PACE, Pace
from fixtures.bad_road import BadRoad, Rule
from server.app import create_app
from server.config import Settings
from server.hub import Hub
from server.serve import make_server
from server.services import devices
from tests.builders import Clock, an_id, clear_content, open_new_hub, secrets_of, with_keyring


class RunningHub:
    """A hub that serves in a thread; it can be stopped and started again on the same port."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.settings = settings
        self.clock = clock
        self._port = 0
        self.start()

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        return "127.0.0.1", self._port

    def start(self) -> None:
        """Open the hub and serve it."""
        self.hub: Hub = with_keyring(open_new_hub(self.settings, secrets_of(self.settings), self.clock))
        self._server = make_server(create_app(self.hub), "127.0.0.1", self._port, 4)
        self._port = int(self._server.effective_port)
        self._stopping = Event()
        self._thread = Thread(target=self._serve)
        self._thread.start()

    def stop(self) -> None:
        """Stop serving and close the hub; its data stay."""
        self._stopping.set()
        self._server.pull_trigger()
        self._thread.join()
        # Not where it serves: what wakes it must not be closed under the hand that does.
        self._server.task_dispatcher.shutdown()
        wasyncore.close_all(self._server._map)
        self.hub.close()

    def _serve(self) -> None:
        while not self._stopping.is_set():
            wasyncore.loop(timeout=1, use_poll=True, map=self._server._map, count=1)

    def invite(self, label: str, **options: Any) -> str:
        """A one-time code."""
        return devices.invite(self.hub.store, self.clock(), label=label, valid_hours=72, **options).code

    def lines(self) -> dict[str, bytes]:
        """Every stored operation by its id, as it was received, read from the database."""
        with self.hub.store.read() as connection:
            rows = connection.exec_driver_sql("SELECT client_id, line FROM received").all()
        assert len({id for id, _ in rows}) == len(rows)
        return {id: bytes(line) for id, line in rows}

    def set_aside(self) -> int:
        """How many operations wait in quarantine."""
        with self.hub.store.read() as connection:
            select = "SELECT count(*) FROM quarantine WHERE state = 'waiting'"
            return int(connection.exec_driver_sql(select).scalar_one())


class FieldDevice:
    """A device of the hub with its own folder, which syncs over the road that a test gives it."""

    def __init__(self, hub: RunningHub, folder: Folder, label: str) -> None:
        self.hub = hub
        self.label = label
        self.clock = Clock()
        self.outbox = Outbox.open(folder)

    def enrol(self, code: str, *script: Rule) -> Enrolled:
        """Enrol at the hub, over a road with this script."""
        with BadRoad(self.hub.address, script) as road, closing(_transport(road.address)) as transport:
            return enrol(self.outbox.folder, _url(self.hub.address), code, transport, label=self.label)

    def join(self, **options: Any) -> Self:
        """Be invited, enrolled and confirmed."""
        enrolled = self.enrol(self.hub.invite(self.label, **options))
        devices.confirm(self.hub.hub.store, enrolled.device, self.hub.clock())
        return self

    def write(self, *names: object, **facts: Any) -> None:
        """Finalise a complaint for each name; the same name is the same complaint."""
        self.outbox.finalise_all([Finished("complaint", clear_content(**facts), an_id(name)) for name in names])

    def sync(self, *script: Rule, pace: Pace = USUAL_PACE) -> SyncReport:
        """One session, over a road with this script."""
        with BadRoad(self.hub.address, script) as road, closing(_transport(road.address)) as transport:
            client = SyncClient(self.outbox, transport, now=self.clock, rng=Random(1), version="0.1.0", pace=pace)
            return client.sync()

    def states(self) -> list[str]:
        """State of every record, in the order in which they were written."""
        return [record.state for record in self.outbox.records()]

    def reopen(self) -> None:
        """Close the program and start it again."""
        self.outbox.close()
        self.outbox = Outbox.open(self.outbox.folder)

    def held_lines(self) -> set[bytes]:
        """What the device still holds but linkage, byte for byte, asked of the file itself."""
        rows = self.outbox._database.query("SELECT line FROM record WHERE line IS NOT NULL AND op <> 'linkage'")
        return {row["line"] for row in rows}


def _url(address: tuple[str, int]) -> str:
    return "http://{}:{}".format(*address)


def _transport(address: tuple[str, int]) -> HttpTransport:
    return HttpTransport(_url(address))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def hub(tmp_path: Path, clock: Clock) -> Iterator[RunningHub]:
    """A running hub with nothing in it."""
    hub = RunningHub(Settings(data=tmp_path / "hub"), clock)
    yield hub
    hub.stop()


NewDevice = Callable[..., FieldDevice]


@pytest.fixture
def new_device(hub: RunningHub, tmp_path: Path) -> Iterator[NewDevice]:
    """Makes enrolled devices: `new_device("Mopti 2")`."""
    made: list[FieldDevice] = []

    def make(label: str, **options: Any) -> FieldDevice:
        device = FieldDevice(hub, Folder(tmp_path / f"device-{len(made)}"), label)
        made.append(device)
        return device.join(**options)

    yield make
    for device in made:
        device.outbox.close()
