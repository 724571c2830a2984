"""The tables of pieces of evidence; what each is for stands in docs/database.md."""

from typing import Final

import sqlalchemy as sa

from server.store.columns import code, column, metadata, one_of, uuid
from server.store.dialect import ID, JSON, UtcTime

# A file that a complaint declares, and what became of it.
piece: Final = sa.Table(
    "piece",
    metadata,
    sa.Column("id", ID, primary_key=True),
    column("complaint", ID, sa.ForeignKey("complaint.id")),
    # Who declared it, and so has it to send; what its upload is called.
    uuid("device"),
    column("upload", sa.String(32), index=True),
    column("no", sa.Integer),
    # Of the sealed bytes, which are what is sent and kept.
    column("sha256", sa.String(64), index=True),
    column("size", ID),
    code("kind"),
    code("role"),
    column("state", sa.String(7)),
    # Why it was refused; empty for any other.
    column("fault", sa.String(40), server_default=""),
    column("settled_at", UtcTime, null=True),
    sa.UniqueConstraint("complaint", "sha256"),
    sa.Index("ix_piece_device", "device", "state"),
    one_of("state", "awaited", "here", "refused"),
    sqlite_autoincrement=True,
)

# Who had a piece in hand, and why; nothing is changed in it later.
custody: Final = sa.Table(
    "custody",
    metadata,
    sa.Column("id", ID, primary_key=True),
    column("piece", ID, sa.ForeignKey("piece.id"), index=True),
    column("act", sa.String(10)),
    column("at", UtcTime),
    column("by", sa.String(80)),
    column("reason", sa.String(500), server_default=""),
    one_of("act", "received", "looked", "original", "covered", "told", "exported", "lost"),
    sqlite_autoincrement=True,
)

# What of the pictures of a piece nobody is to see: the newest row of a piece stands.
cover: Final = sa.Table(
    "cover",
    metadata,
    sa.Column("id", ID, primary_key=True),
    column("piece", ID, sa.ForeignKey("piece.id"), index=True),
    column("areas", JSON),
    column("at", UtcTime),
    column("by", sa.String(80)),
    sqlite_autoincrement=True,
)

# What a voice says, in a box that the key of its file opens: the newest row of a piece stands.
transcript: Final = sa.Table(
    "transcript",
    metadata,
    sa.Column("id", ID, primary_key=True),
    column("piece", ID, sa.ForeignKey("piece.id"), index=True),
    column("box", sa.LargeBinary),
    column("at", UtcTime),
    column("by", sa.String(80)),
    sqlite_autoincrement=True,
)

# Bytes to be removed from the blobs, the parts and the copies of the backups, once nothing declares them.
unkept: Final = sa.Table(
    "unkept",
    metadata,
    column("sha256", sa.String(64), primary_key=True),
    uuid("device", primary_key=True),
    column("upload", sa.String(32)),
)
