"""`import`: a spreadsheet of earlier complaints into the outbox, row by row, and the rows that were not taken."""

import csv
import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import resources
from itertools import islice
from pathlib import Path
from typing import Final, TextIO

import click
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from client_sync.commands.counts import shown_bytes
from client_sync.commands.localized import command, option
from client_sync.commands.session import Session, in_session
from client_sync.i18n import Catalogue
from client_sync.importing import (
    ColumnMap,
    MapInvalid,
    Refused,
    Taken,
    read_header,
    read_map,
    read_rows,
    unused_columns,
)
from client_sync.outbox import Finished, Outbox

# One commit for so many rows: 20 ms of work each time, and at most so much to do again after a kill.
BATCH_ROWS: Final = 500
_REFUSED_SHOWN: Final = 20
_REPORT_COLUMNS: Final = ("row", "code", "field", "column", "why")
# A rehearsal needs ids as little as a hub.
_NO_LINEAGE: Final = "00000000-0000-0000-0000-000000000000"


@command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@option("--map", "map_name", required=True)
@option("--dry-run", is_flag=True)
@option("--report", type=click.Path(dir_okay=False, path_type=Path))
@in_session
def import_backlog(session: Session, file: Path, map_name: str, dry_run: bool, report: Path | None) -> None:
    """Import FILE; a row that is on the device already is left as it is."""
    mapping = _find_map(map_name)
    # A byte that is no text must cost its row, not the file.
    with (
        session.outbox() as outbox,
        file.open(encoding=mapping.encoding, errors="surrogateescape", newline="") as source,
    ):
        lineage = _NO_LINEAGE if dry_run else outbox.require_enrolled().lineage
        _warn_of_unused(session, source, mapping)
        intake = _Intake(None if dry_run else outbox)
        rows = read_rows(source, mapping, lineage)
        with _followed(session, file) as moved_to:
            while batch := list(islice(rows, BATCH_ROWS)):
                intake.take(batch)
                moved_to(os.lseek(source.fileno(), 0, os.SEEK_CUR))
    _show(session, intake, dry_run)
    if report is not None:
        _write_report(session, report, intake.refused)


class _Intake:
    """Counts rows and keeps them; without an outbox it only counts."""

    def __init__(self, outbox: Outbox | None) -> None:
        self.taken = 0
        self.known = 0
        self.refused: list[Refused] = []
        self._outbox = outbox
        self._held = set() if outbox is None else {record.id for record in outbox.records()}

    def take(self, batch: list[Taken | Refused]) -> None:
        """Keep the rows of one batch in one transaction."""
        new = [row for row in batch if isinstance(row, Taken) and row.id not in self._held]
        refused = [row for row in batch if isinstance(row, Refused)]
        if self._outbox is not None:
            self._outbox.finalise_all([_finished(row) for row in new])
        self.taken += len(new)
        self.known += len(batch) - len(new) - len(refused)
        self.refused += refused


def _finished(row: Taken) -> Finished:
    return Finished("complaint", row.content, row.id, receipt=row.content["facts"]["clear"]["receipt"])


def _find_map(name: str) -> ColumnMap:
    """The map in a file, or the one of this name that comes with the program."""
    shipped = resources.files("client_sync") / "maps" / f"{name}.toml"
    source = shipped if "/" not in name and shipped.is_file() else Path(name)
    if not source.is_file():
        raise MapInvalid(why="map_absent", where=name)
    try:
        return read_map(source.read_text("utf-8"))
    except UnicodeDecodeError:
        raise MapInvalid(why="toml", where=name) from None


def _warn_of_unused(session: Session, source: TextIO, mapping: ColumnMap) -> None:
    header = read_header(source, mapping)
    source.seek(0)
    if unused := unused_columns(header, mapping):
        session.say("import.unused", columns=", ".join(unused))


@contextmanager
def _followed(session: Session, file: Path) -> Iterator[Callable[[int], None]]:
    columns = (BarColumn(), TextColumn("{task.fields[size]}", markup=False), TimeRemainingColumn())
    with Progress(*columns, console=session.console, disable=not session.console.is_terminal) as bar:
        task = bar.add_task("", total=file.stat().st_size, size="")
        yield lambda position: bar.update(task, completed=position, size=shown_bytes(session, position))


def _show(session: Session, intake: _Intake, dry_run: bool) -> None:
    texts = session.texts
    if intake.taken or dry_run:
        session.say_count("import.would" if dry_run else "import.taken", intake.taken)
    else:
        session.say("import.none")
    if intake.known:
        session.say_count("import.known", intake.known)
    if not intake.refused:
        return
    session.say_count("import.refused", len(intake.refused))
    for row in intake.refused[:_REFUSED_SHOWN]:
        form = "row_cell" if row.cell else "row_column" if row.column else "row"
        why = _row_words(row.code, texts)
        session.say(f"import.{form}", number=row.number, column=row.column, cell=row.cell, why=why)
    if len(intake.refused) > _REFUSED_SHOWN:
        for code, count in Counter(row.code for row in intake.refused).most_common():
            session.say("import.why", n=count, why=_row_words(code, texts))


def _write_report(session: Session, path: Path, refused: list[Refused]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([session.texts.text(f"import.column_{name}") for name in _REPORT_COLUMNS])
        for row in refused:
            writer.writerow([row.number, row.code, row.field, row.column, _row_words(row.code, session.texts)])
    session.say("import.report", file=path)


def _row_words(code: str, texts: Catalogue) -> str:
    """What to put right in the file, where the words for the same code on the wire speak of a device."""
    try:
        return texts.text(f"row.{code}")
    except KeyError:
        return texts.text("row.member_invalid")
