"""`seere tasks`: a coordinator at the terminal sets a task for a phone and reads what came of it."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial

import pytest
from click.testing import Result

from server.hub import Hub, utc_now
from server.services.accounts.people import Post
from tests.builders import (
    ROOT,
    Sender,
    complaint,
    enrolled,
    operation,
    publish_keyring,
)

Run = Callable[..., Result]
Join = Callable[..., Run]
NUMBER = f"SRE-{utc_now().year}-000001"
TODAY = utc_now().date()
REPORT = {
    "heard": "le maire",
    "note": "Route coupée.\nRevenir.",
    "looks": [{"at": "2026-11-21T10:00:00Z", "why": "je pars"}],
}
LINES = """\
    Entendu : le maire
    En plus : Route coupée. Revenir.
    Détails ouverts le 21/11/2026 10:00 UTC : je pars"""
WINDOW = ("--from", TODAY.isoformat(), "--to", (TODAY + timedelta(days=9)).isoformat())


@pytest.fixture
def hub(folder_hub: Hub) -> Hub:
    return folder_hub


@pytest.fixture
def seere(hub: Hub, join: Join) -> Run:
    """Runs `seere tasks` as Awa, a coordinator for everything."""
    awa = join("Awa", Post("coordinator", is_named_reader=True))
    publish_keyring(hub, bytes(ROOT))
    return partial(awa, "tasks")


@pytest.fixture
def second(hub: Hub, seere: Run) -> Sender:
    """The phone that did not record the one complaint that there is."""
    enrolled(hub, "Gao 1", team="gao").send(complaint("a", contact_ok="yes"))
    return enrolled(hub, "Gao 2", team="gao")


def work(seere: Run, *arguments: str, typed: tuple[str, ...] = ()) -> str:
    done = seere(*arguments, typed=typed)
    assert done.exit_code == 0, done.output
    return done.output


def test_coordinator_sets_a_task_and_reads_its_result(seere: Run, second: Sender) -> None:
    said = work(seere, "set", NUMBER, "visit", "--device", "Gao 2", *WINDOW, typed=("voir le registre",))
    assert f"{NUMBER}  vérifier sur place  Gao 2" in said
    assert f"Dossier de {NUMBER} : version 2\n" in said
    [change] = [each for each in second.send()["changes"] if each["kind"] == "task"]
    id = change["task"][:8]
    assert id in work(seere, "list")
    basis = {"finding": "corroborated", "method": "document", "sources": 2, "certainty": "reasonable_grounds"}
    content = {"task": change["task"], "outcome": "verified", "report": {"clear": REPORT}, **basis}
    second.send(operation("task_done", "fait", second.seal("fait", content)))
    shown = work(seere, "show", id)
    assert "faite" in shown
    assert "Gao 2 : vérifié" in shown
    assert "Propose : corroboré. Méthode : document. Sources indépendantes : 2" in shown
    rests_on = "--method document --sources 2 --certainty motifs-raisonnables-de-croire"
    assert f"cases verify found {NUMBER} CODE corroboré {rests_on} --on {TODAY.isoformat()} --device 'Gao 2'" in shown
    assert "le maire" not in shown
    second.send(operation("task_done", "encore", {"task": change["task"], "outcome": "not_found"}))
    told = work(seere, "show", id, "--report")
    assert f"Ce que dit Gao 2 :\n{LINES}\n" in told
    assert told.count("Ce que dit Gao 2 :") == 2
    assert "Aucune tâche" in work(seere, "list")


def test_task_is_reassigned_and_recalled(hub: Hub, seere: Run, second: Sender) -> None:
    third = enrolled(hub, "Gao 3", team="gao")
    work(seere, "set", NUMBER, "ask", "--device", "Gao 2", *WINDOW, typed=("quand ?",))
    id = second.send()["changes"][-1]["task"][:8]
    assert "Gao 3" in work(seere, "reassign", id, "--device", "Gao 3", *WINDOW, typed=("quand ?",))
    assert third.send()["changes"][-1]["kind"] == "task"
    assert "reprise" in work(seere, "recall", id)
    assert "déjà finie" in seere("recall", id).output


def test_refusal_says_what_stands_against_it(seere: Run, second: Sender) -> None:
    refused = seere("set", NUMBER, "visit", "--device", "Gao 1", *WINDOW, typed=("x",))
    assert (refused.exit_code, "ne la vérifie pas" in refused.output) == (1, True)
    day = TODAY.isoformat()
    refused = seere("set", NUMBER, "ask", "--device", "Gao 2", "--from", day, "--to", day, typed=("x",))
    assert "une période de 3 à 92 jours" in refused.output
    assert "NotFound" not in seere("show", "00000000").output
