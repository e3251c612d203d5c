"""The Merkle tree of RFC 6962 in tiles of 256 hashes (C2SP tlog-tiles). Pure functions on bytes.

A tile is the hashes of 256 neighbours, one after the other: at level 0 of leaves, above of the tiles below. Only the
last tile of a level has fewer.
"""

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256

HEIGHT = 8
WIDTH = 1 << HEIGHT  # hashes in a full tile
HASH_BYTES = 32
EMPTY_ROOT = sha256(b"").digest()

TileKey = tuple[int, int]  # level and position
TileOf = Callable[[int, int], bytes]  # the hashes of the tile at a level and a position


def leaf_hash(entry: bytes) -> bytes:
    """The hash of an entry."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of two neighbouring subtrees."""
    return sha256(b"\x01" + left + right).digest()


def root_of(hashes: Sequence[bytes]) -> bytes:
    """The root over neighbouring subtrees of one size, of which the last can be smaller."""
    if not hashes:
        return EMPTY_ROOT
    if len(hashes) == 1:
        return hashes[0]
    half = 1 << (len(hashes) - 1).bit_length() - 1
    return node_hash(root_of(hashes[:half]), root_of(hashes[half:]))


def split(tile: bytes) -> list[bytes]:
    """The hashes of a tile."""
    return [tile[start : start + HASH_BYTES] for start in range(0, len(tile), HASH_BYTES)]


def extended(size: int, leaves: Iterable[bytes], tile_of: TileOf) -> dict[TileKey, bytes]:
    """The tiles that change when `leaves` (hashes) are appended to a tree of `size` entries."""
    changed: dict[TileKey, bytearray] = {}

    def append(level: int, number: int, node: bytes) -> None:
        key = level, number // WIDTH
        if key not in changed:
            changed[key] = bytearray(tile_of(*key) if number % WIDTH else b"")
        changed[key] += node
        if number % WIDTH == WIDTH - 1:
            append(level + 1, number // WIDTH, root_of(split(bytes(changed[key]))))

    for number, leaf in enumerate(leaves, size):
        append(0, number, leaf)
    return {key: bytes(tile) for key, tile in changed.items()}


def root_at(size: int, tile_of: TileOf) -> bytes:
    """The root of the first `size` entries."""
    return _root_of_range(0, size, tile_of) if size else EMPTY_ROOT


def inclusion_proof(index: int, size: int, tile_of: TileOf) -> list[bytes]:
    """The proof of the entry `index` in the tree of `size` entries, from the leaf upwards (RFC 6962, 2.1.1)."""
    proof, start, end = [], 0, size
    while end - start > 1:
        middle = start + _half(end - start)
        if index < middle:
            proof.append(_root_of_range(middle, end, tile_of))
            end = middle
        else:
            proof.append(_root_of_range(start, middle, tile_of))
            start = middle
    return proof[::-1]


def consistency_proof(old: int, size: int, tile_of: TileOf) -> list[bytes]:
    """The proof that the tree of `size` entries extends that of the first `old` ones (RFC 6962, 2.1.2)."""
    proof, start, end, is_whole = [], 0, size, True
    while old not in (start, end):
        middle = start + _half(end - start)
        if old <= middle:
            proof.append(_root_of_range(middle, end, tile_of))
            end = middle
        else:
            proof.append(_root_of_range(start, middle, tile_of))
            start, is_whole = middle, False
    if old == end and not is_whole:
        proof.append(_root_of_range(start, end, tile_of))
    return proof[::-1]


def _half(count: int) -> int:
    """The largest power of two below `count`."""
    return 1 << (count - 1).bit_length() - 1


def _root_of_range(start: int, end: int, tile_of: TileOf) -> bytes:
    """The root of the entries from `start` to `end`, where `start` is a multiple of the largest subtree in between."""
    count = end - start
    level = 0
    while start % WIDTH ** (level + 1) == 0 and count >= WIDTH ** (level + 1):
        level += 1
    step = WIDTH**level
    if count % step == 0 and start // step // WIDTH == (end // step - 1) // WIDTH:
        tile = tile_of(level, start // step // WIDTH)
        first, last = start // step % WIDTH, (end // step - 1) % WIDTH + 1
        return root_of(split(tile[first * HASH_BYTES : last * HASH_BYTES]))
    middle = start + _half(count)
    return node_hash(_root_of_range(start, middle, tile_of), _root_of_range(middle, end, tile_of))


class GrowingTree:
    """The root of a tree to which leaves are appended one by one; its memory is a few hashes."""

    def __init__(self) -> None:
        self.size = 0
        self._whole: list[tuple[int, bytes]] = []  # the whole subtrees, largest first: number of leaves and root

    def append(self, leaf: bytes) -> None:
        """Append the hash of an entry."""
        self.size += 1
        count, node = 1, leaf
        while self._whole and self._whole[-1][0] == count:
            node = node_hash(self._whole.pop()[1], node)
            count *= 2
        self._whole.append((count, node))

    @property
    def root(self) -> bytes:
        """The root of the leaves so far."""
        if not self._whole:
            return EMPTY_ROOT
        root = self._whole[-1][1]
        for _, left in reversed(self._whole[:-1]):
            root = node_hash(left, root)
        return root
