"""Fixtures that every test may ask for: fresh databases on both engines, and programs of the system."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.postgres import Cluster, running_cluster


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
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A fresh, empty database of this test alone, on each engine in turn, as `open_store` takes it."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'hub.db'}"
    # Asked for here, not as an argument: the SQLite half must not start a server.
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
def program() -> Callable[[str], str]:
    """Finds a program of the system; a proof that needs one which is absent is skipped and says so."""

    def find(name: str) -> str:
        path = shutil.which(name)
        if path is None:
            pytest.skip(f"{name} is not installed (requirements/debian.txt)")
        return path

    return find
