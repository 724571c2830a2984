"""`seere cases`: a coordinator at the terminal works through what waits."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import Result

from server.commands.case_words import REASONS
from server.domain.casework import STATUSES
from server.domain.folding import fold
from server.hub import Hub, utc_now
from server.i18n import LANGUAGES, catalogue
from server.services.accounts.people import Post
from server.services.cases import telling
from server.services.duplicates import matching
from server.store.match_tables import link
from tests.builders import (
    Sender,
    complaint,
    enrolled,
    operation,
)
from tests.decision_walks import add_link

Run = Callable[..., Result]
Join = Callable[..., Run]
YEAR = utc_now().year
FIRST, SECOND, THIRD = (f"SRE-{YEAR}-{number:06}" for number in (1, 2, 3))


@pytest.fixture
def hub(folder_hub: Hub) -> Hub:
    enrolled(folder_hub, "Gao 1", team="gao").send(*(complaint(name) for name in "abc"))
    return folder_hub


@pytest.fixture
def seere(hub: Hub, join: Join) -> Run:
    """Runs `seere cases` as Awa, a coordinator for everything, or somebody else."""
    assert hub
    posts = {"Awa": Post("coordinator", is_named_reader=True), "Binta": Post("coordinator"), "Oumar": Post("verifier")}
    runs = {name: join(name, post) for name, post in posts.items()}

    def run(*arguments: str, name: str = "Awa", **options: Any) -> Result:
        return runs[name]("cases", *arguments, **options)

    return run


def work(seere: Run, *arguments: str, **options: Any) -> str:
    done = seere(*arguments, **options)
    assert done.exit_code == 0, done.output
    return done.output


def test_coordinator_brings_a_complaint_to_its_outcome(seere: Run) -> None:
    listed = work(seere, "list")
    assert f"U2  {FIRST}  nouvelle" in listed
    assert f"seere cases acknowledge {FIRST} --as Awa" in work(seere, "show", FIRST)
    assert "reçue → accusée de réception. Version 2" in work(seere, "acknowledge", FIRST)
    assert f"seere cases undo {FIRST} 3 --as Awa" in work(seere, "move", FIRST, "en-tri", "--after", "2")
    shown = work(seere, "show", FIRST)
    assert "Possible" not in shown
    assert "Pas encore : en-traitement. Personne n'est responsable de ce dossier" in shown
    settled = ("--owner", "Binta", "--kind", "COR-RACKET", "--urgency", "U2")
    work(seere, "move", FIRST, "EN TRAITEMENT", "--after", "3", *settled)
    work(seere, "move", FIRST, "resolue", "--after", "4", "--reason", "médiation")
    closed = work(seere, "move", FIRST, "closed", "--after", "5", "--reason", "mediated", "--untold", "anonyme")
    assert "résolue → clôturée" in closed
    shown = work(seere, "show", FIRST)
    assert "Urgence U2. Responsable : Binta." in shown
    assert "Ce qui en est résulté : médiation" in shown
    assert FIRST not in work(seere, "list")


def test_refusal_says_all_that_is_missing(seere: Run) -> None:
    work(seere, "acknowledge", FIRST)
    work(seere, "move", FIRST, "en-tri", "--after", "2")
    refused = seere("move", FIRST, "en-traitement", "--after", "3")
    assert refused.exit_code == 1
    assert "Le type du dossier n'est pas fixé. Personne n'a confirmé l'urgence du dossier." in refused.output
    assert "Dites pourquoi la plainte est irrecevable." in seere("move", FIRST, "irrecevable", "--after", "3").output


def test_stale_edit_shows_both_versions(seere: Run) -> None:
    work(seere, "acknowledge", FIRST)
    work(seere, "move", FIRST, "en-tri", "--after", "2", name="Binta")
    stale = seere("move", FIRST, "retirée", "--after", "2", "--reason", "dit-à-nous")
    assert stale.exit_code == 1
    assert "Binta a changé ce dossier" in stale.output
    assert f"(version 3) : état en tri · urgence U2 · plaintes {FIRST}" in stale.output
    assert "Vous vouliez : état retirée" in stale.output


def test_version_that_is_not_there_yet_is_nobodys_doing(seere: Run) -> None:
    work(seere, "acknowledge", FIRST)
    refused = seere("move", FIRST, "en-tri", "--after", "9")
    assert (refused.exit_code, "a changé ce dossier" in refused.output) == (1, False)
    assert "La version 9 n'existe pas encore : ce dossier en est à la version 2." in refused.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("move", FIRST, "irrecevable", "--reason", "parce que"), "hors-mandat, anonyme-inexploitable, déjà-jugé"),
        (("move", FIRST, "clôturée", "--untold", "loin"), "anonyme, dangereux, décédée"),
        (("move", FIRST, "en-tri", "--heard", "rumeur"), "par-appel, par-message, en-venant, en-visite"),
        (("verify", "begin", FIRST, "HR-ARR", "--reason", "plus tard"), "source-retirée, contredit, autre-fait"),
        (("pause", FIRST, "--reason", "vacances"), "information-demandée, personne-injoignable"),
        (("pause", FIRST), "information-demandée, personne-injoignable"),
        (("verify", "begin", FIRST, "ARRESTATION"), "HR-ARR, HR-DET"),
        (("told", FIRST, "--way", "fumée"), "venue-avec-son-reçu"),
        (("told", FIRST), "venue-avec-son-reçu"),
        (("verify", "found", FIRST, "HR-ARR", "vrai"), "non-concluant, infondé"),
    ],
)
def test_word_of_no_list_is_answered_by_the_words_of_its_list(
    seere: Run, arguments: tuple[str, ...], words: str
) -> None:
    refused = seere(*arguments)
    assert refused.exit_code != 0
    assert words in refused.output


def test_answer_by_telephone_brings_a_case_back_into_triage(seere: Run) -> None:
    work(seere, "acknowledge", FIRST)
    work(seere, "move", FIRST, "en-tri", "--after", "2")
    work(seere, "move", FIRST, "complément-demandé", "--after", "3", "--reason", "où")
    refused = seere("move", FIRST, "en-tri", "--after", "4")
    assert (refused.exit_code, "dites comment. Ajoutez --heard" in refused.output) == (1, True)
    done = work(seere, "move", FIRST, "en-tri", "--after", "4", "--heard", "par appel")
    assert "complément demandé → en tri. Version 5" in done
    assert "(par appel)" in work(seere, "show", FIRST)


def test_first_act_of_verifying_says_the_version_that_it_makes(seere: Run) -> None:
    assert "Version 2." in work(seere, "verify", "begin", FIRST, "COR-RACKET")
    assert "Version 2" in work(seere, "show", FIRST)


def test_complaints_join_and_come_out_again(seere: Run) -> None:
    work(seere, "attach", SECOND, FIRST)
    assert "redites-le avec --into-after 2" in seere("attach", THIRD, FIRST).output
    work(seere, "attach", THIRD, FIRST, "--into-after", "2")
    shown = work(seere, "show", SECOND)
    assert shown.startswith(f"Dossier {FIRST}")
    assert all(f"Plainte {number}" in shown for number in (FIRST, SECOND, THIRD))
    assert "Awa : a joint 1 plainte\n" in shown
    assert f"seere cases undo {THIRD} 3 " in work(seere, "split", THIRD, SECOND, "--after", "3")
    assert f"Dossier {THIRD}" in work(seere, "show", SECOND)
    assert f"seere cases undo {SECOND} 3 " in work(seere, "show", SECOND)
    work(seere, "undo", SECOND, "3")
    assert f"Dossier {FIRST}" in work(seere, "show", SECOND)
    work(seere, "detach", SECOND, "--after", "5")
    assert f"Dossier {SECOND}" in work(seere, "show", SECOND)


def test_reports_of_the_same_incident_are_named_beside_the_case(seere: Run, hub: Hub) -> None:
    hint = f"n'est pas dans ce dossier : {THIRD}"
    matching.keep_models(hub.store, hub.clock())
    made = add_link(hub, 1, 3)
    assert hint in work(seere, "show", FIRST)
    assert SECOND not in work(seere, "show", FIRST)
    work(seere, "attach", THIRD, FIRST)
    assert hint not in work(seere, "show", FIRST)
    with hub.store.write() as connection:
        connection.execute(sa.update(link).where(link.c.id == made).values(state="rejected"))
    work(seere, "undo", FIRST)
    assert hint not in work(seere, "show", FIRST)


def test_note_is_typed_and_read_by_the_team_alone(seere: Run, hub: Hub) -> None:
    work(seere, "note", FIRST, typed=("Rappeler après le marché.",))
    assert "Awa, sur" in work(seere, "show", FIRST)
    assert "Rappeler après le marché." in work(seere, "show", FIRST)
    assert "scellée pour d'autres que vous" in work(seere, "show", FIRST, name="Binta")
    assert b"Rappeler" not in b"".join(path.read_bytes() for path in hub.settings.data.glob("hub.db*"))
    assert "La note est vide." in seere("note", FIRST, typed=(" ",)).output


def test_whoever_handles_no_cases_is_told_so(seere: Run) -> None:
    assert "Ce compte ne traite aucun dossier" in seere("list", name="Oumar").output
    refused = seere("show", FIRST, name="Oumar")
    assert (refused.exit_code, FIRST in refused.output) == (1, True)


@pytest.mark.parametrize("arguments", [("move", FIRST, "ailleurs"), ("move", FIRST, "en-tri", "--reason", "parce que")])
def test_word_of_no_list_is_refused(seere: Run, arguments: tuple[str, ...]) -> None:
    assert seere(*arguments).exit_code == 2


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("kind", "codes"), [("status", STATUSES), ("reason", REASONS)])
def test_no_two_codes_are_typed_alike(language: str, kind: str, codes: tuple[str, ...]) -> None:
    texts = catalogue(language)
    typed = [(fold(word), code) for code in codes for word in (code, texts.text(f"cases.{kind}_{code}"))]
    assert len(dict(typed)) == len(set(typed))


@pytest.fixture
def phone(hub: Hub) -> Sender:
    """One more device, whose complaint is SRE-…-000004."""
    made = enrolled(hub, "Mopti 1", team="mopti")
    made.send(complaint("m", receipt="2345-67B", contact_ok="yes"))
    return made


def _tell(hub: Hub) -> None:
    telling.tell_due(hub.store, hub.clock() + timedelta(minutes=10))


def test_show_says_how_far_what_was_told_has_come(hub: Hub, seere: Run, phone: Sender) -> None:
    fourth = FIRST.replace("000001", "000004")
    work(seere, "acknowledge", fourth)
    assert "Dernière nouvelle" not in work(seere, "show", fourth)
    _tell(hub)
    assert "pas encore remise" in work(seere, "show", fourth)
    cursor = phone.send()["cursor"]
    phone.send(cursor=cursor)
    assert "remise au téléphone, pas encore lue" in work(seere, "show", fourth)
    phone.send(operation("seen", "s", {"changes": [1]}))
    assert ": lue le " in work(seere, "show", fourth)


def test_the_desk_reads_what_was_told_and_notes_that_it_was_heard(hub: Hub, seere: Run) -> None:
    work(seere, "acknowledge", FIRST)
    _tell(hub)
    read = work(seere, "said", "7k4m 2qg")
    assert "3 plaintes ont ce code." in read
    assert "La plainte est arrivée. Une personne va la lire. Ensuite : quelqu'un s'en occupe, entre le " in read
    assert "N'allez pas le dire" not in read
    assert f"Plainte {SECOND}, reçue le" in read
    assert "Il n'y a rien d'autre à dire encore." in read
    assert f"seere cases told {FIRST} --way venue-avec-son-reçu --after 2 --as Awa" in read
    done = work(seere, "told", FIRST, "--way", "venue-avec-son-reçu", "--after", "2")
    assert f"Version 3. Pour reprendre : seere cases undo {FIRST} 3 --as Awa" in done
    shown = work(seere, "show", FIRST)
    assert "Mise au courant le " in shown
    assert "a donné les nouvelles : venue avec son reçu" in shown
    work(seere, "undo", FIRST, "3")
    assert "Mise au courant" not in work(seere, "show", FIRST)


def test_nobody_is_told_against_their_word(seere: Run) -> None:
    refused = seere("told", FIRST, "--way", "appel", "--after", "0")
    assert refused.exit_code == 1
    assert "n'allez pas vers elle, attendez-la" in refused.output


def test_what_is_no_code_or_of_nobody_says_so(seere: Run) -> None:
    assert "7K4M-2QX" in seere("said", "7K4M-2QX").output
    assert seere("said", "2345-67B").exit_code == 1
