"""The tables that figures are counted from and kept in; what each is for stands in docs/database.md."""

from typing import Final

import sqlalchemy as sa

from server.store.columns import column, metadata
from server.store.dialect import ID, JSON, UtcTime

# When cases were closed and opened again, as their timelines say: so few that the stock of a day is soon counted.
case_turn: Final = sa.Table(
    "case_turn",
    metadata,
    # The entry of the timeline; the row goes with the case, and when the entry is taken back.
    column("casefile", ID, sa.ForeignKey("casefile.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    column("no", sa.Integer, primary_key=True, autoincrement=False),
    column("at", UtcTime),
    column("is_closing", sa.Boolean),
)

# What was published of a quarter that is over: it never changes, whatever is learnt later.
frozen_figure: Final = sa.Table(
    "frozen_figure",
    metadata,
    column("period", sa.String(7), primary_key=True),
    column("code", sa.String(4), primary_key=True),
    # The table as it was published; of a cell that was hidden no number is kept.
    column("cells", JSON),
    column("at", UtcTime),
)

# What was counted of some months a while ago, so that a page need not count: the next counting takes its place.
counted_figure: Final = sa.Table(
    "counted_figure",
    metadata,
    # Months, as in 2026-07.
    column("first", sa.String(7), primary_key=True),
    column("last", sa.String(7), primary_key=True),
    column("code", sa.String(4), primary_key=True),
    # As in `frozen_figure`.
    column("cells", JSON),
    column("at", UtcTime, index=True),
)
