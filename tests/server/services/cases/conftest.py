"""Fixtures that the tests of case work share: a hub, somebody who handles Gao alone, and complaints."""

import pytest

from server.hub import Hub
from tests.builders import Person, Sender, add_person, complaint, enrolled
from tests.case_work import Numbers


@pytest.fixture
def hub(own_hub: Hub) -> Hub:
    return own_hub


@pytest.fixture
def gao(hub: Hub) -> Person:
    """Handles what the team of Gao sent, unless it is strict."""
    return add_person(hub, "Cheick", teams=["gao"])


@pytest.fixture
def phone(hub: Hub) -> Sender:
    """A device of the team of Gao."""
    return enrolled(hub, "Gao 1", team="gao")


@pytest.fixture
def numbers(hub: Hub) -> Numbers:
    """Four complaints: two of the team of Gao, one of Mopti's, one strict of Gao's."""
    of_gao, of_mopti = enrolled(hub, "Gao 1", team="gao"), enrolled(hub, "Mopti 1", team="mopti")
    of_gao.send(complaint("a"), complaint("b"))
    of_mopti.send(complaint("c"))
    of_gao.send(complaint("d", confidentiality="strict"))
    return tuple(f"SRE-{hub.clock().year}-{number:06}" for number in range(1, 5))
