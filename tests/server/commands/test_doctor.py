"""`seere doctor`: what is unsafe, what waits, what is well, with a word on what to do."""

import json
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from click.testing import Result
from nacl.public import PrivateKey

from server import credential
from server.commands import doctor
from server.commands.doctor import Trouble
from server.config import Settings
from server.domain.calendar import MALI
from server.hub import Hub
from server.i18n import catalogue
from server.services import backups
from server.services.maintenance import Health
from server.services.search_texts import READ_MAX
from server.store.backups import Backup
from tests.builders import (
    NOW,
    PASSPHRASE,
    complaint,
    enrolled,
)
from tests.faults.replay import ram_folder

Run = Callable[..., Result]


def _codes(done: Result) -> set[str]:
    return {finding["code"] for finding in json.loads(done.stdout)}


def test_doctor_names_what_a_new_hub_lacks_and_ends_with_1(seere: Run, hub: Hub) -> None:
    done = seere("doctor", "--json")
    lacking = {"recipient_missing", "recovery_missing", "passphrase_here"}
    assert (done.exit_code, _codes(done)) == (1, lacking)
    assert "SEERE_BACKUP_RECIPIENT" in seere("doctor").stdout


@pytest.fixture
def service(folder: Path) -> Iterator[Path]:
    """A file with the passphrase on another disk than the hub's, as a credential service offers it."""
    here = folder.parent.stat().st_dev
    with ram_folder() as in_memory, TemporaryDirectory() as on_disk:
        elsewhere = [each for each in (in_memory, Path(on_disk)) if each.stat().st_dev != here]
        if not elsewhere:
            pytest.skip("there is no disk but the one")
        file = elsewhere[0] / "passphrase"
        file.write_text(PASSPHRASE)
        file.chmod(0o400)
        yield file


def test_doctor_is_content_with_a_well_kept_hub(seere: Run, hub: Hub, tmp_path: Path, service: Path) -> None:
    recovery = bytes(PrivateKey.generate().public_key)
    credential.seal_to_recovery(hub.settings.credential, hub.secrets, recovery)
    settings = {
        "passphrase_file": str(service),
        "backup_recipient": backups.new_identity(tmp_path / "key.txt"),
        "backup_folder": str(tmp_path / "elsewhere"),
    }
    assert _codes(seere("doctor", "--json", **settings)) == {"backup_none", "passphrase_kept"}
    assert seere("backup", **settings).exit_code == 0
    done = seere("doctor", "--json", **settings)
    assert (done.exit_code, _codes(done)) == (0, {"passphrase_kept"})
    assert str(service) in done.stdout


def test_doctor_that_nobody_gives_the_passphrase_says_what_it_could_not_see(
    seere: Run, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SEERE_PASSPHRASE_FILE")
    assert _codes(seere("doctor", "--json")) == {
        "recipient_missing",
        "recovery_missing",
        "not_opened",
    }


def test_doctor_speaks_of_where_backups_are_once_there_can_be_any(seere: Run, hub: Hub, tmp_path: Path) -> None:
    recipient = backups.new_identity(tmp_path / "key.txt")
    assert "backups_beside" in _codes(seere("doctor", "--json", backup_recipient=recipient))


def test_doctor_names_a_credential_that_is_gone(seere: Run, hub: Hub, folder: Path) -> None:
    (folder / "hub.credential").rename(folder / "away")
    assert "credential_missing" in _codes(seere("doctor", "--json"))


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"host": "0.0.0.0"}, "open_without_tls"),
        ({"status": "full"}, "status_full"),
        ({"backup_identity_file": "key.txt"}, "identity_here"),
    ],
)
def test_doctor_names_an_unsafe_setting(seere: Run, hub: Hub, settings: dict[str, str], code: str) -> None:
    assert code in _codes(seere("doctor", "--json", **settings))


def test_doctor_accepts_an_open_address_behind_tls(seere: Run, hub: Hub) -> None:
    done = seere("doctor", "--json", host="0.0.0.0", address="https://centre.example")
    assert "open_without_tls" not in _codes(done)


def test_doctor_sees_files_that_others_can_read(seere: Run, hub: Hub, folder: Path) -> None:
    (folder / "hub.credential").chmod(0o644)
    folder.chmod(0o755)
    assert {"key_open", "folder_open"} <= _codes(seere("doctor", "--json"))


def test_doctor_sees_the_debugger(seere: Run, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLASK_DEBUG", "1")
    assert "debug" in _codes(seere("doctor", "--json"))


def test_doctor_counts_what_waits_for_a_person(seere: Run, hub: Hub) -> None:
    enrolled(hub, "Gao 1").send(complaint("bad", receipt="7K4M-2QA"))
    enrolled(hub, "Gao 2", is_confirmed=False)
    assert {"quarantine", "unconfirmed"} <= _codes(seere("doctor", "--json"))
    shown = seere("doctor").stdout
    assert "1 appareil attend" in shown
    assert "1 envoi mis à part attend" in shown


def test_doctor_says_what_is_unsafe_before_what_is_pending(seere: Run, hub: Hub) -> None:
    levels = [line.split()[0] for line in seere("doctor", status="full").stdout.splitlines()]
    assert set(levels) == {"DANGER", "À"}
    assert levels == sorted(levels, key=["DANGER", "À"].index)


def test_doctor_makes_no_hub(seere: Run, folder: Path) -> None:
    assert "no_hub" in _codes(seere("doctor", "--json"))
    assert not folder.exists()


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"version": "3.51.2"}, "sqlite_version"),
        ({"version": "3.40.1"}, "sqlite_version"),
        ({"synchronous": "1"}, "synchronous"),
        ({"journal_mode": "delete"}, "journal"),
    ],
)
def test_engine_that_could_lose_or_damage_is_unsafe(changes: dict[str, str], code: str) -> None:
    facts = {"version": "3.51.3", "synchronous": "2", "journal_mode": "wal"}
    assert list(doctor.of_engine(facts)) == []
    assert [(each.code, each.level) for each in doctor.of_engine(facts | changes)] == [(code, "unsafe")]


def test_calendar_that_ends_this_year_is_named() -> None:
    assert list(doctor.of_calendar(NOW)) == []
    [found] = doctor.of_calendar(NOW.replace(year=MALI.last_year))
    assert (found.code, found.level, found.values["year"]) == ("calendar_ends", "attention", MALI.last_year)


def _health(**changes: Any) -> Health:
    backup = Backup("a.age", "0" * 64, 1, 1, NOW, NOW)
    waiting = ("set_aside", "unconfirmed", "unread", "unmatched", "later_linkages", "old_profiles", "matched_by_facts")
    none = dict.fromkeys(waiting, 0)
    return Health(**none | {"newest_sync_at": NOW, "last_backup": backup} | changes)


@pytest.mark.parametrize(
    ("changes", "later", "codes"),
    [
        ({}, timedelta(0), []),
        ({}, timedelta(days=3), ["backup_old"]),
        ({"last_backup": None}, timedelta(0), ["backup_none"]),
        ({}, timedelta(days=-1), ["clock_behind"]),
        ({}, timedelta(minutes=-4), []),
        ({"unread": READ_MAX}, timedelta(0), []),
        ({"unread": READ_MAX + 1}, timedelta(0), ["search_behind"]),
        ({"unmatched": 1_000}, timedelta(0), []),
        ({"unmatched": 1_001}, timedelta(0), ["matching_behind"]),
        ({"later_linkages": 1, "old_profiles": 1}, timedelta(0), ["linkage_later", "profiles_old"]),
        ({"matched_by_facts": 1}, timedelta(0), ["matched_by_facts"]),
    ],
)
def test_time_and_backups_of_the_data(changes: dict[str, Any], later: timedelta, codes: list[str]) -> None:
    settings = Settings(backup_recipient="age1…")
    found = doctor.of_health(_health(**changes), NOW + later, settings)
    assert [each.code for each in found] == codes


@pytest.mark.parametrize("language", ["fr", "en"])
def test_every_trouble_that_the_doctor_knows_says_what_to_do(language: str) -> None:
    source = Path(doctor.__file__).read_text("utf-8")
    codes = re.findall(r'Trouble\("(\w+)"', source) + ["folder_open", "key_open"]
    texts = catalogue(language)
    values: dict[str, object] = dict.fromkeys(("file", "folder", "mode", "value", "version", "days", "newest"), "x")
    values |= dict.fromkeys(("megabytes", "host", "name", "outcome", "unread", "year", "began"), "x")
    counting = ("quarantine", "unconfirmed", "linkage_later", "profiles_old", "matched_by_facts", "notices_given_up")
    counted = {code: {"count": 2} for code in counting}
    troubles = [Trouble(code, "unsafe", values | counted.get(code, {})) for code in codes]
    assert len(codes) > 15
    assert all(doctor.sentence(texts, each).count(" ") > 3 for each in troubles)
