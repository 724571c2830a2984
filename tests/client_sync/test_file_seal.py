"""Sealed files: one key opens a stream, whole or not at all, in the memory of one chunk."""

import hashlib
import tracemalloc
from collections.abc import Iterator
from io import BytesIO
from random import Random

import pytest

from client_sync.file_seal import (
    CHUNK_BYTES,
    Altered,
    Description,
    new_file_key,
    open_file,
    seal_file,
    sealed_size,
)
from client_sync.seal import Unopenable

KEY = new_file_key()
SEALED_CHUNK = CHUNK_BYTES + 17
# Header, then the description.
BEFORE = 24 + 512 + 17
SIZES = (0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES, 200_001)


def described(data: bytes, **members: str) -> Description:
    return Description(hashlib.sha256(data).hexdigest(), len(data), "image/jpeg", **members)


def sealed(data: bytes, key: bytes = KEY, **members: str) -> bytes:
    return b"".join(seal_file(BytesIO(data), described(data, **members), key))


def opened(stream: bytes, key: bytes = KEY, piece: int = 50_000) -> bytes:
    pieces = (stream[at : at + piece] for at in range(0, len(stream), piece))
    return b"".join(open_file(pieces, key).chunks)


def opens(stream: bytes, key: bytes = KEY) -> bool:
    try:
        opened(stream, key)
    except Unopenable:
        return False
    return True


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("piece", [1_000, 10**9])
def test_what_was_sealed_opens_to_the_same_bytes(size: int, piece: int) -> None:
    data = Random(size).randbytes(size)
    stream = sealed(data)
    assert (opened(stream, piece=piece), len(stream)) == (data, sealed_size(size))


def test_a_stream_tells_what_was_taken() -> None:
    data = b"photo"
    told = open_file([sealed(data, name="ߊߡߊ ߞߊ߬ ߖߌ.jpg", taken_at="2026-11-21T10:04:05Z")], KEY).description
    assert told == described(data, name="ߊߡߊ ߞߊ߬ ߖߌ.jpg", taken_at="2026-11-21T10:04:05Z")


def test_no_name_shows_in_the_size_and_one_without_end_is_cut() -> None:
    sizes = {len(sealed(b"photo", name=name)) for name in ("a", "ߊ" * 127, '"' * 255, "x" * 5_000)}
    assert sizes == {sealed_size(5)}
    long = open_file([sealed(b"photo", name="x" * 5_000)], KEY).description.name
    assert long is not None
    assert 300 < len(long) < 512


def test_every_cut_of_a_stream_is_noticed_at_borders_of_chunks_as_well() -> None:
    data = Random(1).randbytes(2 * CHUNK_BYTES + 100)
    stream = sealed(data)
    borders = [0, 24, BEFORE, BEFORE + SEALED_CHUNK, BEFORE + 2 * SEALED_CHUNK]
    cuts = [*borders, *Random(2).sample(range(len(stream)), 40), len(stream) - 1]
    assert [cut for cut in cuts if opens(stream[:cut])] == []


def test_every_changed_bit_is_noticed() -> None:
    stream = sealed(Random(3).randbytes(CHUNK_BYTES + 1000))
    for at in Random(4).sample(range(len(stream)), 60):
        changed = bytearray(stream)
        changed[at] ^= 1
        assert not opens(bytes(changed))


def test_chunks_can_neither_be_exchanged_nor_left_out_nor_followed() -> None:
    stream = sealed(Random(5).randbytes(3 * CHUNK_BYTES))
    first, second = (stream[BEFORE + n * SEALED_CHUNK :][:SEALED_CHUNK] for n in (0, 1))
    rest = stream[BEFORE + 2 * SEALED_CHUNK :]
    assert opens(stream[:BEFORE] + first + second + rest)
    assert not opens(stream[:BEFORE] + second + first + rest)
    assert not opens(stream[:BEFORE] + first + rest)
    assert not opens(stream + b"\0")
    assert not opens(stream + stream)


def test_another_key_opens_nothing_and_two_seals_of_one_file_have_nothing_in_common() -> None:
    other = new_file_key()
    assert not opens(sealed(b"photo"), other)
    assert sealed(b"photo")[:24] != sealed(b"photo")[:24]


def test_a_file_that_is_not_what_was_said_is_never_sealed_to_the_end() -> None:
    for data in (b"phot0", b"photograph", b""):
        pieces = seal_file(BytesIO(data), described(b"photo"), KEY)
        with pytest.raises(Altered):
            list(pieces)


class Slow(BytesIO):
    """Gives less than it is asked for, as a pipe does."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(min(size or 1, 1_000))


def test_a_source_that_gives_little_at_a_time_is_sealed_in_whole_chunks() -> None:
    data = Random(6).randbytes(CHUNK_BYTES + 5)
    stream = b"".join(seal_file(Slow(data), described(data), KEY))
    assert (len(stream), opened(stream)) == (sealed_size(len(data)), data)


class Film(BytesIO):
    """So many bytes that are never all there."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._left = size

    def read(self, size: int | None = -1) -> bytes:
        taken = min(size or 0, self._left)
        self._left -= taken
        return bytes(taken)


def test_a_film_is_sealed_and_opened_in_the_memory_of_a_few_chunks() -> None:
    size = 20 * 2**20
    digest = hashlib.sha256()
    for _ in range(20):
        digest.update(bytes(2**20))
    film = Description(digest.hexdigest(), size, "video/mp4")
    tracemalloc.start()
    try:
        came = sum(map(len, open_file(seal_file(Film(size), film, KEY), KEY).chunks))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert came == size
    assert most < 2 * 2**20


def test_what_is_sealed_under_the_key_and_is_no_description_does_not_open() -> None:
    for members in ({"type": "text/html"}, {"sha256": "short"}, {"size": True}, {"name": 3}):
        described_as = described(b"photo")
        for name, value in members.items():
            object.__setattr__(described_as, name, value)

        def pieces(told: Description = described_as) -> Iterator[bytes]:
            yield from seal_file(BytesIO(b"photo"), told, KEY)

        with pytest.raises((Unopenable, Altered)):
            list(open_file(pieces(), KEY).chunks)
