"""Fixtures of the client's tests: a fresh folder, and an enrolled outbox in it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

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
