"""The feed: what a device is to learn, bounded in bytes, after a cursor that it gives back."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from client_sync.protocol.anchors import Anchor
from client_sync.protocol.canonical import canonical
from client_sync.protocol.frames import to_text
from client_sync.protocol.limits import ID_PREFIX_MIN_DIGITS
from client_sync.protocol.steps import arranged
from server.domain import merkle
from server.domain.advice import sync_after_min
from server.store import audit, changes, devices, state
from server.store.changes import Change
from server.store.devices import Device, Lineage
from server.store.engine import Store

PAGE_MAX_BYTES: Final = 16 * 2**10
REPORTS_MAX_BYTES: Final = 256 * 2**10
_PAGE_MAX_CHANGES: Final = 500


@dataclass(frozen=True)
class Asked:
    """What a device asks for beside its operations (PROTOCOL §3.2); `frames` by number and mark. `is_idle`: it brought
    no operation."""

    cursor: str | None
    limit_bytes: int | None
    frames: tuple[tuple[int, str], ...]
    backed_up_to: int | None
    anchor: int | None = None
    order: int | None = None
    is_idle: bool = False


def read(store: Store, device: Device, epoch: str, asked: Asked, now: datetime) -> dict[str, Any]:
    """The members of the answer that come down: frame reports asked for, changes, orders, backup position.

    A revoked device gets orders, and what it needs to let go of what it holds: the backup position. One that brought
    nothing and for which there is nothing is told when it does well to come again.
    """
    with store.read() as connection:
        members = _orders(connection, device, asked.order or 0)
        lineage = devices.lineage_of(connection, device.lineage)
        if lineage.backed_up_to and lineage.backed_up_to != asked.backed_up_to:
            members["backed_up_to"] = lineage.backed_up_to
        if device.state != "ready":
            return members
        if asked.frames:
            members["frames"] = _reports(connection, device, asked.frames)
        members |= _changes(connection, lineage, epoch, asked)
        members |= _anchor(connection, epoch, asked.anchor)
        if members or not asked.is_idle or _has_left(connection, lineage, epoch, asked.cursor):
            return members
        last = changes.last_at(connection, lineage.id) or device.enrolled_at
        return {"sync_after": sync_after_min(device.id, now, now - last)}


def _anchor(connection: sa.Connection, epoch: str, seen: int | None) -> dict[str, Any]:
    """The log's newest anchor, with the proof that it grew out of the one of `seen` leaves; nothing when that is it."""
    newest = None if seen is None else audit.newest_anchor(connection)
    if newest is None or seen is None or newest.size == seen:
        return {}
    if newest.size < seen and newest.epoch != epoch:
        return {}  # just restored: there is none yet to show for it
    proof: list[bytes] = []
    if 0 < seen < newest.size and seen % audit.BLOCK == 0:
        roots = audit.block_roots(connection, newest.size // audit.BLOCK)
        proof = merkle.consistency_proof(roots, seen // audit.BLOCK)
    anchor = Anchor(newest.day, newest.epoch, state.get(connection, "hub") or "", newest.root, newest.size)
    return {"anchor": {"anchor": asdict(anchor), "proof": to_text(b"".join(proof)), "sig": newest.sig}}


def _orders(connection: sa.Connection, device: Device, after: int) -> dict[str, Any]:
    orders = devices.orders_of(connection, device.id, after)
    return {"orders": [{"order": order.body, "sig": order.sig} for order in orders]} if orders else {}


def _reports(connection: sa.Connection, device: Device, asked: Sequence[tuple[int, str]]) -> list[dict[str, Any]]:
    """The reports asked for, up to a page of bytes; what is left out is asked for again."""
    known = devices.frame_reports(connection, device.lineage, asked)
    reports: list[dict[str, Any]] = []
    size = 0
    for number, mark in asked:
        report = known.get((number, mark), {"frame": number, "unread": "not_here"})
        size += len(canonical(report))
        if reports and size > REPORTS_MAX_BYTES:
            break
        reports.append(report)
    return reports


def _changes(connection: sa.Connection, lineage: Lineage, epoch: str, asked: Asked) -> dict[str, Any]:
    after, reset = _position(lineage, epoch, asked.cursor)
    members: dict[str, Any] = {"reset": reset} if reset else {}
    limit = min(PAGE_MAX_BYTES, PAGE_MAX_BYTES if asked.limit_bytes is None else asked.limit_bytes)
    has_more = limit > 0 and after < lineage.changes
    found = changes.after(connection, lineage.id, after, _PAGE_MAX_CHANGES) if has_more else []
    named = {change.client_id for change in found if change.client_id is not None}
    short = changes.short_ids(connection, lineage.id, named, ID_PREFIX_MIN_DIGITS)
    page: list[dict[str, Any]] = []
    size = 0
    for change in found:
        written = _written(change, short)
        size += len(canonical(written))
        if page and size > limit:
            break
        page.append(written)
    if page:
        members["changes"] = page
    if page or reset:
        members["cursor"] = f"{epoch}.{page[-1]['n'] if page else 0}"
    if len(page) < len(found) or len(found) == _PAGE_MAX_CHANGES:
        members["more"] = True
    return members


def _has_left(connection: sa.Connection, lineage: Lineage, epoch: str, cursor: str | None) -> bool:
    """Whether there is a change to be read; numbers that nothing has tell of none."""
    after = _position(lineage, epoch, cursor)[0]
    return after < lineage.changes and bool(changes.after(connection, lineage.id, after, 1))


def _position(lineage: Lineage, epoch: str, cursor: str | None) -> tuple[int, str | None]:
    """Where to go on, and why from the beginning when a cursor can't be followed."""
    if cursor is None:
        return 0, None
    written_in, _, number = cursor.partition(".")
    if not number.isdecimal() or len(number) > 15:
        return 0, "cursor_void"
    if written_in != epoch:
        return 0, "epoch"
    if int(number) > lineage.changes:
        return 0, "cursor_void"
    return int(number), None


def _written(change: Change, short: Mapping[str, str]) -> dict[str, Any]:
    members: dict[str, Any] = {"kind": change.kind} | arranged(change.body) | {"n": change.n}
    if change.client_id is not None:
        members["id"] = short[change.client_id]
    return members
