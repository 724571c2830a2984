"""Logging in and staying in: passphrase, code, sessions that the hub can end, and answers that tell nothing apart."""

import hashlib
import hmac
import math
import secrets
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import sqlalchemy as sa

from server.domain.errors import LoginRefused, LoginTooSoon, NotFound, PassphraseRefused, SessionOver
from server.domain.passphrase import check_new, normal_bytes
from server.domain.people import (
    CODE_MAX,
    KEY_ROLES,
    HeldKeys,
    is_login_name,
    is_over,
    is_told,
    login_delay,
    login_name,
)
from server.domain.permission import Actor, Target, permit
from server.services.accounts import held_keys, passphrases, second_factor
from server.store import accounts, audit, deputies, recipients
from server.store.accounts import Account, Wait
from server.store.engine import Store
from server.store.recipients import KnownKey

TOKEN_BYTES: Final = 32
# Stands for whoever has no account, where an id is asked for.
_UNKNOWN: Final = "unknown"
# A page that is read again within a minute costs no write.
_TOUCH_S: Final = 60


@dataclass(frozen=True)
class Claim:
    """Who somebody says to be, and from where: an address, or the name of a door."""

    name: str
    passphrase: str = field(repr=False)
    origin: str


@dataclass(frozen=True)
class Entry:
    """A token, shown to nobody but its holder's browser; with `needs_code` it is good for `give_code` alone."""

    token: str = field(repr=False)
    needs_code: bool


@dataclass(frozen=True)
class Login:
    """A person who is in: who it is to `permit`, the name and language for pages, and the private keys in hand."""

    id: str
    actor: Actor
    name: str
    language: str
    keys: HeldKeys
    made_at: datetime
    # Came in by sign-up words, and has to choose a passphrase before anything else.
    must_choose: bool


@dataclass(frozen=True)
class OpenSession:
    """A session as its holder sees it in a list."""

    id: str
    made_at: datetime
    used_at: datetime


@dataclass(frozen=True)
class _Guesser:
    """Whose wrong guesses count: `who` is made to wait, `failing` is what the log tells of, `account` an id or none.

    One waits by the name that was typed and the address, for a code by the account; and is told of by the account:
    names of nobody are told of together, or whoever invents them could flood the log.
    """

    who: str
    failing: str
    account: str


def log_in(store: Store, key: bytes, claim: Claim, now: datetime) -> Entry:
    """Let somebody in by name and passphrase; `key` is the hub's for second factors, 32 bytes.

    Raises LoginRefused, in one way and at one cost for every cause, LoginTooSoon after wrong guesses, whether or
    not there is such an account, and Busy when too many try at once, of all or of those from one address.
    """
    login = login_name(claim.name)
    who = _who(key, login, claim.origin)
    with store.read() as connection:
        _check_wait(accounts.wait_of(connection, who), now)
        account = _active(accounts.by_login(connection, login) if is_login_name(login) else None)
        # Asked for in any case: time must not tell whether there is an account.
        held = recipients.of_account(connection, account.id if account else _UNKNOWN)
    kept = None if account is None or _is_over_for(account, now) else account.passphrase
    guesser = _guesser(key, who, account, claim.origin)
    with passphrases.in_turn(claim.origin):
        is_right = passphrases.is_right(kept, claim.passphrase)
    if not is_right or account is None:
        with store.write() as connection:
            _note_failure(connection, guesser, "passphrase", now)
        raise LoginRefused
    with store.read() as connection:
        _check_wait(accounts.wait_of(connection, who), now)
    keys, made = _keys_in_hand(account, held, claim.passphrase, now)
    with store.write() as connection:
        _check_unchanged(connection, account)
        if made is not None:
            recipients.add(connection, made)
            _note(connection, account.id, "make_key", now, kid=made.kid)
        return _enter(connection, guesser, keys, now, needs_code=account.totp is not None)


def give_code(store: Store, key: bytes, token: str, code: str, origin: str, now: datetime) -> Entry:
    """Let somebody in who gave the passphrase, by a code that was not used before; gives another token.

    Raises LoginRefused, LoginTooSoon, and SessionOver when the passphrase was given too long ago.
    """
    with store.read() as connection:
        session = accounts.session_of(connection, _hashed(token))
        if session is None or not session.needs_code or now - session.made_at > CODE_MAX:
            raise SessionOver
        account = _active(accounts.find(connection, session.account))
        if account is None or account.totp is None:
            raise SessionOver
        # Wherever it comes from: a million codes are soon tried from a thousand addresses.
        who = _keyed(key, "code", account.id)
        _check_wait(accounts.wait_of(connection, who), now)
    guesser = _guesser(key, who, account, origin)
    step = second_factor.step_of(account.totp, key, code, now)
    with store.write() as connection:
        _check_wait(accounts.lock_wait(connection, who, now), now)
        if step is not None and accounts.use_step(connection, account.id, step):
            if not accounts.end_session(connection, session.token_hash):
                raise SessionOver
            accounts.end_wait(connection, _who(key, account.login, origin))
            keys = held_keys.open_for_session(session.keys, token)
            return _enter(connection, guesser, keys, now, needs_code=False)
        _note_failure(connection, guesser, "code", now)
    raise LoginRefused


def resume(store: Store, token: str, now: datetime) -> Login:
    """The session of a token, which goes on from now. Raises SessionOver."""
    with store.read() as connection:
        row = accounts.session_of(connection, _hashed(token))
        if row is None or row.needs_code or is_over(row.made_at, row.used_at, now):
            raise SessionOver
        account = _active(accounts.find(connection, row.account))
        if account is None:
            raise SessionOver
        actor = deputies.acting(connection, account.actor, now.date())
    if (now - row.used_at).total_seconds() >= _TOUCH_S:
        with store.write() as connection:
            accounts.touch(connection, row.token_hash, now)
    keys = held_keys.open_for_session(row.keys, token)
    id, must_choose = _public_id(row.token_hash), account.change_by is not None
    return Login(id, actor, account.name, account.language, keys, row.made_at, must_choose)


def log_out(store: Store, token: str, now: datetime) -> None:
    """End the session of a token, if it is there."""
    with store.write() as connection:
        row = accounts.session_of(connection, _hashed(token))
        if row is not None and accounts.end_session(connection, row.token_hash):
            _note(connection, row.account, "logout", now)


def open_sessions(store: Store, actor: Actor, now: datetime) -> list[OpenSession]:
    """The actor's sessions that have not ended, the last used first."""
    with store.read() as connection:
        rows = accounts.sessions_of(connection, actor.id)
    return [
        OpenSession(_public_id(row.token_hash), row.made_at, row.used_at)
        for row in rows
        if not is_over(row.made_at, row.used_at, now)
    ]


def end(store: Store, actor: Actor, session_id: str, now: datetime) -> None:
    """End one of the actor's sessions. Raises NotFound, for another's as for one that never was."""
    with store.write() as connection:
        row = accounts.session_with_id(connection, session_id)
        if row is None or not permit(actor, "use_account", Target(is_own=row.account == actor.id)):
            raise NotFound(object=session_id)
        accounts.end_session(connection, row.token_hash)
        _note(connection, actor.id, "end_session", now)


def set_language(store: Store, actor: Actor, language: str, now: datetime) -> None:
    """Give the actor's pages another language, one of LANGUAGES."""
    with store.write() as connection:
        accounts.update(connection, actor.id, language=language)
        _note(connection, actor.id, "set_language", now, language=language)


def change_passphrase(store: Store, key: bytes, token: str, old: str, new: str, origin: str, now: datetime) -> None:
    """Put a new passphrase in the place of the old one, under which the keys are closed again; other sessions end.

    Raises SessionOver, LoginRefused, LoginTooSoon and PassphraseRefused, also for the old one again.
    """
    check_new(new)
    account_id = resume(store, token, now).actor.id
    with store.read() as connection:
        account = accounts.find(connection, account_id)
        assert account is not None
        who = _who(key, account.login, origin)
        _check_wait(accounts.wait_of(connection, who), now)
        held = recipients.of_account(connection, account.id)
    guesser = _guesser(key, who, account, origin)
    if not passphrases.is_right(account.passphrase, old):
        with store.write() as connection:
            _note_failure(connection, guesser, "passphrase", now)
        raise LoginRefused
    if normal_bytes(new) == normal_bytes(old):
        raise PassphraseRefused(fault="same")
    slots = _closed_again(held, old, new)
    kept = passphrases.hashed(new)
    with store.write() as connection:
        _check_unchanged(connection, account)
        accounts.update(connection, account.id, passphrase=kept, change_by=None)
        for kid, slot in slots.items():
            recipients.set_slot(connection, kid, slot)
        accounts.end_sessions(connection, account.id, but=_hashed(token))
        _note(connection, account.id, "change_passphrase", now, failures=_forgiven(connection, guesser))


def _keys_in_hand(
    account: Account, held: list[KnownKey], passphrase: str, now: datetime
) -> tuple[HeldKeys, KnownKey | None]:
    """What the passphrase opens; with the key made now, for a role that was given since the account was made."""
    keys = held_keys.unwrap(held, passphrase)
    has_key = any(each.state == recipients.CURRENT for each in held)
    if account.role not in KEY_ROLES or has_key:
        return keys, None
    made, made_keys = held_keys.new_key(account.id, passphrase, now)
    return HeldKeys({**keys.private, **made_keys.private}), made


def _closed_again(held: list[KnownKey], old: str, new: str) -> dict[str, bytes]:
    private = held_keys.unwrap(held, old).private
    return {kid: passphrases.close_slot(each, new) for kid, each in private.items()}


def _enter(connection: sa.Connection, guesser: _Guesser, keys: HeldKeys, now: datetime, *, needs_code: bool) -> Entry:
    token = secrets.token_urlsafe(TOKEN_BYTES)
    sealed = held_keys.seal_for_session(keys, token)
    row = accounts.Session(_hashed(token), guesser.account, sealed, needs_code, now, now)
    accounts.add_session(connection, row)
    if not needs_code:
        _note(connection, guesser.account, "login", now, failures=_forgiven(connection, guesser))
        accounts.update(connection, guesser.account, last_login_on=now.date().isoformat())
    return Entry(token, needs_code)


def _note_failure(connection: sa.Connection, guesser: _Guesser, factor: str, now: datetime) -> None:
    """Make the next guess wait, and say in the log at whose account it was, if there is one: never what was typed.

    The log tells of the 1st, 2nd, 4th, 8th … since somebody got in; those between cost as much.

    Of guesses made at once, those that should have waited for the others are answered as if they had come after.
    Raises LoginTooSoon.
    """
    waited = accounts.lock_wait(connection, guesser.who, now)
    _check_wait(waited, now)
    in_a_row = 1 + waited.failures
    accounts.set_wait(connection, guesser.who, Wait(in_a_row, now + login_delay(in_a_row)))
    failures = accounts.count_failure(connection, guesser.failing, now)
    object, details = f"account:{guesser.account}", {"factor": factor, "failures": failures}
    with audit.at_one_cost(connection, is_told=is_told(failures)):
        audit.record(connection, at=now, actor="login", action="login_failed", object=object, details=details)


def _forgiven(connection: sa.Connection, guesser: _Guesser) -> int:
    """Forget the wrong guesses of somebody who got in; gives how many there were."""
    accounts.end_wait(connection, guesser.who)
    return accounts.end_failures(connection, guesser.failing)


def _check_wait(wait: Wait | None, now: datetime) -> None:
    if wait is not None and wait.next_try_at > now:
        raise LoginTooSoon(seconds=math.ceil((wait.next_try_at - now).total_seconds()))


def _check_unchanged(connection: sa.Connection, account: Account) -> None:
    """Whoever was reset, left or got a second factor since the passphrase was looked at is not let in by it alone."""
    # Until commit: what is changed after this look ends the session that comes of it.
    accounts.lock(connection, account.id)
    current = accounts.find(connection, account.id)
    seen = account.state, account.passphrase, account.totp
    if current is None or (current.state, current.passphrase, current.totp) != seen:
        raise LoginRefused


def _is_over_for(account: Account, now: datetime) -> bool:
    """Whether the sign-up words of an account let nobody in any more."""
    return account.change_by is not None and account.change_by < now


def _active(account: Account | None) -> Account | None:
    return account if account is not None and account.state == accounts.ACTIVE else None


def _who(key: bytes, name: str, origin: str) -> str:
    """What waits: a name at an address. Keyed, for people type passphrases into the field of the name."""
    return _keyed(key, "login", name, origin)


def _guesser(key: bytes, who: str, account: Account | None, origin: str) -> _Guesser:
    id = account.id if account else _UNKNOWN
    return _Guesser(who, _keyed(key, "failures", id, origin), id)


def _keyed(key: bytes, *parts: str) -> str:
    return hmac.new(key, "\n".join(parts).encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


def _hashed(token: str) -> str:
    """SHA-256 of 32 random bytes: no slow hash is needed."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _public_id(token_hash: str) -> str:
    return token_hash[: accounts.SESSION_ID_CHARS]


def _note(connection: sa.Connection, account_id: str, action: str, now: datetime, **details: str | int) -> None:
    signature = f"account:{account_id}"
    audit.record(connection, at=now, actor=signature, action=action, object=signature, details=details)
