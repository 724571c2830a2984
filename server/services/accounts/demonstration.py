"""A hub that was made to be shown: the mark that says so, the codes of its invented people, and the doors to its month.

Nothing here works on a hub without the mark, and a hub that holds anything never gets it.
"""

import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from server.domain.errors import DemoRefused, NotFound
from server.domain.people import login_name
from server.services.accounts import second_factor, sessions
from server.services.accounts.sessions import Claim, Entry
from server.store import accounts, complaints, devices, state
from server.store.accounts import Account
from server.store.engine import Store

# Where guesses at these passphrases come from: nobody guesses at them.
_ORIGIN: Final = "demonstration"
_MARK: Final = "demo"
_KEY_BYTES: Final = 16


def _new_key() -> str:
    return secrets.token_urlsafe(_KEY_BYTES)


@dataclass(frozen=True)
class Door:
    """A page of the demonstration's month, by its path, and by its name the account that it is shown to."""

    name: str
    path: str


@dataclass(frozen=True)
class Mark:
    """What a demonstration says of itself: the passphrase of its people, its doors by their names, and in which file
    it stands how many days its clock is ahead of the machine's; None where it is not. Whoever shows the `key` may look
    for a door: it is told at the terminal alone."""

    passphrase: str = field(repr=False)
    clock: str | None = None
    doors: Mapping[str, Door] = field(default_factory=dict)
    key: str = field(default_factory=_new_key, repr=False)

    def now(self, machine: datetime) -> datetime:
        """The time of the demonstration, at that moment of the machine."""
        return machine if self.clock is None else machine + timedelta(days=int(Path(self.clock).read_text("utf-8")))

    def is_shown(self, key: str) -> bool:
        """Whether this is the key that was told at the terminal."""
        return secrets.compare_digest(self.key.encode(), key.encode("utf-8", "surrogatepass"))


def mark(store: Store, made: Mark) -> None:
    """Let this be a demonstration. Raises DemoRefused where there are people, devices or complaints already."""
    with store.write() as connection:
        if accounts.listed(connection) or devices.listed(connection) or complaints.is_any(connection):
            raise DemoRefused(fault="in_use")
        _keep(connection, made)


def open_doors(store: Store, doors: Mapping[str, Door]) -> None:
    """Say where the doors lead, now that there is a month to show. Raises DemoRefused on a hub without the mark."""
    with store.write() as connection:
        _keep(connection, replace(_marked(connection), doors=doors))


def read(store: Store) -> Mark:
    """The mark of the hub. Raises DemoRefused where there is none."""
    with store.read() as connection:
        return _marked(connection)


def code(store: Store, key: bytes, name: str, now: datetime) -> str:
    """The six digits of somebody's second factor at a moment of the demonstration; they may be used again at once.

    `key` is the hub's for second factors. Raises DemoRefused, and NotFound for nobody, or who needs no code.
    """
    with store.write() as connection:
        _marked(connection)
        account = accounts.by_login(connection, login_name(name))
        if account is None or account.state != accounts.ACTIVE or account.totp is None:
            raise NotFound(object=name)
        accounts.update(connection, account.id, totp_step=0)
    return second_factor.code_at(account.totp, key, now)


def enter(store: Store, key: bytes, door: str, now: datetime) -> tuple[Entry, str]:
    """Log in who is behind a door, as they would by themselves, and give the path to go to.

    Raises DemoRefused, and NotFound for a door that there is not.
    """
    marked = read(store)
    if door not in marked.doors:
        raise NotFound(object=door)
    name, path = marked.doors[door].name, marked.doors[door].path
    entry = sessions.log_in(store, key, Claim(name, marked.passphrase, _ORIGIN), now)
    if entry.needs_code:
        entry = sessions.give_code(store, key, entry.token, code(store, key, name, now), _ORIGIN, now)
    return entry, path


def people(store: Store) -> list[Account]:
    """The people of the demonstration, by name. Raises DemoRefused."""
    with store.read() as connection:
        _marked(connection)
        return [each for each in accounts.listed(connection) if each.state == accounts.ACTIVE]


def _marked(connection: sa.Connection) -> Mark:
    kept = state.get(connection, _MARK)
    if kept is None:
        raise DemoRefused(fault="unmarked")
    said = json.loads(kept)
    doors = {name: Door(**each) for name, each in said["doors"].items()}
    return Mark(said["passphrase"], said["clock"], doors, said["key"])


def _keep(connection: sa.Connection, made: Mark) -> None:
    state.keep(connection, _MARK, json.dumps(asdict(made)))
