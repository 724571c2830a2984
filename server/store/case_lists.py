"""Lists of cases: those that are looked for, page by page along one of several lines."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Literal, get_args

import sqlalchemy as sa

from server.store.case_tables import case_complaint, casefile
from server.store.cases import has_other, in_index, within
from server.store.dialect import among
from server.store.due import LINE as DUE_LINE
from server.store.due_tables import deadline_due
from server.store.lines import Conditions, Count, Line, Page, Reach, passed_by
from server.store.schema import complaint, device, lineage, received
from server.store.scopes import Scope

# The newest first, the oldest, the most urgent, what is due next.
Order = Literal["newest", "oldest", "urgency", "deadline"]
ORDERS: Final[tuple[Order, ...]] = get_args(Order)


@dataclass(frozen=True)
class Wanted:
    """Which cases are looked for, all of it at once; what is None is not asked for.

    `statuses`: one is looked up, several are passed by. `owner`: the id of an account, empty for nobody. `places`:
    where it happened. `late_at`: something was due before that. `cases`: ids, of which there are few.
    """

    statuses: Collection[str] | None = None
    owner: str | None = None
    places: Collection[str] | None = None
    late_at: datetime | None = None
    cases: Collection[int] | None = None


@dataclass(frozen=True)
class Listed:
    """A case in a list, with what its first complaint says: of a duplicate, the one that it was opened for."""

    id: int
    ref: str
    status: str
    urgency: str
    owner: str | None
    revision: int
    kind: str
    place_id: str | None
    confidentiality: str
    received_at: datetime
    collected_at: datetime | None


LINES: Final[Mapping[Order, Line]] = {
    "newest": Line((casefile.c.ref,), is_down=True),
    "oldest": Line((casefile.c.ref,)),
    "urgency": Line((casefile.c.urgency, casefile.c.ref)),
    "deadline": DUE_LINE,
}


def page(connection: sa.Connection, scope: Scope, wanted: Wanted, order: Order, reach: Reach) -> Page[Listed]:
    """The cases that are wanted, every complaint of which is in the scope, that come next in an order."""
    line = LINES[order]
    if wanted.cases is not None:
        reach = replace(reach, stretch=None)
    select = _select(connection, scope, wanted, line)
    return line.page(connection, select, _looked_up(wanted, line), reach, _listed)


def count(connection: sa.Connection, scope: Scope, wanted: Wanted, order: Order) -> Count:
    """How many `page` gives, page after page, as far as a list counts."""
    line = LINES[order]
    return line.count(connection, _select(connection, scope, wanted, line), _looked_up(wanted, line))


# The complaint by which a case is shown.
_FIRST: Final = sa.func.coalesce(
    sa.select(sa.func.min(case_complaint.c.complaint))
    .where(case_complaint.c.casefile == casefile.c.id)
    .scalar_subquery(),
    casefile.c.complaint,
)
_NAMES: Final = tuple(Listed.__dataclass_fields__)


def _looked_up(wanted: Wanted, line: Line) -> Conditions:
    """What an index that keeps the order of the line leads to: what is not so is not even passed by."""
    if line is DUE_LINE:
        return [] if wanted.late_at is None else [deadline_due.c.due_at < wanted.late_at]
    if line.columns != (casefile.c.ref,):
        return []
    if wanted.owner is not None:
        return [_owned(wanted.owner)]
    if wanted.statuses is not None and len(wanted.statuses) == 1:
        return [casefile.c.status == next(iter(wanted.statuses))]
    return []


def _owned(owner: str) -> sa.ColumnElement[bool]:
    return casefile.c.owner == owner if owner else casefile.c.owner.is_(None)


def _select(connection: sa.Connection, scope: Scope, wanted: Wanted, line: Line) -> sa.Select[Any]:
    case = casefile.c
    columns = (
        case.id,
        case.ref,
        case.status,
        case.urgency,
        case.owner,
        case.revision,
        sa.func.coalesce(case.kind, complaint.c.kind),
        complaint.c.place_id,
        complaint.c.confidentiality,
        received.c.received_at,
        complaint.c.collected_at,
    )
    joined = deadline_due.join(casefile, case.id == deadline_due.c.casefile) if line is DUE_LINE else casefile
    whole = (
        joined.join(complaint, complaint.c.id == _FIRST)
        .join(received, received.c.id == complaint.c.id)
        .join(lineage, lineage.c.id == received.c.lineage)
        .join(device, device.c.id == received.c.device)
    )
    return (
        sa.select(*columns)
        .select_from(whole)
        .where(*_passed_by(connection, wanted, line))
        # What the row itself tells of the scope comes before all that has to be looked up for it.
        .where(*(passed_by(each) for each in in_index(connection, line.table, scope)))
        .where(within(connection, scope, complaint, lineage, device), ~has_other(connection, scope, case.id))
    )


def _passed_by(connection: sa.Connection, wanted: Wanted, line: Line) -> list[sa.ColumnElement[bool]]:
    """What is looked at row by row."""
    found: list[sa.ColumnElement[bool]] = []
    if wanted.statuses is not None:
        found.append(casefile.c.status.in_(wanted.statuses))
    if wanted.owner is not None:
        found.append(_owned(wanted.owner))
    if wanted.places is not None:
        found.append(among(connection, line.table.c.place_id, wanted.places))
    if line is DUE_LINE:
        found.append(~_due_sooner())
    elif wanted.late_at is not None:
        late = deadline_due.alias("late")
        found.append(sa.exists().where(late.c.casefile == casefile.c.id, late.c.due_at < wanted.late_at))
    return [*(passed_by(each) for each in found), *([] if wanted.cases is None else [casefile.c.id.in_(wanted.cases)])]


def _listed(row: sa.Row[Any]) -> Listed:
    return Listed(*row[: len(_NAMES)])


def _due_sooner() -> sa.ColumnElement[bool]:
    """Whether something else of the case is due before that."""
    sooner = deadline_due.alias("sooner")
    key = sa.tuple_(sooner.c.due_at, sooner.c.deadline)
    return sa.exists().where(
        sooner.c.casefile == deadline_due.c.casefile, key < sa.tuple_(deadline_due.c.due_at, deadline_due.c.deadline)
    )
