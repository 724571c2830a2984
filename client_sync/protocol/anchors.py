"""Anchors: the signed heads of the hub's log, and the proof that one grew out of another (PROTOCOL §6)."""

import hashlib
from dataclasses import asdict, dataclass
from typing import Final

from client_sync.protocol.canonical import canonical

ANCHOR_DOMAIN: Final = b"seere-anchor-1\n"
# The operation by which a device says which anchor it keeps.
ANCHOR_SEEN: Final = "anchor_seen"
HASH_BYTES: Final = 32


@dataclass(frozen=True)
class Anchor:
    """The head of a log of `size` leaves on a day: `root` is 64 hexadecimal digits, `day` is written 2026-11-21."""

    day: str
    epoch: str
    hub: str
    root: str
    size: int

    def digest(self) -> bytes:
        """What the hub signs: 32 bytes."""
        return hashlib.sha256(ANCHOR_DOMAIN + canonical(asdict(self))).digest()


def is_consistent(first: tuple[int, bytes], second: tuple[int, bytes], proof: bytes) -> bool:
    """Whether a log with the head `first` (size and root) can have grown into one with the head `second`.

    `proof` is the consistency proof of the hub, hash after hash. The algorithm is that of RFC 9162 §2.1.4.2.
    """
    (first_size, first_root), (second_size, second_root) = first, second
    path = [proof[at : at + HASH_BYTES] for at in range(0, len(proof), HASH_BYTES)]
    if not 0 < first_size <= second_size or len(proof) % HASH_BYTES:
        return False
    if first_size == second_size:
        return not path and first_root == second_root
    if first_size & (first_size - 1) == 0:
        path.insert(0, first_root)
    if not path:
        return False
    return _roots_along(path, first_size - 1, second_size - 1) == (first_root, second_root)


def _roots_along(path: list[bytes], first: int, second: int) -> tuple[bytes, bytes] | None:
    """The two roots that a path leads to, from the last leaf of each tree; None for a path of another length."""
    while first & 1:
        first, second = first >> 1, second >> 1
    old = new = path[0]
    for each in path[1:]:
        if second == 0:
            return None
        if first & 1 or first == second:
            old, new = _node(each, old), _node(each, new)
            while first and not first & 1:
                first, second = first >> 1, second >> 1
        else:
            new = _node(new, each)
        first, second = first >> 1, second >> 1
    return (old, new) if second == 0 else None


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()
