"""Duplicates: profiles, blocking keys, models, links and decisions; what waits to be matched."""

from typing import Final

import sqlalchemy as sa
from alembic import op

from server.store.dialect import ID, UtcTime, unique_where

revision = "0003"
down_revision = "0002"

# Written out, and never changed again: later versions alter what this one made.
_TABLES: Final[dict[str, tuple[sa.schema.SchemaItem, ...]]] = {
    "match_pending": (
        sa.Column("complaint", ID, sa.ForeignKey("complaint.id"), primary_key=True, autoincrement=False),
        sa.Column("claimed_by", sa.String(36)),
        sa.Column("claimed_until", UtcTime),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("turn", sa.SmallInteger, nullable=False, server_default="0"),
        sa.Index("ix_match_pending_turn_complaint", "turn", "complaint"),
    ),
    "match_profile": (
        sa.Column("complaint", ID, sa.ForeignKey("complaint.id"), primary_key=True, autoincrement=False),
        sa.Column("scheme", sa.Integer, nullable=False),
        sa.Column("features", sa.LargeBinary, nullable=False),
        sa.Column("posted", sa.LargeBinary, nullable=False),
        sa.Column("is_matchable", sa.Boolean, nullable=False),
        sa.Column("by_facts", sa.Boolean, nullable=False, server_default=sa.false()),
    ),
    "match_told": (
        sa.Column("complaint", ID, sa.ForeignKey("complaint.id"), primary_key=True, autoincrement=False),
        sa.Column("device", sa.Integer, sa.ForeignKey("device.number"), primary_key=True, autoincrement=False),
        sa.Column("seq", ID, primary_key=True, autoincrement=False),
        sa.Column("identity", sa.Boolean, nullable=False),
        sa.Column("statement", sa.Boolean, nullable=False),
        sa.Column("traces", sa.Boolean, nullable=False),
    ),
    "match_key": (
        sa.Column("k", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("complaint", ID, primary_key=True, autoincrement=False),
        sa.Column("source", sa.SmallInteger, primary_key=True, autoincrement=False),
    ),
    "model": (
        sa.Column("version", sa.String(40), primary_key=True),
        sa.Column("relation", sa.String(20), nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("at", UtcTime, nullable=False),
        sa.Column("base", sa.String(40), sa.ForeignKey("model.version")),
        sa.Column("decisions", sa.Integer),
        sa.CheckConstraint("relation IN ('same_incident', 'same_complainant')", name="relation"),
        sa.CheckConstraint("state IN ('current', 'proposed', 'old')", name="state"),
        unique_where("ix_model_current", "relation", "state = 'current'"),
    ),
    "link": (
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("a", ID, sa.ForeignKey("complaint.id"), nullable=False),
        sa.Column("b", ID, sa.ForeignKey("complaint.id"), nullable=False, index=True),
        sa.Column("relation", sa.String(20), nullable=False),
        sa.Column("model", sa.String(40), sa.ForeignKey("model.version")),
        sa.Column("reasons", sa.Text, nullable=False),
        sa.Column("weight", sa.Float, nullable=False),
        sa.Column("probability", sa.Float, nullable=False),
        sa.Column("band", sa.String(10), nullable=False),
        sa.Column("shelf", sa.String(10), nullable=False),
        sa.Column("value", sa.Float, nullable=False),
        sa.Column("draw", sa.Integer, nullable=False),
        sa.Column("was_scored", sa.Boolean, nullable=False),
        sa.Column("state", sa.String(10), nullable=False, server_default="proposed"),
        sa.Column("at", UtcTime, nullable=False),
        sa.UniqueConstraint("a", "b", "relation"),
        sa.CheckConstraint("a < b", name="order"),
        sa.CheckConstraint("relation IN ('retry', 'same_incident', 'same_complainant')", name="relation"),
        sa.CheckConstraint("band IN ('strong', 'possible', 'silent')", name="band"),
        sa.CheckConstraint("shelf IN ('strong', 'possible', 'blind', 'silent')", name="shelf"),
        sa.CheckConstraint("state IN ('proposed', 'confirmed', 'rejected')", name="state"),
        sa.Index("ix_link_state_shelf_value", "state", "shelf", "value"),
        sa.Index("ix_link_state_shelf_draw", "state", "shelf", "draw"),
    ),
    "decision": (
        sa.Column("link", sa.BigInteger, sa.ForeignKey("link.id"), primary_key=True, autoincrement=False),
        sa.Column("no", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("verdict", sa.String(10), nullable=False),
        sa.Column("account", sa.String(36), sa.ForeignKey("account.id"), nullable=False, index=True),
        sa.Column("reason", sa.String(20)),
        sa.Column("at", UtcTime, nullable=False),
        sa.Column("undoes", sa.Integer),
        sa.Column("is_blind", sa.Boolean, nullable=False),
        sa.Column("is_second", sa.Boolean, nullable=False),
        sa.Column("model", sa.String(40)),
        sa.Column("reasons", sa.Text, nullable=False),
        sa.Column("weight", sa.Float, nullable=False),
        sa.Column("probability", sa.Float, nullable=False),
        sa.Column("band", sa.String(10), nullable=False),
        sa.CheckConstraint("verdict IN ('confirmed', 'rejected', 'unsure', 'undone')", name="verdict"),
        sa.CheckConstraint(
            "reason IN ('people', 'facts', 'place_and_day', 'team', 'namesake', 'other_time', 'other_place',"
            " 'mistake', 'news', 'other')",
            name="reason",
        ),
    ),
}
_PENDING_INDEX: Final = "ix_linkage_pending_lineage_complaint"


def upgrade() -> None:
    """Create the tables, and have every complaint that is here matched."""
    for name, items in _TABLES.items():
        options = {"sqlite_with_rowid": False} if name in ("match_key", "match_told") else {}
        op.create_table(name, *items, **options)
    op.create_index(_PENDING_INDEX, "linkage_pending", ["lineage", "complaint"])
    op.execute("INSERT INTO match_pending (complaint) SELECT id FROM complaint")


def downgrade() -> None:
    """Drop them all."""
    op.drop_index(_PENDING_INDEX, "linkage_pending")
    for name in reversed(_TABLES):
        op.drop_table(name)
