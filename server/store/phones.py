"""Devices that something of a case waits for: when they were asked, and when the network reached them."""

from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa

from server.domain.deadlines import KINDS, Phone
from server.store.case_tables import case_complaint
from server.store.due import Known
from server.store.schema import device
from server.store.task_tables import task, task_told

_DONE = "done"
_ASKED = ("set", "told", _DONE)


def of_deadlines(connection: sa.Connection, known: Collection[Known], now: datetime) -> dict[int, list[Phone]]:
    """By deadline, the devices that were asked for it: of a verification those with a task for that complaint, of what
    is asked after a closed case those with a task for any."""
    wanted = [each for each in known if KINDS[each.stands.kind].waits_for == "device"]
    asked = _asked(connection, {each.casefile for each in wanted}, now)
    found: dict[int, list[Phone]] = {}
    for each in wanted:
        about = each.subject.partition(":")[0]
        found[each.id] = [
            phone
            for case, complaint, phone in asked
            if case == each.casefile and (about == str(complaint) or each.stands.kind != "verification")
        ]
    return found


def _asked(connection: sa.Connection, cases: Collection[int], now: datetime) -> list[tuple[int, int, Phone]]:
    """Case, complaint and phone of each task. One that was done waits for its device no more."""
    if not cases:
        return []
    # Not sa.func.max alone: that loses the type, and with it the zone.
    kind = device.c.last_sync_at.type
    heard = sa.select(sa.func.max(device.c.last_sync_at, type_=kind)).where(device.c.lineage == task.c.lineage)
    delivered = sa.select(sa.func.min(task_told.c.delivered_at, type_=kind)).where(task_told.c.task == task.c.id)
    select = (
        sa.select(
            case_complaint.c.casefile,
            task.c.complaint,
            task.c.state,
            task.c.at,
            delivered.scalar_subquery().label("delivered_at"),
            heard.scalar_subquery().label("heard_at"),
        )
        .join(case_complaint, case_complaint.c.complaint == task.c.complaint)
        .where(case_complaint.c.casefile.in_(cases), task.c.state.in_(_ASKED))
        .order_by(task.c.at, task.c.id)
    )
    return [
        (row.casefile, row.complaint, Phone(row.at, row.delivered_at, now if row.state == _DONE else row.heard_at))
        for row in connection.execute(select)
    ]
