"""Journeys: a real device, a real hub, and what happens to complaints between them."""

import shutil
from dataclasses import replace
from pathlib import Path

import pyrage
import pytest

from client_sync.bundle import read_parcel_file, replies_to_hand_back, write_parcel
from client_sync.errors import LinkCut
from client_sync.stores import Folder
from fixtures.bad_road import Cut, Pass
from server import credential
from server.hub import depot_of, new_epoch
from server.services import backups, devices, keyrings
from server.services.intake import admission
from server.services.intake.sealing import Sealing
from server.store.devices import set_backed_up
from tests.builders import ADMINISTRATOR, COORDINATOR, PASSPHRASE, an_id, clear_content
from tests.journeys.conftest import FieldDevice, NewDevice, RunningHub


@pytest.fixture
def device(new_device: NewDevice) -> FieldDevice:
    return new_device("Mopti 2")


def sealing(hub: RunningHub) -> Sealing:
    return Sealing(keyrings.current(hub.hub.store), hub.hub.secrets.pepper, None)


def database_key(credential_file: Path) -> bytes:
    return credential.unlock(credential_file, PASSPHRASE).database


def test_what_was_written_offline_stands_at_the_hub_byte_for_byte(hub: RunningHub, device: FieldDevice) -> None:
    device.write(*range(60))
    report = device.sync()
    assert (report.sent, report.stored, report.round_trips, report.is_whole) == (60, 60, 1, True)
    assert set(hub.lines().values()) == device.held_lines()
    assert len(hub.lines()) == 60
    assert device.states() == ["at_centre"] * 60


def test_a_second_session_sends_nothing(hub: RunningHub, device: FieldDevice) -> None:
    device.write(*range(5))
    device.sync()
    report = device.sync()
    assert (report.sent, report.round_trips, report.stored) == (0, 1, 0)


def test_a_session_that_the_hub_hears_twice_stores_once(hub: RunningHub, device: FieldDevice) -> None:
    device.write(*range(20))
    report = device.sync(Pass(duplicate=True))
    assert (report.stored, len(hub.lines())) == (20, 20)
    assert device.states() == ["at_centre"] * 20


@pytest.mark.parametrize(
    "cut",
    [
        Cut(refuse=True),
        Cut(after_up=0),
        Cut(after_up=400),
        Cut(after_up=6_000),
        Cut(after_up=6_000, half_close=True),
        Cut(after_down=0),
        Cut(after_down=1),
        Cut(after_down=150),
        Cut(after_down=250),
    ],
    ids=str,
)
def test_after_a_cut_the_next_session_brings_each_once(hub: RunningHub, device: FieldDevice, cut: Cut) -> None:
    device.write(*range(150))
    device.sync(cut)
    device.write("later")
    device.reopen()
    report = device.sync()
    assert report.is_whole
    assert device.states() == ["at_centre"] * 151
    assert set(hub.lines().values()) == device.held_lines()
    assert len(hub.lines()) == 151


def test_an_answer_cut_at_any_byte_is_made_up_for(hub: RunningHub, device: FieldDevice) -> None:
    device.write("first")
    answered = device.sync().bytes_down
    for at in range(0, answered, 7):
        device.write(("cut", at))
        assert device.sync(Cut(after_down=at)).cut
    assert device.sync().is_whole
    assert set(hub.lines().values()) == device.held_lines()
    assert set(device.states()) == {"at_centre"}


@pytest.mark.ci
def test_a_link_that_always_breaks_after_a_while_still_brings_everything(hub: RunningHub, device: FieldDevice) -> None:
    device.write(*range(400))
    sessions = 0
    while not device.sync(Cut(after_up=30_000)).is_whole:
        sessions += 1
        assert sessions < 30
    assert len(hub.lines()) == 400
    assert set(device.states()) == {"at_centre"}


def test_what_was_set_aside_reaches_the_centre_when_it_is_admitted(hub: RunningHub, device: FieldDevice) -> None:
    device.write("sound")
    device.outbox.finalise("complaint", clear_content() | {"form": "complaint/2024"}, id=an_id("old form"))
    report = device.sync()
    assert (report.stored, report.kept_aside) == (1, 1)
    assert device.states() == ["at_centre", "kept_aside"]
    record = device.outbox.record(an_id("old form"))
    assert (record.code, record.field) == ("form_unknown", "form")

    [kept] = admission.list_waiting(hub.hub.store)
    corrected = device.outbox._database.execute("SELECT line FROM record WHERE id = ?", [record.id]).fetchone()[0]
    corrected = corrected.replace(b"complaint/2024", b"complaint/1")
    admission.repair(hub.hub.store, hub.hub.desk(COORDINATOR), "SRE", kept.id, corrected, sealing(hub))
    report = device.sync()
    assert report.changes == 1
    assert device.states() == ["at_centre", "at_centre"]
    assert hub.set_aside() == 0
    assert device.sync().changes == 0


def test_neither_a_restored_hub_nor_a_person_is_needed_to_get_everything_back(
    hub: RunningHub, device: FieldDevice, tmp_path: Path
) -> None:
    identity = pyrage.x25519.Identity.generate()
    key = tmp_path / "offline.key"
    key.write_text(str(identity))
    hub.settings = replace(hub.settings, backup_recipient=str(identity.to_public()), backup_folder=tmp_path / "safe")
    device.write(*range(30))
    device.sync()
    made = backups.make(
        hub.hub.store, hub.settings, hub.hub.identity.id, hub.hub.secrets.database, hub.clock(), hub.hub.depot
    )
    device.sync()
    assert device.held_lines() == set()

    device.write(*range(30, 330))
    device.sync()
    before = hub.lines()
    hub.stop()
    shutil.rmtree(hub.settings.data)
    archive, now = tmp_path / "safe" / made.file, hub.clock()
    backups.restore(
        archive,
        key,
        hub.settings,
        database_key,
        epoch=new_epoch(),
        last=None,
        now=now,
        blobs=depot_of(hub.settings).blobs,
    )
    hub.start()
    assert len(hub.lines()) == 30

    report = device.sync()
    assert report.is_whole
    assert hub.lines() == before
    assert set(device.states()) == {"at_centre"}
    assert report.stored == 0


def test_a_device_put_back_to_last_week_overwrites_nothing(hub: RunningHub, device: FieldDevice) -> None:
    device.write("monday")
    device.sync()
    folder = device.outbox.folder
    device.outbox.close()
    copy = folder.path.with_name("copy")
    shutil.copytree(folder.path, copy)
    device.reopen()
    device.write(*range(40))
    device.sync()
    assert len(hub.lines()) == 41

    device.outbox.close()
    shutil.rmtree(folder.path)
    copy.rename(folder.path)
    device.reopen()
    device.write("after", "the", "copy")
    assert device.sync().is_whole
    assert len(hub.lines()) == 44
    assert set(device.states()) == {"at_centre"}
    [known] = devices.listed(hub.hub.store)
    assert known.rolled_back_at is not None
    first_free = device.outbox.link.next_frame
    device.write("one more")
    device.sync()
    [known] = devices.listed(hub.hub.store)
    assert known.last_frame >= first_free - 1


def test_a_revoked_device_is_told_and_what_it_pushes_is_kept_aside(hub: RunningHub, device: FieldDevice) -> None:
    device.write("before")
    device.sync()
    enrolled = device.outbox.require_enrolled()
    devices.revoke(hub.hub.store, enrolled.device, hub.clock(), hub.hub.identity.sign_key, reason="volé")
    device.write("after")
    report = device.sync()
    assert (report.orders, report.refused_code, report.kept_aside) == (("revoke",), "device_revoked", 1)
    assert device.states() == ["at_centre", "kept_aside"]
    device.write("much later")
    assert device.sync().sent == 0
    # The complaint, and the linkage that goes along with it.
    assert (len(hub.lines()), hub.set_aside()) == (1, 2)


def test_a_revoked_device_enrolled_again_goes_on_in_its_lineage(hub: RunningHub, device: FieldDevice) -> None:
    device.write("before")
    device.sync()
    before = device.outbox.require_enrolled()
    devices.revoke(hub.hub.store, before.device, hub.clock(), hub.hub.identity.sign_key, reason="perdu")
    device.sync()
    device.write("after")
    device.join(succeeds=before.device)
    report = device.sync()
    assert (report.stored, report.is_whole) == (1, True)
    after = device.outbox.require_enrolled()
    assert (after.lineage, after.device != before.device) == (before.lineage, True)
    assert len(hub.lines()) == 2


def test_a_wiped_device_brings_away_what_only_it_has_and_then_has_nothing_left(
    hub: RunningHub, device: FieldDevice
) -> None:
    store = hub.hub.store
    device.write("before")
    device.sync()
    device.write("seized")
    enrolled = device.outbox.require_enrolled()
    devices.wipe(store, enrolled.device, hub.clock(), hub.hub.identity.sign_key, ADMINISTRATOR, reason="saisi")
    assert device.sync().orders == ("wipe",)
    assert device.outbox.waiting() == 0
    assert device.outbox.holds_last_copies()
    with store.write() as connection:
        set_backed_up(connection, {enrolled.lineage: 100})
    assert device.sync().orders == ("erased",)
    assert list(device.outbox.folder.path.iterdir()) == []


def test_a_parcel_goes_by_another_device_and_the_answer_comes_back(hub: RunningHub, new_device: NewDevice) -> None:
    author, carrier = new_device("Ségou 3"), new_device("Sikasso 1")
    author.write(*range(12))
    lost = write_parcel(author.outbox, now=hub.clock(), version="0.1.0")
    assert lost
    author.write("later")
    parcel = write_parcel(author.outbox, now=hub.clock(), version="0.1.0")
    read_parcel_file(carrier.outbox, parcel, now=hub.clock())
    carrier.write("of the carrier")
    report = carrier.sync()
    assert (report.stored, report.carried) == (1, 1)
    assert len(hub.lines()) == 14
    assert author.states() == ["sending"] * 13

    [carried] = replies_to_hand_back(carrier.outbox)
    assert carried.reply is not None
    reply = read_parcel_file(author.outbox, carried.reply, now=hub.clock())
    assert reply.missing == (1,)  # type: ignore[union-attr]
    assert author.states() == ["at_centre"] * 13
    assert author.sync().sent == 0


def test_a_parcel_that_arrives_after_a_sync_adds_nothing(hub: RunningHub, new_device: NewDevice) -> None:
    author, carrier = new_device("Ségou 3"), new_device("Sikasso 1")
    author.write(*range(3))
    parcel = write_parcel(author.outbox, now=hub.clock(), version="0.1.0")
    author.sync()
    read_parcel_file(carrier.outbox, parcel, now=hub.clock())
    carrier.sync()
    assert len(hub.lines()) == 3


def test_an_enrolment_whose_answer_was_lost_is_tried_again(
    hub: RunningHub, new_device: NewDevice, tmp_path: Path
) -> None:
    device = FieldDevice(hub, Folder(tmp_path / "late"), "Gao 1")
    code = hub.invite("Gao 1")
    with pytest.raises(LinkCut):
        device.enrol(code, Cut(after_down=0))
    enrolled = device.enrol(code)
    assert [each.id for each in devices.listed(hub.hub.store)] == [enrolled.device]
    device.write("one")
    assert device.sync().refused_code == "device_unconfirmed"
    [known] = devices.listed(hub.hub.store)
    assert devices.words_of(hub.hub.store, known, hub.hub.identity.sign_key) == enrolled.words
    devices.confirm(hub.hub.store, known.id, hub.clock())
    assert device.sync().stored == 1
    device.outbox.close()


@pytest.mark.parametrize("days", [-3650, 300])
def test_the_clock_of_the_device_decides_nothing(hub: RunningHub, device: FieldDevice, days: int) -> None:
    device.write("one")
    device.sync()
    device.clock.pass_(days=days)
    device.write("two", entered_at=device.clock().strftime("%Y-%m-%dT%H:%M:%SZ"))
    assert device.sync().stored == 1
    assert device.states() == ["at_centre"] * 2
    assert device.outbox.link.clock_ahead_s == days * 86_400
