"""Growth: what a hundred times as many complaints in the hub cost a device that sends some more."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from statistics import median
from typing import Final

from tests.benchmarks.figure import Figure, middle, note, quantile
from tests.benchmarks.harness import HubProcess, Plan, copy_hub, fresh_folder
from tests.benchmarks.load import BATCH, Load, prepared, randoms, run
from tests.benchmarks.population import Population, populated

FIGURES: Final = ("cpu_ratio_1m_to_10k", "p99_ratio_1m_to_10k", "start_ratio_1m_to_10k", "pss_mb_1m")
_ROUNDS: Final = 10
_SENDERS: Final = 8
_WARM_UP_BATCHES: Final = 2
# Few enough that a hub of 10,000 is still one at the end of a round.
_BATCHES: Final = 20


@dataclass
class _Level:
    """One size of hub, and what each round on it took."""

    population: Population
    start_s: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)
    waits_s: list[float] = field(default_factory=list)
    pss_mb: list[float] = field(default_factory=list)


def measure(plan: Plan) -> Iterator[Figure]:
    """Interleaved rounds on copies of both hubs: start, a warm-up, then 20 batches of devices that sent before."""
    small, large = _Level(populated(plan.small)), _Level(populated(plan.large))
    chances = randoms("growth")
    with fresh_folder() as folder:
        copy_hub(large.population.folder, folder / "large")
        for number in range(_ROUNDS):
            # A round adds a fifth to the small hub: it gets a new copy each time, the large one hardly grows.
            copy_hub(small.population.folder, folder / f"small-{number}")
            rng = next(chances)
            order = [(small, folder / f"small-{number}"), (large, folder / "large")]
            for level, copy in order if number % 2 else reversed(order):
                _round(level, copy, rng)
    yield from _figures(small, large)


def _round(level: _Level, folder: Path, rng: Random) -> None:
    warm_up, measured = _loads(level.population, rng, _WARM_UP_BATCHES), _loads(level.population, rng, _BATCHES)
    with HubProcess(folder) as process:
        for load in warm_up:
            run(process.address, [load])
        before = process.cpu_s()
        for load in measured:
            level.waits_s += run(process.address, [load]).waits_s
        level.cpu_ms.append((process.cpu_s() - before) / (_BATCHES * BATCH) * 1000)
        level.start_s.append(process.start_s)
        level.pss_mb.append(process.pss_mb())


def _loads(population: Population, rng: Random, batches: int) -> list[Load]:
    """One batch a load, of devices that take turns, so that no lineage is the only warm one."""
    senders = population.senders[:_SENDERS]
    return [prepared(senders[number % len(senders)], BATCH, rng) for number in range(batches)]


def _figures(small: _Level, large: _Level) -> Iterator[Figure]:
    yield Figure("cpu_ratio_1m_to_10k", _ratio("cpu_ms", small.cpu_ms, large.cpu_ms), "ratio", "<=", 1.3)
    p99_ms = [quantile(level.waits_s, 0.99) * 1000 for level in (small, large)]
    p50_ms = [median(level.waits_s) * 1000 for level in (small, large)]
    for level, p50, p99 in zip(("small", "large"), p50_ms, p99_ms, strict=True):
        note(f"batches at the {level} size: p50 {p50:.1f} ms, p99 {p99:.1f} ms of {len(small.waits_s)}")
    yield Figure("p99_ratio_1m_to_10k", p99_ms[1] / p99_ms[0], "ratio", "<=", 2)
    yield Figure("start_ratio_1m_to_10k", _ratio("start_s", small.start_s, large.start_s), "ratio", "<=", 1.2)
    yield Figure("pss_mb_1m", middle("pss_mb_1m", large.pss_mb), "MB", "<=", 170)


def _ratio(name: str, small: Sequence[float], large: Sequence[float]) -> float:
    return middle(f"{name} at the large size", large) / middle(f"{name} at the small size", small)
