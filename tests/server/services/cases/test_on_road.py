"""Nothing is late because a phone was offline: what waits for a device escalates by when the network reached it."""

from datetime import timedelta

import pytest

from server.domain.task import Window
from server.hub import Hub
from server.services.cases import due, escalating, tasking, verifying
from server.services.cases.tasking import Errand
from tests.builders import Clock, Person, Sender, complaint, enrolled
from tests.case_work import SETTLED, at_desk, move, version

NUMBER = "SRE-2026-000001"


@pytest.fixture
def asked(hub: Hub, awa: Person) -> Sender:
    """A device that shall verify something within thirty days, and does not know of it yet."""
    enrolled(hub, "Gao 1", team="gao").send(complaint("a", contact_ok="yes"))
    sender = enrolled(hub, "Gao 2", team="gao")
    move(hub, awa, NUMBER, "acknowledged")
    move(hub, awa, NUMBER, "in_triage")
    move(hub, awa, NUMBER, "in_progress", **SETTLED)
    desk = at_desk(hub, awa)
    verifying.begin(hub.store, desk, NUMBER, "COR-RACKET", after=version(hub, awa, NUMBER))
    today = hub.clock().date()
    errand = Errand("visit", "Gao 2", window=Window(today, today + timedelta(days=90)))
    tasking.set_task(hub.store, desk, NUMBER, errand, after=version(hub, awa, NUMBER))
    pass_(hub, hours=1)
    tasking.look_after(hub.store, hub.gazetteer(), hub.clock())
    return sender


def pass_(hub: Hub, **time: float) -> None:
    assert isinstance(hub.clock, Clock)
    hub.clock.pass_(**time)


def late(hub: Hub, person: Person) -> dict[str, bool]:
    """By kind what is past its day, and whether it is the network's doing."""
    found = due.listed(hub.store, at_desk(hub, person), 20)
    stands = [(each, each.due.deadline.stands) for each in found]
    return {one.kind: each.is_on_road for each, one in stands if one.state(hub.clock()) == "late"}


def escalate(hub: Hub) -> int:
    return escalating.escalate_due(hub.store, hub.gazetteer(), hub.clock())


def test_phone_that_no_network_reached_makes_nobody_late(hub: Hub, awa: Person, asked: Sender) -> None:
    assert asked
    pass_(hub, days=40)
    assert late(hub, awa) == {"verification": True}
    assert escalate(hub) == 0


def test_time_without_network_is_given_on_top(hub: Hub, awa: Person, asked: Sender) -> None:
    pass_(hub, days=20)
    asked.changes()
    # What it has it says with its next sync.
    asked.changes()
    pass_(hub, days=20)
    asked.changes()
    assert late(hub, awa) == {"verification": True}
    assert escalate(hub) == 0
    # Thirty days, and the twenty that it did not know.
    pass_(hub, days=13)
    assert escalate(hub) == 0
    asked.changes()
    assert late(hub, awa) == {"verification": False}
    assert escalate(hub) == 1
