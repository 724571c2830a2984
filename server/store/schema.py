"""The tables, written once for both engines; what each is for stands in docs/database.md."""

from typing import Final

import sqlalchemy as sa

# For their tables alone: whoever has this module has all the tables there are.
from server.store import (  # noqa: F401
    case_tables,
    delivery_tables,
    due_tables,
    evidence_tables,
    figure_tables,
    match_tables,
    referral_tables,
    step_tables,
    task_tables,
)
from server.store.columns import code, column, one_of, slug, uuid
from server.store.columns import metadata as metadata
from server.store.dialect import ID, JSON, UtcTime

hub_state: Final = sa.Table(
    "hub_state", metadata, column("name", sa.String(40), primary_key=True), column("value", sa.Text)
)

lineage: Final = sa.Table(
    "lineage",
    metadata,
    uuid("id", primary_key=True),
    slug("team", null=True),
    column("position", ID, server_default="0"),
    column("backed_up_to", ID, server_default="0"),
    column("changes", ID, server_default="0"),
)

device: Final = sa.Table(
    "device",
    metadata,
    uuid("id", primary_key=True),
    uuid("lineage", sa.ForeignKey("lineage.id"), index=True),
    column("number", sa.Integer, unique=True),
    column("label", sa.String(80)),
    slug("team", null=True),
    slug("partner", null=True),
    column("state", sa.String(10)),
    column("sign_key", sa.String(44)),
    column("box_key", sa.String(44)),
    column("token_hash", sa.String(64), unique=True),
    uuid("succeeds", null=True),
    column("software", sa.String(80), null=True),
    column("enrolled_at", UtcTime),
    column("confirmed_at", UtcTime, null=True),
    column("revoked_at", UtcTime, null=True),
    column("suspect_since", UtcTime, null=True),
    column("last_sync_at", UtcTime, null=True),
    column("last_frame", ID, server_default="0"),
    column("rolled_back_at", UtcTime, null=True),
    column("clock_ahead_s", ID, null=True),
    column("waiting", ID, null=True),
    # How far it says to have come in the changes for its lineage.
    column("delivered_change", ID, server_default="0"),
    column("records_left", sa.Float),
    column("bytes_left", sa.Float),
    column("refilled_at", UtcTime),
    column("burst_records", ID, null=True),
    column("burst_until", UtcTime, null=True),
    one_of("state", "waiting", "ready", "revoked", "counter"),
)

enrolment: Final = sa.Table(
    "enrolment",
    metadata,
    column("code_hash", sa.String(64), primary_key=True),
    column("label", sa.String(80)),
    slug("team", null=True),
    slug("partner", null=True),
    uuid("succeeds", null=True),
    column("made_at", UtcTime),
    column("expires_at", UtcTime),
    uuid("used_by", null=True),
)

frame: Final = sa.Table(
    "frame",
    metadata,
    uuid("lineage", sa.ForeignKey("lineage.id"), primary_key=True),
    column("number", ID, primary_key=True, autoincrement=False),
    column("mark", sa.String(64), primary_key=True),
    uuid("device"),
    uuid("carried_by", null=True),
    column("report", JSON),
    column("received_at", UtcTime),
)

received: Final = sa.Table(
    "received",
    metadata,
    sa.Column("id", ID, primary_key=True),
    uuid("lineage"),
    uuid("client_id"),
    column("op", sa.String(64)),
    column("seq", ID),
    column("hash", sa.String(64)),
    column("line", sa.LargeBinary),
    uuid("device"),
    uuid("carried_by", null=True),
    column("received_at", UtcTime),
    sa.UniqueConstraint("lineage", "client_id"),
    # What came in a period and from whom, without its lines: they lie between these columns and weigh the most.
    sa.Index("ix_received_received_at_device", "received_at", "device"),
    sqlite_autoincrement=True,
)

complaint: Final = sa.Table(
    "complaint",
    metadata,
    column("id", ID, sa.ForeignKey("received.id"), primary_key=True, autoincrement=False),
    column("receipt", sa.String(8), index=True),
    column("form", sa.String(40)),
    column("vocabulary", sa.String(20)),
    code("kind"),
    code("channel"),
    code("relation", null=True),
    code("sector", null=True),
    code("language", null=True),
    column("incident_from", sa.String(10), null=True),
    column("incident_to", sa.String(10), null=True),
    code("incident_precision", null=True),
    column("place_id", sa.String(80), null=True, index=True),
    column("asked_xof", ID, null=True),
    column("paid_xof", ID, null=True),
    code("paid", null=True),
    code("danger", null=True),
    column("urgency", sa.String(200), null=True),
    code("consent_level"),
    column("consent", JSON),
    code("confidentiality"),
    code("contact_ok"),
    column("collected_at", UtcTime, null=True),
    column("entered_at", UtcTime),
    slug("team", null=True),
    slug("partner", null=True),
    column("revision", sa.Integer, server_default="1"),
    column("state", sa.String(12), server_default="received"),
    column("withdrawn", sa.String(8), null=True),
    one_of("state", "received", "withdrawn"),
)

act: Final = sa.Table(
    "act",
    metadata,
    column("complaint", ID, sa.ForeignKey("complaint.id"), primary_key=True, autoincrement=False),
    column("no", sa.Integer, primary_key=True, autoincrement=False),
    code("kind"),
)

person: Final = sa.Table(
    "person",
    metadata,
    column("complaint", ID, sa.ForeignKey("complaint.id"), primary_key=True, autoincrement=False),
    column("no", sa.Integer, primary_key=True, autoincrement=False),
    column("roles", sa.String(400)),
    code("sex", null=True),
    code("age", null=True),
    code("category", null=True),
    column("count", ID, null=True),
    code("displaced", null=True),
    column("disability", sa.Boolean, null=True),
)

# Sealed, until the matcher has read it; in no backup.
linkage_pending: Final = sa.Table(
    "linkage_pending",
    metadata,
    # Who says it, and under which id; then whose complaint it is said of.
    uuid("device", primary_key=True),
    uuid("id", primary_key=True),
    uuid("lineage"),
    uuid("complaint"),
    column("seq", ID),
    column("v", sa.Integer),
    column("box", sa.Text),
    column("received_at", UtcTime),
    sa.Index("ix_linkage_pending_lineage_complaint", "lineage", "complaint"),
)

# Words of statements that are clear and not strictly confidential; the full-text index stands over it.
search_text: Final = sa.Table(
    "search_text",
    metadata,
    column("complaint", ID, sa.ForeignKey("complaint.id"), primary_key=True, autoincrement=False),
    column("text", sa.Text),
)

# New or revised, and not looked at yet.
search_pending: Final = sa.Table(
    "search_pending",
    metadata,
    column("complaint", ID, sa.ForeignKey("complaint.id"), primary_key=True, autoincrement=False),
)

revision: Final = sa.Table(
    "revision",
    metadata,
    column("complaint", ID, sa.ForeignKey("complaint.id"), primary_key=True, autoincrement=False),
    column("number", sa.Integer, primary_key=True, autoincrement=False),
    column("received", ID, sa.ForeignKey("received.id")),
    column("base_revision", sa.Integer),
    column("fields", JSON),
    column("at", UtcTime),
)

sequel: Final = sa.Table(
    "sequel",
    metadata,
    column("received", ID, sa.ForeignKey("received.id"), primary_key=True, autoincrement=False),
    column("complaint", ID, sa.ForeignKey("complaint.id"), index=True),
)

conflict: Final = sa.Table(
    "conflict",
    metadata,
    sa.Column("id", ID, primary_key=True),
    column("complaint", ID, sa.ForeignKey("complaint.id"), index=True),
    # Text: an unknown member's name is part of it.
    column("field", sa.Text),
    column("kept_revision", sa.Integer),
    column("received", ID, sa.ForeignKey("received.id")),
    column("state", sa.String(10), server_default="open"),
    column("at", UtcTime),
    one_of("state", "open", "settled"),
    sqlite_autoincrement=True,
)

quarantine: Final = sa.Table(
    "quarantine",
    metadata,
    sa.Column("id", ID, primary_key=True),
    uuid("lineage", sa.ForeignKey("lineage.id")),
    column("client_id", sa.String(64)),
    column("hash", sa.String(64)),
    column("payload", sa.LargeBinary),
    column("verdict", sa.String(12)),
    code("code"),
    column("field", sa.String(200)),
    uuid("waits_for", null=True),
    # The complaint that it speaks of, and whose that is, also where nobody can read it: erasure goes by it.
    uuid("about", null=True),
    uuid("about_lineage", null=True),
    column("state", sa.String(10), server_default="waiting"),
    uuid("device"),
    uuid("carried_by", null=True),
    column("received_at", UtcTime),
    column("settled_at", UtcTime, null=True),
    # Who settled it, as the log names a person, and of what was dismissed why: gone with the row.
    column("settled_by", sa.String(80), null=True),
    column("settled_why", sa.Text, null=True),
    column("received", ID, sa.ForeignKey("received.id"), null=True),
    sa.UniqueConstraint("lineage", "client_id", "hash"),
    sa.Index("ix_quarantine_lineage_waits_for", "lineage", "waits_for"),
    # In it the lists find all that they go by: rows are long, and those that were settled stay.
    sa.Index("ix_quarantine_state", "state", "id", "code", "device"),
    one_of("verdict", "held", "quarantined", "conflict"),
    one_of("state", "waiting", "stored", "dismissed"),
    sqlite_autoincrement=True,
)

change: Final = sa.Table(
    "change",
    metadata,
    uuid("lineage", sa.ForeignKey("lineage.id"), primary_key=True),
    column("n", ID, primary_key=True, autoincrement=False),
    column("kind", sa.String(20)),
    uuid("client_id", null=True),
    column("body", JSON),
    column("at", UtcTime),
)

order: Final = sa.Table(
    "device_order",
    metadata,
    uuid("device", sa.ForeignKey("device.id"), primary_key=True),
    column("no", sa.Integer, primary_key=True, autoincrement=False),
    column("kind", sa.String(12)),
    column("body", JSON),
    column("sig", sa.String(90)),
    column("at", UtcTime),
    one_of("kind", "wipe", "revoke", "keyring"),
)

parcel: Final = sa.Table(
    "parcel",
    metadata,
    uuid("device", sa.ForeignKey("device.id"), primary_key=True),
    column("number", ID, primary_key=True, autoincrement=False),
    uuid("carried_by"),
    column("received_at", UtcTime),
)

event: Final = sa.Table(
    "event",
    metadata,
    column("place", ID, primary_key=True, autoincrement=False),
    column("at", UtcTime),
    column("actor", sa.String(80)),
    column("action", sa.String(40)),
    column("object", sa.String(120)),
    # What a person typed, outside the leaf: it may name somebody, and erasure empties both.
    column("words", sa.Text, null=True),
    column("nonce", sa.LargeBinary, null=True),
    column("canonical", sa.LargeBinary),
)

log_counter: Final = sa.Table(
    "log_counter",
    metadata,
    column("id", sa.Integer, primary_key=True, autoincrement=False),
    column("size", ID),
)

log_block: Final = sa.Table(
    "log_block",
    metadata,
    column("no", ID, primary_key=True, autoincrement=False),
    column("root", sa.String(64)),
)

anchor: Final = sa.Table(
    "anchor",
    metadata,
    column("size", ID, primary_key=True, autoincrement=False),
    column("day", sa.String(10), unique=True),
    column("epoch", sa.String(8)),
    column("root", sa.String(64)),
    column("sig", sa.String(90)),
)

account: Final = sa.Table(
    "account",
    metadata,
    uuid("id", primary_key=True),
    # What the name is found by; `name` is it as it was written.
    column("login", sa.String(80), unique=True),
    column("name", sa.String(80)),
    column("role", sa.String(16)),
    column("state", sa.String(10), server_default="active"),
    column("language", sa.String(8), server_default="fr"),
    # Argon2id of the passphrase, in its own text form.
    column("passphrase", sa.String(200)),
    # Until when sign-up words let their holder in, to choose a passphrase; empty once that was done.
    column("change_by", UtcTime, null=True),
    # The second factor's secret, sealed under a key of the hub's credential, and the last step it was used in.
    column("totp", sa.LargeBinary, null=True),
    column("totp_step", ID, server_default="0"),
    # Scope: empty lists cover everything of their kind.
    column("regions", JSON),
    column("teams", JSON),
    column("partners", JSON),
    column("is_named_reader", sa.Boolean),
    # For which somebody of the commission speaks; no foreign key, since SQLite adds none to a table that is there.
    column("destination", sa.String(80), null=True),
    column("made_at", UtcTime),
    column("left_at", UtcTime, null=True),
    # The day alone: when somebody is at work is nobody's business.
    column("last_login_on", sa.String(10), null=True),
    one_of("role", "monitor", "verifier", "coordinator", "administrator", "commission", "auditor"),
    one_of("state", "active", "suspended", "left"),
)

recipient: Final = sa.Table(
    "recipient",
    metadata,
    column("kid", sa.String(16), primary_key=True),
    # Empty for the recovery key, which is nobody's alone.
    uuid("account", sa.ForeignKey("account.id"), null=True, index=True),
    column("held", sa.String(8)),
    column("public", sa.String(44)),
    # The private key under the holder's passphrase; empty where it is held offline.
    column("slot", sa.LargeBinary, null=True),
    column("state", sa.String(10), server_default="current"),
    column("made_at", UtcTime),
    column("retired_at", UtcTime, null=True),
    one_of("held", "hub", "offline"),
    # `old`: opens what was sealed to it, nothing new is. `removed`: opens nothing.
    one_of("state", "current", "old", "removed"),
)

session: Final = sa.Table(
    "session",
    metadata,
    column("token_hash", sa.String(64), primary_key=True),
    uuid("account", sa.ForeignKey("account.id"), index=True),
    # The holder's private keys, under a key that only the cookie gives.
    column("keys", sa.LargeBinary, null=True),
    # Between passphrase and code it opens nothing but the page that asks for the code.
    column("needs_code", sa.Boolean),
    column("made_at", UtcTime),
    column("used_at", UtcTime),
)

login_failure: Final = sa.Table(
    "login_failure",
    metadata,
    # HMAC of the account, or of there being none, and the address.
    column("who", sa.String(64), primary_key=True),
    column("failures", sa.Integer),
    column("last_at", UtcTime),
)

login_wait: Final = sa.Table(
    "login_wait",
    metadata,
    # HMAC of name and address, whether or not there is such an account; for wrong codes of the account.
    column("who", sa.String(64), primary_key=True),
    column("failures", sa.Integer),
    column("next_try_at", UtcTime),
)

keyring: Final = sa.Table(
    "keyring",
    metadata,
    column("version", sa.Integer, primary_key=True, autoincrement=False),
    # The public key that signed it, which devices pin.
    column("root", sa.String(44)),
    column("document", sa.LargeBinary),
    column("published_at", UtcTime),
)

assignment: Final = sa.Table(
    "assignment",
    metadata,
    column("complaint", ID, sa.ForeignKey("complaint.id"), primary_key=True, autoincrement=False),
    uuid("account", sa.ForeignKey("account.id"), primary_key=True),
    uuid("by_account", sa.ForeignKey("account.id")),
    column("at", UtcTime),
)

wrap: Final = sa.Table(
    "wrap",
    metadata,
    # Keys of a sealed operation, sealed again for a reader who came later.
    column("received", ID, sa.ForeignKey("received.id"), primary_key=True, autoincrement=False),
    column("kid", sa.String(16), sa.ForeignKey("recipient.kid"), primary_key=True),
    column("box", sa.Text),
    column("at", UtcTime),
)

opening: Final = sa.Table(
    "opening",
    metadata,
    sa.Column("id", ID, primary_key=True),
    column("complaint", ID, sa.ForeignKey("complaint.id"), index=True),
    uuid("account", sa.ForeignKey("account.id")),
    column("compartment", sa.String(12)),
    column("reason", sa.Text),
    column("at", UtcTime),
    sqlite_autoincrement=True,
)

erasure: Final = sa.Table(
    "erasure",
    metadata,
    uuid("lineage", primary_key=True),
    # As long as a SHA-256: of an id that is no UUID only that is kept.
    column("client_id", sa.String(64), primary_key=True),
    column("hash", sa.String(64), primary_key=True),
    column("at", UtcTime),
    # When the last backup that may hold it is gone.
    column("gone_at", UtcTime),
)

legal_hold: Final = sa.Table(
    "legal_hold",
    metadata,
    sa.Column("id", ID, primary_key=True),
    column("complaint", ID, sa.ForeignKey("complaint.id"), index=True),
    uuid("asked_by", sa.ForeignKey("account.id")),
    uuid("agreed_by", sa.ForeignKey("account.id"), null=True),
    column("asked_at", UtcTime),
    column("agreed_at", UtcTime, null=True),
    uuid("lift_asked_by", sa.ForeignKey("account.id"), null=True),
    uuid("lifted_by", sa.ForeignKey("account.id"), null=True),
    column("lifted_at", UtcTime, null=True),
    sqlite_autoincrement=True,
)

registry_counter: Final = sa.Table(
    "registry_counter",
    metadata,
    column("prefix", sa.String(12), primary_key=True),
    column("year", sa.Integer, primary_key=True, autoincrement=False),
    column("last", ID),
)

registry: Final = sa.Table(
    "registry",
    metadata,
    column("prefix", sa.String(12), primary_key=True),
    column("year", sa.Integer, primary_key=True, autoincrement=False),
    column("number", ID, primary_key=True, autoincrement=False),
    # Empty for a number that was printed and then lost with a disk, or whose complaint was erased: it is never
    # given again.
    column("complaint", ID, sa.ForeignKey("complaint.id"), null=True, unique=True),
    column("erased_at", UtcTime, null=True),
)

place_list: Final = sa.Table(
    "place_list",
    metadata,
    column("version", sa.String(20), primary_key=True),
    column("source", sa.Text),
    column("imported_at", UtcTime),
    column("is_current", sa.Boolean),
)

place: Final = sa.Table(
    "place",
    metadata,
    column("list", sa.String(20), sa.ForeignKey("place_list.version"), primary_key=True),
    column("id", sa.String(80), primary_key=True),
    column("name", sa.String(120)),
    column("level", sa.String(20)),
    column("parent", sa.String(80), null=True),
    column("valid_from", sa.String(10), null=True),
    column("valid_to", sa.String(10), null=True),
    column("codes", JSON),
    column("aliases", JSON),
    column("regions", JSON),
)

backup: Final = sa.Table(
    "backup",
    metadata,
    sa.Column("id", ID, primary_key=True),
    column("file", sa.String(200)),
    column("sha256", sa.String(64)),
    column("bytes", ID),
    column("complaints", ID),
    column("made_at", UtcTime),
    column("verified_at", UtcTime),
    sqlite_autoincrement=True,
)

job_run: Final = sa.Table(
    "job_run",
    metadata,
    column("name", sa.String(40), primary_key=True),
    column("due_at", UtcTime, primary_key=True),
    column("started_at", UtcTime),
    # Whoever has it gives signs of life until then; how many have had it.
    column("lease_until", UtcTime),
    column("attempts", sa.Integer),
    column("finished_at", UtcTime, null=True),
    column("outcome", sa.String(40), null=True),
)
