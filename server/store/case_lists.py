"""Lists of cases: a page in the order of an index, which is walked no further than a bound, whatever is looked for."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, get_args

import sqlalchemy as sa

from server.store.case_tables import case_complaint, casefile
from server.store.cases import has_other, in_index, within
from server.store.dialect import among
from server.store.due_tables import deadline_due
from server.store.schema import complaint, device, lineage, received
from server.store.scopes import Scope

# The newest first, the oldest, the most urgent, what is due next.
Order = Literal["newest", "oldest", "urgency", "deadline"]
ORDERS: Final[tuple[Order, ...]] = get_args(Order)
# Where a page ends: what its order goes by, of the last row that was looked at.
Key = tuple[Any, ...]


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
    key: Key


@dataclass(frozen=True)
class Page:
    """Some rows in order; `ends_at`: the last row of the index that was looked at, None where that was its end."""

    rows: Sequence[Listed]
    ends_at: Key | None


def page(
    connection: sa.Connection, scope: Scope, wanted: Wanted, order: Order, after: Key | None, limit: int, stretch: int
) -> Page:
    """At most `limit` cases that are wanted, every complaint of which is in the scope, of the next `stretch` in order.

    `after`: the key of the last row before them. Two sentences that read an index in its order.
    """
    line = _LINES[order]
    bound = None if wanted.cases is not None else _bound(connection, line, wanted, after, stretch)
    select = _select(connection, scope, wanted, line).where(*line.beyond(after), *line.up_to(bound))
    select = select.order_by(*line.order).limit(limit + 1)
    found = [_listed(row) for row in connection.execute(select)]
    if len(found) > limit:
        return Page(found[:limit], found[limit - 1].key)
    return Page(found, bound)


@dataclass(frozen=True)
class _Line:
    """An index, by its columns, in the direction in which it is read."""

    columns: tuple[sa.Column[Any], ...]
    is_down: bool = False

    @property
    def table(self) -> sa.FromClause:
        """The table over which it stands: cases, or what is due of them."""
        return self.columns[0].table

    @property
    def is_of_due(self) -> bool:
        """Whether it stands over what is due."""
        return self.table is deadline_due

    @property
    def order(self) -> list[sa.ColumnElement[Any]]:
        return [each.desc() if self.is_down else each.asc() for each in self.columns]

    def beyond(self, key: Key | None) -> list[sa.ColumnElement[bool]]:
        """Further on than a row; from the beginning, where there is none."""
        return [] if key is None else [self._compared("<" if self.is_down else ">", key)]

    def up_to(self, key: Key | None) -> list[sa.ColumnElement[bool]]:
        """No further than a row; to the end, where there is none."""
        return [] if key is None else [self._compared(">=" if self.is_down else "<=", key)]

    def _compared(self, sign: str, key: Key) -> sa.ColumnElement[bool]:
        values = [sa.literal(value, column.type) for value, column in zip(key, self.columns, strict=True)]
        return sa.tuple_(*self.columns).bool_op(sign)(sa.tuple_(*values))


_LINES: Final[dict[Order, _Line]] = {
    "newest": _Line((casefile.c.ref,), is_down=True),
    "oldest": _Line((casefile.c.ref,)),
    "urgency": _Line((casefile.c.urgency, casefile.c.ref)),
    "deadline": _Line((deadline_due.c.due_at, deadline_due.c.deadline)),
}
# The complaint by which a case is shown.
_FIRST: Final = sa.func.coalesce(
    sa.select(sa.func.min(case_complaint.c.complaint))
    .where(case_complaint.c.casefile == casefile.c.id)
    .scalar_subquery(),
    casefile.c.complaint,
)
_NAMES: Final = tuple(name for name in Listed.__dataclass_fields__ if name != "key")


def _bound(
    connection: sa.Connection, line: _Line, wanted: Wanted, after: Key | None, stretch: int
) -> Key | None:
    """The last row that is looked at; None where the list ends before."""
    select = sa.select(*line.columns).order_by(*line.order).limit(1).offset(stretch - 1)
    row = connection.execute(select.where(*_looked_up(wanted, line), *line.beyond(after))).one_or_none()
    return None if row is None else tuple(row)


def _looked_up(wanted: Wanted, line: _Line) -> list[sa.ColumnElement[bool]]:
    """What an index that keeps the order of the line leads to: what is not so is not even passed by."""
    if line.is_of_due:
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


def _select(connection: sa.Connection, scope: Scope, wanted: Wanted, line: _Line) -> sa.Select[Any]:
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
    begun = sa.select(*columns, *line.columns)
    joined = deadline_due.join(casefile, case.id == deadline_due.c.casefile) if line.is_of_due else casefile
    whole = (
        joined.join(complaint, complaint.c.id == _FIRST)
        .join(received, received.c.id == complaint.c.id)
        .join(lineage, lineage.c.id == received.c.lineage)
        .join(device, device.c.id == received.c.device)
    )
    return (
        begun.select_from(whole)
        .where(*_looked_up(wanted, line), *_passed_by(connection, wanted, line))
        # What the row itself tells of the scope comes before all that has to be looked up for it.
        .where(*(_opaque(each) for each in in_index(connection, line.table, scope)))
        .where(within(connection, scope, complaint, lineage, device), ~has_other(connection, scope, case.id))
    )


def _passed_by(connection: sa.Connection, wanted: Wanted, line: _Line) -> list[sa.ColumnElement[bool]]:
    """What is looked at row by row, each as one value: by an index of its own it would have to be sorted first."""
    found: list[sa.ColumnElement[bool]] = []
    if wanted.statuses is not None:
        found.append(casefile.c.status.in_(wanted.statuses))
    if wanted.owner is not None:
        found.append(_owned(wanted.owner))
    if wanted.places is not None:
        found.append(among(connection, line.table.c.place_id, wanted.places))
    if line.is_of_due:
        found.append(~_due_sooner())
    elif wanted.late_at is not None:
        late = deadline_due.alias("late")
        found.append(sa.exists().where(late.c.casefile == casefile.c.id, late.c.due_at < wanted.late_at))
    return [*(_opaque(each) for each in found), *([] if wanted.cases is None else [casefile.c.id.in_(wanted.cases)])]


def _opaque(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    return sa.func.coalesce(condition, sa.false())


def _listed(row: sa.Row[Any]) -> Listed:
    values = dict(zip(_NAMES, row, strict=False))
    return Listed(**values, key=tuple(row[len(_NAMES) :]))


def _due_sooner() -> sa.ColumnElement[bool]:
    """Whether something else of the case is due before that."""
    sooner = deadline_due.alias("sooner")
    key = sa.tuple_(sooner.c.due_at, sooner.c.deadline)
    return sa.exists().where(
        sooner.c.casefile == deadline_due.c.casefile, key < sa.tuple_(deadline_due.c.due_at, deadline_due.c.deadline)
    )
