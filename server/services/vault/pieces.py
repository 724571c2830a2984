"""Pieces of evidence: how each stands, who had it in hand, and its bytes, opened once it was noted by whom and why."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import sqlalchemy as sa
from nacl.encoding import RawEncoder
from nacl.exceptions import CryptoError
from nacl.hash import blake2b
from nacl.secret import SecretBox

from client_sync.file_seal import Description, open_file
from client_sync.protocol.canonical import Unreadable
from client_sync.protocol.frames import from_text
from client_sync.seal import Unopenable
from server.domain.desk import Desk
from server.domain.errors import NotFound, PieceRefused, StorageFailed
from server.domain.evidence import Act, Custody, Piece
from server.domain.permission import Action, permit
from server.domain.reason import checked_reason
from server.domain.working_copy import Covered, Rectangle, covered_by
from server.services.vault import holding, opening
from server.services.vault.holding import Case, Proof, Sealed
from server.store import accounts, devices, pieces, registry
from server.store.blobs import BlobMissing
from server.store.depot import Depot
from server.store.engine import Store

TRANSCRIPT_CHARS: Final = 20_000
COVERS_MOST: Final = 100
# Intake waits while so many openings are noted.
_PAGE: Final = 100
_TRANSCRIPT: Final = b"seere-transcript"
_THOUSANDTHS: Final = 1000


@dataclass(frozen=True)
class Handled:
    """Who did what with a piece; `name` is empty where nobody of that account is known any more."""

    custody: Custody
    name: str
    device: int | None


@dataclass(frozen=True)
class View:
    """A piece as whoever handles its complaint sees it, closed. `arrived`: how many bytes of it are here; `device`: the
    number of the one that has to send it; `before` and `after`: its neighbours in the complaint."""

    piece: Piece
    number: str
    device: int | None
    arrived: int
    custody: Sequence[Handled]
    covered: Covered
    before: int | None
    after: int | None
    may_open: bool
    may_have_original: bool


@dataclass(frozen=True)
class Opened:
    """A piece, opened: what its device said of it, its bytes, and what was written down of what it says."""

    description: Description
    data: bytes = field(repr=False)
    transcript: str = field(repr=False)


@dataclass(frozen=True)
class _Key:
    """The key of a file, 32 bytes, and the traces that said it: the part and the proof, where they are sealed."""

    key: bytes = field(repr=False)
    part: Sealed | None
    proof: Proof | None


@dataclass(frozen=True)
class Released:
    """A piece of which a copy may leave: the hash of its sealed bytes, and what is said to be the key of its file."""

    sha256: str
    keys: Sequence[_Key] = field(repr=False)


def view(store: Store, depot: Depot, desk: Desk, id: int) -> View:
    """How a piece stands. Raises NotFound, also where the actor may not find its complaint."""
    piece, case = _found(store, desk, id)
    with store.read() as connection:
        beside = [each.id for each in pieces.of_complaints(connection, [piece.complaint])[piece.complaint]]
        at = beside.index(piece.id)
        numbers = {each.id: each.number for each in devices.listed(connection)}
        names = accounts.names(connection)
        return View(
            piece=piece,
            number=registry.numbers_of(connection, [piece.complaint])[piece.complaint],
            device=numbers.get(piece.device),
            arrived=_arrived(depot, piece),
            custody=[_handled(each, names, numbers) for each in pieces.custody_of(connection, id)],
            covered=covered_by(pieces.cover_of(connection, id)),
            before=beside[at - 1] if at else None,
            after=beside[at + 1] if at + 1 < len(beside) else None,
            may_open=permit(desk.actor, "read_traces", case.target),
            may_have_original=permit(desk.actor, "read_identity", case.target),
        )


def arrived(depot: Depot, found: Sequence[Piece]) -> dict[int, int]:
    """By piece, how many bytes of it are here."""
    return {each.id: _arrived(depot, each) for each in found}


def look(store: Store, depot: Depot, desk: Desk, id: int) -> Opened:
    """A piece, for a working copy of it to be made and shown. Raises as `original`, but for ReasonMissing."""
    return _open(store, depot, desk, id, "looked", "read_traces", None)


def original(store: Store, depot: Depot, desk: Desk, id: int, reason: str) -> Opened:
    """A piece as it was taken, with all that is written into it, for whom the identity is for as well.

    Before anything is given, its custody, an opening and the log say who has it and why. Raises NotFound, also where
    this is not permitted, ReasonMissing, and PieceRefused: `not_here`, `withdrawn`, `altered`, `no_key` where no key in
    hand opens it.
    """
    return _open(store, depot, desk, id, "original", "read_identity", reason)


def cover(store: Store, desk: Desk, id: int, no: int, rectangle: Rectangle) -> None:
    """Let nobody see a rectangle of picture `no`, from 0, from here on. Raises NotFound, PieceRefused (`areas`)."""
    _change_cover(store, desk, id, lambda areas: [*areas, [no, *rectangle]])


def uncover(store: Store, desk: Desk, id: int, no: int, rectangle: Rectangle) -> None:
    """Let a rectangle be seen again; no error where it was not covered. Raises NotFound."""
    _change_cover(store, desk, id, lambda areas: [each for each in areas if each != [no, *rectangle]])


def _change_cover(store: Store, desk: Desk, id: int, change: Callable[[list[list[int]]], list[list[int]]]) -> None:
    """What others cover at the same time stays covered."""
    piece = _permitted(store, desk, id, "read_traces")[0]
    with store.write() as connection:
        _hold(connection, piece)
        areas = change([list(each) for each in pieces.cover_of(connection, piece.id)])
        if len(areas) > COVERS_MOST or not all(_is_area(each) for each in areas):
            raise PieceRefused(fault="areas")
        pieces.set_cover(connection, piece.id, areas, desk.actor.signature, desk.now)
        _note(connection, desk, piece, "covered")


def tell(store: Store, desk: Desk, id: int, text: str) -> None:
    """Keep what a piece says, transcribed or summed up, so that only who can open the piece can read it.

    Raises NotFound, PieceRefused: `no_key`, `too_long`.
    """
    if len(text) > TRANSCRIPT_CHARS:
        raise PieceRefused(fault="too_long")
    piece, case = _permitted(store, desk, id, "read_traces")
    found = next(_keys(case, desk, piece), None)
    if found is None:
        raise PieceRefused(fault="no_key")
    box = bytes(_transcript_box(found.key).encrypt(text.strip().encode()))
    with store.write() as connection:
        _hold(connection, piece)
        pieces.set_transcript(connection, piece.id, box, desk.actor.signature, desk.now)
        _note(connection, desk, piece, "told")


def release(store: Store, desk: Desk, complaints: Sequence[int], purpose: str) -> dict[int, Released]:
    """By piece, the keys of the files of complaints of which copies go to a body that their people chose.

    Whoever approves what leaves opens their traces by that right; `purpose` is what they are opened for, as an opening
    and the log keep it of each complaint. Raises NotFound where one is not there, and in the same way where this is not
    permitted.
    """
    found: dict[int, Released] = {}
    for start in range(0, len(complaints), _PAGE):
        found |= _released_page(store, desk, complaints[start : start + _PAGE], purpose)
    return found


def released(depot: Depot, piece: Released | None) -> Opened:
    """A piece that was released. Raises PieceRefused: `no_key` where no key in hand opens it, `not_here`, `altered`."""
    if piece is None or not piece.keys:
        raise PieceRefused(fault="no_key")
    return _deciphered(depot, piece.sha256, piece.keys)[0]


def closed(store: Store, desk: Desk, complaints: Sequence[int]) -> frozenset[int]:
    """Those pieces of complaints that no key in hand opens; nothing of any is shown. Raises as `release`."""
    found: set[int] = set()
    for start in range(0, len(complaints), _PAGE):
        page = complaints[start : start + _PAGE]
        cases, beside = opening.releasable(store, desk, page), _beside(store, page)
        for id, those in beside.items():
            found |= {each.id for each in those if next(_keys(cases[id], desk, each), None) is None}
    return frozenset(found)


def _open(store: Store, depot: Depot, desk: Desk, id: int, act: Act, right: Action, reason: str | None) -> Opened:
    piece, case = _permitted(store, desk, id, right)
    why = opening.TRIAGE if reason is None else checked_reason(reason)
    if piece.state != "here":
        raise PieceRefused(fault="not_here")
    with store.read() as connection:
        if pieces.is_withdrawn(connection, piece.complaint):
            raise PieceRefused(fault="withdrawn")
    keys = list(_keys(case, desk, piece))
    if not keys:
        raise PieceRefused(fault="no_key")
    opened, key = _deciphered(depot, piece.sha256, keys)
    with store.write() as connection:
        _hold(connection, piece)
        _note(connection, desk, piece, act, why)
        opening.note_look(connection, desk, piece.complaint, case, key.part, key.proof, why)
        box = pieces.transcript_of(connection, piece.id)
    return replace(opened, transcript=_transcript(box, key.key))


def _released_page(store: Store, desk: Desk, complaints: Sequence[int], purpose: str) -> dict[int, Released]:
    cases, beside = opening.releasable(store, desk, complaints), _beside(store, complaints)
    found = {each.id: list(_keys(cases[id], desk, each)) for id, those in beside.items() for each in those}
    with store.write() as connection:
        for id, those in beside.items():
            key = next((key for each in those for key in found[each.id]), None)
            if key is None:
                holding.note(connection, desk, "unopenable", id, {"compartment": "traces"}, purpose)
            else:
                opening.note_look(connection, desk, id, cases[id], key.part, key.proof, purpose)
    # Without the traces that said them, which would be in memory as long as a package is being made.
    return {
        each.id: Released(each.sha256, [_Key(key.key, None, None) for key in found[each.id]])
        for those in beside.values()
        for each in those
    }


def _beside(store: Store, complaints: Sequence[int]) -> dict[int, list[Piece]]:
    with store.read() as connection:
        return pieces.of_complaints(connection, complaints)


def _found(store: Store, desk: Desk, id: int) -> tuple[Piece, Case]:
    with store.read() as connection:
        piece = pieces.find(connection, id)
    if piece is None:
        raise NotFound(object=id)
    case = holding.case(store, desk, piece.complaint)
    if not permit(desk.actor, "find_complaint", case.target):
        raise NotFound(object=id)
    return piece, case


def _permitted(store: Store, desk: Desk, id: int, right: Action) -> tuple[Piece, Case]:
    piece, case = _found(store, desk, id)
    if not permit(desk.actor, right, case.target):
        raise NotFound(object=id)
    return piece, case


def _keys(case: Case, desk: Desk, piece: Piece) -> Iterator[_Key]:
    """What any traces that the keys in hand open say is the key of a file: a revision does not say those of before."""
    usable = case.usable(desk)
    for part in case.parts:
        traces, proof = _traces(part, usable)
        keys = traces.get("media_keys")
        said = keys.get(piece.sha256) if isinstance(keys, dict) else None
        try:
            key = from_text(said)
        except Unreadable:
            continue
        if len(key) == SecretBox.KEY_SIZE:
            yield _Key(key, None if proof is None else part, proof)


def _traces(part: Sealed, usable: dict[str, bytes]) -> tuple[Mapping[str, Any], Proof | None]:
    clear = part.content.get("traces", {}).get("clear")
    if isinstance(clear, dict):
        return clear, None
    proof = part.prove(usable, "traces") if "traces" in part.boxes.boxes else None
    return (opening.read_part(part, proof, "traces") or {}), proof


def _deciphered(depot: Depot, sha256: str, keys: Sequence[_Key]) -> tuple[Opened, _Key]:
    """The file by the first of these keys that opens it. Raises PieceRefused."""
    for key in keys:
        try:
            opened = open_file(depot.blobs.read(sha256), key.key)
            data = b"".join(opened.chunks)
        except Unopenable:
            continue
        except BlobMissing:
            raise PieceRefused(fault="not_here") from None
        except OSError as fault:
            raise StorageFailed from fault
        return Opened(opened.description, data, ""), key
    raise PieceRefused(fault="altered")


def _hold(connection: sa.Connection, piece: Piece) -> None:
    """Hold a piece until commit. Raises NotFound where it was erased just now."""
    if not pieces.locked(connection, [piece.id]):
        raise NotFound(object=piece.id)


def _note(connection: sa.Connection, desk: Desk, piece: Piece, act: Act, reason: str = "") -> None:
    pieces.note(connection, piece.id, act, desk.actor.signature, desk.now, reason)
    holding.note(connection, desk, f"piece_{act}", piece.complaint, {"piece": piece.no}, reason)


def _arrived(depot: Depot, piece: Piece) -> int:
    if piece.state != "awaited":
        return piece.size if piece.state == "here" else 0
    part = depot.parts.find(piece.device, piece.upload)
    return 0 if part is None else min(part.size, piece.size)


def _handled(each: Custody, names: dict[str, str], numbers: dict[str, int]) -> Handled:
    kind, _, id = each.by.partition(":")
    return Handled(each, names.get(id, ""), numbers.get(id) if kind == "device" else None)


def _is_area(area: Sequence[int]) -> bool:
    no, left, top, width, height = area
    return (
        0 <= no < COVERS_MOST
        and 0 <= left < _THOUSANDTHS
        and 0 <= top < _THOUSANDTHS
        and 0 < width <= _THOUSANDTHS
        and 0 < height <= _THOUSANDTHS
    )


def _transcript_box(key: bytes) -> SecretBox:
    return SecretBox(blake2b(b"", key=key, person=_TRANSCRIPT, encoder=RawEncoder))


def _transcript(box: bytes | None, key: bytes) -> str:
    if box is None:
        return ""
    try:
        return _transcript_box(key).decrypt(box).decode()
    except (CryptoError, UnicodeDecodeError):
        return ""
