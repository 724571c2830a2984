"""The tables of status back: what devices are to be told of each complaint, and were; docs/database.md says more."""

from typing import Final

import sqlalchemy as sa

from server.store.columns import column, metadata, uuid
from server.store.dialect import ID, UtcTime

# Steps of the timeline that nobody was told yet, once for each complaint that the case had when they were made.
step_waiting: Final = sa.Table(
    "step_waiting",
    metadata,
    # Of one complaint it rises in the order in which the entries were made, in whatever case; no clock says that.
    sa.Column("id", ID, primary_key=True),
    column("complaint", ID, sa.ForeignKey("complaint.id")),
    column("casefile", ID, sa.ForeignKey("casefile.id"), index=True),
    column("no", sa.Integer),
    column("tells_at", UtcTime, index=True),
    sa.UniqueConstraint("complaint", "casefile", "no"),
)

told_step: Final = sa.Table(
    "told_step",
    metadata,
    column("complaint", ID, sa.ForeignKey("complaint.id"), primary_key=True, autoincrement=False),
    # No row that has to be there: the complaint went elsewhere, and the case may be gone.
    column("casefile", ID, primary_key=True, autoincrement=False),
    column("no", sa.Integer, primary_key=True, autoincrement=False),
    # The change that says it. Two steps that say the same are one change.
    uuid("lineage", sa.ForeignKey("lineage.id")),
    column("n", ID),
    column("template", sa.String(40)),
    column("at", UtcTime),
    # When a person saw it on the device.
    column("seen_at", UtcTime, null=True),
    sa.Index("ix_told_step_change", "lineage", "n"),
)
