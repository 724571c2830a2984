"""Yesterday's hub and last week's phone: what was acknowledged since comes back, unaided and once."""

import shutil
from pathlib import Path

from fixtures.bad_road import BadRoad, Cut
from server.services import devices
from tests.faults.history import Findings, History
from tests.faults.rig import Device, Run, Sizes, enrolled, examine, opened, seere, served, settings_of, sized

SINCE_BACKUP = Sizes(ci=30, full=300)
SINCE_COPY = Sizes(ci=12, full=120)
DEVICES = 3


def restored_hub(count: int, folder: Path) -> Run:
    """Back a hub up, let devices send `count` complaints more, and go on with the hub of the backup."""
    lost, found = folder / "lost", folder / "found"
    with History(folder / "history") as history:
        with opened(settings_of(lost)) as hub:
            senders = enrolled(hub, folder, history, DEVICES)
            with served(hub) as address:
                for sender in senders:
                    sender.write(4)
                    sender.sync_to_the_end(address)
                backup, identity = _back_up(lost, folder)
                for turn in range(count):
                    senders[turn % DEVICES].write()
                for sender in senders:
                    # By now each knows what the backup covers, and has dropped it.
                    sender.sync_to_the_end(address)
        since = sum(len(sender.told()) for sender in senders) - 4 * DEVICES
        seere(found, "restore", backup, "--identity", identity, "--last-number", str(4 * DEVICES + count))
        with opened(settings_of(found)) as hub, served(hub) as address:
            for sender in senders:
                sender.sync_to_the_end(address)
            assert not [sender.label for sender in senders if _not_at_the_centre(sender)]
            return Run(since, examine(hub.store, history))


def _back_up(hub: Path, folder: Path) -> tuple[Path, Path]:
    """The backup of a hub by its operator, while it serves, and the key that opens it."""
    identity = folder / "identity"
    seere(hub, "backup", "--new-identity", identity)
    recipient = identity.read_text().splitlines()[0].removeprefix("# public key: ")
    seere(hub, "backup", backup_recipient=recipient)
    [backup] = (hub / "backups").glob("*.age")
    return backup, identity


def _not_at_the_centre(device: Device) -> list[str]:
    with device.outbox() as outbox:
        return [record.id for record in outbox.records() if record.state != "at_centre"]


@sized(SINCE_BACKUP)
def test_hub_of_yesterday_gets_back_what_it_lacks(size: int, ram: Path) -> None:
    run = restored_hub(size, ram)

    assert run.findings == Findings()
    assert run.faults == size


@sized(SINCE_COPY)
def test_device_of_last_week_harms_nothing(size: int, ram: Path) -> None:
    copy = ram / "last week"
    with History(ram / "history") as history, opened(settings_of(ram / "hub")) as hub:
        [device] = enrolled(hub, ram, history, 1)
        with served(hub) as address, BadRoad(address, [Cut(after_down=0)]) as road:
            device.write(size)
            # Frames are on their way in the copy, and the hub has them.
            assert device.sync(road.address).cut
            shutil.copytree(device.folder.path, copy)
            device.sync_to_the_end(road.address)
            for _ in range(size):
                device.write()
                device.sync_to_the_end(road.address)
            assert devices.find(hub.store, device.label).rolled_back_at is None
            shutil.rmtree(device.folder.path)
            copy.rename(device.folder.path)
            for _ in range(size):
                device.write()
                device.sync_to_the_end(road.address)

        assert examine(hub.store, history) == Findings()
        assert not _not_at_the_centre(device)
        assert devices.find(hub.store, device.label).rolled_back_at is not None
