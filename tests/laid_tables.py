"""The tables of a new database, laid by copying those that were laid first: the migrations think for long."""

import secrets
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.engine import make_url

from server.store import dialect, migrations
from server.store.engine import open_store
from tests.postgres import copy_database, create_database


@dataclass(frozen=True)
class Kept:
    """A database as it was at one moment: the bytes of SQLite's file and its key, or another one of the same server."""

    data: bytes
    key: bytes | None
    url: str

    def lay(self, url: str, key: bytes | None) -> None:
        """Put a copy behind `url`, under a key, in place of what is there."""
        path = file_behind(url)
        if path is None:
            copy_database(self.url, url)
            return
        path.write_bytes(self.data)
        if key != self.key:
            _change_key(path, self.key, key)


_laid: dict[str, Kept] = {}


def keep(url: str, key: bytes | None) -> Kept:
    """The database behind `url` as it is now, while nobody has it open."""
    path = file_behind(url)
    if path is not None:
        return Kept(path.read_bytes(), key, "")
    other = _beside(url)
    copy_database(url, other)
    return Kept(b"", None, other)


def new_beside(url: str) -> str:
    """Another new, empty database on the PostgreSQL server of `url`."""
    other = _beside(url)
    create_database(other)
    return other


def _beside(url: str) -> str:
    address = make_url(url)
    return address.set(database=f"{address.database}_{secrets.token_hex(4)}").render_as_string(hide_password=False)


def server_of(url: str) -> str:
    """The same for all databases that can be copied to each other."""
    address = make_url(url)
    return "sqlite" if address.get_backend_name() == "sqlite" else str(address.set(database=""))


def file_behind(url: str) -> Path | None:
    """SQLite's file; None for the other engine."""
    address = make_url(url)
    return Path(address.database or "") if address.get_backend_name() == "sqlite" else None


def lay_tables(url: str, key: bytes | None) -> None:
    """Bring the database behind `url` to where `migrations.upgrade` brings it, if it is empty."""
    path = file_behind(url)
    if path is not None and path.exists() or path is None and not _is_empty(url):
        return
    server = server_of(url)
    if server not in _laid:
        store = open_store(url, key)
        migrations.upgrade(store)
        store.close()
        _laid[server] = keep(url, key)
    else:
        _laid[server].lay(url, key)


def _is_empty(url: str) -> bool:
    store = open_store(url, None)
    try:
        return migrations.current(store) is None
    finally:
        store.close()


def _change_key(path: Path, key: bytes | None, new_key: bytes | None) -> None:
    assert key is not None
    assert new_key is not None
    connection = dialect.open_sqlite(path, key)
    connection.execute(f"PRAGMA rekey = \"x'{new_key.hex()}'\"")
    connection.close()
