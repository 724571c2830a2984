"""Repairing: of what was set aside for a clear fact, that fact as a person corrects it; nothing else can be changed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from client_sync.protocol.canonical import Unreadable, canonical, parse
from server.domain.desk import Desk
from server.domain.errors import NotAdmissible
from server.services.intake import admission
from server.services.intake.admission import DECISION_CODES, FRAME_CODES, Kept, Settled
from server.services.intake.reading import read_line
from server.services.intake.sealing import Sealing
from server.store.engine import Store

_FACTS: Final = "facts."
# A number of the wire has no more digits.
_DIGITS_MAX: Final = 15


@dataclass(frozen=True)
class Fault:
    """A clear fact that can't be taken: its `path` as the device is told it, and what was typed."""

    path: str
    typed: str


@dataclass(frozen=True)
class Seen:
    """Why something was set aside, as whoever corrects it saw it."""

    code: str
    field: str


def faults_of(kept: Kept, typed: Mapping[str, str] | None = None) -> list[Fault]:
    """The facts at fault that a person can type again, with what came or what was `typed` since.

    Empty where nothing is wrong with a fact, or where it is sealed, decided elsewhere or no single value.
    """
    if kept.state != "waiting" or kept.code in FRAME_CODES | DECISION_CODES:
        return []
    said = typed or {}
    _, paths = _corrected(kept, said)
    came = _operation_in(kept.payload)
    return [Fault(path, said.get(path, str(_place_of(came, path)[2]))) for path in paths]


def mend(
    store: Store, desk: Desk, registry_prefix: str, id: int, seen: Seen, typed: Mapping[str, str], sealing: Sealing
) -> Settled:
    """File what was set aside with the facts at fault as typed, by path; what came stays as it came.

    Raises NotFound, or NotAdmissible: `changed` where it is set aside for something else than was seen, `nothing`
    where no fact of it can be typed again, else with what is still wrong.
    """
    kept = admission.show(store, desk, id)
    if kept.state == "waiting" and seen != Seen(kept.code, kept.field):
        raise NotAdmissible(fault="changed", reason=kept.code, field=kept.field)
    corrected, paths = _corrected(kept, typed)
    if kept.state == "waiting" and not paths:
        raise NotAdmissible(fault="nothing", reason=kept.code, field=kept.field)
    return admission.repair(store, desk, registry_prefix, id, corrected, sealing)


def _corrected(kept: Kept, typed: Mapping[str, str]) -> tuple[bytes, list[str]]:
    """What came with the facts at fault as typed, and their paths, as far as one after the other was typed."""
    operation, field, paths = _operation_in(kept.payload), kept.field, list[str]()
    while field not in paths and _is_typed_again(operation, field):
        paths.append(field)
        if field not in typed:
            break
        holder, member, came = _place_of(operation, field)
        holder[member] = _value(typed[field], came)
        line = read_line(canonical(operation))
        field = line.field if line.code else ""
    return (canonical(operation) if paths else kept.payload), paths


def _operation_in(payload: bytes) -> dict[str, Any]:
    try:
        operation = parse(payload)
    except Unreadable:
        return {}
    return operation if isinstance(operation, dict) else {}


def _is_typed_again(operation: Mapping[str, Any], path: str) -> bool:
    """Whether the path leads to a text or a number among clear facts, or to the place of one that is missing."""
    try:
        _, _, came = _place_of(operation, path)
    except (KeyError, IndexError, ValueError, TypeError):
        return False
    return type(came) in (str, int)


def _place_of(operation: Mapping[str, Any], path: str) -> tuple[Any, Any, Any]:
    """What holds the fact, its name or number there, and the fact; raises LookupError, TypeError or ValueError."""
    if not path.startswith(_FACTS):
        raise KeyError(path)
    *above, last = path.removeprefix(_FACTS).split(".")
    holder: Any = operation["content"]["facts"]["clear"]
    for name in above:
        holder = holder[int(name)] if isinstance(holder, list) else holder[name]
    if isinstance(holder, list):
        return holder, int(last), holder[int(last)]
    return holder, last, dict(holder).get(last, "")


def _value(typed: str, came: str | int) -> str | int:
    words = typed.strip()
    is_number = words.isascii() and words.isdigit() and len(words) <= _DIGITS_MAX
    return int(words) if isinstance(came, int) and is_number else words
