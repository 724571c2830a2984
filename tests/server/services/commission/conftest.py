"""Fixtures that the tests of packages share: a hub of their own, and a device."""

from dataclasses import replace

import pytest

from server.hub import Hub
from tests.builders import Sender, enrolled


@pytest.fixture
def hub(own_hub: Hub) -> Hub:
    """One with a name, without which nothing is sealed."""
    return replace(own_hub, settings=replace(own_hub.settings, coalition="Jama Seere"))


@pytest.fixture
def phone(hub: Hub) -> Sender:
    """A device of the team of Ségou."""
    return enrolled(hub, "Ségou 1", team="segou")
