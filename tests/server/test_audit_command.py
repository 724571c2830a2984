"""`seere audit` as an operator and an auditor meet it: the head, an export, a proof, and what the check says."""

import json
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from server.cli import main
from server.hub import Hub
from tests.builders import founded, open_new_hub, passphrase_file
from tests.log_edits import anchor, exported, note, written

Run = Callable[..., Result]


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    """A hub with an anchor, opened beside the commands."""
    opened = open_new_hub(*founded(tmp_path / "hub"))
    note(opened, "device:1", reason="Awa Exemple l'a demandé")
    anchor(opened)
    yield opened
    opened.close()


@pytest.fixture
def audit(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `seere audit` on that hub."""
    monkeypatch.setenv("SEERE_DATA", str(hub.settings.data))
    monkeypatch.setenv("SEERE_PASSPHRASE_FILE", str(passphrase_file(hub.settings.data)))

    def run(*arguments: object) -> Result:
        return CliRunner().invoke(main, ["audit", *map(str, arguments)], prog_name="seere")

    return run


@pytest.fixture
def witness(hub: Hub, tmp_path: Path) -> Path:
    """What a device kept of the log."""
    [*_, newest] = (line for line in exported(hub) if "anchor" in line)
    path = tmp_path / "anchor.json"
    path.write_bytes(written([newest | {"key": bytes(hub.identity.sign_key.verify_key).hex()}])[0])
    return path


def test_head_is_there_to_be_read_out(hub: Hub, audit: Run) -> None:
    root = json.loads(written(exported(hub))[-1])["anchor"]["root"]
    shown = audit("head")
    assert shown.exit_code == 0
    assert f"4096 lignes, racine\n  {root}" in shown.output


def test_export_is_private_holds_no_words_and_verifies(audit: Run, witness: Path, tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    assert audit("export", log).exit_code == 0
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    assert b"Awa Exemple" not in log.read_bytes()
    checked = audit("verify", log, "--witness", witness)
    assert (checked.exit_code, checked.output.splitlines()[0].startswith("Le journal est entier")) == (0, True)
    assert audit("export", log).exit_code == 1


def test_export_is_itself_an_event(hub: Hub, audit: Run, tmp_path: Path) -> None:
    audit("export", tmp_path / "log.jsonl")
    assert json.loads(exported(hub)[-1]["leaf"])["action"] == "export"


def test_broken_log_is_told_in_words_and_by_the_exit_code(audit: Run, witness: Path, tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    audit("export", log)
    log.write_bytes(log.read_bytes().replace(b"device:1", b"device:2"))
    checked = audit("verify", log, "--witness", witness)
    assert checked.exit_code == 1
    assert "ROMPU : ce qui est avant la ligne 4096 n'est pas ce que le centre a signé." in checked.output


def test_without_a_witness_the_check_says_what_it_is_worth(audit: Run, tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    audit("export", log)
    checked = audit("verify", log)
    assert checked.exit_code == 0
    assert "sans témoin du dehors" in checked.output
    assert "donnez --key" in checked.output


def test_one_event_is_proven(audit: Run, witness: Path, tmp_path: Path) -> None:
    proof = tmp_path / "proof.json"
    assert audit("prove", 0, proof).exit_code == 0
    assert audit("verify", proof, "--witness", witness).exit_code == 0


def test_proof_that_can_t_be_had_says_which_events_have_one(audit: Run, tmp_path: Path) -> None:
    for place in (4095, 4096):
        refused = audit("prove", place, tmp_path / "none.json")
        assert (refused.exit_code, f"n° {place} " in refused.output, "n° 4095" in refused.output) == (1, True, True)


def test_file_that_can_t_be_written_or_read_is_named(audit: Run, tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere" / "proof.json"
    assert f"{nowhere} ne peut pas être écrit" in audit("prove", 0, nowhere).output
    assert "il n'y a rien sous ce nom" in audit("verify", nowhere).output
