"""Walks: whatever people do to cases, and take back, leaves every case where its timeline leads; on both engines."""

import os
from collections.abc import Iterator
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Final

from server.hub import Hub
from tests.benchmarks.figure import Figure, note
from tests.builders import Clock, add_person, complaint, enrolled, open_test_hub
from tests.case_walks import KINDS, forgotten, open_all, stray
from tests.postgres import running_cluster

FIGURES: Final = ("illegal_states",)
_WALKS: Final = 2_500
_STEPS: Final = 12
_COMPLAINTS: Final = 4


def measure() -> Iterator[Figure]:
    """The cases that strayed in 5,000 walks of twelve steps over four complaints, half of them on each engine."""
    with TemporaryDirectory() as folder, running_cluster(os.environ) as cluster:
        urls = {"sqlite": "sqlite", "postgresql": cluster.create_database()}
        found = {name: _strayed(Path(folder) / name, url, name) for name, url in urls.items()}
    yield Figure("illegal_states", sum(found.values()), "cases", "=", 0)


def _strayed(folder: Path, url: str, name: str) -> int:
    hub = open_test_hub(url, folder, Clock())
    try:
        count = _walked(hub, Random(name))
    finally:
        hub.close()
    note(f"illegal_states: {count} after {_WALKS} walks on {name}")
    return count


def _walked(hub: Hub, dice: Random) -> int:
    for team in ("gao", "mopti"):
        enrolled(hub, team, team=team).send(complaint("a"), complaint("b"))
    who = add_person(hub, "Awa", is_named_reader=True)
    numbers = tuple(f"SRE-{hub.clock().year}-{number:06}" for number in range(1, _COMPLAINTS + 1))
    count = 0
    for _ in range(_WALKS):
        with forgotten(hub):
            open_all(hub, who, numbers)
            drawn = ((dice.choice(KINDS), dice.randrange(_COMPLAINTS), dice.randrange(12)) for _ in range(_STEPS))
            count += stray(hub, who, numbers, list(drawn))
    return count
