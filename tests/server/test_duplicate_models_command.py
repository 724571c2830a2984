"""`seere duplicates refit`, `models`, `switch`: who runs a hub sees what its decisions teach, and chooses a model."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from server.cli import main
from server.domain.matching import learning
from server.hub import Hub, open_hub, utc_now
from server.services.duplicates import matching
from tests.builders import Person, Sender, add_person, enrolled, founded, passphrase_file, with_keyring
from tests.decided_pairs import SHIPPED, add_links, add_stricter, decide_all

Run = Callable[..., Result]


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    opened = with_keyring(open_hub(*founded(tmp_path / "hub"), utc_now))
    matching.keep_models(opened.store, opened.clock())
    yield opened
    opened.close()


@pytest.fixture
def sender(hub: Hub) -> Sender:
    return enrolled(hub, "Gao 1")


@pytest.fixture
def awa(hub: Hub) -> Person:
    return add_person(hub, "Awa", is_named_reader=True)


@pytest.fixture
def seere(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("SEERE_DATA", str(hub.settings.data))
    monkeypatch.setenv("SEERE_PASSPHRASE_FILE", str(passphrase_file(hub.settings.data)))

    def run(*arguments: str, typed: str = "") -> Result:
        return CliRunner().invoke(main, ["duplicates", *arguments], input=typed)

    return run


def test_what_is_learned_is_shown_in_words_and_put_in_use_by_its_name(
    seere: Run, hub: Hub, awa: Person, sender: Sender
) -> None:
    decide_all(hub, awa, add_links(hub, sender, 10))
    add_links(hub, sender, 1, seed=2)

    told = seere("refit")
    assert told.exit_code == 0, told.output
    assert "même fait : 150 paires décidées" in told.output
    assert "Le nouveau se trompe moins, plus que le hasard ne l'explique." in told.output
    assert "sur 15." in told.output
    assert "même plaignant : 0 paire décidée. Pour en apprendre quelque chose, il en faut 100" in told.output
    assert "il ne dit rien d'une personne" in told.output
    version = told.output.partition("seere duplicates switch ")[2].split()[0]

    listed = seere("models").output
    assert "150 décisions d'ici" in listed
    assert listed.count("en service") == 2

    assert seere("switch", version, typed="non\n").exit_code == 1
    assert f"{version} est en service" not in seere("models").output
    done = seere("switch", version, typed="oui\n")
    assert done.exit_code == 0, done.output
    assert "15 propositions jugées de nouveau." in done.output
    assert "est en service" in seere("switch", SHIPPED.version, "--yes").output
    again = seere("switch", SHIPPED.version)
    assert (again.exit_code, "est déjà en service" in again.output) == (0, True)


def test_refit_that_learns_nothing_says_so_by_its_exit(seere: Run) -> None:
    told = seere("refit")
    assert (told.exit_code, "0 paire décidée" in told.output) == (1, True)


def test_one_that_cannot_be_learned_is_said_with_its_reason(
    seere: Run, hub: Hub, awa: Person, sender: Sender
) -> None:
    decide_all(hub, awa, add_links(hub, sender, 7), verdict="rejected")
    told = seere("refit")
    assert told.exit_code == 1
    assert "aucun nouveau modèle n'est gardé" in told.output
    assert "il en faut des deux sortes" in told.stderr
    assert "même plaignant : 0 paire décidée" in told.output


def test_moves_are_shown_before_the_question(seere: Run, hub: Hub, sender: Sender) -> None:
    add_links(hub, sender, 2)
    told = seere("switch", add_stricter(hub), typed="non\n")
    assert "Propositions non décidées qui changeraient de rang" in told.output
    assert "Proposition possible → Paire non proposée" in told.output
    assert "jugées de nouveau" not in told.output


def test_a_name_that_no_model_has_is_refused(seere: Run) -> None:
    refused = seere("switch", "same_incident-404", "--yes")
    assert (refused.exit_code, "same_incident-404" in refused.stderr) == (1, True)
    assert "seere duplicates models" in refused.stderr
    assert learning.DECISIONS_LEAST == 100
