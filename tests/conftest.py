"""Fixtures that every test may ask for: fresh databases on both engines, and programs of the system."""

import gc
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from server.commands import key_files
from server.services.accounts import passphrases
from tests.builders import SOFT
from tests.compiled import share_compiled
from tests.memory import ram
from tests.postgres import Cluster, running_cluster
from tests.serving import PYTHONPATH


def pytest_configure() -> None:
    # Read by pytest when the first test asks for a folder; --basetemp wins.
    if folder := ram():
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(folder))
    share_compiled()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Function]) -> None:
    # On a database of its own a test takes PostgreSQL three times as long as SQLite. The store's tests, and those of
    # a shared hub, are tried there too by `make test`; the others by `make prove-ci`.
    for item in items:
        is_alone = "store" not in item.path.parts and "shared_hub" not in item.fixturenames
        if item.get_closest_marker("postgres") and is_alone and not item.get_closest_marker("prove"):
            item.add_marker("ci")


def pytest_collection_finish() -> None:
    # What was imported stays: the collector need not walk over it again and again.
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def shipped() -> Iterator[None]:
    """Programs that a test starts, from anywhere, are ours and find what a shipped hub finds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", PYTHONPATH, prepend=os.pathsep)
        yield


# What a guess at a passphrase costs in earnest.
_HARD = (
    (passphrases, "HARDNESS", passphrases.HARDNESS),
    (passphrases, "NOBODYS", passphrases.NOBODYS),
    (key_files, "HARDNESS", key_files.HARDNESS),
)


@pytest.fixture(scope="session", autouse=True)
def soft() -> Iterator[None]:
    """Passphrases of people and of key files cost next to nothing, but for a test that asks for `hard`."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (passphrases, key_files):
            patch.setattr(module, "HARDNESS", SOFT)
        patch.setattr(passphrases, "NOBODYS", passphrases.hashed("words that nobody knows"))
        yield


@pytest.fixture
def hard(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passphrases cost what they cost in earnest."""
    for module, name, value in _HARD:
        monkeypatch.setattr(module, name, value)


@pytest.fixture(scope="session")
def postgres_cluster() -> Iterator[Cluster]:
    """One running PostgreSQL for the whole session; fails, and never skips, when there is none."""
    with running_cluster(os.environ) as cluster:
        yield cluster


@pytest.fixture
def postgres_url(postgres_cluster: Cluster) -> Iterator[str]:
    """A fresh, empty PostgreSQL database of this test alone (`postgresql+psycopg://…`)."""
    url = postgres_cluster.create_database()
    yield url
    postgres_cluster.drop_database(url)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def engine(request: pytest.FixtureRequest) -> str:
    """Each engine in turn."""
    name: str = request.param
    return name


@pytest.fixture
def database_url(engine: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A fresh, empty database of this test alone, on each engine in turn, as `open_store` takes it."""
    if engine == "sqlite":
        return f"sqlite:///{tmp_path / 'hub.db'}"
    # Asked for here, not as an argument: the SQLite half must not start a server.
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
def hub_url(engine: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """Where `open_test_hub` may make the hub of this test alone, on each engine in turn."""
    if engine == "sqlite":
        yield "sqlite"
        return
    cluster: Cluster = request.getfixturevalue("postgres_cluster")
    url = cluster.name_database()
    yield url
    cluster.drop_database(url)


@pytest.fixture
def program() -> Callable[[str], str]:
    """Finds a program of the system; a proof that needs one which is absent is skipped and says so."""

    def find(name: str) -> str:
        path = shutil.which(name)
        if path is None:
            pytest.skip(f"{name} is not installed (requirements/debian.txt)")
        return path

    return find
