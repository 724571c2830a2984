"""Lines: indexes by whose order lists are read, page by page, each page no further than a stretch of rows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Generic, TypeVar

import sqlalchemy as sa

from server.store.dialect import UtcTime

# Where a page ends: what its line goes by, of the last row that was looked at.
Key = tuple[Any, ...]
# What has to hold of a row.
Conditions = Sequence[sa.ColumnElement[bool]]
T = TypeVar("T")

# Rows that a page, and a count, looks at: what others have, or what is not asked for, must not cost without end.
STRETCH: Final = 10_000
COUNT_STRETCH: Final = 4_000
# What a list counts at most, and a page says with a plus.
COUNT_MAX: Final = 99

_BETWEEN: Final = "~"
# No id is above it on either engine.
_ID_MAX: Final = 2**63 - 1


@dataclass(frozen=True)
class Page(Generic[T]):
    """Some rows of a list; `ends_at`: the last row of the line that was looked at, None where that was its end."""

    rows: Sequence[T]
    ends_at: Key | None


@dataclass(frozen=True)
class Count:
    """How many there are; `is_more`: at least."""

    n: int
    is_more: bool


@dataclass(frozen=True)
class Reach:
    """How far a page goes: at most `limit` rows of its list, and `stretch` of the line, after a row; None: no end."""

    limit: int
    after: Key | None = None
    stretch: int | None = STRETCH


@dataclass(frozen=True)
class Line:
    """An index, by its columns, in the direction in which it is read."""

    columns: tuple[sa.Column[Any], ...]
    is_down: bool = False

    @property
    def table(self) -> sa.FromClause:
        """The table over which it stands."""
        return self.columns[0].table

    def page(
        self,
        connection: sa.Connection,
        select: sa.Select[Any],
        looked_up: Conditions,
        reach: Reach,
        read: Callable[[sa.Row[Any]], T],
    ) -> Page[T]:
        """The rows of a select over the table that come next, each as `read` makes it.

        `looked_up`: what an index that keeps the order leads to; what is not so does not count for the stretch. What
        the select itself asks is passed by, row after row. Two sentences.
        """
        bound = self.ends_at(connection, looked_up, reach.after, reach.stretch)
        select = self._along(select.add_columns(*self.columns), looked_up, reach.after, bound)
        rows = connection.execute(select.limit(reach.limit + 1)).all()
        if len(rows) > reach.limit:
            rows = rows[: reach.limit]
            bound = tuple(rows[-1])[-len(self.columns) :]
        return Page([read(row) for row in rows], bound)

    def count(self, connection: sa.Connection, select: sa.Select[Any], looked_up: Conditions) -> Count:
        """How many rows a select over the table gives, as far as COUNT_MAX and COUNT_STRETCH; otherwise as `page`."""
        bound = self.ends_at(connection, looked_up, None, COUNT_STRETCH)
        ones = self._along(select.with_only_columns(sa.literal(1)), looked_up, None, bound).limit(COUNT_MAX + 1)
        found = connection.scalar(sa.select(sa.func.count()).select_from(ones.subquery())) or 0
        return Count(min(found, COUNT_MAX), is_more=found > COUNT_MAX or bound is not None)

    def ends_at(
        self, connection: sa.Connection, looked_up: Conditions, after: Key | None, stretch: int | None
    ) -> Key | None:
        """The last row of a stretch of the line, after a row; None where the line ends before, or without a stretch."""
        if stretch is None:
            return None
        select = self._along(sa.select(*self.columns), looked_up, after, None)
        row = connection.execute(select.limit(1).offset(stretch - 1)).one_or_none()
        return None if row is None else tuple(row)

    def read_key(self, text: str) -> Key | None:
        """Where a page ends, as `write_key` wrote it; None for no such text."""
        parts = text.split(_BETWEEN)
        if len(parts) != len(self.columns):
            return None
        try:
            return tuple(_read(column, part) for column, part in zip(self.columns, parts, strict=True))
        except (OverflowError, ValueError):
            return None

    def _along(
        self, select: sa.Select[Any], looked_up: Conditions, after: Key | None, bound: Key | None
    ) -> sa.Select[Any]:
        """In the order of the line, from behind a row up to another, where there are such."""
        beyond, up_to = ("<", ">=") if self.is_down else (">", "<=")
        ends = [self._compared(sign, key) for sign, key in ((beyond, after), (up_to, bound)) if key is not None]
        order = [each.desc() if self.is_down else each.asc() for each in self.columns]
        return select.where(*looked_up, *ends).order_by(*order)

    def _compared(self, sign: str, key: Key) -> sa.ColumnElement[bool]:
        values = [sa.literal(value, column.type) for value, column in zip(key, self.columns, strict=True)]
        return sa.tuple_(*self.columns).bool_op(sign)(sa.tuple_(*values))


def write_key(key: Key) -> str:
    """Where a page ends, as a link carries it."""
    return _BETWEEN.join(each.isoformat() if isinstance(each, datetime) else str(each) for each in key)


def passed_by(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    """The condition as one value, by which nothing can be looked up: what an index of its own leads to would have to be
    sorted first."""
    return sa.func.coalesce(condition, sa.false())


def _read(column: sa.Column[Any], text: str) -> Any:
    if isinstance(column.type, UtcTime):
        at = datetime.fromisoformat(text)
        if at.tzinfo is None:
            raise ValueError("naive time")
        return at.astimezone(UTC)
    if column.type.python_type is int:
        number = int(text)
        if abs(number) > _ID_MAX:
            raise ValueError("no id")
        return number
    if not text or not text.isprintable():
        raise ValueError("no code")
    return text
