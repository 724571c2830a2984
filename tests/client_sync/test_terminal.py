"""The program at a terminal: the menu, and what is left on the screen."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from client_sync.commands.session import wrapped
from client_sync.stores import Folder
from client_sync.vault import Vault
from tests.client_sync.builders import NOW, SOFT, TASK_WORDS, WORDS, answer, enrolled_outbox, task_change
from tests.terminal import Terminal

ROOT = Path(__file__).resolve().parents[2]
SECRET = "Le chef de poste a pris la moto de mon frère."
# After danger and story: family, cercle, what was said, when, who, the speaker, others, pieces are skipped.
SKIPPED = [""] * 8
LEAST_CONSENT = ["1", "", ""]


class Carnet:
    """The program at a terminal. Every prompt of it ends in `> ` or `… `."""

    def __init__(self, folder: Folder) -> None:
        self._terminal = Terminal()
        program = [sys.executable, "-c", "from client_sync.cli import carnet; carnet()"]
        environ = {"CARNET_FOLDER": str(folder.path), "COLUMNS": "100"}
        self.process = self._terminal.run(program, environ, ROOT)
        self.until = self._terminal.read_until

    def type_in(self, line: str, then: str) -> str:
        """Type a line, and give what is said up to `then`."""
        self._terminal.press(f"{line}\n")
        return self.until(then) if then else ""

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self._terminal.close()


@pytest.fixture
def terminal(folder: Folder) -> Iterator[Carnet]:
    Vault.create(folder, WORDS, SOFT).close()
    enrolled_outbox(folder).close()
    terminal = Carnet(folder)
    yield terminal
    terminal.close()


def test_the_menu_leads_through_a_day_and_an_error_does_not_end_it(terminal: Carnet) -> None:
    first = terminal.until("> ")
    assert "0 sur cet appareil" in first
    assert re.search(r"1\s+Nouvelle plainte", first)
    terminal.type_in("1", "Phrase secrète")
    assert WORDS not in terminal.type_in(WORDS, "danger maintenant ?")
    terminal.until("> ")
    terminal.type_in("", "… ")
    assert "Brouillon gardé" in terminal.type_in("!", "Fermer")
    terminal.until("> ")
    terminal.type_in("4", "code du reçu")
    assert "Aucune plainte de ce nom" in terminal.type_in("rien", "> ")
    assert "Choisissez un numéro de 1 à 9" in terminal.type_in("10", "> ")
    terminal.type_in("9", "")
    assert terminal.process.wait(60) == 0


def test_an_enrolment_that_stopped_at_the_passphrase_is_finished(folder: Folder) -> None:
    enrolled_outbox(folder).close()
    terminal = Carnet(folder)
    assert re.search(r"1\s+Finir l'inscription", terminal.until("> "))
    terminal.type_in("1", "Langue de cet appareil")
    terminal.until("> ")
    terminal.type_in("1", "Lisez ces six mots")
    terminal.until("> ")
    terminal.type_in("1", "ces cinq mots) : ")
    terminal.type_in(WORDS, "encore une fois : ")
    terminal.type_in(WORDS, "Cet appareil est inscrit")
    assert "Nouvelle plainte" in terminal.until("> ")
    terminal.close()
    Vault.open(folder, WORDS).close()


def test_long_sentences_are_wrapped_between_words() -> None:
    words = "Voici les mots :\n\n    un deux trois quatre\n"
    assert wrapped(words, 12) == "Voici les\nmots :\n\n    un deux\ntrois quatre\n"


def test_a_closed_envelope_leaves_nothing_else_on_the_screen(terminal: Carnet) -> None:
    terminal.until("> ")
    terminal.type_in("1", "Phrase secrète")
    terminal.type_in(WORDS, "> ")
    terminal.type_in("", "… ")
    terminal.type_in(SECRET, "… ")
    for line in ["", "", *SKIPPED, *LEAST_CONSENT]:
        terminal.type_in(line, "> ")
    shown = terminal.type_in("1", "promettons pas")
    erased, _, after = shown.rpartition("\x1b[3J")
    assert "\x1b[2J" in erased
    assert "Retenez" in after
    assert "moto" not in after
    assert "plainte est venue" not in after


def test_a_visit_is_opened_from_the_menu_and_leaves_the_screen_when_it_is_closed(folder: Folder) -> None:
    Vault.create(folder, WORDS, SOFT).close()
    outbox = enrolled_outbox(folder)
    outbox.apply(answer(changes=[task_change(to="2199-12-31")]), NOW)
    outbox.close()
    terminal = Carnet(folder)
    assert "1 visite ou démarche à faire" in terminal.until("> ")
    terminal.type_in("6", "Phrase secrète")
    listed = terminal.type_in(WORDS, "Ouvrir laquelle")
    assert TASK_WORDS not in listed
    terminal.type_in("1", "Phrase secrète")
    terminal.type_in(WORDS, "Pourquoi")
    opened = terminal.type_in("je pars demain", "> ")
    assert TASK_WORDS in opened
    terminal.type_in("1", "Numéro > ")
    terminal.type_in("2", "aujourd'hui)")
    terminal.type_in("", "… ")
    terminal.type_in("", "Numéro > ")
    closed = terminal.type_in("1", "ont quitté")
    assert "\x1b[3J" in closed
    terminal.close()
