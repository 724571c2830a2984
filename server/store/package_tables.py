"""The tables of packages, of their series and of summaries; what each is for stands in docs/database.md."""

from typing import Final

import sqlalchemy as sa

from server.domain import packages as rules
from server.store.columns import column, metadata, one_of
from server.store.dialect import ID, JSON, UtcTime

# How packages go to a destination.
series: Final = sa.Table(
    "package_series",
    metadata,
    column("destination", sa.String(80), sa.ForeignKey("destination.code"), primary_key=True),
    column("prefix", sa.String(12), unique=True),
    # What the hub got before that day goes into none.
    column("since", sa.String(10)),
    column("way", sa.String(6)),
    column("address", sa.String(500), server_default=""),
    # SHA-256 of the certificate of that address, in hexadecimal digits; empty where any that is valid will do.
    column("pin", sa.String(64), server_default=""),
    # The age recipient that packages are sealed to; empty where its clerk has no age.
    column("key", sa.String(100), server_default=""),
    # Who compared its fingerprint with the destination by voice, and when: nothing is sealed before.
    column("key_by", sa.String(80), null=True),
    column("key_at", UtcTime, null=True),
    column("at", UtcTime),
    column("by", sa.String(80)),
    one_of("way", *rules.WAYS),
)

package: Final = sa.Table(
    "package",
    metadata,
    sa.Column("id", ID, primary_key=True),
    column("destination", sa.String(80), sa.ForeignKey("package_series.destination")),
    column("prefix", sa.String(12)),
    column("quarter", sa.String(7)),
    # The year of the quarter: numbers are counted within it.
    column("year", sa.Integer),
    column("no", sa.Integer),
    column("state", sa.String(12)),
    # When it was prepared: all that is in it is as of then.
    column("as_of", UtcTime),
    column("prepared_by", sa.String(80)),
    # How many complaints have a line, have none and why, and are told of in totals alone.
    column("counts", JSON),
    # SHA-256 of what was chosen: whoever approves approves that.
    column("choice", sa.String(64)),
    column("sealed_at", UtcTime, null=True),
    column("sealed_by", sa.String(80), null=True),
    # The key it was sealed to; empty: a passphrase.
    column("key", sa.String(100), null=True),
    # SHA-256, in hexadecimal digits: of its manifest, of that of the package sealed before, of the ZIP, of the file.
    column("manifest", sa.String(64), null=True),
    column("previous", sa.String(64), null=True),
    column("zip", sa.String(64), null=True),
    column("file", sa.String(64), null=True),
    column("bytes", sa.BigInteger, null=True),
    column("transmitted_at", UtcTime, null=True, index=True),
    column("transmitted_by", sa.String(80), null=True),
    column("answered_at", UtcTime, null=True),
    # When the destination got it, and who signs for it there, as it says.
    column("answer_at", sa.String(80), null=True),
    column("answer_by", sa.String(500), null=True),
    column("closed_at", UtcTime, null=True),
    column("cancelled_at", UtcTime, null=True),
    column("cancelled_by", sa.String(80), null=True),
    column("reason", sa.String(500), null=True),
    sa.UniqueConstraint("destination", "year", "no"),
    one_of("state", *rules.STATES),
    sqlite_autoincrement=True,
)

package_item: Final = sa.Table(
    "package_item",
    metadata,
    column("package", ID, sa.ForeignKey("package.id"), primary_key=True, autoincrement=False),
    column("ref", sa.String(30), primary_key=True),
    column("shape", sa.String(12), primary_key=True),
    # Empty once it was erased: the next package says that the line is void.
    column("complaint", ID, sa.ForeignKey("complaint.id"), null=True, index=True),
    # By column of the line, a keyed hash of what it said: what changed since is told by it, and nothing else is kept.
    column("hashes", JSON),
    # What consent let it have.
    column("parts", JSON),
    column("verdict", sa.String(8), null=True),
    # What the destination says of it: why it does not keep it, else under which number it does.
    column("reason", sa.String(500), server_default=""),
    column("file_number", sa.String(80), server_default=""),
    column("settled_at", UtcTime, null=True),
    one_of("shape", *rules.SHAPES),
)

# What a complaint is about in a few words that may leave without a name; a second person has read them.
summary: Final = sa.Table(
    "summary",
    metadata,
    column("complaint", ID, sa.ForeignKey("complaint.id"), primary_key=True, autoincrement=False),
    column("text", sa.Text),
    column("at", UtcTime),
    column("by", sa.String(80)),
    column("reviewed_at", UtcTime, null=True),
    column("reviewed_by", sa.String(80), null=True),
    # Why a second person sent it back to who wrote it; empty where nobody did.
    column("back", sa.String(500), server_default=""),
)
