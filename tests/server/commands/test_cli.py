"""`seere` as an operator meets it: every command, in words, with exit codes that a script can trust."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from click.testing import Result

from client_sync.protocol.frames import to_text
from server.cli import COMMANDS, main
from server.hub import VERSION, Hub, utc_now
from server.i18n import LANGUAGES
from server.services import devices
from server.slots import close_slot
from tests.builders import (
    ADMINISTRATOR,
    PASSPHRASE,
    SOFT,
    Sender,
    complaint,
    enrolled,
)

ROOT = Path(__file__).resolve().parents[3]
PLACES = ROOT / "fixtures" / "places" / "mali-2026.1.csv"
Run = Callable[..., Result]
AHEAD = f"{utc_now().year + 3}-10-06T18:40:12Z"


def _commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        ctx = click.Context(command)
        for name in command.list_commands(ctx):
            found = command.get_command(ctx, name)
            assert found is not None
            yield from _commands(found, (*path, name))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("path", [path for path, _ in _commands(main)], ids=" ".join)
def test_every_command_and_option_explains_itself(seere: Run, path: tuple[str, ...], language: str) -> None:
    shown = seere("--language", language, *path, "--help")
    assert shown.exit_code == 0, shown.output
    assert shown.stderr == ""


def test_it_says_its_version(seere: Run) -> None:
    assert seere("--version").output == f"seere {VERSION}\n"


def test_help_is_in_french_throughout(seere: Run) -> None:
    shown = seere("devices", "revoke", "--help").output
    assert shown.startswith("Usage : seere devices revoke")
    assert "À donner :" in shown
    assert not re.search("Show|arguments|required", shown)
    assert "APPAREIL" in shown
    assert not re.search(r"\b(NUMBER|WORD|NAME|DAY|TABLE|STATUS)\b", seere("cases", "move", "--help").output)
    assert "Il manque NUMÉRO." in seere("cases", "show", "--as", "Awa").output


def test_module_of_a_command_is_read_only_when_it_is_used() -> None:
    code = "import sys, server.cli; print([name for name in sys.modules if name.startswith('server.services')])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_bare_call_shows_the_commands(seere: Run) -> None:
    shown = seere()
    assert shown.exit_code == 0
    assert all(name in shown.output for name in COMMANDS)


@pytest.mark.parametrize(
    "arguments",
    [("nope",), ("devices", "nope"), ("serve", "--nope"), ("serve", "--port", "x"), ("enrol",), ("init", "more")],
)
def test_wrong_call_is_answered_in_french_and_ends_with_2(seere: Run, arguments: tuple[str, ...]) -> None:
    done = seere(*arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "--help" in done.stderr
    assert not re.search("Error|Usage:|Try ", done.stderr)


@pytest.mark.parametrize(("name", "value"), [("prot", "8000"), ("port", "x"), ("status", "all"), ("language", "de")])
def test_setting_that_can_t_be_is_named_and_ends_with_2(seere: Run, name: str, value: str) -> None:
    done = seere("init", **{name: value})
    assert done.exit_code == 2
    assert f"SEERE_{name.upper()}" in done.stderr


def test_language_is_chosen_by_option_then_by_setting(seere: Run) -> None:
    assert "The hub was made" in seere("--language", "en", "init", language="fr").stdout
    assert "is in" in seere("init", language="en").stdout
    assert "déjà" in seere("init").stdout


def test_init_is_private_and_changes_nothing_the_second_time(seere: Run, folder: Path) -> None:
    first = seere("init")
    kept = {path.name: path.read_bytes() for path in folder.iterdir()}
    second = seere("init")
    assert (first.exit_code, second.exit_code) == (0, 0)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == kept
    assert (folder.stat().st_mode & 0o777, (folder / "hub.credential").stat().st_mode & 0o777) == (0o700, 0o600)
    assert "SEERE_BACKUP_RECIPIENT" in first.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("serve",),
        ("enrol", "--label", "Gao 1"),
        ("devices", "list"),
        ("quarantine", "list"),
        ("places", "list"),
        ("backup",),
    ],
)
def test_no_command_makes_a_hub_by_accident(seere: Run, folder: Path, arguments: tuple[str, ...]) -> None:
    done = seere(*arguments)
    assert done.exit_code == 1
    assert "seere setup" in done.stderr
    assert not folder.exists()


@pytest.mark.parametrize("arguments", [("devices", "list"), ("init",)])
def test_lost_credential_is_said_and_nothing_is_made_in_its_place(
    seere: Run, hub: Hub, folder: Path, arguments: tuple[str, ...]
) -> None:
    (folder / "hub.credential").rename(folder / "away")
    done = seere(*arguments)
    assert done.exit_code == 1
    assert "hub.credential" in done.stderr
    assert not (folder / "hub.credential").exists()


def test_enrolment_code_is_shown_in_three_ways(seere: Run, hub: Hub) -> None:
    done = seere("enrol", "--label", "Gao 1", "--team", "gao", address="https://centre.example")
    assert re.search(r"Gao 1 : ([0-9A-HJKMNP-TV-Z]{4}-){4}[0-9A-HJKMNP-TV-Z]{4}", done.stdout)
    assert re.search(r"En mots : (\w+ ){12}\w+\n", done.stdout)
    assert "https://centre.example" in done.stdout
    assert "█" in done.stdout
    assert "█" not in seere("enrol", "--label", "Gao 2", "--no-qr").stdout


def test_enrolment_under_a_name_that_the_hub_does_not_answer_to_is_refused(seere: Run, hub: Hub) -> None:
    elsewhere = ("enrol", "--label", "Gao 1", "--url", "https://autre.example")
    refused = seere(*elsewhere)
    assert (refused.exit_code, "SEERE_OTHER_HOSTS" in refused.stderr) == (1, True)
    assert seere(*elsewhere, other_hosts="autre.example").exit_code == 0


def test_enrolment_can_name_the_device_it_replaces(seere: Run, hub: Hub) -> None:
    first = enrolled(hub, "Gao 1")
    number = devices.find(hub.store, first.device).number
    assert seere("enrol", "--label", "Gao 1 bis", "--succeeds", f"M-{number}").exit_code == 0
    refused = seere("enrol", "--label", "Gao 1 ter", "--succeeds", "M-99")
    assert (refused.exit_code, "M-99" in refused.stderr) == (1, True)


@pytest.fixture
def waiting(hub: Hub) -> Sender:
    return enrolled(hub, "Gao 1", team="gao", is_confirmed=False)


def _words(hub: Hub, sender: Sender) -> str:
    return " ".join(devices.words_of(hub.store, devices.find(hub.store, sender.device), hub.identity.sign_key))


def test_device_is_confirmed_by_the_words_that_it_shows(seere: Run, hub: Hub, waiting: Sender) -> None:
    wrong = seere("devices", "confirm", "M-1", "--words", "un deux trois quatre cinq six")
    assert wrong.exit_code == 1
    assert devices.find(hub.store, "M-1").state == "waiting"
    done = seere("devices", "confirm", "M-1", "--words", _words(hub, waiting).upper())
    assert (done.exit_code, devices.find(hub.store, "M-1").state) == (0, "ready")


@pytest.mark.parametrize(("typed", "state"), [("oui\n", "ready"), ("non\n", "waiting"), ("\n", "waiting")])
def test_device_is_confirmed_by_a_person_who_says_yes(
    seere: Run, hub: Hub, waiting: Sender, typed: str, state: str
) -> None:
    done = seere("devices", "confirm", "Gao 1", typed=typed)
    assert _words(hub, waiting) in done.stdout
    assert devices.find(hub.store, "M-1").state == state
    assert done.exit_code == (0 if state == "ready" else 1)


def test_question_that_is_left_open_changes_nothing_and_says_so_in_french(
    seere: Run, hub: Hub, waiting: Sender
) -> None:
    done = seere("devices", "confirm", "M-1")
    assert (done.exit_code, devices.find(hub.store, "M-1").state) == (1, "waiting")
    assert done.stderr.strip() == "Arrêté."


def test_list_shows_what_an_operator_calls_about(seere: Run, hub: Hub) -> None:
    sender = enrolled(hub, "Gao 1", team="gao")
    enrolled(hub, "Ménaka 2", is_confirmed=False)
    sender.send(complaint("one"), waiting=7, version="carnet 0.1")
    shown = seere("devices", "list").stdout
    [first] = [line for line in shown.splitlines() if "M-1" in line]
    [second] = [line for line in shown.splitlines() if "M-2" in line]
    assert all(each in first for each in ("Gao 1", "gao", "prêt", " 7 ", "carnet 0.1"))
    assert "à confirmer" in second
    assert sender.token not in shown
    assert "Suspect depuis" not in shown


def test_administrator_key_is_made_once_and_signs_only_when_the_keyring_names_it(
    seere: Run, hub: Hub, tmp_path: Path
) -> None:
    enrolled(hub, "Gao 1")
    file = tmp_path / "admin.key"
    made = seere("devices", "admin-key", str(file), typed=f"{PASSPHRASE}\n" * 2)
    assert (made.exit_code, file.stat().st_mode & 0o777) == (0, 0o600)
    assert made.stdout.split()[-1] in file.read_text("utf-8")
    again = seere("devices", "admin-key", str(file))
    assert (again.exit_code, "une clé n'en remplace pas une autre" in again.stderr) == (1, True)
    wipe = ("devices", "wipe", "M-1", "--reason", "perdu", "--yes", "--admin-key")
    assert "aucun appareil n'obéirait" in seere(*wipe, str(file), typed=f"{PASSPHRASE}\n").stderr
    assert "n'est pas la clé qu'il faut ici" in seere(*wipe, str(tmp_path / "absent")).stderr
    assert devices.find(hub.store, "M-1").state == "ready"


def test_list_shows_since_when_a_revoked_device_is_suspect(seere: Run, hub: Hub) -> None:
    enrolled(hub, "Gao 1")
    seere("devices", "revoke", "M-1", "--reason", "perdu", "--since", "2026-11-01")
    shown = seere("devices", "list").stdout
    assert "Suspect depuis" in shown
    assert "01/11/2026" in shown


def admin_key(folder: Path) -> Path:
    """The key file of the administrator whom the keyring of the tests names."""
    file = folder / "admin.key"
    public = to_text(bytes(ADMINISTRATOR.verify_key))
    slot = close_slot(bytes(ADMINISTRATOR), PASSPHRASE, SOFT)
    members = {"about": "une ligne", "kind": "administrator", "public": public, "slot": slot, "v": 1}
    file.write_text(json.dumps(members), "utf-8")
    return file


def test_wipe_asks_before_it_orders(seere: Run, hub: Hub, tmp_path: Path) -> None:
    enrolled(hub, "Gao 1")
    wipe = ("devices", "wipe", "M-1", "--admin-key", str(admin_key(tmp_path)), "--reason", "perdu")
    kept = seere(*wipe, typed="\n")
    assert (kept.exit_code, devices.find(hub.store, "M-1").state) == (1, "ready")
    done = seere(*wipe, "--since", "2026-11-01", "--yes", typed=f"{PASSPHRASE}\n")
    found = devices.find(hub.store, "M-1")
    assert (done.exit_code, found.state) == (0, "revoked")
    assert found.suspect_since is not None
    assert f"{found.suspect_since:%Y-%m-%d}" == "2026-11-01"


def test_limit_needs_a_day_to_come(seere: Run, hub: Hub) -> None:
    enrolled(hub, "Gao 1")
    assert seere("devices", "limit", "M-1", "--burst", "9000", "--until", "2020-01-01").exit_code == 1
    assert seere("devices", "limit", "M-1", "--burst", "9000", "--until", "demain").exit_code == 1
    assert seere("devices", "limit", "M-1", "--burst", "9000", "--until", "2999-01-01").exit_code == 0
    assert devices.find(hub.store, "M-1").burst_records == 9000


def test_quarantine_is_seen_repaired_and_admitted(seere: Run, as_awa: Run, hub: Hub, tmp_path: Path) -> None:
    sender = enrolled(hub, "Gao 1")
    bad, ahead = complaint("bad", receipt="7K4M-2QA"), complaint("ahead", entered_at=AHEAD)
    sender.send(bad, ahead)
    listed = seere("quarantine", "list").stdout
    assert "receipt_invalid : 1" in listed
    assert "mis à part" in listed
    assert "quarantined" not in listed
    assert "clock_ahead" not in seere("quarantine", "list", "--code", "receipt_invalid").stdout.split("Champ")[1]

    assert "Exemple" not in as_awa("quarantine", "show", "1").stdout
    shown = as_awa("quarantine", "show", "1", "--content").stdout
    assert "Exemple" not in shown
    assert '\n  "op": "complaint"' in shown
    assert "attend une décision" in shown

    corrected = tmp_path / "corrected.json"
    corrected.write_bytes(bad)
    assert as_awa("quarantine", "repair", "1", str(corrected)).exit_code == 1
    corrected.write_bytes(complaint("bad") + b"\n")
    assert as_awa("quarantine", "repair", "1", str(corrected)).exit_code == 0

    refused = as_awa("quarantine", "admit", "2")
    assert (refused.exit_code, "--as-is" in refused.stderr) == (1, True)
    admitted = as_awa("quarantine", "admit", "2", "--as-is")
    assert (admitted.exit_code, f"SRE-{hub.clock().year}-000002" in admitted.stdout) == (0, True)
    assert "Rien n'attend" in seere("quarantine", "list").stdout
    assert sorted(change["state"] for change in sender.changes()) == ["stored", "stored"]


def test_what_nothing_is_to_be_done_about_is_dismissed_and_taken_up(as_awa: Run, seere: Run, hub: Hub) -> None:
    enrolled(hub, "Gao 1").send(complaint("bad", receipt="7K4M-2QA"))
    refused = as_awa("quarantine", "dismiss", "1", "--reason", "essai")
    assert (refused.exit_code, "10" in refused.stderr) == (1, True)
    assert as_awa("quarantine", "dismiss", "1", "--reason", "essai de la formation").exit_code == 0
    assert "Rien n'attend" in seere("quarantine", "list").stdout
    assert "essai de la formation" in as_awa("quarantine", "show", "1").stdout
    assert as_awa("quarantine", "dismiss", "1", "--reason", "essai de la formation").exit_code == 1
    assert as_awa("quarantine", "take-up", "1").exit_code == 0
    assert "receipt_invalid : 1" in seere("quarantine", "list").stdout
    assert as_awa("quarantine", "take-up", "1").exit_code == 1


def test_content_from_outside_can_t_steer_the_terminal(as_awa: Run, hub: Hub) -> None:
    enrolled(hub, "Gao 1").send(complaint("a", receipt="\x1b[2J"))
    shown = as_awa("quarantine", "show", "1", "--content")
    assert shown.exit_code == 0
    assert "\x1b" not in shown.stdout
    assert "\\u001b[2J" in shown.stdout


def test_admission_by_reason_says_how_many(as_awa: Run, hub: Hub) -> None:
    enrolled(hub, "Gao 1").send(*(complaint(n, entered_at=AHEAD) for n in range(3)))
    assert as_awa("quarantine", "admit", "--code", "clock_ahead", "--as-is").stdout.startswith("3 ")
    assert as_awa("quarantine", "admit").exit_code == 1


def test_places_are_imported_listed_and_release_what_was_held(seere: Run, hub: Hub, tmp_path: Path) -> None:
    small = tmp_path / "small-2025.1.csv"
    head, first = PLACES.read_text("utf-8").splitlines()[:2]
    small.write_text(f"{head}\n{first}\n")
    assert seere("places", "import", str(small)).exit_code == 0
    enrolled(hub, "Gao 1").send(complaint("held"))
    done = seere("places", "import", str(PLACES))
    assert (done.exit_code, "1 envoi gardé" in done.stdout) == (0, True)
    assert re.search(r"▶ 2026\.1", seere("places", "list").stdout)
    assert seere("places", "import").exit_code == 1


def test_init_takes_a_list_of_places(seere: Run) -> None:
    assert "53 cercles" in seere("init", "--places", str(PLACES)).stdout


def test_backup_and_restore_by_hand(seere: Run, hub: Hub, folder: Path, tmp_path: Path) -> None:
    enrolled(hub, "Gao 1").send(complaint("one"), complaint("two"))
    identity = tmp_path / "key.txt"
    made = seere("backup", "--new-identity", str(identity))
    recipient = re.search(r"age1\w+", made.stdout)
    assert recipient
    assert seere("backup").exit_code == 1
    done = seere("backup", backup_recipient=recipient.group())
    assert (done.exit_code, "2 plaintes" in done.stdout) == (0, True)
    [archive] = (folder / "backups").glob("*.age")

    arguments = ("restore", str(archive), "--identity", str(identity))
    assert seere(*arguments, "--last-number", "5").exit_code == 1
    bad = seere(*arguments, "--last-number", "cinq", data=str(tmp_path / "new"))
    assert (bad.exit_code, (tmp_path / "new").exists()) == (1, False)
    restored = seere(*arguments, typed="SRE-2026-000005\n", data=str(tmp_path / "new"))
    assert restored.exit_code == 0, restored.output
    assert "3 numéros" in restored.stdout
    assert (tmp_path / "new" / "hub.credential").stat().st_mode & 0o777 == 0o600
    assert hub.epoch() not in re.findall(r"époque (\w+)", restored.stdout)
    assert seere("devices", "list", data=str(tmp_path / "new")).exit_code == 0


def test_identity_is_never_overwritten(seere: Run, tmp_path: Path) -> None:
    path = tmp_path / "key.txt"
    path.write_text("mine")
    assert seere("backup", "--new-identity", str(path)).exit_code == 1
    assert path.read_text() == "mine"


def test_folder_that_can_t_be_made_is_named_before_anything_is_asked(seere: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refused = seere("init", data=str(tmp_path / "file" / "hub"))
    assert (refused.exit_code, "file/hub ne peut pas être créé" in refused.stderr) == (1, True)
