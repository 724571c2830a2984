"""Scale: what matching costs, and still finds, when a million complaints are there.

Reports come from a crowd that a program invents (crowd.py): what they tell of recall is that of retrieval at a size,
not that of people's reports.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from statistics import median
from time import perf_counter, process_time
from typing import Final, NamedTuple

import psutil

from server.domain.matching import composites
from server.domain.matching.keys import POSTINGS_MOST
from server.hub import Hub
from server.matcher import Child, match_waiting
from server.services.duplicates import matching
from server.services.duplicates.features import Features
from server.store import duplicates
from tests.benchmarks.crowd import Hardness, Telling
from tests.benchmarks.crowded import Crowded, crowded
from tests.benchmarks.figure import Figure, note, quantile
from tests.benchmarks.harness import Plan, Void, copy_hub, fresh_folder, opened
from tests.benchmarks.steady import Tellers

FIGURES: Final = (
    "recall_at_30_1m",
    "recall_at_30_1m_hard",
    "recall_at_30_1m_hot_village",
    "p95_ms_1m",
    "p50_ratio_1m_to_10k",
    "hot_village_ratio",
    "rss_mb_1m",
)
_LATE: Final = 200
_WARM_UP: Final = 20
_HOT_VILLAGE: Final = 0
_BY: Final = "00000000-0000-4000-8000-000000000001"


class Slice(NamedTuple):
    """Late reports of one sort."""

    name: str
    hardness: Hardness
    village: int | None = None


ANYWHERE: Final = Slice("anywhere", Hardness.OTHER_MONITOR)
HARD: Final = Slice("hard", Hardness.HARD)
HOT: Final = Slice("hot village", Hardness.OTHER_MONITOR, _HOT_VILLAGE)
# What a fresh process is slow with counts for nothing.
_FIRST: Final = Slice("first", Hardness.SAME_MONITOR)
SLICES: Final = (ANYWHERE, HARD, HOT)


@dataclass
class Arrived:
    """What late reports took, in ms, and of how many an older report of the incident was retrieved; by slice.

    `cpu_ms`: that of both processes for all of them.
    """

    waits_ms: dict[str, list[float]] = field(default_factory=dict)
    found: dict[str, list[bool]] = field(default_factory=dict)
    cpu_ms: float = 0.0

    def recall(self, of: Slice) -> float:
        """The share of the reports of a slice for which another report of the incident was compared."""
        found = self.found[of.name]
        return sum(found) / len(found)


def measure(plan: Plan) -> Iterator[Figure]:
    """All figures; those of the two sizes from reports that arrive at both hubs in turn."""
    sizes = crowded(plan.small), crowded(plan.large)
    with fresh_folder() as folder, ExitStack() as stack:
        small, large = (stack.enter_context(arena(of, folder / of.folder.name)) for of in sizes)
        arrive_in_turn((small, large), _LATE)
        rss_mb = large.rss_mb()
    yield from _figures(small.arrived, large.arrived)
    yield Figure("rss_mb_1m", rss_mb, "MB", "<=", 300)


def _figures(small: Arrived, large: Arrived) -> Iterator[Figure]:
    for size, arrived in (("small", small), ("large", large)):
        many = sum(map(len, arrived.waits_ms.values()))
        note(f"CPU of a complaint at the {size} size: {arrived.cpu_ms / many:.1f} ms")
    for of in SLICES:
        for size, arrived in (("small", small), ("large", large)):
            waits = arrived.waits_ms[of.name]
            told = f"{of.name}, {size}: recall {arrived.recall(of):.3f} of {len(waits)}"
            note(f"{told}, p50 {median(waits):.1f} ms, p95 {quantile(waits, 0.95):.1f} ms")
    for name, of, bound in (("", ANYWHERE, 0.98), ("_hard", HARD, 0.95), ("_hot_village", HOT, 0.97)):
        yield Figure(f"recall_at_30_1m{name}", large.recall(of), "share", ">=", bound)
    waits = large.waits_ms[ANYWHERE.name]
    yield Figure("p95_ms_1m", quantile(waits, 0.95), "ms", "<=", 50)
    ratio = median(waits) / median(small.waits_ms[ANYWHERE.name])
    yield Figure("p50_ratio_1m_to_10k", ratio, "ratio", "<=", 2)
    hot = median(large.waits_ms[HOT.name]) / median(waits)
    yield Figure("hot_village_ratio", hot, "ratio", "<=", 1.5)


class Arena:
    """A hub with its history, a matcher's child process, and devices that send what comes late."""

    def __init__(self, hub: Hub, of: Crowded, child: Child) -> None:
        self.arrived = Arrived()
        self._hub, self._child, self._crowd = hub, child, of.crowd
        self._tellers = Tellers(hub)
        self._told: dict[int, set[int]] = {}
        for number, telling in enumerate(of.crowd.history, 1):
            self._told.setdefault(telling.incident, set()).add(number)

    def late(self, of: Slice, count: int) -> list[Telling]:
        """Reports of a slice that come late."""
        return self._crowd.late(count, of.hardness, of.village)

    def receive(self, of: Slice, telling: Telling) -> None:
        """Take a report in, and time its matching from being taken in hand to the last commit."""
        number = self._tellers.send(self._crowd.report(telling), telling)
        began, cpu_s = perf_counter(), self._cpu_s()
        matched = match_waiting(self._hub, self._child, _BY)
        self.arrived.waits_ms.setdefault(of.name, []).append((perf_counter() - began) * 1000)
        self.arrived.cpu_ms += (self._cpu_s() - cpu_s) * 1000
        if matched != 1:
            raise Void(f"{matched} complaints were matched, not 1")
        is_found = bool(self._retrieved(number) & self._told[telling.incident])
        self.arrived.found.setdefault(of.name, []).append(is_found)

    def rss_mb(self) -> float:
        """Resident memory of the child in MB (10^6)."""
        return float(psutil.Process(self._child.process_id).memory_info().rss) / 1e6

    def _cpu_s(self) -> float:
        theirs = 0.0 if self._child.process_id is None else sum(psutil.Process(self._child.process_id).cpu_times()[:2])
        return process_time() + theirs

    def _retrieved(self, number: int) -> set[int]:
        """What the matcher compared the complaint with."""
        pepper = self._hub.secrets.pepper
        with self._hub.store.read() as connection:
            kept = duplicates.kept(connection, [number])[number]
            profile = Features(pepper).open(number, kept.features)
            keys = composites.blocking_keys(profile, pepper) if profile and kept.is_matchable else []
            postings = duplicates.postings(connection, keys, POSTINGS_MOST)
        return set(matching.found_by([other for other in each if other[0] != number] for each in postings.values()))


@contextmanager
def arena(of: Crowded, folder: Path, warm_up: int = _WARM_UP) -> Iterator[Arena]:
    """A copy of a filled hub, with a matcher that has matched so many."""
    copy_hub(of.folder, folder)
    with opened(folder) as hub:
        child = Child(hub.settings, hub.secrets)
        try:
            found = Arena(hub, of, child)
            for telling in found.late(_FIRST, warm_up):
                found.receive(_FIRST, telling)
            found.arrived = Arrived()
            yield found
        finally:
            child.end()


def arrive_in_turn(arenas: Sequence[Arena], count: int) -> None:
    """Late reports of all slices, mixed, at each hub in turn: whatever else the machine does, it does to both."""
    planned = []
    for arena in arenas:
        told = [(of, telling) for of in SLICES for telling in arena.late(of, count)]
        Random(len(told)).shuffle(told)
        planned.append(told)
    for row in zip(*planned, strict=False):
        for arena, (of, telling) in zip(arenas, row, strict=True):
            arena.receive(of, telling)
