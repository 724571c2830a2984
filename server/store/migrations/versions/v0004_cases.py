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
_FINDINGS: Final = (
    "state IN ('corroborated', 'falsely_attributed', 'inconclusive', 'under_verification', 'unverified', 'unfounded')"
)
_REFERRALS: Final = (
    "state IN ('prepared', 'sent', 'received', 'silent', 'answered', 'refused', 'recalled', 'cancelled')"
)

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
        sa.Column("team", sa.String(80)),
        sa.Column("partner", sa.String(80)),
        sa.Column("place_id", sa.String(80)),
        sa.Index("ix_casefile_status", "status", "status_since"),
        sa.Index("ix_casefile_status_ref", "status", "ref"),
        sa.Index("ix_casefile_urgency_ref", "urgency", "ref"),
        sa.Index("ix_casefile_owner_ref", "owner", "ref"),
        sa.CheckConstraint(_STATUSES, name="status"),
        sa.CheckConstraint(_URGENCIES, name="urgency"),
    ),
    "case_complaint": (
        sa.Column("complaint", ID, sa.ForeignKey("complaint.id"), primary_key=True, autoincrement=False),
        sa.Column("casefile", ID, sa.ForeignKey("casefile.id"), nullable=False, index=True),
        sa.Column("at", UtcTime, nullable=False),
        sa.Column("urgency", sa.String(2), nullable=False),
        sa.Column("urgent_since", UtcTime, nullable=False),
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
        sa.Index("ix_timeline_actor_at", "actor", "at"),
    ),
    "case_waiting": (
        sa.Column("complaint", ID, sa.ForeignKey("complaint.id"), primary_key=True, autoincrement=False),
        sa.Column("casefile", ID, sa.ForeignKey("casefile.id"), unique=True),
        sa.Column("urgency", sa.String(2), nullable=False),
        sa.Column("since", UtcTime, nullable=False),
        sa.Column("queue", sa.String(10), nullable=False),
        sa.Column("owner", sa.String(36), sa.ForeignKey("account.id")),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("team", sa.String(80)),
        sa.Column("partner", sa.String(80)),
        sa.Column("place_id", sa.String(80)),
        sa.Index("ix_case_waiting_order", "urgency", "since", "complaint", "team", "partner", "place_id"),
        sa.Index(
            "ix_case_waiting_queue", "queue", "urgency", "since", "complaint", "team", "partner", "place_id", "kind"
        ),
        sa.Index("ix_case_waiting_owner", "owner", "urgency", "since", "complaint"),
        sa.CheckConstraint(_URGENCIES, name="urgency"),
        sa.CheckConstraint("queue IN ('triage', 'asked', 'work')", name="queue"),
    ),
    "note": (
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("complaint", ID, sa.ForeignKey("complaint.id"), nullable=False, index=True),
        sa.Column("account", sa.String(36), sa.ForeignKey("account.id"), nullable=False),
        sa.Column("at", UtcTime, nullable=False),
        sa.Column("box", sa.LargeBinary, nullable=False),
        sa.Column("keys", JSON, nullable=False),
    ),
    "deadline": (
        sa.Column("id", ID, primary_key=True),
        sa.Column("casefile", ID, sa.ForeignKey("casefile.id"), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("subject", sa.String(80), nullable=False, server_default=""),
        sa.Column("term", sa.String(8), nullable=False),
        sa.Column("starts_at", UtcTime, nullable=False),
        sa.Column("due_at", UtcTime, nullable=False),
        sa.Column("paused_at", UtcTime),
        sa.Column("resumed_at", UtcTime),
        sa.Column("pause_reason", sa.String(40)),
        sa.Column("extension_reason", sa.String(40)),
        sa.Column("met_at", UtcTime),
        sa.Column("told", JSON, nullable=False),
        sa.UniqueConstraint("casefile", "kind", "subject"),
    ),
    "deadline_due": (
        sa.Column("deadline", ID, sa.ForeignKey("deadline.id"), primary_key=True, autoincrement=False),
        sa.Column("casefile", ID, sa.ForeignKey("casefile.id"), nullable=False, index=True),
        sa.Column("tells_at", UtcTime, index=True),
        sa.Column("complaint", ID, sa.ForeignKey("complaint.id"), nullable=False, index=True),
        sa.Column("due_at", UtcTime, nullable=False),
        sa.Column("owner", sa.String(36), sa.ForeignKey("account.id")),
        sa.Column("urgency", sa.String(2), nullable=False),
        sa.Column("team", sa.String(80)),
        sa.Column("partner", sa.String(80)),
        sa.Column("place_id", sa.String(80)),
        sa.Index("ix_deadline_due_order", "due_at", "deadline", "team", "partner", "place_id"),
        sa.Index("ix_deadline_due_owner", "owner", "due_at"),
        sa.CheckConstraint(_URGENCIES, name="urgency"),
    ),
    "deputy": (
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("account", sa.String(36), sa.ForeignKey("account.id"), nullable=False, index=True),
        sa.Column("deputy", sa.String(36), sa.ForeignKey("account.id"), nullable=False, index=True),
        sa.Column("from_day", sa.String(10), nullable=False),
        sa.Column("to_day", sa.String(10), nullable=False),
        sa.Column("by", sa.String(80), nullable=False),
        sa.Column("at", UtcTime, nullable=False),
        sa.Column("ended_at", UtcTime),
        sa.Column("keys_gone_at", UtcTime),
    ),
    "notice": (
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("account", sa.String(36), sa.ForeignKey("account.id"), nullable=False),
        sa.Column("code", sa.String(40), nullable=False),
        sa.Column("casefile", ID, sa.ForeignKey("casefile.id"), index=True),
        sa.Column("deadline", sa.String(40)),
        sa.Column("device", sa.String(36), sa.ForeignKey("device.id")),
        sa.Column("at", UtcTime, nullable=False),
        sa.Column("read_at", UtcTime),
        sa.Column("key", sa.String(120), nullable=False, unique=True),
        sa.Column("delivery", sa.String(36)),
        sa.Index("ix_notice_account", "account", "read_at", "at"),
        sa.Index("ix_notice_delivery", "delivery", "account"),
    ),
    "delivery": (
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("account", sa.String(36), sa.ForeignKey("account.id"), nullable=False),
        sa.Column("code", sa.String(40), nullable=False),
        sa.Column("waiting", sa.Integer, nullable=False),
        sa.Column("at", UtcTime, nullable=False),
        sa.Column("next_at", UtcTime, index=True),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("done_at", UtcTime),
        sa.Column("failure", sa.String(40)),
    ),
    "finding": (
        sa.Column("complaint", ID, sa.ForeignKey("complaint.id"), primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String(64), primary_key=True),
        sa.Column("no", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("reason", sa.String(20)),
        sa.Column("method", sa.String(20)),
        sa.Column("sources", sa.Integer),
        sa.Column("certainty", sa.String(30)),
        sa.Column("verified_on", sa.String(10)),
        sa.Column("verifier", sa.String(80)),
        sa.Column("is_late", sa.Boolean, nullable=False),
        sa.Column("at", UtcTime, nullable=False),
        sa.Column("by", sa.String(80), nullable=False),
        sa.CheckConstraint(_FINDINGS, name="state"),
    ),
    "judgement": (
        sa.Column("complaint", ID, sa.ForeignKey("complaint.id"), primary_key=True, autoincrement=False),
        sa.Column("person", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("no", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("verdict", sa.String(12), nullable=False),
        sa.Column("court", sa.String(40), nullable=False),
        sa.Column("on", sa.String(10), nullable=False),
        sa.Column("is_final", sa.Boolean, nullable=False),
        sa.Column("at", UtcTime, nullable=False),
        sa.Column("by", sa.String(80), nullable=False),
        sa.CheckConstraint("verdict IN ('convicted', 'acquitted')", name="verdict"),
    ),
    "destination": (
        sa.Column("code", sa.String(80), primary_key=True),
        sa.Column("body", sa.String(64), nullable=False),
        sa.Column("programme", sa.String(64), nullable=False),
        sa.Column("place", sa.String(80)),
        sa.Column("valid_from", sa.String(10), nullable=False),
        sa.Column("valid_to", sa.String(10)),
        sa.Column("suspended_at", UtcTime),
        sa.Column("answer_term", sa.String(8)),
        sa.Column("at", UtcTime, nullable=False),
        sa.Column("by", sa.String(80), nullable=False),
    ),
    "referral": (
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("casefile", ID, sa.ForeignKey("casefile.id"), nullable=False, index=True),
        sa.Column("destination", sa.String(80), sa.ForeignKey("destination.code"), nullable=False),
        sa.Column("programme", sa.String(64), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("prepared_at", UtcTime, nullable=False),
        sa.Column("sent_at", UtcTime, index=True),
        sa.Column("answered_at", UtcTime),
        sa.Column("outcome", sa.String(64)),
        sa.Column("external_ref", sa.String(80)),
        sa.Column("reminders", sa.Integer, nullable=False, server_default="0"),
        sa.Column("reminded_at", UtcTime),
        sa.Column("by", sa.String(80), nullable=False),
        sa.CheckConstraint(_REFERRALS, name="state"),
    ),
    "referral_complaint": (
        sa.Column("referral", sa.String(36), sa.ForeignKey("referral.id"), primary_key=True),
        sa.Column("complaint", ID, sa.ForeignKey("complaint.id"), primary_key=True, autoincrement=False, index=True),
        sa.Column("parts", JSON, nullable=False),
        sa.Column("consent_level", sa.String(64), nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("digest", sa.String(64)),
    ),
    "step_waiting": (
        sa.Column("id", ID, primary_key=True),
        sa.Column("complaint", ID, sa.ForeignKey("complaint.id"), nullable=False),
        sa.Column("casefile", ID, sa.ForeignKey("casefile.id"), nullable=False, index=True),
        sa.Column("no", sa.Integer, nullable=False),
        sa.Column("tells_at", UtcTime, nullable=False, index=True),
        sa.UniqueConstraint("complaint", "casefile", "no"),
    ),
    "told_step": (
        sa.Column("complaint", ID, sa.ForeignKey("complaint.id"), primary_key=True, autoincrement=False),
        sa.Column("casefile", ID, primary_key=True, autoincrement=False),
        sa.Column("no", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("lineage", sa.String(36), sa.ForeignKey("lineage.id"), nullable=False),
        sa.Column("n", ID, nullable=False),
        sa.Column("template", sa.String(40), nullable=False),
        sa.Column("at", UtcTime, nullable=False),
        sa.Column("seen_at", UtcTime),
        sa.Index("ix_told_step_change", "lineage", "n"),
    ),
    "task": (
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("complaint", ID, sa.ForeignKey("complaint.id"), nullable=False, index=True),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("lineage", sa.String(36), sa.ForeignKey("lineage.id"), nullable=False, index=True),
        sa.Column("device", sa.String(36), sa.ForeignKey("device.id"), nullable=False, index=True),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("opens_on", sa.String(10), nullable=False),
        sa.Column("closes_on", sa.String(10), nullable=False),
        sa.Column("place", sa.String(80)),
        sa.Column("box", sa.LargeBinary),
        sa.Column("ways", JSON, nullable=False),
        sa.Column("repeats", sa.Boolean, nullable=False),
        sa.Column("follows", sa.String(36)),
        sa.Column("at", UtcTime, nullable=False),
        sa.Column("by", sa.String(80), nullable=False),
        sa.Index("ix_task_state", "state"),
        sa.Index("ix_task_repeats", "repeats"),
    ),
    "task_told": (
        sa.Column("task", sa.String(36), sa.ForeignKey("task.id"), primary_key=True),
        sa.Column("lineage", sa.String(36), sa.ForeignKey("lineage.id"), primary_key=True),
        sa.Column("n", ID, primary_key=True, autoincrement=False),
        sa.Column("delivered_at", UtcTime),
        sa.Column("gone_at", UtcTime),
        sa.Index("ix_task_told_gone_at", "gone_at"),
        sa.Index("ix_task_told_lineage", "lineage", "n"),
    ),
    "task_result": (
        sa.Column("task", sa.String(36), sa.ForeignKey("task.id"), primary_key=True),
        sa.Column("lineage", sa.String(36), sa.ForeignKey("lineage.id"), primary_key=True),
        sa.Column("client_id", sa.String(36), primary_key=True),
        sa.Column("received", ID, sa.ForeignKey("received.id"), nullable=False, unique=True),
        sa.Column("outcome", sa.String(64), nullable=False),
        sa.Column("done_on", sa.String(10)),
        sa.Column("method", sa.String(64)),
        sa.Column("sources", sa.Integer),
        sa.Column("certainty", sa.String(64)),
        sa.Column("state", sa.String(20)),
        sa.Column("is_late", sa.Boolean, nullable=False),
        sa.Column("at", UtcTime, nullable=False),
    ),
    "case_look": (
        sa.Column("complaint", ID, sa.ForeignKey("complaint.id"), primary_key=True, autoincrement=False),
        sa.Column("account", sa.String(36), sa.ForeignKey("account.id"), primary_key=True),
        sa.Column("since", UtcTime, nullable=False),
        sa.Column("at", UtcTime, nullable=False, index=True),
        sa.Column("is_writing", sa.Boolean, nullable=False),
    ),
    "case_turn": (
        sa.Column(
            "casefile", ID, sa.ForeignKey("casefile.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
        ),
        sa.Column("no", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", UtcTime, nullable=False),
        sa.Column("is_closing", sa.Boolean, nullable=False),
    ),
    "frozen_figure": (
        sa.Column("period", sa.String(7), primary_key=True),
        sa.Column("code", sa.String(4), primary_key=True),
        sa.Column("cells", JSON, nullable=False),
        sa.Column("at", UtcTime, nullable=False),
    ),
    "counted_figure": (
        sa.Column("first", sa.String(7), primary_key=True),
        sa.Column("last", sa.String(7), primary_key=True),
        sa.Column("code", sa.String(4), primary_key=True),
        sa.Column("cells", JSON, nullable=False),
        sa.Column("at", UtcTime, nullable=False, index=True),
    ),
}
# Of what is here already nobody has computed it: what may be urgent comes first until it was looked at.
_WAITING: Final = (
    "INSERT INTO case_waiting (complaint, urgency, since, queue, kind, team, partner, place_id)"
    " SELECT complaint.id, 'U1', received.received_at, 'triage', complaint.kind,"
    " coalesce(lineage.team, complaint.team), coalesce(device.partner, complaint.partner), complaint.place_id"
    " FROM complaint JOIN received ON received.id = complaint.id JOIN lineage ON lineage.id = received.lineage"
    " JOIN device ON device.id = received.device"
)


def upgrade() -> None:
    """Create the tables, and let every complaint that is here wait for its first act."""
    for name, items in _TABLES.items():
        options = {"sqlite_autoincrement": True} if name == "casefile" else {}
        op.create_table(name, *items, **options)
    op.create_index("ix_received_received_at_device", "received", ["received_at", "device"])
    op.execute(_WAITING)


def downgrade() -> None:
    """Drop them all."""
    op.drop_index("ix_received_received_at_device", "received")
    for name in reversed(_TABLES):
        op.drop_table(name)
