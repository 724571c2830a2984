"""Parts of files in a parcel: each a line that says whose bytes follow, and the bytes (PROTOCOL §9.4)."""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from client_sync.protocol.canonical import Unreadable, canonical, parse

_LINE_MAX_BYTES: Final = 256
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Part:
    """Bytes of the file `sha256`, from byte `offset` on."""

    sha256: str
    offset: int
    data: bytes


def write_parts(parts: Iterable[Part]) -> bytes:
    """The parts one after the other."""
    return b"".join(_line(part) + part.data for part in parts)


def parts_digest(data: bytes) -> str:
    """What the header of the frame says of the parts that follow its body."""
    return hashlib.sha256(data).hexdigest()


def read_parts(data: bytes) -> Iterator[Part]:
    """The parts in these bytes. Raises Unreadable, after those that could be read."""
    place = 0
    while place < len(data):
        end = data.find(b"\n", place, place + _LINE_MAX_BYTES)
        if end < 0:
            raise Unreadable("parcel_unreadable")
        sha256, offset, size = _told(data[place:end])
        place = end + 1 + size
        if place > len(data):
            raise Unreadable("parcel_unreadable")
        yield Part(sha256, offset, data[end + 1 : place])


def _line(part: Part) -> bytes:
    return canonical({"offset": part.offset, "sha256": part.sha256, "size": len(part.data)}) + b"\n"


def _told(line: bytes) -> tuple[str, int, int]:
    members = parse(line)
    if not isinstance(members, dict):
        raise Unreadable("parcel_unreadable")
    sha256, offset, size = (members.get(name) for name in ("sha256", "offset", "size"))
    if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
        raise Unreadable("parcel_unreadable")
    if type(offset) is not int or type(size) is not int or offset < 0 or size <= 0:
        raise Unreadable("parcel_unreadable")
    return sha256, offset, size
