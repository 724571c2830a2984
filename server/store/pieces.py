"""Pieces: the files that complaints declare, how each stands, who had it in hand, and what is to be removed."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from server.domain.complaint import File
from server.domain.evidence import Act, Custody, Piece, State
from server.store import dialect
from server.store.evidence_tables import cover, custody, piece, transcript, unkept
from server.store.schema import complaint, received

_PIECE: Final = tuple(piece.c[each.name] for each in fields(Piece))
_DECLARED: Final = ("complaint", "device", "upload", "no", "sha256", "size", "kind", "role", "state")
# Of a piece, in an order in which none points at one that is gone.
_OF_A_PIECE: Final = (custody, cover, transcript)
_NOT_WITHDRAWN: Final = complaint.c.state != "withdrawn"


@dataclass(frozen=True)
class Declared:
    """A file as a device declares it of a complaint; `upload` is what its upload is called."""

    complaint: int
    device: str
    upload: str
    no: int
    file: File


@dataclass(frozen=True)
class Unkept:
    """Bytes that nothing declares any more, and the upload of them that may be under way."""

    sha256: str
    device: str
    upload: str


def declare(connection: sa.Connection, declared: Sequence[Declared]) -> None:
    """Await files of complaints that are new here, of each complaint a hash once."""
    rows = [
        (each.complaint, each.device, each.upload, each.no, *_file_values(each.file), "awaited") for each in declared
    ]
    dialect.insert_many(connection, piece, _DECLARED, rows)


def declare_again(connection: sa.Connection, complaint_id: int, declared: Sequence[Declared]) -> None:
    """Await what a revision declares beyond what was, and no longer what it leaves out; what came stays."""
    named = {each.file.sha256 for each in declared}
    mine = piece.c.complaint == complaint_id
    left_out = sa.select(piece.c.id).where(mine, piece.c.state != "here", piece.c.sha256.not_in(named))
    _drop(connection, list(connection.scalars(left_out)))
    known = {row.sha256: row.no for row in connection.execute(sa.select(piece.c.sha256, piece.c.no).where(mine))}
    fresh = [each for each in declared if each.file.sha256 not in known]
    # A number that a piece had is no other's: custody and log name it so.
    first = max(known.values(), default=0) + 1
    declare(connection, [replace(each, no=no) for no, each in enumerate(fresh, first)])


def wanted(connection: sa.Connection, device: str, turns: Sequence[str], limit: int) -> list[Piece]:
    """What a device is still to send, each hash once: kinds in the order of `turns`, then the others, the smallest
    first; of what was withdrawn altogether nothing."""
    columns = piece.c
    turn = sa.case({kind: at for at, kind in enumerate(turns)}, value=columns.kind, else_=len(turns))
    select = (
        sa.select(*_PIECE)
        .join(complaint, complaint.c.id == columns.complaint)
        .where(columns.device == device, columns.state == "awaited", _NOT_WITHDRAWN)
        .order_by(turn, columns.size, columns.id)
    )
    found: dict[str, Piece] = {}
    for row in connection.execute(select.limit(2 * limit)):
        found.setdefault(row.sha256, Piece(*row))
    return list(found.values())[:limit]


def of_upload(connection: sa.Connection, device: str, upload: str) -> list[Piece]:
    """What an upload of a device is for, in the order declared: one file, of one complaint or of several."""
    select = (
        sa.select(*_PIECE)
        .join(complaint, complaint.c.id == piece.c.complaint)
        .where(piece.c.upload == upload, piece.c.device == device, _NOT_WITHDRAWN)
    )
    return [Piece(*row) for row in connection.execute(select.order_by(piece.c.id))]


def settle(connection: sa.Connection, one: Piece, state: State, at: datetime, fault: str = "") -> list[Piece]:
    """Note what became of a file that a device sent, of each complaint that awaits it so; gives those, locked.

    Where a complaint declares it with another size, which no file of that hash has, it is awaited still.
    """
    columns = piece.c
    mine = (columns.device == one.device) & (columns.sha256 == one.sha256) & (columns.size == one.size)
    mine &= columns.state == "awaited"
    found = [Piece(*row) for row in connection.execute(dialect.locked(connection, sa.select(*_PIECE).where(mine)))]
    _note_state(connection, [each.id for each in found], state, at, fault)
    return found


def await_again(connection: sa.Connection, ids: Sequence[int]) -> None:
    """Await pieces whose bytes were lost."""
    _note_state(connection, ids, "awaited", None, "")


def find(connection: sa.Connection, id: int) -> Piece | None:
    """The piece, where it is."""
    row = connection.execute(sa.select(*_PIECE).where(piece.c.id == id)).one_or_none()
    return None if row is None else Piece(*row)


def locked(connection: sa.Connection, ids: Sequence[int]) -> list[Piece]:
    """Those of these pieces that are there still, held until commit."""
    select = sa.select(*_PIECE).where(piece.c.id.in_(ids)).order_by(piece.c.id)
    return [Piece(*row) for row in connection.execute(dialect.locked(connection, select))]


def sizes_of(connection: sa.Connection, uploads: Collection[str]) -> dict[str, int]:
    """By upload, the size that was declared of what is awaited."""
    select = sa.select(piece.c.upload, piece.c.size).where(
        piece.c.state == "awaited", dialect.among(connection, piece.c.upload, uploads)
    )
    return {row.upload: row.size for row in connection.execute(select)}


def lost(connection: sa.Connection) -> list[Piece]:
    """The pieces that were here and are awaited again."""
    was_lost = sa.exists().where(custody.c.piece == piece.c.id, custody.c.act == "lost")
    return [Piece(*row) for row in connection.execute(sa.select(*_PIECE).where(piece.c.state == "awaited", was_lost))]


def of_complaints(connection: sa.Connection, complaints: Collection[int]) -> dict[int, list[Piece]]:
    """By complaint, its pieces in the order in which it lists them; complaints without are left out."""
    select = sa.select(*_PIECE).where(piece.c.complaint.in_(complaints))
    found: dict[int, list[Piece]] = {}
    for row in connection.execute(select.order_by(piece.c.complaint, piece.c.no, piece.c.id)):
        found.setdefault(row.complaint, []).append(Piece(*row))
    return found


def here(connection: sa.Connection, after: int, limit: int) -> list[Piece]:
    """At most `limit` pieces that came, those after the one with that id, in order."""
    select = sa.select(*_PIECE).where(piece.c.state == "here", piece.c.id > after).order_by(piece.c.id)
    return [Piece(*row) for row in connection.execute(select.limit(limit))]


def kept(connection: sa.Connection, hashes: Collection[str]) -> set[str]:
    """Of these hashes, those under which some piece is here."""
    select = sa.select(piece.c.sha256).where(piece.c.state == "here", dialect.among(connection, piece.c.sha256, hashes))
    return set(connection.scalars(select))


def declared(connection: sa.Connection, hashes: Collection[str]) -> set[str]:
    """Of these hashes, those of which there is a piece in any state."""
    return set(connection.scalars(sa.select(piece.c.sha256).where(dialect.among(connection, piece.c.sha256, hashes))))


def awaits(connection: sa.Connection, device: str, upload: str) -> bool:
    """Whether something still awaits an upload of a device."""
    select = sa.select(piece.c.id).where(piece.c.upload == upload, piece.c.device == device, piece.c.state == "awaited")
    return connection.scalar(select.limit(1)) is not None


def client_ids(connection: sa.Connection, complaints: Collection[int]) -> dict[int, str]:
    """By complaint, its id on its device."""
    select = sa.select(received.c.id, received.c.client_id).where(received.c.id.in_(complaints))
    return {row.id: row.client_id for row in connection.execute(select)}


def is_withdrawn(connection: sa.Connection, complaint_id: int) -> bool:
    """Whether a complaint was taken back altogether."""
    return connection.scalar(sa.select(complaint.c.id).where(complaint.c.id == complaint_id, _NOT_WITHDRAWN)) is None


def note(connection: sa.Connection, id: int, act: Act, by: str, at: datetime, reason: str = "") -> None:
    """Add a line to the custody of a piece."""
    connection.execute(sa.insert(custody).values(piece=id, act=act, by=by, at=at, reason=reason))


def note_each(connection: sa.Connection, ids: Sequence[int], act: Act, by: str, at: datetime, reason: str) -> None:
    """Add the same line to the custody of several pieces."""
    rows = [{"piece": id, "act": act, "by": by, "at": at, "reason": reason} for id in ids]
    if rows:
        connection.execute(sa.insert(custody), rows)


def custody_of(connection: sa.Connection, id: int) -> list[Custody]:
    """All that was done with a piece, in order."""
    columns = (custody.c[each.name] for each in fields(Custody))
    select = sa.select(*columns).where(custody.c.piece == id).order_by(custody.c.id)
    return [Custody(*row) for row in connection.execute(select)]


def set_cover(connection: sa.Connection, id: int, areas: Sequence[Sequence[int]], by: str, at: datetime) -> None:
    """Say what of its pictures nobody is to see: rows of the place of the picture, left, top, width and height."""
    connection.execute(sa.insert(cover).values(piece=id, areas=[list(each) for each in areas], by=by, at=at))


def cover_of(connection: sa.Connection, id: int) -> list[list[int]]:
    """What of its pictures nobody is to see, as `set_cover` was told last."""
    select = sa.select(cover.c.areas).where(cover.c.piece == id).order_by(cover.c.id.desc())
    return connection.scalar(select.limit(1)) or []


def covers_of(connection: sa.Connection, ids: Collection[int]) -> dict[int, list[list[int]]]:
    """By piece, what `cover_of` has of it; pieces of which nothing was covered yet are left out."""
    columns = cover.c
    select = sa.select(columns.piece, columns.areas).where(columns.piece.in_(ids)).order_by(columns.id)
    return {row.piece: row.areas for row in connection.execute(select)}


def is_any_covered_since(connection: sa.Connection, complaints: Collection[int], moment: datetime) -> bool:
    """Whether covers of a piece of these complaints changed after that moment."""
    select = (
        sa.select(cover.c.id)
        .join(piece, piece.c.id == cover.c.piece)
        .where(piece.c.complaint.in_(complaints), cover.c.at > moment)
    )
    return connection.scalar(select.limit(1)) is not None


def set_transcript(connection: sa.Connection, id: int, box: bytes, by: str, at: datetime) -> None:
    """Keep what a piece says, sealed."""
    connection.execute(sa.insert(transcript).values(piece=id, box=box, by=by, at=at))


def transcript_of(connection: sa.Connection, id: int) -> bytes | None:
    """The box that was kept last."""
    select = sa.select(transcript.c.box).where(transcript.c.piece == id).order_by(transcript.c.id.desc())
    return connection.scalar(select.limit(1))


def remove(connection: sa.Connection, complaint_id: int) -> None:
    """Drop the pieces of a complaint; their bytes are to go once nothing else declares them."""
    _drop(connection, list(connection.scalars(sa.select(piece.c.id).where(piece.c.complaint == complaint_id))))


def to_remove(connection: sa.Connection) -> list[Unkept]:
    """What is to be removed."""
    columns = (unkept.c[each.name] for each in fields(Unkept))
    return [Unkept(*row) for row in connection.execute(sa.select(*columns).order_by(unkept.c.sha256))]


def removed(connection: sa.Connection, gone: Iterable[Unkept]) -> None:
    """Note that it is."""
    for each in gone:
        connection.execute(sa.delete(unkept).where(unkept.c.sha256 == each.sha256, unkept.c.device == each.device))


def _note_state(connection: sa.Connection, ids: Sequence[int], state: State, at: datetime | None, fault: str) -> None:
    values: dict[str, Any] = {"state": state, "settled_at": at, "fault": fault}
    connection.execute(sa.update(piece).where(piece.c.id.in_(ids)).values(values))


def _drop(connection: sa.Connection, ids: Sequence[int]) -> None:
    columns = piece.c
    rows = connection.execute(sa.select(columns.sha256, columns.device, columns.upload).where(columns.id.in_(ids)))
    values = [dict(row._mapping) for row in rows]
    dialect.insert_new(connection, unkept, values, ["sha256", "device"], unkept.c.sha256)
    for table in _OF_A_PIECE:
        connection.execute(sa.delete(table).where(table.c.piece.in_(ids)))
    connection.execute(sa.delete(piece).where(columns.id.in_(ids)))


def _file_values(file: File) -> tuple[str, int, str, str]:
    return file.sha256, file.size, file.kind, file.role
