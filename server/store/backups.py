"""Backups: copies of the database that can be opened and counted, and the log of those that were made."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlcipher3 import dbapi2 as sqlcipher

from server.domain.errors import BackupUnusable
from server.store import lite
from server.store.dialect import is_sqlite
from server.store.evidence_tables import piece
from server.store.schema import backup, complaint, erasure, event, hub_state, lineage, linkage_pending, received

SQLITE_COPY: Final = "hub.db"
SERVER_COPY: Final = "hub.dump"
HERE: Final = "here"


@dataclass(frozen=True)
class Contents:
    """What a copy holds, as read from the copy itself; `positions` by lineage, `erased` counts operations, `files` the
    pieces that are here, none in backups of earlier versions."""

    complaints: int
    received: int
    erased: int
    positions: dict[str, int]
    files: int = 0


@dataclass(frozen=True)
class Backup:
    """A verified backup."""

    file: str
    sha256: str
    bytes: int
    complaints: int
    made_at: datetime
    verified_at: datetime


def copy(engine: sa.Engine, folder: Path) -> Path:
    """A copy of the database in the folder, made while others write; raises BackupUnusable.

    What waits to be matched is left out: it says who is who, to whoever has the hub's own key.
    """
    if is_sqlite(engine):
        path = folder / SQLITE_COPY
        lite.copy_to(engine, path, without=linkage_pending.name)
        return path
    path = folder / SERVER_COPY
    # Of a table named so, the dump has the shape and no row.
    options = ("--format=custom", "--no-owner", f"--exclude-table-data={linkage_pending.name}")
    _run(engine.url, "pg_dump", *options, "--file", str(path))
    return path


def inspect(path: Path, key: bytes) -> Contents:
    """Open a copy, read all of it, and count; raises BackupUnusable when anything in it is damaged.

    `key` opens a copy of a SQLite file; a dump has none.
    """
    if path.name == SQLITE_COPY:
        return _inspect_file(path, key)
    return _inspect_dump(path)


def load(url: str, dump: Path, epoch: str) -> None:
    """Fill an empty database from a dump and start the epoch, in one transaction; raises BackupUnusable."""
    address = sa.make_url(url)
    script = dump.with_suffix(".sql")
    _run(None, "pg_restore", "--no-owner", "--file", str(script), str(dump))
    with script.open("a") as file:
        # The epoch is 8 hexadecimal digits of our own making.
        file.write(f"\nUPDATE public.{hub_state.name} SET value = '{epoch}' WHERE name = 'epoch';\n")
    _run(address, "psql", "--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1", "-1", "--file", str(script))


def contents(connection: sa.Connection) -> Contents:
    """What the database itself holds now."""
    positions = sa.select(lineage.c.id, lineage.c.position)
    return Contents(
        complaints=_count(connection, complaint),
        received=_count(connection, received),
        erased=_count(connection, erasure),
        positions={row.id: row.position for row in connection.execute(positions)},
        files=connection.scalar(sa.select(sa.func.count()).where(piece.c.state == HERE)) or 0,
    )


def record(connection: sa.Connection, made: Backup) -> None:
    """Note a verified backup."""
    values = {name: getattr(made, name) for name in Backup.__dataclass_fields__}
    connection.execute(sa.insert(backup).values(**values))


def last(connection: sa.Connection) -> Backup | None:
    """The newest verified backup."""
    columns = (backup.c[name] for name in Backup.__dataclass_fields__)
    row = connection.execute(sa.select(*columns).order_by(backup.c.id.desc()).limit(1)).one_or_none()
    return None if row is None else Backup(*row)


def has_any(connection: sa.Connection) -> bool:
    """Whether there was ever a backup: one that was noted, or the one that this hub was restored from."""
    restored = sa.select(event.c.place).where(event.c.action == "restore").limit(1)
    return last(connection) is not None or connection.scalar(restored) is not None


def _count(connection: sa.Connection, table: sa.Table) -> int:
    return connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0


def _inspect_file(path: Path, key: bytes) -> Contents:
    try:
        with lite.opened_copy(path, key) as database:
            if damage := lite.damage(database):
                raise BackupUnusable(fault="damaged", detail=damage[0])
            return Contents(
                complaints=database["complaint"].count,
                received=database["received"].count,
                erased=database["erasure"].count,
                positions={row["id"]: row["position"] for row in database["lineage"].rows},
                files=database["piece"].count_where("state = ?", [HERE]) if database["piece"].exists() else 0,
            )
    except sqlcipher.DatabaseError as error:
        raise BackupUnusable(fault="damaged", detail=str(error)) from None


def _inspect_dump(path: Path) -> Contents:
    """Every row of the dump is read and inflated; five tables are counted."""
    _run(None, "pg_restore", "--file", os.devnull, str(path))
    return Contents(
        complaints=sum(1 for _ in _dumped(path, "complaint")),
        received=sum(1 for _ in _dumped(path, "received")),
        erased=sum(1 for _ in _dumped(path, "erasure")),
        positions={row["id"]: int(row["position"]) for row in _dumped(path, "lineage")},
        files=sum(row["state"] == HERE for row in _dumped(path, "piece")),
    )


def _dumped(path: Path, table: str) -> Iterator[dict[str, str]]:
    """The rows of a table in a dump, as text by column; in COPY's form no value holds a tab or a newline."""
    command = [_program("pg_restore"), "--data-only", "--table", table, "--file", "-", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8") as process:
        assert process.stdout is not None
        columns: list[str] = []
        for line in process.stdout:
            if line.startswith("COPY "):
                names = line.partition("(")[2].partition(")")[0].split(", ")
                columns = [name.strip('"') for name in names]
            elif line == "\\.\n":
                columns = []
            elif columns:
                yield dict(zip(columns, line.rstrip("\n").split("\t"), strict=True))
    if process.returncode:
        raise BackupUnusable(fault="damaged", detail=table)


def _run(url: sa.URL | None, program: str, *arguments: str) -> None:
    command = [_program(program), *arguments]
    environ = dict(os.environ)
    if url is not None:
        command += ["--dbname", _without_password(url)]
        # Not on the command line, where every user of the machine could read it.
        environ |= {"PGPASSWORD": url.password} if url.password else {}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BackupUnusable(fault="program_failed", program=program, detail=_last_line(done.stderr))


def _program(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise BackupUnusable(fault="program_missing", program=name)
    return path


def _without_password(url: sa.URL) -> str:
    bare = sa.URL.create(url.get_backend_name(), url.username, None, url.host, url.port, url.database, url.query)
    return bare.render_as_string()


def _last_line(text: str) -> str:
    lines: Sequence[str] = text.strip().splitlines() or [""]
    return lines[-1]
