"""Files from a device to the hub: over a road that is cut, past a hub that stops, in the hands of a carrier."""

from dataclasses import replace
from pathlib import Path
from random import Random

import pyrage
import pytest
import sqlalchemy as sa
from nacl.public import SealedBox

from client_sync.bundle import read_parcel_file, replies_to_hand_back, write_file_parcels, write_parcel
from client_sync.client import SyncClient
from client_sync.complaint import Answers, Attachment, Consent, build_complaint
from client_sync.files import Pending
from client_sync.transport import HttpTransport
from client_sync.uploads import Pace
from client_sync.vault import Vault
from fixtures.bad_road import BadRoad, Cut
from server import credential
from server.domain.errors import StorageFailed
from server.domain.permission import OPERATOR
from server.hub import depot_of, new_epoch
from server.services import backups
from server.services.evidence import receiving
from server.store.blobs import FolderBlobs
from server.store.evidence_tables import custody, piece
from tests import media
from tests.builders import PASSPHRASE, an_id
from tests.client_sync.builders import SOFT, WORDS
from tests.journeys.conftest import FieldDevice, NewDevice, RunningHub

VERSION = "0.1.0"
BRISK = Pace(pause_first_s=0.001, gives_up_after_s=5.0)
HURRIED = Pace(pause_first_s=0.001, gives_up_after_s=0.05)


def a_photo(size: int, seed: int = 1) -> bytes:
    """A photo of about so many bytes, none of which another has."""
    return media.photo() + Random(seed).randbytes(size)


class Camera:
    """A device that takes files in."""

    def __init__(self, device: FieldDevice, folder: Path) -> None:
        self.device = device
        self.folder = folder
        Vault.create(device.outbox.folder, WORDS, SOFT).close()

    def write(self, name: object, *files: bytes) -> list[Attachment]:
        """A closed complaint with files."""
        taken = []
        for no, data in enumerate(files):
            source = self.folder / f"{name}-{no}"
            source.write_bytes(data)
            taken.append(self.device.outbox.files.take_in(source, now=self.device.clock()))
        answers = Answers(files=tuple(taken), consent=Consent("C1"))
        content = build_complaint(answers, now=self.device.clock(), receipt="7K4M-2QG")
        self.device.outbox.finalise("complaint", content, id=an_id(name))
        return taken

    def kept(self) -> dict[str, bytes]:
        """What the device has of its files, by their hash."""
        return {path.name: path.read_bytes() for path in self.device.outbox.folder.files.iterdir()}


@pytest.fixture
def camera(new_device: NewDevice, tmp_path: Path) -> Camera:
    return Camera(new_device("Mopti 2"), tmp_path)


def blobs(hub: RunningHub) -> dict[str, bytes]:
    """What the hub has, by hash."""
    kept = hub.hub.depot.blobs
    return {sha256: b"".join(kept.read(sha256)) for sha256 in kept.each()}


def states(hub: RunningHub) -> list[str]:
    with hub.hub.store.read() as connection:
        return list(connection.scalars(sa.select(piece.c.state).order_by(piece.c.id)))


def assert_all_here(hub: RunningHub, camera: Camera) -> None:
    assert blobs(hub) == camera.kept()
    assert set(states(hub)) == {"here"}
    assert list(hub.hub.depot.parts.each()) == []
    assert camera.device.outbox.files.pending() == Pending(0, 0)


def test_texts_go_first_and_the_files_follow_byte_for_byte(hub: RunningHub, camera: Camera) -> None:
    camera.write("one", a_photo(90_000), media.voice())
    camera.write("two", a_photo(150_000, 2))
    report = camera.device.sync()
    assert (report.stored, report.files, report.is_whole) == (2, 3, True)
    assert_all_here(hub, camera)
    assert [each.state for each in camera.device.outbox.files.of(an_id("one"))] == ["here", "here"]


@pytest.mark.parametrize("after", [1, 2_000, 40_000, 70_000, 140_000])
@pytest.mark.parametrize("way", ["up", "down"])
def test_a_cut_costs_a_chunk_and_no_file(hub: RunningHub, camera: Camera, way: str, after: int) -> None:
    camera.write("one", a_photo(90_000), a_photo(120_000, 2))
    cut = Cut(after_up=after) if way == "up" else Cut(after_down=min(after, 150))
    camera.device.sync(Cut(after_up=10_000 + after), cut, cut, Cut(refuse=True), cut, pace=BRISK)
    while camera.device.outbox.files.pending() != Pending(0, 0):
        camera.device.sync()
    assert_all_here(hub, camera)


def test_a_hub_that_stopped_goes_on_where_it_was(hub: RunningHub, camera: Camera) -> None:
    [taken] = camera.write("one", a_photo(300_000))
    camera.device.sync(Cut(after_up=100_000), *(Cut(refuse=True) for _ in range(400)), pace=HURRIED)
    # What was cut is handed on by another thread.
    hub.stop()
    hub.start()
    [part] = hub.hub.depot.parts.each()
    assert 30_000 < part.size < taken.size
    camera.device.reopen()
    report = camera.device.sync()
    assert report.bytes_up < taken.size - part.size + 20_000
    assert_all_here(hub, camera)


def test_one_connection_carries_all_chunks_of_a_file(hub: RunningHub, camera: Camera) -> None:
    """A new one for each would cost more than the way of the chunk."""
    camera.write("one", a_photo(400_000))
    with BadRoad(hub.address) as road:
        transport = HttpTransport("http://{}:{}".format(*road.address))
        client = SyncClient(camera.device.outbox, transport, now=camera.device.clock, rng=Random(1), version=VERSION)
        client.sync()
        transport.close()
        assert road.connections <= 2
    assert_all_here(hub, camera)


def test_what_was_carried_over_two_media_is_the_same_as_what_was_sent(
    hub: RunningHub, camera: Camera, new_device: NewDevice
) -> None:
    author, carrier = camera.device, new_device("Sikasso 1")
    camera.write("one", a_photo(500_000), media.voice(), a_photo(300_000, 3))
    text = write_parcel(author.outbox, now=hub.clock(), version=VERSION)
    read_parcel_file(carrier.outbox, text, now=hub.clock())
    for _ in range(2):
        parcels = list(write_file_parcels(author.outbox, now=hub.clock(), version=VERSION, most_bytes=450_000))
        for each in parcels:
            author.outbox.files.note_packed(each.packed)
            read_parcel_file(carrier.outbox, each.data, now=hub.clock())
    carrier.sync()
    assert set(states(hub)) == {"here"}
    assert blobs(hub) == camera.kept()
    for carried in replies_to_hand_back(carrier.outbox):
        assert carried.reply is not None
        read_parcel_file(author.outbox, carried.reply, now=hub.clock())
    assert author.outbox.files.pending() == Pending(0, 0)
    with hub.hub.store.read() as connection:
        assert set(connection.scalars(sa.select(custody.c.by))) == {f"device:{author.outbox.require_enrolled().device}"}


def test_a_carrier_adds_nothing_of_its_own(hub: RunningHub, camera: Camera, new_device: NewDevice) -> None:
    """Parts whose hash no signed frame says are not read."""
    author, carrier = camera.device, new_device("Sikasso 1")
    camera.write("one", a_photo(50_000))
    author.sync(Cut(after_up=15_000), *(Cut(refuse=True) for _ in range(400)), pace=HURRIED)
    [parcel] = write_file_parcels(author.outbox, now=hub.clock(), version=VERSION, most_bytes=450_000)
    head, _, box = parcel.data.partition(b"\n")
    opened = _unsealed(hub, box)
    forged = head + b"\n" + _sealed(hub, opened[:-1] + bytes([opened[-1] ^ 1]))
    read_parcel_file(carrier.outbox, forged, now=hub.clock())
    before = [part.size for part in hub.hub.depot.parts.each()]
    assert carrier.sync().carried == 1
    assert [part.size for part in hub.hub.depot.parts.each()] == before
    assert states(hub) == ["awaited"]


def _unsealed(hub: RunningHub, box: bytes) -> bytes:
    return SealedBox(hub.hub.identity.box_key).decrypt(box)


def _sealed(hub: RunningHub, data: bytes) -> bytes:
    return SealedBox(hub.hub.identity.box_key.public_key).encrypt(data)


def repaired(hub: RunningHub, *, is_deep: bool = False) -> tuple[int, int, int]:
    """What a repair found: sound, lost, removed."""
    backups_in = hub.settings.backups
    found = receiving.repair(hub.hub.store, hub.hub.depot, backups_in, OPERATOR.signature, hub.clock(), is_deep=is_deep)
    return found.sound, found.lost, found.removed


def test_bytes_that_the_hub_lost_are_asked_for_again(hub: RunningHub, camera: Camera) -> None:
    taken, _ = camera.write("one", a_photo(50_000), a_photo(40_000, 2))
    camera.device.sync()
    hub.hub.depot.blobs.delete(taken.sha256)
    (hub.settings.data / "blobs" / "ab").mkdir(exist_ok=True)
    (hub.settings.data / "blobs" / "ab" / ("0" * 62)).write_bytes(b"of nobody")
    assert repaired(hub) == (1, 1, 1)
    camera.write("two")
    camera.device.sync()
    assert_all_here(hub, camera)
    assert repaired(hub, is_deep=True) == (2, 0, 0)


def test_what_has_a_copy_beside_the_backups_is_brought_back_from_there(hub: RunningHub, camera: Camera) -> None:
    taken, damaged = camera.write("one", a_photo(50_000), a_photo(40_000, 2))
    camera.device.sync()
    copies, blobs_in = FolderBlobs(hub.settings.backups / "blobs"), hub.settings.data / "blobs"
    for each in (taken, damaged):
        copies.put(each.sha256, blobs_in / each.sha256[:2] / each.sha256[2:])
    hub.hub.depot.blobs.delete(taken.sha256)
    place = blobs_in / damaged.sha256[:2] / damaged.sha256[2:]
    place.write_bytes(bytes(damaged.size))
    assert repaired(hub, is_deep=True) == (2, 0, 0)
    assert_all_here(hub, camera)


def test_disk_that_is_away_loses_nothing(hub: RunningHub, camera: Camera) -> None:
    camera.write("one", a_photo(50_000), a_photo(40_000, 2))
    camera.device.sync()
    blobs_in = hub.settings.data / "blobs"
    blobs_in.rename(blobs_in.with_name("away"))
    with pytest.raises(StorageFailed):
        repaired(hub)
    assert states(hub) == ["here", "here"]
    blobs_in.with_name("away").rename(blobs_in)
    assert repaired(hub) == (2, 0, 0)


def test_what_was_lost_and_is_there_again_is_taken_in(hub: RunningHub, camera: Camera) -> None:
    taken, _ = camera.write("one", a_photo(50_000), a_photo(40_000, 2))
    camera.device.sync()
    place = hub.settings.data / "blobs" / taken.sha256[:2] / taken.sha256[2:]
    place.rename(place.with_name("away"))
    assert repaired(hub) == (1, 1, 0)
    place.with_name("away").rename(place)
    assert repaired(hub) == (2, 0, 0)
    assert states(hub) == ["here", "here"]


def test_a_restored_hub_has_the_files_of_its_backup_and_asks_for_the_others(
    hub: RunningHub, camera: Camera, tmp_path: Path
) -> None:
    identity = pyrage.x25519.Identity.generate()
    (tmp_path / "identity.txt").write_text(f"{identity}\n")
    recipient, elsewhere = str(identity.to_public()), tmp_path / "elsewhere"
    settings = replace(hub.settings, backup_recipient=recipient, backup_folder=elsewhere)
    camera.write("one", a_photo(40_000))
    camera.device.sync()
    opened = hub.hub
    made = backups.make(opened.store, settings, opened.identity.id, opened.secrets.database, hub.clock(), opened.depot)
    camera.write("two", a_photo(60_000, 2))
    camera.device.sync()
    before = blobs(hub)
    assert len(before) == 2
    hub.stop()
    for path in sorted(hub.settings.data.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()

    restored = backups.restore(
        settings.backups / made.file,
        tmp_path / "identity.txt",
        settings,
        lambda path: credential.unlock(path, PASSPHRASE).database,
        epoch=new_epoch(),
        last=None,
        now=hub.clock(),
        blobs=depot_of(settings).blobs,
    )
    assert (restored.files, restored.files_lost) == (1, 0)
    hub.start()
    assert len(blobs(hub)) == 1
    camera.device.sync()
    assert blobs(hub) == before
    assert set(states(hub)) == {"here"}
