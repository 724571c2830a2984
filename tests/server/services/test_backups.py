"""Backups on both engines: believed only once they were opened; restores that give a new epoch."""

import os
import shutil
import stat
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyrage
import pytest
import sqlalchemy as sa
from sqlcipher3 import dbapi2 as sqlcipher

from server import credential
from server.config import Settings
from server.domain.errors import BackupUnusable
from server.hub import Hub, depot_of, epoch_of, open_hub
from server.services import backups
from server.services.backups import LastNumber
from server.services.cases import acknowledging, telling
from server.store import devices, lite, match_tables, schema, step_tables
from tests.builders import (
    NOW,
    PASSPHRASE,
    Clock,
    Sender,
    an_id,
    complaint,
    enrolled,
    founded,
    open_new_hub,
    operation,
    secrets_of,
    with_keyring,
)
from tests.matching import match_all, report
from tests.postgres import Cluster, client_programs

on_both_engines = pytest.mark.parametrize(
    "rig", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True
)


@dataclass
class Rig:
    """A hub with complaints of one device, and the key that opens its backups."""

    hub: Hub
    device: Sender
    identity: Path

    @property
    def settings(self) -> Settings:
        return self.hub.settings

    def make(self, **changes: Any) -> Path:
        settings = replace(self.settings, **changes)
        made = backups.make(
            self.hub.store, settings, self.hub.identity.id, self.hub.secrets.database, self.hub.clock(), self.hub.depot
        )
        return settings.backups / made.file

    def backed_up_to(self) -> int:
        with self.hub.store.read() as connection:
            return devices.lineage_of(connection, self.device.lineage).backed_up_to

    def files(self) -> list[str]:
        return sorted(path.name for path in self.settings.backups.iterdir())


@pytest.fixture(params=["sqlite"])
def rig(request: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    """A rig on SQLite, and on both engines in a test marked so."""
    identity = tmp_path / "identity.txt"
    recipient = backups.new_identity(identity)
    database = "" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    if database:
        _offer_programs_of_the_server(monkeypatch)
    hub = with_keyring(open_new_hub(*founded(tmp_path / "hub", database, backup_recipient=recipient), Clock()))
    device = enrolled(hub, "Gao 1")
    device.send(*(complaint(n) for n in range(5)))
    yield Rig(hub, device, identity)
    hub.close()


def _offer_programs_of_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """pg_dump must not be older than the server that the tests run on."""
    found = client_programs()
    monkeypatch.setenv("PATH", f"{found}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture
def empty(rig: Rig, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Settings]:
    """Settings of a machine on which there is nothing yet."""
    settings = replace(rig.settings, data=tmp_path / "new")
    if not settings.database:
        yield settings
        return
    cluster: Cluster = request.getfixturevalue("postgres_cluster")
    url = cluster.create_database()
    yield replace(settings, database=url)
    cluster.drop_database(url)


def _restore(rig: Rig, archive: Path, settings: Settings, **changes: Any) -> backups.Restored:
    options = {"epoch": "0badc0de", "last": None, "now": NOW, "blobs": depot_of(settings).blobs} | changes
    return backups.restore(archive, rig.identity, settings, _key_of, **options)


def _key_of(path: Path) -> bytes:
    return credential.unlock(path, PASSPHRASE).database


@on_both_engines
def test_backup_is_named_sealed_and_alone(rig: Rig) -> None:
    path = rig.make()
    assert path.name == f"seere-20261121T100405Z-{rig.hub.epoch()}.age"
    assert rig.files() == [path.name]
    assert path.read_bytes().startswith(b"age-encryption.org/v1")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in rig.settings.data.iterdir() if each.name.startswith(".backup")] == []


@on_both_engines
def test_devices_hear_of_a_backup_only_once_it_was_verified(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    assert rig.backed_up_to() == 0
    with monkeypatch.context() as patch:
        patch.setattr(pyrage, "encrypt_io", _fail)
        with pytest.raises(BackupUnusable):
            rig.make()
    assert (rig.backed_up_to(), rig.files()) == (0, [])
    rig.make()
    assert rig.backed_up_to() == 1
    assert rig.device.send()["backed_up_to"] == 1


def _fail(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_positions_are_those_of_the_copy_and_not_of_later(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    seal = backups._seal

    def busy(*arguments: Any) -> None:
        rig.device.send(complaint("meanwhile"))
        seal(*arguments)

    monkeypatch.setattr(backups, "_seal", busy)
    rig.make()
    assert rig.backed_up_to() == 1


def test_leftovers_of_an_interrupted_backup_go_with_the_next(rig: Rig) -> None:
    rig.settings.backups.mkdir(parents=True)
    (rig.settings.backups / "seere-old.age.part").write_bytes(b"half")
    rig.settings.data.mkdir(exist_ok=True)
    (rig.settings.data / ".backup-left").mkdir()
    path = rig.make()
    assert rig.files() == [path.name]
    assert not (rig.settings.data / ".backup-left").exists()


def test_rehearsal_opens_the_sealed_file_and_refuses_a_wrong_key(rig: Rig, tmp_path: Path) -> None:
    rig.make(backup_identity_file=rig.identity)
    other = tmp_path / "other.txt"
    backups.new_identity(other)
    rig.hub.clock.pass_(hours=1)  # type: ignore[attr-defined]
    with pytest.raises(BackupUnusable) as refused:
        rig.make(backup_identity_file=other)
    assert refused.value.values["fault"] == "not_opened"
    assert len(rig.files()) == 1


@pytest.mark.parametrize(("recipient", "fault"), [("", "recipient_missing"), ("age1nonsense", "recipient_invalid")])
def test_backup_needs_a_recipient(rig: Rig, recipient: str, fault: str) -> None:
    with pytest.raises(BackupUnusable) as refused:
        rig.make(backup_recipient=recipient)
    assert refused.value.values["fault"] == fault


@on_both_engines
def test_restored_hub_has_everything_and_a_new_epoch(rig: Rig, empty: Settings) -> None:
    restored = _restore(rig, rig.make(), empty)
    hub = open_hub(empty, secrets_of(empty), Clock())
    try:
        assert hub.identity.id == rig.hub.identity.id
        assert bytes(hub.identity.sign_key) == bytes(rig.hub.identity.sign_key)
        assert hub.epoch() == "0badc0de" != rig.hub.epoch()
        assert restored.manifest.contents.complaints == 5
        assert _lines(hub) == _lines(rig.hub)
    finally:
        hub.close()


@on_both_engines
def test_what_somebody_saw_before_the_restore_is_no_step_of_after_it(rig: Rig, empty: Settings) -> None:
    archive = rig.make()
    assert _tell(rig.hub) == 5
    shown = operation("seen", "s", {"changes": [each["n"] for each in rig.device.changes()]})
    rig.device.send(shown)
    _restore(rig, archive, empty)
    hub = open_hub(empty, secrets_of(empty), Clock())
    try:
        device = replace(rig.device, hub=hub, cursor=None)
        assert "sync_after" in device.send()
        assert _tell(hub) == 5
        device.send(shown)
        with hub.store.read() as connection:
            assert set(connection.scalars(sa.select(step_tables.told_step.c.seen_at))) == {None}
        assert len(device.changes()) == 5
        assert "sync_after" in device.send(cursor=device.cursor)
    finally:
        hub.close()


def _tell(hub: Hub) -> int:
    """Acknowledge all that came; gives how many steps devices are told."""
    acknowledging.acknowledge_new(hub.store, hub.gazetteer(), hub.clock())
    return telling.tell_due(hub.store, hub.clock())


@on_both_engines
def test_what_waits_to_be_matched_is_in_no_backup(rig: Rig, empty: Settings) -> None:
    rig.device.send(operation("linkage", "l", {"complaint": an_id(0), "v": 1, "box": "Ym94"}))
    _restore(rig, rig.make(), empty)
    hub = open_hub(empty, secrets_of(empty), Clock())
    try:
        assert (_waiting(rig.hub), _waiting(hub)) == (["Ym94"], [])
    finally:
        hub.close()


@on_both_engines
def test_what_complaints_are_matched_by_comes_back(rig: Rig, empty: Settings) -> None:
    report(rig.device, "a")
    match_all(rig.hub)
    _restore(rig, rig.make(), empty)
    hub = open_hub(empty, secrets_of(empty), Clock())
    try:
        assert _matched_by(hub) == _matched_by(rig.hub)
        assert match_all(hub) == 0
    finally:
        hub.close()


def _matched_by(hub: Hub) -> list[object]:
    tables = (match_tables.match_profile, match_tables.match_key, match_tables.model)
    with hub.store.read() as connection:
        return [connection.execute(sa.select(each).order_by(*each.primary_key)).all() for each in tables]


def _waiting(hub: Hub) -> list[str]:
    with hub.store.read() as connection:
        return list(connection.scalars(sa.select(schema.linkage_pending.c.box)))


def test_copy_holds_nothing_of_what_was_left_out_not_even_in_free_pages(tmp_path: Path) -> None:
    # Without a key, so that the pages can be searched.
    engine = sa.create_engine("sqlite://", creator=lambda: sqlcipher.connect(tmp_path / "a.db", isolation_level=None))
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE waiting (box TEXT)"))
        connection.execute(sa.text("INSERT INTO waiting VALUES (:box)"), [{"box": "Awa" * 900}] * 50)
    lite.copy_to(engine, tmp_path / "copy.db", without="waiting")
    engine.dispose()
    assert b"AwaAwa" in (tmp_path / "a.db").read_bytes()
    assert b"AwaAwa" not in (tmp_path / "copy.db").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.db", "copy.db"]


def _lines(hub: Hub) -> list[bytes]:
    with hub.store.read() as connection:
        return sorted(connection.scalars(sa.select(schema.received.c.line)))


@on_both_engines
def test_numbers_printed_after_the_backup_are_lost_and_never_given_again(rig: Rig, empty: Settings) -> None:
    restored = _restore(rig, rig.make(), empty, last=LastNumber("SRE", 2026, 8))
    assert restored.lost_numbers == 3
    hub = open_hub(empty, secrets_of(empty), Clock())
    try:
        rig.device.hub = hub
        rig.device.send(complaint("after"))
        select = sa.select(schema.registry.c.number, schema.registry.c.complaint.is_not(None))
        with hub.store.read() as connection:
            numbers = [tuple(row) for row in connection.execute(select.order_by(schema.registry.c.number))]
        assert numbers == [(n, n not in (6, 7, 8)) for n in range(1, 10)]
    finally:
        hub.close()


@on_both_engines
def test_restore_overwrites_nothing(rig: Rig, empty: Settings) -> None:
    archive = rig.make()
    with pytest.raises(BackupUnusable):
        _restore(rig, archive, rig.settings)
    _restore(rig, archive, empty)
    with pytest.raises(BackupUnusable):
        _restore(rig, archive, empty)
    with rig.hub.store.read() as connection:
        assert epoch_of(connection) == rig.hub.epoch()


@pytest.mark.parametrize("spoil", ["truncate", "flip", "other key"])
def test_spoilt_backup_leaves_no_hub_behind(rig: Rig, empty: Settings, tmp_path: Path, spoil: str) -> None:
    archive, data = rig.make(), rig.make().read_bytes()
    if spoil == "truncate":
        archive.write_bytes(data[:-100])
    elif spoil == "flip":
        archive.write_bytes(data[:-2000] + bytes([data[-2000] ^ 1]) + data[-1999:])
    else:
        rig.identity = tmp_path / "other.txt"
        backups.new_identity(rig.identity)
    with pytest.raises(BackupUnusable) as refused:
        _restore(rig, archive, empty)
    assert refused.value.values["fault"] == "not_opened"
    assert not empty.hub_file.exists()
    assert [each.name for each in empty.data.iterdir()] == []


def test_backup_of_another_kind_of_database_is_refused(rig: Rig, tmp_path: Path, request: Any) -> None:
    archive = rig.make()
    cluster: Cluster = request.getfixturevalue("postgres_cluster")
    url = cluster.create_database()
    other = replace(rig.settings, data=tmp_path / "new", database="" if rig.settings.database else url)
    try:
        with pytest.raises(BackupUnusable) as refused:
            _restore(rig, archive, other)
        assert refused.value.values["fault"] == "wrong_engine"
    finally:
        cluster.drop_database(url)


def test_damaged_copy_is_not_believed(tmp_path: Path) -> None:
    hub = open_new_hub(*founded(tmp_path / "hub"), Clock())
    key = hub.secrets.database
    copied = tmp_path / "copy.db"
    lite.copy_to(hub.store.engine, copied, without="linkage_pending")
    hub.close()
    with lite.opened_copy(copied, key) as database:
        assert lite.damage(database) == []
    data = bytearray(copied.read_bytes())
    data[5 * 4096 + 100] ^= 1
    copied.write_bytes(bytes(data))
    with lite.opened_copy(copied, key) as database:
        assert lite.damage(database) != []


@pytest.mark.parametrize("rig", [pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True)
def test_missing_program_is_named(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(BackupUnusable) as refused:
        rig.make()
    assert refused.value.values == {"fault": "program_missing", "program": "pg_dump"}


@pytest.mark.prove
@pytest.mark.ci
def test_another_program_opens_a_backup(rig: Rig, tmp_path: Path, program: Callable[[str], str]) -> None:
    opened = tmp_path / "opened.tar"
    command = [program("age"), "--decrypt", "--identity", str(rig.identity), "--output", str(opened)]
    subprocess.run([*command, str(rig.make())], check=True, timeout=60)

    with tarfile.open(opened) as archive:
        assert {"manifest.json", "hub.db", "hub.credential"} <= set(archive.getnames())
