"""Receiving: the frames of one body, in one transaction, and the report on each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any

import sqlalchemy as sa
from nacl.signing import VerifyKey

from client_sync.protocol.anchors import ANCHOR_SEEN
from client_sync.protocol.canonical import Operation
from client_sync.protocol.codes import ALREADY_HELD, STORED
from client_sync.protocol.frames import Frame, Header, from_text
from client_sync.protocol.records import SHAPES, read_time
from server.domain.allowance import Allowance, Refill
from server.domain.digests import frame_mark
from server.domain.permission import STRICT
from server.services.intake.filing import Filing, complaint_of, file_lines, file_waiting
from server.services.intake.reading import LINKAGE, Line, Outcome, read_line
from server.services.intake.sealing import Sealing, Strictness, seal_line
from server.store import audit, complaints, devices, registry, state, tasks
from server.store.complaints import Origin
from server.store.devices import Device, Lineage
from server.store.engine import Store

# A device that only asks is noted as seen at most this often: an idle poll then writes nothing.
SEEN_EVERY_S = 600
# As many as an integer of JSON has.
_CURSOR_MOST_DIGITS = 15
# A device that makes heads of logs up must not fill ours.
_STRANGE_MOST = 10


@dataclass(frozen=True)
class Rules:
    """What intake goes by."""

    hub: str
    registry_prefix: str
    refill: Refill
    sealing: Sealing


@dataclass(frozen=True)
class Receipt:
    """What the hub says of a body, once it is on disk."""

    reports: tuple[dict[str, Any], ...] = ()
    position: int | None = None
    retry_after_s: int | None = None
    rolled_back: int | None = None


@dataclass(frozen=True)
class _Checked:
    """A frame whose lines were read; `problem` says why they can't be trusted, None when they can.

    `mark` is what the hub knows it again by.
    """

    frame: Frame
    mark: str
    problem: str | None
    lines: list[Line]

    @property
    def is_authentic(self) -> bool:
        """Whether the device itself made the frame, so that its number counts."""
        return self.problem in (None, "device_revoked")


@dataclass(frozen=True)
class _Read:
    """A frame that was taken in, and the report on it."""

    checked: _Checked
    report: dict[str, Any]


@dataclass
class _Body:
    """A body in the making: what the transaction gathered so far."""

    device: Device
    lineage: Lineage
    origin: Origin
    allowance: Allowance
    rules: Rules
    header: Header
    read: list[_Read] = field(default_factory=list)
    unread: list[dict[str, Any]] = field(default_factory=list)
    complaints: list[int] = field(default_factory=list)
    verdicts: dict[str, int] = field(default_factory=dict)
    arrived: set[str] = field(default_factory=set)
    anchors: list[dict[str, Any]] = field(default_factory=list)
    seen: dict[int, set[str]] = field(default_factory=dict)
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
    is_strict = partial(_is_strict, store, device)
    checked = [_check(frame, device, rules, is_strict) for frame in frames]
    too_long = [_unread(frame) for frame in frames if frame.problem == "over_limit"]
    if not any(each.lines for each in checked) and not _is_due(device, frames[0].header, now):
        return Receipt(reports=tuple(too_long))
    with store.write() as connection:
        lineage = devices.lock_lineage(connection, device.lineage)
        fresh = devices.find(connection, device.id)
        assert fresh is not None
        origin = Origin(device.lineage, device.id, carried_by, now)
        allowance = _allowance(fresh, now, rules.refill)
        body = _Body(fresh, lineage, origin, allowance, rules, frames[0].header, unread=too_long)
        body.seen = _seen_before(connection, fresh, checked)
        rolled_back = _rolled_back(fresh, checked, body.seen)
        for each in checked:
            _take_frame(connection, body, each)
        return _close(connection, body, rolled_back)


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


def _is_strict(store: Store, device: Device, operation: Operation) -> bool:
    """Whether what is here of a complaint makes it strict; what is not here might be."""
    about = operation.content["complaint"]
    with store.read() as connection:
        found = complaints.confidentiality(connection, operation.content.get("lineage", device.lineage), about)
    return found is None or found == STRICT


def _check(frame: Frame, device: Device, rules: Rules, is_strict: Strictness) -> _Checked:
    problem = _problem(frame, device, rules)
    read = (_suspected(read_line(line), problem) for line in frame.lines)
    lines = [seal_line(line, device, rules.sealing, is_strict) for line in read]
    if problem is not None:
        lines = [replace(line, operation=None, code=line.code or problem, field="") for line in lines]
    return _Checked(frame, frame_mark(frame.digest.hex(), rules.sealing.pepper), problem, lines)


def _suspected(line: Line, problem: str | None) -> Line:
    """A linkage of a frame that can't be trusted counts as unreadable, and is sealed to people before it is set aside.

    Its own box opens with the hub's key, and what is set aside goes into backups.
    """
    is_linkage = line.operation is not None and line.operation.op == LINKAGE
    return replace(line, operation=None, code=line.code or problem) if problem is not None and is_linkage else line


def _is_due(device: Device, header: Header, now: datetime) -> bool:
    seen = device.last_sync_at
    is_old = seen is None or abs((now - seen).total_seconds()) >= SEEN_EVERY_S
    has_other = header.waiting is not None and header.waiting != device.waiting
    return is_old or has_other or _claimed(header, header.epoch) > device.delivered_change


def _claimed(header: Header, epoch: str | None) -> int:
    """How far a device says to have come in the changes of this epoch."""
    written_in, _, number = (header.cursor or "").partition(".")
    is_number = number.isdecimal() and len(number) <= _CURSOR_MOST_DIGITS
    return int(number) if is_number and written_in == epoch else 0


def _allowance(device: Device, now: datetime, refill: Refill) -> Allowance:
    """What the device may send now; a backlog announced to the operator makes its bucket larger for a time."""
    if device.burst_records and device.burst_until and now < device.burst_until:
        refill = replace(refill, burst_records=max(refill.burst_records, device.burst_records))
    return device.allowance.refilled(now, refill)


def _seen_before(connection: sa.Connection, device: Device, checked: Sequence[_Checked]) -> dict[int, set[str]]:
    """Marks by number of the frames that came under numbers that this body uses again."""
    numbers = {each.frame.header.frame for each in checked if each.lines}
    low = [number for number in numbers if number <= device.last_frame]
    return devices.frames_numbered(connection, device.lineage, device.id, low) if low else {}


def _rolled_back(device: Device, checked: Sequence[_Checked], seen: Mapping[int, set[str]]) -> int | None:
    """The first free frame number, when the device used one again for other content: it was restored."""
    made = {each.frame.header.frame: each.mark for each in checked if each.lines and each.is_authentic}
    low = {number: mark for number, mark in made.items() if number <= device.last_frame}
    is_other = any(mark not in seen.get(number, {mark}) for number, mark in low.items())
    return max(device.last_frame, *made) + 1 if is_other else None


def _take_frame(connection: sa.Connection, body: _Body, checked: _Checked) -> None:
    frame, lines = checked.frame, checked.lines
    if not lines:
        return
    # A frame that came before costs nothing: whoever repeats it, or carries it twice, must not use up what is left.
    is_new = checked.mark not in body.seen.get(frame.header.frame, ())
    records, size = (len(lines), sum(len(line.bytes) for line in lines)) if is_new else (0, 0)
    if body.retry_after_s is not None or not body.allowance.covers(records, size):
        wait = body.allowance.wait_s(records, size, body.rules.refill)
        body.retry_after_s = body.retry_after_s or wait
        body.unread.append(_unread(frame))
        return
    body.allowance = body.allowance.charged(records, size)
    outcomes = file_lines(Filing(connection, body.origin, body.rules.sealing.places), lines)
    body.read.append(_Read(checked, _report(frame.header.frame, outcomes)))
    for line, outcome in zip(lines, outcomes, strict=True):
        body.verdicts[outcome.verdict] = body.verdicts.get(outcome.verdict, 0) + 1
        if outcome.verdict == STORED and (about := complaint_of(line)) is not None:
            body.arrived.add(about)
            if about == line.id and outcome.received is not None:
                body.complaints.append(outcome.received)
        if outcome.verdict == STORED and line.operation is not None and line.operation.op == ANCHOR_SEEN:
            body.anchors.append(_told(line.operation))


def _told(operation: Operation) -> dict[str, Any]:
    """The anchor that a device saw; nothing else that stands beside it may reach the log, where it would stay."""
    shape = SHAPES[ANCHOR_SEEN]
    told: dict[str, Any] = shape.dump(shape.load(operation.content))
    return told


def _unread(frame: Frame) -> dict[str, Any]:
    return {"frame": frame.header.frame, "unread": "over_limit"}


def _report(number: int, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """The frame report of PROTOCOL §3.5: only what is not simply stored is named."""
    report: dict[str, Any] = {"frame": number, "n": len(outcomes)}
    held = [at for at, outcome in enumerate(outcomes) if outcome.verdict == ALREADY_HELD]
    if held:
        report["already_held"] = _ranges(held)
    named = [
        _named(at, outcome) for at, outcome in enumerate(outcomes) if outcome.verdict not in (STORED, ALREADY_HELD)
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


def _close(connection: sa.Connection, body: _Body, rolled_back: int | None) -> Receipt:
    if body.arrived:
        file_waiting(Filing(connection, body.origin, body.rules.sealing.places), body.arrived)
    reached = body.lineage.position + len(body.read)
    if body.read:
        devices.keep_frames(connection, [_frame_row(body, read) for read in _authentic(body)])
        devices.advance(connection, body.origin.lineage, reached)
    _note_device(connection, body, rolled_back)
    _log(connection, body)
    if body.complaints:
        year = body.origin.at.year
        registry.assign(connection, body.rules.registry_prefix, year, body.complaints)
    return Receipt(
        reports=(*(read.report for read in body.read), *body.unread),
        position=reached if body.read else None,
        retry_after_s=body.retry_after_s,
        rolled_back=rolled_back,
    )


def _authentic(body: _Body) -> list[_Read]:
    return [read for read in body.read if read.checked.is_authentic]


def _frame_row(body: _Body, read: _Read) -> dict[str, Any]:
    frame = read.checked.frame
    return {
        "lineage": body.origin.lineage,
        "number": frame.header.frame,
        "mark": read.checked.mark,
        "device": body.device.id,
        "carried_by": body.origin.carried_by,
        "report": read.report,
        "received_at": body.origin.at,
    }


def _note_device(connection: sa.Connection, body: _Body, rolled_back: int | None) -> None:
    numbers = [read.checked.frame.header.frame for read in _authentic(body)]
    delivered = _delivered(connection, body)
    if delivered > body.device.delivered_change:
        tasks.note_delivered(connection, body.origin.lineage, delivered, body.origin.at)
    values: dict[str, Any] = {
        "records_left": body.allowance.records_left,
        "bytes_left": body.allowance.bytes_left,
        "refilled_at": body.allowance.refilled_at,
        "last_frame": max([body.device.last_frame, *numbers]),
        "delivered_change": delivered,
    }
    if rolled_back is not None:
        values["rolled_back_at"] = body.origin.at
    # What came by courier says nothing of how the device is now.
    if body.origin.carried_by is None:
        values |= _presence(body)
    devices.update(connection, body.device.id, **values)


def _delivered(connection: sa.Connection, body: _Body) -> int:
    """The newest change that the device says to have; never back, and none that was never told."""
    claimed, known = _claimed(body.header, state.get(connection, "epoch")), body.device.delivered_change
    return claimed if known < claimed <= body.lineage.changes else known


def _presence(body: _Body) -> dict[str, Any]:
    """What a device that is on the line says of itself."""
    values: dict[str, Any] = {"last_sync_at": body.origin.at}
    if (claimed := read_time(body.header.at)) is not None:
        values["clock_ahead_s"] = round((claimed - body.origin.at).total_seconds())
    if body.header.waiting is not None:
        values["waiting"] = body.header.waiting
    if body.header.version is not None:
        values["software"] = body.header.version[:80]
    return values


def _log(connection: sa.Connection, body: _Body) -> None:
    frames = [[read.checked.frame.header.frame, read.checked.mark] for read in body.read]
    strange = _strange_anchors(connection, body.anchors)
    audit.record(
        connection,
        at=body.origin.at,
        actor=f"device:{body.origin.carried_by or body.device.id}",
        action="intake",
        object=f"device:{body.device.id}",
        details={
            "frames": frames,
            "verdicts": body.verdicts,
        }
        | ({"strange_anchors": strange} if strange else {}),
    )


def _strange_anchors(connection: sa.Connection, seen: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the device saw of the log and this log has not: an older copy was put back, or another stands here."""
    newest = sorted(seen, key=lambda each: int(each["anchor"]["size"]), reverse=True)[:_STRANGE_MOST]
    roots = audit.roots_at(connection, {each["anchor"]["size"] for each in newest}) if newest else {}
    return [each for each in newest if roots.get(each["anchor"]["size"]) != each["anchor"]["root"]]
