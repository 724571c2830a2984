"""Accounts of people, their sessions, and how long a name has to wait after wrong guesses."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from server.domain.people import Role
from server.domain.permission import Actor
from server.store import state
from server.store.dialect import insert_new, locked, put
from server.store.schema import account, login_failure, login_wait, session

ACTIVE = "active"
SUSPENDED = "suspended"
# Under which the id of the account of who leads the network is kept.
_HEAD = "network_head"
LEFT = "left"
# 64 bits of the hash name a session to its holder, and let nobody in.
SESSION_ID_CHARS = 16


@dataclass(frozen=True)
class Account:
    """One person's account. `login` is what it is found by, `name` the same as it was written.

    `passphrase` is an argon2id text; `change_by`: until when it lets its holder in to choose another, None where the
    holder chose it. `totp` is sealed, None without a second factor. `last_login_on`: a day, ISO 8601.
    """

    id: str
    login: str
    name: str
    role: Role
    state: str
    language: str
    passphrase: str
    totp: bytes | None
    totp_step: int
    regions: list[str]
    teams: list[str]
    partners: list[str]
    is_named_reader: bool
    made_at: datetime
    left_at: datetime | None = None
    last_login_on: str | None = None
    change_by: datetime | None = None
    destination: str | None = None

    @property
    def actor(self) -> Actor:
        """The person, as permission knows people."""
        regions, teams, partners = (frozenset(each) for each in (self.regions, self.teams, self.partners))
        return Actor(self.id, self.role, regions, teams, partners, self.is_named_reader, destination=self.destination)


@dataclass(frozen=True)
class Session:
    """One login that lasts; `keys` are sealed under the token, of which only the hash is here."""

    token_hash: str
    account: str
    keys: bytes | None
    needs_code: bool
    made_at: datetime
    used_at: datetime


@dataclass(frozen=True)
class Wait:
    """How many guesses in a row were wrong, and when the next may be made."""

    failures: int
    next_try_at: datetime


_ACCOUNT = tuple(account.c[name] for name in Account.__dataclass_fields__)
_SESSION = tuple(session.c[name] for name in Session.__dataclass_fields__)


def add(connection: sa.Connection, made: Account) -> None:
    """Add an account."""
    connection.execute(sa.insert(account).values(**vars(made)))


def find(connection: sa.Connection, id: str) -> Account | None:
    """The account with this id."""
    return _one(connection, account.c.id == id)


def by_login(connection: sa.Connection, login: str) -> Account | None:
    """The account that is found by this, as `login_name` writes it; of those who left, too."""
    return _one(connection, account.c.login == login)


def listed(connection: sa.Connection) -> list[Account]:
    """Every account, by name."""
    return [Account(*row) for row in connection.execute(sa.select(*_ACCOUNT).order_by(account.c.login))]


def names(connection: sa.Connection) -> dict[str, str]:
    """What everybody is called, by the id of the account; those who left, too."""
    return {row.id: row.name for row in connection.execute(sa.select(account.c.id, account.c.name))}


def lock(connection: sa.Connection, id: str) -> None:
    """Lock an account until commit."""
    connection.execute(locked(connection, sa.select(account.c.id).where(account.c.id == id)))


def lock_active(connection: sa.Connection, role: Role) -> set[str]:
    """The ids of the active accounts of a role, locked until commit: nobody else takes one of them away meanwhile."""
    select = sa.select(account.c.id).where(account.c.role == role, account.c.state == ACTIVE).order_by(account.c.id)
    return set(connection.scalars(locked(connection, select)))


def active(connection: sa.Connection, condition: sa.ColumnElement[bool]) -> list[Account]:
    """The accounts of which that holds and whose holders did not leave, by name."""
    select = sa.select(*_ACCOUNT).where(condition, account.c.state == ACTIVE).order_by(account.c.login)
    return [Account(*row) for row in connection.execute(select)]


def head(connection: sa.Connection) -> Account | None:
    """Who leads the network, and hears last of what is late; None where nobody was named."""
    id = state.get(connection, _HEAD)
    return None if id is None else find(connection, id)


def name_head(connection: sa.Connection, id: str) -> None:
    """Let this account be that of who leads the network."""
    state.keep(connection, _HEAD, id)


def update(connection: sa.Connection, id: str, **values: Any) -> None:
    """Set columns of an account."""
    connection.execute(sa.update(account).where(account.c.id == id).values(**values))


def use_step(connection: sa.Connection, id: str, step: int) -> bool:
    """Note that a code of this step was used; False when one of it, or of a later one, was before."""
    statement = sa.update(account).where(account.c.id == id, account.c.totp_step < step).values(totp_step=step)
    return connection.execute(statement).rowcount == 1


def add_session(connection: sa.Connection, made: Session) -> None:
    """Add a session."""
    connection.execute(sa.insert(session).values(**vars(made)))


def session_of(connection: sa.Connection, token_hash: str) -> Session | None:
    """The session of a token."""
    row = connection.execute(sa.select(*_SESSION).where(session.c.token_hash == token_hash)).one_or_none()
    return None if row is None else Session(*row)


def session_with_id(connection: sa.Connection, id: str) -> Session | None:
    """The open session whose hash begins with this id, of SESSION_ID_CHARS characters."""
    begins = sa.func.substr(session.c.token_hash, 1, SESSION_ID_CHARS) == id
    select = sa.select(*_SESSION).where(begins, sa.not_(session.c.needs_code))
    row = connection.execute(select).one_or_none()
    return None if row is None else Session(*row)


def sessions_of(connection: sa.Connection, account_id: str) -> list[Session]:
    """The sessions of an account that are open, the last used first."""
    select = sa.select(*_SESSION).where(session.c.account == account_id, sa.not_(session.c.needs_code))
    ordered = select.order_by(session.c.used_at.desc(), session.c.token_hash)
    return [Session(*row) for row in connection.execute(ordered)]


def touch(connection: sa.Connection, token_hash: str, at: datetime) -> None:
    """Note that a session was used."""
    connection.execute(sa.update(session).where(session.c.token_hash == token_hash).values(used_at=at))


def end_session(connection: sa.Connection, token_hash: str) -> bool:
    """Delete a session; whether it was there."""
    return connection.execute(sa.delete(session).where(session.c.token_hash == token_hash)).rowcount == 1


def end_sessions(connection: sa.Connection, account_id: str, but: str = "") -> int:
    """Delete the sessions of an account, but the one with this hash; gives how many."""
    others = sa.and_(session.c.account == account_id, session.c.token_hash != but)
    return connection.execute(sa.delete(session).where(others)).rowcount


def drop_unused(connection: sa.Connection, before: datetime) -> int:
    """Delete the sessions that were last used, and the waits that ended, before that; gives how many sessions."""
    connection.execute(sa.delete(login_wait).where(login_wait.c.next_try_at < before))
    return connection.execute(sa.delete(session).where(session.c.used_at < before)).rowcount


def wait_of(connection: sa.Connection, who: str) -> Wait | None:
    """How long this name has to wait."""
    select = sa.select(login_wait.c.failures, login_wait.c.next_try_at).where(login_wait.c.who == who)
    row = connection.execute(select).one_or_none()
    return None if row is None else Wait(*row)


def lock_wait(connection: sa.Connection, who: str, now: datetime) -> Wait:
    """How long this name has to wait, locked until commit, so that guesses made at once are counted one by one."""
    insert_new(connection, login_wait, [{"who": who, "failures": 0, "next_try_at": now}], ["who"], login_wait.c.who)
    select = sa.select(login_wait.c.failures, login_wait.c.next_try_at).where(login_wait.c.who == who)
    row = connection.execute(locked(connection, select)).one()
    return Wait(row.failures, row.next_try_at)


def set_wait(connection: sa.Connection, who: str, wait: Wait) -> None:
    """Let this name wait."""
    put(connection, login_wait, {"who": who, **vars(wait)}, ["who"])


def end_wait(connection: sa.Connection, who: str) -> None:
    """Forget the wrong guesses."""
    connection.execute(sa.delete(login_wait).where(login_wait.c.who == who))


def count_failure(connection: sa.Connection, who: str, at: datetime) -> int:
    """Count one more wrong guess, one at a time until commit; gives how many there were since the last login."""
    columns = login_failure.c
    insert_new(connection, login_failure, [{"who": who, "failures": 0, "last_at": at}], ["who"], columns.who)
    one_more = sa.update(login_failure).where(columns.who == who).values(failures=columns.failures + 1, last_at=at)
    connection.execute(one_more)
    failures: int = connection.scalars(sa.select(columns.failures).where(columns.who == who)).one()
    return failures


def end_failures(connection: sa.Connection, who: str) -> int:
    """Count from the beginning again; gives how many wrong guesses there were."""
    columns = login_failure.c
    failures = connection.scalar(sa.select(columns.failures).where(columns.who == who))
    connection.execute(sa.delete(login_failure).where(columns.who == who))
    return failures or 0


def drop_failures(connection: sa.Connection, before: datetime) -> int:
    """Forget the wrong guesses where there was none since; gives of how many counts."""
    return connection.execute(sa.delete(login_failure).where(login_failure.c.last_at < before)).rowcount


def _one(connection: sa.Connection, condition: sa.ColumnElement[bool]) -> Account | None:
    row = connection.execute(sa.select(*_ACCOUNT).where(condition)).one_or_none()
    return None if row is None else Account(*row)
