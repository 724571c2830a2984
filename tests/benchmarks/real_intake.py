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
from typing import Any, Final

import sqlalchemy as sa

from client_sync.importing import Taken, read_map, read_rows
from client_sync.outbox import Outbox
from client_sync.protocol.boxes import read_boxes
from client_sync.protocol.canonical import canonical
from client_sync.seal import Binding, open_part, open_record_key
from client_sync.stores import FOLDER_VARIABLE, Folder
from server.hub import Hub
from server.store.schema import complaint, received
from tests.benchmarks.binding import bind
from tests.benchmarks.figure import Figure, note
from tests.benchmarks.harness import HubProcess, Plan, Sender, Void, enrol, fresh_folder, opened
from tests.builders import ROOT, Person, add_person, publish_keyring

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

    def told(self, lineage: str) -> Iterator[tuple[str, bytes]]:
        """Id and canonical content of the complaints that a device of the lineage must have sent, in order."""
        mapping = read_map((resources.files("client_sync") / "maps" / f"{self.map_name}.toml").read_text("utf-8"))
        with self.file.open(encoding=mapping.encoding, newline="") as source:
            taken = (row for row in read_rows(source, mapping, lineage) if isinstance(row, Taken))
            for row in taken:
                yield row.id, canonical(row.content)


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
            reader = add_person(hub, "lectrice", is_named_reader=True)
            publish_keyring(hub, bytes(ROOT))
            first, other = enrol(hub), enrol(hub)
            second = enrol(hub, succeeds=first)
        with HubProcess(folder / "hub") as process:
            sent = _send(folder / "first", hub, first, process, boston)
            _send(folder / "other", hub, other, process, haiti)
            with opened(folder / "hub") as hub:
                stored = _stored(hub, first)
                sent_by = ((first, boston), (other, haiti))
                is_equal = all(_is_byte_equal(hub, reader, *each) for each in sent_by)
                is_equal = is_equal and _has_every_text(hub, reader, other, haiti)
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


def _is_byte_equal(hub: Hub, reader: Person, sender: Sender, backlog: _Backlog) -> bool:
    """Whether the hub holds exactly what the file makes, its boxes opened by a reader, in order, and no other."""
    held = [(id, canonical(content)) for id, content in _opened(hub, reader, sender)]
    return held == list(backlog.told(sender.lineage))


def _has_every_text(hub: Hub, reader: Person, sender: Sender, backlog: _Backlog) -> bool:
    """Whether the hub gives back each message as the file has it: no code of ours reads the file here."""
    with backlog.file.open(encoding="utf-8-sig", newline="") as source:
        written = [row["original"] for row in csv.DictReader(source)]
    told = [content["statement"]["clear"]["narrative"] for _, content in _opened(hub, reader, sender)]
    return told == written


def _opened(hub: Hub, reader: Person, sender: Sender) -> Iterator[tuple[str, dict[str, Any]]]:
    """Id and content of the complaints of a lineage, in order, as the reader may see them."""
    columns = received.c
    select = sa.select(columns.client_id, columns.line).where(columns.lineage == sender.lineage)
    with hub.store.read() as connection:
        kept = list(connection.execute(select.order_by(columns.id)))
    for id, line in kept:
        content = json.loads(line)["content"]
        sealed = read_boxes(content)
        if sealed.boxes:
            key = open_record_key(sealed.keys[reader.kid], reader.keys.private[reader.kid])
            place = Binding(id, sender.lineage)
            texts = {name: open_part(box, key, name, place) for name, box in sealed.boxes.items()}
            content |= {name: {"clear": json.loads(text)} for name, text in texts.items()}
            del content["seal"]
        yield id, content
