"""Faults: kills, power cuts, cut answers, a simulated world; what came to be lost, doubled, half or missed."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from tests.benchmarks.figure import Figure, note
from tests.benchmarks.harness import Plan
from tests.faults import (
    test_answers_cut,
    test_cursor,
    test_disk_full,
    test_fsync_errors,
    test_hub_kills,
    test_hub_power_cut,
    test_outbox_power_cut,
    test_restores,
    test_simulation,
)
from tests.faults.history import Findings
from tests.faults.replay import ram_folder
from tests.faults.rig import Run, Sizes
from tests.faults.shelf import together
from tests.faults.shim import FaultShim, compiled, missing

_HARMS: Final = ("lost", "doubled", "half", "missed_changes")
_COUNTED: Final = {"kills": 500, "power_cuts": 15_000, "answers_cut": 2_000}
FIGURES: Final = (*_COUNTED, *_HARMS)

_Faulty = Callable[[int, Path], Run]


def measure(_: Plan) -> Iterator[Figure]:
    """Every fault run that has a checker, at full size; SEERE_FAULTS=ci makes them small, for work on them."""
    faults = dict.fromkeys(_COUNTED, 0)
    broken = []
    for kind, faulty, sizes in _runs():
        run = _run(faulty, sizes)
        note(f"{faulty.__name__}: {run.faults} faults, {'sound' if run.findings == Findings() else run.findings}")
        broken.append(run.findings)
        if kind in faults:
            faults[kind] += run.faults
    for kind, least in _COUNTED.items():
        yield Figure(kind, faults[kind], "faults", ">=", least)
    for harm in _HARMS:
        yield Figure(harm, len(getattr(together(broken), harm)), "records", "=", 0)


def _runs() -> Iterator[tuple[str, _Faulty, Sizes]]:
    """What each run counts as, the run, and its sizes; those that need a compiler only where there is one."""
    yield "kills", test_hub_kills.random_kills, test_hub_kills.RANDOM_KILLS
    yield "answers_cut", test_answers_cut.cut_answers, test_answers_cut.CUTS
    yield "restores", test_restores.restored_hub, test_restores.SINCE_BACKUP
    yield "changes", test_cursor.changes_under_writers, test_cursor.CHANGES
    yield "worlds", _worlds, test_simulation.SEEDS
    if reason := missing():
        note(reason)
        return
    yield "kills", _shimmed(test_hub_kills.kills_at_writes), test_hub_kills.KILLS_AT_WRITES
    yield "power_cuts", _shimmed(test_hub_power_cut.hub_disks), test_hub_power_cut.DISKS
    yield "power_cuts", _shimmed(test_outbox_power_cut.outbox_disks), test_outbox_power_cut.DISKS
    yield "full disks", _shimmed(test_disk_full.full_disks), test_disk_full.POINTS
    yield "failing syncs", _shimmed(test_fsync_errors.failing_syncs), test_fsync_errors.SYNCS


def _run(faulty: _Faulty, sizes: Sizes) -> Run:
    is_small = os.environ.get("SEERE_FAULTS") == "ci"
    with ram_folder() as folder:
        return faulty(sizes.ci if is_small else sizes.full, folder)


def _worlds(count: int, _: Path) -> Run:
    return test_simulation.simulate(range(count))


def _shimmed(faulty: Callable[[int, Path, FaultShim], Run]) -> _Faulty:
    def run(count: int, folder: Path) -> Run:
        with TemporaryDirectory() as built, FaultShim(compiled(Path(built)), Path(built)) as shim:
            return faulty(count, folder, shim)

    run.__name__ = faulty.__name__
    return run
