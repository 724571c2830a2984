"""`seere jobs` and `seere clock`: an operator sees what the hub does by itself, and says that the clock is right."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from server.cli import main
from server.commands.operator import Operator
from server.hub import Hub
from server.i18n import catalogue
from server.scheduler import JOBS
from server.services import clock as clocks
from server.services import maintenance
from tests.builders import Clock, complaint, enrolled, founded, open_new_hub, with_keyring

Run = Callable[..., Result]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def hub(tmp_path: Path, clock: Clock) -> Iterator[Hub]:
    opened = with_keyring(open_new_hub(*founded(tmp_path / "hub"), clock))
    yield opened
    opened.close()


@pytest.fixture
def seere(hub: Hub, clock: Clock) -> Run:
    """Runs `seere` at the time of the clock."""

    def run(*arguments: str, typed: str = "") -> Result:
        operator = Operator(hub.settings, catalogue("fr"), clock)
        return CliRunner().invoke(main, ["--language", "fr", *arguments], input=typed, obj=operator, prog_name="seere")

    return run


def test_every_job_says_in_words_what_it_does_when_it_was_done_and_when_it_is_next(hub: Hub, seere: Run) -> None:
    shown = seere("jobs").output
    assert [line.split(" :")[0] for line in shown.splitlines() if not line.startswith(" ")] == [j.name for j in JOBS]
    assert "retention : effacer les plaintes dont le temps de garde est fini\n    pas encore fait ; à faire" in shown
    assert seere("jobs", "run", "retention").output == "retention : fait.\n"
    assert "fait le 21/11/2026 10:04 ; prochain passage : 22/11/2026 03:00 UTC" in seere("jobs", "list").output


def test_backup_that_nobody_could_open_is_said_not_to_be_made(seere: Run) -> None:
    of_backup = seere("jobs").output.split("backup :")[1]
    assert "Rien ne se sauvegarde : SEERE_BACKUP_RECIPIENT" in "".join(of_backup.splitlines()[2])


def test_job_by_hand_does_its_work(hub: Hub, seere: Run) -> None:
    enrolled(hub, "Gao 1").send(complaint("a"))
    assert "acknowledge : fait." in seere("jobs", "run", "acknowledge").output
    assert "rien à faire pour l'instant" in seere("jobs").output.split("acknowledge :")[1].split("anchor :")[0]


def test_job_that_is_not_there_or_runs_already_is_refused(hub: Hub, seere: Run, clock: Clock) -> None:
    unknown = seere("jobs", "run", "forget")
    assert (unknown.exit_code, "aucun travail de ce nom" in unknown.output) == (1, True)
    maintenance.claim(hub.store, "upkeep", clock.now.replace(hour=3, minute=0, second=0), clock.now)
    running = seere("jobs", "run", "upkeep")
    assert (running.exit_code, "déjà en cours" in running.output) == (1, True)
    assert "en cours depuis le 21/11/2026 10:04" in seere("jobs").output


def test_clock_that_jumped_is_shown_and_accepted_by_who_looked_at_it(hub: Hub, seere: Run, clock: Clock) -> None:
    assert "Le centre s'y fie" in seere("clock").output
    assert "Rien à accepter" in seere("clock", "accept").output
    clock.pass_(days=365)
    shown = seere("clock").output
    assert "dit 21/11/2027 10:04 UTC, bien plus tard que la dernière heure sûre, 21/11/2026 10:04 UTC" in shown
    assert "seere clock accept" in shown
    assert "attend : l'horloge est mise en doute" in seere("jobs").output
    assert "mise en doute" in seere("jobs", "run", "retention").output
    unsafe = seere("doctor")
    assert "L'horloge a sauté en avant (elle a dit 2027-11-21 10:04 UTC)" in unsafe.output
    assert seere("clock", "accept", typed="non\n").exit_code == 1
    assert clocks.standing(hub.store).doubted is not None
    assert "Accepté" in seere("clock", "accept", typed="oui\n").output
    assert "retention : fait." in seere("jobs", "run", "retention").output
    clock.pass_(hours=-2)
    assert "plus tôt que la dernière heure sûre" in seere("clock", "show").output


def test_run_that_was_cut_short_is_named(hub: Hub, seere: Run, clock: Clock) -> None:
    maintenance.claim(hub.store, "upkeep", clock.now.replace(hour=3, minute=0, second=0), clock.now)
    clock.pass_(minutes=6)
    assert "interrompu le 21/11/2026 10:04" in seere("jobs").output
    assert "« upkeep », commencé le 2026-11-21 10:04 UTC, a été interrompu" in seere("doctor").output
