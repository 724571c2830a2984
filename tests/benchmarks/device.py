"""Device: how fast a field device that holds much is made unreadable."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from random import Random
from time import perf_counter
from typing import Final

from client_sync.outbox import Finished, Outbox
from client_sync.stores import Folder
from client_sync.vault import Hardness, Vault
from tests.benchmarks.figure import Figure, middle
from tests.benchmarks.harness import Plan, fresh_folder
from tests.client_sync.builders import WORDS, enrolled_outbox, wordy

FIGURES: Final = ("panic_wipe_s",)
_HARDNESS: Final = Hardness(passes=1, memory_bytes=8192)
_DRAFTS: Final = 200
_A_COMMIT: Final = 1_000


def measure(plan: Plan) -> Iterator[Figure]:
    """Each round wipes a copy of a device with as many complaints as the small hub has, and drafts beside them."""
    elapsed_s = []
    with fresh_folder() as folder:
        original = _device(folder / "original", plan.small)
        for number in range(plan.rounds):
            device = Folder(folder / f"device-{number}")
            shutil.copytree(original.path, device.path)
            began = perf_counter()
            device.wipe()
            elapsed_s.append(perf_counter() - began)
    yield Figure("panic_wipe_s", middle("panic_wipe_s", elapsed_s), "s", "<=", 1)


def _device(path: Path, complaints: int) -> Folder:
    folder = Folder(path)
    vault = Vault.create(folder, WORDS, _HARDNESS)
    for number in range(_DRAFTS):
        vault.save_draft(str(number), wordy(number))
    vault.close()
    outbox: Outbox = enrolled_outbox(folder)
    rng = Random("panic")
    for begun in range(0, complaints, _A_COMMIT):
        some = range(begun, min(begun + _A_COMMIT, complaints))
        outbox.finalise_all([Finished("complaint", wordy(rng.randrange(100))) for _ in some])
    outbox.close()
    return folder
