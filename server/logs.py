"""The log on standard error: one JSON object a line, of keys on an allow-list and values of known forms.

No message of another library is repeated, nor the words of a fault: either may quote what a person wrote, a path
or an address.
"""

import json
import logging
import re
import sys
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, TextIO

from server.domain.errors import trace_of

# Values that may be said, whole and in this form, by key; anything else is left out.
ALLOWED: Final[Mapping[str, re.Pattern[str]]] = {
    name: re.compile(form, re.ASCII)
    for name, form in {
        "event": "[a-z][a-z_]{0,39}",
        "route": r"/[A-Za-z0-9_/.:<>-]{0,80}",
        "method": "GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS",
        "status": "[1-5][0-9]{2}",
        "ms": "[0-9]{1,9}",
        "code": "[a-z][a-z_]{0,63}",
        "job": "[a-z][a-z_]{0,39}",
        "count": "[0-9]{1,12}",
        "complaint": "[0-9]{1,12}",
        "device": "[0-9a-f]{12}",
        "fault": r"[A-Za-z_][A-Za-z0-9_.]{0,79}",
        "frames": r"[A-Za-z0-9_.]{1,120}:[0-9]{1,6}:[A-Za-z0-9_<>]{1,80}",
        "logger": r"[A-Za-z0-9_.]{1,60}",
        "at": r"[A-Za-z0-9_]{1,60}:[0-9]{1,6}",
    }.items()
}
_OURS: Final = ("server", "client_sync")


class Formatter(logging.Formatter):
    """A record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its newline. The message of our own records is the name of an event, never filled in."""
        is_ours = record.name.split(".")[0] in _OURS
        said = dict(vars(record)) if is_ours else {}
        said |= {"event": record.msg} if is_ours else _place(record)
        if record.exc_info and record.exc_info[1] is not None:
            said |= trace_of(record.exc_info[1])
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        members = {"time": time, "level": record.levelname.lower()}
        return json.dumps(members | {name: said[name] for name in ALLOWED if _is_allowed(name, said.get(name))})


class _ToStandardError(logging.StreamHandler[TextIO]):
    """Writes to whatever is standard error at the moment, and says nothing where that can't be written to."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        return sys.stderr

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - its name
        """The inherited one would print the record as it is."""


def to_standard_error(level: int) -> None:
    """Log to standard error from this level on; again: sets the level."""
    root = logging.getLogger()
    if not any(isinstance(each, _ToStandardError) for each in root.handlers):
        handler = _ToStandardError()
        handler.setFormatter(Formatter())
        root.addHandler(handler)
    root.setLevel(level)


def catch_strays() -> None:
    """Let what Python itself would print with its words, warnings and faults that nobody caught, go to the log."""
    log = logging.getLogger(__name__)
    logging.captureWarnings(True)
    sys.excepthook = lambda _, fault, __: log.critical("fault_uncaught", extra=trace_of(fault))
    threading.excepthook = lambda stray: log.critical("fault_in_thread", extra=_trace(stray.exc_value))
    sys.unraisablehook = lambda stray: log.error("fault_unraisable", extra=_trace(stray.exc_value))


def _trace(fault: BaseException | None) -> dict[str, Any]:
    return {} if fault is None else trace_of(fault)


def _place(record: logging.LogRecord) -> dict[str, Any]:
    """Of another library's record: who spoke, and from which line of its code."""
    return {"event": "library", "logger": record.name, "at": f"{record.module}:{record.lineno}"}


def _is_allowed(name: str, value: object) -> bool:
    if isinstance(value, list):
        return all(_is_allowed(name, each) for each in value)
    is_plain = isinstance(value, str | int) and not isinstance(value, bool)
    return is_plain and ALLOWED[name].fullmatch(str(value)) is not None
