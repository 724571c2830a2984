"""The tables, written once for both engines; what each is for stands in docs/database.md."""

from typing import Any, Final

import sqlalchemy as sa

from server.store.dialect import ID, JSON, UtcTime

metadata: Final = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _column(name: str, kind: Any, *args: Any, null: bool = False, **options: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, *args, nullable=null, **options)


def _uuid(name: str, *args: Any, **options: Any) -> sa.Column[Any]:
    # 36 characters on both engines: sa.Uuid would write two different forms.
    return _column(name, sa.String(36), *args, **options)


def _code(name: str, **options: Any) -> sa.Column[Any]:
    return _column(name, sa.String(64), **options)


def _slug(name: str, **options: Any) -> sa.Column[Any]:
    return _column(name, sa.String(80), **options)


def _one_of(column: str, *values: str) -> sa.CheckConstraint:
    quoted = ", ".join(f"'{value}'" for value in values)
    return sa.CheckConstraint(f"{column} IN ({quoted})", name=column)


hub_state: Final = sa.Table(
    "hub_state", metadata, _column("name", sa.String(40), primary_key=True), _column("value", sa.Text)
)

lineage: Final = sa.Table(
    "lineage",
    metadata,
    _uuid("id", primary_key=True),
    _slug("team", null=True),
    _column("position", ID, server_default="0"),
    _column("backed_up_to", ID, server_default="0"),
    _column("changes", ID, server_default="0"),
)

device: Final = sa.Table(
    "device",
    metadata,
    _uuid("id", primary_key=True),
    _uuid("lineage", sa.ForeignKey("lineage.id"), index=True),
    _column("number", sa.Integer, unique=True),
    _column("label", sa.String(80)),
    _slug("team", null=True),
    _slug("partner", null=True),
    _column("state", sa.String(10)),
    _column("sign_key", sa.String(44)),
    _column("box_key", sa.String(44)),
    _column("token_hash", sa.String(64), unique=True),
    _uuid("succeeds", null=True),
    _column("software", sa.String(80), null=True),
    _column("enrolled_at", UtcTime),
    _column("confirmed_at", UtcTime, null=True),
    _column("revoked_at", UtcTime, null=True),
    _column("suspect_since", UtcTime, null=True),
    _column("last_sync_at", UtcTime, null=True),
    _column("last_frame", ID, server_default="0"),
    _column("rolled_back_at", UtcTime, null=True),
    _column("clock_ahead_s", ID, null=True),
    _column("waiting", ID, null=True),
    _column("seen_change", ID, server_default="0"),
    _column("records_left", sa.Float),
    _column("bytes_left", sa.Float),
    _column("refilled_at", UtcTime),
    _column("burst_records", ID, null=True),
    _column("burst_until", UtcTime, null=True),
    _one_of("state", "waiting", "ready", "revoked"),
)

enrolment: Final = sa.Table(
    "enrolment",
    metadata,
    _column("code_hash", sa.String(64), primary_key=True),
    _column("label", sa.String(80)),
    _slug("team", null=True),
    _slug("partner", null=True),
    _uuid("succeeds", null=True),
    _column("made_at", UtcTime),
    _column("expires_at", UtcTime),
    _uuid("used_by", null=True),
)

frame: Final = sa.Table(
    "frame",
    metadata,
    _uuid("lineage", sa.ForeignKey("lineage.id"), primary_key=True),
    _column("number", ID, primary_key=True, autoincrement=False),
    _column("mark", sa.String(64), primary_key=True),
    _uuid("device"),
    _uuid("carried_by", null=True),
    _column("report", JSON),
    _column("received_at", UtcTime),
)

received: Final = sa.Table(
    "received",
    metadata,
    sa.Column("id", ID, primary_key=True),
    _uuid("lineage"),
    _uuid("client_id"),
    _column("op", sa.String(64)),
    _column("seq", ID),
    _column("hash", sa.String(64)),
    _column("line", sa.LargeBinary),
    _uuid("device"),
    _uuid("carried_by", null=True),
    _column("received_at", UtcTime),
    sa.UniqueConstraint("lineage", "client_id"),
    sqlite_autoincrement=True,
)

complaint: Final = sa.Table(
    "complaint",
    metadata,
    _column("id", ID, sa.ForeignKey("received.id"), primary_key=True, autoincrement=False),
    _column("receipt", sa.String(8), index=True),
    _column("form", sa.String(40)),
    _column("vocabulary", sa.String(20)),
    _code("kind"),
    _code("channel"),
    _code("relation", null=True),
    _code("sector", null=True),
    _code("language", null=True),
    _column("incident_from", sa.String(10), null=True),
    _column("incident_to", sa.String(10), null=True),
    _code("incident_precision", null=True),
    _column("place_id", sa.String(80), null=True, index=True),
    _column("asked_xof", ID, null=True),
    _column("paid_xof", ID, null=True),
    _code("paid", null=True),
    _code("danger", null=True),
    _column("urgency", sa.String(200), null=True),
    _code("consent_level"),
    _column("consent", JSON),
    _uuid("consent_device", null=True),
    _column("consent_seq", ID, null=True),
    _code("confidentiality"),
    _code("contact_ok"),
    _column("collected_at", UtcTime, null=True),
    _column("entered_at", UtcTime),
    _slug("team", null=True),
    _slug("partner", null=True),
    _column("revision", sa.Integer, server_default="1"),
    _column("state", sa.String(12), server_default="received"),
    _column("withdrawn", sa.String(8), null=True),
    _one_of("state", "received", "withdrawn"),
)

act: Final = sa.Table(
    "act",
    metadata,
    _column("complaint", ID, sa.ForeignKey("complaint.id"), primary_key=True, autoincrement=False),
    _column("no", sa.Integer, primary_key=True, autoincrement=False),
    _code("kind"),
)

person: Final = sa.Table(
    "person",
    metadata,
    _column("complaint", ID, sa.ForeignKey("complaint.id"), primary_key=True, autoincrement=False),
    _column("no", sa.Integer, primary_key=True, autoincrement=False),
    _column("roles", sa.String(400)),
    _code("sex", null=True),
    _code("age", null=True),
    _code("category", null=True),
    _column("count", ID, null=True),
    _code("displaced", null=True),
    _column("disability", sa.Boolean, null=True),
)

file: Final = sa.Table(
    "file",
    metadata,
    _column("complaint", ID, sa.ForeignKey("complaint.id"), primary_key=True, autoincrement=False),
    _column("no", sa.Integer, primary_key=True, autoincrement=False),
    _column("sha256", sa.String(64)),
    _column("size", ID),
    _code("kind"),
    _code("role"),
)

# Sealed, until the matcher has read it; in no backup.
linkage_pending: Final = sa.Table(
    "linkage_pending",
    metadata,
    _uuid("lineage", primary_key=True),
    _uuid("id", primary_key=True),
    _uuid("complaint"),
    _column("seq", ID),
    _column("v", sa.Integer),
    _column("box", sa.Text),
    _column("received_at", UtcTime),
)

revision: Final = sa.Table(
    "revision",
    metadata,
    _column("complaint", ID, sa.ForeignKey("complaint.id"), primary_key=True, autoincrement=False),
    _column("number", sa.Integer, primary_key=True, autoincrement=False),
    _column("received", ID, sa.ForeignKey("received.id")),
    _column("base_revision", sa.Integer),
    _column("fields", JSON),
    _column("at", UtcTime),
)

sequel: Final = sa.Table(
    "sequel",
    metadata,
    _column("received", ID, sa.ForeignKey("received.id"), primary_key=True, autoincrement=False),
    _column("complaint", ID, sa.ForeignKey("complaint.id"), index=True),
)

conflict: Final = sa.Table(
    "conflict",
    metadata,
    sa.Column("id", ID, primary_key=True),
    _column("complaint", ID, sa.ForeignKey("complaint.id"), index=True),
    # Text: an unknown member's name is part of it.
    _column("field", sa.Text),
    _column("kept_revision", sa.Integer),
    _column("received", ID, sa.ForeignKey("received.id")),
    _column("state", sa.String(10), server_default="open"),
    _column("at", UtcTime),
    _one_of("state", "open", "settled"),
    sqlite_autoincrement=True,
)

quarantine: Final = sa.Table(
    "quarantine",
    metadata,
    sa.Column("id", ID, primary_key=True),
    _uuid("lineage", sa.ForeignKey("lineage.id")),
    _column("client_id", sa.String(64)),
    _column("hash", sa.String(64)),
    _column("payload", sa.LargeBinary),
    _column("verdict", sa.String(12)),
    _code("code"),
    _column("field", sa.String(200)),
    _uuid("waits_for", null=True),
    # The complaint that it speaks of, also where nobody can read it: erasure goes by it.
    _uuid("about", null=True),
    _column("state", sa.String(10), server_default="waiting"),
    _uuid("device"),
    _uuid("carried_by", null=True),
    _column("received_at", UtcTime),
    _column("settled_at", UtcTime, null=True),
    _column("received", ID, sa.ForeignKey("received.id"), null=True),
    sa.UniqueConstraint("lineage", "client_id", "hash"),
    sa.Index("ix_quarantine_lineage_waits_for", "lineage", "waits_for"),
    _one_of("verdict", "held", "quarantined", "conflict"),
    _one_of("state", "waiting", "stored"),
    sqlite_autoincrement=True,
)

change: Final = sa.Table(
    "change",
    metadata,
    _uuid("lineage", sa.ForeignKey("lineage.id"), primary_key=True),
    _column("n", ID, primary_key=True, autoincrement=False),
    _column("kind", sa.String(20)),
    _uuid("client_id", null=True),
    _column("body", JSON),
    _column("at", UtcTime),
)

order: Final = sa.Table(
    "device_order",
    metadata,
    _uuid("device", sa.ForeignKey("device.id"), primary_key=True),
    _column("no", sa.Integer, primary_key=True, autoincrement=False),
    _column("kind", sa.String(12)),
    _column("body", JSON),
    _column("sig", sa.String(90)),
    _column("at", UtcTime),
    _one_of("kind", "wipe", "revoke", "keyring"),
)

parcel: Final = sa.Table(
    "parcel",
    metadata,
    _uuid("device", sa.ForeignKey("device.id"), primary_key=True),
    _column("number", ID, primary_key=True, autoincrement=False),
    _uuid("carried_by"),
    _column("received_at", UtcTime),
)

event: Final = sa.Table(
    "event",
    metadata,
    _column("place", ID, primary_key=True, autoincrement=False),
    _column("at", UtcTime),
    _column("actor", sa.String(80)),
    _column("action", sa.String(40)),
    _column("object", sa.String(120)),
    # What a person typed, outside the leaf: it may name somebody, and erasure empties both.
    _column("words", sa.Text, null=True),
    _column("nonce", sa.LargeBinary, null=True),
    _column("canonical", sa.LargeBinary),
)

log_counter: Final = sa.Table(
    "log_counter",
    metadata,
    _column("id", sa.Integer, primary_key=True, autoincrement=False),
    _column("size", ID),
)

log_block: Final = sa.Table(
    "log_block",
    metadata,
    _column("no", ID, primary_key=True, autoincrement=False),
    _column("root", sa.String(64)),
)

anchor: Final = sa.Table(
    "anchor",
    metadata,
    _column("size", ID, primary_key=True, autoincrement=False),
    _column("day", sa.String(10), unique=True),
    _column("epoch", sa.String(8)),
    _column("root", sa.String(64)),
    _column("sig", sa.String(90)),
)

account: Final = sa.Table(
    "account",
    metadata,
    _uuid("id", primary_key=True),
    _column("name", sa.String(80), unique=True),
    _column("role", sa.String(16)),
    _column("state", sa.String(10), server_default="active"),
    _column("language", sa.String(8), server_default="fr"),
    # Argon2id of the passphrase, in its own text form.
    _column("passphrase", sa.String(200)),
    # The second factor's secret, sealed under a key of the hub's credential, and the last step it was used in.
    _column("totp", sa.LargeBinary, null=True),
    _column("totp_step", ID, server_default="0"),
    # Scope: empty lists cover everything of their kind.
    _column("regions", JSON),
    _column("teams", JSON),
    _column("partners", JSON),
    _column("is_named_reader", sa.Boolean),
    _column("made_at", UtcTime),
    _column("left_at", UtcTime, null=True),
    _one_of("role", "monitor", "verifier", "coordinator", "administrator", "commission", "auditor"),
    _one_of("state", "active", "left"),
)

recipient: Final = sa.Table(
    "recipient",
    metadata,
    _column("kid", sa.String(16), primary_key=True),
    # Empty for the recovery key, which is nobody's alone.
    _uuid("account", sa.ForeignKey("account.id"), null=True, index=True),
    _column("held", sa.String(8)),
    _column("public", sa.String(44)),
    # The private key under the holder's passphrase; empty where it is held offline.
    _column("slot", sa.LargeBinary, null=True),
    _column("state", sa.String(10), server_default="current"),
    _column("made_at", UtcTime),
    _column("retired_at", UtcTime, null=True),
    _one_of("held", "hub", "offline"),
    # `old`: opens what was sealed to it, nothing new is. `removed`: opens nothing.
    _one_of("state", "current", "old", "removed"),
)

session: Final = sa.Table(
    "session",
    metadata,
    _column("token_hash", sa.String(64), primary_key=True),
    _uuid("account", sa.ForeignKey("account.id"), index=True),
    # The holder's private keys, under a key that only the cookie gives.
    _column("keys", sa.LargeBinary, null=True),
    # Between passphrase and code it opens nothing but the page that asks for the code.
    _column("needs_code", sa.Boolean),
    _column("made_at", UtcTime),
    _column("used_at", UtcTime),
)

login_wait: Final = sa.Table(
    "login_wait",
    metadata,
    # HMAC of name and address, whether or not there is such an account.
    _column("who", sa.String(64), primary_key=True),
    _column("failures", sa.Integer),
    _column("next_try_at", UtcTime),
)

keyring: Final = sa.Table(
    "keyring",
    metadata,
    _column("version", sa.Integer, primary_key=True, autoincrement=False),
    # The public key that signed it, which devices pin.
    _column("root", sa.String(44)),
    _column("document", sa.LargeBinary),
    _column("published_at", UtcTime),
)

assignment: Final = sa.Table(
    "assignment",
    metadata,
    _column("complaint", ID, sa.ForeignKey("complaint.id"), primary_key=True, autoincrement=False),
    _uuid("account", sa.ForeignKey("account.id"), primary_key=True),
    _uuid("by_account", sa.ForeignKey("account.id")),
    _column("at", UtcTime),
)

wrap: Final = sa.Table(
    "wrap",
    metadata,
    # Keys of a sealed operation, sealed again for a reader who came later.
    _column("received", ID, sa.ForeignKey("received.id"), primary_key=True, autoincrement=False),
    _column("kid", sa.String(16), sa.ForeignKey("recipient.kid"), primary_key=True),
    _column("box", sa.Text),
    _column("at", UtcTime),
)

opening: Final = sa.Table(
    "opening",
    metadata,
    sa.Column("id", ID, primary_key=True),
    _column("complaint", ID, sa.ForeignKey("complaint.id"), index=True),
    _uuid("account", sa.ForeignKey("account.id")),
    _column("compartment", sa.String(12)),
    _column("reason", sa.Text),
    _column("at", UtcTime),
    sqlite_autoincrement=True,
)

erasure: Final = sa.Table(
    "erasure",
    metadata,
    _uuid("lineage", primary_key=True),
    # As long as a SHA-256: of an id that is no UUID only that is kept.
    _column("client_id", sa.String(64), primary_key=True),
    _column("hash", sa.String(64), primary_key=True),
    _column("at", UtcTime),
    # When the last backup that may hold it is gone.
    _column("gone_at", UtcTime),
)

legal_hold: Final = sa.Table(
    "legal_hold",
    metadata,
    sa.Column("id", ID, primary_key=True),
    _column("complaint", ID, sa.ForeignKey("complaint.id"), index=True),
    _uuid("asked_by", sa.ForeignKey("account.id")),
    _uuid("agreed_by", sa.ForeignKey("account.id"), null=True),
    _column("asked_at", UtcTime),
    _column("agreed_at", UtcTime, null=True),
    _uuid("lift_asked_by", sa.ForeignKey("account.id"), null=True),
    _uuid("lifted_by", sa.ForeignKey("account.id"), null=True),
    _column("lifted_at", UtcTime, null=True),
    sqlite_autoincrement=True,
)

registry_counter: Final = sa.Table(
    "registry_counter",
    metadata,
    _column("prefix", sa.String(12), primary_key=True),
    _column("year", sa.Integer, primary_key=True, autoincrement=False),
    _column("last", ID),
)

registry: Final = sa.Table(
    "registry",
    metadata,
    _column("prefix", sa.String(12), primary_key=True),
    _column("year", sa.Integer, primary_key=True, autoincrement=False),
    _column("number", ID, primary_key=True, autoincrement=False),
    # Empty for a number that was printed and then lost with a disk, or whose complaint was erased: it is never
    # given again.
    _column("complaint", ID, sa.ForeignKey("complaint.id"), null=True, unique=True),
    _column("erased_at", UtcTime, null=True),
)

place_list: Final = sa.Table(
    "place_list",
    metadata,
    _column("version", sa.String(20), primary_key=True),
    _column("source", sa.Text),
    _column("imported_at", UtcTime),
    _column("is_current", sa.Boolean),
)

place: Final = sa.Table(
    "place",
    metadata,
    _column("list", sa.String(20), sa.ForeignKey("place_list.version"), primary_key=True),
    _column("id", sa.String(80), primary_key=True),
    _column("name", sa.String(120)),
    _column("level", sa.String(20)),
    _column("parent", sa.String(80), null=True),
    _column("valid_from", sa.String(10), null=True),
    _column("valid_to", sa.String(10), null=True),
    _column("codes", JSON),
    _column("aliases", JSON),
    _column("regions", JSON),
)

backup: Final = sa.Table(
    "backup",
    metadata,
    sa.Column("id", ID, primary_key=True),
    _column("file", sa.String(200)),
    _column("sha256", sa.String(64)),
    _column("bytes", ID),
    _column("complaints", ID),
    _column("made_at", UtcTime),
    _column("verified_at", UtcTime),
    sqlite_autoincrement=True,
)

job_run: Final = sa.Table(
    "job_run",
    metadata,
    _column("name", sa.String(40), primary_key=True),
    _column("due_at", UtcTime, primary_key=True),
    _column("started_at", UtcTime),
    _column("finished_at", UtcTime, null=True),
    _column("outcome", sa.String(40), null=True),
)
