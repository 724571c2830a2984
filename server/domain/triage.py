"""Triage: the disposition of what came, and the moves by which a case comes there."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, Literal

from server.domain.casework import Status

# What is decided first: somebody works on it, the complainant is asked for more, or it is none of ours.
Disposition = Literal["open", "ask", "refuse"]
DISPOSITIONS: Final[Mapping[Disposition, Status]] = {
    "open": "in_progress",
    "ask": "needs_information",
    "refuse": "inadmissible",
}

_BEFORE: Final[Mapping[Status, tuple[Status, ...]]] = {
    "received": ("acknowledged", "in_triage"),
    "acknowledged": ("in_triage",),
    "reopened": ("in_triage",),
    "needs_information": ("in_triage",),
}
# Whoever decides nothing for longer has left the queue for something else.
_PAUSE: Final = timedelta(minutes=10)


def way(status: Status, disposition: Disposition) -> tuple[Status, ...]:
    """The statuses that a case goes through to where it is decided, that one last."""
    return (*_BEFORE.get(status, ()), DISPOSITIONS[disposition])


def mean_s(moments: Sequence[datetime]) -> int | None:
    """Seconds from one decision to the next, on average; `moments` are in order. None where nothing tells it."""
    gaps = [late - early for early, late in zip(moments, moments[1:], strict=False) if late - early <= _PAUSE]
    return round(sum(gaps, timedelta()).total_seconds() / len(gaps)) if gaps else None
