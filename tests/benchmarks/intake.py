"""Intake: how many complaints a second the hub takes in with every check on, and what each costs."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final

from tests.benchmarks import raw_sqlite
from tests.benchmarks.figure import Figure, middle, note
from tests.benchmarks.harness import HubProcess, Plan, Sender, Void, enrol, fresh_folder, opened
from tests.benchmarks.load import BATCH, Load, Run, prepared, randoms, run
from tests.faults import shim

FIGURES: Final = (
    "records_per_s_1_client",
    "records_per_s_8_clients",
    "share_of_raw_sqlite",
    "cpu_ms_per_record",
    "fsyncs_per_batch_100",
)
_CLIENTS: Final = 8
_SYNC_BATCHES: Final = 50
_WARM_UP_RECORDS: Final = 1_000


def measure(plan: Plan) -> Iterator[Figure]:
    """The figures of intake, from interleaved rounds on one hub that starts empty."""
    alone, together, shares, cpu_ms = [], [], [], []
    with fresh_folder() as folder:
        hub_folder, raw_folder = folder / "hub", folder / "raw"
        senders = _prepare(hub_folder, raw_folder)
        chances = randoms("intake")
        with HubProcess(hub_folder) as hub:
            run(hub.address, [prepared(senders[0], _WARM_UP_RECORDS, next(chances))])
            for _ in range(plan.rounds):
                one = [prepared(senders[0], plan.records, next(chances))]
                eight = [prepared(sender, plan.records // 4, next(chances)) for sender in senders]
                before = raw_sqlite.last_received(hub_folder)
                taken, cpu = _timed(hub, one)
                raw_rate = _raw_rate(hub_folder, raw_folder, before, taken.records)
                alone.append(taken.records_per_s)
                shares.append(taken.records_per_s / raw_rate)
                crowd, crowd_cpu = _timed(hub, eight)
                together.append(crowd.records_per_s)
                cpu_ms += [cpu, crowd_cpu]
                note(f"{taken.records_per_s:.0f}/s by 1, {crowd.records_per_s:.0f}/s by 8, {raw_rate:.0f}/s bare")
    per_s = partial(Figure, unit="records/s", relation=">=")
    yield per_s("records_per_s_1_client", middle("records_per_s_1_client", alone), bound=3_000)
    yield per_s("records_per_s_8_clients", middle("records_per_s_8_clients", together), bound=4_000)
    yield Figure("share_of_raw_sqlite", middle("share_of_raw_sqlite", shares), "ratio", ">=", 0.25)
    yield Figure("cpu_ms_per_record", middle("cpu_ms_per_record", cpu_ms), "ms", "<=", 0.20)
    yield Figure("fsyncs_per_batch_100", _fsyncs_per_batch(), "fsyncs", "<=", 2)


def _prepare(hub_folder: Path, raw_folder: Path) -> list[Sender]:
    with opened(raw_folder):
        """The same tables, and nothing in them."""
    with opened(hub_folder) as hub:
        return [enrol(hub) for _ in range(_CLIENTS)]


def _timed(hub: HubProcess, loads: list[Load]) -> tuple[Run, float]:
    """One round, and the hub's CPU in ms per record."""
    before = hub.cpu_s()
    taken = run(hub.address, loads)
    return taken, (hub.cpu_s() - before) / taken.records * 1000


def _raw_rate(hub_folder: Path, raw_folder: Path, before: int, records: int) -> float:
    """Records a second that bare SQLite takes of what the hub just wrote."""
    upto = raw_sqlite.last_received(hub_folder)
    if upto - before != records:
        raise Void(f"{records} acknowledged, {upto - before} on disk")
    batches = raw_sqlite.prepared(hub_folder, before, upto, BATCH)
    return records / raw_sqlite.write(raw_folder, batches)


def _fsyncs_per_batch() -> float | None:
    """Syncs of any file of the hub, checkpoints and all, per body of 100; counted on the way to the C library."""
    if lack := shim.missing():
        note(f"fsyncs_per_batch_100: {lack}")
        return None
    with fresh_folder() as folder:
        hub_folder = folder / "hub"
        with opened(hub_folder) as hub:
            sender = enrol(hub)
        chances = randoms("fsyncs")
        with shim.FaultShim(shim.compiled(folder), folder) as counter:
            watched = counter.environment(match=hub_folder)
            preload = {name: value for name, value in watched.items() if name.startswith(("LD_PRELOAD", "SHIM_"))}
            with HubProcess(hub_folder, preload) as hub:
                run(hub.address, [prepared(sender, BATCH, next(chances))])
                counter.arm()
                run(hub.address, [prepared(sender, _SYNC_BATCHES * BATCH, next(chances))])
                return counter.syncs / _SYNC_BATCHES
