"""The tables of case work; what each is for stands in docs/database.md."""

from typing import Final

import sqlalchemy as sa

from server.domain.casework import QUEUES, STATUSES, URGENCIES
from server.store.columns import code, column, metadata, one_of, slug, uuid
from server.store.dialect import ID, JSON, UtcTime

casefile: Final = sa.Table(
    "casefile",
    metadata,
    sa.Column("id", ID, primary_key=True),
    # The registry number of the complaint that it was opened for, which it keeps when that is erased.
    column("ref", sa.String(30), unique=True),
    column("complaint", ID, sa.ForeignKey("complaint.id"), null=True, unique=True),
    column("status", sa.String(20)),
    column("status_since", UtcTime),
    # How many entries its timeline has: what was seen of it is told by that number.
    column("revision", sa.Integer, server_default="0"),
    uuid("owner", sa.ForeignKey("account.id"), null=True),
    # What it is about, as triage settled it.
    code("kind", null=True),
    column("urgency", sa.String(2)),
    # A person's word on it: the level, and what was computed of each complaint that was heard.
    column("word", JSON, null=True),
    # The id of whoever brought it to its status: an account, or the hub itself.
    column("moved_by", sa.String(80), null=True),
    column("was_paused", sa.Boolean, server_default=sa.false()),
    column("opened_at", UtcTime),
    column("closed_at", UtcTime, null=True),
    code("outcome", null=True),
    code("closure", null=True),
    # Of a duplicate: where its complaints went, and what it was before.
    column("joined_into", ID, sa.ForeignKey("casefile.id"), null=True, index=True),
    column("left_status", sa.String(20), null=True),
    column("left_since", UtcTime, null=True),
    # What scopes go by, of the complaint that it was opened for; where that was erased, of one that it has.
    slug("team", null=True),
    slug("partner", null=True),
    column("place_id", sa.String(80), null=True),
    sa.Index("ix_casefile_status", "status", "status_since"),
    # Lists are read in the order of one of these, or of `ref` alone.
    sa.Index("ix_casefile_status_ref", "status", "ref"),
    sa.Index("ix_casefile_urgency_ref", "urgency", "ref"),
    sa.Index("ix_casefile_owner_ref", "owner", "ref"),
    one_of("status", *STATUSES),
    one_of("urgency", *URGENCIES),
    sqlite_autoincrement=True,
)

# Which case has a complaint now.
case_complaint: Final = sa.Table(
    "case_complaint",
    metadata,
    column("complaint", ID, sa.ForeignKey("complaint.id"), primary_key=True, autoincrement=False),
    column("casefile", ID, sa.ForeignKey("casefile.id"), index=True),
    column("at", UtcTime),
    # The most urgent that its answers ever were, and since when.
    column("urgency", sa.String(2)),
    column("urgent_since", UtcTime),
    one_of("urgency", *URGENCIES),
)

timeline: Final = sa.Table(
    "timeline",
    metadata,
    column("casefile", ID, sa.ForeignKey("casefile.id"), primary_key=True, autoincrement=False),
    # Counts the entries of one case from 1.
    column("no", sa.Integer, primary_key=True, autoincrement=False),
    column("code", sa.String(20)),
    column("actor", sa.String(80)),
    column("at", UtcTime),
    column("complaint", ID, sa.ForeignKey("complaint.id"), null=True, index=True),
    # Codes and ids alone: nothing that a person wrote.
    column("fields", JSON),
    # What was there before: taking it back puts that there again, until then where it is bounded.
    column("before", JSON),
    column("undo_until", UtcTime, null=True),
    # What devices are told, once that is certain: a template with its fields; empty where nothing is.
    column("step", JSON, null=True),
    column("tells_at", UtcTime, null=True),
    # The number of the entry of the same case that this one takes back.
    column("undoes", sa.Integer, null=True),
    # What one person did today.
    sa.Index("ix_timeline_actor_at", "actor", "at"),
)

# What nobody has to do anything about is not here: what was closed before costs the queue nothing.
waiting: Final = sa.Table(
    "case_waiting",
    metadata,
    # Of a case the first of its complaints; empty `casefile`: nobody did anything with it yet.
    column("complaint", ID, sa.ForeignKey("complaint.id"), primary_key=True, autoincrement=False),
    column("casefile", ID, sa.ForeignKey("casefile.id"), null=True, unique=True),
    column("urgency", sa.String(2)),
    column("since", UtcTime),
    # For what it waits, who is to do it, and what it is about: as triage settled it, else the first that was told.
    column("queue", sa.String(10)),
    uuid("owner", sa.ForeignKey("account.id"), null=True),
    code("kind"),
    # What scopes go by, of that complaint: whoever covers little passes over the rest without leaving the index.
    slug("team", null=True),
    slug("partner", null=True),
    column("place_id", sa.String(80), null=True),
    sa.Index("ix_case_waiting_order", "urgency", "since", "complaint", "team", "partner", "place_id"),
    sa.Index("ix_case_waiting_queue", "queue", "urgency", "since", "complaint", "team", "partner", "place_id", "kind"),
    sa.Index("ix_case_waiting_owner", "owner", "urgency", "since", "complaint"),
    one_of("urgency", *URGENCIES),
    one_of("queue", *QUEUES),
)

note: Final = sa.Table(
    "note",
    metadata,
    uuid("id", primary_key=True),
    column("complaint", ID, sa.ForeignKey("complaint.id"), index=True),
    uuid("account", sa.ForeignKey("account.id")),
    column("at", UtcTime),
    # Sealed to the readers of the complaint; by key id, what opens it.
    column("box", sa.LargeBinary),
    column("keys", JSON),
)

# Who has a case open, by a complaint of it; minutes later nobody goes by it any more.
look: Final = sa.Table(
    "case_look",
    metadata,
    column("complaint", ID, sa.ForeignKey("complaint.id"), primary_key=True, autoincrement=False),
    uuid("account", sa.ForeignKey("account.id"), primary_key=True),
    column("since", UtcTime),
    column("at", UtcTime, index=True),
    column("is_writing", sa.Boolean),
)
