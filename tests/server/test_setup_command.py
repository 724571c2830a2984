"""`seere setup` at a terminal: from nothing to a hub that may enrol, across an interruption, and a second time."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from server import credential
from server.cli import main
from server.commands.doctor import of_keyring
from server.hub import Hub, open_hub
from server.services import keyrings
from server.store import accounts
from tests.builders import PASSPHRASE, enrolled, founded
from tests.terminal import Terminal

ROOT_WORDS = "tamarinier rônier acacia karité"
ASIDE = re.compile(r"\x1b\[\?1049h(.*?)\x1b\[2J\x1b\[H\x1b\[\?1049l", re.DOTALL)
NUMBERED = re.compile(r"(\d+)\. ([a-z]+)")
CTRL_C = "\x03"


class Person:
    """Somebody at a terminal where `seere` runs: answers what is asked, and remembers all that was shown."""

    def __init__(self, terminal: Terminal, folder: Path, *arguments: str) -> None:
        self._terminal = terminal
        self.shown = ""
        program = str(Path(sys.executable).with_name("seere"))
        self.running: subprocess.Popen[bytes] = terminal.run(
            [program, *arguments], {"SEERE_DATA": str(folder / "hub")}, folder
        )

    def answer(self, asked: str, *typed: str) -> None:
        """Wait for each time that this is asked, and type a line."""
        for line in typed:
            self.shown += self._terminal.read_until(asked) + asked
            # Enter also after Ctrl-C: Python does not notice one that comes just before it begins to read.
            self._terminal.press(f"{line}\n")

    def leave(self, said: str) -> int:
        """Wait for the last words; gives the exit code."""
        self.shown += self._terminal.read_until(said) + said
        return self.running.wait()


@pytest.fixture
def sit(tmp_path: Path) -> Iterator[Callable[..., Person]]:
    """Seats a person at a terminal of their own."""
    seated: list[tuple[Terminal, Person]] = []

    def seat(*arguments: str) -> Person:
        terminal = Terminal()
        seated.append((terminal, Person(terminal, tmp_path, *arguments)))
        return seated[-1][1]

    yield seat
    for terminal, person in seated:
        person.running.kill()
        person.running.wait()
        terminal.close()


def _found_hub(person: Person) -> None:
    """Step 1, with a slip."""
    person.answer("(au moins quatre mots) : ", "court")
    person.answer("encore une fois : ", "court")
    person.answer("(au moins quatre mots) : ", PASSPHRASE)
    person.answer("encore une fois : ", PASSPHRASE)
    person.answer("plus tard) : ", "")


def _make_accounts(person: Person) -> None:
    """Steps 2 and 3, with a slip, a region that is none and an answer that is neither yes nor no."""
    person.answer("personne entre : ", "Moussa")
    person.answer("la tape : ", PASSPHRASE)
    person.answer("Encore une fois : ", "autre chose que cela")
    _choose_passphrase(person)
    assert "Les deux phrases ne sont pas les mêmes" in person.shown
    person.answer("personne entre : ", "Awa")
    person.answer("une personne) : ", "Paris", "")
    person.answer("non) : ", "O.K.", "o")
    _choose_passphrase(person)


def _choose_passphrase(person: Person) -> None:
    person.answer("la tape : ", PASSPHRASE)
    person.answer("Encore une fois : ", PASSPHRASE)
    person.answer("six chiffres : l'écran s'efface… ", "")


def _write_lists(person: Person, count: int) -> None:
    for _ in range(count):
        person.answer("seule devant l'écran… ", "")
        person.answer("ne les montrera plus… ", "")


def _set_up(sit: Callable[..., Person]) -> Person:
    """From nothing to the end, without a stop."""
    person = sit("setup")
    _found_hub(person)
    _make_accounts(person)
    person.answer("déjà fait) : ", "racine.key")
    person.answer("caractères : ", ROOT_WORDS)
    person.answer("Encore une fois : ", ROOT_WORDS)
    _write_lists(person, 3)
    person.answer("non) : ", "oui")
    assert person.leave("seere doctor") == 0
    return person


def _lists(person: Person) -> list[list[str]]:
    """The words of every recovery list that was shown, each from a screen that was wiped."""
    screens = [NUMBERED.findall(screen) for screen in ASIDE.findall(person.shown) if "Liste de secours" in screen]
    return [[word for _, word in sorted(words, key=lambda each: int(each[0]))] for words in screens]


@pytest.mark.ci
def test_interrupted_setup_goes_on_and_makes_nothing_twice(sit: Callable[..., Person], tmp_path: Path) -> None:
    first = sit("setup")
    _found_hub(first)
    _make_accounts(first)
    first.answer("déjà fait) : ", "racine.key")
    first.answer("caractères : ", ROOT_WORDS)
    first.answer("Encore une fois : ", ROOT_WORDS)
    _write_lists(first, 1)
    first.answer("seule devant l'écran… ", CTRL_C)
    assert first.leave("reprend la suite.") == 1
    # Lists that nobody finished writing down are relied on by nobody.
    assert credential.recovery_public(tmp_path / "hub" / "hub.credential") is None

    second = sit("setup")
    second.answer("du centre : ", PASSPHRASE)
    second.answer("déjà fait) : ", "racine.key")
    second.answer("racine.key : ", "une autre phrase que celle-là")
    second.answer("déjà fait) : ", "racine.key")
    second.answer("racine.key : ", ROOT_WORDS)
    _write_lists(second, 3)
    second.answer("non) : ", "non")
    assert second.leave("reprend la suite.") == 1

    third = sit("setup")
    third.answer("du centre : ", PASSPHRASE)
    third.answer("déjà fait) : ", "racine.key")
    third.answer("racine.key : ", ROOT_WORDS)
    third.answer("non) : ", "oui")
    assert third.leave("seere doctor") == 0

    assert "Il y a : Bamako, " in first.shown
    assert "Répondez « oui » ou « non »." in first.shown
    assert [each in third.shown for each in ("fait : Moussa", "fait : Awa", "Liste de secours")] == [True, True, False]
    with_hub(tmp_path, _is_ready_for_a_device)


def with_hub(folder: Path, look: Callable[[Hub], None]) -> None:
    """Look into the hub that was set up."""
    settings, secrets = founded(folder / "hub")
    hub = open_hub(settings, secrets)
    try:
        look(hub)
    finally:
        hub.close()


def _is_ready_for_a_device(hub: Hub) -> None:
    with hub.store.read() as connection:
        made = {each.name: (each.role, each.regions, each.is_named_reader) for each in accounts.listed(connection)}
    assert made == {"Awa": ("coordinator", [], True), "Moussa": ("administrator", [], False)}
    assert keyrings.current(hub.store).version == 1
    assert list(of_keyring(hub)) == []
    assert enrolled(hub, "Gao 1").admission.keyring


@pytest.mark.ci
def test_setup_of_a_ready_hub_asks_for_its_passphrase_alone(sit: Callable[..., Person]) -> None:
    _set_up(sit)
    again = sit("setup")
    again.answer("du centre : ", PASSPHRASE)
    assert again.leave("seere doctor") == 0
    assert again.shown.count("C'est déjà fait") == 5
    assert "seere people add NOM --role coordinator --region" in again.shown
    assert re.findall(r"Étape (\d) sur 6", again.shown) == list("123456")


@pytest.mark.ci
def test_custodian_sees_one_list_and_misspells_a_word_of_it(sit: Callable[..., Person]) -> None:
    lists = _lists(_set_up(sit))
    assert [len(words) for words in lists] == [33, 33, 33]
    one, _, other = lists
    wrong = [*one[:6], one[6][:-1] + "xq", *one[7:]]

    drill = sit("keys", "drill")
    drill.answer("du centre : ", PASSPHRASE)
    drill.answer("dans l'ordre) : ", " ".join(wrong))
    drill.answer("sur le papier : ", one[6])
    drill.answer("dans l'ordre) : ", " ".join(other[:-1]), " ".join(other))

    assert drill.leave("Rien de scellé n'est encore arrivé.") == 0
    assert f"mot n° 7 : « {wrong[6]} »" in drill.shown
    assert one[6] in drill.shown.partition("Mots proches : ")[2].partition(".")[0]
    assert "Liste 2 : 32 mots" in drill.shown


def test_setup_without_a_terminal_names_the_single_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEERE_DATA", str(tmp_path / "hub"))
    refused = CliRunner().invoke(main, ["setup"])
    assert (refused.exit_code, (tmp_path / "hub").exists()) == (1, False)
    assert [each in refused.stderr for each in ("seere init", "seere people add", "seere keys publish")] == [True] * 3
