"""`seere cases due` and what goes with it, `seere deputies`: at the terminal, in the words of people."""

from collections.abc import Iterator
from pathlib import Path

import pyotp
import pytest
from click.testing import CliRunner, Result

from server.cli import main
from server.domain.permission import OPERATOR
from server.hub import Hub, utc_now
from server.services.accounts import people
from server.services.accounts.people import Post
from server.services.cases import escalating
from server.store import accounts
from tests.builders import (
    NOW,
    PASSPHRASE,
    Clock,
    complaint,
    enrolled,
    founded,
    open_new_hub,
    passphrase_file,
    with_keyring,
)

FIRST = f"SRE-{utc_now().year}-000001"


class Terminal:
    """`seere` as people type it; each has a passphrase and a second factor."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        posts = {"Awa": Post("coordinator", is_named_reader=True), "Binta": Post("coordinator", teams=["mopti"])}
        self._secrets = {
            name: people.make(hub.store, hub.secrets.totp, OPERATOR, name, post, PASSPHRASE, NOW)
            for name, post in posts.items()
        }

    def __call__(self, *arguments: str, name: str = "Awa") -> Result:
        made = self._secrets[name]
        with self._hub.store.write() as connection:
            accounts.update(connection, made.account.id, totp_step=0)
        code = pyotp.TOTP(made.secret or "").now()
        return CliRunner().invoke(main, [*arguments, "--as", name], input=f"{PASSPHRASE}\n{code}\n")

    def work(self, *arguments: str, name: str = "Awa") -> str:
        done = self(*arguments, name=name)
        assert done.exit_code == 0, done.output
        return done.output


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    opened = with_keyring(open_new_hub(*founded(tmp_path / "hub"), utc_now))
    enrolled(opened, "Gao 1", team="gao").send(complaint("a"))
    yield opened
    opened.close()


@pytest.fixture
def seere(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("SEERE_DATA", str(hub.settings.data))
    monkeypatch.setenv("SEERE_PASSPHRASE_FILE", str(passphrase_file(hub.settings.data)))
    return Terminal(hub)


def test_due_is_shown_put_off_and_taken_back(seere: Terminal) -> None:
    assert "Rien n'est dû." in seere.work("cases", "due")
    seere.work("cases", "acknowledge", FIRST)
    shown = seere.work("cases", "due")
    assert f"  {FIRST}  U2  Premier tri, pour le " in shown
    assert "Au centre depuis moins d'un jour ; recueillie il y a" in shown
    assert "sans responsable" in shown
    assert "Retour à la personne, pour le " in seere.work("cases", "due", FIRST)
    paused = ("cases", "pause", FIRST, "--deadline", "retour-a-la-personne", "--reason", "insécurité")
    done = seere.work(*paused, "--after", "2")
    assert ("Retour à la personne est en pause" in done, "Version 3." in done) == (True, True)
    assert "en pause jusqu'au" in seere.work("cases", "due", FIRST)
    assert "a mis en pause : Retour à la personne (insécurité)" in seere.work("cases", "show", FIRST)
    seere.work("cases", "undo", FIRST)
    extended = seere.work("cases", "extend", FIRST, "--reason", "l'organisme enquête", "--after", "4")
    assert "Version 5." in extended
    refused = seere("cases", "resume", FIRST, "--after", "5")
    assert refused.exit_code == 1
    assert "Aucune échéance de ce dossier ne se change ainsi." in refused.output
    stale = seere(*paused, "--after", "2")
    assert stale.exit_code == 1


def test_what_was_meant_on_an_older_version_is_shown_beside_the_one_that_stands(seere: Terminal) -> None:
    seere.work("cases", "acknowledge", FIRST)
    reason = ("--reason", "insécurité", "--after", "1")
    refused = seere("cases", "pause", FIRST, "--deadline", "retour-à-la-personne", *reason)
    assert (refused.exit_code, "Vous vouliez : pause Retour à la personne" in refused.output) == (1, True)
    assert "Vous vouliez : pause sans dire laquelle" in seere("cases", "pause", FIRST, *reason).output
    refused = seere("cases", "followed-up", FIRST, "mieux", "--after", "1")
    assert (refused.exit_code, "Vous vouliez : suivi mieux" in refused.output) == (1, True)


def test_notice_of_what_is_late_is_heard_once(hub: Hub, seere: Terminal) -> None:
    seere.work("cases", "acknowledge", FIRST)
    clock = Clock(utc_now())
    clock.pass_(days=2)
    assert escalating.escalate_due(hub.store, None, clock()) == 1
    assert f"{FIRST}, en retard : Premier tri." in seere.work("cases", "notices")
    assert "Rien de nouveau." in seere.work("cases", "notices")
    assert f"{FIRST}, en retard" in seere.work("cases", "notices", "--all")
    assert "en retard : Premier tri ; l'a appris : Awa" in seere.work("cases", "show", FIRST)


def test_deputy_works_in_the_place_of_who_named_her(seere: Terminal) -> None:
    today = f"{utc_now():%Y-%m-%d}"
    assert seere("cases", "acknowledge", FIRST, name="Binta").exit_code == 1
    made = seere.work("deputies", "add", "Binta", "--from", today, "--to", today)
    day = f"{utc_now():%d/%m/%Y}"
    assert f"Binta remplace Awa, du {day} au {day}" in made
    assert "Ce qui est strictement confidentiel n'est pas compris" in made
    seere.work("cases", "acknowledge", FIRST, name="Binta")
    assert "Binta (pour Awa) : reçue → accusée de réception" in seere.work("cases", "show", FIRST)
    [line] = seere.work("deputies", "list").splitlines()[-1:]
    seere.work("deputies", "end", line.split()[0])
    assert "Personne ne remplace personne." in seere.work("deputies", "list")
    assert seere("cases", "show", FIRST, name="Binta").exit_code == 1
