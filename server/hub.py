"""The hub: store, keys, clock and words, put together once and handed to every front door."""

import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import sqlalchemy as sa
from nacl.public import PrivateKey
from nacl.signing import SigningKey

from server.config import Settings
from server.domain.errors import StorageFailed
from server.store import migrations, state
from server.store.engine import Store, open_store
from server.store.places import CurrentPlaces

Clock = Callable[[], datetime]
KEY_BYTES = 32


@dataclass(frozen=True)
class Identity:
    """Who this hub is: its id, and the keys that devices pin."""

    id: str
    sign_key: SigningKey
    box_key: PrivateKey


@dataclass(frozen=True)
class Hub:
    """One running hub."""

    settings: Settings
    store: Store
    identity: Identity
    clock: Clock
    places: CurrentPlaces = field(default_factory=CurrentPlaces)

    def epoch(self) -> str:
        """The epoch: 8 hexadecimal digits, new after each restore."""
        with self.store.read() as connection:
            return epoch_of(connection)

    def close(self) -> None:
        """Give the database back."""
        self.store.close()


def utc_now() -> datetime:
    """The clock of the machine."""
    return datetime.now(UTC)


def open_hub(settings: Settings, clock: Clock = utc_now) -> Hub:
    """The hub whose data the settings name; brings the tables up to date, makes keys on the first start.

    Raises StorageFailed when there is a database and no key for it.
    """
    store = open_store(settings.database_url, _database_key(settings))
    migrations.upgrade(store)
    return Hub(settings, store, _identity(store), clock)


def new_epoch() -> str:
    """An epoch that no earlier restore had."""
    return secrets.token_hex(4)


def _database_key(settings: Settings) -> bytes | None:
    if settings.database:
        return None
    path = settings.key_file
    if path.exists():
        return bytes.fromhex(path.read_text().strip())
    if settings.hub_file.exists():
        raise StorageFailed(file=str(path))
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    key = secrets.token_bytes(KEY_BYTES)
    _keep_key(path, key.hex())
    return key


def _keep_key(path: Path, text: str) -> None:
    """Write a key file, whole or not at all, for its owner alone; on disk when this returns.

    A power cut must not leave a database whose key was still in memory.
    """
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _identity(store: Store) -> Identity:
    with store.read() as connection:
        kept = [state.get(connection, name) for name in ("hub", "sign_key", "box_key")]
    if None in kept:
        with store.write() as connection:
            _first_start(connection)
        return _identity(store)
    hub, sign_key, box_key = (value or "" for value in kept)
    return Identity(hub, SigningKey(bytes.fromhex(sign_key)), PrivateKey(bytes.fromhex(box_key)))


def _first_start(connection: sa.Connection) -> None:
    for name, value in (
        ("hub", str(uuid4())),
        ("sign_key", secrets.token_hex(KEY_BYTES)),
        ("box_key", secrets.token_hex(KEY_BYTES)),
        ("epoch", new_epoch()),
    ):
        if state.get(connection, name) is None:
            state.keep(connection, name, value)


def epoch_of(connection: sa.Connection) -> str:
    """The epoch that the data are in."""
    return state.get(connection, "epoch") or ""
