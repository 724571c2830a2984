"""Canaries: invented names, phones and villages, planted through every door and searched for in every byte."""

import base64
import json
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Final, Literal
from urllib.parse import quote

from sqlcipher3 import dbapi2 as sqlcipher

from client_sync.protocol.canonical import Unreadable
from client_sync.protocol.coding import DICTIONARY_ID, inflate
from client_sync.stores import Folder

Kind = Literal["name", "phone", "village"]

# What packed data inside packed data is looked into, and how much of it: a bomb must not stop a search.
_DEPTH_MOST: Final = 4
_UNPACKED_MOST_BYTES: Final = 2**28
_SYLLABLES: Final = tuple(a + b for a in ("b", "d", "f", "g", "k", "l", "m", "n", "s", "t", "z") for b in "aeiouɛɔ")
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
# The two bytes that zlib writes at each of its levels with the largest window, and gzip's with deflate.
_PACKED: Final = re.compile(rb"\x1f\x8b\x08|\x78[\x01\x5e\x9c\xda]|" + re.escape(_ZSTD))


@dataclass(frozen=True)
class Canary:
    """A text that stands nowhere but where it was planted."""

    kind: Kind
    text: str


@dataclass(frozen=True)
class Hit:
    """A canary that was found: in which file, packed how, written in which form."""

    path: str
    canary: Canary
    form: str
    packed: tuple[str, ...]


def plant(count: int, rng: Random) -> list[Canary]:
    """So many different canaries, of the three kinds in turn, to be said through some door."""
    makers: tuple[tuple[Kind, Callable[[Random], str]], ...] = (
        ("name", lambda rng: f"{_word(rng)} {_word(rng)}"),
        ("phone", lambda rng: f"+223 00 {rng.randrange(100):02} {rng.randrange(100):02} {rng.randrange(100):02}"),
        ("village", lambda rng: f"{_word(rng)}-{_word(rng)}"),
    )
    made: dict[str, Canary] = {}
    while len(made) < count:
        kind, make = makers[len(made) % len(makers)]
        text = make(rng)
        made.setdefault(text, Canary(kind, text))
    return list(made.values())


def search(folder: Path, canaries: Iterable[Canary]) -> list[Hit]:
    """Every canary in every file under the folder, once a file, form and packing; file names are searched too.

    Looks at every offset for gzip, zlib and zstd (with the dictionary of the wire as well) and inside those again;
    a tar is read through, for it packs nothing. Not seen: text that a page of a database cuts in two, and a zstd
    stream that was cut and has other bytes behind it.
    """
    patterns = _Patterns(canaries)
    hits: dict[Hit, None] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        for canary, form in patterns.found(name.encode()):
            hits[Hit(name, canary, f"file name, {form}", ())] = None
        if path.is_file():
            for packed, data in _layers(path.read_bytes()):
                for canary, form in patterns.found(data):
                    hits[Hit(name, canary, form, packed)] = None
    return list(hits)


def opened_device(folder: Folder, into: Path) -> None:
    """Write all that the keys lying in the folder of a device open, as plain bytes, into a folder to search.

    That is what a locked device gives away to who takes its disk: the transport store, by the machine key.
    """
    tables_into(folder.transport, bytes.fromhex(folder.machine_key.read_text("ascii").strip()), into)


def tables_into(database: Path, key: bytes, into: Path) -> None:
    """Write every value of every table of an encrypted database, as plain bytes, into a new folder to search.

    Raises sqlcipher3's DatabaseError, and makes no folder, for a key that does not open it.
    """
    connection = sqlcipher.connect(str(database))
    try:
        connection.execute("PRAGMA cipher_log_level = NONE")
        connection.execute(f"PRAGMA key = \"x'{key.hex()}'\"")
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        into.mkdir(parents=True)
        for table in tables:
            rows = connection.execute(f'SELECT * FROM "{table}"').fetchall()
            (into / f"{table}.rows").write_bytes(b"\n".join(_bytes(value) for row in rows for value in row))
    finally:
        connection.close()


class _Patterns:
    """All forms of all canaries as one pattern: a tree by their bytes, so that each byte is looked at about once."""

    def __init__(self, canaries: Iterable[Canary]) -> None:
        self._forms: dict[bytes, tuple[Canary, str]] = {}
        for canary in canaries:
            for form, data in _forms(canary.text):
                self._forms.setdefault(data, (canary, form))
        tree: dict[int, Any] = {}
        for data in self._forms:
            node = tree
            for byte in data:
                node = node.setdefault(byte, {})
            node[-1] = {}
        self._pattern = re.compile(_branches(tree), re.DOTALL) if tree else None

    def found(self, data: bytes) -> Iterator[tuple[Canary, str]]:
        """The canaries in the data, with the form that each is written in."""
        if self._pattern is not None:
            for match in self._pattern.finditer(data):
                yield self._forms[match.group()]


def _branches(tree: dict[int, Any]) -> bytes:
    """The expression for a tree; where one form begins another, the shorter is found."""
    if -1 in tree:
        return b""
    branches = [re.escape(bytes([byte])) + _branches(below) for byte, below in tree.items()]
    return branches[0] if len(branches) == 1 else b"(?:" + b"|".join(branches) + b")"


def _forms(text: str) -> Iterator[tuple[str, bytes]]:
    """How a text may stand in a file, by name."""
    spellings = {"plain": text, "lower": text.lower(), "upper": text.upper(), "joined": re.sub(r"[ +-]", "", text)}
    spellings |= {"json": json.dumps(text)[1:-1], "url": quote(text)}
    for name, spelled in spellings.items():
        yield name, spelled.encode()
    for encoding in ("utf-16-le", "utf-16-be"):
        yield encoding, text.encode(encoding)
    written = text.encode()
    yield "hex", written.hex().encode()
    yield "HEX", written.hex().upper().encode()
    for shift in range(3):
        yield from _base64(written, shift)


def _base64(written: bytes, shift: int) -> Iterator[tuple[str, bytes]]:
    """What stands in base64 whatever comes before and after, when so many bytes of a group come before."""
    whole = base64.b64encode(b"\0" * shift + written)
    first = (shift * 8 + 5) // 6
    last = (shift + len(written)) * 8 // 6
    yield f"base64+{shift}", whole[first:last]
    yield f"base64url+{shift}", whole[first:last].translate(bytes.maketrans(b"+/", b"-_"))


def _layers(data: bytes, packed: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], bytes]]:
    """The data, and what is packed in it at any offset, and in that; each with how it is packed."""
    yield packed, data
    if len(packed) == _DEPTH_MOST:
        return
    for match in _PACKED.finditer(data):
        for name, unpack in _UNPACKERS[match.group()[:1]]:
            inner = unpack(memoryview(data)[match.start() :])
            if inner:
                yield from _layers(inner, (*packed, name))


def _inflated(data: memoryview) -> bytes:
    """What gzip or zlib packed, as far as it goes."""
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 32)
    try:
        return unpacker.decompress(data, _UNPACKED_MOST_BYTES)
    except zlib.error:
        return b""


def _decompressed(data: memoryview, dictionary: str | None) -> bytes:
    """What zstd packed, as far as it goes."""
    try:
        return inflate(bytes(data), "zstd", dictionary).data
    except Unreadable:
        return b""


_UNPACKERS: Final[dict[bytes, tuple[tuple[str, Callable[[memoryview], bytes]], ...]]] = {
    b"\x1f": (("gzip", _inflated),),
    b"\x78": (("zlib", _inflated),),
    _ZSTD[:1]: (
        ("zstd", lambda data: _decompressed(data, None)),
        ("zstd of the wire", lambda data: _decompressed(data, DICTIONARY_ID)),
    ),
}


def _word(rng: Random) -> str:
    return "".join(rng.choice(_SYLLABLES) for _ in range(4)).capitalize()


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()
