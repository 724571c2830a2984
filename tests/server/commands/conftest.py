"""`seere` on a hub of the test alone, and as a coordinator."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pyotp
import pytest
from click.testing import CliRunner, Result

from server.cli import main
from server.domain.permission import OPERATOR
from server.hub import Hub
from server.services.accounts import people
from server.services.accounts.people import Post
from server.store import accounts
from tests.builders import (
    NOW,
    PASSPHRASE,
    founded,
    open_new_hub,
    passphrase_file,
    with_keyring,
)

Run = Callable[..., Result]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "hub"


@pytest.fixture
def seere(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `seere` on a folder of this test alone; settings are given without prefix, in lower case."""
    monkeypatch.setenv("SEERE_DATA", str(folder))
    monkeypatch.setenv("SEERE_PASSPHRASE_FILE", str(passphrase_file(folder)))

    def run(*arguments: str, typed: str | None = None, **settings: str) -> Result:
        environ = {f"SEERE_{name.upper()}": value for name, value in settings.items()}
        return CliRunner().invoke(main, list(arguments), input=typed, env=environ, prog_name="seere")

    return run


@pytest.fixture
def hub(seere: Run, folder: Path) -> Iterator[Hub]:
    """A hub that guesses cheaply, opened beside the commands, under the real clock."""
    opened = with_keyring(open_new_hub(*founded(folder)))
    assert seere("init").exit_code == 0
    yield opened
    opened.close()


@pytest.fixture
def as_awa(seere: Run, hub: Hub) -> Run:
    """Runs `seere` as a coordinator for everything, who types passphrase and code."""
    made = people.make(
        hub.store, hub.secrets.totp, OPERATOR, "Awa", Post("coordinator", is_named_reader=True), PASSPHRASE, NOW
    )
    assert made.secret is not None
    totp = pyotp.TOTP(made.secret)

    def run(*arguments: str, typed: str = "", **settings: str) -> Result:
        # A code is good once: nobody waits 30 s here for the next.
        with hub.store.write() as connection:
            accounts.update(connection, made.account.id, totp_step=0)
        return seere(*arguments, "--as", "Awa", typed=f"{PASSPHRASE}\n{totp.now()}\n{typed}", **settings)

    return run
