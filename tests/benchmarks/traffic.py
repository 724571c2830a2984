"""Traffic: bytes and round trips of the field client, HTTP headers and all, as a proxy on the way counts them."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any, Final
from uuid import uuid4

from client_sync.client import SyncClient, SyncReport
from client_sync.outbox import Finished, Outbox
from client_sync.protocol.canonical import canonical
from client_sync.protocol.coding import deflater
from client_sync.stores import Folder
from client_sync.transport import HttpTransport
from fixtures.bad_road import BadRoad
from server.hub import Hub
from tests.benchmarks.binding import bind
from tests.benchmarks.figure import Figure, note
from tests.benchmarks.harness import HubProcess, Plan, Sender, Void, enrol, fresh_folder, opened
from tests.benchmarks.load import Caller, require_all_stored
from tests.benchmarks.wire import foreign_contents, source_of_words

FIGURES: Final = (
    "bytes_up_per_record",
    "bytes_up_per_record_single",
    "bytes_up_per_record_sealed",
    "bytes_down_per_record",
    "round_trips_per_100",
    "idle_poll_down_bytes",
)
_BATCHES: Final = (25, 50, 100)
_SESSIONS: Final = 4
# Such a frame is of the size that a device aims at.
_FRAME_RECORDS: Final = 25
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
    """The figures of the wire. They are counts: a second run gives the same, but for ids, keys and signatures."""
    note(f"words that the dictionary has not seen: {source_of_words()}")
    with fresh_folder() as folder:
        with opened(folder / "hub") as hub:
            senders = [enrol(hub) for _ in (*_BATCHES, 1, 0)]
        with HubProcess(folder / "hub") as process, BadRoad(process.address) as road:
            told = iter(foreign_contents(_SEED, 2 * _SESSIONS * sum(_BATCHES) + 2 * _SINGLES))
            in_clear = partial(_clear_session, senders.pop(), road)
            clear = {size: [in_clear(_some(told, size)) for _ in range(_SESSIONS)] for size in _BATCHES}
            clear_singles = [in_clear(_some(told, 1)) for _ in range(_SINGLES)]
            handsets = [Handset(folder / sender.device, hub, sender, road) for sender in senders]
            # The first session is the one after an enrolment; all of them count.
            sealed = {
                size: [handset.session(_some(told, size)) for _ in range(_SESSIONS)]
                for size, handset in zip(_BATCHES, handsets, strict=False)
            }
            singles = [handsets[-1].session(_some(told, 1)) for _ in range(_SINGLES)]
            idle = handsets[-1].session([])
            for handset in handsets:
                handset.close()
    yield from _weighed(clear, clear_singles, sealed)
    note(f"one complaint alone, sealed: {_per_record(singles, 'bytes_up'):.0f} up")
    yield Figure("idle_poll_down_bytes", idle.bytes_down, "bytes", "<=", 200)


def _weighed(
    clear: dict[int, list[Session]], clear_singles: list[Session], sealed: dict[int, list[Session]]
) -> Iterator[Figure]:
    up, sealed_up, down = (
        {size: _per_record(sessions, what) for size, sessions in by_batch.items()}
        for by_batch, what in ((clear, "bytes_up"), (sealed, "bytes_up"), (sealed, "bytes_down"))
    )
    for size in _BATCHES:
        note(f"batches of {size}: {up[size]:.0f} up in clear, {sealed_up[size]:.0f} sealed, {down[size]:.1f} down")
    trips = [100 / session.records * session.round_trips for session in sealed[100]]
    yield Figure("bytes_up_per_record", max(up.values()), "bytes", "<=", 420)
    yield Figure("bytes_up_per_record_single", _per_record(clear_singles, "bytes_up"), "bytes")
    yield Figure("bytes_up_per_record_sealed", max(sealed_up.values()), "bytes")
    yield Figure("bytes_down_per_record", max(down.values()), "bytes", "<=", 30)
    yield Figure("round_trips_per_100", max(trips), "round trips", "<=", 4)


def _clear_session(sender: Sender, road: BadRoad, contents: list[dict[str, Any]]) -> Session:
    """A body as a client without a keyring sends it: what sealing adds is a figure of its own."""
    lines = [
        canonical({"content": content, "id": str(uuid4()), "op": "complaint", "seq": seq})
        for seq, content in enumerate(contents, 1)
    ]
    stream = deflater("zstd")
    frames = (sender.frame(lines[at : at + _FRAME_RECORDS]) for at in range(0, len(lines), _FRAME_RECORDS))
    body = b"".join([*(stream.add(frame) for frame in frames), stream.finish()])
    before = road.traffic
    with Caller(road.address, sender) as caller:
        require_all_stored(*caller.send(body), len(contents))
    after = road.traffic
    return Session(len(contents), after.bytes_up - before.bytes_up, after.bytes_down - before.bytes_down, 1)


def _some(told: Iterator[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    return list(islice(told, count))


def _per_record(sessions: list[Session], what: str) -> float:
    carried: int = sum(getattr(session, what) for session in sessions)
    return carried / sum(session.records for session in sessions)


def _require_whole(report: SyncReport, records: int) -> None:
    if not report.is_whole or report.stored != records:
        raise Void(f"a session did not bring everything: {report}")
