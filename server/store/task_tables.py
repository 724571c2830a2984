"""The tables of tasks that devices get; what each is for stands in docs/database.md."""

from typing import Final

import sqlalchemy as sa

from server.store.columns import code, column, metadata, uuid
from server.store.dialect import ID, JSON, UtcTime

task: Final = sa.Table(
    "task",
    metadata,
    uuid("id", primary_key=True),
    column("complaint", ID, sa.ForeignKey("complaint.id"), index=True),
    column("kind", sa.String(20)),
    uuid("lineage", sa.ForeignKey("lineage.id"), index=True),
    # Whose key the box is sealed to.
    uuid("device", sa.ForeignKey("device.id"), index=True),
    column("state", sa.String(10)),
    column("opens_on", sa.String(10)),
    column("closes_on", sa.String(10)),
    column("place", sa.String(80), null=True),
    # What the device's holder is to know, which nobody at the hub can open; gone once the task has ended.
    column("box", sa.LargeBinary, null=True),
    # By which the device may reach the person, as it was told; its box holds no more than these take.
    column("ways", JSON),
    column("repeats", sa.Boolean),
    # The task of which this is the next time.
    uuid("follows", null=True),
    column("at", UtcTime),
    column("by", sa.String(80)),
    sa.Index("ix_task_state", "state"),
    sa.Index("ix_task_repeats", "repeats"),
)

# In which change a lineage was told of a task, and since when it is told that there is none any more.
task_told: Final = sa.Table(
    "task_told",
    metadata,
    uuid("task", sa.ForeignKey("task.id"), primary_key=True),
    uuid("lineage", sa.ForeignKey("lineage.id"), primary_key=True),
    column("n", ID, primary_key=True, autoincrement=False),
    # When the device said to have that change.
    column("delivered_at", UtcTime, null=True),
    column("gone_at", UtcTime, null=True),
    sa.Index("ix_task_told_gone_at", "gone_at"),
    sa.Index("ix_task_told_lineage", "lineage", "n"),
)

# What came of a task, from each device that did it.
task_result: Final = sa.Table(
    "task_result",
    metadata,
    uuid("task", sa.ForeignKey("task.id"), primary_key=True),
    uuid("lineage", sa.ForeignKey("lineage.id"), primary_key=True),
    uuid("client_id", primary_key=True),
    column("received", ID, sa.ForeignKey("received.id"), unique=True),
    code("outcome"),
    column("done_on", sa.String(10), null=True),
    code("method", null=True),
    column("sources", sa.Integer, null=True),
    code("certainty", null=True),
    # The finding on the act that is proposed with it; a coordinator verifies.
    column("state", sa.String(20), null=True),
    # It came when the task was over, or recalled.
    column("is_late", sa.Boolean),
    column("at", UtcTime),
)
