"""`seere statistics`: a table on the screen, in a file for spreadsheets and for programs, for who may read it."""

import csv
import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pyotp
import pytest
from click.testing import CliRunner, Result

from server.cli import main
from server.domain.permission import OPERATOR
from server.hub import Hub, utc_now
from server.services.accounts import people
from server.services.accounts.people import Post
from server.store import accounts
from tests.builders import NOW, PASSPHRASE, complaint, enrolled, founded, open_new_hub, passphrase_file, with_keyring
from tests.serving import ROOT, address_of, environ, serving

Run = Callable[..., Result]


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    opened = with_keyring(open_new_hub(*founded(tmp_path / "hub"), utc_now))
    of_gao, of_mopti = enrolled(opened, "Gao 1", team="=gao()"), enrolled(opened, "Mopti 1", team="mopti")
    of_gao.send(*(complaint(f"g{n}") for n in range(7)))
    of_mopti.send(*(complaint(f"m{n}") for n in range(6)), *(complaint(f"p{n}", channel="phone") for n in range(2)))
    yield opened
    opened.close()


@pytest.fixture
def seere(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `seere statistics` as an auditor, or as somebody else."""
    monkeypatch.setenv("SEERE_DATA", str(hub.settings.data))
    monkeypatch.setenv("SEERE_PASSPHRASE_FILE", str(passphrase_file(hub.settings.data)))
    posts = {"Ina": Post("auditor"), "Oumar": Post("verifier")}
    made = {
        name: people.make(hub.store, hub.secrets.totp, OPERATOR, name, post, PASSPHRASE, NOW)
        for name, post in posts.items()
    }

    def run(*arguments: str, name: str = "Ina") -> Result:
        with hub.store.write() as connection:
            accounts.update(connection, made[name].account.id, totp_step=0)
        secret = made[name].secret
        code = f"{pyotp.TOTP(secret).now()}\n" if secret else ""
        command = ["--language", "fr", "statistics", *arguments, "--as", name]
        return CliRunner().invoke(main, command, input=f"{PASSPHRASE}\n{code}")

    return run


def test_screen_shows_title_unit_and_what_is_processed(seere: Run) -> None:
    shown = seere()
    assert shown.exit_code == 0, shown.output
    assert "Plaintes reçues et traitées, par mois (plaintes)" in shown.output
    assert "part traitée (%)" in shown.output
    assert "Provisoire." in shown.output
    assert "15" in shown.output


def test_small_numbers_are_hidden_and_it_is_said_why(seere: Run) -> None:
    shown = seere("T9").output
    assert "Téléphone" in shown
    assert "masqué : moins de 5" in shown


def test_csv_is_for_a_french_spreadsheet_and_holds_no_formula(seere: Run, tmp_path: Path) -> None:
    file = tmp_path / "chiffres.csv"
    done = seere("--by", "team", "--format", "csv", "--separator", ";", "--output", str(file))
    assert done.exit_code == 0, done.output
    assert file.read_bytes().startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(file.read_text("utf-8-sig").splitlines(), delimiter=";"))
    assert ["Équipe", "traitées", "retirées", "en attente", "total", "part traitée (%)"] in rows
    assert ["'=gao()", "0", "0", "7", "7", "0"] in rows


def test_json_says_unit_months_and_null_for_what_is_hidden(seere: Run) -> None:
    done = seere("T9", "--format", "json")
    told = json.loads(done.output[done.output.index("{") :])
    assert (told["table"], told["unit"], told["final"]) == ("T9", "complaints", False)
    assert {"row": ["phone"], "column": ["mopti"], "n": None} in told["cells"]


def test_table_is_broken_down_by_nothing_else(seere: Run) -> None:
    refused = seere("T1", "--by", "cercle")
    assert refused.exit_code == 1
    assert "pas les deux" in refused.output


def test_who_reads_no_figures_is_told_so(seere: Run) -> None:
    refused = seere(name="Oumar")
    assert refused.exit_code == 1
    assert "Ce compte ne lit pas les chiffres" in refused.output


@pytest.mark.parametrize("months", [("--from", "2026-13"), ("--from", "2026-05", "--to", "2026-04"), ("--to", "hier")])
def test_months_that_are_none_are_refused(seere: Run, months: tuple[str, ...]) -> None:
    refused = seere(*months)
    assert refused.exit_code == 1
    assert "ne dit pas des mois" in refused.output


@pytest.mark.ci
def test_program_logs_in_and_asks_as_the_operations_page_shows(hub: Hub, tmp_path: Path) -> None:
    page = (ROOT / "server/docs/operations.md").read_text("utf-8")
    [example] = [block for block in re.findall(r"```sh\n(.*?)```", page, re.S) if "/api/v1/statistics" in block]
    made = people.make(hub.store, hub.secrets.totp, OPERATOR, "Awa", Post("coordinator"), PASSPHRASE, NOW)
    file = passphrase_file(hub.settings.data)
    with serving() as start:
        address = address_of(start(environ(hub.settings.data, SEERE_PASSPHRASE_FILE=str(file))))
        done = subprocess.run(
            ["bash", "-ec", re.sub(r"^hub=\S+", f"hub={address}", example)],
            input=f"{PASSPHRASE}\n{pyotp.TOTP(made.secret or '').now()}\n",
            env=environ(tmp_path, TMPDIR=str(tmp_path)),
            capture_output=True,
            text=True,
            check=True,
        )
    assert "Plaintes reçues et traitées, par cercle (plaintes)" in done.stdout
    assert '"table":"T1"' in done.stdout
    assert list(tmp_path.glob("tmp.*")) == []
