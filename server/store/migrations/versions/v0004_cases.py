"""Cases: what they are, their complaints, timelines and notes; what waits for somebody."""

from typing import Final

import sqlalchemy as sa
from alembic import op

from server.store.dialect import ID, JSON, UtcTime

revision = "0004"
down_revision = "0003"

_STATUSES: Final = (
    "status IN ('received', 'acknowledged', 'in_triage', 'needs_information', 'in_progress', 'referred', 'resolved',"
    " 'inadmissible', 'reopened', 'duplicate', 'closed', 'withdrawn')"
)
_URGENCIES: Final = "urgency IN ('U1', 'U2', 'U3', 'U4')"

# Written out, and never changed again: later versions alter what this one made.
_TABLES: Final[dict[str, tuple[sa.schema.SchemaItem, ...]]] = {
    "casefile": (
        sa.Column("id", ID, primary_key=True),
        sa.Column("ref", sa.String(30), nullable=False, unique=True),
        sa.Column("complaint", ID, sa.ForeignKey("complaint.id"), unique=True),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("status_since", UtcTime, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False, server_default="0"),
        sa.Column("owner", sa.String(36), sa.ForeignKey("account.id")),
        sa.Column("kind", sa.String(64)),
        sa.Column("urgency", sa.String(2), nullable=False),
        sa.Column("word", JSON),
        sa.Column("moved_by", sa.String(80)),
        sa.Column("was_paused", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("opened_at", UtcTime, nullable=False),
        sa.Column("closed_at", UtcTime),
        sa.Column("outcome", sa.String(64)),
        sa.Column("closure", sa.String(64)),
        sa.Column("joined_into", ID, sa.ForeignKey("casefile.id"), index=True),
        sa.Column("left_status", sa.String(20)),
        sa.Column("left_since", UtcTime),
        sa.CheckConstraint(_STATUSES, name="status"),
        sa.CheckConstraint(_URGENCIES, name="urgency"),
    ),
    "case_complaint": (
        sa.Column("complaint", ID, sa.ForeignKey("complaint.id"), primary_key=True, autoincrement=False),
        sa.Column("casefile", ID, sa.ForeignKey("casefile.id"), nullable=False, index=True),
        sa.Column("at", UtcTime, nullable=False),
        sa.Column("urgency", sa.String(2), nullable=False),
        sa.CheckConstraint(_URGENCIES, name="urgency"),
    ),
    "timeline": (
        sa.Column("casefile", ID, sa.ForeignKey("casefile.id"), primary_key=True, autoincrement=False),
        sa.Column("no", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("code", sa.String(20), nullable=False),
        sa.Column("actor", sa.String(80), nullable=False),
        sa.Column("at", UtcTime, nullable=False),
        sa.Column("complaint", ID, sa.ForeignKey("complaint.id"), index=True),
        sa.Column("fields", JSON, nullable=False),
        sa.Column("before", JSON, nullable=False),
        sa.Column("undo_until", UtcTime),
        sa.Column("step", JSON),
        sa.Column("tells_at", UtcTime),
        sa.Column("undoes", sa.Integer),
    ),
    "case_waiting": (
        sa.Column("complaint", ID, sa.ForeignKey("complaint.id"), primary_key=True, autoincrement=False),
        sa.Column("casefile", ID, sa.ForeignKey("casefile.id"), unique=True),
        sa.Column("urgency", sa.String(2), nullable=False),
        sa.Column("since", UtcTime, nullable=False),
        sa.Column("team", sa.String(80)),
        sa.Column("partner", sa.String(80)),
        sa.Column("place_id", sa.String(80)),
        sa.Index("ix_case_waiting_order", "urgency", "since", "complaint", "team", "partner", "place_id"),
        sa.CheckConstraint(_URGENCIES, name="urgency"),
    ),
    "note": (
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("complaint", ID, sa.ForeignKey("complaint.id"), nullable=False, index=True),
        sa.Column("account", sa.String(36), sa.ForeignKey("account.id"), nullable=False),
        sa.Column("at", UtcTime, nullable=False),
        sa.Column("box", sa.LargeBinary, nullable=False),
        sa.Column("keys", JSON, nullable=False),
    ),
}
# Of what is here already nobody has computed it: what may be urgent comes first until it was looked at.
_WAITING: Final = (
    "INSERT INTO case_waiting (complaint, urgency, since, team, partner, place_id)"
    " SELECT complaint.id, 'U1', received.received_at, coalesce(lineage.team, complaint.team),"
    " coalesce(device.partner, complaint.partner), complaint.place_id"
    " FROM complaint JOIN received ON received.id = complaint.id JOIN lineage ON lineage.id = received.lineage"
    " JOIN device ON device.id = received.device"
)


def upgrade() -> None:
    """Create the tables, and let every complaint that is here wait for its first act."""
    for name, items in _TABLES.items():
        options = {"sqlite_autoincrement": True} if name == "casefile" else {}
        op.create_table(name, *items, **options)
    op.execute(_WAITING)


def downgrade() -> None:
    """Drop them all."""
    for name in reversed(_TABLES):
        op.drop_table(name)
