"""The Merkle tree in tiles: RFC 6962's definitions, proofs for every size, tiles of several levels."""

from hashlib import sha256

import pytest

from chalicelib.core.transparency import tree

# The test leaves of Certificate Transparency's reference implementation, and the roots of its first trees.
LEAVES = [bytes.fromhex(text) for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657")]
LEAVES.append(bytes.fromhex("606162636465666768696a6b6c6d6e6f"))
ROOTS = {
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    4: "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    5: "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    6: "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    7: "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}


class Tiles:
    """A tree in memory."""

    def __init__(self) -> None:
        self.tiles: dict[tuple[int, int], bytes] = {}
        self.size = 0

    def append(self, *leaves: bytes) -> None:
        self.tiles |= tree.extended(self.size, leaves, self.tile_of)
        self.size += len(leaves)

    def tile_of(self, level: int, position: int) -> bytes:
        return self.tiles.get((level, position), b"")


def defined_root(hashes: list[bytes]) -> bytes:
    """The Merkle tree hash by its definition in RFC 6962, 2.1."""
    if len(hashes) == 1:
        return hashes[0]
    half = 1
    while half * 2 < len(hashes):
        half *= 2
    return sha256(b"\x01" + defined_root(hashes[:half]) + defined_root(hashes[half:])).digest()


def included(leaf: bytes, index: int, size: int, proof: list[bytes]) -> bytes:
    """The root that a proof leads to, by the algorithm of RFC 9162, 2.1.3.2."""
    first, last, found = index, size - 1, leaf
    for each in proof:
        assert last != 0
        if first % 2 or first == last:
            found = tree.node_hash(each, found)
            while not first % 2 and first:
                first, last = first // 2, last // 2
        else:
            found = tree.node_hash(found, each)
        first, last = first // 2, last // 2
    assert last == 0
    return found


def consistent(old: int, size: int, old_root: bytes, proof: list[bytes]) -> bytes:
    """The new root that a proof of consistency leads to, by the algorithm of RFC 9162, 2.1.4.2."""
    path = [old_root, *proof] if old & (old - 1) == 0 else proof
    first, last = old - 1, size - 1
    while first % 2:
        first, last = first // 2, last // 2
    before = after = path[0]
    for each in path[1:]:
        assert last != 0
        if first % 2 or first == last:
            before, after = tree.node_hash(each, before), tree.node_hash(each, after)
            while not first % 2 and first:
                first, last = first // 2, last // 2
        else:
            after = tree.node_hash(after, each)
        first, last = first // 2, last // 2
    assert last == 0
    assert before == old_root
    return after


@pytest.mark.parametrize("size", ROOTS)
def test_the_roots_are_those_of_certificate_transparency(size: int) -> None:
    tiles, growing = Tiles(), tree.GrowingTree()
    for leaf in LEAVES[:size]:
        tiles.append(tree.leaf_hash(leaf))
        growing.append(tree.leaf_hash(leaf))
    assert tree.root_at(size, tiles.tile_of).hex() == growing.root.hex() == ROOTS[size]


def test_an_empty_tree_has_the_hash_of_nothing_as_its_root() -> None:
    assert tree.root_at(0, Tiles().tile_of) == tree.GrowingTree().root == sha256(b"").digest()


def test_all_proofs_of_small_trees_hold() -> None:
    leaves = [tree.leaf_hash(bytes([number])) for number in range(40)]
    tiles = Tiles()
    for size, leaf in enumerate(leaves, 1):
        tiles.append(leaf)
        root = defined_root(leaves[:size])
        assert tree.root_at(size, tiles.tile_of) == root
        for index in range(size):
            assert included(leaves[index], index, size, tree.inclusion_proof(index, size, tiles.tile_of)) == root
        for old in range(1, size):
            proof = tree.consistency_proof(old, size, tiles.tile_of)
            assert consistent(old, size, defined_root(leaves[:old]), proof) == root
        assert tree.consistency_proof(size, size, tiles.tile_of) == []


def test_a_tree_of_three_levels_of_tiles_has_the_same_roots_and_proofs() -> None:
    leaves = [tree.leaf_hash(number.to_bytes(4, "big")) for number in range(256 * 256 + 300)]
    tiles, growing = Tiles(), tree.GrowingTree()
    for start in range(0, len(leaves), 97):
        tiles.append(*leaves[start : start + 97])
    roots = {}
    for number, leaf in enumerate(leaves, 1):
        growing.append(leaf)
        if number in (255, 256, 257, 65_535, 65_536, 65_537, len(leaves)):
            roots[number] = growing.root
    assert roots == {size: tree.root_at(size, tiles.tile_of) for size in roots}
    size, root = len(leaves), roots[len(leaves)]
    for index in (0, 255, 256, 65_535, 65_536, 65_800, size - 1):
        assert included(leaves[index], index, size, tree.inclusion_proof(index, size, tiles.tile_of)) == root
    for old in [old for old in roots if old < size]:
        assert consistent(old, size, roots[old], tree.consistency_proof(old, size, tiles.tile_of)) == root
    assert {level: max(position for at, position in tiles.tiles if at == level) for level in range(3)} == {
        0: 257,
        1: 1,
        2: 0,
    }
