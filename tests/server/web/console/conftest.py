"""Fixtures of the console's tests: a hub with places and keys, and people at their browsers."""

from pathlib import Path

import pytest

from server.hub import Hub
from server.services import places
from tests.browsing import Browser, person_at
from tests.builders import with_keyring

PLACES = Path(__file__).resolve().parents[4] / "fixtures" / "places" / "mali-2026.1.csv"


@pytest.fixture
def hub(own_hub: Hub) -> Hub:
    """A hub of this test alone, which knows Mali's places and whose devices can seal."""
    gazetteer = places.read_list_file(PLACES, places.version_in(PLACES))
    places.import_list(own_hub.store, gazetteer, PLACES.name, own_hub.clock())
    return own_hub


@pytest.fixture
def awa(hub: Hub) -> Browser:
    """A coordinator of everything, who may read strict cases."""
    return person_at(hub, "Awa", "coordinator", is_named_reader=True)


@pytest.fixture
def binta(hub: Hub) -> Browser:
    """A coordinator of everything but strict cases."""
    return person_at(hub, "Binta", "coordinator")


@pytest.fixture
def administrator(hub: Hub) -> Browser:
    """Who enrols devices and reads no case."""
    return person_at(hub, "Issa", "administrator")


@pytest.fixture
def auditor(hub: Hub) -> Browser:
    """Who reads figures and the log, and no case."""
    return person_at(hub, "Oumou", "auditor")


@pytest.fixture
def sealing_hub(hub: Hub) -> Hub:
    """The same hub, with a keyring that devices seal to."""
    return with_keyring(hub)
