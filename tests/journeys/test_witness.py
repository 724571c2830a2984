"""Phones as witnesses: what a device saw of the hub's log, and what it says of a hub whose log was rewritten."""

import shutil
from dataclasses import replace
from pathlib import Path

import pyrage
import pytest
import sqlalchemy as sa

from client_sync.anchors import witnesses
from server import credential
from server.commands.audit_verify import BROKEN, NOTE, RESTORED, Verdict, verify
from server.hub import depot_of, new_epoch
from server.services import backups
from server.store.schema import received
from tests.builders import PASSPHRASE
from tests.journeys.conftest import FieldDevice, NewDevice, RunningHub
from tests.log_edits import anchor, exported, written


@pytest.fixture
def device(new_device: NewDevice) -> FieldDevice:
    return new_device("Mopti 2")


def a_day(hub: RunningHub, *devices: FieldDevice) -> None:
    """The hub signs the head of its log, a day goes by, devices come."""
    assert anchor(hub.hub) is not None
    hub.clock.pass_(days=1)
    for device in devices:
        device.sync()


def checked(hub: RunningHub, device: FieldDevice) -> Verdict:
    """What the verifier says of the hub's log, with the device as witness."""
    return verify(written(exported(hub.hub)), witnesses=witnesses(device.outbox))


def told(hub: RunningHub) -> int:
    """How many anchors devices told the hub that they keep."""
    with hub.hub.store.read() as connection:
        seen = sa.select(sa.func.count()).where(received.c.op == "anchor_seen")
        return connection.scalar(seen) or 0


def back_up(hub: RunningHub) -> str:
    """The name of a new backup."""
    opened = hub.hub
    return backups.make(
        opened.store, hub.settings, opened.identity.id, opened.secrets.database, hub.clock(), opened.depot
    ).file


def restore(hub: RunningHub, archive: Path, identity: Path) -> None:
    """Bring a backup back in the place of the hub's data."""

    def key_of(path: Path) -> bytes:
        return credential.unlock(path, PASSPHRASE).database

    backups.restore(
        archive,
        identity,
        hub.settings,
        key_of,
        epoch=new_epoch(),
        last=None,
        now=hub.clock(),
        blobs=depot_of(hub.settings).blobs,
    )


def test_device_takes_the_days_anchor_and_says_so_with_its_next_sync(hub: RunningHub, device: FieldDevice) -> None:
    assert device.sync().log is None
    a_day(hub)
    first = device.sync()
    assert (first.log, first.round_trips, first.sent) == ("grown", 1, 0)
    assert told(hub) == 0
    assert device.outbox.link.anchor_size == 4096
    second = device.sync()
    # No sending that a person would count, and no more of the link than a body that goes anyway.
    assert (second.log, second.sent, second.stored, second.round_trips) == (None, 0, 0, 1)
    device.sync()
    assert told(hub) == 1
    for _ in range(3):
        a_day(hub)
    assert device.sync().log == "grown"
    assert device.outbox.link.anchor_size == 4 * 4096
    assert checked(hub, device).level == NOTE


def test_history_rewritten_is_caught_by_the_phone_that_comes_back(hub: RunningHub, device: FieldDevice) -> None:
    device.write("one")
    device.sync()
    a_day(hub, device)
    with hub.hub.store.write() as connection:
        # The thorough way: the event is gone, and so is all that was computed of it.
        connection.exec_driver_sql("UPDATE event SET canonical = x'7b7d' WHERE place = 1")
        connection.exec_driver_sql("DELETE FROM log_block")
        connection.exec_driver_sql("DELETE FROM anchor")
    a_day(hub, device)
    report = device.sync()
    assert report.log == "differs"
    assert report.is_whole
    assert device.outbox.link.has_log_differed
    verdict = checked(hub, device)
    assert verdict.level == BROKEN
    # What the device told is in the rewritten log itself, for whoever checks it without a witness at hand.
    alone = verify(written(exported(hub.hub)), bytes(hub.hub.identity.sign_key.verify_key).hex())
    assert "witness_differs" in {found.code for found in alone.remarks}
    assert device.states() == ["at_centre"] * len(device.states())


def test_old_copy_put_back_is_caught_by_the_phone_that_comes_back(
    hub: RunningHub, device: FieldDevice, tmp_path: Path
) -> None:
    hub.stop()
    shutil.copytree(hub.settings.data, tmp_path / "copy")
    hub.start()
    a_day(hub, device)
    hub.stop()
    shutil.rmtree(hub.settings.data)
    (tmp_path / "copy").rename(hub.settings.data)
    hub.start()
    a_day(hub, device)
    a_day(hub)
    assert device.sync().log == "differs"
    assert checked(hub, device).level == BROKEN


def test_declared_restore_is_no_lie_and_its_gap_is_told(
    hub: RunningHub, device: FieldDevice, new_device: NewDevice, tmp_path: Path
) -> None:
    identity = pyrage.x25519.Identity.generate()
    (tmp_path / "offline.key").write_text(str(identity))
    hub.settings = replace(hub.settings, backup_recipient=str(identity.to_public()), backup_folder=tmp_path / "safe")
    old = new_device("Gao 1")
    a_day(hub, device, old)
    made = back_up(hub)
    for _ in range(2):
        device.write(hub.clock.now)
        a_day(hub, device)
    device.sync()
    assert device.outbox.link.anchor_size == 3 * 4096
    hub.stop()
    shutil.rmtree(hub.settings.data)
    restore(hub, tmp_path / "safe" / made, tmp_path / "offline.key")
    hub.start()
    assert device.sync().log is None
    a_day(hub, old)
    assert device.sync().log == "restored"
    assert old.outbox.link.anchor_size == 2 * 4096
    assert not device.outbox.link.has_log_differed
    verdict = checked(hub, device)
    assert verdict.level == RESTORED
    # What it told the lost hub it told again, unaided: the gap shows without it at hand.
    assert {found.until for found in checked(hub, old).remarks if found.level == RESTORED} == {2 * 4096, 3 * 4096}
    assert {found.until for found in verdict.remarks if found.level == RESTORED} == {2 * 4096, 3 * 4096}
