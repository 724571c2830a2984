"""Accounts: made, given a scope, reset, ended, by whoever manages people."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import uuid4

import sqlalchemy as sa

from client_sync.protocol import keyring
from client_sync.protocol.frames import from_text
from server.domain.errors import AccountRefused, Busy, NameRefused, NotFound
from server.domain.passphrase import check_new
from server.domain.people import KEY_ROLES, SECOND_FACTOR_ROLES, Role, is_login_name, login_name, written_name
from server.domain.permission import Actor, permit
from server.domain.reason import checked_reason
from server.services.accounts import held_keys, passphrases, second_factor
from server.store import accounts, audit, destinations, recipients
from server.store.accounts import Account
from server.store.engine import Store
from server.store.recipients import Published


@dataclass(frozen=True)
class Post:
    """What a person is in the network: role, scopes (empty: all of that kind), and whether a named reader.

    `destination`: the code of that for which somebody of the commission speaks; of other roles it says nothing.
    """

    role: Role
    regions: Sequence[str] = ()
    teams: Sequence[str] = ()
    partners: Sequence[str] = ()
    is_named_reader: bool = False
    destination: str = ""


@dataclass(frozen=True)
class Made:
    """An account that was made or changed; `secret` is a new second factor's, to be shown this once, or None."""

    account: Account
    secret: str | None = field(repr=False)


@dataclass(frozen=True)
class Colleague:
    """An account as whoever manages people sees it. `keys`: how many it holds to open what is sealed from now on;
    `is_sealed_to`: devices seal to one of them. `is_head`: its holder leads the network. `is_last_named`: nobody else
    with a key opens what is strictly confidential."""

    account: Account
    keys: int
    is_sealed_to: bool
    is_head: bool
    is_last_named: bool


def make(
    store: Store,
    key: bytes,
    actor: Actor,
    name: str,
    post: Post,
    passphrase: str,
    now: datetime,
    *,
    language: str = "fr",
    change_by: datetime | None = None,
) -> Made:
    """Make an account, with keys where the role reads what is sealed; `key` is the hub's for second factors.

    `change_by`: until when the passphrase lets its holder in, to choose another; None where the holder chose it.
    Raises NotFound where the actor does not manage people, or the destination is none, NameRefused and
    PassphraseRefused.
    """
    _check_manager(actor)
    login, written = login_name(name), written_name(name)
    if not (is_login_name(login) and is_login_name(written)):
        raise NameRefused(name=name)
    check_new(passphrase)
    id, secret = str(uuid4()), _secret_for(post.role)
    account = Account(
        id=id,
        login=login,
        name=written,
        state=accounts.ACTIVE,
        language=language,
        passphrase=passphrases.hashed(passphrase),
        change_by=change_by,
        totp=second_factor.closed(secret, key) if secret else None,
        totp_step=0,
        made_at=now,
        **_columns(post),
    )
    made = held_keys.new_key(id, passphrase, now)[0] if post.role in KEY_ROLES else None
    with store.write() as connection:
        _check_destination(connection, post)
        if accounts.by_login(connection, login) is not None:
            raise NameRefused(fault="taken", name=name)
        accounts.add(connection, account)
        if made is not None:
            recipients.add(connection, made)
        details = {"keys": [made.kid] if made else [], **_said(post)}
        _note(connection, actor, "make_account", id, now, details)
    return Made(account, secret)


def listed(store: Store, actor: Actor) -> list[Account]:
    """Every account, by name. Raises NotFound where the actor does not manage people."""
    _check_manager(actor)
    with store.read() as connection:
        return accounts.listed(connection)


def overview(store: Store, actor: Actor) -> list[Colleague]:
    """Every account with what is known of its keys: those who are here by name, then those who left.

    Raises NotFound where the actor does not manage people.
    """
    _check_manager(actor)
    with store.read() as connection:
        known, leads = accounts.listed(connection), accounts.head(connection)
        held = [each for each in recipients.listed(connection) if each.state == recipients.CURRENT]
        published = recipients.newest(connection)
    sealed_to = set() if published is None else _readers(published)
    kids: dict[str | None, set[str]] = {}
    for each in held:
        kids.setdefault(each.account, set()).add(each.kid)
    named = {each.id for each in known if each.is_named_reader and each.id in kids and each.state == accounts.ACTIVE}
    found = [
        Colleague(
            account,
            len(kids.get(account.id, ())),
            bool(kids.get(account.id, set()) & sealed_to),
            is_head=leads is not None and leads.id == account.id,
            is_last_named=named == {account.id},
        )
        for account in known
    ]
    return sorted(found, key=lambda each: each.account.state == accounts.LEFT)


def set_post(
    store: Store, key: bytes, actor: Actor, name: str, post: Post, now: datetime, *, reason: str | None = None
) -> Made:
    """Give an account another role or scope; its sessions end.

    A role that reads nothing sealed takes its keys away; one that does gets them at the next login, where the
    passphrase is. `reason`: in words, for the log; None at the terminal, where nobody is asked. Raises NotFound,
    AccountRefused and ReasonMissing.
    """
    _check_manager(actor)
    why = _why(reason)
    with store.write() as connection:
        account = _for_another(connection, actor, name)
        _check_destination(connection, post)
        secret = _secret_for(post.role) if account.totp is None else None
        factor = {"totp": second_factor.closed(secret, key)} if secret else {}
        accounts.update(connection, account.id, **_columns(post), **factor)
        accounts.end_sessions(connection, account.id)
        taken = [] if post.role in KEY_ROLES else _take_keys(connection, account.id, now)
        details = {"from": account.role, "keys_removed": taken, **_said(post)}
        _note(connection, actor, "set_post", account.id, now, details, why)
        changed = _known(connection, name)
    return Made(changed, secret)


def reset(
    store: Store,
    key: bytes,
    actor: Actor,
    name: str,
    passphrase: str,
    now: datetime,
    *,
    reason: str | None = None,
    change_by: datetime | None = None,
) -> Made:
    """Give an account another passphrase and second factor, and keys that open nothing that was sealed before.

    So whoever resets an account does not come to read what its holder read: somebody who reads it has to seal
    it again for the new keys. Nor is anything assigned to the account any more: what a colleague opens is handed on to
    who has it. `change_by` as in `make`, `reason` as in `set_post`. Raises NotFound, AccountRefused, PassphraseRefused,
    ReasonMissing, and Busy where a colleague gives the account another role at this moment.
    """
    _check_manager(actor)
    why = _why(reason)
    check_new(passphrase)
    kept = passphrases.hashed(passphrase)
    with store.read() as connection:
        account = _known(connection, name)
    made = held_keys.new_key(account.id, passphrase, now)[0] if account.role in KEY_ROLES else None
    with store.write() as connection:
        # The role under the lock: an administrator made meanwhile must not lose the second factor.
        account = _for_another(connection, actor, name)
        if (account.role in KEY_ROLES) != (made is not None):
            raise Busy
        secret = _secret_for(account.role)
        factor = second_factor.closed(secret, key) if secret else None
        accounts.update(connection, account.id, passphrase=kept, change_by=change_by, totp=factor, totp_step=0)
        accounts.end_sessions(connection, account.id)
        taken = _take_keys(connection, account.id, now)
        if made is not None:
            recipients.add(connection, made)
        unassigned = recipients.unassign(connection, account.id)
        details = {"keys": [made.kid] if made else [], "keys_removed": taken, "unassigned": unassigned}
        _note(connection, actor, "reset_account", account.id, now, details, why)
    return Made(account, secret)


def suspend(store: Store, actor: Actor, name: str, now: datetime, *, reason: str) -> None:
    """Let nobody in by an account until it is restored; its role, its keys and what it has in hand stay as they are.

    The next keyring is published without its keys. Raises NotFound, AccountRefused and ReasonMissing.
    """
    _check_manager(actor)
    why = _why(reason)
    with store.write() as connection:
        account = _for_another(connection, actor, name)
        if account.state != accounts.ACTIVE:
            raise AccountRefused(fault="suspended", name=account.name)
        accounts.update(connection, account.id, state=accounts.SUSPENDED)
        accounts.end_sessions(connection, account.id)
        _note(connection, actor, "suspend_account", account.id, now, {}, why)


def restore(store: Store, actor: Actor, name: str, now: datetime, *, reason: str) -> None:
    """Let the holder of a suspended account in again. Raises NotFound, AccountRefused and ReasonMissing."""
    _check_manager(actor)
    why = _why(reason)
    with store.write() as connection:
        account = _for_another(connection, actor, name)
        if account.state != accounts.SUSPENDED:
            raise AccountRefused(fault="active", name=account.name)
        accounts.update(connection, account.id, state=accounts.ACTIVE)
        _note(connection, actor, "restore_account", account.id, now, {}, why)


def end(store: Store, actor: Actor, name: str, now: datetime, *, reason: str | None = None) -> None:
    """End the account of somebody who leaves: no login, no session, no key here.

    `reason` as in `set_post`. Raises NotFound, AccountRefused and ReasonMissing.
    """
    _check_manager(actor)
    why = _why(reason)
    with store.write() as connection:
        account = _for_another(connection, actor, name)
        gone = {"passphrase": "", "change_by": None, "totp": None}
        accounts.update(connection, account.id, state=accounts.LEFT, left_at=now, **gone)
        accounts.end_sessions(connection, account.id)
        taken = _take_keys(connection, account.id, now)
        _note(connection, actor, "end_account", account.id, now, {"keys_removed": taken}, why)


def name_head(store: Store, actor: Actor, name: str, now: datetime) -> Account:
    """Let somebody be who leads the network, in place of whoever it was. Raises NotFound and AccountRefused."""
    _check_manager(actor)
    with store.write() as connection:
        account = _known(connection, name)
        if account.state != accounts.ACTIVE:
            raise AccountRefused(fault="suspended", name=account.name)
        accounts.name_head(connection, account.id)
        _note(connection, actor, "name_head", account.id, now, {})
    return account


def head(store: Store, actor: Actor) -> Account | None:
    """Who leads the network, None where nobody was named or who was has left. Raises NotFound."""
    _check_manager(actor)
    with store.read() as connection:
        found = accounts.head(connection)
    return None if found is None or found.state != accounts.ACTIVE else found


def _readers(published: Published) -> set[str]:
    """The ids of the keys that devices seal to."""
    standing = keyring.read(published.document, from_text(published.root))
    return {each.kid for each in standing.recipients}


def _check_manager(actor: Actor) -> None:
    if not permit(actor, "manage_people"):
        raise NotFound(object="people")


def _why(reason: str | None) -> str:
    """As the log keeps it. Raises ReasonMissing."""
    return "" if reason is None else checked_reason(reason)


def _known(connection: sa.Connection, name: str) -> Account:
    login = login_name(name)
    account = accounts.by_login(connection, login) if is_login_name(login) else None
    if account is None or account.state == accounts.LEFT:
        raise NotFound(object=name)
    return account


def _for_another(connection: sa.Connection, actor: Actor, name: str) -> Account:
    """The account, locked, which the actor does not hold, and without which somebody still manages people in a browser.

    An operator needs no account to get in again. Raises NotFound and AccountRefused.
    """
    account = _known(connection, name)
    if not actor.is_operator and account.id == actor.id:
        raise AccountRefused(fault="own")
    if not actor.is_operator and accounts.lock_active(connection, "administrator") <= {account.id}:
        raise AccountRefused(fault="last")
    accounts.lock(connection, account.id)
    # Read once more: a colleague may have ended it while this waited.
    return _known(connection, name)


def _secret_for(role: Role) -> str | None:
    return second_factor.new_secret() if role in SECOND_FACTOR_ROLES else None


def _columns(post: Post) -> dict[str, Any]:
    return {
        "role": post.role,
        "regions": sorted(set(post.regions)),
        "teams": sorted(set(post.teams)),
        "partners": sorted(set(post.partners)),
        "is_named_reader": post.is_named_reader,
        "destination": _speaks_for(post) or None,
    }


def _speaks_for(post: Post) -> str:
    return post.destination if post.role == "commission" else ""


def _said(post: Post) -> dict[str, object]:
    """What the log keeps of a post."""
    to = {"destination": code} if (code := _speaks_for(post)) else {}
    return {"named": post.is_named_reader, "role": post.role, **to}


def _check_destination(connection: sa.Connection, post: Post) -> None:
    """Raises NotFound for a destination that there is not."""
    code = _speaks_for(post)
    if code and code not in destinations.find(connection, [code]):
        raise NotFound(object=code)


def _take_keys(connection: sa.Connection, account_id: str, now: datetime) -> list[str]:
    """Remove the keys of an account that are not yet removed; gives their ids."""
    held = recipients.of_account(connection, account_id)
    kids = [each.kid for each in held if each.state != recipients.REMOVED]
    recipients.remove(connection, kids, now)
    return kids


def _note(
    connection: sa.Connection,
    actor: Actor,
    action: str,
    id: str,
    now: datetime,
    details: Mapping[str, object],
    reason: str = "",
) -> None:
    audit.record(
        connection,
        at=now,
        actor=actor.signature,
        action=action,
        object=f"account:{id}",
        reason=reason,
        details=details,
    )
