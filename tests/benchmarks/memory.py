"""Memory and start: what the hub asks of a small machine before and after a day's work."""

from collections.abc import Iterator
from typing import Final

from tests.benchmarks.figure import Figure, middle
from tests.benchmarks.harness import HubProcess, Plan, enrol, fresh_folder, opened
from tests.benchmarks.load import prepared, randoms, run

FIGURES: Final = ("start_s", "pss_mb_idle", "pss_mb_loaded")
_CLIENTS: Final = 8


def measure(plan: Plan) -> Iterator[Figure]:
    """Each round starts the hub anew: time to the first answer, memory then, and the most seen under 8 clients."""
    start_s, idle_mb, loaded_mb = [], [], []
    chances = randoms("memory")
    with fresh_folder() as folder:
        with opened(folder) as hub:
            senders = [enrol(hub) for _ in range(_CLIENTS)]
        for _ in range(plan.rounds):
            loads = [prepared(sender, plan.records // 4, next(chances)) for sender in senders]
            with HubProcess(folder) as process:
                start_s.append(process.start_s)
                idle_mb.append(process.pss_mb())
                run(process.address, loads)
                loaded_mb.append(process.pss_mb())
    yield Figure("start_s", middle("start_s", start_s), "s", "<=", 1.5)
    yield Figure("pss_mb_idle", middle("pss_mb_idle", idle_mb), "MB", "<=", 90)
    yield Figure("pss_mb_loaded", middle("pss_mb_loaded", loaded_mb), "MB", "<=", 120)
