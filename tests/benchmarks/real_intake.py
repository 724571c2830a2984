"""Real input: rows that real people wrote, by `seere-field import` and `sync` into an empty hub, and back."""

import csv
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from client_sync.importing import Taken, read_map, read_rows
from client_sync.outbox import Outbox
from client_sync.protocol.canonical import canonical
from client_sync.stores import FOLDER_VARIABLE, Folder
from server.hub import Hub
from server.store.schema import complaint, received
from tests.benchmarks.binding import bind
from tests.benchmarks.figure import Figure, note
from tests.benchmarks.harness import HubProcess, Plan, Sender, Void, enrol, fresh_folder, opened

FIGURES: Final = ("sent", "stored", "byte_equal", "stored_by_second_run")
_FIELD: Final = Path(sys.executable).with_name("seere-field")


@dataclass(frozen=True)
class _Backlog:
    """A file of rows, and the shipped map that reads it."""

    file: Path
    map_name: str

    @property
    def rows(self) -> int:
        with self.file.open(encoding="utf-8-sig", newline="") as source:
            return sum(1 for _ in csv.DictReader(source))

    def lines(self, lineage: str) -> Iterator[bytes]:
        """The operations that a device of the lineage must have sent, byte for byte, in order."""
        mapping = read_map((resources.files("client_sync") / "maps" / f"{self.map_name}.toml").read_text("utf-8"))
        with self.file.open(encoding=mapping.encoding, newline="") as source:
            taken = (row for row in read_rows(source, mapping, lineage) if isinstance(row, Taken))
            for seq, row in enumerate(taken, 1):
                yield canonical({"content": row.content, "id": row.id, "op": "complaint", "seq": seq})


def measure(plan: Plan) -> Iterator[Figure]:
    """Boston's complaints are counted and compared, the messages of Haiti compared alone."""
    if plan.data is None or not (folder := plan.data / "complaints").is_dir():
        note("SEERE_TEST_DATA is not set, or holds no complaints: nothing real to send")
        yield from (Figure(name, None, "records") for name in FIGURES)
        return
    boston = _Backlog(folder / "boston311_2015_selected.csv", "boston311")
    haiti = _Backlog(folder / "haiti2010_messages_kreyol_fr.csv", "haiti2010")
    yield from _figures(boston, haiti)


def _figures(boston: _Backlog, haiti: _Backlog) -> Iterator[Figure]:
    with fresh_folder() as folder:
        with opened(folder / "hub") as hub:
            first, other = enrol(hub), enrol(hub)
            second = enrol(hub, succeeds=first)
        with HubProcess(folder / "hub") as process:
            sent = _send(folder / "first", hub, first, process, boston)
            _send(folder / "other", hub, other, process, haiti)
            with opened(folder / "hub") as hub:
                stored = _stored(hub, first)
                is_equal = all(
                    _is_byte_equal(hub, sender, backlog) for sender, backlog in ((first, boston), (other, haiti))
                ) and _has_every_text(hub, other, haiti)
            # The file again, on a device that knows nothing of the first run: only the hub can tell.
            _send(folder / "second", hub, second, process, boston)
            with opened(folder / "hub") as hub:
                again = _stored(hub, first) - stored
    yield Figure("sent", sent, "records", "=", boston.rows)
    yield Figure("stored", stored, "records", "=", boston.rows)
    yield Figure("byte_equal", int(is_equal), "1 for yes", "=", 1)
    yield Figure("stored_by_second_run", again, "records", "=", 0)


def _send(folder: Path, hub: Hub, sender: Sender, process: HubProcess, backlog: _Backlog) -> int:
    """Import and sync as a person would; gives how many records the device says are at the centre."""
    bind(folder, hub, sender, process.address)
    _field(folder, "import", str(backlog.file), "--map", backlog.map_name)
    _field(folder, "sync")
    outbox = Outbox.open(Folder(folder))
    at_centre = sum(record.state == "at_centre" for record in outbox.records())
    outbox.close()
    return at_centre


def _field(folder: Path, *arguments: str) -> None:
    ended = subprocess.run(
        [_FIELD, *arguments], env=os.environ | {FOLDER_VARIABLE: str(folder)}, capture_output=True, text=True
    )
    if ended.returncode != 0:
        raise Void(f"seere-field {arguments[0]} ended with {ended.returncode}: {ended.stdout}{ended.stderr}")


def _stored(hub: Hub, sender: Sender) -> int:
    """Complaints that the hub has of a lineage."""
    select = sa.select(sa.func.count()).select_from(complaint).join(received, received.c.id == complaint.c.id)
    with hub.store.read() as connection:
        return connection.scalar(select.where(received.c.lineage == sender.lineage)) or 0


def _is_byte_equal(hub: Hub, sender: Sender, backlog: _Backlog) -> bool:
    """Whether the hub holds exactly the lines that the file makes, in order, and no other."""
    return _lines(hub, sender) == list(backlog.lines(sender.lineage))


def _has_every_text(hub: Hub, sender: Sender, backlog: _Backlog) -> bool:
    """Whether the hub gives back each message as the file has it: no code of ours reads the file here."""
    with backlog.file.open(encoding="utf-8-sig", newline="") as source:
        written = [row["original"] for row in csv.DictReader(source)]
    contents = [json.loads(line)["content"] for line in _lines(hub, sender)]
    return [content["statement"]["clear"]["narrative"] for content in contents] == written


def _lines(hub: Hub, sender: Sender) -> list[bytes]:
    select = sa.select(received.c.line).where(received.c.lineage == sender.lineage).order_by(received.c.id)
    with hub.store.read() as connection:
        return list(connection.scalars(select))
