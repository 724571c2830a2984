"""Fixtures that the tests of duplicates share: a hub with its models, a device, and complaints."""

import pytest

from server.hub import Hub
from server.services.duplicates import matching
from tests.builders import Sender, enrolled
from tests.pair_work import send


@pytest.fixture
def hub(own_hub: Hub) -> Hub:
    matching.keep_models(own_hub.store, own_hub.clock())
    return own_hub


@pytest.fixture
def sender(hub: Hub) -> Sender:
    return enrolled(hub, "Gao 1")


@pytest.fixture
def ids(hub: Hub) -> list[int]:
    """Six complaints, each of a device of its own."""
    return [send(enrolled(hub, f"Gao {at}"), "a")[0] for at in range(6)]
