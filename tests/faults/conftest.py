"""Fixtures of the fault runs: the shim, built once a session."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.faults.replay import ram_folder
from tests.faults.shim import FaultShim, compiled, missing


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder on the disk, which other tests do without: here it is asked what a disk has."""
    with TemporaryDirectory() as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compiled shim; a proof that needs it is skipped, and says so, where there is no compiler."""
    if reason := missing():
        pytest.skip(reason)
    return compiled(tmp_path_factory.mktemp("shim"))


@pytest.fixture
def ram() -> Iterator[Path]:
    """A folder in memory, where the machine allows it: a kill or a cut link loses nothing there that a disk keeps."""
    with ram_folder() as folder:
        yield folder


@pytest.fixture
def shim(library: Path, tmp_path: Path) -> Iterator[FaultShim]:
    """A sound disk and a true clock, until they are armed."""
    with FaultShim(library, tmp_path) as shim:
        yield shim
