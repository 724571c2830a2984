"""Frozen figures: what was published of a quarter that is over, kept once and never changed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from server.store.dialect import insert_new
from server.store.figure_tables import frozen_figure


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
