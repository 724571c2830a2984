"""The keyring: whom a complaint is sealed to, signed by the organisation's root key (PROTOCOL §4.2)."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal, cast

from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate
from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey

from client_sync.protocol.canonical import Unreadable, canonical, parse
from client_sync.protocol.frames import from_text, to_text
from client_sync.protocol.limits import COMPLAINT_FILES_MAX_BYTES, FILE_MAX_BYTES, JSON_INTEGER_MAX
from client_sync.protocol.records import read_time

Held = Literal["hub", "offline"]
SealStatement = Literal["strict", "all"]
Refusal = Literal["unreadable", "signature", "version"]

KEY_ID_CHARS: Final = 16
KEYRING_MAX_BYTES: Final = 2**18
RECEIVED_DAYS: Final = 30
RECEIVED_MOST_DAYS: Final = 366
_DOMAIN: Final = b"seere-keyring-1\n"
_ALWAYS_SEALED: Final = frozenset({"identity", "traces"})
_KEY_BYTES: Final = 32


class KeyringRefused(Exception):
    """Not a keyring to follow: unreadable, not signed by this root key, or older than the one at hand."""

    def __init__(self, reason: Refusal) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Recipient:
    """A public key to seal to, who it is for, and where its private part lies; empty scopes cover everything."""

    public: bytes
    held: Held
    regions: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()
    partners: tuple[str, ...] = ()
    is_named_reader: bool = False
    is_recovery: bool = False

    @property
    def kid(self) -> str:
        """The id of the key."""
        return key_id(self.public)

    def covers(self, region: str | None, team: str | None, partner: str | None) -> bool:
        """Whether a complaint from there, by them, is within every scope of this recipient."""
        scopes = ((self.regions, region), (self.teams, team), (self.partners, partner))
        return all(not scope or value in scope for scope, value in scopes)


@dataclass(frozen=True)
class Policy:
    """What the organisation decided: statements sealed always or when strict; strict to offline keys alone.

    What a device was told leaves it after `received_days` without contact.
    """

    seal_statement: SealStatement = "strict"
    strict_offline: bool = False
    received_days: int = RECEIVED_DAYS


@dataclass(frozen=True)
class FileLimits:
    """The most bytes that a device may send of one file, and of all files of one complaint."""

    file_bytes: int = FILE_MAX_BYTES
    complaint_bytes: int = COMPLAINT_FILES_MAX_BYTES


@dataclass(frozen=True)
class Keyring:
    """A keyring. `root` and `administrators` are Ed25519 public keys, `linkage` the hub's X25519 one."""

    version: int
    issued_at: datetime
    root: bytes
    linkage: bytes
    policy: Policy
    recipients: tuple[Recipient, ...]
    administrators: tuple[bytes, ...] = ()
    limits: FileLimits | None = None

    def readers_for(
        self, region: str | None, team: str | None, partner: str | None, *, is_strict: bool
    ) -> list[Recipient]:
        """Whom a complaint is sealed to: recovery always, then who covers it; when strict, named readers alone.

        The recovery key stands alone when nobody covers the complaint: such a case is not lost, but nobody reads it.
        """
        return [each for each in self.recipients if each.is_recovery] + [
            each
            for each in self.recipients
            if not each.is_recovery
            and each.covers(region, team, partner)
            and (not is_strict or self._may_read_strict(each))
        ]

    def sealed_compartments(self, *, is_strict: bool) -> frozenset[str]:
        """Which compartments of a complaint are sealed on the device."""
        with_statement = is_strict or self.policy.seal_statement == "all"
        return _ALWAYS_SEALED | {"statement"} if with_statement else _ALWAYS_SEALED

    @property
    def file_limits(self) -> FileLimits:
        """What it says of files; the limits of the protocol where it says nothing."""
        return self.limits or FileLimits()

    def _may_read_strict(self, recipient: Recipient) -> bool:
        return recipient.is_named_reader and (recipient.held == "offline" or not self.policy.strict_offline)


def key_id(public: bytes) -> str:
    """The id of a public key: the first 16 hexadecimal digits of its SHA-256."""
    return hashlib.sha256(public).hexdigest()[:KEY_ID_CHARS]


def draft(keyring: Keyring) -> bytes:
    """The keyring as canonical JSON without a signature: what is carried to the root key."""
    return canonical(_document(keyring))


def read_draft(data: bytes) -> Keyring:
    """The keyring that `draft` wrote. Raises KeyringRefused."""
    return _keyring(_parse(data))


def sign(keyring: Keyring, root_seed: bytes) -> bytes:
    """The keyring with its signature, canonical JSON. Raises KeyringRefused when this is not the seed of `root`."""
    key = SigningKey(root_seed)
    if bytes(key.verify_key) != keyring.root:
        raise KeyringRefused("signature")
    document = _document(keyring)
    return canonical({"keyring": document, "sig": to_text(key.sign(_digest(document)).signature)})


def read(data: bytes, root_public: bytes, at_least: int = 1) -> Keyring:
    """The keyring in `data`, if the root key signed it and its version is not below `at_least`.

    Raises KeyringRefused. Who keeps keyrings passes the version at hand: a keyring never goes back.
    """
    signed = _parse(data)
    document = signed.get("keyring")
    if not isinstance(document, dict):
        raise KeyringRefused("unreadable")
    _refuse_unsigned(document, signed.get("sig"), root_public)
    keyring = _keyring(document)
    if keyring.root != root_public:
        raise KeyringRefused("signature")
    if keyring.version < at_least:
        raise KeyringRefused("version")
    return keyring


def _refuse_unsigned(document: Mapping[str, Any], text: object, root_public: bytes) -> None:
    sig = from_text(text)
    try:
        VerifyKey(root_public).verify(_digest(document), sig)
    except (BadSignatureError, ValueError):
        raise KeyringRefused("signature") from None
    # One keyring has one writing: whoever compares two by their bytes must not be misled.
    if to_text(sig) != text:
        raise KeyringRefused("signature")


def _digest(document: Mapping[str, Any]) -> bytes:
    return hashlib.sha256(_DOMAIN + canonical(document)).digest()


def _parse(data: bytes) -> dict[str, Any]:
    if len(data) > KEYRING_MAX_BYTES:
        raise KeyringRefused("unreadable")
    try:
        value = parse(data)
    except Unreadable:
        raise KeyringRefused("unreadable") from None
    if not isinstance(value, dict):
        raise KeyringRefused("unreadable")
    return value


class _Key(fields.Field[bytes]):
    """A public key of 32 bytes, as text on the wire."""

    def _serialize(self, value: bytes | None, *_: Any, **__: Any) -> str:
        return to_text(value or b"")

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> bytes:
        key = from_text(value)
        if len(key) != _KEY_BYTES or to_text(key) != value:
            raise ValidationError("key")
        return key


class _Time(fields.Field[datetime]):
    """A time of the wire, in UTC."""

    def _serialize(self, value: datetime | None, *_: Any, **__: Any) -> str:
        return "" if value is None else f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> datetime:
        time = read_time(value) if isinstance(value, str) else None
        if time is None:
            raise ValidationError("time")
        return time


def _flag() -> fields.Boolean:
    return fields.Boolean(required=True, truthy={True}, falsy={False})


def _scope() -> fields.List[Any]:
    return fields.List(fields.String(validate=validate.Length(1, 80)), required=True)


class RecipientShape(Schema):
    """A recipient on the wire."""

    class Meta:
        unknown = EXCLUDE

    kid = fields.String(required=True)
    public = _Key(required=True)
    held = fields.String(required=True, validate=validate.OneOf(["hub", "offline"]))
    regions = _scope()
    teams = _scope()
    partners = _scope()
    is_named_reader = _flag()
    is_recovery = _flag()


class PolicyShape(Schema):
    """The organisation's choices on the wire."""

    class Meta:
        unknown = EXCLUDE

    seal_statement = fields.String(required=True, validate=validate.OneOf(["strict", "all"]))
    strict_offline = _flag()
    received_days = fields.Integer(strict=True, required=True, validate=validate.Range(1, RECEIVED_MOST_DAYS))


def _bytes() -> fields.Integer:
    return fields.Integer(strict=True, required=True, validate=validate.Range(1, JSON_INTEGER_MAX))


class FileLimitsShape(Schema):
    """The organisation's limits of files on the wire."""

    class Meta:
        unknown = EXCLUDE

    file_bytes = _bytes()
    complaint_bytes = _bytes()


class KeyringShape(Schema):
    """A keyring on the wire, without its signature. Unknown members are let by: they are signed too."""

    class Meta:
        unknown = EXCLUDE

    version = fields.Integer(strict=True, required=True, validate=validate.Range(1))
    issued_at = _Time(required=True)
    root = _Key(required=True)
    linkage = _Key(required=True)
    policy = fields.Nested(PolicyShape, required=True)
    recipients = fields.List(fields.Nested(RecipientShape), required=True, validate=validate.Length(1, 500))
    administrators = fields.List(_Key(), required=True, validate=validate.Length(0, 100))
    limits = fields.Nested(FileLimitsShape)


_SHAPE: Final = KeyringShape()


def _document(keyring: Keyring) -> dict[str, Any]:
    document = cast(dict[str, Any], _SHAPE.dump(keyring))
    return {name: value for name, value in document.items() if value is not None}


def _keyring(document: Mapping[str, Any]) -> Keyring:
    try:
        members = cast(dict[str, Any], _SHAPE.load(document))
    except ValidationError:
        raise KeyringRefused("unreadable") from None
    recipients = tuple(_recipient(each) for each in members.pop("recipients"))
    policy = Policy(**members.pop("policy"))
    administrators = tuple(members.pop("administrators"))
    limits = FileLimits(**members.pop("limits")) if "limits" in members else None
    return Keyring(policy=policy, recipients=recipients, administrators=administrators, limits=limits, **members)


def _recipient(members: Mapping[str, Any]) -> Recipient:
    regions, teams, partners = (tuple(members[name]) for name in ("regions", "teams", "partners"))
    recipient = Recipient(
        members["public"],
        members["held"],
        regions,
        teams,
        partners,
        is_named_reader=members["is_named_reader"],
        is_recovery=members["is_recovery"],
    )
    # The id is what boxes are found by: one that names another key would hide them from their reader.
    if members["kid"] != recipient.kid:
        raise KeyringRefused("unreadable")
    return recipient
