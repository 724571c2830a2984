"""The erasure list: a sealed file beside the database, so that a backup that is put back forgets again.

It says of each erased operation where it came from, its id, its hash and the day, when it was written, and nothing
else. An older copy is as genuine as the last: only the time in it tells them apart.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True)
class ErasureList:
    """What was erased up to the moment at which it was written."""

    written_at: datetime
    erased: list[Erased]


def write(path: Path, key: bytes, erased: Sequence[Erased], now: datetime) -> None:
    """Put the list into a file, whole or not at all, for its owner alone; on disk when this returns.

    `key` is the key of the database, 32 bytes; the list has one of its own that follows from it.
    """
    rows = [[each.lineage, each.client_id, each.hash, f"{each.at:%Y-%m-%d}"] for each in erased]
    members = {"erased": rows, "written_at": now.astimezone(UTC).isoformat(timespec="seconds")}
    box = _box(key).encrypt(json.dumps(members, separators=(",", ":")).encode())
    durable.write(path, box)


def read(path: Path, key: bytes) -> ErasureList:
    """The list in a file; raises ErasureListUnreadable for a file of another hub, or a damaged one."""
    try:
        members = json.loads(_box(key).decrypt(path.read_bytes()))
    except (OSError, CryptoError, ValueError):
        raise ErasureListUnreadable(file=path) from None
    erased = [Erased(lineage, id, hash, _midnight(day)) for lineage, id, hash, day in members["erased"]]
    return ErasureList(datetime.fromisoformat(members["written_at"]), erased)


def _box(key: bytes) -> SecretBox:
    return SecretBox(blake2b(b"", key=key, person=_PURPOSE, encoder=RawEncoder))


def _midnight(day: str) -> datetime:
    return datetime.fromisoformat(day).replace(tzinfo=UTC)
