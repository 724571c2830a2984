"""Packages that left, by rows of their own, and what a destination says of them."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from server.domain.packages import Item, Shape, State, Way
from server.domain.permission import JOB
from server.hub import Hub
from server.services.cases import destinations
from server.services.cases.acknowledging import acknowledge_new
from server.services.commission.answering import Taken, take_answer
from server.store import packages, registry
from server.store.packages import Package, Series, Told
from tests.builders import Person, Sender
from tests.case_work import at_desk
from tests.commission import CNDH, SINCE

# By reference, the registry number of the complaint that it is of, and what a package says of it.
Said = Mapping[str, tuple[str, Shape]]
QUARTER = "2026-T3"


def lay_series(hub: Hub, who: Person, address: str = "", pin: str = "") -> Series:
    """A destination with a series, by an address where there is one."""
    way: Way = "https" if address else "folder"
    made = Series(CNDH.code, "CNDH", SINCE, way, address, pin, "", None, None, hub.clock(), who.actor.signature)
    destinations.add(hub.store, at_desk(hub, who), [CNDH])
    with hub.store.write() as connection:
        packages.add_series(connection, made)
    return made


def opened(hub: Hub, phone: Sender, *lines: bytes) -> list[str]:
    """Complaints that the hub acknowledged, which opened their cases; gives their registry numbers."""
    with hub.store.read() as connection:
        before = connection.exec_driver_sql("SELECT count(*) FROM complaint").scalar() or 0
    phone.send(*lines)
    acknowledge_new(hub.store, hub.desk(JOB).places, hub.clock())
    return [f"SRE-{hub.clock().year}-{before + n:06}" for n in range(1, len(lines) + 1)]


def package_of(hub: Hub, who: Person, said: Said, no: int = 1, state: State = "transmitted", **values: Any) -> Package:
    """A package that somebody prepared, with what it says; transmitted now, or in another state."""
    is_sealed = state != "prepared"
    left_at: datetime | None = hub.clock() if state not in ("prepared", "sealed", "cancelled") else None
    made = Package(
        id=0,
        destination=CNDH.code,
        prefix="CNDH",
        quarter=QUARTER,
        no=no,
        state=state,
        as_of=hub.clock(),
        prepared_by=who.actor.signature,
        counts={},
        choice="c" * 64,
        manifest=manifest(no) if is_sealed else None,
        transmitted_at=left_at,
        **values,
    )
    with hub.store.write() as connection:
        id = packages.add(connection, made)
        of = {number: registry.complaint_numbered(connection, number) for number, _ in said.values()}
        told = [Told(Item(ref, shape), of[number], {}, ["facts"]) for ref, (number, shape) in said.items()]
        packages.set_items(connection, id, told)
        found = packages.find(connection, made.number)
    assert found is not None
    return found


def manifest(no: int) -> str:
    """The digest of the manifest of a package that `package_of` made."""
    return hashlib.sha256(f"manifest {no}".encode()).hexdigest()


def word(ref: str, verdict: str = "accepted", **more: str) -> dict[str, str]:
    """What a destination says of one item."""
    return {"ref": ref, "verdict": verdict, **more}


def accuse(package: Package, *words: Mapping[str, str], **changes: Any) -> dict[str, Any]:
    """The answer to a package, as its destination writes it."""
    said = {"package": package.number.text, "manifest_sha256": package.manifest, "received_at": "2027-01-05"}
    return {**said, "by": "Greffe", "items": list(words), **changes}


def take(hub: Hub, who: Person, package: Package, *words: Mapping[str, str], **changes: Any) -> Taken:
    """Take such an answer in."""
    said = accuse(package, *words, **changes)
    return take_answer(hub.store, at_desk(hub, who), package.number.text, said)
