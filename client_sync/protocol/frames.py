"""Frames: signed groups of operations, the unit of loss (PROTOCOL §3.2)."""

import hashlib
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as BinasciiError
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from client_sync.protocol.canonical import Unreadable, canonical, is_id, parse
from client_sync.protocol.limits import FRAME_RECORDS_MAX, LINE_MAX_BYTES, PROTOCOL_VERSION

FRAME_DOMAIN: Final = b"seere-frame-1\n"
# Far from the edge, so that a device that is told to jump past the highest can still count on.
_FRAME_NUMBER_MAX: Final = 2**48
_END_MAX_BYTES: Final = 512
_DIGEST_PREFIX: Final = re.compile("[0-9a-f]{16}")


@dataclass(frozen=True)
class Header:
    """The header line of a frame; members as in PROTOCOL §3.2, the unknown ones dropped."""

    device: str
    hub: str
    epoch: str | None
    frame: int
    at: str
    cursor: str | None = None
    limit: int | None = None
    ask: tuple[tuple[int, str], ...] = ()
    backed_up_to: int | None = None
    waiting: int | None = None
    version: str | None = None
    anchor: int | None = None
    order: int | None = None
    files: bool | None = None
    parts: str | None = None

    def line(self) -> bytes:
        """The header as it goes on the wire, with its newline."""
        members = {"seere": PROTOCOL_VERSION} | {
            name: value for name, value in vars(self).items() if value is not None and value != ()
        }
        return canonical(members) + b"\n"


@dataclass(frozen=True)
class Frame:
    """A whole frame as received: `problem` is the code of what is wrong with it, None when it is sound."""

    header: Header
    lines: tuple[bytes, ...]
    digest: bytes
    signature: bytes
    problem: str | None = None

    def is_signed_by(self, key: VerifyKey) -> bool:
        """Whether the device key signed exactly these bytes."""
        try:
            key.verify(self.digest, self.signature)
        except (BadSignatureError, ValueError):
            return False
        return True


def encode_frame(header: Header, lines: Iterable[bytes], sign: Callable[[bytes], bytes]) -> bytes:
    """A frame ready for the wire; `lines` are canonical operations without newline, `sign` gives 64 bytes for 32."""
    head = header.line()
    records = [line + b"\n" for line in lines]
    end = {"end": header.frame, "n": len(records), "sig": to_text(sign(frame_digest(head, records)))}
    return b"".join((head, *records, canonical(end), b"\n"))


def frame_digest(head: bytes, records: Iterable[bytes]) -> bytes:
    """What a device signs: 32 bytes over header and record lines, newlines included."""
    digest = hashlib.sha256(FRAME_DOMAIN)
    digest.update(head)
    for record in records:
        digest.update(record)
    return digest.digest()


def read_frames(body: bytes) -> Iterator[Frame]:
    """Every whole frame of `body`, in order; what follows the last end line is a torn frame and is left out.

    A frame whose count is wrong comes with problem `frame_length`, one of more than FRAME_RECORDS_MAX records
    without any and with `over_limit`. Raises Unreadable when `body`
    starts with something that is no frame at all.
    """
    head: bytes | None = None
    header: Header | None = None
    records: list[bytes] = []
    for line in _lines(body):
        if header is None:
            head, header, records = line, _read_header(line), []
        elif (end := _read_end(line)) is not None:
            assert head is not None
            yield _close(header, head, records, end)
            header = None
        elif len(records) <= FRAME_RECORDS_MAX:
            records.append(line)


def _lines(body: bytes) -> Iterator[bytes]:
    """The whole lines, one at a time: a body of empty lines must not become a list of millions."""
    start = 0
    while (end := body.find(b"\n", start)) >= 0:
        yield body[start:end]
        start = end + 1


def _close(header: Header, head: bytes, records: list[bytes], end: dict[str, Any]) -> Frame:
    if len(records) > FRAME_RECORDS_MAX:
        return Frame(header, (), b"", b"", "over_limit")
    digest = frame_digest(head + b"\n", (record + b"\n" for record in records))
    whole = end["end"] == header.frame and end.get("n") == len(records)
    return Frame(header, tuple(records), digest, from_text(end.get("sig")), None if whole else "frame_length")


def _read_header(line: bytes) -> Header:
    if len(line) > LINE_MAX_BYTES:
        raise Unreadable("body_unreadable")
    try:
        value = parse(line)
    except Unreadable:
        raise Unreadable("body_unreadable") from None
    if not isinstance(value, dict) or not isinstance(version := value.get("seere"), int):
        raise Unreadable("body_unreadable")
    if version != PROTOCOL_VERSION:
        raise Unreadable("frame_version")
    number = value.get("frame")
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number <= _FRAME_NUMBER_MAX:
        raise Unreadable("body_unreadable", "frame")
    if not is_id(value.get("device")) or not is_id(value.get("hub")):
        raise Unreadable("body_unreadable", "device")
    return Header(
        device=value["device"],
        hub=value["hub"],
        epoch=_text(value.get("epoch")),
        frame=number,
        at=_text(value.get("at")) or "",
        cursor=_text(value.get("cursor")),
        limit=_count(value.get("limit")),
        ask=_asked(value.get("ask")),
        backed_up_to=_count(value.get("backed_up_to")),
        waiting=_count(value.get("waiting")),
        version=_text(value.get("version")),
        anchor=_count(value.get("anchor")),
        order=_count(value.get("order")),
        files=True if value.get("files") is True else None,
        parts=_text(value.get("parts")),
    )


def _read_end(line: bytes) -> dict[str, Any] | None:
    """The end line, or None for a record: an end line starts with its member `end`, a record never does."""
    if not line.startswith(b'{"end":') or len(line) > _END_MAX_BYTES:
        return None
    try:
        value = parse(line)
    except Unreadable:
        return None
    return value if isinstance(value, dict) and isinstance(value.get("end"), int) else None


def _asked(value: Any) -> tuple[tuple[int, str], ...]:
    pairs = value if isinstance(value, list) else []
    asked = [
        (pair[0], pair[1])
        for pair in pairs[:FRAME_RECORDS_MAX]
        if isinstance(pair, list) and len(pair) == 2 and _count(pair[0]) is not None and _is_prefix(pair[1])
    ]
    return tuple(dict.fromkeys(asked))


def _is_prefix(value: Any) -> bool:
    return isinstance(value, str) and _DIGEST_PREFIX.fullmatch(value) is not None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and len(value) <= 512 else None


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def to_text(data: bytes) -> str:
    """Bytes as base64url without padding."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def from_text(text: object) -> bytes:
    """The bytes of `to_text`; empty for anything that is not such a text."""
    if not isinstance(text, str):
        return b""
    try:
        return urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (BinasciiError, ValueError):
        return b""
