"""The device's power cut at any operation: what was finalised is there, and no frame number means two things."""

import json
import shutil
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from client_sync.outbox import Outbox
from client_sync.stores import Folder, machine_key
from server.store import lite
from server.store.dialect import open_sqlite
from tests.faults.history import Findings, History, check
from tests.faults.kill import Child
from tests.faults.replay import Acknowledged, Disk, disks, files_under, final_disk, read_log
from tests.faults.rig import REPOSITORY, Run, Sizes, enrolled, opened, served, settings_of, sized
from tests.faults.shelf import checked_disks
from tests.faults.shim import FaultShim

DISKS = Sizes(ci=300, full=5_000)
# Enough for the log to be written back to the file meanwhile.
TURNS = 60
SEED = 20_261_122
TOLD = ("at_centre", "kept_aside")

Promises = dict[str, list[Any]]


def outbox_disks(count: int, folder: Path, shim: FaultShim) -> Run:
    """Let a device write and send, then check `count` disks that a power cut on the way could have left of it."""
    base, log = folder / "base", folder / "operations"
    with History(folder / "history") as history, opened(settings_of(folder / "hub")) as hub:
        [device] = enrolled(hub, folder, history, 1)
        root = device.folder.path
        shutil.copytree(root, base)
        environment = shim.environment(match=root, log=log) | {"PYTHONPATH": str(REPOSITORY)}
        with served(hub) as (_, port):
            arguments = (root, port, history.path, log, TURNS)
            program = [sys.executable, "-m", "tests.faults.field", *map(str, arguments)]
            with Child(program, environment) as child:
                assert child.wait().returncode == 0
    assert final_disk(log, root, base).contents() == files_under(root)
    marks = [operation.payload for operation in read_log(log) if isinstance(operation, Acknowledged)]
    batches = promises_in(marks)["kept"]
    findings = checked_disks(partial(disks, log, root, base=base), count, SEED, partial(_device_on, batches))
    return Run(count, findings)


def promises_in(marks: Iterable[bytes]) -> Promises:
    """What stands in the marks, by the kind of promise: one list a mark."""
    found: Promises = defaultdict(list)
    for mark in marks:
        for promise, what in json.loads(mark).items():
            found[promise].append(what)
    return found


def _device_on(batches: list[list[str]], folder: Path, disk: Disk) -> Findings:
    """What a device lost that starts from the disk laid out in `folder`."""
    device = Folder(folder)
    with closing(open_sqlite(device.transport, machine_key(device))) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        damage = lite.damage(Database(connection))
    if damage:
        return Findings(half=(tuple(damage),))
    promises = promises_in(disk.all_acknowledged)
    with closing(Outbox.open(device)) as outbox:
        states = {record.id: record.state for record in outbox.records()}
        events = [{"event": "invoke", "record": id} for batch in batches for id in batch]
        events += [{"event": "acknowledged", "record": id} for batch in promises["kept"] for id in batch]
        findings = check(events, Counter(states.keys()), units=batches)
        forgotten = tuple(id for told in promises["told"] for id in told if states.get(id) not in TOLD)
        used_twice = tuple(_free_again(outbox, promises["left"]))
    return replace(findings, lost=findings.lost + forgotten, half=findings.half + used_twice)


def _free_again(outbox: Outbox, left: list[list[tuple[int, str]]]) -> Iterator[tuple[str, ...]]:
    """The frames that left and whose number the device would use for something else."""
    next_frame = outbox.link.next_frame
    digests = {frame.number: frame.digest for frame in outbox.in_flight()}
    for number, digest in (frame for body in left for frame in body):
        if number >= next_frame or digests.get(number, digest) != digest:
            yield (f"frame {number} left", "its number is free")


@sized(DISKS)
def test_outbox_disk_holds_what_was_finalised(size: int, tmp_path: Path, shim: FaultShim) -> None:
    assert outbox_disks(size, tmp_path, shim).findings == Findings()
