"""Receiving: what was sent to a destination, as somebody sees it there: by reference, without a name and a case."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import sqlalchemy as sa

from server.domain.desk import Desk
from server.domain.errors import NotFound
from server.domain.packages import Item, Number, State
from server.domain.permission import may_ever
from server.domain.referral import Destination
from server.services.commission import answering
from server.services.commission.answering import Slip, Taken
from server.store import destinations, packages
from server.store.engine import Store
from server.store.packages import Package

# Of a package that did not leave its destination knows nothing.
_SENT: Final[frozenset[State]] = frozenset({"transmitted", "received", "closed"})


@dataclass(frozen=True)
class Delivery:
    """A package as its destination sees it: of `items` things that it says, a word was said of `settled`.

    `digits`: the first of the manifest's SHA-256, once somebody there showed to have it; empty before.
    """

    number: str
    quarter: str
    state: State
    transmitted_at: datetime
    answered_at: datetime | None
    by: str
    items: int
    settled: int
    digits: str


def destination_of(store: Store, desk: Desk) -> Destination | None:
    """The destination for which the actor speaks; None for whom nobody said for which."""
    _require_some(desk)
    with store.read() as connection:
        return destinations.find(connection, [desk.actor.destination or ""]).get(desk.actor.destination or "")


def listed(store: Store, desk: Desk) -> list[Delivery]:
    """What was sent there, the last first. Raises NotFound for whoever speaks for no destination at all."""
    _require_some(desk)
    to = desk.actor.destination
    with store.read() as connection:
        found = [] if to is None else [each for each in packages.listed(connection, [to]) if each.state in _SENT]
        counts = packages.counts_of_items(connection, [each.id for each in found])
    return [_delivery(each, *counts.get(each.id, (0, 0))) for each in found]


def one(store: Store, desk: Desk, number: str) -> tuple[Delivery, Sequence[Item]]:
    """A package that was sent there, and what it says, by reference.

    Raises NotFound for what is not there, was not sent, or was sent to somebody else: nobody is told which.
    """
    with store.read() as connection:
        package = _sent(connection, desk, number)
        items = [each.item for each in packages.items(connection, package.id)]
    return _delivery(package, len(items), sum(each.verdict is not None for each in items)), items


def take_answer(store: Store, desk: Desk, number: str, said: object) -> Taken:
    """Take in what its destination says of a package. Raises NotFound as `one`, and as `answering.take_answer`."""
    with store.read() as connection:
        _sent(connection, desk, number)
    return answering.take_answer(store, desk, number, said)


def take_slip(store: Store, desk: Desk, number: str, slip: Slip) -> Taken:
    """As `take_answer`, of what somebody ticked there. Raises as `answering.take_slip`."""
    with store.read() as connection:
        _sent(connection, desk, number)
    return answering.take_slip(store, desk, number, slip)


def _sent(connection: sa.Connection, desk: Desk, number: str) -> Package:
    read = Number.read(number)
    package = None if read is None else packages.find(connection, read)
    if package is None or package.state not in _SENT or not answering.speaks_for(desk, package.destination):
        raise NotFound(object=number)
    return package


def _require_some(desk: Desk) -> None:
    """Whoever has the role: for which destination, if any, is another matter. Raises NotFound."""
    if not may_ever(desk.actor, answering.ANSWERS):
        raise NotFound(object="packages")


def _delivery(package: Package, items: int, settled: int) -> Delivery:
    assert package.transmitted_at is not None
    assert package.manifest is not None
    return Delivery(
        number=package.number.text,
        quarter=package.quarter,
        state=package.state,
        transmitted_at=package.transmitted_at,
        answered_at=package.answered_at,
        by=package.answer_by or "",
        items=items,
        settled=settled,
        digits=package.manifest[: answering.SLIP_CHARS] if package.answered_at else "",
    )
