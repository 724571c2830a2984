"""Reading lines: what each is, or the code of why it can't be taken as it is. No database."""

import hashlib
import logging
import re
from dataclasses import dataclass, replace
from typing import Final

from client_sync.protocol.canonical import Operation, Unreadable, read_operation
from client_sync.protocol.codes import CONFLICT, HELD, QUARANTINED, REJECTED
from client_sync.protocol.records import Flaw
from server.domain.errors import trace_of
from server.services.intake.gate import check, write_canonical

# Kept until something else comes, or until a person says which of two things is meant.
_HELD_CODES = frozenset({"place_vintage", "place_unknown", "complaint_missing", "revision_missing", "task_missing"})
_CONFLICT_CODES = frozenset({"content_differs", "field_changed_twice", "readers_differ"})

# A box for the matcher alone; where it waits is in no backup.
LINKAGE: Final = "linkage"

# An unknown member's name is part of a field's path, and may be as long as a line.
FIELD_MAX_CHARS = 200

_ID: Final = rb'"\s*:\s*"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"'
_COMPLAINT: Final = re.compile(rb'"complaint' + _ID)
_LINEAGE: Final = re.compile(rb'"lineage' + _ID)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class About:
    """The complaint that a line speaks of, by its id on its device; `lineage` is empty for the sender's own."""

    complaint: str
    lineage: str | None


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a frame. `code` is empty when it can be filed; `id` is None when it can't even be kept.

    `about` is told of every line, also of one that can't be read: what is erased takes it along.
    """

    bytes: bytes
    id: str | None
    hash: str
    operation: Operation | None
    code: str = ""
    field: str = ""
    about: About | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a line; `received` is the id of the stored operation.

    One that is not `is_kept` is answered as if it were, and leaves nothing.
    """

    verdict: str
    code: str = ""
    field: str = ""
    received: int | None = None
    is_kept: bool = True


def read_line(line: bytes) -> Line:
    """The line, read and checked; never raises."""
    try:
        operation = read_operation(line, write_canonical)
    except Unreadable as problem:
        hash = hashlib.sha256(line).hexdigest()
        return Line(line, problem.id, hash, None, problem.code, problem.field, _about(line))
    found = _check(operation)
    if found is None:
        about = None if operation.op == "complaint" else _about_of(operation)
        return Line(line, operation.id, operation.hash, operation, about=about)
    return Line(line, operation.id, operation.hash, operation, found.code, found.field, _about(line))


def _about_of(operation: Operation) -> About | None:
    complaint = operation.content.get("complaint")
    return None if complaint is None else About(complaint, operation.content.get("lineage"))


def _about(line: bytes) -> About | None:
    """The complaint named in a line that can't be taken as it is."""
    complaint, lineage = _COMPLAINT.search(line), _LINEAGE.search(line)
    return None if complaint is None else About(complaint[1].decode(), lineage[1].decode() if lineage else None)


def read_again(payload: bytes, hash: str) -> Line:
    """What was set aside under a hash, read under today's rules; what was sealed here keeps the hash of what came."""
    line = read_line(payload)
    operation = replace(line.operation, hash=hash) if line.operation is not None else None
    return replace(line, hash=hash, operation=operation)


def _check(operation: Operation) -> Flaw | None:
    try:
        return check(operation)
    except Exception as fault:  # noqa: BLE001 - one bad record never sinks its neighbours
        log.error("check_broke", extra=trace_of(fault))
        return Flaw("internal", "")


def set_aside(code: str, field: str = "") -> Outcome:
    """The verdict that goes with a code, for a line that is kept and not filed."""
    if code in _HELD_CODES:
        verdict = HELD
    else:
        verdict = CONFLICT if code in _CONFLICT_CODES else QUARANTINED
    return Outcome(verdict, code, field[:FIELD_MAX_CHARS])


def rejected(line: Line) -> Outcome:
    """The verdict on a line that can't be kept."""
    return Outcome(REJECTED, line.code, line.field)
