"""Packages that left, without what makes them: their rows, and what a destination says of them."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from server.domain.packages import Item, Shape, State
from server.hub import Hub
from server.services.cases import destinations
from server.services.cases.acknowledging import acknowledge_new
from server.services.cases.telling import tell_due
from server.services.commission import answering
from server.services.commission.answering import Taken
from server.store import packages, registry
from server.store.packages import Package, Series, Told
from tests.builders import Person, Sender, an_id
from tests.case_work import at_desk
from tests.commission import CNDH, SINCE

# By reference, what a package says of which complaint, by its registry number.
Said = Mapping[str, tuple[str, Shape]]


def lay_series(hub: Hub, who: Person, address: str = "") -> Series:
    """A destination with a series, by an address where there is one."""
    way = "https" if address else "folder"
    made = Series(CNDH.code, "CNDH", SINCE, way, address, "", "", None, None, hub.clock(), who.actor.signature)
    destinations.add(hub.store, at_desk(hub, who), [CNDH])
    with hub.store.write() as connection:
        packages.add_series(connection, made)
    return made


def opened(hub: Hub, phone: Sender, *lines: bytes) -> list[str]:
    """Complaints that the hub has acknowledged, which opened their cases; gives their registry numbers."""
    with hub.store.read() as connection:
        before = connection.exec_driver_sql("SELECT count(*) FROM registry").scalar() or 0
    phone.send(*lines)
    acknowledge_new(hub.store, hub.desk(phone_job()).places, hub.clock())
    return [f"SRE-{hub.clock().year}-{before + n:06}" for n in range(1, len(lines) + 1)]


def phone_job() -> Any:
    """Who acknowledges."""
    from server.domain.permission import JOB

    return JOB
