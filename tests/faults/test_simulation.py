"""Three devices and a hub through weeks of trouble, drawn from a seed: whatever happens, each promise holds.

A failure names its seed; SEERE_TEST_SEED=17 runs that one alone.
"""

import os
import shutil
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random

import pytest

from client_sync.errors import ClientError
from client_sync.outbox import Finished
from client_sync.protocol.coding import Coding
from client_sync.transport import Answer, HttpTransport
from fixtures.bad_road import BadRoad, Cut, Pass, Rule
from server.domain.desk import Desk
from server.hub import depot_of, new_epoch, open_hub
from server.services import backups
from server.services.intake import admission
from server.services.intake.admission import Vouched
from tests.builders import COORDINATOR, secrets_of, with_keyring
from tests.faults.history import Findings, History
from tests.faults.replay import ram_folder
from tests.faults.rig import (
    Device,
    Run,
    Sizes,
    enrolled,
    examine,
    queued,
    said,
    served,
    settings_of,
    sized,
    tell,
    url_of,
)
from tests.faults.shelf import together
from tests.postgres import Cluster

SEEDS = Sizes(ci=6, full=200)
SEEDS_ON_POSTGRESQL = Sizes(ci=3, full=6)
DEVICES = 3
STEPS = 50
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
TEN_YEARS = timedelta(days=3_653)
# Longer than most bodies and answers, so that some are cut and some are not.
UP_BYTES, DOWN_BYTES = 3_000, 500

Body = tuple[bytes, Coding, str]


def simulate(seeds: Iterable[int], new_database: Callable[[], str] = lambda: "") -> Run:
    """Run the world of each seed, on SQLite or in a new database each; findings carry the seed."""
    found, faults = [], 0
    for seed in seeds:
        try:
            with ram_folder() as folder, World(seed, folder, new_database()) as world:
                world.go_on(STEPS)
                findings = world.settled()
                faults += world.road.cuts
        except Exception as error:
            error.add_note(f"seed {seed}")
            raise
        if findings != Findings():
            found.append(replace(findings, half=(*findings.half, (f"seed {seed}",))))
    return Run(faults, together(found))


class World:
    """A hub, its devices, the road between them and their clocks; all that happens is drawn from the seed."""

    def __init__(self, seed: int, folder: Path, database: str = "") -> None:
        self.chances = Random(seed)
        self._open = ExitStack()
        self._folder, self._restores = folder, 0
        self._rules: deque[Rule] = deque()
        self._sent: list[Body] = []
        self._copies: dict[str, Path] = {}
        self._backup: Path | None = None
        self._offsets: dict[str, timedelta] = {}
        self.history = self._open.enter_context(History(folder / "history"))
        self._identity = folder / "identity"
        recipient = backups.new_identity(self._identity)
        self._settings = replace(settings_of(folder / "hub", database), backup_recipient=recipient)
        self.hub = with_keyring(open_hub(self._settings, secrets_of(self._settings), partial(self._clock, "hub")))
        self.devices = enrolled(self.hub, folder, self.history, DEVICES)
        self._serving = ExitStack()
        self._address = self._serving.enter_context(served(self.hub))
        self.road = self._open.enter_context(BadRoad(self._address, queued(self._rules)))

    def __enter__(self) -> "World":
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop_hub()
        self._open.close()

    def go_on(self, steps: int) -> None:
        """Let things happen."""
        happenings = self._happenings()
        for step in range(steps):
            happen, _ = self.chances.choices(happenings, [weight for _, weight in happenings])[0]
            happen(self.chances.choice(self.devices))
            tell(self.hub, self.chances.choice(self.devices), f"message {step}")

    def settled(self) -> Findings:
        """Findings once the link is good, the clocks are right and everybody has said everything."""
        self._rules.clear()
        self._offsets.clear()
        desk, prefix = Desk(COORDINATOR, None, NOW), self._settings.registry_prefix
        for device in self.devices * 2:
            device.sync_to_the_end(self.road.address, self._clock_of(device))
            admission.admit_waiting(self.hub.store, desk, prefix, ["clock_ahead"], Vouched(as_is=True))
        messages = said(self.hub, self.devices)
        findings = examine(self.hub.store, [*self.history, *self._pulled(messages)], messages)
        unsent = tuple(device.label for device in self.devices if device.waiting())
        return replace(findings, lost=findings.lost + unsent)

    def _happenings(self) -> list[tuple[Callable[[Device], object], int]]:
        """What can happen to a device, and how often it does."""
        everywhere: list[tuple[Callable[[Device], object], int]] = [
            (self._write, 6),
            (self._amend, 3),
            (self._write_unreadable, 1),
            (self._sync, 12),
            (self._deliver_again, 3),
            (self._set_clock, 2),
            (self._copy_device, 1),
            (self._put_copy_back, 1),
            (self._restart_hub, 1),
        ]
        if self._settings.database:
            return everywhere
        return [*everywhere, (self._back_up, 1), (self._restore_hub, 1)]

    def _write(self, device: Device) -> None:
        device.write(self.chances.randint(1, 4), self._clock_of(device)())

    def _write_unreadable(self, device: Device) -> None:
        device.finalise([Finished("complaint", {"form": "complaint/1900"})])

    def _amend(self, device: Device) -> None:
        """Revise a complaint of one's own, at times on a base that the hub does not have."""
        with device.outbox() as outbox:
            own = [record.id for record in outbox.records() if record.op == "complaint"]
        if own:
            base = self.chances.choice((1, 1, 2, 3))
            said = {"clear": {"narrative": f"{self.chances.random()}", "lang": "fra"}}
            content = {"base_revision": base, "complaint": self.chances.choice(own), "statement": said}
            device.finalise([Finished("revision", content)])

    def _sync(self, device: Device) -> None:
        for _ in range(self.chances.randint(1, 3)):
            self._rules.append(self._draw_rule())
            device.sync(self.road.address, self._clock_of(device), partial(RecordingTransport, self._sent))
            self._rules.clear()

    def _draw_rule(self) -> Rule:
        up, down = self.chances.randrange(UP_BYTES), self.chances.randrange(DOWN_BYTES)
        rules = (
            Pass(), Pass(duplicate=True), Cut(refuse=True), Cut(after_up=up), Cut(after_up=up, half_close=True),
            Cut(after_down=down),
        )  # fmt: skip
        return self.chances.choice(rules)

    def _deliver_again(self, _: Device) -> None:
        """Bodies that left at some time, whoever's they are, arrive once more, in another order."""
        for body in self.chances.sample(self._sent, min(3, len(self._sent))):
            transport = HttpTransport(url_of(self._address))
            with suppress(ClientError):
                transport.sync(*body)
            transport.close()

    def _set_clock(self, device: Device) -> None:
        whose = self.chances.choice(("hub", device.label))
        self._offsets[whose] = self.chances.choice((-TEN_YEARS, timedelta(0), TEN_YEARS))

    def _copy_device(self, device: Device) -> None:
        copy = self._folder / f"copy of {device.label}"
        shutil.rmtree(copy, ignore_errors=True)
        self._copies[device.label] = shutil.copytree(device.folder.path, copy)

    def _put_copy_back(self, device: Device) -> None:
        """What the device learned since stands at the hub: a hub from before that would be a second loss."""
        if (copy := self._copies.get(device.label)) is not None:
            shutil.rmtree(device.folder.path)
            shutil.copytree(copy, device.folder.path)
            self._backup = None

    def _restart_hub(self, _: Device) -> None:
        self._stop_hub()
        self._start_hub()

    def _back_up(self, _: Device) -> None:
        key = self.hub.secrets.database
        made = backups.make(self.hub.store, self._settings, self.hub.identity.id, key, self.hub.clock(), self.hub.depot)
        self._backup = self._settings.backups / made.file

    def _restore_hub(self, _: Device) -> None:
        """What the hub learned since stands on the devices: one from before that would be a second loss."""
        if self._backup is None:
            return
        self._stop_hub()
        self._restores += 1
        self._settings = replace(
            self._settings, data=self._folder / f"hub-{self._restores}", backup_folder=self._settings.backups
        )
        key = self.hub.secrets.database
        backups.restore(
            self._backup,
            self._identity,
            self._settings,
            lambda _: key,
            epoch=new_epoch(),
            last=None,
            now=NOW,
            blobs=depot_of(self._settings).blobs,
        )
        self._copies.clear()
        self._start_hub()

    def _start_hub(self) -> None:
        self.hub = open_hub(self._settings, secrets_of(self._settings), partial(self._clock, "hub"))
        self._serving.enter_context(served(self.hub, self._address[1]))

    def _stop_hub(self) -> None:
        self._serving.close()
        self.hub.close()

    def _pulled(self, messages: dict[str, list[str]]) -> list[dict[str, str]]:
        """What the devices heard of what the hub, maybe a restored one, knows to have said."""
        return [
            {"event": "pulled", "device": device.label, "change": text}
            for device in self.devices
            for text in device.heard()
            if text in messages[device.label]
        ]

    def _clock_of(self, device: Device) -> Callable[[], datetime]:
        return partial(self._clock, device.label)

    def _clock(self, whose: str) -> datetime:
        return NOW + self._offsets.get(whose, timedelta(0))


class RecordingTransport(HttpTransport):
    """Keeps what it sends, for somebody to send it once more."""

    def __init__(self, sent: list[Body], url: str) -> None:
        super().__init__(url)
        self._sent = sent

    def sync(self, body: bytes, coding: Coding, token: str) -> Answer:
        """Keep, then send."""
        self._sent.append((body, coding, token))
        return super().sync(body, coding, token)


def seeds(count: int) -> list[int]:
    """The seeds to run: so many, or the one that is asked for."""
    given = os.environ.get("SEERE_TEST_SEED")
    return [int(given)] if given else list(range(count))


@sized(SEEDS)
def test_whatever_happens_every_promise_holds(size: int) -> None:
    assert simulate(seeds(size)).findings == Findings()


@pytest.mark.postgres
@sized(SEEDS_ON_POSTGRESQL)
def test_whatever_happens_every_promise_holds_on_postgresql(size: int, postgres_cluster: Cluster) -> None:
    assert simulate(seeds(size), postgres_cluster.create_database).findings == Findings()
