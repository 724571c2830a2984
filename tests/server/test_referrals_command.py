"""`seere destinations` and `seere referrals`: a coordinator sends what may go, and notes what comes back."""

import re
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyotp
import pytest
import sqlalchemy as sa
from click.testing import Result

from server.domain.permission import OPERATOR
from server.hub import Hub, utc_now
from server.services import places
from server.services.accounts import people
from server.services.accounts.people import Post
from server.store.referral_tables import referral_complaint
from tests.builders import NOW, PASSPHRASE, enrolled
from tests.case_referrals import consent, land
from tests.faults.shim import FaultShim, compiled, missing

Run = Callable[..., Result]
Join = Callable[..., Run]
FIRST, SECOND = (f"SRE-{utc_now().year}-{number:06}" for number in (1, 2))
FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
LIST = FIXTURES / "destinations" / "mali-2026.csv"
TO = "cofo-gao"


@pytest.fixture
def hub(folder_hub: Hub) -> Hub:
    known = places.read_list_file(FIXTURES / "places" / "mali-2026.1.csv", "2026.1")
    places.import_list(folder_hub.store, known, "test", folder_hub.clock())
    enrolled(folder_hub, "Gao 1", team="gao").send(land("a"), land("b", consent=consent("C1")))
    return folder_hub


@pytest.fixture
def seere(hub: Hub, join: Join) -> Run:
    """Runs `seere` as Awa, a coordinator for everything, or somebody else."""
    assert hub
    posts = {
        "Awa": Post("coordinator", is_named_reader=True),
        "Cheick": Post("coordinator", teams=("gao",)),
        "Oumar": Post("verifier"),
    }
    runs = {name: join(name, post) for name, post in posts.items()}

    def run(*arguments: str, name: str = "Awa", **options: Any) -> Result:
        return runs[name](*arguments, **options)

    return run


def work(seere: Run, *arguments: str, **options: str) -> str:
    done = seere(*arguments, **options)
    assert done.exit_code == 0, done.output
    return done.output


def version(seere: Run, number: str = FIRST) -> str:
    found = re.search(r"Version (\d+)", work(seere, "cases", "show", number))
    assert found is not None
    return found[1]


@pytest.fixture
def case(seere: Run) -> str:
    """A case of two complaints that is worked on; the destinations of the list are laid down."""
    assert "58 organismes inscrits." in work(seere, "destinations", "load", str(LIST))
    for number in (FIRST, SECOND):
        work(seere, "cases", "acknowledge", number)
        work(seere, "cases", "move", number, "en-tri", "--after", "2")
    work(seere, "cases", "attach", SECOND, FIRST, "--after", "3", "--into-after", "3")
    settled = ("--owner", "Awa", "--kind", "HR-LAN", "--urgency", "U1")
    work(seere, "cases", "move", FIRST, "en-traitement", "--after", "4", *settled)
    return FIRST


def test_list_that_comes_along_can_be_laid_down_twice(seere: Run) -> None:
    work(seere, "destinations", "load", str(LIST))
    assert "0 organisme" in work(seere, "destinations", "load", str(LIST))
    shown = work(seere, "destinations", "list")
    assert "cofo-gao : Commission foncière (CoFo), Gao. Commission foncière. Depuis le 01/01/2026" in shown
    added = work(seere, "destinations", "add", "cofo-san", "cofo", "land_commission", "--from", "2026-01-01")
    assert "cofo-san est inscrit." in added
    refused = seere("destinations", "add", "x", "cofo", "legal_aid", "--from", "2026-01-01")
    assert "Cet organisme ne travaille pas dans ce programme." in refused.output
    assert seere("destinations", "list", name="Oumar").exit_code == 1


def test_letter_leaves_by_a_file_for_one_alone_and_says_what_stays_behind(
    seere: Run, case: str, tmp_path: Path
) -> None:
    offered = work(seere, "referrals", "offer", case)
    assert offered.startswith("Possible : ")
    assert "Impossible" not in offered
    blocked = re.search(r"(\d+) organismes ne conviennent pas\. Voir pourquoi : seere referrals offer", offered)
    assert blocked is not None
    assert work(seere, "referrals", "offer", case, "--blocked").count("Impossible : ") == int(blocked[1])
    assert f"{SECOND} : ne part pas. L'accord de la personne ne va pas jusque-là." in offered
    draft, letter = tmp_path / "projet.txt", tmp_path / "lettre.txt"
    assert "Version 6." in work(seere, "referrals", "prepare", case, TO, "--after", "5")
    work(seere, "referrals", "print", case, TO, "--letter", str(draft))
    assert draft.read_text("utf-8").startswith("PROJET, NON ENVOYÉ\n")
    sent = work(seere, "referrals", "send", case, TO, "--letter", str(letter), "--after", "6")
    assert f"{FIRST} : faits\n" in sent
    assert f"{SECOND} : ne part pas." in sent
    text = letter.read_text("utf-8")
    assert text.startswith("RÉFÉRENCEMENT\nÀ : Commission foncière (CoFo). Ressort : Gao\n")
    assert SECOND not in text
    assert stat.S_IMODE(letter.stat().st_mode) == 0o600
    shown = work(seere, "cases", "show", case)
    assert "référée" in shown
    assert "a envoyé : Commission foncière (CoFo)" in shown
    assert "en vérification" not in shown
    assert "Vérification : non vérifié" in shown


def test_what_went_out_of_the_case_is_counted_and_goes_there_no_more(
    hub: Hub, seere: Run, case: str, tmp_path: Path
) -> None:
    third = f"SRE-{utc_now().year}-000003"
    enrolled(hub, "Mopti 1", team="mopti").send(land("c"))
    work(seere, "cases", "acknowledge", third)
    work(seere, "cases", "attach", third, case, "--after", "2", "--into-after", version(seere))
    work(seere, "referrals", "send", case, TO, "--letter", str(tmp_path / "l"), "--after", version(seere))
    work(seere, "cases", "detach", third, "--after", version(seere))
    listed = work(seere, "referrals", "list", case, name="Cheick")
    assert "    et 1 autre plainte, sortie du dossier depuis\n" in listed
    assert third not in listed
    assert "    Envoyé par un autre dossier" in work(seere, "cases", "show", third)
    offered = work(seere, "referrals", "offer", third, "--blocked")
    assert f"{third} : ne part pas. Cet organisme l'a déjà : envoyé le {utc_now():%d/%m/%Y}." in offered


def test_refused_letter_leaves_no_file(seere: Run, case: str, tmp_path: Path) -> None:
    letter = tmp_path / "lettre.txt"
    stale = seere("referrals", "send", case, TO, "--letter", str(letter), "--after", "1")
    assert stale.exit_code == 1
    assert "Vous vouliez : référencement cofo-gao" in stale.output
    assert not letter.exists()
    assert "suspendu" in work(seere, "destinations", "suspend", TO)
    refused = seere("referrals", "send", case, TO, "--letter", str(letter), "--after", "5")
    assert "Cet organisme est suspendu : rien ne lui est envoyé." in refused.output
    work(seere, "destinations", "lift", TO)
    letter.write_text("mien")
    assert seere("referrals", "send", case, TO, "--letter", str(letter), "--after", "5").exit_code == 1
    assert letter.read_text() == "mien"
    assert "Aucun référencement." in work(seere, "referrals", "list", case)
    named = ("--reason", "aide en justice", "--after", "5")
    asked = seere("referrals", "send", case, TO, "--letter", str(letter) + "2", *named)
    assert "ne s'ouvre que pour qui en est chargé" in asked.output
    assert not Path(str(letter) + "2").exists()


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """The folder of the letters, whose disk fails."""
    folder = tmp_path / "disk"
    folder.mkdir()
    return folder


@pytest.fixture
def send(hub: Hub, seere: Run, case: str, disk: Path, tmp_path: Path) -> Iterator[Callable[..., int]]:
    """Sends the letter of the case onto a disk with faults; gives how the program ended."""
    if (lack := missing()) is not None:
        pytest.skip(lack)
    post = Post("coordinator")
    fanta = people.make(hub.store, hub.secrets.totp, OPERATOR, "Fanta", post, PASSPHRASE, NOW)
    program = [sys.executable, "-c", "from server.cli import main; main()"]
    command = [*program, "referrals", "send", case, TO, "--after", version(seere)]
    with FaultShim(compiled(tmp_path / "shim"), tmp_path) as shim:

        def run(**faults: int) -> int:
            typed = f"{PASSPHRASE}\n{pyotp.TOTP(str(fanta.secret)).now()}\n"
            done = subprocess.run(
                [*command, "--letter", str(disk / "lettre.txt"), "--as", "Fanta"],
                env=shim.environment(match=disk, **faults),  # type: ignore[arg-type]
                input=typed.encode(),
                capture_output=True,
                # Without a terminal of its own it reads what is typed from here.
                start_new_session=True,
            )
            return done.returncode

        yield run


@pytest.mark.parametrize("fault", [{"enospc_after": 10}, {"fail_sync": 1}])
def test_letter_that_the_disk_does_not_take_is_not_sent(
    seere: Run, send: Callable[..., int], disk: Path, fault: dict[str, int]
) -> None:
    assert send(**fault) == 1
    assert list(disk.iterdir()) == []
    assert "Aucun référencement." in work(seere, "referrals", "list", FIRST)


def test_letter_of_a_program_that_died_once_it_was_sent_is_there_and_printed_again(
    hub: Hub, seere: Run, send: Callable[..., int], disk: Path
) -> None:
    # The letter, itself and its folder on disk; it dies before the letter has its name.
    assert send(kill_at=4) == -9
    [left] = disk.iterdir()
    with hub.store.read() as connection:
        assert connection.scalar(sa.select(referral_complaint.c.digest)) == sha256(left.read_bytes()).hexdigest()
    copy = disk / "copie.txt"
    work(seere, "referrals", "print", FIRST, TO, "--letter", str(copy))
    assert copy.read_text("utf-8").startswith("COPIE")


def test_what_comes_back_is_noted_in_the_words_of_its_programme(seere: Run, case: str, tmp_path: Path) -> None:
    work(seere, "referrals", "send", case, TO, "--letter", str(tmp_path / "l"), "--after", version(seere))
    received = work(seere, "referrals", "receive", case, TO, "--reference", "RG 7", "--after", version(seere))
    assert received.endswith(f"l'organisme l'a. Version {version(seere)}\n")
    assert "1 relance" in work(seere, "referrals", "remind", case, TO, "--after", version(seere))
    assert re.search(r"Réponse de l'organisme, .*\n +Relancé 1 fois", work(seere, "cases", "due"))
    wrong = seere("referrals", "answer", case, TO, "acquittement", "--after", version(seere))
    assert "Il donne : hearing_set (Audience fixée) · settled (Litige réglé)" in wrong.output
    answered = work(seere, "referrals", "answer", case, TO, "audience fixée", "--after", version(seere))
    assert f"Version {version(seere)}." in answered
    assert "répondu" in work(seere, "referrals", "list", case)
    assert "Aucun référencement." in work(seere, "referrals", "list")
    work(seere, "referrals", "recall", case, TO, "--after", version(seere))
    asked = tmp_path / "retour.txt"
    work(seere, "referrals", "print", case, TO, "--letter", str(asked))
    assert asked.read_text("utf-8").startswith("DEMANDE DE RETOUR\n")
    shown = work(seere, "cases", "show", case, language="en")
    assert "recalled from: Land commission" in shown


def test_what_was_prepared_is_given_up_and_a_body_may_refuse(seere: Run, case: str, tmp_path: Path) -> None:
    work(seere, "referrals", "prepare", case, TO, "--only", FIRST, "--after", version(seere))
    assert "on y renonce" in work(seere, "referrals", "cancel", case, TO, "--after", version(seere))
    work(seere, "referrals", "send", case, TO, "--letter", str(tmp_path / "l"), "--after", version(seere))
    assert case in work(seere, "referrals", "list")
    work(seere, "referrals", "refuse", case, TO, "--after", version(seere))
    assert "en traitement" in work(seere, "cases", "show", case)


def test_act_is_verified_and_judged_at_the_terminal(seere: Run, case: str) -> None:
    begun = work(seere, "cases", "verify", "begin", FIRST, "hr-lan", "--after", version(seere))
    assert "seere cases verify found" in begun
    basis = ("--method", "visite sur place", "--certainty", "motifs-raisonnables-de-croire")
    basis += ("--on", "2026-11-20", "--sources")
    weak = seere("cases", "verify", "found", FIRST, "HR-LAN", "corroboré", *basis, "1", "--after", version(seere))
    assert "Pour cette conclusion il faut deux sources indépendantes." in weak.output
    work(seere, "cases", "verify", "found", FIRST, "HR-LAN", "corroboré", *basis, "2", "--after", version(seere))
    shown = work(seere, "cases", "show", FIRST)
    assert "Vérification : corroboré" in shown
    assert "visite sur place, sources : 2, certitude : motifs raisonnables de croire, le 20/11/2026" in shown
    court = ("--court", "assises", "--on", "2026-11-01", "--after", version(seere))
    refused = seere("cases", "judge", FIRST, "2", "condamnée", *court)
    assert "Personne n'est mis en cause sous ce numéro." in refused.output
