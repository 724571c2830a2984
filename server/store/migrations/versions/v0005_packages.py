"""Packages: how they go to a destination and who speaks for it, what each had, what was said, and summaries."""

from typing import Final

import sqlalchemy as sa
from alembic import op

from server.store.dialect import ID, JSON, UtcTime

revision = "0005"
down_revision = "0004"

# Written out, and never changed again: later versions alter what this one made.
_TABLES: Final[dict[str, tuple[sa.schema.SchemaItem, ...]]] = {
    "package_series": (
        sa.Column("destination", sa.String(80), sa.ForeignKey("destination.code"), primary_key=True),
        sa.Column("prefix", sa.String(12), nullable=False, unique=True),
        sa.Column("since", sa.String(10), nullable=False),
        sa.Column("way", sa.String(6), nullable=False),
        sa.Column("address", sa.String(500), nullable=False, server_default=""),
        sa.Column("pin", sa.String(64), nullable=False, server_default=""),
        sa.Column("key", sa.String(100), nullable=False, server_default=""),
        sa.Column("key_by", sa.String(80)),
        sa.Column("key_at", UtcTime),
        sa.Column("at", UtcTime, nullable=False),
        sa.Column("by", sa.String(80), nullable=False),
        sa.CheckConstraint("way IN ('folder', 'https')", name="way"),
    ),
    "package": (
        sa.Column("id", ID, primary_key=True),
        sa.Column("destination", sa.String(80), sa.ForeignKey("package_series.destination"), nullable=False),
        sa.Column("prefix", sa.String(12), nullable=False),
        sa.Column("quarter", sa.String(7), nullable=False),
        sa.Column("year", sa.Integer, nullable=False),
        sa.Column("no", sa.Integer, nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("as_of", UtcTime, nullable=False),
        sa.Column("prepared_by", sa.String(80), nullable=False),
        sa.Column("counts", JSON, nullable=False),
        sa.Column("choice", sa.String(64), nullable=False),
        sa.Column("sealed_at", UtcTime),
        sa.Column("sealed_by", sa.String(80)),
        sa.Column("key", sa.String(100)),
        sa.Column("manifest", sa.String(64)),
        sa.Column("previous", sa.String(64)),
        sa.Column("zip", sa.String(64)),
        sa.Column("file", sa.String(64)),
        sa.Column("bytes", sa.BigInteger),
        sa.Column("transmitted_at", UtcTime, index=True),
        sa.Column("transmitted_by", sa.String(80)),
        sa.Column("answered_at", UtcTime),
        sa.Column("answer_at", sa.String(80)),
        sa.Column("answer_by", sa.String(500)),
        sa.Column("closed_at", UtcTime),
        sa.Column("cancelled_at", UtcTime),
        sa.Column("cancelled_by", sa.String(80)),
        sa.Column("reason", sa.String(500)),
        sa.UniqueConstraint("destination", "year", "no"),
        sa.CheckConstraint(
            "state IN ('prepared', 'sealed', 'transmitted', 'received', 'closed', 'cancelled')", name="state"
        ),
    ),
    "package_item": (
        sa.Column("package", ID, sa.ForeignKey("package.id"), primary_key=True, autoincrement=False),
        sa.Column("ref", sa.String(30), primary_key=True),
        sa.Column("shape", sa.String(12), primary_key=True),
        sa.Column("complaint", ID, sa.ForeignKey("complaint.id"), index=True),
        sa.Column("hashes", JSON, nullable=False),
        sa.Column("parts", JSON, nullable=False),
        sa.Column("verdict", sa.String(8)),
        sa.Column("reason", sa.String(500), nullable=False, server_default=""),
        sa.Column("file_number", sa.String(80), nullable=False, server_default=""),
        sa.Column("settled_at", UtcTime),
        sa.CheckConstraint("shape IN ('line', 'named', 'void', 'correction')", name="shape"),
    ),
    "summary": (
        sa.Column("complaint", ID, sa.ForeignKey("complaint.id"), primary_key=True, autoincrement=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("at", UtcTime, nullable=False),
        sa.Column("by", sa.String(80), nullable=False),
        sa.Column("reviewed_at", UtcTime),
        sa.Column("reviewed_by", sa.String(80)),
        sa.Column("back", sa.String(500), nullable=False, server_default=""),
    ),
}


def upgrade() -> None:
    """Create the tables, and say of accounts for which destination they speak."""
    op.add_column("account", sa.Column("destination", sa.String(80)))
    for name, items in _TABLES.items():
        options = {"sqlite_autoincrement": True} if name == "package" else {}
        op.create_table(name, *items, **options)


def downgrade() -> None:
    """Drop them all."""
    for name in reversed(_TABLES):
        op.drop_table(name)
    op.drop_column("account", "destination")
