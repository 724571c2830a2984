"""The erasure list: a sealed file beside the database, so that a backup that is put back forgets again.

It says of each erased operation where it came from, its id, its hash and the day, and nothing else.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from nacl.encoding import RawEncoder
from nacl.exceptions import CryptoError
from nacl.hash import blake2b
from nacl.secret import SecretBox

from server import durable
from server.domain.errors import ErasureListUnreadable
from server.store.erasures import Erased

NAME: Final = "hub.erasures"
_PURPOSE: Final = b"seere-erasures"


def write(path: Path, key: bytes, erased: Sequence[Erased]) -> None:
    """Put the list into a file, whole or not at all, for its owner alone; on disk when this returns.

    `key` is the key of the database, 32 bytes; the list has one of its own that follows from it.
    """
    rows = [[each.lineage, each.client_id, each.hash, f"{each.at:%Y-%m-%d}"] for each in erased]
    box = _box(key).encrypt(json.dumps(rows, separators=(",", ":")).encode())
    durable.write(path, box)


def read(path: Path, key: bytes) -> list[Erased]:
    """What the list holds; raises ErasureListUnreadable for a file of another hub, or a damaged one."""
    try:
        rows = json.loads(_box(key).decrypt(path.read_bytes()))
    except (OSError, CryptoError, ValueError):
        raise ErasureListUnreadable(file=path) from None
    return [Erased(lineage, id, hash, _midnight(day)) for lineage, id, hash, day in rows]


def _box(key: bytes) -> SecretBox:
    return SecretBox(blake2b(b"", key=key, person=_PURPOSE, encoder=RawEncoder))


def _midnight(day: str) -> datetime:
    return datetime.fromisoformat(day).replace(tzinfo=UTC)
