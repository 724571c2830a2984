"""Scheduling: hubs that die while they tick, and hubs whose clock jumps or that were off; on both engines."""

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from tests.benchmarks.figure import Figure, note
from tests.faults.ticking import deaths, jump
from tests.postgres import running_cluster

FIGURES: Final = ("effects_twice", "effects_skipped", "catch_ups_most", "effects_before_acceptance")
_KILLS: Final = 300
# How many hubs tick at a time; one alone is on SQLite.
_HUBS: Final = (1, 2, 3)
_JUMPS: Final = (timedelta(hours=48), timedelta(days=365), timedelta(days=-365))


def measure() -> Iterator[Figure]:
    """What was done twice or not at all over 300 kills of one, two and three hubs; and what a jump of the clock did."""
    with TemporaryDirectory() as folder, running_cluster(os.environ) as cluster:
        found = []
        for hubs in _HUBS:
            database = "" if hubs == 1 else cluster.create_database()
            found.append(deaths(_KILLS, Path(folder) / f"hubs-{hubs}", hubs, database))
            note(f"{found[-1].kills} kills of {hubs} at a time: {found[-1].effects} effects")
        yield Figure("effects_twice", sum(each.twice for each in found), "effects", "=", 0)
        yield Figure("effects_skipped", sum(each.skipped for each in found), "effects", "=", 0)
        jumped = [jump(passed, Path(folder) / f"jump-{at}") for at, passed in enumerate(_JUMPS)]
    yield Figure("catch_ups_most", max(each.runs_most for each in jumped), "runs", "=", 1)
    yield Figure("effects_before_acceptance", sum(each.undoable_before for each in jumped), "effects", "=", 0)
