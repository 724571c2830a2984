"""Figures that are kept: what was published of a quarter that is over, and what was counted a while ago."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from server.store.dialect import insert_new
from server.store.figure_tables import counted_figure, frozen_figure

# Months that nobody had counted again for so long, nobody reads.
_KEPT: Final = timedelta(days=7)


@dataclass(frozen=True)
class Frozen:
    """A table as it was published, and as of when."""

    cells: Mapping[str, Any]
    at: datetime


def keep(connection: sa.Connection, period: str, tables: Mapping[str, Any], at: datetime) -> bool:
    """Keep the tables of a quarter, by their codes; False, and nothing is changed, where there are some."""
    rows = [{"period": period, "code": code, "cells": cells, "at": at} for code, cells in sorted(tables.items())]
    first, rest = rows[:1], rows[1:]
    if not insert_new(connection, frozen_figure, first, ["period", "code"], frozen_figure.c.code):
        return False
    connection.execute(sa.insert(frozen_figure), rest)
    return True


def find(connection: sa.Connection, period: str, code: str) -> Frozen | None:
    """A table of a quarter; None where it was not frozen."""
    columns = frozen_figure.c
    select = sa.select(columns.cells, columns.at).where(columns.period == period, columns.code == code)
    row = connection.execute(select).one_or_none()
    return None if row is None else Frozen(*row)


def periods(connection: sa.Connection) -> set[str]:
    """The quarters that were frozen."""
    return set(connection.scalars(sa.select(frozen_figure.c.period).distinct()))


def all_frozen(connection: sa.Connection, period: str) -> dict[str, Frozen]:
    """The tables of a quarter, by their codes; none where it was not frozen."""
    columns = frozen_figure.c
    select = sa.select(columns.code, columns.cells, columns.at).where(columns.period == period)
    return {row.code: Frozen(row.cells, row.at) for row in connection.execute(select)}


def count_anew(connection: sa.Connection, months: tuple[str, str], tables: Mapping[str, Any], at: datetime) -> None:
    """Let these be the tables of some months, from the first to the last, in the place of those counted before."""
    columns, (first, last) = counted_figure.c, months
    is_same = (columns.first == first) & (columns.last == last)
    connection.execute(sa.delete(counted_figure).where(is_same | (columns.at < at - _KEPT)))
    rows = [{"first": first, "last": last, "code": code, "cells": cells, "at": at} for code, cells in tables.items()]
    insert_new(connection, counted_figure, rows, ["first", "last", "code"], columns.code)


def counted(connection: sa.Connection, months: tuple[str, str]) -> dict[str, Frozen]:
    """The tables of some months as they were counted last, by their codes; none where nobody asked for them."""
    columns = counted_figure.c
    select = sa.select(columns.code, columns.cells, columns.at)
    select = select.where(columns.first == months[0], columns.last == months[1])
    return {row.code: Frozen(row.cells, row.at) for row in connection.execute(select)}
