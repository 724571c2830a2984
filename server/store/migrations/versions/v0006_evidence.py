"""Evidence: what became of each file that a complaint declares, its custody, and what is to be removed."""

import hashlib
from typing import Final

import sqlalchemy as sa
from alembic import op

from server.store.dialect import ID, JSON, UtcTime

revision = "0006"
down_revision = "0005"

# Written out, and never changed again: later versions alter what this one made.
_TABLES: Final[dict[str, tuple[sa.schema.SchemaItem, ...]]] = {
    "piece": (
        sa.Column("id", ID, primary_key=True),
        sa.Column("complaint", ID, sa.ForeignKey("complaint.id"), nullable=False),
        sa.Column("device", sa.String(36), nullable=False),
        sa.Column("upload", sa.String(32), nullable=False, index=True),
        sa.Column("no", sa.Integer, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False, index=True),
        sa.Column("size", ID, nullable=False),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("role", sa.String(64), nullable=False),
        sa.Column("state", sa.String(7), nullable=False),
        sa.Column("fault", sa.String(40), nullable=False, server_default=""),
        sa.Column("settled_at", UtcTime),
        sa.UniqueConstraint("complaint", "sha256"),
        sa.Index("ix_piece_device", "device", "state"),
        sa.CheckConstraint("state IN ('awaited', 'here', 'refused')", name="state"),
    ),
    "custody": (
        sa.Column("id", ID, primary_key=True),
        sa.Column("piece", ID, sa.ForeignKey("piece.id"), nullable=False, index=True),
        sa.Column("act", sa.String(10), nullable=False),
        sa.Column("at", UtcTime, nullable=False),
        sa.Column("by", sa.String(80), nullable=False),
        sa.Column("reason", sa.String(500), nullable=False, server_default=""),
        sa.CheckConstraint(
            "act IN ('received', 'looked', 'original', 'covered', 'told', 'exported', 'lost')", name="act"
        ),
    ),
    "cover": (
        sa.Column("id", ID, primary_key=True),
        sa.Column("piece", ID, sa.ForeignKey("piece.id"), nullable=False, index=True),
        sa.Column("areas", JSON, nullable=False),
        sa.Column("at", UtcTime, nullable=False),
        sa.Column("by", sa.String(80), nullable=False),
    ),
    "transcript": (
        sa.Column("id", ID, primary_key=True),
        sa.Column("piece", ID, sa.ForeignKey("piece.id"), nullable=False, index=True),
        sa.Column("box", sa.LargeBinary, nullable=False),
        sa.Column("at", UtcTime, nullable=False),
        sa.Column("by", sa.String(80), nullable=False),
    ),
    "unkept": (
        sa.Column("sha256", sa.String(64), primary_key=True),
        sa.Column("device", sa.String(36), primary_key=True),
        sa.Column("upload", sa.String(32), nullable=False),
    ),
}


def upgrade() -> None:
    """Create the tables, and let the files that complaints declare be awaited."""
    for name, items in _TABLES.items():
        op.create_table(name, *items, sqlite_autoincrement=name != "unkept")
    _take_over()
    op.drop_table("file")


def _take_over() -> None:
    """Until now a file was no more than a word; what a device still has of them it may send from here on."""
    connection = op.get_bind()
    rows = connection.execute(
        sa.text(
            "SELECT file.complaint, received.device, file.no, file.sha256, file.size, file.kind, file.role"
            " FROM file JOIN received ON received.id = file.complaint ORDER BY file.complaint, file.no DESC"
        )
    )
    # Of a hash that one complaint names twice, the first.
    found = {(row.complaint, row.sha256): row for row in rows}
    values = [{**row._mapping, "upload": _upload(row.device, row.sha256), "state": "awaited"} for row in found.values()]
    if values:
        names = ("complaint", "device", "upload", "no", "sha256", "size", "kind", "role", "state")
        connection.execute(sa.insert(sa.table("piece", *(sa.column(name) for name in names))), values)


def _upload(device: str, sha256: str) -> str:
    """As PROTOCOL §9.3 has it."""
    return hashlib.sha256(f"seere-upload-1\n{device}\n{sha256}".encode()).hexdigest()[:32]


def downgrade() -> None:
    """Drop them all; what was received of files is lost, what was declared is not."""
    op.create_table(
        "file",
        sa.Column("complaint", ID, sa.ForeignKey("complaint.id"), primary_key=True, autoincrement=False),
        sa.Column("no", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("size", ID, nullable=False),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("role", sa.String(64), nullable=False),
    )
    op.execute(
        "INSERT INTO file (complaint, no, sha256, size, kind, role)"
        " SELECT complaint, no, sha256, size, kind, role FROM piece"
    )
    for name in reversed(_TABLES):
        op.drop_table(name)
