"""Fixtures that the tests of duplicates share: a hub with its models, two people who decide, and a device."""

import pytest

from server.hub import Hub
from server.services.duplicates import matching
from tests.builders import Person, Sender, add_person, enrolled
from tests.pair_work import send


@pytest.fixture
def hub(own_hub: Hub) -> Hub:
    matching.keep_models(own_hub.store, own_hub.clock())
    return own_hub


@pytest.fixture
def awa(hub: Hub) -> Person:
    """Handles everything, strict cases with it."""
    return add_person(hub, "Awa", is_named_reader=True)


@pytest.fixture
def binta(hub: Hub) -> Person:
    """Handles everything too."""
    return add_person(hub, "Binta", is_named_reader=True)


@pytest.fixture
def sender(hub: Hub) -> Sender:
    return enrolled(hub, "Gao 1")


@pytest.fixture
def ids(hub: Hub) -> list[int]:
    """Six complaints, each of a device of its own."""
    return [send(enrolled(hub, f"Gao {at}"), "a")[0] for at in range(6)]
