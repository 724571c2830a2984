"""What arrives in clear is sealed before it touches the disk, whatever door it came by (ARCHITECTURE, rule 6).

A device seals what it finalises. Another door may hand over a complaint in clear, and any door something that
nobody can read: of the first, facts stay clear and the rest is sealed; of the second, everything is. Both keep
what came, byte for byte, in a box of its own.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from client_sync.protocol.boxes import read_boxes, write_boxes
from client_sync.protocol.canonical import Operation, Unreadable, canonical, is_id, parse
from client_sync.protocol.keyring import Keyring, Recipient
from client_sync.protocol.records import COMPARTMENTS_OF, REPORT, SEAL, SHAPES, clear_shape
from client_sync.protocol.vocabulary import VOCABULARY
from client_sync.seal import Binding, Unopenable, open_part, open_record_key, seal
from server.domain.digests import keyed
from server.domain.people import HeldKeys
from server.domain.places import Gazetteer
from server.services.intake.reading import LINKAGE, Line
from server.store.devices import Device

# The box with the line as it came, beside those of its compartments.
ORIGINAL: Final = "original"
_SEAL: Final = "seal"
# By operation, the members beside its compartments.
_PLAIN_MEMBERS: Final = {
    "complaint": frozenset({"form", "vocabulary"}),
    "revision": SHAPES["revision"].fields.keys(),
    "answer": SHAPES["answer"].fields.keys(),
    "task_done": SHAPES["task_done"].fields.keys(),
}
# By operation that has none, what a person types.
_TYPED: Final = {"withdrawal": "reason"}


# Whether the complaint that an operation without facts speaks of is strictly confidential.
Strictness = Callable[[Operation], bool]


@dataclass(frozen=True)
class Sealing:
    """What sealing goes by. `pepper`: 32 bytes that no disk holds in clear."""

    keyring: Keyring
    pepper: bytes
    places: Gazetteer | None


def seal_line(line: Line, device: Device, sealing: Sealing, is_strict: Strictness) -> Line:
    """The line as it may be kept. One that its device sealed is left as it is, and one without an id is not kept.

    One that is sealed in part is set aside: what a second seal hides, no reader finds beside the first.
    The hash of what comes in clear is keyed, also where nothing had to be sealed: it comes again when more is known.
    """
    operation = line.operation
    if line.id is None or (operation is not None and _came_sealed(line, operation)):
        return line
    if operation is None or line.code:
        return _sealed_whole(line, line.id, device, sealing)
    if operation.op not in _PLAIN_MEMBERS:
        return _without_words(line, operation, device, sealing, is_strict)
    if _SEAL in operation.content:
        mixed = replace(line, code="compartment_invalid", field=_SEAL)
        return _sealed_whole(mixed, line.id, device, sealing)
    content = _sealed_content(operation, device, sealing, is_strict)
    hash = keyed(line.hash, sealing.pepper)
    if content == operation.content:
        return replace(line, hash=hash, operation=replace(operation, hash=hash))
    return _rewritten(line, operation, content, hash)


def is_sealed_whole(payload: bytes) -> bool:
    """Whether a payload that was set aside is the box of a line that nobody here could read."""
    try:
        content = parse(payload)
    except Unreadable:
        return False
    return isinstance(content, dict) and content.keys() == {ORIGINAL, _SEAL}


def open_original(payload: bytes, keys: HeldKeys, binding: Binding) -> bytes:
    """The line as it came, as far as the keys open it; else the payload as it is kept."""
    try:
        line = parse(payload)
        sealed = read_boxes(line.get("content", line))
    except (Unreadable, AttributeError, KeyError):
        return payload
    for kid in keys.private.keys() & sealed.keys.keys():
        try:
            record_key = open_record_key(sealed.keys[kid], keys.private[kid])
            return open_part(sealed.boxes[ORIGINAL], record_key, ORIGINAL, binding)
        except (Unopenable, KeyError):
            continue
    return payload


def _came_sealed(line: Line, operation: Operation) -> bool:
    """Whether there is a sound seal, and nothing in clear that always has to be under it."""
    content = operation.content
    if _SEAL not in content or (operation.op in SHAPES and operation.op not in _PLAIN_MEMBERS):
        return False
    # What has no code was looked at already.
    if line.code and SEAL.validate(content[_SEAL]):
        return False
    facts = content.get("facts")
    clear = facts.get("clear") if isinstance(facts, dict) else None
    strict = isinstance(clear, dict) and VOCABULARY.is_strict(clear)
    parts = [content.get(name) for name in ("identity", "traces", REPORT, *(("statement",) if strict else ()))]
    return all(part is None or (isinstance(part, dict) and "box" in part) for part in parts)


def _rewritten(line: Line, operation: Operation, content: dict[str, Any], hash: str) -> Line:
    kept = canonical({"content": content, "id": operation.id, "op": operation.op, "seq": operation.seq})
    return replace(line, bytes=kept, hash=hash, operation=replace(operation, content=content, line=kept, hash=hash))


def _without_words(line: Line, operation: Operation, device: Device, sealing: Sealing, is_strict: Strictness) -> Line:
    """An operation without compartments, with what was typed in it, and what no form knows, in a box."""
    # It says nothing of a person beside its box.
    if operation.op == LINKAGE:
        return line
    shape = SHAPES[operation.op]
    known: dict[str, Any] = shape.dump(shape.load(operation.content))
    known.pop(_TYPED.get(operation.op, ""), None)
    if known == operation.content:
        return line
    strict = "complaint" not in known or is_strict(operation)
    readers = _readers({}, device, sealing, is_strict=strict)
    boxes = _boxes({ORIGINAL: operation.line}, readers, Binding(operation.id, device.lineage))
    return _rewritten(line, operation, known | boxes, keyed(line.hash, sealing.pepper))


def _sealed_content(operation: Operation, device: Device, sealing: Sealing, is_strict: Strictness) -> dict[str, Any]:
    """The content with what the keyring says sealed, and of the rest only what the form knows."""
    content = operation.content
    names = COMPARTMENTS_OF[operation.op]
    clear = {name: content[name]["clear"] for name in names if "clear" in content.get(name, {})}
    facts = clear.get("facts", {})
    # Of what complaint a report tells nobody has looked yet.
    strict = VOCABULARY.is_strict(facts) or REPORT in clear or ("complaint" in content and is_strict(operation))
    hidden = (sealing.keyring.sealed_compartments(is_strict=strict) | {REPORT}) & clear.keys()
    plain = {name: content[name] for name in _PLAIN_MEMBERS[operation.op] & content.keys()}
    shown = {name: {"clear": _known_members(name, clear[name])} for name in clear.keys() - hidden}
    if not hidden and plain | shown == content:
        return content
    texts = {name: canonical(clear[name]) for name in hidden} | {ORIGINAL: operation.line}
    readers = _readers(facts, device, sealing, is_strict=strict)
    return plain | shown | _boxes(texts, readers, Binding(operation.id, device.lineage))


def _known_members(compartment: str, clear: Mapping[str, Any]) -> dict[str, Any]:
    shape = clear_shape(compartment)
    known: dict[str, Any] = shape.dump(shape.load(clear))
    return known


def _sealed_whole(line: Line, id: str, device: Device, sealing: Sealing) -> Line:
    """Nobody knows what stands in it: named readers alone may look.

    An id that is none may be anything that a person typed: the line goes by a keyed digest of it.
    """
    id = id if is_id(id) else keyed(id, sealing.pepper)
    readers = sealing.keyring.readers_for(None, device.team, device.partner, is_strict=True)
    kept = canonical(_boxes({ORIGINAL: line.bytes}, readers, Binding(id, device.lineage)))
    return replace(line, id=id, bytes=kept, hash=keyed(line.hash, sealing.pepper))


def _boxes(texts: Mapping[str, bytes], readers: Sequence[Recipient], binding: Binding) -> dict[str, Any]:
    sealed = seal(texts, readers, binding)
    return write_boxes({}, sealed.boxes, sealed.keys)


def _readers(facts: Mapping[str, Any], device: Device, sealing: Sealing, *, is_strict: bool) -> list[Recipient]:
    place_id = facts.get("place", {}).get("id")
    region = sealing.places.region_around(place_id) if sealing.places and place_id else None
    # What the hub knows of the sender stands before what the record claims.
    team, partner = device.team or facts.get("team"), device.partner or facts.get("partner")
    return sealing.keyring.readers_for(region.id if region else None, team, partner, is_strict=is_strict)
