"""Keyrings: drawn up from the recipients, signed by the root key, published, and delivered to every device."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, cast

import sqlalchemy as sa
from nacl.signing import SigningKey

from client_sync.protocol import keyring
from client_sync.protocol.canonical import Unreadable, parse
from client_sync.protocol.frames import from_text, to_text
from client_sync.protocol.keyring import FileLimits, Held, Keyring, KeyringRefused, Policy, Recipient, key_id
from client_sync.protocol.orders import order_body, order_number, sign_order
from server.domain.errors import KeyInUse, KeyringMissing, KeyringUnfit, KeyUnknown, NotFound, RecoveryMissing
from server.domain.people import login_name
from server.domain.permission import OPERATOR
from server.store import accounts, audit, devices, recipients
from server.store.devices import Order
from server.store.engine import Store
from server.store.recipients import CURRENT, Holder, KnownKey, Published

ORDER: Final = "keyring"
# Whom devices seal to; a verifier is given single cases instead.
_READER_ROLES: Final = frozenset({"coordinator"})


@dataclass(frozen=True)
class Terms:
    """What a keyring says beside its recipients: the hub's public linkage key, 32 bytes, and what was decided.

    `limits` of files are None where they are those of the protocol.
    """

    linkage: bytes
    policy: Policy
    limits: FileLimits | None = None


@dataclass(frozen=True)
class Administrators:
    """Ed25519 public keys of administrators, 32 bytes each, that the next keyring gains and loses."""

    gained: frozenset[bytes] = frozenset()
    lost: frozenset[bytes] = frozenset()


NO_CHANGE: Final = Administrators()


@dataclass(frozen=True)
class ListedKey:
    """A key as people see it in a list: `name` is empty for the recovery key, `in_keyring` of the one that stands."""

    kid: str
    name: str
    held: str
    state: str
    made_at: datetime
    in_keyring: bool


def current(store: Store) -> Keyring:
    """The keyring that stands. Raises KeyringMissing."""
    with store.read() as connection:
        return current_in(connection)


def current_in(connection: sa.Connection) -> Keyring:
    """As `current`, for who is reading already. Raises KeyringMissing."""
    standing = _newest(connection)
    if standing is None:
        raise KeyringMissing
    return standing


def newest(store: Store) -> Keyring | None:
    """The keyring that stands; None before the first."""
    with store.read() as connection:
        return _newest(connection)


def draft(
    store: Store,
    terms: Terms,
    now: datetime,
    *,
    root: bytes | None = None,
    after: int = 0,
    administrators: Administrators = NO_CHANGE,
) -> Keyring:
    """The next keyring, to be signed: every coordinator's current keys, the recovery key, and the administrators.

    `root` is the public root key, which the first keyring needs to be told; `after` is the highest version that
    any device may have, where a hub put back from a backup knows of fewer. Raises KeyringUnfit (`root`) and
    RecoveryMissing.
    """
    with store.read() as connection:
        before = recipients.newest(connection)
        readers = _readers(connection)
    standing = None if before is None else _read(before.document, before.root)
    root = root or (standing.root if standing else None)
    if root is None:
        raise KeyringUnfit(fault="root")
    if not any(each.is_recovery for each in readers):
        raise RecoveryMissing
    known = frozenset(standing.administrators if standing else ())
    return Keyring(
        version=max(standing.version if standing else 0, after) + 1,
        issued_at=now,
        root=root,
        linkage=terms.linkage,
        policy=terms.policy,
        limits=terms.limits,
        recipients=readers,
        administrators=tuple(sorted((known | administrators.gained) - administrators.lost)),
    )


def signed(made: Keyring, root_seed: bytes) -> bytes:
    """The keyring signed by the root key. Raises KeyringUnfit (`signature`) for another root than it names."""
    try:
        return keyring.sign(made, root_seed)
    except KeyringRefused as refused:
        raise KeyringUnfit(fault=refused.reason) from None


def publish(
    store: Store, document: bytes, terms: Terms, sign_key: SigningKey, now: datetime, *, is_new_root: bool = False
) -> int:
    """Let a signed keyring stand, and order it for every device that is trusted; gives its version.

    Raises KeyringUnfit: `signature` unless the root key that devices pin signed it, `version` when it is not newer,
    `stale` when recipients or terms changed since it was drawn up. With `is_new_root` another root key may
    have signed it: devices enrolled before refuse it, until they are enrolled anew.
    """
    with store.write() as connection:
        devices.lock_registry(connection)
        before = recipients.newest(connection)
        root = _root_of(document) if before is None or is_new_root else from_text(before.root)
        made = _trusted(document, root, before.version + 1 if before else 1)
        if _substance(made) != (frozenset(_readers(connection)), terms):
            raise KeyringUnfit(fault="stale")
        recipients.publish(connection, Published(made.version, to_text(root), document, now))
        _deliver(connection, document, sign_key, now)
        details = {"version": made.version, "kids": sorted(each.kid for each in made.recipients)}
        audit.record(
            connection,
            at=now,
            actor=OPERATOR.signature,
            action="publish_keyring",
            object=f"keyring:{made.version}",
            details=details,
        )
    return made.version


def is_behind(store: Store, terms: Terms) -> bool:
    """Whether recipients or terms changed since the keyring that stands. Raises KeyringMissing."""
    standing = current(store)
    with store.read() as connection:
        return _substance(standing) != (frozenset(_readers(connection)), terms)


def account_named(store: Store, name: str) -> str:
    """The id of the account with this name. Raises NotFound, also when it was ended."""
    with store.read() as connection:
        found = accounts.by_login(connection, login_name(name))
    if found is None or found.state != accounts.ACTIVE:
        raise NotFound(object=name)
    return found.id


def faults(made: Keyring) -> list[str]:
    """What the keyring lacks: a reader of everything (`national`), and one of what is strict (`named`)."""
    found = []
    for fault, is_strict in (("national", False), ("named", True)):
        readers = made.readers_for(None, None, None, is_strict=is_strict)
        if all(each.is_recovery for each in readers):
            found.append(fault)
    return found


def listed(store: Store) -> list[ListedKey]:
    """Every key that a recipient has or had, oldest first."""
    with store.read() as connection:
        found, holders = recipients.listed(connection), recipients.holders(connection)
        published = recipients.newest(connection)
    standing = _read(published.document, published.root).recipients if published else ()
    kids = {each.kid for each in standing}
    return [
        ListedKey(
            each.kid,
            holders[each.account].name if each.account else "",
            each.held,
            each.state,
            each.made_at,
            each.kid in kids,
        )
        for each in found
    ]


def recovery_kids(store: Store) -> frozenset[str]:
    """The ids of the recovery keys that open something: the one that stands, and those before."""
    with store.read() as connection:
        return frozenset(each.kid for each in recipients.recovery(connection) if each.state != recipients.REMOVED)


def set_recovery(store: Store, public: bytes, now: datetime) -> str:
    """Let the recovery key be this X25519 public key, of 32 bytes; the one before opens what it opened. Its id."""
    with store.write() as connection:
        before = [each.kid for each in recipients.recovery(connection) if each.state == CURRENT]
        recipients.retire(connection, before, now)
        return _add(connection, None, public, now)


def add_offline(store: Store, account: str, public: bytes, now: datetime) -> str:
    """Give an account a key whose private part the hub never has: an X25519 public key of 32 bytes. Its id.

    Raises NotFound for an account that is not there or left, and KeyInUse.
    """
    with store.write() as connection:
        holder = accounts.find(connection, account)
        if holder is None or holder.state != accounts.ACTIVE:
            raise NotFound(object=account)
        return _add(connection, account, public, now)


def rotate(store: Store, account: str, now: datetime) -> int:
    """Let nothing more be sealed to the keys of an account that the hub holds; gives how many.

    They open what they opened. The account gets a new one when its passphrase is next there, and the next
    keyring names that one.
    """
    with store.write() as connection:
        found = [
            each.kid
            for each in recipients.of_account(connection, account)
            if each.state == CURRENT and each.slot is not None
        ]
        recipients.retire(connection, found, now)
        for kid in found:
            audit.record(connection, at=now, actor=OPERATOR.signature, action="retire_key", object=f"key:{kid}")
    return len(found)


def remove(store: Store, kid: str, now: datetime) -> None:
    """Take a lost or stolen key away: its private part and all that was sealed to it again. Raises KeyUnknown.

    What devices sealed to it before stays as they sent it; from the next keyring on nothing more is.
    """
    with store.write() as connection:
        found = recipients.find(connection, kid)
        if found is None or found.state == recipients.REMOVED:
            raise KeyUnknown(kid=kid)
        recipients.remove(connection, [kid], now)
        audit.record(connection, at=now, actor=OPERATOR.signature, action="remove_key", object=f"key:{kid}")


def _newest(connection: sa.Connection) -> Keyring | None:
    published = recipients.newest(connection)
    return None if published is None else _read(published.document, published.root)


@lru_cache(maxsize=4)
def _read(document: bytes, root: str) -> Keyring:
    return keyring.read(document, from_text(root))


def _trusted(document: bytes, root: bytes, at_least: int) -> Keyring:
    try:
        return keyring.read(document, root, at_least)
    except KeyringRefused as refused:
        raise KeyringUnfit(fault=refused.reason) from None


def _root_of(document: bytes) -> bytes:
    """The root key that a keyring names, to be believed once and then pinned."""
    try:
        signed_by: Mapping[str, Any] = parse(document)["keyring"]
        return from_text(signed_by["root"])
    except (KeyError, TypeError, Unreadable):
        raise KeyringUnfit(fault="unreadable") from None


def _substance(made: Keyring) -> tuple[frozenset[Recipient], Terms]:
    return frozenset(made.recipients), Terms(made.linkage, made.policy, made.limits)


def _readers(connection: sa.Connection) -> tuple[Recipient, ...]:
    """Whom devices are to seal to, as things stand."""
    holders = recipients.holders(connection)
    found = [each for each in recipients.listed(connection) if each.state == CURRENT]
    made = (_reader(each, holders.get(each.account or "")) for each in found)
    return tuple(each for each in made if each is not None)


def _reader(each: KnownKey, holder: Holder | None) -> Recipient | None:
    made = Recipient(from_text(each.public), cast(Held, each.held), is_recovery=each.is_recovery)
    if holder is None:
        return made
    if holder.role not in _READER_ROLES:
        return None
    return replace(
        made,
        regions=tuple(holder.regions),
        teams=tuple(holder.teams),
        partners=tuple(holder.partners),
        is_named_reader=holder.is_named_reader,
    )


def _add(connection: sa.Connection, account: str | None, public: bytes, now: datetime) -> str:
    kid = key_id(public)
    if recipients.find(connection, kid) is not None:
        raise KeyInUse(kid=kid)
    made = KnownKey(kid, account, "offline", to_text(public), None, CURRENT, now)
    recipients.add(connection, made)
    whose = f"account:{account}" if account else "recovery"
    audit.record(
        connection, at=now, actor=OPERATOR.signature, action="add_key", object=f"key:{kid}", details={"holder": whose}
    )
    return kid


def _deliver(connection: sa.Connection, document: bytes, sign_key: SigningKey, now: datetime) -> None:
    """Order the keyring for every device that is trusted, in place of one that it did not get yet."""
    trusted = [each.id for each in devices.listed(connection) if each.state != "revoked"]
    last = devices.last_orders(connection, trusted)
    devices.drop_orders(connection, ORDER)
    devices.add_orders(connection, _orders(trusted, last, parse(document), sign_key, now), now)


def _orders(
    device_ids: Sequence[str], last: Mapping[str, int], document: Any, sign_key: SigningKey, now: datetime
) -> list[tuple[str, Order]]:
    made = []
    for id in device_ids:
        no = order_number(last.get(id, 0), now)
        body = order_body(ORDER, id, no, now, keyring=document)
        made.append((id, Order(no, ORDER, body, sign_order(body, sign_key))))
    return made
