"""Compression of bodies: gzip, or zstd with the shipped dictionary; inflation under caps (PROTOCOL §3.1)."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Final, Literal, Protocol

import zstandard

from client_sync.protocol.canonical import Unreadable
from client_sync.protocol.limits import BODY_INFLATED_MAX_BYTES, INFLATION_RATIO_MAX

Coding = Literal["zstd", "gzip", "identity"]
DICTIONARY_ID: Final = "1"
# Level 19 costs a device about 1 ms a record and spares 12 to 16 % of the bytes of level 3 (decision 0004).
ZSTD_LEVEL: Final = 19
_GZIP_WINDOW: Final = 31
_STEP_BYTES: Final = 2**20
_ZSTD_WINDOW_MAX_BYTES: Final = 2**24


@dataclass(frozen=True)
class Inflated:
    """What a body holds, as far as it arrived; `is_capped` when it was cut here, for its size."""

    data: bytes
    is_capped: bool


class Deflater(Protocol):
    """A stream compressor that can be flushed at the end of each frame."""

    def add(self, frame: bytes) -> bytes:
        """The compressed bytes of one more frame, flushed, so that it can be read alone of what follows."""

    def finish(self) -> bytes:
        """The bytes that end the stream."""


class _Gzip:
    def __init__(self) -> None:
        self._stream = zlib.compressobj(9, zlib.DEFLATED, _GZIP_WINDOW)

    def add(self, frame: bytes) -> bytes:
        return self._stream.compress(frame) + self._stream.flush(zlib.Z_SYNC_FLUSH)

    def finish(self) -> bytes:
        return self._stream.flush(zlib.Z_FINISH)


class _Zstd:
    def __init__(self) -> None:
        self._stream = zstandard.ZstdCompressor(level=ZSTD_LEVEL, dict_data=_digested()).compressobj()

    def add(self, frame: bytes) -> bytes:
        return self._stream.compress(frame) + self._stream.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)

    def finish(self) -> bytes:
        return self._stream.flush(zstandard.COMPRESSOBJ_FLUSH_FINISH)


class _Identity:
    def add(self, frame: bytes) -> bytes:
        return frame

    def finish(self) -> bytes:
        return b""


def best_coding() -> Coding:
    """What to send with until a hub refuses it: zstd when the dictionary is shipped, else gzip."""
    return "zstd" if _dictionary_file().is_file() else "gzip"


def deflater(coding: Coding) -> Deflater:
    """A new compressor for one body."""
    makers: dict[Coding, Callable[[], Deflater]] = {"gzip": _Gzip, "zstd": _Zstd, "identity": _Identity}
    return makers[coding]()


def inflate(data: bytes, coding: str, dictionary: str | None = None) -> Inflated:
    """The inflated body, as far as it arrived and can be read; raises Unreadable when nothing can.

    Stops at the size and ratio caps, and gives what was inflated up to there.
    """
    cap = min(BODY_INFLATED_MAX_BYTES, max(len(data), 64) * INFLATION_RATIO_MAX)
    if coding == "identity":
        return Inflated(data, is_capped=False)
    if coding == "gzip":
        return _inflate_stream(_gzip_reader(data), cap)
    if coding != "zstd":
        raise Unreadable("coding_unknown")
    if dictionary is not None and (dictionary != DICTIONARY_ID or not _dictionary_file().is_file()):
        raise Unreadable("dictionary_unknown")
    known = _dictionary() if dictionary else None
    decompressor = zstandard.ZstdDecompressor(dict_data=known, max_window_size=_ZSTD_WINDOW_MAX_BYTES)
    # Not decompress(): with a declared size it ignores its limit.
    with decompressor.stream_reader(data, read_across_frames=False) as reader:
        return _inflate_stream(reader.read, cap)


def _inflate_stream(read: Callable[[int], bytes], cap: int) -> Inflated:
    """What `read` gives, up to `cap` bytes; a stream that turns out damaged ends there."""
    parts: list[bytes] = []
    size = 0
    while size < cap:
        try:
            part = read(min(_STEP_BYTES, cap - size))
        except (zstandard.ZstdError, zlib.error):
            if not parts:
                raise Unreadable("body_unreadable") from None
            break
        if not part:
            break
        parts.append(part)
        size += len(part)
    return Inflated(b"".join(parts), is_capped=size >= cap)


def _gzip_reader(data: bytes) -> Callable[[int], bytes]:
    stream = zlib.decompressobj(_GZIP_WINDOW)
    rest = data

    def read(size: int) -> bytes:
        nonlocal rest
        part = stream.decompress(rest, size)
        rest = stream.unconsumed_tail
        return part

    return read


@cache
def _dictionary() -> zstandard.ZstdCompressionDict:
    return zstandard.ZstdCompressionDict(_dictionary_file().read_bytes())


def _dictionary_file() -> Traversable:
    return resources.files("client_sync.protocol").joinpath(f"dictionary-{DICTIONARY_ID}.zdict")


@cache
def _digested() -> zstandard.ZstdCompressionDict:
    """The dictionary, made ready once: at this level it takes longer than a body."""
    dictionary = zstandard.ZstdCompressionDict(_dictionary_file().read_bytes())
    dictionary.precompute_compress(level=ZSTD_LEVEL)
    return dictionary
