"""Two people who work beside each other on the hub of a test."""

import pytest

from server.hub import Hub
from tests.builders import Person, add_person


@pytest.fixture
def awa(hub: Hub) -> Person:
    """Handles everything, strict cases with it."""
    return add_person(hub, "Awa", is_named_reader=True)


@pytest.fixture
def binta(hub: Hub) -> Person:
    """Handles everything too."""
    return add_person(hub, "Binta", is_named_reader=True)
