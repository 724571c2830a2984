"""Reading lines: what each is, or the code of why it can't be taken as it is. No database."""

import hashlib
import logging
from dataclasses import dataclass

from client_sync.protocol.canonical import Operation, Unreadable, read_operation
from client_sync.protocol.codes import CONFLICT, HELD, QUARANTINED, REJECTED
from client_sync.protocol.records import Finding
from server.domain.errors import trace_of
from server.services.intake.gate import check, write_canonical

# Kept until something else comes, or until a person says which of two things is meant.
_HELD_CODES = frozenset({"place_vintage", "place_unknown", "complaint_missing", "revision_missing"})
_CONFLICT_CODES = frozenset({"content_differs", "field_changed_twice"})

# An unknown member's name is part of a field's path, and may be as long as a line.
FIELD_MAX_CHARS = 200

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a frame. `code` is empty when it can be filed; `id` is None when it can't even be kept."""

    bytes: bytes
    id: str | None
    hash: str
    operation: Operation | None
    code: str = ""
    field: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a line; `received` is the id of the stored operation."""

    verdict: str
    code: str = ""
    field: str = ""
    received: int | None = None


def read_line(line: bytes) -> Line:
    """The line, read and checked; never raises."""
    try:
        operation = read_operation(line, write_canonical)
    except Unreadable as problem:
        return Line(line, problem.id, hashlib.sha256(line).hexdigest(), None, problem.code, problem.field)
    found = _check(operation)
    if found is None:
        return Line(line, operation.id, operation.hash, operation)
    return Line(line, operation.id, operation.hash, operation, found.code, found.field)


def _check(operation: Operation) -> Finding | None:
    try:
        return check(operation)
    except Exception as fault:  # noqa: BLE001 - one bad record never sinks its neighbours
        log.error("a check broke on a record\n%s", trace_of(fault))
        return Finding("internal", "")


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
