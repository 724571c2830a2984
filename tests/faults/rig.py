"""What every fault run stands on: a real hub, real devices over HTTP, and the account of what the hub holds."""

import json
import os
import re
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from random import Random
from threading import Event, Thread
from typing import Final, NamedTuple, Self

import pytest
import sqlalchemy as sa
from waitress import wasyncore

from client_sync.client import SyncClient, SyncReport, utc_now
from client_sync.enrolment import enrol
from client_sync.outbox import Finished, Outbox
from client_sync.protocol.anchors import ANCHOR_SEEN
from client_sync.stores import Folder
from client_sync.transport import HttpTransport
from client_sync.vault import Hardness, Vault
from fixtures.bad_road import Address, Pass, Rule
from fixtures.generate import Content, contents, random_id
from server.app import create_app
from server.config import Settings
from server.hub import Clock, Hub
from server.serve import make_server
from server.services import devices
from server.store import audit, changes, schema
from server.store.engine import Store
from tests.builders import open_new_hub, passphrase_file, secrets_of, with_keyring
from tests.faults.history import Findings, History, check
from tests.faults.kill import Child, Ending
from tests.serving import PROGRAM, PYTHONPATH

REPOSITORY: Final = Path(__file__).resolve().parents[2]
# A kind of change that a device keeps word for word.
MESSAGE: Final = "message"
# A device may send what a run sends: limits have tests of their own.
BURST_RECORDS: Final = 10**9
BURST_BYTES: Final = 10**11

_FULL_TIMEOUT_S: Final = 3_600
# Forty starts of a hub and of its matcher, each through the shim, on a machine that has other things to do.
_SMALL_TIMEOUT_S: Final = 600
_PASSPHRASE: Final = "mil sorgho riz fonio"
# What makes guessing slow is not what is tried here.
_SOFT: Final = Hardness(passes=1, memory_bytes=8_192)
_STORIES: Final = 60
_SYNCS_MOST: Final = 50
_POLL_S: Final = 1.0
_THREADS: Final = 4
_LISTENS_ON: Final = re.compile(r"http://127\.0\.0\.1:([0-9]+)")


@dataclass(frozen=True)
class Run:
    """One run: how many faults it put in, and what they broke."""

    faults: int
    findings: Findings


class Sizes(NamedTuple):
    """How many faults a run puts in: for every change, and as promised."""

    ci: int
    full: int


def sized(sizes: Sizes) -> pytest.MarkDecorator:
    """Run a test under the name `size` small in the `ci` part of `make prove`, for every change, and in full."""
    small = [pytest.mark.prove, pytest.mark.ci, pytest.mark.timeout(_SMALL_TIMEOUT_S)]
    whole = [pytest.mark.prove, pytest.mark.timeout(_FULL_TIMEOUT_S)]
    return pytest.mark.parametrize(
        "size", [pytest.param(sizes.ci, id="ci", marks=small), pytest.param(sizes.full, id="full", marks=whole)]
    )


# The hub.


def settings_of(folder: Path, database: str = "") -> Settings:
    """Settings of a hub in `folder`, or with its data in a PostgreSQL `database`."""
    return Settings(
        data=folder,
        database=database,
        passphrase_file=passphrase_file(folder),
        device_burst_records=BURST_RECORDS,
        device_burst_bytes=BURST_BYTES,
    )


@contextmanager
def opened(settings: Settings, clock: Clock = utc_now) -> Iterator[Hub]:
    """The hub of the settings inside this process."""
    hub = with_keyring(open_new_hub(settings, secrets_of(settings), clock))
    try:
        yield hub
    finally:
        hub.close()


@contextmanager
def served(hub: Hub, port: int = 0) -> Iterator[Address]:
    """The hub answers at the address, by threads of this process, until the block ends."""
    server = make_server(create_app(hub), "127.0.0.1", port, _THREADS)
    ending = Event()

    def answer() -> None:
        while not ending.is_set():
            wasyncore.loop(timeout=_POLL_S, use_poll=True, map=server._map, count=1)

    thread = Thread(target=answer, name="hub")
    thread.start()
    try:
        yield ("127.0.0.1", int(server.effective_port))
    finally:
        ending.set()
        server.pull_trigger()
        thread.join()
        wasyncore.close_all(server._map)
        server.task_dispatcher.shutdown(cancel_pending=False)


class HubChild:
    """`seere serve` on a folder as a child process, to be killed and started again under the same address.

    `environment` is that of a shim, if there is one. A context manager: the child is dead when it is left.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        self._environment = seere_environment(folder, environment)
        self._port = 0
        self._child: Child | None = None

    def start(self) -> Child:
        """Start it, in place of one that still runs; returns when it listens. Raises ChildEnded when it died before."""
        if self._child is not None:
            self._child.kill()
        self._child = Child([*PROGRAM, "serve", "--port", str(self._port)], self._environment)
        found = _LISTENS_ON.search(self._child.wait_for("http://127.0.0.1:"))
        assert found is not None
        self._port = int(found[1])
        return self._child

    @property
    def address(self) -> Address:
        """Where it listens, also while it is dead."""
        return ("127.0.0.1", self._port)

    def kill(self) -> Ending:
        """SIGKILL; one that has ended before keeps its own ending."""
        assert self._child is not None
        return self._child.kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._child is not None:
            self._child.kill()


def seere(
    folder: Path, *arguments: str | Path, environment: Mapping[str, str] | None = None, **settings: str
) -> Ending:
    """Run `seere` with arguments and settings on a folder and wait for its end; fails when it refuses."""
    named = {f"SEERE_{name.upper()}": value for name, value in settings.items()}
    with Child([*PROGRAM, *arguments], seere_environment(folder, environment) | named) as child:
        ending = child.wait()
    assert ending.returncode == 0, ending
    return ending


def seere_environment(folder: Path, environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a hub in `folder`, without settings of whoever runs the tests."""
    inherited = os.environ if environment is None else environment
    kept = {name: value for name, value in inherited.items() if not name.startswith("SEERE_")}
    return kept | {
        "PYTHONPATH": PYTHONPATH,
        "SEERE_DATA": str(folder),
        "SEERE_PASSPHRASE_FILE": str(passphrase_file(folder)),
        "SEERE_DEVICE_BURST_BYTES": str(BURST_BYTES),
        "SEERE_DEVICE_BURST_RECORDS": str(BURST_RECORDS),
    }


# The devices.


class Device:
    """A field device: its real, encrypted store in a folder, and what it did and was told in a history."""

    def __init__(self, label: str, folder: Path, history: History, seed: int) -> None:
        self.label = label
        self.folder = Folder(folder)
        self._history = history
        self._chances = Random(seed)
        self._stories = contents(seed, _STORIES)
        self._told: set[str] = set()
        self._heard = 0
        self.lineage = ""

    @contextmanager
    def outbox(self) -> Iterator[Outbox]:
        """The device's outbox, for as long as the block lasts, in this thread."""
        outbox = Outbox.open(self.folder)
        try:
            yield outbox
        finally:
            outbox.close()

    def enrol(self, hub: Hub, address: Address) -> None:
        """Enrol at a hub that answers at `address`, and have the words confirmed."""
        Vault.create(self.folder, _PASSPHRASE, _SOFT).close()
        code = devices.invite(hub.store, hub.clock(), label=self.label, valid_hours=1, team="equipe").code
        transport = HttpTransport(url_of(address))
        try:
            self.lineage = enrol(self.folder, url_of(address), code, transport, label=self.label).device
        finally:
            transport.close()
        devices.confirm(hub.store, self.lineage, hub.clock())

    def write(self, count: int = 1, at: datetime | None = None) -> list[str]:
        """Finalise complaints, all in one transaction, said to be entered `at`; gives their ids."""
        return self.finalise([Finished("complaint", self.story(at)) for _ in range(count)])

    def story(self, at: datetime | None = None) -> Content:
        """The content of a complaint, said to be entered `at`."""
        content = self._chances.choice(self._stories)
        if at is None:
            return content
        clear = content["facts"]["clear"] | {"entered_at": at.strftime("%Y-%m-%dT%H:%M:%SZ")}
        return content | {"facts": {"clear": clear}}

    def finalise(self, operations: Sequence[Finished]) -> list[str]:
        """Finalise operations, all in one transaction; gives their ids."""
        named = [replace(each, id=random_id(self._chances)) for each in operations]
        for each in named:
            self._history.invoke(str(each.id))
        with self.outbox() as outbox:
            return outbox.finalise_all(named)

    def sync(
        self,
        address: Address,
        now: Callable[[], datetime] = utc_now,
        transport: Callable[[str], HttpTransport] = HttpTransport,
    ) -> SyncReport:
        """One session with whatever answers at the address; notes what the device was told."""
        road = transport(url_of(address))
        try:
            with self.outbox() as outbox:
                client = SyncClient(outbox, road, now=now, rng=self._chances, version="faults")
                report = client.sync()
                self._note_told(outbox)
        finally:
            road.close()
        return report

    def sync_to_the_end(self, address: Address, now: Callable[[], datetime] = utc_now) -> None:
        """Sessions until nothing is left to exchange; fails when that never comes."""
        for _ in range(_SYNCS_MOST):
            report = self.sync(address, now)
            if report.is_whole:
                return
        raise AssertionError(f"{self.label} does not come to an end: {report}")

    def waiting(self) -> int:
        """How many operations the device still has to send."""
        with self.outbox() as outbox:
            return outbox.waiting()

    def told(self) -> set[str]:
        """Ids of the operations of which the device was ever told that the centre has them."""
        return set(self._told)

    def states(self) -> Counter[str]:
        """How many of its records the device shows in each state."""
        with self.outbox() as outbox:
            return Counter(record.state for record in outbox.records())

    def heard(self) -> list[str]:
        """What the centre said to it so far, in the order of the change log, read from the open vault."""
        vault = Vault.open(self.folder, _PASSPHRASE)
        try:
            with self.outbox() as outbox:
                return [str(reply.body["text"]) for reply in outbox.received.replies("", vault)]
        finally:
            vault.close()

    def listen(self) -> None:
        """Note what the centre said meanwhile."""
        heard = self.heard()
        for text in heard[self._heard :]:
            self._history.pulled(self.label, text)
        self._heard = len(heard)

    def _note_told(self, outbox: Outbox) -> None:
        for record in outbox.records():
            if record.state in ("at_centre", "kept_aside") and record.id not in self._told:
                self._told.add(record.id)
                self._history.acknowledged(record.id)


def enrolled(hub: Hub, folder: Path, history: History, count: int) -> list[Device]:
    """`count` new devices below `folder`, enrolled at the hub over HTTP."""
    made = [Device(f"Poste {no}", folder / f"device-{no}", history, seed=no) for no in range(1, count + 1)]
    with served(hub) as address:
        for device in made:
            device.enrol(hub, address)
    return made


def tell(hub: Hub, device: Device, text: str) -> None:
    """Let the centre say something to a device."""
    with hub.store.write() as connection:
        tell_within(connection, hub, device, text)


def tell_within(connection: sa.Connection, hub: Hub, device: Device, text: str) -> None:
    """Say it in the transaction of the connection."""
    changes.append(connection, device.lineage, MESSAGE, None, {"text": text}, hub.clock())
    audit.record(connection, at=hub.clock(), actor="operator", action="tell", object=f"device:{device.lineage}")


def said(hub: Hub, to: Iterable[Device]) -> dict[str, list[str]]:
    """What the centre said to each of the devices, by label, in the order of its change log."""
    columns = schema.change.c
    with hub.store.read() as connection:
        log = list(connection.execute(sa.select(columns.lineage, columns.kind, columns.body).order_by(columns.n)))
    return {
        device.label: [row.body["text"] for row in log if (row.lineage, row.kind) == (device.lineage, MESSAGE)]
        for device in to
    }


def queued(rules: deque[Rule]) -> Iterator[Rule]:
    """A script for a road: the rules in the queue as they are put there, and a free road when there is none."""
    while True:
        yield rules.popleft() if rules else Pass()


def url_of(address: Address) -> str:
    """The address as a device types it."""
    return f"http://{address[0]}:{address[1]}"


# The account.


@dataclass(frozen=True)
class Account:
    """What a hub holds: ids stored, by how often; ids set aside; and what is there without its other parts."""

    stored: Counter[str]
    set_aside: list[str]
    torn: tuple[tuple[str, ...], ...]


def account(store: Store) -> Account:
    """Count what stands in the tables."""
    with store.read() as connection:
        # What devices say of the log is nothing that a person wrote.
        written = sa.select(schema.received.c.client_id).where(schema.received.c.op != ANCHOR_SEEN)
        stored = Counter(connection.scalars(written))
        torn = (
            *_torn_complaints(connection),
            *_torn_numbers(connection),
            *_torn_frames(connection),
            *_torn_log(connection),
        )
        return Account(stored, _set_aside(connection), torn)


def examine(
    store: Store,
    history: Iterable[Mapping[str, str]],
    messages: Mapping[str, Sequence[str]] | None = None,
) -> Findings:
    """The findings of a run: what the devices were told against what the hub holds, its transactions whole."""
    held = account(store)
    findings = check(history, held.stored, held.set_aside, changes=messages)
    return replace(findings, half=findings.half + held.torn)


def _set_aside(connection: sa.Connection) -> list[str]:
    """Ids that wait for a person, without the revisions that are stored and clash: those are counted there."""
    quarantine, received = schema.quarantine.c, schema.received.c
    same = sa.and_(
        received.lineage == quarantine.lineage,
        received.client_id == quarantine.client_id,
        received.hash == quarantine.hash,
    )
    is_counted = sa.and_(quarantine.verdict == "conflict", sa.exists().where(same))
    select = sa.select(quarantine.client_id).where(quarantine.state == "waiting", ~is_counted)
    return list(connection.scalars(select))


def _torn_complaints(connection: sa.Connection) -> Iterator[tuple[str, ...]]:
    """A complaint is an operation received, a row of facts and a registry number, or nothing."""
    received, numbered = schema.received.c, schema.registry.c.complaint
    parts = {
        "received": set(connection.scalars(sa.select(received.id).where(received.op == "complaint"))),
        "complaint": set(connection.scalars(sa.select(schema.complaint.c.id))),
        "registry": set(connection.scalars(sa.select(numbered).where(numbered.is_not(None)))),
    }
    for id in sorted(set().union(*parts.values())):
        found = tuple(f"{name} {id}" for name, ids in parts.items() if id in ids)
        if len(found) < len(parts):
            yield found


def _torn_numbers(connection: sa.Connection) -> Iterator[tuple[str, ...]]:
    """Registry numbers have no gaps, and the counter stands at the last one."""
    series_of = sa.select(schema.registry.c.prefix, schema.registry.c.year)
    given = Counter((row.prefix, row.year) for row in connection.execute(series_of))
    counters = connection.execute(sa.select(schema.registry_counter))
    last = {(row.prefix, row.year): row.last for row in counters}
    for series in sorted(given.keys() | last.keys()):
        if given[series] != last.get(series, 0):
            yield (f"{given[series]} registry numbers of {series}", f"counter at {last.get(series)}")


def _torn_frames(connection: sa.Connection) -> Iterator[tuple[str, ...]]:
    """Each frame taken in stands in the table of frames, in an event, and in the position of its lineage."""
    frame, event = schema.frame.c, schema.event.c
    kept = {tuple(row) for row in connection.execute(sa.select(frame.device, frame.number, frame.mark))}
    taken = [
        (device.removeprefix("device:"), number, digest)
        for device, canonical in connection.execute(
            sa.select(event.object, event.canonical).where(event.action == "intake")
        )
        for number, digest in json.loads(canonical)["details"]["frames"]
    ]
    for each in sorted(kept - set(taken)):
        yield (f"frame {each}",)
    missing = sorted(set(taken) - kept)
    if len(missing) > _frames_forgotten(connection):
        yield tuple(f"event of frame {each}" for each in missing)
    positions = sum(connection.scalars(sa.select(schema.lineage.c.position)))
    if positions != len(taken):
        yield (f"positions of {positions} frames", f"events of {len(taken)} frames")


def _torn_log(connection: sa.Connection) -> Iterator[tuple[str, ...]]:
    """Places have no gap but for the blanks before an anchor, and the counter stands at the end."""
    taken = set(connection.scalars(sa.select(schema.event.c.place)))
    size = connection.scalar(sa.select(schema.log_counter.c.size)) or 0
    padded = connection.scalars(sa.select(schema.anchor.c.size))
    blank = {place for end in padded for place in _blanks(taken, end)}
    if torn := sorted(set(range(size)) ^ (taken | blank)):
        yield (f"places of the log {torn}", f"counter at {size}")


def _blanks(taken: set[int], end: int) -> Iterator[int]:
    """The places before `end` that follow the last event there."""
    place = end - 1
    while place >= 0 and place not in taken:
        yield place
        place -= 1


def _frames_forgotten(connection: sa.Connection) -> int:
    """How many frames upkeep let go, by its own account."""
    upkeep = sa.select(schema.event.c.canonical).where(schema.event.c.action == "upkeep")
    return sum(json.loads(canonical)["details"]["frames"] for canonical in connection.scalars(upkeep))
