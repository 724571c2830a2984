"""The program in the hand of a person: real stores, real files, no hub needed."""

import re
import tomllib
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime
from importlib import resources
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from client_sync import errors
from client_sync.cli import main
from client_sync.client import SyncClient, SyncReport
from client_sync.commands import session as sessions
from client_sync.commands.questions import read_span
from client_sync.commands.session import Session
from client_sync.commands.sync import WHOLE_AGAIN_S, pause_s, rest
from client_sync.outbox import Finished, Outbox
from client_sync.pictures import NAMES
from client_sync.protocol.codes import CODES
from client_sync.protocol.receipts import is_receipt, new_receipt
from client_sync.protocol.vocabulary import LANGUAGES
from client_sync.stores import Folder
from client_sync.vault import Vault
from tests.client_sync.builders import SOFT, WORDS, closed, complaint, enrolled_outbox, record_id

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 11, 21, 10, 0, 0, tzinfo=UTC)
SECRET = "Le chef de poste a pris la moto de mon frère."
Run = Callable[..., Result]


@pytest.fixture(autouse=True)
def _standing_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Session, "now", lambda _: NOW)


@pytest.fixture
def enrolled(folder: Folder) -> None:
    enrolled_outbox(folder).close()


@pytest.fixture
def vault(folder: Folder, enrolled: None) -> Iterator[Vault]:
    vault = Vault.create(folder, WORDS, SOFT)
    yield vault
    vault.close()


def lines(*typed: object) -> str:
    """What a person types, the passphrase first."""
    return "\n".join([WORDS, *map(str, typed), ""])


def facts(content: dict[str, Any]) -> dict[str, Any]:
    return dict(content["facts"]["clear"])


def answers_file(folder: Path, text: str) -> Path:
    file = folder / "answers.toml"
    file.write_text(text, "utf-8")
    return file


ANSWERS = f"""
danger = "no"
narrative = "{SECRET}"
narrative_language = "fra"
kinds = ["COR-RACKET"]
cercle = "ml-c-gao"
places = "2026.1"
incident_from = 2026-10-03
incident_precision = "day"
consent = {{ level = "C2", given_by = "self" }}
victims = [{{ roles = ["complainant", "victim"], sex = "f", age = "25-59" }}]
"""


# What the program says, and in which words.


def test_alone_without_a_terminal_it_gives_the_counts_and_ends(run: Run, folder: Folder) -> None:
    outbox = enrolled_outbox(folder)
    outbox.finalise_all([Finished("complaint", complaint(), record_id(n)) for n in (1, 2)])
    outbox.close()
    result = run()
    assert result.exit_code == 0
    assert result.output.splitlines()[:3] == ["2 sur cet appareil", "0 arrivée au centre", "0 a une réponse"]


def test_a_new_device_is_told_what_to_do(run: Run) -> None:
    assert "enrol" in run().output
    result = run("sync")
    assert (result.exit_code, "Demandez un code" in result.output) == (1, True)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_name_of_the_project_is_nowhere_on_the_screen(run: Run, language: str) -> None:
    run("status", "--language", language)
    assert isinstance(main, click.Group)
    pages = [run("--help"), run(), run("nothing"), run("sync", "--nothing"), run("show", "x"), run("new")]
    pages += [run(name, "--help") for name in main.commands]
    texts = (resources.files("client_sync") / "translations" / f"{language}.toml").read_text("utf-8")
    assert [page.output for page in pages if "seere" in page.output.lower()] == []
    assert "seere" not in texts.lower()


def test_every_command_and_option_is_explained_in_french(run: Run) -> None:
    assert isinstance(main, click.Group)
    for name in main.commands:
        result = run(name, "--help")
        assert (result.exit_code, result.output.startswith(f"Usage : carnet {name}")) == (0, True)
        assert "Show this message" not in result.output


def test_every_code_has_words_that_say_what_to_do() -> None:
    known = [each for each in vars(errors).values() if isinstance(each, type)]
    codes = {each.code for each in known if issubclass(each, errors.ClientError) and "code" in vars(each)}
    texts = tomllib.loads((resources.files("client_sync") / "translations" / "fr.toml").read_text("utf-8"))
    assert (codes | CODES.keys()) - texts["error"].keys() == set()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nothing"], "Cette commande n'existe pas"),
        (["sync", "--nothing"], "L'option --nothing n'existe pas"),
        (["import"], "Il manque FILE"),
        (["import", "/absent.csv", "--map", "boston311"], "La valeur de FILE"),
        (["status", "--language", "de"], "La valeur de --language"),
    ],
)
def test_a_wrong_command_line_is_answered_in_words(run: Run, arguments: list[str], words: str) -> None:
    result = run(*arguments)
    assert (result.exit_code, words in result.output) == (2, True)


def test_what_nobody_expected_is_told_without_the_words_of_a_complaint(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: Session) -> datetime:
        raise RuntimeError(SECRET)

    monkeypatch.setattr(Session, "now", broken)
    result = run("new", "--answers", answers_file(tmp_path, ANSWERS))
    assert result.exit_code == 1
    assert "RuntimeError" in result.output
    assert SECRET not in result.output


@pytest.mark.parametrize("program", ["carnet", "seere-field"])
def test_commands_are_named_as_they_are_called(folder: Folder, program: str) -> None:
    result = CliRunner().invoke(main, ["--folder", str(folder.path), "sync"], prog_name=program)
    assert f"puis : {program} enrol." in result.output


def test_language_and_price_are_kept(run: Run, folder: Folder) -> None:
    run("status", "--language", "en", "--price", "25")
    result = run("status")
    assert "0 on this device" in result.output
    assert "25 FCFA per MB" in result.output
    (folder.path / "preferences.json").write_text('{"language": "klingon"}')
    assert "0 sur cet appareil" in run("status").output


def test_version_is_that_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert sessions.VERSION == project["version"]


# A complaint from a file of answers.


@pytest.mark.usefixtures("enrolled")
def test_answers_from_a_file_become_a_closed_complaint(run: Run, folder: Folder, tmp_path: Path) -> None:
    result = run("new", "--answers", answers_file(tmp_path, ANSWERS))
    [(record, content)] = closed(folder)
    assert result.exit_code == 0
    assert record.picture in NAMES
    assert is_receipt(record.receipt)
    assert f"Retenez : {record.picture}" in result.output
    assert f"Code du reçu : {record.receipt}" in result.output
    assert SECRET not in result.output
    assert content["statement"]["clear"] == {"narrative": SECRET, "lang": "fra"}
    assert facts(content)["incident"] == {"from": "2026-10-03", "precision": "day"}
    assert facts(content)["receipt"] == record.receipt
    assert facts(content)["entered_at"] == "2026-11-21T10:00:00Z"


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (('level = "C2", ', ""), "consent.level"),
        (("narrative =", "narative ="), "narative"),
        (("sex =", "sexe ="), "victims.sexe"),
        (("victims =", 'perpetrators = [{ category = "police" }]\nvictims ='), "perpetrators.roles"),
    ],
)
def test_a_file_of_answers_is_not_taken_on_trust(
    run: Run, folder: Folder, tmp_path: Path, change: tuple[str, str], where: str
) -> None:
    result = run("new", "--answers", answers_file(tmp_path, ANSWERS.replace(*change)))
    assert (result.exit_code, f"Endroit : {where}" in result.output) == (1, True)
    assert closed(folder) == []


@pytest.mark.usefixtures("enrolled")
def test_a_code_that_no_list_has_closes_nothing(run: Run, folder: Folder, tmp_path: Path) -> None:
    result = run("new", "--answers", answers_file(tmp_path, ANSWERS.replace("COR-RACKET", "COR-RACKETS")))
    assert result.exit_code == 1
    assert "facts.kinds" in result.output
    assert "Le centre la garde" not in result.output
    assert closed(folder) == []


# The nine questions.

# Danger, story, family, cercle, what was said, when, who, who suffered, pieces: all skipped; skipping the victims'
# question takes two lines, whether it is the person who speaks and how many others there are.
SKIPPED = [""] * 10
# No consent for anybody outside; nothing withheld; contact as the careful default has it.
LEAST_CONSENT = ["1", "", ""]
CLOSE = "1"


def test_everything_can_be_skipped_but_the_consent(run: Run, folder: Folder, vault: Vault) -> None:
    result = run("new", typed=lines(*SKIPPED, "", "", *LEAST_CONSENT, CLOSE))
    [(record, content)] = closed(folder)
    assert result.output.count("Ici, il faut répondre") == 2
    assert content.keys() == {"facts", "form", "vocabulary"}
    assert facts(content) == {
        "kinds": ["OTH"],
        "channel": "in_person",
        "consent": {"level": "C0"},
        "confidentiality": "confidential",
        "contact_ok": "unasked",
        "entered_at": "2026-11-21T10:00:00Z",
        "receipt": record.receipt,
    }
    assert vault.drafts() == []


def test_a_whole_story_is_closed_as_it_was_told(run: Run, folder: Folder, vault: Vault) -> None:
    told = [
        "2", SECRET, "Puis il a menacé.", "", "2", "1", "5", "gao", "1", "Sossokoira", "4", "3/10/2026", "2",
        "2", "3", "15 000", "3", "5000", "2", "1", "1", "5", "", "2",
        "5", "1 23", "1", "4", "1", "1", "1", "1", "téléphone", "le soir", "", "", "Awa D.", "+223 00 00 12 34", CLOSE,
    ]  # fmt: skip
    run("new", typed=lines(*told))
    [(_, content)] = closed(folder)
    assert content["statement"]["clear"] == {"narrative": f"{SECRET}\nPuis il a menacé.", "lang": "bam"}
    assert content["traces"]["clear"] == {"said": "Sossokoira"}
    assert content["identity"]["clear"] == {
        "persons": [{"no": 1, "name": "Awa D.", "phone": "+223 00 00 12 34"}],
        "contact": {"how": "téléphone", "when": "le soir"},
    }
    said = facts(content)
    assert said["kinds"] == ["COR-RACKET"]
    assert said["place"] == {"id": "ml-c-gao", "list": "2026.1"}
    assert said["incident"] == {"from": "2026-10-03", "precision": "estimate"}
    assert said["money"] == {"asked_xof": 15000, "paid_xof": 5000, "paid": "partial", "receipt_given": False}
    assert said["persons"] == [
        {"no": 1, "roles": ["complainant", "victim"], "sex": "f", "age": "25-59"},
        {"no": 2, "roles": ["alleged_perpetrator"], "category": "gendarmerie", "count": 3},
    ]
    assert said["consent"] == {
        "level": "C4", "bodies": ["cndh", "amdh"], "given_by": "self", "form": "oral_witness", "language": "bam",
        "read_aloud": True, "on": "2026-11-21", "withhold": "fear",
    }  # fmt: skip
    assert said["contact_ok"] == "yes"


def test_a_named_level_with_nobody_to_name_is_asked_once_more(run: Run, folder: Folder, vault: Vault) -> None:
    consent = ["4", "", "1", "", "", "", "", ""]
    output = run("new", typed=lines(*SKIPPED, *consent, "", "Awa D.", "", CLOSE)).output
    [(_, content)] = closed(folder)
    assert output.count("Personne n'est choisi : rien ne partira à ce niveau.") == 1
    assert output.count("Aucun nom n'est donné") == 1
    assert len(facts(content)["consent"]["bodies"]) == 1
    assert content["identity"]["clear"]["persons"][0]["name"] == "Awa D."


def test_an_amount_in_words_is_asked_in_digits(run: Run, vault: Vault) -> None:
    told = ["", "", "1", "1", "", "", "", "", "cinq mille", "!"]
    assert "Écrivez le montant en chiffres, par exemple 5000." in run("new", typed=lines(*told)).output


def test_without_an_enrolment_the_draft_stays_and_the_way_out_is_said(run: Run, folder: Folder) -> None:
    vault = Vault.create(folder, WORDS, SOFT)
    result = run("new", typed=lines(*SKIPPED, *LEAST_CONSENT, CLOSE))
    assert (result.exit_code, "Brouillon gardé." in result.output) == (1, True)
    assert "pas encore inscrit. Demandez un code à votre coordination, puis : carnet enrol." in result.output
    assert len(vault.drafts()) == 1
    vault.close()
    enrolled_outbox(folder).close()
    assert run("new", typed=lines("1", CLOSE)).exit_code == 0
    assert len(closed(folder)) == 1


def test_closing_at_a_question_before_the_first_is_no_fault(run: Run, vault: Vault) -> None:
    run("new", typed=lines("2", "!"))
    stopped = run("new", typed=lines("!"))
    assert (stopped.exit_code, "Arrêté." in stopped.output) == (130, True)


def test_danger_shows_the_card_at_once_and_again_with_the_numbers_of_the_cercle(run: Run, vault: Vault) -> None:
    output = run("new", typed=lines("1", "", "gao", "1", "", "!")).output
    title, place = "Quelqu'un est en danger maintenant", "Où cela s'est-il passé ?"
    first, second = output.split(place)
    assert title in first
    assert "+223 00 00 00 17" not in first
    assert title in second
    assert "+223 00 00 00 17" in second
    assert "Que s'est-il passé ?" not in output.split(place)[0]


def test_no_danger_shows_no_card(run: Run, vault: Vault) -> None:
    assert "+223" not in run("new", typed=lines("2", "!")).output


@pytest.mark.parametrize(
    ("typed", "title"),
    [
        (["2", "", "3", "1", "!"], "Après une violence sexuelle"),
        (["2", "", "2", "6", "!"], "Une personne est détenue ou a disparu"),
        (["1", "2", "!"], "Un enfant est en danger"),
    ],
    ids=["gbv", "detention", "child"],
)
def test_each_kind_of_danger_has_its_card(run: Run, vault: Vault, typed: list[str], title: str) -> None:
    assert title in run("new", typed=lines(*typed)).output


@pytest.mark.parametrize("ending", ["!\n", ""], ids=["closed", "cut off"])
def test_what_was_answered_survives_and_is_gone_on_with(run: Run, folder: Folder, vault: Vault, ending: str) -> None:
    result = run("new", typed=lines("2", SECRET, "", "1") + ending)
    assert "Brouillon gardé." in result.output
    [draft] = vault.drafts()
    assert draft.answers["narrative"] == SECRET
    resumed = run("new", typed=lines("1", *SKIPPED[2:], *LEAST_CONSENT, CLOSE))
    assert "Que s'est-il passé ?" not in resumed.output
    [(record, content)] = closed(folder)
    assert record.id == draft.id
    assert content["statement"]["clear"]["narrative"] == SECRET
    assert vault.drafts() == []


def test_going_back_asks_again_and_the_later_answer_stands(run: Run, folder: Folder, vault: Vault) -> None:
    run("new", typed=lines("1", "", *["", ""], "<", "<", "2", *SKIPPED[1:], *LEAST_CONSENT, CLOSE))
    [(_, content)] = closed(folder)
    assert facts(content)["urgency"] == {"danger": "no"}


def test_going_back_from_the_envelope_leads_to_the_last_question(run: Run, folder: Folder, vault: Vault) -> None:
    run("new", typed=lines(*SKIPPED, *LEAST_CONSENT, "<", "2", "1", "1", "1", "", "", CLOSE))
    [(_, content)] = closed(folder)
    assert facts(content)["consent"]["level"] == "C1"


def test_what_no_complaint_can_hold_is_asked_again(run: Run, vault: Vault) -> None:
    output = run("new", typed=lines("9", "x", "2", "a" * 2001, "", "!")).output
    assert output.count("Choisissez un numéro de 1 à 3") == 2
    assert "2000 caractères au plus" in output


def test_a_wrong_passphrase_opens_nothing(run: Run, vault: Vault) -> None:
    result = run("new", typed="un deux trois quatre\n")
    assert (result.exit_code, "n'ouvrent pas le carnet" in result.output) == (1, True)


@pytest.mark.parametrize(
    ("typed", "span"),
    [
        ("3/10/2026", (date(2026, 10, 3), date(2026, 10, 3), "day")),
        ("03 10 2026", (date(2026, 10, 3), date(2026, 10, 3), "day")),
        ("2026-10-03", (date(2026, 10, 3), date(2026, 10, 3), "day")),
        ("2026-02-31", None),
        ("2/2024", (date(2024, 2, 1), date(2024, 2, 29), "month")),
        ("2026", (date(2026, 1, 1), date(2026, 12, 31), "year")),
        ("31/2/2026", None),
        ("13/2026", None),
        ("hier", None),
        ("0000", None),
    ],
)
def test_a_day_is_read_as_people_write_it(typed: str, span: tuple[date, date, str] | None) -> None:
    assert read_span(typed) == span


# Paper.


def printed_codes(file: Path) -> list[str]:
    return list(dict.fromkeys(re.findall(r"\b[0-9A-Z]{4}-[0-9A-Z]{3}\b", file.read_text("utf-8"))))


def test_a_printed_form_is_entered_under_its_code(run: Run, folder: Folder, vault: Vault, tmp_path: Path) -> None:
    file = tmp_path / "fiches.html"
    assert run("paper", "--count", 3, "--out", file, typed=lines()).exit_code == 0
    codes = printed_codes(file)
    assert len(codes) == 3
    assert all(is_receipt(code) for code in codes)
    typed = codes[1].replace("-", "").lower()
    result = run("new", "--receipt", typed, typed=lines(*SKIPPED, *LEAST_CONSENT, CLOSE))
    [(record, content)] = closed(folder)
    assert (record.receipt, facts(content)["channel"]) == (codes[1], "paper")
    assert "imprimée par cet appareil" not in result.output
    assert {draft.answers["receipt"] for draft in vault.drafts()} == {codes[0], codes[2]}
    again = run("new", "--receipt", codes[1], typed=lines())
    assert (again.exit_code, "est déjà fermée ici" in again.output) == (1, True)


def test_forms_that_wait_are_no_drafts_to_resume(run: Run, vault: Vault, tmp_path: Path) -> None:
    run("paper", "--out", tmp_path / "fiches.html", typed=lines())
    assert "brouillon attend" not in run("new", typed=lines("!")).output


def test_a_code_from_elsewhere_is_taken_and_a_miscopied_one_is_not(run: Run, vault: Vault) -> None:
    code = new_receipt(lambda alphabet: alphabet[3])
    assert "pas été imprimée par cet appareil" in run("new", "--receipt", code, typed=lines("!")).output
    miscopied = code[:-1] + ("A" if code[-1] != "A" else "B")
    result = run("new", "--receipt", miscopied, typed=lines())
    assert (result.exit_code, "mal recopié" in result.output) == (1, True)


# Lists, corrections, erasure.


@pytest.mark.usefixtures("enrolled")
def test_a_list_says_where_and_nothing_else(run: Run, folder: Folder, tmp_path: Path) -> None:
    run("new", "--answers", answers_file(tmp_path, ANSWERS))
    [(record, _)] = closed(folder)
    [_, line] = run("list").output.splitlines()
    assert line.split() == [*str(record.picture).split(), record.receipt, "sur", "cet", "appareil"]
    assert record.receipt is not None
    picture = str(record.picture)
    receipts = [record.receipt, record.receipt.replace("-", "").lower(), record.receipt.replace("-", " ")]
    for name in (picture.lower(), picture.replace(" ", ""), *receipts):
        shown = run("show", *str(name).split()).output
        assert shown.splitlines() == [f"{record.picture} · reçu {record.receipt}", "sur cet appareil"]


@pytest.mark.usefixtures("enrolled")
def test_a_long_list_is_cut_and_says_so(run: Run, folder: Folder) -> None:
    outbox = Outbox.open(folder)
    outbox.finalise_all([Finished("complaint", complaint(), receipt=f"R{n}") for n in range(60)])
    outbox.close()
    output = run("list").output
    assert "et 10 autres" in output
    assert "R59" in output
    assert "R9 " not in output
    assert "R9 " in run("list", "--all").output


@pytest.mark.usefixtures("enrolled")
def test_a_correction_replaces_a_whole_part(run: Run, folder: Folder, tmp_path: Path) -> None:
    run("new", "--answers", answers_file(tmp_path, ANSWERS))
    [(record, _)] = closed(folder)
    for told in ("Autrement.", "Encore autrement."):
        run("amend", *str(record.picture).split(), typed=f"1\n{told}\n\n1\n1\n")
    contents = [content for other, content in closed(folder) if other.op == "revision"]
    assert contents == [
        {"base_revision": base, "complaint": record.id, "statement": {"clear": {"narrative": told, "lang": "fra"}}}
        for base, told in ((1, "Autrement."), (2, "Encore autrement."))
    ]
    assert "2 corrections" in run("show", record.receipt).output


def test_a_correction_opens_for_the_readers_of_its_complaint(
    run: Run, folder: Folder, vault: Vault, tmp_path: Path
) -> None:
    run("new", "--answers", answers_file(tmp_path, ANSWERS))
    [(record, _)] = closed(folder)
    assert run("amend", record.receipt, typed=f"2\n{WORDS}\nprès du puits\n1\n").exit_code == 0
    assert closed(folder, "gao")[1][1]["traces"]["clear"] == {"said": "près du puits"}
    with pytest.raises(KeyError):
        closed(folder, "mopti")


@pytest.mark.usefixtures("enrolled")
def test_facts_and_identity_are_corrected_together(run: Run, folder: Folder, tmp_path: Path) -> None:
    run("new", "--answers", answers_file(tmp_path, ANSWERS))
    [(record, _)] = closed(folder)
    typed = ["3", "", "", "", "", "", "", "", *LEAST_CONSENT, "1"]
    run("amend", record.receipt, typed="\n".join([*typed, ""]))
    content = closed(folder)[1][1]
    assert content.keys() == {"base_revision", "complaint", "facts", "identity"}
    assert facts(content)["receipt"] == record.receipt


@pytest.mark.usefixtures("enrolled")
def test_a_correction_can_be_given_up(run: Run, folder: Folder, tmp_path: Path) -> None:
    run("new", "--answers", answers_file(tmp_path, ANSWERS))
    [(record, _)] = closed(folder)
    assert "Rien n'est changé" in run("amend", record.receipt, typed="1\n!\n").output
    assert len(closed(folder)) == 1


def test_erasing_wants_its_word_and_leaves_nothing(run: Run, folder: Folder, vault: Vault, tmp_path: Path) -> None:
    run("new", "--answers", answers_file(tmp_path, ANSWERS))
    run("status", "--price", 3)
    kept = run("wipe", typed="2\noui\n")
    assert "1 envoi qui n'est pas parti sera perdu" in kept.output
    assert "Rien n'est effacé" in run("wipe", typed="\n").output
    assert len(closed(folder)) == 1
    assert "C'est effacé" in run("wipe", typed="2\nEffacer\n").output
    assert list(folder.path.iterdir()) == []


def test_what_can_be_read_is_erased_and_what_waits_still_leaves(
    run: Run, folder: Folder, vault: Vault, tmp_path: Path
) -> None:
    run("new", "--answers", answers_file(tmp_path, ANSWERS))
    assert "Rien n'est effacé" in run("wipe", typed="1\noui\n").output
    assert folder.vault_key.exists()
    output = run("wipe", typed="1\neffacer\n").output
    assert "Brouillons et réponses sont effacés.\n1 envoi reste et partira." in output
    assert not folder.vault_key.exists()
    assert len(closed(folder)) == 1


@pytest.mark.parametrize(("option", "left"), [("--keep", True), ("--all", False)])
def test_at_a_checkpoint_one_line_is_enough(run: Run, folder: Folder, vault: Vault, option: str, left: bool) -> None:
    enrolled_outbox(folder).close()
    run("wipe", option)
    assert (folder.vault_key.exists(), folder.machine_key.exists()) == (False, left)


def test_erasing_does_not_count_what_is_not_there(run: Run) -> None:
    assert "sera perdu" not in run("wipe", typed="2\nnon\n").output


def test_erasing_works_when_the_key_is_gone(run: Run, folder: Folder) -> None:
    enrolled_outbox(folder).close()
    folder.machine_key.unlink()
    assert run("sync").exit_code == 1
    assert "C'est effacé" in run("wipe", typed="effacer\n").output
    assert list(folder.path.iterdir()) == []


def test_a_device_at_rest_comes_back_at_its_own_pace() -> None:
    class Asked(SyncClient):
        def __init__(self) -> None:
            pass

        def wait_s(self, report: SyncReport) -> float:
            return 42.0

    whole = SyncReport(0, 0, 0, 0, 0, 1, 9, 9, False, None, None, (), 0)
    cut = SyncReport(0, 0, 0, 0, 0, 1, 9, 9, True, None, None, (), 0)
    assert pause_s(Asked(), whole) == WHOLE_AGAIN_S
    assert pause_s(Asked(), replace(whole, sync_after_s=10)) == WHOLE_AGAIN_S
    assert pause_s(Asked(), replace(whole, sync_after_s=7_200)) == 7_200
    assert pause_s(Asked(), cut) == 42.0
    assert pause_s(Asked(), replace(cut, sync_after_s=7_200)) == 42.0


@pytest.mark.parametrize(
    ("written_after", "is_whole", "waits"),
    [(None, True, 3), (1, True, 1), (2, True, 2), (0, False, 1)],
)
def test_advice_to_come_later_never_delays_what_waits_to_be_sent(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, written_after: int | None, is_whole: bool, waits: int
) -> None:
    waited: list[float] = []
    with closing(enrolled_outbox(folder)) as outbox:

        def wait(_: Session, seconds: float) -> None:
            waited.append(seconds)
            if len(waited) == written_after:
                outbox.finalise("complaint", complaint())

        monkeypatch.setattr(Session, "wait", wait)
        rest(object.__new__(Session), outbox, 2.5 * WHOLE_AGAIN_S, is_whole=is_whole)
    assert len(waited) == waits
    assert max(waited) == (WHOLE_AGAIN_S if is_whole else 2.5 * WHOLE_AGAIN_S)
