"""The log for whoever checks it: the day's anchor, proofs, and exports that are verified without a hub."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Final

import sqlalchemy as sa
from nacl.signing import SigningKey

from client_sync.protocol.anchors import Anchor
from client_sync.protocol.frames import to_text
from server.domain import merkle
from server.domain.errors import NotFound
from server.domain.permission import JOB
from server.store import audit, state
from server.store.audit import BLOCK, Anchored, Event
from server.store.engine import Store

EXPORT: Final = "seere-log-1"
PROOF: Final = "seere-proof-1"


@dataclass(frozen=True)
class Head:
    """How far the log has come: `size` leaves, of which the newest anchor covers the first."""

    size: int
    anchor: Anchored | None


def anchor_day(store: Store, hub: str, sign_key: SigningKey, now: datetime) -> Anchored | None:
    """Pad the log to a multiple of 4,096 leaves and sign its head; None when the day has its anchor."""
    day = now.astimezone(UTC).date().isoformat()
    # Blocks that are full already are hashed before the log is locked.
    with store.read() as connection:
        ready = _missing_roots(connection, audit.size(connection))
    with store.write() as connection:
        if audit.is_anchored(connection, day):
            return None
        audit.record(connection, at=now, actor=JOB.signature, action="anchor", object="log", details={"day": day})
        size = audit.pad(connection)
        audit.keep_block_roots(connection, ready)
        audit.keep_block_roots(connection, _missing_roots(connection, size))
        root = merkle.root(audit.block_roots(connection, size // BLOCK)).hex()
        epoch = state.get(connection, "epoch") or ""
        signed = sign_key.sign(Anchor(day, epoch, hub, root, size).digest())
        made = Anchored(size, day, epoch, root, to_text(signed.signature))
        audit.keep_anchor(connection, made)
    return made


def _missing_roots(connection: sa.Connection, size: int) -> dict[int, bytes]:
    """Roots, by number, of the full blocks below `size` that were not hashed yet."""
    missing = range(audit.blocks_known(connection), size // BLOCK)
    return {no: merkle.root(audit.leaf_hashes(connection, no)) for no in missing}


def head(store: Store) -> Head:
    """How far the log has come."""
    with store.read() as connection:
        return Head(audit.size(connection), audit.newest_anchor(connection))


def export(store: Store, hub: str, sign_key: SigningKey) -> Iterator[bytes]:
    """The log as lines of JSON, for the verifier: a first line, then events and anchors in the order of places.

    What people typed may name somebody and is left out: the leaves hold commitments to it.
    """
    with store.read() as connection:
        key = bytes(sign_key.verify_key).hex()
        yield _line({"hub": hub, "key": key, "log": EXPORT, "size": audit.size(connection)})
        anchors = audit.anchors(connection)
        for place, event in audit.events(connection):
            while anchors and anchors[0].size <= place:
                yield _line(_anchor_members(hub, anchors.pop(0)))
            yield _line(_event_members(place, event))
        for anchored in anchors:
            yield _line(_anchor_members(hub, anchored))


def note_export(store: Store, now: datetime, actor: str) -> None:
    """Say in the log that it was exported."""
    with store.write() as connection:
        audit.record(connection, at=now, actor=actor, action="export", object="log")


def prove(store: Store, hub: str, sign_key: SigningKey, place: int) -> bytes:
    """One event with the proof that it stands in the log of the newest anchor. Raises NotFound."""
    with store.read() as connection:
        anchored, leaf = audit.newest_anchor(connection), audit.leaf_at(connection, place)
        if anchored is None or leaf is None or place >= anchored.size:
            raise NotFound(object=place)
        block, index = divmod(place, BLOCK)
        path = merkle.inclusion_proof(audit.leaf_hashes(connection, block), index)
        path += merkle.inclusion_proof(audit.block_roots(connection, anchored.size // BLOCK), block)
    return _line(
        {
            "key": bytes(sign_key.verify_key).hex(),
            "leaf": leaf.decode(),
            "log": PROOF,
            "path": [each.hex() for each in path],
            "place": place,
        }
        | _anchor_members(hub, anchored)
    )


def _event_members(place: int, event: Event) -> dict[str, Any]:
    # Bytes that were tampered with come out as something else than they were, and are found by their hash.
    members: dict[str, Any] = {"leaf": event.canonical.decode(errors="replace"), "place": place}
    row = {"action": event.action, "actor": event.actor, "at": event.at.isoformat(), "object": event.object}
    # The columns are what people look at: they must not tell another story than the leaf.
    if not _is_told_by(row, event.canonical):
        members["row"] = row
    # Words that were changed: left out with all the others, but told.
    if event.words is not None and not _is_committed(event):
        members["has_other_words"] = True
    return members


def _is_told_by(row: dict[str, Any], leaf: bytes) -> bool:
    try:
        members = json.loads(leaf)
    except ValueError:
        return False
    return isinstance(members, dict) and row.items() <= members.items()


def _is_committed(event: Event) -> bool:
    if event.nonce is None or event.words is None:
        return False
    return audit.commitment(event.nonce, event.words).encode() in event.canonical


def _anchor_members(hub: str, anchored: Anchored) -> dict[str, Any]:
    anchor = Anchor(anchored.day, anchored.epoch, hub, anchored.root, anchored.size)
    return {"anchor": asdict(anchor), "sig": anchored.sig}


def _line(members: dict[str, Any]) -> bytes:
    return json.dumps(members, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode() + b"\n"
