"""Notes: what the team writes for itself about a complaint, sealed to the readers of that; it never leaves."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import uuid4

import sqlalchemy as sa

from client_sync.protocol.frames import from_text, to_text
from client_sync.protocol.keyring import Keyring
from client_sync.seal import Binding, Reader, Unopenable, open_part, open_record_key, seal
from server.domain.desk import Desk
from server.domain.errors import NoteRefused
from server.services.cases import holding, opening
from server.store import accounts, audit, recipients, registry, sealed, timeline
from server.store.engine import Store
from server.store.timeline import Note

TEXT_MAX_CHARS: Final = 4_000
_COMPARTMENT: Final = "note"
# Notes belong to no device.
_LINEAGE: Final = "hub"


@dataclass(frozen=True)
class Read:
    """A note as the actor sees it; `text` is None where no key in hand opens it."""

    number: str
    name: str
    at: datetime
    text: str | None = field(repr=False)


def check(said: str) -> None:
    """Raises NoteRefused (`long`) for what no note can hold."""
    if len(said) > TEXT_MAX_CHARS:
        raise NoteRefused(fault="long", most=TEXT_MAX_CHARS)


def write(store: Store, desk: Desk, keyring: Keyring, number: str, text: str) -> None:
    """Keep a note on a complaint, for whoever may read the complaint now and for its writer; opens the case.

    Raises NotFound where the actor does not handle every complaint of the case, and NoteRefused (`empty`, `long`).
    """
    said = text.strip()
    if not said:
        raise NoteRefused(fault="empty", most=TEXT_MAX_CHARS)
    check(said)
    with store.write() as connection:
        complaint = holding.complaint_of(connection, number)
        case = opening.take(connection, desk, [complaint])[0][complaint]
        target = sealed.standings(connection, [complaint])[complaint].target(desk.places)
        readers = keyring.readers_for(target.region, target.team, target.partner, is_strict=target.is_strict)
        own = recipients.among_accounts(connection, [desk.actor.id])
        id = str(uuid4())
        public = {each.kid: each.public for each in readers} | {each.kid: from_text(each.public) for each in own}
        whom = [Reader(kid, key) for kid, key in sorted(public.items())]
        made = seal({_COMPARTMENT: said.encode()}, whom, Binding(id, _LINEAGE))
        keys = {kid: to_text(key) for kid, key in made.keys.items()}
        kept = Note(id, complaint, desk.actor.id, desk.now, made.boxes[_COMPARTMENT], keys)
        timeline.add_note(connection, kept)
        signature, details = desk.actor.signature, holding.in_place(desk, case)
        about = f"complaint:{complaint}"
        audit.record(connection, at=desk.now, actor=signature, action="note", object=about, details=details)


def read(store: Store, desk: Desk, number: str) -> list[Read]:
    """The notes on all complaints of the case of a complaint, in the order written. Raises NotFound."""
    with store.read() as connection:
        complaint = holding.complaint_of(connection, number)
        case = holding.look(connection, desk, complaint)
        complaints = [complaint] if case is None else case.complaints
        return of_complaints(connection, desk, registry.numbers_of(connection, complaints))


def of_complaints(connection: sa.Connection, desk: Desk, numbers: Mapping[int, str]) -> list[Read]:
    """The notes on complaints, by registry number, that the actor handles, in the order written."""
    notes = timeline.notes_of(connection, numbers)
    names = accounts.names(connection) if notes else {}
    private = desk.keys.private
    return [Read(numbers[each.complaint], names[each.account], each.at, _text(each, private)) for each in notes]


def _text(note: Note, private: Mapping[str, bytes]) -> str | None:
    for kid in sorted(note.keys.keys() & private.keys()):
        try:
            record_key = open_record_key(from_text(note.keys[kid]), private[kid])
            return open_part(note.box, record_key, _COMPARTMENT, Binding(note.id, _LINEAGE)).decode()
        except Unopenable:
            continue
    return None
