"""The tables of the transport store, and the values that its rows become."""

from dataclasses import dataclass, field
from typing import Final, Literal

from nacl.public import PrivateKey
from nacl.signing import SigningKey
from sqlite_utils import Database, Migrations

from client_sync.protocol.enrolment import fingerprint

State = Literal["here", "sending", "at_centre", "kept_aside", "rejected"]

BODY_FIRST_BYTES: Final = 64 * 2**10
# What complaints weigh before anything was measured: compressed size over size.
_FIRST_RATIO: Final = 0.3

MIGRATIONS: Final = Migrations("transport")


@MIGRATIONS()
def v0001_outbox(database: Database) -> None:
    """Records, frames in flight, what is known of the hub, and what came for others to read."""
    _create_link(database)
    _create_identity(database)
    _create_records(database)
    _create_parcels(database)


@dataclass(frozen=True)
class Link:
    """How far device and hub have come.

    `last_change` is the highest number of a change applied, `body_bytes` the compressed size to aim at,
    `ratio` compressed size over size as last measured. `clock_ahead_s` is how far the device's clock runs
    ahead of the hub's: it is shown, and orders nothing.
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


@dataclass(frozen=True)
class Keys:
    """The private keys of a device."""

    sign: SigningKey = field(repr=False)
    box: PrivateKey = field(repr=False)


@dataclass(frozen=True)
class Enrolled:
    """What binds the device to its hub. `epoch` is the last one heard, `pin` as for `HttpTransport`."""

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
    epoch: str | None
    token: str = field(repr=False)
    keys: Keys = field(repr=False)

    @property
    def words(self) -> list[str]:
        """The six words that an operator of the hub must read out as well."""
        public = bytes(self.keys.sign.verify_key), bytes(self.keys.box.public_key)
        return fingerprint(self.hub_sign_key, *public)


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
        {"digest": str, "record": str, "change": int, "body": bytes, "is_sealed": int}, pk="digest", strict=True
    )
