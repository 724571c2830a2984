"""The hub: store, keys, clock and words, put together once and handed to every front door."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from secrets import token_hex
from typing import Final
from uuid import uuid4

import sqlalchemy as sa
from nacl.public import PrivateKey
from nacl.signing import SigningKey

from server.config import Settings
from server.credential import Secrets
from server.domain.desk import Desk
from server.domain.errors import CredentialForeign
from server.domain.evidence import Limits
from server.domain.people import NO_KEYS, HeldKeys
from server.domain.permission import Actor
from server.domain.places import Gazetteer
from server.store import migrations, state
from server.store.depot import Depot, open_depot
from server.store.engine import Store, open_store
from server.store.places import CurrentPlaces

# As pyproject.toml says: a checkout that is used where it lies has no metadata to ask.
VERSION: Final = "0.1.0"
_MIB: Final = 2**20
Clock = Callable[[], datetime]


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
    secrets: Secrets
    identity: Identity
    clock: Clock
    depot: Depot
    places: CurrentPlaces = field(default_factory=CurrentPlaces)

    def epoch(self) -> str:
        """The epoch: 8 hexadecimal digits, new after each restore."""
        with self.store.read() as connection:
            return epoch_of(connection)

    def gazetteer(self) -> Gazetteer | None:
        """The place list that holds now; None before the first was imported."""
        with self.store.read() as connection:
            return self.places.read(connection)

    def desk(self, actor: Actor, keys: HeldKeys = NO_KEYS) -> Desk:
        """The desk of somebody who is at work on this hub now."""
        return Desk(actor, self.gazetteer(), self.clock(), keys, self.settings.coalition)

    def close(self) -> None:
        """Give the database back."""
        self.store.close()


def utc_now() -> datetime:
    """The clock of the machine."""
    return datetime.now(UTC)


def open_hub(settings: Settings, secrets: Secrets, clock: Clock = utc_now) -> Hub:
    """The hub whose data the settings name; brings the tables up to date, names the hub on its first start.

    Raises StorageFailed or CredentialForeign when the secrets are not those of the data.
    """
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    store = open_store(settings.database_url, None if settings.database else secrets.database)
    try:
        with store.read():
            pass  # A key that is not the file's is refused here, in the store's own words.
        migrations.upgrade(store)
        return Hub(settings, store, secrets, _identity(store, secrets), clock, depot_of(settings))
    except BaseException:
        store.close()
        raise


def depot_of(settings: Settings) -> Depot:
    """Where the settings keep files. Raises BlobsUnusable."""
    limits = Limits(
        file=settings.file_mb * _MIB,
        complaint=settings.complaint_files_mb * _MIB,
        device_parts=settings.device_parts_mb * _MIB,
        parts=settings.parts_mb * _MIB,
        spared=settings.spared_mb * _MIB,
    )
    return open_depot(settings.data, settings.blobs, limits)


def new_epoch() -> str:
    """An epoch that no earlier restore had."""
    return token_hex(4)


def _identity(store: Store, secrets: Secrets) -> Identity:
    sign_key = SigningKey(secrets.sign)
    pinned = bytes(sign_key.verify_key).hex()
    with store.read() as connection:
        hub, known = state.get(connection, "hub"), state.get(connection, "verify_key")
    if hub is None:
        with store.write() as connection:
            _first_start(connection, pinned)
        return _identity(store, secrets)
    if known != pinned:
        raise CredentialForeign
    return Identity(hub, sign_key, PrivateKey(secrets.box))


def _first_start(connection: sa.Connection, pinned: str) -> None:
    if state.get(connection, "hub") is None:
        for name, value in (("hub", str(uuid4())), ("verify_key", pinned), ("epoch", new_epoch())):
            state.keep(connection, name, value)


def epoch_of(connection: sa.Connection) -> str:
    """The epoch that the data are in."""
    return state.get(connection, "epoch") or ""
