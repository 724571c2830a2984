"""The hub's power cut at any operation: every disk it could leave is sound and holds what was acknowledged."""

import json
import shutil
from contextlib import closing
from functools import partial
from pathlib import Path

from sqlite_utils import Database

from client_sync.outbox import Finished
from server.store import lite
from server.store.dialect import open_sqlite
from server.store.engine import open_store
from tests.faults.history import Findings, History
from tests.faults.replay import Disk, disks, files_under, final_disk
from tests.faults.rig import HubChild, Run, Sizes, enrolled, examine, opened, seere, settings_of, sized
from tests.faults.shelf import checked_disks
from tests.faults.shim import FaultShim, mark_acknowledged

DISKS = Sizes(ci=400, full=10_000)
NEW_DISKS = Sizes(ci=60, full=600)
DEVICES = 3
# Enough for the log to be written back to the file meanwhile, few enough for a disk to be checked in milliseconds.
SYNCS = 45
SEED = 20_261_121


def hub_disks(count: int, folder: Path, shim: FaultShim) -> Run:
    """Let three devices send, then check `count` disks that a power cut on the way could have left of the hub."""
    root, base, log = folder / "hub", folder / "base", folder / "operations"
    with History(folder / "history") as history:
        with opened(settings_of(root)) as hub:
            senders = enrolled(hub, folder, history, DEVICES)
            key = hub.secrets.database
        shutil.copytree(root, base)
        with HubChild(root, shim.environment(match=root, log=log)) as child:
            child.start()
            for turn in range(SYNCS):
                sender = senders[turn % DEVICES]
                before = sender.told()
                sender.write(1 + turn % 4)
                sender.finalise([Finished("complaint", {"form": "complaint/1900"})] * (turn % 5 == 0))
                sender.sync_to_the_end(child.address)
                mark_acknowledged(log, json.dumps(sorted(sender.told() - before)).encode())
        assert final_disk(log, root, base).contents() == files_under(root)
        offered = [event for event in history if event["event"] == "invoke"]
    findings = checked_disks(partial(disks, log, root, base=base), count, SEED, partial(_hub_on, offered, key))
    return Run(count, findings)


def _hub_on(offered: list[dict[str, str]], key: bytes, folder: Path, disk: Disk) -> Findings:
    """What a hub lost that starts from the disk laid out in `folder`."""
    with closing(open_sqlite(folder / "hub.db", key)) as connection:
        # What stands in the log hides what was torn in the file: compare when it is written back.
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        damage = lite.damage(Database(connection))
    if damage:
        return Findings(half=(tuple(damage),))
    told = [{"event": "acknowledged", "record": id} for mark in disk.all_acknowledged for id in json.loads(mark)]
    with closing(open_store(f"sqlite:///{folder / 'hub.db'}", key)) as store:
        return examine(store, [*offered, *told])


@sized(DISKS)
def test_hub_disk_holds_what_was_acknowledged(size: int, tmp_path: Path, shim: FaultShim) -> None:
    assert hub_disks(size, tmp_path, shim).findings == Findings()


@sized(NEW_DISKS)
def test_new_hub_never_stands_without_its_credential(size: int, tmp_path: Path, shim: FaultShim) -> None:
    root, log = tmp_path / "hub", tmp_path / "operations"
    seere(root, "init", environment=shim.environment(match=root, log=log))

    made = [disk.contents() for disk in disks(log, root, size, SEED)]

    assert any("hub.db" in files for files in made)
    assert all(_is_whole(files["hub.credential"]) for files in made if "hub.db" in files)


def _is_whole(credential: bytes) -> bool:
    try:
        return bool(json.loads(credential)["passphrase"]["box"])
    except ValueError:
        return False
