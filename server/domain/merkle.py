"""The Merkle tree of RFC 9162 §2.1 with SHA-256: roots and proofs, over hashes of leaves or of whole blocks of them.

Every function takes `hashes`, 32 bytes each, in order. They may be those of the leaves, or the roots of blocks of
one size that is a power of two: such blocks are subtrees, so that the root is that of the whole tree, and a proof
between two sizes that end with a block is the proof over the leaves.
"""

import hashlib
from collections.abc import Sequence
from typing import Final

# Distinct first bytes: without them a node could be passed off as a leaf.
_LEAF: Final = b"\x00"
_NODE: Final = b"\x01"


def leaf_hash(leaf: bytes) -> bytes:
    """The hash of one leaf: 32 bytes."""
    return hashlib.sha256(_LEAF + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of a node over two subtrees."""
    return hashlib.sha256(_NODE + left + right).digest()


def root(hashes: Sequence[bytes]) -> bytes:
    """The root over all of them, MTH of §2.1.1; that of an empty tree for none."""
    if not hashes:
        return hashlib.sha256().digest()
    if len(hashes) == 1:
        return hashes[0]
    split = _split(len(hashes))
    return node_hash(root(hashes[:split]), root(hashes[split:]))


def inclusion_proof(hashes: Sequence[bytes], index: int) -> list[bytes]:
    """What proves that `hashes[index]` stands there under the root: PATH of §2.1.3.1, lowest first."""
    if len(hashes) == 1:
        return []
    split = _split(len(hashes))
    if index < split:
        return [*inclusion_proof(hashes[:split], index), root(hashes[split:])]
    return [*inclusion_proof(hashes[split:], index - split), root(hashes[:split])]


def consistency_proof(hashes: Sequence[bytes], first: int) -> list[bytes]:
    """What proves that the tree of the `first` hashes, one at least, began this one: PROOF of §2.1.4.1."""
    return _subproof(hashes, first, is_known=True)


def _subproof(hashes: Sequence[bytes], first: int, *, is_known: bool) -> list[bytes]:
    """SUBPROOF; `is_known` while the verifier has the root of these `first` hashes: it was told it before."""
    if first == len(hashes):
        return [] if is_known else [root(hashes)]
    split = _split(len(hashes))
    if first <= split:
        return [*_subproof(hashes[:split], first, is_known=is_known), root(hashes[split:])]
    return [*_subproof(hashes[split:], first - split, is_known=False), root(hashes[:split])]


def _split(count: int) -> int:
    """The largest power of two below `count`, which is two at least."""
    return 1 << ((count - 1).bit_length() - 1)
