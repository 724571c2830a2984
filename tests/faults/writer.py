"""A small program for the shim's own tests: commits pairs of rows to an encrypted SQLite file and says so.

Arguments: database, synchronous mode, number of pairs, and optionally the operation log to mark. Pair n is
the rows n and -n; it is printed, then marked, once its commit has returned. An error is printed by its SQLite
name.
"""

import sys
from pathlib import Path

import sqlcipher3

from tests.faults.shim import mark_acknowledged

# A raw key: deriving one from words would cost more than the rest of the test.
KEY = "2b" * 32
_ROW_BYTES = 700


def opened(database: Path) -> sqlcipher3.Connection:
    """A connection that commits by hand only; closing it is the caller's."""
    connection = sqlcipher3.connect(str(database), isolation_level=None)
    connection.execute(f"PRAGMA key = \"x'{KEY}'\"")
    return connection


def write_pairs(database: Path, synchronous: str, count: int, log: Path | None) -> None:
    """Commit `count` pairs, one transaction each, and go on after an error."""
    connection = opened(database)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA synchronous = {synchronous}")
    # Small, so that checkpoints are among the operations that get killed and cut.
    connection.execute("PRAGMA wal_autocheckpoint = 20")
    connection.execute("CREATE TABLE IF NOT EXISTS pair (id INTEGER PRIMARY KEY, filling TEXT NOT NULL)")
    for number in range(1, count + 1):
        try:
            _commit_pair(connection, number)
        except sqlcipher3.Error as error:
            _say(f"error {error.sqlite_errorname}")
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        else:
            _say(f"acknowledged {number}")
            if log is not None:
                mark_acknowledged(log, str(number).encode())


def _commit_pair(connection: sqlcipher3.Connection, number: int) -> None:
    connection.execute("BEGIN IMMEDIATE")
    rows = [(number, "x" * _ROW_BYTES), (-number, "y" * _ROW_BYTES)]
    connection.executemany("INSERT INTO pair (id, filling) VALUES (?, ?)", rows)
    connection.execute("COMMIT")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    database, synchronous, count, *log = sys.argv[1:]
    write_pairs(Path(database), synchronous, int(count), Path(log[0]) if log else None)
