"""The tables of what is due, of who stands in for whom and of who is told; docs/database.md says what each is for."""

from typing import Final

import sqlalchemy as sa

from server.domain.casework import URGENCIES
from server.store.columns import column, metadata, one_of, slug, uuid
from server.store.dialect import ID, JSON, UtcTime

# What is due of a case, as its complaints and its timeline make it: every row can be computed anew.
deadline: Final = sa.Table(
    "deadline",
    metadata,
    sa.Column("id", ID, primary_key=True),
    column("casefile", ID, sa.ForeignKey("casefile.id")),
    column("kind", sa.String(40)),
    # Which of several of its kind: a referral, an act, a task, or the entry that opened the case again.
    column("subject", sa.String(80), server_default=""),
    column("term", sa.String(8)),
    column("starts_at", UtcTime),
    column("due_at", UtcTime),
    column("paused_at", UtcTime, null=True),
    column("resumed_at", UtcTime, null=True),
    column("pause_reason", sa.String(40), null=True),
    column("extension_reason", sa.String(40), null=True),
    column("met_at", UtcTime, null=True),
    # Ids of the accounts that heard that it is late.
    column("told", JSON),
    sa.UniqueConstraint("casefile", "kind", "subject"),
)

# Those that nothing met yet: what was done before costs the list of what is due nothing.
deadline_due: Final = sa.Table(
    "deadline_due",
    metadata,
    column("deadline", ID, sa.ForeignKey("deadline.id"), primary_key=True, autoincrement=False),
    column("casefile", ID, sa.ForeignKey("casefile.id"), index=True),
    # When somebody is to hear that it is late, or the next after them, or to be looked for; empty once all have heard.
    column("tells_at", UtcTime, null=True, index=True),
    # The first of the case, by which scopes are looked up as in `case_waiting`.
    column("complaint", ID, sa.ForeignKey("complaint.id"), index=True),
    column("due_at", UtcTime),
    uuid("owner", sa.ForeignKey("account.id"), null=True),
    column("urgency", sa.String(2)),
    slug("team", null=True),
    slug("partner", null=True),
    column("place_id", sa.String(80), null=True),
    sa.Index("ix_deadline_due_order", "due_at", "deadline", "team", "partner", "place_id"),
    sa.Index("ix_deadline_due_owner", "owner", "due_at"),
    one_of("urgency", *URGENCIES),
)

# Who acts for somebody, from day to day, both of them counted.
deputy: Final = sa.Table(
    "deputy",
    metadata,
    uuid("id", primary_key=True),
    uuid("account", sa.ForeignKey("account.id"), index=True),
    uuid("deputy", sa.ForeignKey("account.id"), index=True),
    column("from_day", sa.String(10)),
    column("to_day", sa.String(10)),
    column("by", sa.String(80)),
    column("at", UtcTime),
    column("ended_at", UtcTime, null=True),
    # When the keys that the deputy had by it alone were dropped.
    column("keys_gone_at", UtcTime, null=True),
)

notice: Final = sa.Table(
    "notice",
    metadata,
    uuid("id", primary_key=True),
    uuid("account", sa.ForeignKey("account.id")),
    # What it says is in the catalogues under this; nothing that a person wrote stands here.
    column("code", sa.String(40)),
    column("casefile", ID, sa.ForeignKey("casefile.id"), null=True, index=True),
    # The kind of what is late.
    column("deadline", sa.String(40), null=True),
    uuid("device", sa.ForeignKey("device.id"), null=True),
    column("at", UtcTime),
    column("read_at", UtcTime, null=True),
    # Of one thing one notice, however often and by however many processes it is found.
    column("key", sa.String(120), unique=True),
    # What carried it outside: no foreign key, for it is forgotten sooner.
    uuid("delivery", null=True),
    sa.Index("ix_notice_account", "account", "read_at", "at"),
    sa.Index("ix_notice_delivery", "delivery", "account"),
)
