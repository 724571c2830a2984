"""Backups and what was erased: old ones go in time, and one that is put back forgets again."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from server import credential
from server.commands.doctor import of_erasures
from server.config import Settings
from server.domain.errors import ErasureListUnreadable
from server.hub import Hub, depot_of, open_hub
from server.services import backups, retention, search_texts
from server.services.backups import Restored
from server.services.cases import lookup
from server.services.cases.lookup import Query
from server.store import erasure_list, registry, schema
from tests.builders import (
    ALREADY_HELD,
    COORDINATOR,
    PASSPHRASE,
    STORED,
    Clock,
    Sender,
    add_person,
    an_id,
    complaint,
    enrolled,
    open_test_hub,
    revision,
    said,
    secrets_of,
    verdicts,
)
from tests.postgres import Cluster, client_programs

ENGINES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]


@dataclass
class Rig:
    """A hub with complaints a and b of one device, b with a revision, and the key that opens its backups."""

    hub: Hub
    device: Sender
    identity: Path

    def make(self) -> Path:
        settings = self.hub.settings
        made = backups.make(
            self.hub.store, settings, self.hub.identity.id, self.hub.secrets.database, self.hub.clock(), self.hub.depot
        )
        return settings.backups / made.file

    def erase(self, name: object) -> None:
        columns = schema.received.c
        with self.hub.store.read() as connection:
            id = connection.scalars(sa.select(columns.id).where(columns.client_id == an_id(name))).one()
            number = registry.numbers_of(connection, [id])[id]
        keeping = retention.keeping(self.hub.settings, self.hub.secrets.database, self.hub.depot)
        actor = add_person(self.hub, f"actor {name}").actor
        retention.erase(self.hub.store, self.hub.desk(actor), number, "asked", keeping)

    def restore(self, archive: Path, settings: Settings, **changes: Any) -> Restored:
        options = {
            "epoch": "0badc0de",
            "last": None,
            "now": self.hub.clock(),
            "blobs": depot_of(settings).blobs,
        } | changes
        return backups.restore(archive, self.identity, settings, _key_of, **options)

    def files(self) -> list[str]:
        return sorted(path.name for path in self.hub.settings.backups.glob("*.age"))


def _key_of(path: Path) -> bytes:
    return credential.unlock(path, PASSPHRASE).database


@pytest.fixture(params=ENGINES)
def rig(request: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    identity = tmp_path / "identity.txt"
    recipient = backups.new_identity(identity)
    url = "sqlite"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")
        # pg_dump must not be older than the server that the tests run on.
        monkeypatch.setenv("PATH", f"{client_programs()}{os.pathsep}{os.environ['PATH']}")
    hub = open_test_hub(url, tmp_path / "hub", Clock(), backup_recipient=recipient)
    device = enrolled(hub, "Gao 1")
    device.send(complaint("a"), complaint("b"), revision("r", "b", 1, statement=said("autre")))
    yield Rig(hub, device, identity)
    hub.close()


@pytest.fixture
def empty(rig: Rig, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Settings]:
    """Settings of a machine on which there is nothing yet."""
    settings = replace(rig.hub.settings, data=tmp_path / "new")
    if not settings.database:
        yield settings
        return
    cluster: Cluster = request.getfixturevalue("postgres_cluster")
    url = cluster.create_database()
    yield replace(settings, database=url)
    cluster.drop_database(url)


def _names(hub: Hub) -> set[str]:
    with hub.store.read() as connection:
        return set(connection.scalars(sa.select(schema.received.c.client_id)))


def test_backup_that_is_put_back_forgets_what_was_erased_since(rig: Rig, empty: Settings) -> None:
    archive = rig.make()
    rig.device.send(complaint("late"))
    for name in ("b", "late"):
        rig.erase(name)

    restored = rig.restore(shutil.copy(archive, archive.with_name("kept.age")), empty)

    assert restored.erased_again == 1
    hub = open_hub(empty, secrets_of(empty), rig.hub.clock)
    try:
        assert _names(hub) == {an_id("a")}
        device = replace(rig.device, hub=hub)
        again = device.send(complaint("a"), complaint("b"), complaint("late"), complaint("new"))
        assert verdicts(again) == [ALREADY_HELD, ALREADY_HELD, ALREADY_HELD, STORED]
    finally:
        hub.close()


def test_words_are_found_after_a_restore_but_for_what_was_erased_since(rig: Rig, empty: Settings) -> None:
    rig.device.send(complaint("c"))
    search_texts.read_pending(rig.hub.store)
    rig.device.send(complaint("late"))
    archive = rig.make()
    rig.erase("a")

    rig.restore(shutil.copy(archive, archive.with_name("kept.age")), empty)

    hub = open_hub(empty, secrets_of(empty), rig.hub.clock)
    try:
        found = [_found(hub)]
        search_texts.read_pending(hub.store)
        assert [*found, _found(hub)] == [["SRE-2026-000003"], ["SRE-2026-000004", "SRE-2026-000003"]]
    finally:
        hub.close()


def _found(hub: Hub) -> list[str]:
    return [each.number for each in lookup.search(hub.store, hub.desk(COORDINATOR), Query("argent"), 10)]


def test_list_may_lie_elsewhere_and_its_absence_is_told(rig: Rig, empty: Settings, tmp_path: Path) -> None:
    archive = Path(shutil.copy(rig.make(), tmp_path / "carried.age"))
    rig.erase("b")
    carried = Path(shutil.copy(rig.hub.settings.data / erasure_list.NAME, tmp_path / "carried.erasures"))
    shutil.rmtree(rig.hub.settings.backups)
    assert rig.restore(archive, empty, listed_in=carried).erased_again == 1


def test_restore_without_a_list_says_that_there_was_none(rig: Rig, empty: Settings, tmp_path: Path) -> None:
    archive = Path(shutil.copy(rig.make(), tmp_path / "carried.age"))
    rig.erase("b")
    shutil.rmtree(rig.hub.settings.backups)
    assert rig.restore(archive, empty).erased_again is None


def test_damaged_list_stops_the_restore_before_anything_is_there(rig: Rig, empty: Settings, tmp_path: Path) -> None:
    archive = rig.make()
    rig.erase("b")
    spoilt = tmp_path / "spoilt.erasures"
    data = (rig.hub.settings.data / erasure_list.NAME).read_bytes()
    spoilt.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(ErasureListUnreadable):
        rig.restore(archive, empty, listed_in=spoilt)
    assert not empty.hub_file.exists()
    assert not empty.credential.exists()


def test_older_copy_of_the_list_is_noticed_by_what_the_backup_knows(rig: Rig, empty: Settings, tmp_path: Path) -> None:
    rig.erase("b")
    older = Path(shutil.copy(rig.hub.settings.data / erasure_list.NAME, tmp_path / "older.erasures"))
    rig.device.send(complaint("c"))
    rig.erase("c")
    archive = rig.make()
    restored = rig.restore(archive, empty, listed_in=older)
    assert (restored.is_list_older, restored.list_written_at) == (True, rig.hub.clock().replace(microsecond=0))


def test_older_copy_of_the_list_is_noticed_by_its_age(rig: Rig, empty: Settings, tmp_path: Path) -> None:
    clock = rig.hub.clock
    assert isinstance(clock, Clock)
    rig.erase("b")
    older = Path(shutil.copy(rig.hub.settings.data / erasure_list.NAME, tmp_path / "older.erasures"))
    clock.pass_(days=3)
    archive = rig.make()
    assert rig.restore(archive, empty, listed_in=older).is_list_older


def test_list_written_since_the_backup_is_not_called_old(rig: Rig, empty: Settings) -> None:
    clock = rig.hub.clock
    assert isinstance(clock, Clock)
    archive = rig.make()
    clock.pass_(days=9)
    rig.erase("b")
    restored = rig.restore(archive, empty)
    assert (restored.is_list_older, restored.list_written_at) == (False, clock())


def test_doctor_notices_an_older_list_in_either_place_until_the_job_wrote_it_anew(rig: Rig) -> None:
    rig.make()
    rig.erase("b")
    data, beside = (folder / erasure_list.NAME for folder in (rig.hub.settings.data, rig.hub.settings.backups))
    older = data.read_bytes()
    rig.device.send(complaint("c"))
    rig.erase("c")
    assert list(of_erasures(rig.hub)) == []
    data.write_bytes(older)
    beside.unlink()
    assert [finding.values["file"] for finding in of_erasures(rig.hub)] == [data, beside]
    keeping = retention.keeping(rig.hub.settings, rig.hub.secrets.database, rig.hub.depot)
    retention.erase_due(rig.hub.store, keeping, rig.hub.clock())
    assert list(of_erasures(rig.hub)) == []


def test_list_beside_an_empty_folder_does_not_make_it_a_hub(rig: Rig, empty: Settings) -> None:
    archive = rig.make()
    rig.erase("b")
    empty.data.mkdir()
    shutil.copy(rig.hub.settings.data / erasure_list.NAME, empty.data)
    assert rig.restore(archive, empty).erased_again == 1


def test_job_makes_good_a_list_that_an_interruption_left_behind(rig: Rig) -> None:
    rig.erase("b")
    path = rig.hub.settings.data / erasure_list.NAME
    whole = erasure_list.read(path, rig.hub.secrets.database).erased
    path.unlink()
    keeping = retention.keeping(rig.hub.settings, rig.hub.secrets.database, rig.hub.depot)
    retention.erase_due(rig.hub.store, keeping, rig.hub.clock())
    assert erasure_list.read(path, rig.hub.secrets.database).erased == whole


def test_backups_are_deleted_after_35_days_by_the_next_one(rig: Rig) -> None:
    clock = rig.hub.clock
    assert isinstance(clock, Clock)
    first = rig.make()
    foreign = first.with_name("notes.age")
    foreign.write_bytes(b"somebody's own")
    clock.pass_(days=1)
    second = rig.make()
    clock.pass_(days=34)
    third = rig.make()
    assert rig.files() == [foreign.name, *(each.name for each in (first, second, third))]
    clock.pass_(seconds=1)
    fourth = rig.make()
    assert rig.files() == [foreign.name, *(each.name for each in (second, third, fourth))]


def test_erasure_during_a_backup_does_not_spoil_it(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    contents = backups._contents

    def erased_meanwhile(*arguments: Any) -> Any:
        before = contents(*arguments)
        rig.erase("b")
        return before

    monkeypatch.setattr(backups, "_contents", erased_meanwhile)
    assert rig.make().name in rig.files()
