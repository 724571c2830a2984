"""The tables of the transport store, and the values that its rows become."""

from dataclasses import dataclass, field
from typing import Any, Final, Literal

from nacl.public import PrivateKey
from nacl.signing import SigningKey
from sqlite_utils import Database, Migrations

from client_sync.protocol import keyring as keyrings
from client_sync.protocol.enrolment import fingerprint
from client_sync.protocol.keyring import Keyring, KeyringRefused

State = Literal["here", "sending", "at_centre", "kept_aside", "rejected"]

BODY_FIRST_BYTES: Final = 64 * 2**10
# What complaints weigh before anything was measured: compressed size over size.
_FIRST_RATIO: Final = 0.3

# Columns of `link` that are true or false.
LINK_FLAGS: Final = ("dictionary_refused", "is_revoked", "is_wiped", "is_anchor_untold", "has_log_differed")

MIGRATIONS: Final = Migrations("transport")


@MIGRATIONS()
def v0001_outbox(database: Database) -> None:
    """Records, frames in flight, what is known of the hub, and what came for others to read."""
    _create_link(database)
    _create_identity(database)
    _create_records(database)
    _create_parcels(database)
    _create_tasks(database)


@MIGRATIONS()
def v0002_files(database: Database) -> None:
    """Sealed files on the device."""
    _create_files(database)


@dataclass(frozen=True)
class Link:
    """How far device and hub have come.

    `last_change` is the highest number of a change applied, `body_bytes` the compressed size to aim at,
    `ratio` compressed size over size as last measured. `clock_ahead_s` is how far the device's clock runs
    ahead of the hub's: it is shown, and orders nothing.
    `anchor` is the signed head of the hub's log seen last, as text, of `anchor_size` leaves, and `anchors_lost` those
    that a declared restore lost, one a line. `watched_since` is the first day, by the hub's clock, on which the hub
    answered on the line, and `answered_on` the last.
    `is_wiped` says that an administrator had the device wiped: it only brings away what nobody else has.
    """

    next_seq: int
    next_frame: int
    next_parcel: int
    epoch: str | None
    cursor: str | None
    last_change: int
    backed_up_to: int | None
    body_bytes: int
    ratio: float
    dictionary_refused: bool
    clock_ahead_s: int | None
    last_order: int
    is_revoked: bool
    is_wiped: bool
    anchor: str | None
    anchor_size: int
    anchors_lost: str | None
    watched_since: str | None
    answered_on: str | None
    is_anchor_untold: bool
    has_log_differed: bool


@dataclass(frozen=True)
class Keys:
    """The private keys of a device."""

    sign: SigningKey = field(repr=False)
    box: PrivateKey = field(repr=False)


@dataclass(frozen=True)
class Enrolled:
    """What binds the device to its hub. `epoch` is the last one heard, `pin` as for `HttpTransport`.

    `keyring` is the signed document with the keys to seal to, `root` the public key that it has to be signed by.
    """

    device: str
    lineage: str
    hub: str
    url: str
    label: str
    coalition: str | None
    team: str | None
    partner: str | None
    places: str | None
    pin: str | None
    hub_sign_key: bytes
    hub_box_key: bytes
    keyring: str
    root: bytes
    epoch: str | None
    token: str = field(repr=False)
    keys: Keys = field(repr=False)

    @property
    def words(self) -> list[str]:
        """The six words that an operator of the hub must read out as well."""
        public = bytes(self.keys.sign.verify_key), bytes(self.keys.box.public_key)
        return fingerprint(self.hub_sign_key, self.root, *public)

    @property
    def trusted_keyring(self) -> Keyring | None:
        """What the keyring says; None for one that its root key did not sign."""
        try:
            return keyrings.read(self.keyring.encode(), self.root)
        except KeyringRefused:
            return None


@dataclass(frozen=True)
class Record:
    """What the device says of a finished operation: never its content.

    `about` is the complaint that an operation speaks of. `code` and `field` say why it was kept aside or
    rejected. `status` is the last word of the centre, `is_seen` whether a person saw it here.
    `acked_position` is the position at which the hub had it, None before.
    """

    id: str
    seq: int
    op: str
    about: str | None
    picture: str | None
    receipt: str | None
    state: State
    code: str | None
    field: str | None
    status: str | None
    is_answered: bool
    is_seen: bool
    acked_position: int | None


@dataclass(frozen=True)
class Reply:
    """What the hub sent about a record for a person to read: a change of the wire, with its number."""

    change: int
    body: dict[str, Any]


@dataclass(frozen=True)
class Counts:
    """Complaints: `here` not at the centre yet (or rejected by it), `at_centre`, and of those the answered."""

    here: int
    at_centre: int
    answered: int


@dataclass(frozen=True)
class InFlight:
    """A frame that may have left; `is_unsure` while nobody knows whether the hub read it. `weight` is compressed."""

    number: int
    header: str
    digest: str
    weight: int
    is_unsure: bool


@dataclass(frozen=True)
class Carried:
    """A parcel of another device, carried for it, and the reply to it once the hub gave one.

    `digest` is the SHA-256 of the file, 64 hexadecimal digits: anybody can write another device and number on
    a file. `refused` is the code of what kept the parcel from the hub when it was last tried.
    """

    digest: str
    device: str
    parcel: int
    refused: str | None
    data: bytes = field(repr=False)
    reply: bytes | None = field(repr=False)


def _create_link(database: Database) -> None:
    link = database.table("link")
    link.create(
        {
            "id": int,
            "next_seq": int,
            "next_frame": int,
            "next_parcel": int,
            "epoch": str,
            "cursor": str,
            "last_change": int,
            "backed_up_to": int,
            "body_bytes": int,
            "ratio": float,
            "dictionary_refused": int,
            "clock_ahead_s": int,
            "last_order": int,
            "is_revoked": int,
            "is_wiped": int,
            "anchor": str,
            "anchor_size": int,
            "anchors_lost": str,
            "watched_since": str,
            "answered_on": str,
            "is_anchor_untold": int,
            "has_log_differed": int,
            "has_missed": int,
            "contact_at": str,
            "looked_at": str,
            "looked_running_s": float,
            "sure_s": float,
            "claimed_from_s": float,
        },
        pk="id",
        strict=True,
    )
    link.insert(
        {
            "id": 1,
            "next_seq": 1,
            "next_frame": 1,
            "next_parcel": 1,
            "last_change": 0,
            "body_bytes": BODY_FIRST_BYTES,
            "ratio": _FIRST_RATIO,
            "dictionary_refused": 0,
            "last_order": 0,
            "is_revoked": 0,
            "is_wiped": 0,
            "anchor_size": 0,
            "is_anchor_untold": 0,
            "has_log_differed": 0,
            "has_missed": 0,
            "sure_s": 0.0,
        }
    )


def _create_identity(database: Database) -> None:
    """Keys are kept from before the enrolment: a lost answer must not cost them."""
    database.table("keys").create({"code_hash": str, "sign": bytes, "box": bytes}, pk="code_hash", strict=True)
    database.table("enrolment").create(
        {
            "id": int,
            "device": str,
            "lineage": str,
            "hub": str,
            "url": str,
            "label": str,
            "coalition": str,
            "team": str,
            "partner": str,
            "places": str,
            "pin": str,
            "hub_sign_key": bytes,
            "hub_box_key": bytes,
            "keyring": str,
            "root": bytes,
            "token": str,
            "sign": bytes,
            "box": bytes,
        },
        pk="id",
        strict=True,
    )


def _create_records(database: Database) -> None:
    database.table("frame").create(
        {"number": int, "header": str, "digest": str, "weight": int, "is_unsure": int}, pk="number", strict=True
    )
    database.table("record").create(
        {
            "seq": int,
            "id": str,
            "op": str,
            "about": str,
            "line": bytes,
            "scope": bytes,
            "picture": str,
            "receipt": str,
            "state": str,
            "code": str,
            "field": str,
            "status": str,
            "change": int,
            "is_seen": int,
            "waiting": int,
            "frame": int,
            "position": int,
        },
        pk="seq",
        foreign_keys=[("frame", "frame", "number")],
        not_null={"id", "op", "state", "is_seen", "waiting"},
        strict=True,
    )
    database.execute("CREATE UNIQUE INDEX record_id ON record (id)")
    database.execute("CREATE INDEX record_waiting ON record (seq) WHERE waiting = 1")
    database.execute("CREATE INDEX record_frame ON record (frame) WHERE frame IS NOT NULL")
    database.execute("CREATE INDEX record_held ON record (position) WHERE line IS NOT NULL")


def _create_parcels(database: Database) -> None:
    database.table("parcel").create({"number": int, "epoch": str}, pk="number", strict=True)
    database.table("carried").create(
        {
            "digest": str,
            "device": str,
            "parcel": int,
            "data": bytes,
            "reply": bytes,
            "refused": str,
            "tries": int,
        },
        pk="digest",
        not_null={"device", "parcel", "data", "tries"},
        strict=True,
    )
    database.table("reply").create(
        {"digest": str, "record": str, "change": int, "body": bytes, "is_seen": int},
        pk="digest",
        not_null={"record", "change", "body", "is_seen"},
        defaults={"is_seen": 0},
        strict=True,
    )
    database.execute("CREATE INDEX reply_record ON reply (record, change)")


def _create_tasks(database: Database) -> None:
    """Of a task that is gone its number stays, with an empty body."""
    columns = {"id": str, "n": int, "closes_on": str, "body": bytes}
    database.table("task").create(columns, pk="id", not_null={"n", "closes_on"}, strict=True)
    database.table("task_look").create({"task": str, "body": bytes}, not_null={"task", "body"}, strict=True)


def _create_files(database: Database) -> None:
    """Of a file that was let go its row stays. `complaint` is null as long as it belongs to a draft."""
    database.table("file").create(
        {
            "sha256": str,
            "complaint": str,
            "size": int,
            "kind": str,
            "role": str,
            "state": str,
            "code": str,
            "arrived": int,
            "packed": int,
            "heard_seq": int,
            "is_kept": int,
            "taken_in_at": str,
        },
        pk="sha256",
        not_null={"size", "kind", "role", "state", "arrived", "packed", "is_kept", "taken_in_at"},
        defaults={"arrived": 0, "packed": 0, "is_kept": 1},
        strict=True,
    )
    database.execute("CREATE INDEX file_complaint ON file (complaint)")
