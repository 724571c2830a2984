"""The auditor at the terminal: reads the log and no case, whatever command is tried and whether or not there is one."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pyotp
import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from server.cli import main
from server.domain.permission import OPERATOR
from server.hub import Hub, utc_now
from server.services.accounts import people
from server.services.accounts.people import Post
from server.store import accounts, schema
from tests.builders import PASSPHRASE, Clock, an_id, complaint, enrolled, open_test_hub, passphrase_file

NARRATIVE = "sans reçu"
# Each with something that is there, and the same with something that never was.
COMMANDS = [
    (["find", "7K4M-2QG"], ["find", "ACDE-FHJ"]),
    (["open", "{number}", "--compartment", "statement"], ["open", "{none}", "--compartment", "statement"]),
    (["open", "{number}", "--compartment", "identity", "--reason", "voir"],
     ["open", "{none}", "--compartment", "identity", "--reason", "voir"]),
    (["quarantine", "show", "1"], ["quarantine", "show", "99"]),
    (["quarantine", "admit", "1"], ["quarantine", "admit", "99"]),
    (["quarantine", "repair", "1", "{file}"], ["quarantine", "repair", "99", "{file}"]),
    (["retention", "erase", "{number}", "--because", "asked", "--yes"],
     ["retention", "erase", "{none}", "--because", "asked", "--yes"]),
    (["retention", "hold", "{number}"], ["retention", "hold", "{none}"]),
    (["retention", "agree", "{number}"], ["retention", "agree", "{none}"]),
    (["retention", "lift", "{number}"], ["retention", "lift", "{none}"]),
]  # fmt: skip
Run = Callable[[list[str]], Result]


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    folder = tmp_path / "hub"
    monkeypatch.setenv("SEERE_DATA", str(folder))
    monkeypatch.setenv("SEERE_PASSPHRASE_FILE", str(passphrase_file(folder)))
    opened = open_test_hub("sqlite", folder, Clock(utc_now()))
    enrolled(opened, "Gao 1").send(complaint("a"), complaint("b", kinds=["NO-SUCH"]))
    yield opened
    opened.close()


@pytest.fixture
def run(hub: Hub, tmp_path: Path) -> Run:
    """Runs a command as an auditor, who types passphrase and code."""
    made = people.make(hub.store, hub.secrets.totp, OPERATOR, "Oumou", Post("auditor"), PASSPHRASE, hub.clock())
    secret = made.secret
    assert secret is not None
    file = tmp_path / "corrected.json"
    file.write_bytes(complaint("b"))
    places = {"number": f"SRE-{utc_now().year}-000001", "none": f"SRE-{utc_now().year}-000077", "file": str(file)}

    def call(arguments: list[str]) -> Result:
        with hub.store.write() as connection:
            accounts.update(connection, made.account.id, totp_step=0)
        given = [*(each.format(**places) for each in arguments), "--as", "Oumou"]
        lines = f"{PASSPHRASE}\n{pyotp.TOTP(secret).now()}\n"
        return CliRunner().invoke(main, given, input=lines, prog_name="seere")

    return call


def _said(result: Result, *names: str) -> str:
    """What was answered, whatever was asked for."""
    text = result.output
    for name in names:
        text = text.replace(name, "…")
    return text


@pytest.mark.parametrize(("there", "never"), COMMANDS, ids=[" ".join(each[0][:2]) for each in COMMANDS])
def test_auditor_is_refused_what_is_there_as_what_never_was(
    hub: Hub, run: Run, there: list[str], never: list[str]
) -> None:
    year = utc_now().year
    names = (f"SRE-{year}-000001", f"SRE-{year}-000077", "7K4M-2QG", "ACDE-FHJ", "99", "1")
    refused, absent = run(there), run(never)

    assert (refused.exit_code, absent.exit_code) == (1, 1), refused.output
    assert _said(refused, *names) == _said(absent, *names)
    assert NARRATIVE not in refused.output
    assert an_id("a") not in refused.output
    with hub.store.read() as connection:
        by_people = sa.select(schema.event.c.action).where(schema.event.c.actor.like("account:%"))
        actions = set(connection.scalars(by_people))
        assert connection.scalar(sa.select(sa.func.count()).select_from(schema.opening)) == 0
    assert actions == {"login", "logout"}
