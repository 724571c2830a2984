"""A hub of the whole module on each engine: devices of one test never meet those of another."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyotp
import pytest
from click.testing import CliRunner, Result

from server.cli import main
from server.domain.permission import OPERATOR
from server.hub import Hub, utc_now
from server.services.accounts import people
from server.services.accounts.people import Post
from server.store import accounts
from tests.builders import NOW, PASSPHRASE, Clock, Sender, enrolled, open_test_hub, passphrase_file

ENGINES = ("sqlite", pytest.param("postgresql", marks=pytest.mark.postgres))
Enrol = Callable[..., Sender]
Run = Callable[..., Result]
Join = Callable[[str, Post], Run]


@pytest.fixture(scope="module", params=ENGINES)
def shared_hub(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    folder = tmp_path_factory.mktemp("hub")
    if request.param == "sqlite":
        hub = open_test_hub("sqlite", folder, Clock())
        yield hub
        hub.close()
        return
    cluster = request.getfixturevalue("postgres_cluster")
    url = cluster.name_database()
    hub = open_test_hub(url, folder, Clock())
    yield hub
    hub.close()
    cluster.drop_database(url)


@pytest.fixture
def clock(shared_hub: Hub) -> Iterator[Clock]:
    """The clock of the shared hub, set back afterwards."""
    assert isinstance(shared_hub.clock, Clock)
    yield shared_hub.clock
    shared_hub.clock.now = NOW


@pytest.fixture
def hub(shared_hub: Hub, clock: Clock) -> Hub:
    return shared_hub


@pytest.fixture
def enrol(hub: Hub) -> Enrol:
    """Enrols a device on the hub: `enrol("Gao 1", team="gao")`."""

    def make(label: str = "Gao 1", **options: Any) -> Sender:
        return enrolled(hub, label, **options)

    return make


@pytest.fixture
def device(enrol: Enrol) -> Sender:
    return enrol()


@pytest.fixture
def own_hub(hub_url: str, tmp_path: Path) -> Iterator[Hub]:
    """A hub of this test alone, for what is counted over the whole hub."""
    hub = open_test_hub(hub_url, tmp_path, Clock())
    yield hub
    hub.close()


@pytest.fixture
def folder_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub of this test alone, in a folder where `seere` finds it, by the clock of the machine."""
    folder = tmp_path / "hub"
    monkeypatch.setenv("SEERE_DATA", str(folder))
    monkeypatch.setenv("SEERE_PASSPHRASE_FILE", str(passphrase_file(folder)))
    hub = open_test_hub("sqlite", folder, utc_now)
    yield hub
    hub.close()


@pytest.fixture
def seere(folder_hub: Hub) -> Run:
    """Runs `seere` beside that hub; `typed` are the lines that are typed into it."""
    assert folder_hub
    return _run


@pytest.fixture
def join(folder_hub: Hub) -> Join:
    """Gives somebody an account, and runs `seere` as that person: `join("Awa", Post("coordinator"))("cases", "list")`.

    Passphrase and code are typed before the lines that are `typed`.
    """

    def make(name: str, post: Post) -> Run:
        made = people.make(folder_hub.store, folder_hub.secrets.totp, OPERATOR, name, post, PASSPHRASE, NOW)

        def run(*arguments: str, typed: tuple[str, ...] = (), language: str = "fr") -> Result:
            # A code is good once: nobody waits 30 s here for the next.
            with folder_hub.store.write() as connection:
                accounts.update(connection, made.account.id, totp_step=0)
            code = (pyotp.TOTP(made.secret).now(),) if made.secret else ()
            return _run("--language", language, *arguments, "--as", name, typed=(PASSPHRASE, *code, *typed))

        return run

    return make


def _run(*arguments: str, typed: tuple[str, ...] = ()) -> Result:
    return CliRunner().invoke(main, list(arguments), input="".join(f"{line}\n" for line in typed))
