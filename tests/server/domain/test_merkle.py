"""The tree: the test vectors that Certificate Transparency publishes, worked out, and every proof of small trees."""

import pytest

from client_sync.protocol.anchors import is_consistent
from server.commands.audit_verify import Frontier, root_along
from server.domain.merkle import consistency_proof, inclusion_proof, leaf_hash, node_hash, root

# Leaves, roots and proofs of the reference implementation (google/certificate-transparency, merkletree tests).
LEAVES = [
    bytes.fromhex(text)
    for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
HASHES = [leaf_hash(leaf) for leaf in LEAVES]
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
INCLUSIONS = {
    (0, 1): [],
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 3): ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
    (1, 5): [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}
CONSISTENCIES = {
    (1, 1): [],
    (1, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (6, 8): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 5): [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}
LARGEST = 40
MANY = [leaf_hash(bytes([number])) for number in range(LARGEST)]


def _grew(first: int, second: int, proof: list[bytes]) -> bool:
    return is_consistent((first, root(MANY[:first])), (second, root(MANY[:second])), b"".join(proof))


def test_roots_are_those_published() -> None:
    assert root([]).hex() == EMPTY
    assert [root(HASHES[:size]).hex() for size in range(1, 9)] == ROOTS


def test_verifier_grows_the_same_roots_leaf_by_leaf() -> None:
    tree = Frontier()
    assert tree.root().hex() == EMPTY
    found = []
    for each in HASHES:
        tree.push(each)
        found.append(tree.root().hex())
    assert found == ROOTS


@pytest.mark.parametrize(("index", "size"), INCLUSIONS)
def test_inclusion_proofs_are_those_published(index: int, size: int) -> None:
    assert [each.hex() for each in inclusion_proof(HASHES[:size], index)] == INCLUSIONS[index, size]


@pytest.mark.parametrize(("first", "second"), CONSISTENCIES)
def test_consistency_proofs_are_those_published(first: int, second: int) -> None:
    assert [each.hex() for each in consistency_proof(HASHES[:second], first)] == CONSISTENCIES[first, second]


def test_every_inclusion_proof_leads_to_the_root_and_no_other_leaf_does() -> None:
    for size in range(1, LARGEST + 1):
        hashes = MANY[:size]
        for index in range(size):
            path = inclusion_proof(hashes, index)
            assert root_along(hashes[index], index, size, path) == root(hashes)
            assert root_along(leaf_hash(b"other"), index, size, path) != root(hashes)
            assert root_along(hashes[index], index, size, [*path, path[0] if path else hashes[0]]) is None


def test_every_consistency_proof_holds_and_holds_for_nothing_else() -> None:
    for second in range(1, LARGEST + 1):
        for first in range(1, second + 1):
            proof = consistency_proof(MANY[:second], first)
            assert _grew(first, second, proof)
            for spoilt in _spoilt(proof):
                assert not _grew(first, second, spoilt)
            roots = root(MANY[:first]), root(MANY[:second])
            assert not is_consistent((first, leaf_hash(b"other")), (second, roots[1]), b"".join(proof))
            assert not is_consistent((first, roots[0]), (second, leaf_hash(b"other")), b"".join(proof))


def _spoilt(proof: list[bytes]) -> list[list[bytes]]:
    flipped = [[*proof[:at], leaf_hash(each), *proof[at + 1 :]] for at, each in enumerate(proof)]
    return [*flipped, proof[:-1], [*proof, proof[-1]]] if proof else [[leaf_hash(b"more")]]


@pytest.mark.parametrize(("first", "second"), [(0, 3), (4, 3)])
def test_nothing_grew_out_of_nothing_or_out_of_more(first: int, second: int) -> None:
    assert not is_consistent((first, root(MANY[:first])), (second, root(MANY[:second])), b"")


def test_half_a_hash_is_no_proof() -> None:
    proof = b"".join(consistency_proof(MANY[:5], 3))
    assert not is_consistent((3, root(MANY[:3])), (5, root(MANY[:5])), proof[:-1])


def test_roots_of_blocks_stand_for_their_leaves() -> None:
    blocks = [root(MANY[at : at + 4]) for at in range(0, 24, 4)]
    assert root(blocks) == root(MANY[:24])
    assert consistency_proof(blocks, 3) == consistency_proof(MANY[:24], 12)
    path = inclusion_proof(MANY[8:12], 1) + inclusion_proof(blocks, 2)
    assert path == inclusion_proof(MANY[:24], 9)


def test_a_node_can_not_be_passed_off_as_a_leaf() -> None:
    left, right = HASHES[:2]
    assert leaf_hash(left + right) != node_hash(left, right) == root(HASHES[:2])


def test_padding_by_whole_subtrees_is_padding_leaf_by_leaf() -> None:
    for size in range(12):
        for target in range(size, 40):
            quick, slow = Frontier(), MANY[:size] + [leaf_hash(b"")] * (target - size)
            for each in MANY[:size]:
                quick.push(each)
            quick.pad(target)
            assert (quick.size, quick.root()) == (target, root(slow))
