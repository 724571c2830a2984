"""Undoing: walks of decisions over links of every kind, and whether taking them back leaves anything to be seen."""

from collections.abc import Iterator
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Final

from server.services.duplicates import matching
from tests.benchmarks.figure import Figure, note
from tests.builders import Clock, add_person, complaint, enrolled, open_test_hub
from tests.decision_walks import Walk, add_web
from tests.matching import number_of

FIGURES: Final = ("undo_exact",)
_WALKS: Final = 20
_STEPS: Final = 12
_COMPLAINTS: Final = 6


def measure() -> Iterator[Figure]:
    """The share of walks after which, and in the middle of which, all is seen as it was."""
    with TemporaryDirectory() as folder:
        exact = sum(_walked(Path(folder) / str(seed), seed) for seed in range(_WALKS))
    note(f"undo_exact: {_WALKS} walks of {_STEPS} steps over 8 links")
    yield Figure("undo_exact", exact / _WALKS, "share", "=", 1)


def _walked(folder: Path, seed: int) -> bool:
    random = Random(seed)
    hub = open_test_hub("sqlite", folder, Clock())
    try:
        matching.keep_models(hub.store, hub.clock())
        ids = []
        for at in range(_COMPLAINTS):
            sender = enrolled(hub, f"Gao {at}")
            sender.send(complaint("a"))
            ids.append(number_of(sender, "a"))
        people = [add_person(hub, name, is_named_reader=True) for name in ("Awa", "Binta")]
        steps = [(random.choice("cru"), random.randrange(8)) for _ in range(_STEPS)]
        return Walk(hub, *people, ids, add_web(hub, ids)).go(steps, random)
    finally:
        hub.close()
