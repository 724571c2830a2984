"""Traffic: bytes and round trips of the field client, HTTP headers and all, as a proxy on the way counts them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Final

from client_sync.client import SyncClient, SyncReport
from client_sync.outbox import Finished, Outbox
from client_sync.stores import Folder
from client_sync.transport import HttpTransport
from fixtures.bad_road import BadRoad
from server.hub import Hub
from tests.benchmarks.binding import bind
from tests.benchmarks.figure import Figure, note
from tests.benchmarks.harness import HubProcess, Plan, Sender, Void, enrol, fresh_folder, opened
from tests.benchmarks.wire import foreign_contents, source_of_words

FIGURES: Final = (
    "bytes_up_per_record",
    "bytes_up_per_record_single",
    "bytes_down_per_record",
    "round_trips_per_100",
    "idle_poll_down_bytes",
)
_BATCHES: Final = (25, 50, 100)
_SESSIONS: Final = 4
_SINGLES: Final = 20
_SEED: Final = 1912
_VERSION: Final = "figures"


@dataclass(frozen=True)
class Session:
    """What one session of a device with `records` new complaints weighed."""

    records: int
    bytes_up: int
    bytes_down: int
    round_trips: int


class Handset:
    """A real field client behind a counting proxy."""

    def __init__(self, folder: Path, hub: Hub, sender: Sender, road: BadRoad) -> None:
        bind(folder, hub, sender, road.address)
        self._outbox = Outbox.open(Folder(folder))
        self._road = road
        self._transport = HttpTransport(self._outbox.require_enrolled().url)
        self._client = SyncClient(self._outbox, self._transport, rng=Random(_SEED), version=_VERSION)

    def session(self, contents: list[dict[str, Any]]) -> Session:
        """Finish the complaints and send them. Raises Void unless all of them are at the centre afterwards."""
        self._outbox.finalise_all([Finished("complaint", content) for content in contents])
        before = self._road.traffic
        report = self._client.sync()
        after = self._road.traffic
        _require_whole(report, len(contents))
        up, down = after.bytes_up - before.bytes_up, after.bytes_down - before.bytes_down
        return Session(len(contents), up, down, report.round_trips)

    def close(self) -> None:
        self._transport.close()
        self._outbox.close()


def measure(plan: Plan) -> Iterator[Figure]:
    """The figures of the wire. They are counts: a second run gives the same, but for ids and signatures."""
    note(f"words that the dictionary has not seen: {source_of_words()}")
    by_batch, singles, idle = _sessions()
    up = {size: _per_record(sessions, "bytes_up") for size, sessions in by_batch.items()}
    down = {size: _per_record(sessions, "bytes_down") for size, sessions in by_batch.items()}
    for size in by_batch:
        note(f"batches of {size}: {up[size]:.0f} up, {down[size]:.1f} down")
    trips = [100 / session.records * session.round_trips for session in by_batch[100]]
    yield Figure("bytes_up_per_record", max(up.values()), "bytes", "<=", 420)
    yield Figure("bytes_up_per_record_single", _per_record(singles, "bytes_up"), "bytes")
    yield Figure("bytes_down_per_record", max(down.values()), "bytes", "<=", 30)
    yield Figure("round_trips_per_100", max(trips), "round trips", "<=", 4)
    yield Figure("idle_poll_down_bytes", idle.bytes_down, "bytes", "<=", 200)


def _sessions() -> tuple[dict[int, list[Session]], list[Session], Session]:
    """Sessions of several batches by their size, sessions with one record, and one with nothing to send."""
    told = iter(foreign_contents(_SEED, _SESSIONS * sum(_BATCHES) + _SINGLES))
    with fresh_folder() as folder:
        with opened(folder / "hub") as hub:
            senders = [enrol(hub) for _ in (*_BATCHES, 1)]
        with HubProcess(folder / "hub") as process, BadRoad(process.address) as road:
            handsets = [Handset(folder / sender.device, hub, sender, road) for sender in senders]
            # The first session is the one after an enrolment; all of them count.
            by_batch = {
                size: [handset.session([next(told) for _ in range(size)]) for _ in range(_SESSIONS)]
                for size, handset in zip(_BATCHES, handsets, strict=False)
            }
            singles = [handsets[-1].session([next(told)]) for _ in range(_SINGLES)]
            idle = handsets[-1].session([])
            for handset in handsets:
                handset.close()
    return by_batch, singles, idle


def _per_record(sessions: list[Session], what: str) -> float:
    carried: int = sum(getattr(session, what) for session in sessions)
    return carried / sum(session.records for session in sessions)


def _require_whole(report: SyncReport, records: int) -> None:
    if not report.is_whole or report.stored != records:
        raise Void(f"a session did not bring everything: {report}")
