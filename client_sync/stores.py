"""Encrypted files: the folder of a device, its key files, and SQLCipher databases that survive a kill."""

import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from sqlcipher3 import dbapi2 as sqlcipher
from sqlite_utils import Database, Migrations

from client_sync.errors import KeyMissing, StoreDamaged, StoreFailed, StoreFull

KEY_BYTES: Final = 32
FOLDER_VARIABLE: Final = "CARNET_FOLDER"
_DEFAULT_FOLDER: Final = "~/.carnet"
# How long a second process of the same device waits for the first to commit.
_BUSY_S: Final = 30.0
_SIDE_FILES: Final = ("", "-wal", "-shm", "-journal")


@dataclass(frozen=True)
class Folder:
    """The data folder of a device. Its names say nothing of what is inside."""

    path: Path

    @classmethod
    def default(cls, environ: Mapping[str, str]) -> Self:
        """The folder that CARNET_FOLDER names, else `~/.carnet`."""
        return cls(Path(environ.get(FOLDER_VARIABLE) or _DEFAULT_FOLDER).expanduser())

    @property
    def vault(self) -> Path:
        """Drafts and replies."""
        return self.path / "vault.db"

    @property
    def vault_key(self) -> Path:
        """The key of the vault, wrapped by the passphrase."""
        return self.path / "vault.key"

    @property
    def vault_tries(self) -> Path:
        """How many wrong passphrases came in a row."""
        return self.path / "vault.tries"

    @property
    def transport(self) -> Path:
        """The outbox, the keys of the device and its token."""
        return self.path / "transport.db"

    @property
    def machine_key(self) -> Path:
        """The key of the transport store."""
        return self.path / "machine.key"

    @property
    def files(self) -> Path:
        """Sealed files, each under the SHA-256 of what is in it, until the hub has them for good."""
        return self.path / "files"

    def make(self) -> None:
        """Make the folder, readable by its owner alone; one that is there is left as it is."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)

    def wipe_vault(self) -> None:
        """Make drafts and replies unreadable for everybody, then delete the vault; the outbox stays.

        Needs no passphrase and opens nothing: the first write of all is over the key slot. Safe to repeat after
        a kill.
        """
        self._wipe([self.vault_key], [self.vault])
        self.vault_tries.unlink(missing_ok=True)

    def wipe(self) -> None:
        """Make everything unreadable, keys first, then delete it. Safe to repeat after a kill.

        No key of a closed complaint's files is here; those of drafts went with the vault.
        """
        self._wipe([self.vault_key, self.machine_key], [self.vault, self.transport])
        self.vault_tries.unlink(missing_ok=True)
        if self.files.exists():
            shutil.rmtree(self.files)
            sync_folder(self.path)

    def _wipe(self, keys: list[Path], databases: list[Path]) -> None:
        for key in keys:
            _erase(key)
        for key in keys:
            _erase(_draft_of(key))
        for database in databases:
            for ending in _SIDE_FILES:
                database.with_name(database.name + ending).unlink(missing_ok=True)
        if self.path.exists():
            sync_folder(self.path)


def machine_key(folder: Folder) -> bytes:
    """The key of the transport store, made on the first call.

    Raises KeyMissing when there is a store and no key for it.
    """
    if folder.machine_key.exists():
        return _read_key(folder.machine_key)
    if folder.transport.exists():
        raise KeyMissing
    folder.make()
    key = secrets.token_bytes(KEY_BYTES)
    write_durably(folder.machine_key, key.hex().encode())
    return key


def write_durably(path: Path, data: bytes) -> None:
    """Write a small file, whole or not at all, readable by its owner alone; on disk when this returns."""
    draft = _draft_of(path)
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    sync_folder(path.parent)


def _draft_of(path: Path) -> Path:
    return path.with_name(path.name + ".new")


def open_encrypted(path: Path, key: bytes, migrations: Migrations) -> Database:
    """The database in `path` under a raw 32-byte key, with its tables up to date.

    Commits are on disk when they return. Raises StoreDamaged when the key does not open the file.
    """
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    # Used by one thread at a time, but closed by another when nobody typed anything for too long.
    connection = sqlcipher.connect(str(path), isolation_level=None, timeout=_BUSY_S, check_same_thread=False)
    try:
        _unlock(connection, key)
        database = Database(connection)
        if migrations.pending(database):
            # Migrations take no lock of their own: two first starts at once would both create the tables.
            with writing(database):
                migrations.apply(database)
    except BaseException:
        connection.close()
        raise
    return database


def scrub(database: Database) -> None:
    """Take what was deleted out of the log beside the database as well; waits for no other reader."""
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()


@contextmanager
def writing(database: Database) -> Iterator[None]:
    """One transaction, on disk when the block ends, nothing of it when it raises.

    Raises StoreFull and StoreFailed.
    """
    connection: Any = database.conn
    try:
        # Not atomic(): its deferred BEGIN fails at once when another process wrote after our first read.
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("COMMIT")
    except sqlcipher.DatabaseError as error:
        _roll_back(connection)
        if error.sqlite_errorname == "SQLITE_FULL":
            raise StoreFull from error
        raise StoreFailed(reason=error.sqlite_errorname) from error
    except BaseException:
        _roll_back(connection)
        raise


def _roll_back(connection: Any) -> None:
    # SQLite has rolled back by itself after some errors.
    if connection.in_transaction:
        connection.execute("ROLLBACK")


def _unlock(connection: Any, key: bytes) -> None:
    # First of all, else a wrong key writes to stderr from inside the library.
    connection.execute("PRAGMA cipher_log_level = NONE")
    connection.execute(f"PRAGMA key = \"x'{key.hex()}'\"")
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlcipher.DatabaseError:
        raise StoreDamaged from None
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "secure_delete = ON"):
        connection.execute(f"PRAGMA {pragma}").fetchone()


def _read_key(path: Path) -> bytes:
    try:
        key = bytes.fromhex(path.read_text("ascii").strip())
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise KeyMissing
    return key


def _erase(path: Path) -> None:
    """Overwrite, then delete: on flash the old block may survive, which only an encrypted disk helps against."""
    if not path.exists():
        return
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.write(secrets.token_bytes(size))
        file.flush()
        os.fsync(file.fileno())
    path.unlink()
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Make a rename or a deletion durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
