"""Upkeep of the SQLite file by sqlite-utils, on SQLAlchemy's own connection, and the look into a copy of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlcipher3 import dbapi2 as sqlcipher
from sqlite_utils import Database

from server.store.dialect import is_sqlite

# Rows that analyze looks at per index: its cost stays the same however much is stored.
_ANALYZE_ROWS: Final = 1000


def tidy(engine: sa.Engine) -> None:
    """Bring the planner's statistics up to date and the write-ahead log into the file; nothing elsewhere."""
    if not is_sqlite(engine):
        return
    with _idle(engine) as database:
        database.execute(f"PRAGMA analysis_limit = {_ANALYZE_ROWS}")
        database.analyze()
        database.execute("PRAGMA optimize").fetchall()
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def clear_log(engine: sa.Engine) -> bool:
    """Bring the write-ahead log into the file and empty it, so that nothing erased is left in it.

    False while somebody reads an older state. Another engine has no log of ours: its own vacuum does that work.
    """
    if not is_sqlite(engine):
        return True
    with _idle(engine) as database:
        is_blocked = database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        return not is_blocked


def is_sound_again(engine: sa.Engine) -> bool:
    """After a failed write: whether the database reads whole and all of its log is in the file, synced.

    The log may hold pages that a failed sync dropped from memory to nowhere: a later commit behind them
    would be lost with the power. Copied into the file and synced, they can't take it along.
    """
    if not is_sqlite(engine):
        return True
    try:
        with _idle(engine) as database:
            if database.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
                return False
            is_blocked = database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            return not is_blocked
    except sqlcipher.Error:
        return False


def index_words(connection: sa.Connection, table: str, column: str) -> None:
    """A full-text index of the words of a text column, kept by triggers; part of the transaction, and not elsewhere.

    Words are what has a space or a sign of ASCII around it. What is deleted is taken out of the index at once.
    """
    if not is_sqlite(connection):
        return
    raw: Any = connection.connection.driver_connection
    database = Database(raw)
    database.table(table).enable_fts([column], create_triggers=True, tokenize="ascii")
    # Otherwise a deletion adds a note with the very word, and both stay until segments are merged.
    database.execute(f"INSERT INTO {table}_fts ({table}_fts, rank) VALUES ('secure-delete', 1)")


def drop_words(connection: sa.Connection, table: str) -> None:
    """Undo `index_words`."""
    raw: Any = connection.connection.driver_connection
    Database(raw).table(table).disable_fts()


def facts(engine: sa.Engine) -> dict[str, str]:
    """What SQLite says of itself: version, and what a commit waits for; empty for another engine."""
    if not is_sqlite(engine):
        return {}
    with _idle(engine) as database:
        names = ("journal_mode", "synchronous", "foreign_keys", "secure_delete")
        found = {name: str(database.execute(f"PRAGMA {name}").fetchone()[0]) for name in names}
        return found | {"version": str(database.execute("SELECT sqlite_version()").fetchone()[0])}


def copy_to(engine: sa.Engine, path: Path, without: str) -> None:
    """A copy of the database but the rows of one table, under the same key, while others write: one moment's state."""
    with _idle(engine) as database:
        database.execute("VACUUM INTO ?", [str(path)])
        database.execute("ATTACH ? AS copied", [str(path)])
        try:
            # Overwritten, not only unlinked: what is left in free pages would travel with the file.
            database.execute("PRAGMA copied.secure_delete = ON")
            database.execute("PRAGMA copied.journal_mode = MEMORY")
            database.execute(f"DELETE FROM copied.{without}")
        finally:
            database.execute("DETACH copied")


@contextmanager
def opened_copy(path: Path, key: bytes) -> Iterator[Database]:
    """A copy, opened without writing to it; raises sqlcipher3's DatabaseError when it can't be read."""
    connection = sqlcipher.connect(f"file:{path}?mode=ro&immutable=1", uri=True, isolation_level=None)
    try:
        connection.execute("PRAGMA cipher_log_level = NONE")
        connection.execute(f"PRAGMA key = \"x'{key.hex()}'\"")
        yield Database(connection)
    finally:
        connection.close()


def damage(database: Database) -> list[str]:
    """What is wrong with an encrypted database, page by page, else row by row; empty when nothing is."""
    pages = [str(row[0]) for row in database.execute("PRAGMA cipher_integrity_check").fetchall()]
    if pages:
        return pages
    rows = [str(row[0]) for row in database.execute("PRAGMA integrity_check(10)").fetchall()]
    return [row for row in rows if row != "ok"]


@contextmanager
def _idle(engine: sa.Engine) -> Iterator[Database]:
    """A connection of the pool on which no transaction runs: these sentences refuse to be in one."""
    raw: Any = engine.raw_connection()
    try:
        yield Database(raw.driver_connection)
    finally:
        raw.close()
