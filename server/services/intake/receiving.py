"""Receiving: the frames of one body, in one transaction, and the report on each."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from nacl.signing import VerifyKey

from client_sync.protocol.codes import ALREADY_HELD, STORED
from client_sync.protocol.frames import Frame, Header, from_text
from client_sync.protocol.records import read_time
from server.domain.allowance import Allowance, Refill
from server.domain.places import Gazetteer
from server.services.intake.filing import Filing, file_lines, release_waiting
from server.services.intake.reading import Line, Outcome, read_line
from server.store import audit, devices, registry
from server.store.complaints import Origin
from server.store.devices import Device
from server.store.engine import Store

# A device that only asks is noted as seen at most this often: an idle poll then writes nothing.
SEEN_EVERY_S = 600


@dataclass(frozen=True)
class Rules:
    """What intake goes by."""

    hub: str
    registry_prefix: str
    refill: Refill
    places: Gazetteer | None


@dataclass(frozen=True)
class Receipt:
    """What the hub says of a body, once it is on disk."""

    reports: tuple[dict[str, Any], ...] = ()
    position: int | None = None
    retry_after_s: int | None = None
    rolled_back: int | None = None


@dataclass
class _Body:
    """A body in the making: what the transaction gathered so far."""

    device: Device
    origin: Origin
    allowance: Allowance
    rules: Rules
    header: Header
    read: list[tuple[Frame, dict[str, Any]]] = field(default_factory=list)
    unread: list[dict[str, Any]] = field(default_factory=list)
    complaints: list[int] = field(default_factory=list)
    verdicts: dict[str, int] = field(default_factory=dict)
    retry_after_s: int | None = None


def receive(
    store: Store,
    device: Device,
    frames: Sequence[Frame],
    now: datetime,
    rules: Rules,
    carried_by: str | None = None,
) -> Receipt:
    """Take in the frames that `device` made; the receipt is true once this returns.

    `carried_by` is the device that brought them, when it is another. Raises StorageFull and
    StorageFailed, with nothing kept.
    """
    sound = [(frame, _problem(frame, device, rules)) for frame in frames]
    lines = [_lines(frame, problem) for frame, problem in sound]
    if not frames or (not any(lines) and not _is_due(device, frames[0].header, now)):
        return Receipt()
    with store.write() as connection:
        lineage = devices.lock_lineage(connection, device.lineage)
        fresh = devices.find(connection, device.id)
        assert fresh is not None
        origin = Origin(device.lineage, device.id, carried_by, now)
        body = _Body(fresh, origin, _allowance(fresh, now, rules.refill), rules, frames[0].header)
        rolled_back = _rolled_back(connection, fresh, frames)
        for frame, read in zip(frames, lines, strict=True):
            _take_frame(connection, body, frame, read)
        return _close(connection, body, lineage.position, rolled_back)


def _problem(frame: Frame, device: Device, rules: Rules) -> str | None:
    """Why the records of a frame can't be trusted as this device's; they are kept aside, not dropped."""
    if frame.problem is not None:
        return frame.problem
    if frame.header.hub != rules.hub:
        return "frame_hub"
    if frame.header.device != device.id:
        return "frame_device"
    if not frame.is_signed_by(VerifyKey(from_text(device.sign_key))):
        return "frame_signature"
    return "device_revoked" if device.state == "revoked" else None


def _lines(frame: Frame, problem: str | None) -> list[Line]:
    lines = [read_line(line) for line in frame.lines]
    if problem is None:
        return lines
    return [replace(line, operation=None, code=line.code or problem, field="") for line in lines]


def _is_due(device: Device, header: Header, now: datetime) -> bool:
    seen = device.last_sync_at
    is_old = seen is None or abs((now - seen).total_seconds()) >= SEEN_EVERY_S
    return is_old or (header.waiting is not None and header.waiting != device.waiting)


def _allowance(device: Device, now: datetime, refill: Refill) -> Allowance:
    """What the device may send now; a backlog announced to the operator makes its bucket larger for a time."""
    if device.burst_records and device.burst_until and now < device.burst_until:
        refill = replace(refill, burst_records=max(refill.burst_records, device.burst_records))
    return device.allowance.refilled(now, refill)


def _rolled_back(connection: sa.Connection, device: Device, frames: Sequence[Frame]) -> int | None:
    """The first free frame number, when the device used one again for other content: it was restored."""
    low = [frame for frame in frames if frame.lines and frame.header.frame <= device.last_frame]
    if not low:
        return None
    numbers = [frame.header.frame for frame in low]
    seen = devices.frames_numbered(connection, device.lineage, device.id, numbers)
    is_other = any(frame.digest.hex() not in seen.get(frame.header.frame, ()) for frame in low)
    return device.last_frame + 1 if is_other else None


def _take_frame(connection: sa.Connection, body: _Body, frame: Frame, lines: list[Line]) -> None:
    if not lines:
        return
    size = sum(len(line.bytes) for line in lines)
    if body.retry_after_s is not None or not body.allowance.covers(len(lines), size):
        wait = body.allowance.wait_s(len(lines), size, body.rules.refill)
        body.retry_after_s = body.retry_after_s or wait
        body.unread.append({"frame": frame.header.frame, "unread": "over_limit"})
        return
    body.allowance = body.allowance.charged(len(lines), size)
    outcomes = file_lines(Filing(connection, body.origin, body.rules.places), lines)
    body.read.append((frame, _report(frame.header.frame, outcomes)))
    for line, outcome in zip(lines, outcomes, strict=True):
        body.verdicts[outcome.verdict] = body.verdicts.get(outcome.verdict, 0) + 1
        is_complaint = line.operation is not None and line.operation.op == "complaint"
        if outcome.verdict == STORED and is_complaint and outcome.received is not None:
            body.complaints.append(outcome.received)


def _report(number: int, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """The frame report of PROTOCOL §3.5: only what is not simply stored is named."""
    report: dict[str, Any] = {"frame": number, "n": len(outcomes)}
    held = [at for at, outcome in enumerate(outcomes) if outcome.verdict == ALREADY_HELD]
    if held:
        report["already_held"] = _ranges(held)
    named = [
        _named(at, outcome)
        for at, outcome in enumerate(outcomes)
        if outcome.verdict not in (STORED, ALREADY_HELD)
    ]
    if named:
        report["named"] = named
    return report


def _named(at: int, outcome: Outcome) -> dict[str, Any]:
    members: dict[str, Any] = {"at": at, "verdict": outcome.verdict, "code": outcome.code}
    if outcome.field:
        members["field"] = outcome.field
    return members


def _ranges(places: Sequence[int]) -> list[list[int]]:
    ranges: list[list[int]] = []
    for place in places:
        if ranges and ranges[-1][1] == place - 1:
            ranges[-1][1] = place
        else:
            ranges.append([place, place])
    return ranges


def _close(connection: sa.Connection, body: _Body, position: int, rolled_back: int | None) -> Receipt:
    release_waiting(Filing(connection, body.origin, body.rules.places))
    reached = position + len(body.read)
    if body.read:
        devices.keep_frames(connection, [_frame_row(body, frame, report) for frame, report in body.read])
        devices.advance(connection, body.origin.lineage, reached)
    _note_device(connection, body, rolled_back)
    _log(connection, body)
    if body.complaints:
        year = body.origin.at.year
        registry.assign(connection, body.rules.registry_prefix, year, body.complaints)
    return Receipt(
        reports=tuple(report for _, report in body.read) + tuple(body.unread),
        position=reached if body.read else None,
        retry_after_s=body.retry_after_s,
        rolled_back=rolled_back,
    )


def _frame_row(body: _Body, frame: Frame, report: dict[str, Any]) -> dict[str, Any]:
    return {
        "lineage": body.origin.lineage,
        "number": frame.header.frame,
        "digest": frame.digest.hex(),
        "device": body.device.id,
        "carried_by": body.origin.carried_by,
        "report": report,
        "received_at": body.origin.at,
    }


def _note_device(connection: sa.Connection, body: _Body, rolled_back: int | None) -> None:
    values: dict[str, Any] = {
        "last_sync_at": body.origin.at,
        "records_left": body.allowance.records_left,
        "bytes_left": body.allowance.bytes_left,
        "refilled_at": body.allowance.refilled_at,
    }
    if rolled_back is not None:
        values["rolled_back_at"] = body.origin.at
    if (claimed := read_time(body.header.at)) is not None:
        values["clock_ahead_s"] = round((claimed - body.origin.at).total_seconds())
    if body.header.waiting is not None:
        values["waiting"] = body.header.waiting
    if body.header.version is not None:
        values["software"] = body.header.version[:80]
    numbers = [frame.header.frame for frame, _ in body.read]
    values["last_frame"] = max([body.device.last_frame, *numbers])
    devices.update(connection, body.device.id, **values)


def _log(connection: sa.Connection, body: _Body) -> None:
    audit.record(
        connection,
        at=body.origin.at,
        actor=f"device:{body.origin.carried_by or body.device.id}",
        action="intake",
        object=f"device:{body.device.id}",
        details={
            "frames": [[frame.header.frame, frame.digest.hex()] for frame, _ in body.read],
            "verdicts": body.verdicts,
        },
    )
