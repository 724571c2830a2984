"""Strict JSON in, canonical JSON out: every hash and signature of the protocol is over these bytes."""

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, NoReturn
from uuid import UUID

from client_sync.protocol.limits import JSON_DEPTH_MAX, JSON_INTEGER_MAX, LINE_MAX_BYTES

ID_TEXT_MAX_CHARS: Final = 64
_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_ID_MEMBER: Final = re.compile(rb'"id"\s*:\s*"([^"\\]{1,64})"')
_NIL: Final = str(UUID(int=0))


class Unreadable(Exception):
    """A line that is not an operation; `code` is in CODES, `id` is what could be read of its id, if anything."""

    def __init__(self, code: str, field: str = "", id: str | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.field = field
        self.id = id


@dataclass(frozen=True, slots=True)
class Operation:
    """One line of a frame, read: `line` is the bytes as received, `hash` the content hash of PROTOCOL §4."""

    op: str
    id: str
    seq: int
    content: dict[str, Any]
    line: bytes
    hash: str


def canonical(value: object) -> bytes:
    """Canonical JSON of PROTOCOL §2; raises Unreadable for a lone surrogate."""
    try:
        return _ENCODER.encode(value).encode()
    except UnicodeEncodeError:
        raise Unreadable("text_surrogate") from None
    except RecursionError:
        raise Unreadable("json_depth") from None


def is_id(text: object) -> bool:
    """Whether `text` is an id of the wire: a lower-case UUID, 36 characters, not nil."""
    return isinstance(text, str) and text != _NIL and _UUID.fullmatch(text) is not None


def parse(data: bytes) -> Any:
    """The JSON value in `data` under the four limits of PROTOCOL §2; raises Unreadable."""
    value = _decode(_DECODER, data)
    _refuse_traps(value, data, is_canonical=canonical(value) == data)
    return value


def read_operation(line: bytes, write: Callable[[object], bytes] | None = None) -> Operation:
    """The operation in one line, without its newline; raises Unreadable with what could be read of the id.

    Says nothing about the content: `records.check_operation` does. `write` is `canonical`, or another
    writer of the same bytes that is faster.
    """
    if len(line) > LINE_MAX_BYTES:
        raise Unreadable("line_too_long")
    try:
        value = _decode(_DECODER, line)
        content = (write or canonical)(value.get("content")) if isinstance(value, dict) else b""
        _refuse_traps(value, line, is_canonical=_is_canonical(value, content, line))
    except Unreadable as problem:
        raise Unreadable(problem.code, id=_id_hint(line)) from None
    if not isinstance(value, dict):
        raise Unreadable("json_invalid")
    return _operation(value, line, hashlib.sha256(content).hexdigest())


def _is_canonical(value: Any, content: bytes, line: bytes) -> bool:
    """Whether the line is canonical, found by writing its content once, since that is also what is hashed."""
    if not isinstance(value, dict) or value.keys() != {"content", "id", "op", "seq"}:
        return False
    if not is_id(value["id"]) or not _is_plain_op(value["op"]) or type(value["seq"]) is not int:
        return False
    rest = f',"id":"{value["id"]}","op":"{value["op"]}","seq":{value["seq"]}}}'
    return b'{"content":' + content + rest.encode() == line


def _is_plain_op(op: object) -> bool:
    return isinstance(op, str) and op.isidentifier()


def _refuse_traps(value: Any, data: bytes, *, is_canonical: bool) -> None:
    """What a decoder lets by: duplicate members, depth, U+0000. Raises Unreadable."""
    # Bytes that come out as they went in hold no duplicate member; only others pay for the search.
    if not is_canonical:
        canonical(value)
        _decode(_DECODER_REFUSING_DUPLICATES, data)
    if data.count(b"{") + data.count(b"[") > JSON_DEPTH_MAX:
        _refuse_depth(value)
    if b"\\u0000" in data and any("\0" in text for text in _texts(value)):
        raise Unreadable("text_nul")


def _operation(value: dict[str, Any], line: bytes, hash: str) -> Operation:
    id = value.get("id")
    if not isinstance(id, str) or not 1 <= len(id) <= ID_TEXT_MAX_CHARS or not id.isprintable():
        raise Unreadable("id_unreadable", "id")
    if not is_id(id):
        raise Unreadable("id_invalid", "id", id)
    op, seq, content = value.get("op"), value.get("seq", 0), value.get("content")
    if not isinstance(op, str) or len(op) > ID_TEXT_MAX_CHARS:
        raise Unreadable("member_invalid" if "op" in value else "member_missing", "op", id)
    if not isinstance(seq, int) or isinstance(seq, bool) or seq < 0:
        raise Unreadable("member_invalid", "seq", id)
    if not isinstance(content, dict):
        raise Unreadable("member_invalid" if "content" in value else "member_missing", "content", id)
    return Operation(op, id, seq, content, line, hash)


def _decode(decoder: json.JSONDecoder, data: bytes) -> Any:
    try:
        return decoder.decode(data.decode())
    except RecursionError:
        raise Unreadable("json_depth") from None
    except ValueError:
        raise Unreadable("json_invalid") from None


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise Unreadable("json_duplicate_member")
    return members


def _integer(digits: str) -> int:
    if len(digits) > 17 or abs(number := int(digits)) > JSON_INTEGER_MAX:
        raise Unreadable("json_number")
    return number


def _refuse_number(_: str) -> NoReturn:
    raise Unreadable("json_number")


def _refuse_depth(value: Any, depth: int = 1) -> None:
    if not isinstance(value, dict | list):
        return
    if depth > JSON_DEPTH_MAX:
        raise Unreadable("json_depth")
    for member in value.values() if isinstance(value, dict) else value:
        _refuse_depth(member, depth + 1)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, member in value.items():
            yield name
            yield from _texts(member)
    elif isinstance(value, list):
        for member in value:
            yield from _texts(member)


def _id_hint(line: bytes) -> str | None:
    """The id of a line that can't be parsed, where exactly one member `id` holds a well-formed one."""
    found = {match.decode("utf-8", "replace") for match in _ID_MEMBER.findall(line)}
    ids = [text for text in found if is_id(text)]
    return ids[0] if len(ids) == 1 else None


_HOOKS: Final[dict[str, Any]] = {
    "parse_float": _refuse_number,
    "parse_constant": _refuse_number,
    "parse_int": _integer,
}
_DECODER: Final = json.JSONDecoder(**_HOOKS)
_DECODER_REFUSING_DUPLICATES: Final = json.JSONDecoder(object_pairs_hook=_members, **_HOOKS)
# Circular values end in a RecursionError, which `canonical` reports: looking for them costs a third more.
_ENCODER: Final = json.JSONEncoder(
    ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False, check_circular=False
)
