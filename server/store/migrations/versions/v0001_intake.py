"""Intake: the tables of complaints, devices, quarantine, changes and events."""

import sqlalchemy as sa
from alembic import op

from server.store.dialect import ID, JSON, UtcTime

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables of the first release."""
    op.create_table(
        "backup",
        sa.Column("id", ID, primary_key=True),
        sa.Column("file", sa.String(200), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("bytes", ID, nullable=False),
        sa.Column("complaints", ID, nullable=False),
        sa.Column("made_at", UtcTime, nullable=False),
        sa.Column("verified_at", UtcTime, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "enrolment",
        sa.Column("code_hash", sa.String(64), primary_key=True),
        sa.Column("label", sa.String(80), nullable=False),
        sa.Column("team", sa.String(80)),
        sa.Column("partner", sa.String(80)),
        sa.Column("succeeds", sa.String(36)),
        sa.Column("made_at", UtcTime, nullable=False),
        sa.Column("expires_at", UtcTime, nullable=False),
        sa.Column("used_by", sa.String(36)),
    )
    op.create_table(
        "event",
        sa.Column("seq", ID, primary_key=True),
        sa.Column("at", UtcTime, nullable=False),
        sa.Column("actor", sa.String(80), nullable=False),
        sa.Column("action", sa.String(40), nullable=False),
        sa.Column("object", sa.String(120), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("canonical", sa.LargeBinary, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "hub_state",
        sa.Column("name", sa.String(40), primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )
    op.create_table(
        "job_run",
        sa.Column("name", sa.String(40), primary_key=True),
        sa.Column("due_at", UtcTime, primary_key=True),
        sa.Column("started_at", UtcTime, nullable=False),
        sa.Column("finished_at", UtcTime),
        sa.Column("outcome", sa.String(40)),
    )
    op.create_table(
        "lineage",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("team", sa.String(80)),
        sa.Column("position", ID, nullable=False, server_default="0"),
        sa.Column("backed_up_to", ID, nullable=False, server_default="0"),
        sa.Column("changes", ID, nullable=False, server_default="0"),
    )
    op.create_table(
        "linkage",
        sa.Column("lineage", sa.String(36), primary_key=True),
        sa.Column("complaint", sa.String(36), primary_key=True),
        sa.Column("seq", ID, nullable=False),
        sa.Column("v", sa.Integer, nullable=False),
        sa.Column("keys", JSON, nullable=False),
        sa.Column("received_at", UtcTime, nullable=False),
    )
    op.create_table(
        "place_list",
        sa.Column("version", sa.String(20), primary_key=True),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("imported_at", UtcTime, nullable=False),
        sa.Column("is_current", sa.Boolean, nullable=False),
    )
    op.create_table(
        "received",
        sa.Column("id", ID, primary_key=True),
        sa.Column("lineage", sa.String(36), nullable=False),
        sa.Column("client_id", sa.String(36), nullable=False),
        sa.Column("op", sa.String(64), nullable=False),
        sa.Column("seq", ID, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("line", sa.LargeBinary, nullable=False),
        sa.Column("device", sa.String(36), nullable=False),
        sa.Column("carried_by", sa.String(36)),
        sa.Column("received_at", UtcTime, nullable=False),
        sa.UniqueConstraint("lineage", "client_id"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "registry_counter",
        sa.Column("prefix", sa.String(12), primary_key=True),
        sa.Column("year", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("last", ID, nullable=False),
    )
    op.create_table(
        "change",
        sa.Column("lineage", sa.String(36), sa.ForeignKey("lineage.id"), primary_key=True),
        sa.Column("n", ID, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("client_id", sa.String(36)),
        sa.Column("body", JSON, nullable=False),
        sa.Column("at", UtcTime, nullable=False),
    )
    op.create_table(
        "complaint",
        sa.Column("id", ID, sa.ForeignKey("received.id"), primary_key=True, autoincrement=False),
        sa.Column("receipt", sa.String(8), nullable=False, index=True),
        sa.Column("form", sa.String(40), nullable=False),
        sa.Column("vocabulary", sa.String(20), nullable=False),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("channel", sa.String(64), nullable=False),
        sa.Column("relation", sa.String(64)),
        sa.Column("sector", sa.String(64)),
        sa.Column("language", sa.String(64)),
        sa.Column("incident_from", sa.String(10)),
        sa.Column("incident_to", sa.String(10)),
        sa.Column("incident_precision", sa.String(64)),
        sa.Column("place_id", sa.String(80), index=True),
        sa.Column("asked_xof", ID),
        sa.Column("paid_xof", ID),
        sa.Column("paid", sa.String(64)),
        sa.Column("danger", sa.String(64)),
        sa.Column("urgency", sa.String(200)),
        sa.Column("consent_level", sa.String(64), nullable=False),
        sa.Column("consent", JSON, nullable=False),
        sa.Column("confidentiality", sa.String(64), nullable=False),
        sa.Column("contact_ok", sa.String(64), nullable=False),
        sa.Column("collected_at", UtcTime),
        sa.Column("entered_at", UtcTime, nullable=False),
        sa.Column("team", sa.String(80)),
        sa.Column("partner", sa.String(80)),
        sa.Column("revision", sa.Integer, nullable=False, server_default="1"),
        sa.Column("state", sa.String(12), nullable=False, server_default="received"),
        sa.Column("withdrawn", sa.String(8)),
        sa.CheckConstraint("state IN ('received', 'withdrawn')", name="state"),
    )
    op.create_table(
        "device",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("lineage", sa.String(36), sa.ForeignKey("lineage.id"), nullable=False, index=True),
        sa.Column("number", sa.Integer, nullable=False, unique=True),
        sa.Column("label", sa.String(80), nullable=False),
        sa.Column("team", sa.String(80)),
        sa.Column("partner", sa.String(80)),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("sign_key", sa.String(44), nullable=False),
        sa.Column("box_key", sa.String(44), nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False, unique=True),
        sa.Column("succeeds", sa.String(36)),
        sa.Column("software", sa.String(80)),
        sa.Column("enrolled_at", UtcTime, nullable=False),
        sa.Column("confirmed_at", UtcTime),
        sa.Column("revoked_at", UtcTime),
        sa.Column("suspect_since", UtcTime),
        sa.Column("last_sync_at", UtcTime),
        sa.Column("last_frame", ID, nullable=False, server_default="0"),
        sa.Column("rolled_back_at", UtcTime),
        sa.Column("clock_ahead_s", ID),
        sa.Column("waiting", ID),
        sa.Column("seen_change", ID, nullable=False, server_default="0"),
        sa.Column("records_left", sa.Float, nullable=False),
        sa.Column("bytes_left", sa.Float, nullable=False),
        sa.Column("refilled_at", UtcTime, nullable=False),
        sa.Column("burst_records", ID),
        sa.Column("burst_until", UtcTime),
        sa.CheckConstraint("state IN ('waiting', 'ready', 'revoked')", name="state"),
    )
    op.create_table(
        "frame",
        sa.Column("lineage", sa.String(36), sa.ForeignKey("lineage.id"), primary_key=True),
        sa.Column("number", ID, primary_key=True, autoincrement=False),
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("device", sa.String(36), nullable=False),
        sa.Column("carried_by", sa.String(36)),
        sa.Column("report", JSON, nullable=False),
        sa.Column("received_at", UtcTime, nullable=False),
    )
    op.create_table(
        "place",
        sa.Column("list", sa.String(20), sa.ForeignKey("place_list.version"), primary_key=True),
        sa.Column("id", sa.String(80), primary_key=True),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("level", sa.String(20), nullable=False),
        sa.Column("parent", sa.String(80)),
        sa.Column("valid_from", sa.String(10)),
        sa.Column("valid_to", sa.String(10)),
        sa.Column("codes", JSON, nullable=False),
        sa.Column("aliases", JSON, nullable=False),
        sa.Column("regions", JSON, nullable=False),
    )
    op.create_table(
        "quarantine",
        sa.Column("id", ID, primary_key=True),
        sa.Column("lineage", sa.String(36), sa.ForeignKey("lineage.id"), nullable=False),
        sa.Column("client_id", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sa.Column("verdict", sa.String(12), nullable=False),
        sa.Column("code", sa.String(64), nullable=False),
        sa.Column("field", sa.String(200), nullable=False),
        sa.Column("state", sa.String(10), nullable=False, server_default="waiting"),
        sa.Column("device", sa.String(36), nullable=False),
        sa.Column("carried_by", sa.String(36)),
        sa.Column("received_at", UtcTime, nullable=False),
        sa.Column("settled_at", UtcTime),
        sa.Column("received", ID, sa.ForeignKey("received.id")),
        sa.UniqueConstraint("lineage", "client_id", "hash"),
        sa.CheckConstraint("state IN ('waiting', 'stored')", name="state"),
        sa.CheckConstraint("verdict IN ('held', 'quarantined', 'conflict')", name="verdict"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "act",
        sa.Column("complaint", ID, sa.ForeignKey("complaint.id"), primary_key=True, autoincrement=False),
        sa.Column("no", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String(64), nullable=False),
    )
    op.create_table(
        "conflict",
        sa.Column("id", ID, primary_key=True),
        sa.Column("complaint", ID, sa.ForeignKey("complaint.id"), nullable=False, index=True),
        sa.Column("field", sa.Text, nullable=False),
        sa.Column("kept_revision", sa.Integer, nullable=False),
        sa.Column("received", ID, sa.ForeignKey("received.id"), nullable=False),
        sa.Column("state", sa.String(10), nullable=False, server_default="open"),
        sa.Column("at", UtcTime, nullable=False),
        sa.CheckConstraint("state IN ('open', 'settled')", name="state"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "device_order",
        sa.Column("device", sa.String(36), sa.ForeignKey("device.id"), primary_key=True),
        sa.Column("no", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("body", JSON, nullable=False),
        sa.Column("sig", sa.String(90), nullable=False),
        sa.Column("at", UtcTime, nullable=False),
        sa.CheckConstraint("kind IN ('wipe', 'revoke', 'keyring', 'anchor')", name="kind"),
    )
    op.create_table(
        "file",
        sa.Column("complaint", ID, sa.ForeignKey("complaint.id"), primary_key=True, autoincrement=False),
        sa.Column("no", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("size", ID, nullable=False),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("role", sa.String(64), nullable=False),
    )
    op.create_table(
        "parcel",
        sa.Column("device", sa.String(36), sa.ForeignKey("device.id"), primary_key=True),
        sa.Column("number", ID, primary_key=True, autoincrement=False),
        sa.Column("carried_by", sa.String(36), nullable=False),
        sa.Column("received_at", UtcTime, nullable=False),
    )
    op.create_table(
        "person",
        sa.Column("complaint", ID, sa.ForeignKey("complaint.id"), primary_key=True, autoincrement=False),
        sa.Column("no", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("roles", sa.String(400), nullable=False),
        sa.Column("sex", sa.String(64)),
        sa.Column("age", sa.String(64)),
        sa.Column("category", sa.String(64)),
        sa.Column("count", ID),
        sa.Column("displaced", sa.String(64)),
        sa.Column("disability", sa.Boolean),
    )
    op.create_table(
        "registry",
        sa.Column("prefix", sa.String(12), primary_key=True),
        sa.Column("year", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("number", ID, primary_key=True, autoincrement=False),
        sa.Column("complaint", ID, sa.ForeignKey("complaint.id"), unique=True),
    )
    op.create_table(
        "revision",
        sa.Column("complaint", ID, sa.ForeignKey("complaint.id"), primary_key=True, autoincrement=False),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("received", ID, sa.ForeignKey("received.id"), nullable=False),
        sa.Column("base_revision", sa.Integer, nullable=False),
        sa.Column("fields", JSON, nullable=False),
        sa.Column("at", UtcTime, nullable=False),
    )


def downgrade() -> None:
    """Drop them all."""
    for table in (
        "revision",
        "registry",
        "person",
        "parcel",
        "file",
        "device_order",
        "conflict",
        "act",
        "quarantine",
        "place",
        "frame",
        "device",
        "complaint",
        "change",
        "registry_counter",
        "received",
        "place_list",
        "linkage",
        "lineage",
        "job_run",
        "hub_state",
        "event",
        "enrolment",
        "backup",
    ):
        op.drop_table(table)
