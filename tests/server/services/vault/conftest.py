"""Fixtures that the tests of the vault share: a hub with places, its readers, and a device of Gao."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from server.hub import Hub
from server.services import places
from tests.builders import Clock, FoundedKeys, Sender, add_person, enrolled, found_keyring, open_bare_hub

PLACES = Path(__file__).resolve().parents[4] / "fixtures" / "places" / "mali-2026.1.csv"


@pytest.fixture
def hub(hub_url: str, tmp_path: Path) -> Iterator[Hub]:
    """A hub with places and no keys, whose devices seal statements when they are strict."""
    opened = open_bare_hub(hub_url, tmp_path, Clock(), seal_statement="strict")
    places.import_list(opened.store, places.read_list_file(PLACES, "2026.1"), "essai", opened.clock())
    yield opened
    opened.close()


@pytest.fixture
def keys(hub: Hub) -> FoundedKeys:
    """Coordinators of Gao and of Mopti, and a national one who is a named reader."""
    gao = add_person(hub, "gao", regions=["ml-r-gao"])
    mopti = add_person(hub, "mopti", regions=["ml-r-mopti"])
    return found_keyring(hub, gao, mopti, add_person(hub, "nationale", is_named_reader=True))


@pytest.fixture
def device(hub: Hub, keys: FoundedKeys) -> Sender:
    assert keys
    return enrolled(hub, "Gao 1", team="gao")
