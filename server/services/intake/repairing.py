"""Repairing: of what was set aside for a clear fact, that fact as a person corrects it; nothing else can be changed."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial
from typing import Any, Final, Literal, cast

from marshmallow import fields

from client_sync.protocol.canonical import Unreadable, canonical, parse
from client_sync.protocol.records import LIST, SORT, Shape, clear_shape
from server.domain.complaint import paths_ahead
from server.domain.desk import Desk
from server.domain.errors import NotAdmissible
from server.services.intake import admission
from server.services.intake.admission import DECISION_CODES, FRAME_CODES, PLACE_CODES, Kept, Seen, Settled, Vouched
from server.services.intake.reading import read_line
from server.services.intake.sealing import Sealing, is_sealed_whole
from server.store.engine import Store

Sort = Literal["text", "number", "flag", "code", "day", "time"]
# What a person types, or chooses, for true and false.
FLAGS: Final[Mapping[str, bool]] = {"yes": True, "no": False}

_FACTS: Final = "facts"
# Of this the hub tells one path, whichever time it is that lies ahead.
_CLOCK: Final = "clock_ahead"
# A time as a browser writes it, which knows no zone: Mali's is UTC.
_LOCAL_TIME: Final = re.compile(r"([0-9-]{10}T[0-9]{2}:[0-9]{2})(:[0-9]{2})?(\.0+)?")
# A number of the wire has no more digits.
_DIGITS_MAX: Final = 15
_SORTS: Final[Mapping[type[fields.Field[Any]], Sort]] = {
    fields.Integer: "number",
    fields.Boolean: "flag",
    fields.String: "text",
}


@dataclass(frozen=True)
class Leaf:
    """A clear fact of one value, as the form has it: `codes` is the list of which it takes one, empty for other sorts.

    One that is not needed may be left out; where the form has a word for what nobody knows, `is_nullable`, by that.
    """

    sort: Sort
    codes: str
    is_needed: bool
    is_nullable: bool


@dataclass(frozen=True)
class Fault:
    """A clear fact that can't be taken: its `path` as the device is told it, what `came` there, empty where nothing
    did, and what was `typed` since."""

    path: str
    leaf: Leaf
    came: str
    typed: str


@dataclass(frozen=True)
class Place:
    """What came as the place of a complaint that could not be filed for it, and of which list or system that is."""

    said: str
    system: str


@cache
def leaf_at(path: str) -> Leaf | None:
    """The fact to which a dotted path of the wire leads; None where it leads to none of a single value."""
    first, *names = path.split(".")
    found: Any = fields.Nested(type(clear_shape(_FACTS))) if first == _FACTS else None
    is_required = False
    for name in names:
        found, is_required = _below(found, name)
    sort = next((each for kind, each in _SORTS.items() if isinstance(found, kind)), None)
    if sort is None:
        return None
    codes = found.metadata.get(LIST, "")
    sort = "code" if codes else found.metadata.get(SORT, sort)
    return Leaf(sort, codes, is_required and not found.allow_none, bool(found.allow_none))


def faults_of(kept: Kept, now: datetime, typed: Mapping[str, str] | None = None) -> list[Fault]:
    """The facts at fault that a person can type again, with what came and what was `typed` since.

    Empty where nothing is wrong with a fact, or where it is sealed, decided elsewhere or no single value.
    """
    if kept.state != "waiting" or kept.code in FRAME_CODES | DECISION_CODES:
        return []
    said = typed or {}
    _, leaves = _corrected(kept, now, said)
    came = _operation_in(kept.payload)
    shown = {path: _shown(_place_of(came, path)[2]) for path in leaves}
    return [Fault(path, leaf, shown[path], said.get(path, shown[path])) for path, leaf in leaves.items()]


def place_of(kept: Kept) -> Place | None:
    """What came as the place, where naming one may put it right; None where something else came, or nobody can see."""
    if kept.state != "waiting" or kept.code in DECISION_CODES or is_sealed_whole(kept.payload):
        return None
    try:
        place = _operation_in(kept.payload)["content"][_FACTS]["clear"].get("place", {})
        said, system = place.get("id") or place.get("code"), place.get("list") or place.get("system")
    except (AttributeError, KeyError, TypeError):
        return None
    return Place(_shown(said), _shown(system)) if said else None


def mend(
    store: Store,
    desk: Desk,
    registry_prefix: str,
    id: int,
    seen: Seen,
    typed: Mapping[str, str],
    sealing: Sealing,
    place_id: str | None = None,
) -> Settled:
    """File what was set aside with the facts at fault as typed, by path, and where nobody knows its place, at the one
    that a person named; what came stays as it came.

    An empty text leaves out a fact that is not needed. Raises NotFound, or NotAdmissible: `changed` where it is set
    aside for something else than was seen, `nothing` where no fact of it can be typed again, else with what is still
    wrong.
    """
    vouched = Vouched(place_id=place_id)
    if needs_place(seen.code):
        return admission.admit(store, desk, registry_prefix, id, vouched, seen)
    correct = partial(_mended, now=desk.now, typed=typed)
    try:
        return admission.repair_by(store, desk, registry_prefix, id, correct, sealing, seen=seen)
    except NotAdmissible as refused:
        # A place that is known stays as it came.
        if place_id is None or not needs_place(str(refused.values["reason"])):
            raise
    return admission.repair_by(store, desk, registry_prefix, id, correct, sealing, vouched, seen)


def needs_place(code: str) -> bool:
    """Whether what is set aside for this is put right by naming a place."""
    return code in PLACE_CODES


def _mended(kept: Kept, now: datetime, typed: Mapping[str, str]) -> bytes:
    corrected, leaves = _corrected(kept, now, typed)
    if kept.code in FRAME_CODES or not leaves:
        raise NotAdmissible(fault="nothing", reason=kept.code, field=kept.field)
    return corrected


def _corrected(kept: Kept, now: datetime, typed: Mapping[str, str]) -> tuple[bytes, dict[str, Leaf]]:
    """What came with the facts at fault as typed, and what these are, as far as one after the other was typed."""
    operation, found = _operation_in(kept.payload), dict[str, Leaf]()
    for path in _faulty(operation, kept, now):
        leaf = leaf_at(path)
        if leaf is None or path in found or not _is_there(operation, path):
            break
        found[path] = leaf
        if path not in typed:
            break
        _put(operation, path, leaf, typed[path])
    return (canonical(operation) if found else kept.payload), found


def _faulty(operation: Mapping[str, Any], kept: Kept, now: datetime) -> Iterator[str]:
    """The path at fault, and, as the operation is by then, the next one each time it is asked for."""
    if kept.code in PLACE_CODES:
        return
    if kept.code != _CLOCK:
        yield kept.field
    while True:
        line = read_line(canonical(operation))
        if line.code:
            yield line.field
        elif line.operation is not None and (ahead := paths_ahead(line.operation.content, now)):
            yield ahead[0]
        else:
            return


def _operation_in(payload: bytes) -> dict[str, Any]:
    try:
        operation = parse(payload)
    except Unreadable:
        return {}
    return operation if isinstance(operation, dict) else {}


def _below(field: Any, name: str) -> tuple[Any, bool]:
    """What the form has under a name, or at a number, of a field; and whether that is needed there."""
    match field:
        case fields.Nested():
            shape = cast(Shape, field.schema)
            members = {each.data_key or own: each for own, each in shape.fields.items()}
            return members.get(name), name in members and members[name].required
        case fields.List() if name.isascii() and name.isdigit():
            return field.inner, True
    return None, False


def _is_there(operation: Mapping[str, Any], path: str) -> bool:
    """Whether the operation has a place for the fact, empty or not."""
    try:
        _place_of(operation, path)
    except (KeyError, IndexError, ValueError, TypeError):
        return False
    return True


def _place_of(operation: Mapping[str, Any], path: str) -> tuple[Any, Any, Any]:
    """What holds the fact, its name or number there, and the fact, None where it is missing; raises LookupError,
    TypeError or ValueError."""
    _, *above, last = path.split(".")
    holder: Any = operation["content"][_FACTS]["clear"]
    for name in above:
        holder = holder[int(name)] if isinstance(holder, list) else holder[name]
    if isinstance(holder, list):
        return holder, int(last), holder[int(last)]
    return holder, last, dict(holder).get(last)


def _shown(came: Any) -> str:
    """A value as a person sees it; what is none, or no single one, as the wire has it."""
    if came is None or isinstance(came, str):
        return came or ""
    return canonical(came).decode()


def _put(operation: Mapping[str, Any], path: str, leaf: Leaf, typed: str) -> None:
    holder, name, _ = _place_of(operation, path)
    words = typed.strip()
    if words or leaf.is_needed:
        holder[name] = _value(leaf, words)
    elif leaf.is_nullable:
        holder[name] = None
    else:
        holder.pop(name, None)


def _value(leaf: Leaf, words: str) -> str | int | bool:
    """What was typed as the form wants it; as it is where it is nothing of the kind, and refused for that."""
    if leaf.sort == "time" and (local := _LOCAL_TIME.fullmatch(words)):
        return f"{local[1]}{local[2] or ':00'}Z"
    if leaf.sort == "number":
        digits = "".join(words.split())
        return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= _DIGITS_MAX else words
    return FLAGS.get(words, words) if leaf.sort == "flag" else words
