"""Sealing of files: a stream that one key opens, whole or not at all, and that nobody has to hold in memory
(PROTOCOL §9.1)."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

from nacl.bindings import (
    crypto_secretstream_xchacha20poly1305_ABYTES,
    crypto_secretstream_xchacha20poly1305_HEADERBYTES,
    crypto_secretstream_xchacha20poly1305_init_pull,
    crypto_secretstream_xchacha20poly1305_init_push,
    crypto_secretstream_xchacha20poly1305_keygen,
    crypto_secretstream_xchacha20poly1305_pull,
    crypto_secretstream_xchacha20poly1305_push,
    crypto_secretstream_xchacha20poly1305_state,
    crypto_secretstream_xchacha20poly1305_TAG_FINAL,
    crypto_secretstream_xchacha20poly1305_TAG_MESSAGE,
)
from nacl.exceptions import CryptoError

from client_sync.protocol.canonical import Unreadable, canonical, parse
from client_sync.protocol.media import TYPES
from client_sync.seal import Unopenable

CHUNK_BYTES: Final = 65_536
# What a file is called fits in, whatever it is: no file system takes a longer name. A longer one is cut.
DESCRIPTION_BYTES: Final = 512

_DOMAIN: Final = b"seere-file-1\n"
_OVERHEAD_BYTES: Final = crypto_secretstream_xchacha20poly1305_ABYTES
_HEADER_BYTES: Final = crypto_secretstream_xchacha20poly1305_HEADERBYTES
_SEALED_CHUNK_BYTES: Final = CHUNK_BYTES + _OVERHEAD_BYTES
_HASH_DIGITS: Final = 64


class Altered(Exception):
    """The file is not any more what was said of it before it was sealed."""


@dataclass(frozen=True)
class Description:
    """A file as it was taken: hash (64 hexadecimal digits), size in bytes and type of its bytes, and what it is
    called. `taken_at` is a time of the wire."""

    sha256: str
    size: int
    type: str
    name: str | None = None
    taken_at: str | None = None


@dataclass(frozen=True)
class OpenFile:
    """An opened stream: what was said of the file, and its bytes, of which the last may still prove all of them false.

    `chunks` raises Unopenable where the stream was cut, changed or goes on; who keeps what came drops it then.
    """

    description: Description
    chunks: Iterator[bytes]


def new_file_key() -> bytes:
    """The key of one file of one complaint, 32 random bytes. It seals once."""
    return crypto_secretstream_xchacha20poly1305_keygen()


def sealed_size(size: int) -> int:
    """How many bytes a file of `size` bytes has once it is sealed, whatever it is called."""
    described = _HEADER_BYTES + DESCRIPTION_BYTES + _OVERHEAD_BYTES
    return described + size + (size // CHUNK_BYTES + 1) * _OVERHEAD_BYTES


def seal_file(source: BinaryIO, description: Description, key: bytes) -> Iterator[bytes]:
    """The sealed stream of a file, piece by piece, read from where `source` stands.

    Raises Altered, at the end, when the bytes were not those that the description names.
    """
    state = crypto_secretstream_xchacha20poly1305_state()
    yield crypto_secretstream_xchacha20poly1305_init_push(state, key)
    yield _push(state, _padded(description), _DOMAIN, crypto_secretstream_xchacha20poly1305_TAG_MESSAGE)
    digest, size = hashlib.sha256(), 0
    while len(chunk := _filled(source)) == CHUNK_BYTES:
        digest.update(chunk)
        size += len(chunk)
        yield _push(state, chunk, None, crypto_secretstream_xchacha20poly1305_TAG_MESSAGE)
    digest.update(chunk)
    if (digest.hexdigest(), size + len(chunk)) != (description.sha256, description.size):
        raise Altered
    yield _push(state, chunk, None, crypto_secretstream_xchacha20poly1305_TAG_FINAL)


def open_file(pieces: Iterable[bytes], key: bytes) -> OpenFile:
    """Open a sealed stream that comes in pieces of any size. Raises Unopenable, as its chunks do later."""
    stream = _Pieces(pieces)
    state = crypto_secretstream_xchacha20poly1305_state()
    header = stream.take(_HEADER_BYTES)
    if len(header) < _HEADER_BYTES:
        raise Unopenable
    crypto_secretstream_xchacha20poly1305_init_pull(state, header, key)
    told, tag = _pull(state, stream.take(DESCRIPTION_BYTES + _OVERHEAD_BYTES), _DOMAIN)
    if tag != crypto_secretstream_xchacha20poly1305_TAG_MESSAGE:
        raise Unopenable
    description = _description(told)
    return OpenFile(description, _opened(state, stream, description))


def _opened(state: Any, stream: "_Pieces", description: Description) -> Iterator[bytes]:
    digest, size, tag = hashlib.sha256(), 0, None
    while tag != crypto_secretstream_xchacha20poly1305_TAG_FINAL:
        chunk, tag = _pull(state, stream.take(_SEALED_CHUNK_BYTES), None)
        digest.update(chunk)
        size += len(chunk)
        yield chunk
    is_whole = (digest.hexdigest(), size) == (description.sha256, description.size)
    if not is_whole or stream.take(1):
        raise Unopenable


class _Pieces:
    """Bytes that come in pieces of any size, taken in pieces of a wanted one."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._left = bytearray()

    def take(self, size: int) -> bytes:
        """So many bytes, fewer at the end."""
        while len(self._left) < size:
            piece = next(self._pieces, None)
            if piece is None:
                break
            self._left += piece
        taken = bytes(self._left[:size])
        del self._left[:size]
        return taken


def _filled(source: BinaryIO) -> bytes:
    """The next chunk, whole unless the file ends in it: a stream may give less than was asked for."""
    chunk = bytearray()
    while len(chunk) < CHUNK_BYTES and (more := source.read(CHUNK_BYTES - len(chunk))):
        chunk += more
    return bytes(chunk)


def _push(state: Any, chunk: bytes, bound: bytes | None, tag: int) -> bytes:
    sealed: bytes = crypto_secretstream_xchacha20poly1305_push(state, chunk, ad=bound, tag=tag)
    return sealed


def _pull(state: Any, sealed: bytes, bound: bytes | None) -> tuple[bytes, int]:
    try:
        chunk, tag = crypto_secretstream_xchacha20poly1305_pull(state, sealed, bound)
    except CryptoError:
        raise Unopenable from None
    return chunk, tag


def _padded(description: Description) -> bytes:
    """The description as canonical JSON and spaces; a name that does not fit loses its end."""
    members = {name: value for name, value in vars(description).items() if value is not None}
    while len(written := canonical(members)) > DESCRIPTION_BYTES:
        members["name"] = members["name"][:-1]
    return written.ljust(DESCRIPTION_BYTES)


def _description(told: bytes) -> Description:
    try:
        members = parse(told.rstrip(b" "))
    except Unreadable:
        raise Unopenable from None
    if not isinstance(members, dict):
        raise Unopenable
    hash, size, type_ = (members.get(name) for name in ("sha256", "size", "type"))
    is_sound = isinstance(hash, str) and len(hash) == _HASH_DIGITS and type(size) is int and type_ in TYPES
    name, taken_at = (members.get(name) for name in ("name", "taken_at"))
    if not is_sound or not all(each is None or isinstance(each, str) for each in (name, taken_at)):
        raise Unopenable
    return Description(str(hash), int(str(size)), str(type_), name, taken_at)
