"""`seere retention` as people meet it: each step under a name, two people for a hold, numbers and counts only."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pyotp
import pytest
from click.testing import CliRunner, Result

from server.cli import main
from server.domain.permission import OPERATOR
from server.hub import Hub, utc_now
from server.services.accounts import people
from server.services.accounts.people import Post
from server.store import accounts, audit, backups
from server.store.backups import Backup
from tests.builders import NOW, PASSPHRASE, Clock, complaint, enrolled, open_test_hub, passphrase_file

Run = Callable[..., Result]
COORDINATOR = Post("coordinator", is_named_reader=True)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    folder = tmp_path / "hub"
    monkeypatch.setenv("SEERE_DATA", str(folder))
    monkeypatch.setenv("SEERE_PASSPHRASE_FILE", str(passphrase_file(folder)))
    opened = open_test_hub("sqlite", folder, Clock(utc_now()))
    enrolled(opened, "Gao 1").send(complaint("a"), complaint("b"))
    yield opened
    opened.close()


@pytest.fixture
def run(hub: Hub) -> Run:
    """Runs `seere retention` as somebody, who types passphrase and code."""
    secrets: dict[str, tuple[str, str]] = {}
    for name in ("Awa", "Moussa"):
        made = people.make(hub.store, hub.secrets.totp, OPERATOR, name, COORDINATOR, PASSPHRASE, NOW)
        assert made.secret is not None
        secrets[name] = made.account.id, made.secret

    def call(*arguments: str, by: str | None = None, typed: str = "") -> Result:
        if by is None:
            return CliRunner().invoke(main, ["retention", *arguments], prog_name="seere")
        account, secret = secrets[by]
        # A code is good once: nobody waits 30 s here for the next.
        with hub.store.write() as connection:
            accounts.update(connection, account, totp_step=0)
        lines = f"{PASSPHRASE}\n{pyotp.TOTP(secret).now()}\n{typed}"
        return CliRunner().invoke(main, ["retention", *arguments, "--as", by], input=lines, prog_name="seere")

    return call


def _note_backup(hub: Hub) -> None:
    made = Backup("seere-1.age", "00" * 32, 1, 2, hub.clock(), hub.clock())
    with hub.store.write() as connection:
        backups.record(connection, made)


def _number(place: int) -> str:
    return f"SRE-{utc_now().year}-{place:06d}"


def test_erasing_is_confirmed_and_tells_when_the_last_backup_is_gone(run: Run, hub: Hub) -> None:
    _note_backup(hub)
    refused = run("erase", _number(1), "--because", "asked", by="Awa", typed="non\n")
    assert (refused.exit_code, "Rien n'a été changé" in refused.output) == (1, True)
    done = run("erase", _number(1), "--because", "asked", by="Awa", typed="oui\n")
    assert done.exit_code == 0, done.output
    assert "Effacé : 1 envoi." in done.output
    assert "supprimée le" in done.output
    assert "Plaintes effacées : 1" in run("list").output


def test_hub_without_a_backup_speaks_of_none(run: Run) -> None:
    done = run("erase", _number(1), "--because", "asked", "--yes", by="Awa")
    assert ("Aucune sauvegarde n'a encore été faite" in done.output, "supprimée le" in done.output) == (True, False)
    listed = run("list").output
    assert ("Sauvegardes : aucune" in listed, "disparaît" in listed) == (True, False)


def test_hub_that_was_restored_had_a_backup(run: Run, hub: Hub) -> None:
    with hub.store.write() as connection:
        audit.record(connection, at=hub.clock(), actor="operator", action="restore", object="hub")
    assert "supprimée le" in run("erase", _number(1), "--because", "asked", "--yes", by="Awa").output


def test_erasing_twice_says_that_there_is_nothing(run: Run) -> None:
    run("erase", _number(1), "--because", "asked", "--yes", by="Awa")
    again = run("erase", _number(1), "--because", "asked", "--yes", by="Awa")
    never = run("erase", _number(9), "--because", "asked", "--yes", by="Awa")
    assert again.exit_code == never.exit_code == 1
    assert again.output.replace(_number(1), _number(9)) == never.output


def test_hold_of_two_people_stops_an_erasure_and_is_listed(run: Run) -> None:
    assert "il faut l'accord" in run("hold", _number(2), by="Awa").output
    assert "votre propre demande" in run("agree", _number(2), by="Awa").output
    assert "ne peut pas être effacée" in run("agree", _number(2), by="Moussa").output
    assert "retenue par deux personnes" in run("erase", _number(2), "--because", "asked", "--yes", by="Awa").output
    assert f"{_number(2)} : retenue" in run("list").output
    run("lift", _number(2), by="Moussa")
    assert "n'est plus retenue" in run("agree", _number(2), by="Awa").output
    assert run("erase", _number(2), "--because", "asked", "--yes", by="Awa").exit_code == 0


def test_erasing_needs_a_name_and_one_thing_to_erase(run: Run) -> None:
    assert run("erase", _number(1), "--because", "asked", "--yes").exit_code == 2
    for arguments in ((), (_number(1), "--aside", "3")):
        assert run("erase", *arguments, "--because", "asked", "--yes", by="Awa").exit_code == 1
