"""Fixtures of the client's tests: a fresh folder, an enrolled outbox in it, and the program run on it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from client_sync.cli import main
from client_sync.outbox import Outbox
from client_sync.stores import Folder
from tests.client_sync.builders import enrolled_outbox


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """The folder of a new device; nothing is in it."""
    return Folder(tmp_path / "device")


@pytest.fixture
def outbox(folder: Folder) -> Iterator[Outbox]:
    """The open outbox of an enrolled device with nothing to send."""
    outbox = enrolled_outbox(folder)
    yield outbox
    outbox.close()


@pytest.fixture
def run(folder: Folder) -> Callable[..., Result]:
    """Runs the program as `carnet` on the folder of the test."""

    def call(*arguments: object, typed: str = "") -> Result:
        given = ["--folder", str(folder.path), *map(str, arguments)]
        return CliRunner().invoke(main, given, input=typed, prog_name="carnet")

    return call
