"""Packages to pack: a payload of drawn bytes and the facts of its package, the same ones each time."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from random import Random
from typing import Any, Final

from server.domain.packages import Number
from server.domain.referral import Destination
from server.services.commission.bags import Bag
from server.services.commission.content import Content
from server.services.commission.minisign import public_file, seed_of

NUMBER: Final = "CNDH-2026-T3-0007"
SEED: Final = seed_of(bytes(range(32)))
_CHUNK_BYTES: Final = 10_000
_CONTENT: Final = Content(
    number=Number("CNDH", "2026-T3", 7),
    destination=Destination("cndh", "cndh", "national_commission", None, date(2026, 1, 1)),
    coalition="Coalition d'essai",
    as_of=datetime(2026, 10, 5, 8, 30, 15, 123456, UTC),
    lines=(),
    voids=(),
    corrections=(),
    against={},
    tables=(),
    key_id="00112233aabbccdd",
    public_key=public_file(SEED),
    previous=("CNDH-2026-T2-0006", "ab" * 32),
    version="0.1.0",
    places=None,
)


def content(**changed: Any) -> Content:
    """The facts of a package."""
    return replace(_CONTENT, **changed)


def payload(size_bytes: int, seed: int = 7) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Three files, read once and in pieces: of text, of what is compressed already, and one in a folder."""
    yield "plaintes.csv", _pieces(size_bytes // 2, Random(seed), "ref;région;été\n".encode())
    yield "photo.jpg", _pieces(size_bytes // 2, Random(seed + 1), b"")
    yield "pieces/note.txt", iter([b"Une note.\n"])


def bag(size_bytes: int = 50_000, **changed: Any) -> Bag:
    """A package of about that size."""
    return Bag(payload(size_bytes), content(**changed), SEED)


def _pieces(size_bytes: int, chances: Random, line: bytes) -> Iterator[bytes]:
    for at in range(0, size_bytes, _CHUNK_BYTES):
        length = min(_CHUNK_BYTES, size_bytes - at)
        yield (line * (length // len(line) + 1))[:length] if line else chances.randbytes(length)
