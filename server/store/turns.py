"""Turns: when cases were closed and opened again, kept beside their timelines for those who count."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from server.domain.casework import CASEWORK
from server.store.figure_tables import case_turn


def note(connection: sa.Connection, casefile: int, no: int, at: datetime, fields: Mapping[str, Any]) -> None:
    """Keep that an entry, by its fields, closed a case or opened it again; others are none of it."""
    if not {"from", "to"} <= fields.keys():
        return
    was, is_closed = (CASEWORK.statuses[fields[end]].stage == "closed" for end in ("from", "to"))
    if was != is_closed:
        row = {"casefile": casefile, "no": no, "at": at, "is_closing": is_closed}
        connection.execute(sa.insert(case_turn).values(row))


def take_back(connection: sa.Connection, casefile: int, no: int) -> None:
    """An entry was taken back: it closed nothing."""
    connection.execute(sa.delete(case_turn).where(case_turn.c.casefile == casefile, case_turn.c.no == no))
