"""A shelf of disks, checked on every core: what a program that starts from each of them has lost."""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import fields
from multiprocessing import get_context
from pathlib import Path

from tests.faults.history import Findings
from tests.faults.replay import Disk, ram_folder

Made = Callable[[int, int], Iterator[Disk]]
Checked = Callable[[Path, Disk], Findings]

_BATCH = 50


def checked_disks(made: Made, count: int, seed: int, checked: Checked) -> Findings:
    """The findings of `count` disks together, each by the seed from which `replay.disk` builds its disk again.

    `made(count, seed)` gives disks and `checked(folder, disk)` the findings of one laid out in a folder; both
    go to other processes.
    """
    sizes = [min(_BATCH, count - start) for start in range(0, count, _BATCH)]
    # Not forked: the threads of the run that made the disks may hold locks.
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        jobs = [pool.submit(_findings, made, size, seed + no, checked) for no, size in enumerate(sizes)]
        return together(found for job in jobs for found in job.result())


def together(findings: Iterable[Findings]) -> Findings:
    """All that several runs broke."""
    listed = list(findings)
    return Findings(**{part.name: sum((getattr(each, part.name) for each in listed), ()) for part in fields(Findings)})


def _findings(made: Made, count: int, seed: int, checked: Checked) -> list[Findings]:
    found = []
    with ram_folder() as folder:
        for disk in made(count, seed):
            disk.write_to(folder / "disk")
            broken = checked(folder / "disk", disk)
            if broken != Findings():
                found.append(_of_disk(broken, disk.seed))
    return found


def _of_disk(findings: Findings, seed: int) -> Findings:
    """The findings, with the seed beside each."""
    mark = f"disk {seed}"
    return Findings(
        lost=tuple(f"{id} ({mark})" for id in findings.lost),
        doubled=tuple(f"{id} ({mark})" for id in findings.doubled),
        half=tuple((*parts, mark) for parts in findings.half),
        missed_changes=tuple((device, f"{change} ({mark})") for device, change in findings.missed_changes),
        unexpected=tuple(f"{id} ({mark})" for id in findings.unexpected),
    )
