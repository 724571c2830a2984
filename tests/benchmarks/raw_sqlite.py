"""The floor under the hub: the rows it wrote, written again by bare executemany into the same encrypted tables."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from server.config import Settings
from server.store import dialect
from server.store.evidence_tables import piece
from server.store.schema import act, complaint, person, received, registry
from tests.builders import secrets_of

# Tables that hold rows of a record, with the column that names the received operation.
_TABLES: Final = (
    (received, received.c.id),
    (complaint, complaint.c.id),
    (act, act.c.complaint),
    (person, person.c.complaint),
    (piece, piece.c.complaint),
    (registry, registry.c.complaint),
)


@dataclass(frozen=True)
class Batch:
    """What one commit holds: each statement with its rows, as SQLite stores them."""

    statements: tuple[tuple[str, list[tuple[Any, ...]]], ...]


def last_received(folder: Path) -> int:
    """The id of the newest received operation of a hub; 0 for none."""
    connection = _open(folder)
    [newest] = connection.execute("SELECT coalesce(max(id), 0) FROM received").fetchone()
    connection.close()
    return int(newest)


def prepared(folder: Path, after: int, upto: int, batch: int) -> list[Batch]:
    """The rows that a hub wrote for the operations in (`after`, `upto`], `batch` operations a commit."""
    connection = _open(folder)
    batches = [
        Batch(tuple(_statement(connection, *table, start, start + batch) for table in _TABLES))
        for start in range(after, upto, batch)
    ]
    connection.close()
    return batches


def write(folder: Path, batches: Sequence[Batch]) -> float:
    """Write the batches into a hub's empty tables, one durable commit each; gives the seconds it took."""
    connection = _open(folder)
    began = time.perf_counter()
    for batch in batches:
        connection.execute("BEGIN IMMEDIATE")
        for sql, rows in batch.statements:
            connection.executemany(sql, rows)
        connection.execute("COMMIT")
    took_s = time.perf_counter() - began
    connection.close()
    return took_s


def _statement(connection: Any, table: Any, key: Any, after: int, upto: int) -> tuple[str, list[tuple[Any, ...]]]:
    names = ", ".join(f'"{name}"' for name in table.columns.keys())
    places = ", ".join("?" * len(table.columns))
    select = f'SELECT {names} FROM "{table.name}" WHERE "{key.name}" > ? AND "{key.name}" <= ?'
    rows = connection.execute(select, (after, upto)).fetchall()
    return f'INSERT INTO "{table.name}" ({names}) VALUES ({places})', rows


def _open(folder: Path) -> Any:
    settings = Settings(data=folder)
    # The hub's own way to open the file: the same cipher, the same durability.
    return dialect.open_sqlite(folder / "hub.db", secrets_of(settings).database)
