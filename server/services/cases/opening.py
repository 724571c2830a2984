"""Opening: what is done first with a complaint opens its case of one; whatever is done takes its cases in hand."""

from collections.abc import Collection, Mapping

import sqlalchemy as sa

from server.domain.desk import Desk
from server.domain.errors import Busy
from server.services.cases import holding
from server.services.cases.holding import FIRST, OPENED, Case
from server.store import cases, registry


def take(
    connection: sa.Connection, desk: Desk, named: Collection[int], others: Collection[int] = ()
) -> tuple[dict[int, Case], dict[int, Case]]:
    """The cases that have these complaints, by complaint, and `others` by their ids, all of them locked until commit.
    A complaint that has no case yet gets its own.

    Raises NotFound unless the actor handles every complaint of each.
    """
    everyone = holding.reach(connection, named, others)
    cases.lock_complaints(connection, everyone)
    if not holding.reach(connection, named, others) <= everyone:
        # Somebody joined another complaint to one of them at this moment, and that one is not locked.
        raise Busy
    holding.require(connection, desk, everyone)
    for complaint in sorted(set(named) - cases.holding(connection, named).keys()):
        _open(connection, desk, complaint)
    of = cases.holding(connection, named)
    found = holding.read(connection, desk, {*of.values(), *others}, is_locked=True)
    return {complaint: found[id] for complaint, id in of.items()}, {id: found[id] for id in others}


def take_seen(
    connection: sa.Connection, desk: Desk, number: str, seen: int, wanted: Mapping[str, str]
) -> tuple[int, Case]:
    """The complaint with a number and the case that has it, locked as `take` does, as the actor saw that: `seen` is the
    last entry, 0 for what nobody acted on. Raises NotFound, and StaleRevision with what was `wanted`."""
    complaint = holding.complaint_of(connection, number)
    case = take(connection, desk, [complaint])[0][complaint]
    holding.check_seen(connection, case, seen, wanted)
    return complaint, case


def _open(connection: sa.Connection, desk: Desk, complaint: int) -> None:
    """The case of one, of a complaint that is locked and has none."""
    number = registry.numbers_of(connection, [complaint])[complaint]
    urgency = cases.urgency_waiting(connection, complaint)
    id = cases.open_for(connection, complaint, ref=number, status=FIRST, urgency=urgency, at=desk.now)
    [made] = holding.read(connection, desk, [id]).values()
    holding.leave(connection, made, holding.entry_of(desk, made, OPENED, complaint=complaint), {})
    holding.renew(connection, [id])
