"""The tables of findings, of courts' decisions and of referrals; what each is for stands in docs/database.md."""

from typing import Final, get_args

import sqlalchemy as sa

from server.domain import referral as rules
from server.domain import verification
from server.domain.act import Verdict
from server.store.columns import code, column, metadata, one_of, uuid
from server.store.dialect import ID, JSON, UtcTime

# What an act of a complaint is held to be: of one act the greatest number stands.
finding: Final = sa.Table(
    "finding",
    metadata,
    column("complaint", ID, sa.ForeignKey("complaint.id"), primary_key=True, autoincrement=False),
    column("kind", sa.String(64), primary_key=True),
    column("no", sa.Integer, primary_key=True, autoincrement=False),
    column("state", sa.String(20)),
    column("reason", sa.String(20), null=True),
    column("method", sa.String(20), null=True),
    column("sources", sa.Integer, null=True),
    column("certainty", sa.String(30), null=True),
    column("verified_on", sa.String(10), null=True),
    # The id of an account, or of the lineage that went there.
    column("verifier", sa.String(80), null=True),
    column("is_late", sa.Boolean),
    column("at", UtcTime),
    column("by", sa.String(80)),
    one_of("state", *verification.STATES),
)

# What courts decided of a person whom a complaint accuses: of one person the greatest number stands.
judgement: Final = sa.Table(
    "judgement",
    metadata,
    column("complaint", ID, sa.ForeignKey("complaint.id"), primary_key=True, autoincrement=False),
    column("person", sa.Integer, primary_key=True, autoincrement=False),
    column("no", sa.Integer, primary_key=True, autoincrement=False),
    column("verdict", sa.String(12)),
    column("court", sa.String(40)),
    column("on", sa.String(10)),
    column("is_final", sa.Boolean),
    column("at", UtcTime),
    column("by", sa.String(80)),
    one_of("verdict", *get_args(Verdict)),
)

destination: Final = sa.Table(
    "destination",
    metadata,
    column("code", sa.String(80), primary_key=True),
    code("body"),
    code("programme"),
    # What it covers; empty for the whole country.
    column("place", sa.String(80), null=True),
    column("valid_from", sa.String(10)),
    column("valid_to", sa.String(10), null=True),
    column("suspended_at", UtcTime, null=True),
    column("answer_term", sa.String(8), null=True),
    column("at", UtcTime),
    column("by", sa.String(80)),
)

referral: Final = sa.Table(
    "referral",
    metadata,
    uuid("id", primary_key=True),
    column("casefile", ID, sa.ForeignKey("casefile.id"), index=True),
    column("destination", sa.String(80), sa.ForeignKey("destination.code")),
    # As the destination had it then: what it may answer goes by that.
    code("programme"),
    column("state", sa.String(12)),
    column("prepared_at", UtcTime),
    column("sent_at", UtcTime, null=True, index=True),
    column("answered_at", UtcTime, null=True),
    code("outcome", null=True),
    # The number that the body itself gave it.
    column("external_ref", sa.String(80), null=True),
    column("reminders", sa.Integer, server_default="0"),
    column("reminded_at", UtcTime, null=True),
    column("by", sa.String(80)),
    one_of("state", *rules.NEXT),
)

referral_complaint: Final = sa.Table(
    "referral_complaint",
    metadata,
    uuid("referral", sa.ForeignKey("referral.id"), primary_key=True),
    column("complaint", ID, sa.ForeignKey("complaint.id"), primary_key=True, autoincrement=False, index=True),
    # What of it went, by which consent, as of which revision; before it is sent, what is meant to go.
    column("parts", JSON),
    code("consent_level"),
    column("revision", sa.Integer),
    # SHA-256 of the document that went, in hexadecimal digits; the document itself is not kept.
    column("digest", sa.String(64), null=True),
)
