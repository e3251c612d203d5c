"""A long text of many small ones, such as a list of all packages, in compressed blocks: a change costs its block.

The blocks depend only on the keys and their order, never on earlier changes, so all processes have the same ones. A
block begins at each key whose checksum is a multiple of MEAN; an insertion moves no other border.
"""

import hashlib
import zlib
from array import array
from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from threading import Lock

import msgspec

from chalicelib.core.catalogues import segments
from chalicelib.core.catalogues.segments import Segment

MEAN = 64  # keys in a block
MOST = 256
TEXT_BYTES = 64 * 1024 * 1024

Render = Callable[[Sequence[str]], bytes]


@dataclass(frozen=True)
class Frame:
    """The texts before the first block, between two, and after the last; `empty` is the whole text without blocks."""

    head: bytes
    between: bytes
    tail: bytes
    empty: bytes


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive keys and their text, which can be empty.

    The segment begins with the frame's text between two blocks, also that of the first block.
    """

    keys: Sequence[str]
    segment: Segment
    digest: bytes
    lines: int  # the number of line ends in the segment


class _Stored(msgspec.Struct, frozen=True, array_like=True, gc=False):
    keys: bytes  # the number of each key
    lengths: bytes  # the number of keys of each block
    segments: list[tuple[bytes, int, int]]
    digests: list[bytes]
    lines: bytes  # of each block


_encode = msgspec.msgpack.Encoder().encode
_STORED = msgspec.msgpack.Decoder(_Stored)


class Blocks:
    """The blocks of a text. They never change: `arranged` returns new ones, which share the unchanged blocks."""

    __slots__ = ("blocks", "frame")

    def __init__(self, frame: Frame, blocks: tuple[Block, ...] = ()) -> None:
        self.frame = frame
        self.blocks = blocks

    @property
    def lines(self) -> int:
        """The number of line ends in the blocks, with those between them."""
        return sum(block.lines for block in self.blocks) - (self.frame.between.count(b"\n") if self.filled else 0)

    @property
    def size(self) -> int:
        """The size in bytes of the compressed blocks."""
        return sum(len(block.segment.deflated) for block in self.blocks)

    @property
    def text_size(self) -> int:
        """The size in bytes of the whole text."""
        frame, filled = self.frame, self.filled
        if not filled:
            return len(frame.empty)
        return len(frame.head) - len(frame.between) + sum(block.segment.size for block in filled) + len(frame.tail)

    @property
    def filled(self) -> list[Block]:
        """The blocks that have a text."""
        return [block for block in self.blocks if block.segment.size]

    def arranged(self, order: Sequence[str], changed: Collection[str], render: Render) -> "Blocks":
        """The blocks of the keys `order`, each of which occurs once.

        `render` returns the text of consecutive keys. It is called for the blocks that are not in these blocks with the
        same keys, or that contain a key in `changed`, which must include all new keys.
        """
        borders = {block.keys[0] for block in self.blocks if _is_border(block.keys[0])}
        borders.update(filter(_is_border, changed))
        known = {block.keys[0]: block for block in self.blocks}
        changed = frozenset(changed)

        def block_of(keys: Sequence[str]) -> Block:
            block = known.get(keys[0])
            if block is None or block.keys != keys or not changed.isdisjoint(keys):
                text = render(keys)
                return _block(keys, self.frame.between + text if text else b"")
            return block

        return Blocks(self.frame, tuple(map(block_of, _divided(order, borders))))

    def replaced(self, old: bytes, new: bytes) -> "Blocks":
        """The blocks with another part in all their texts."""
        texts = (block.segment.text.replace(old, new) for block in self.blocks)
        return Blocks(self.frame, tuple(map(_block, (block.keys for block in self.blocks), texts)))

    def encoded(self, numbers: Mapping[str, int]) -> bytes:
        """The blocks as bytes, for `decode`; the number of a key stands for the key."""
        keys = array("I", (numbers[key] for block in self.blocks for key in block.keys))
        lengths = array("I", (len(block.keys) for block in self.blocks))
        lines = array("I", (block.lines for block in self.blocks))
        parts = [block.segment for block in self.blocks]
        segments = [(part.deflated, part.crc, part.size) for part in parts]
        digests = [block.digest for block in self.blocks]
        return _encode(_Stored(keys.tobytes(), lengths.tobytes(), segments, digests, lines.tobytes()))

    def whole(self) -> Segment:
        """The whole text, compressed."""
        filled = self.filled
        if not filled:
            return segments.compress(self.frame.empty)
        first, others = segments.compress(self.frame.head + self._text_of_first(filled[0])), filled[1:]
        return segments.join([first, *(block.segment for block in others), segments.compress(self.frame.tail)])

    def text(self, before: "Blocks | None" = None, text: bytes = b"") -> bytes:
        """The whole text. The unchanged parts are copied from `text`, which is that of `before`."""
        filled = self.filled
        if not filled:
            return self.frame.empty
        known = dict(before._places(memoryview(text))) if before else {}
        others = (known.get(id(block)) or block.segment.text for block in filled[1:])
        return b"".join((self.frame.head, self._text_of_first(filled[0]), *others, self.frame.tail))

    def etag(self) -> str:
        """The strong ETag of the whole text, if the frame's texts are constant."""
        digests = b"".join(block.digest for block in self.filled)
        return f'"{hashlib.sha256(digests).hexdigest()[:32]}"'

    def _text_of_first(self, block: Block) -> bytes:
        return block.segment.text[len(self.frame.between) :]

    def _places(self, text: memoryview) -> Iterator[tuple[int, memoryview]]:
        """The text of each block except the first, by the identity of the block."""
        position = len(self.frame.head) - len(self.frame.between)
        for number, block in enumerate(self.filled):
            if number:
                yield id(block), text[position : position + block.segment.size]
            position += block.segment.size


def decode(frame: Frame, body: bytes, keys: Sequence[str]) -> Blocks:
    """The blocks that `Blocks.encoded` has encoded; `keys` has the key of each number. Raises ValueError."""
    stored = _STORED.decode(body)
    own = list(map(keys.__getitem__, array("I", stored.keys)))
    ends = list(accumulate(array("I", stored.lengths)))
    parts = [own[start:end] for start, end in zip([0, *ends], ends, strict=False)]
    found = (Segment(*segment) for segment in stored.segments)
    return Blocks(frame, tuple(map(Block, parts, found, stored.digests, array("I", stored.lines))))


class Texts:
    """The newest uncompressed texts, at most TEXT_BYTES together. A new one copies the parts that have not changed."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._texts: OrderedDict[Hashable, tuple[Blocks, bytes]] = OrderedDict()

    def of(self, name: Hashable, blocks: Blocks) -> bytes:
        """The whole text of the blocks; `name` identifies their successive states."""
        with self._lock:
            before, text = self._texts.pop(name, (None, b""))
        if before is not blocks:
            text = blocks.text(before, text)
        with self._lock:
            self._texts[name] = (blocks, text)
            while sum(len(text) for _, text in self._texts.values()) > TEXT_BYTES:
                self._texts.popitem(last=False)
        return text


def _block(keys: Sequence[str], text: bytes) -> Block:
    return Block(keys, segments.compress(text), hashlib.sha256(text).digest(), text.count(b"\n"))


def _divided(order: Sequence[str], borders: Collection[str]) -> Iterator[Sequence[str]]:
    """The keys of each block. A key of `borders` begins one; a block of MOST keys is followed by another."""
    starts = [position for position, key in enumerate(order) if key in borders]
    for start, end in zip([0, *starts], [*starts, len(order)], strict=True):
        for position in range(start, end, MOST):
            yield order[position : min(position + MOST, end)]


def _is_border(key: str) -> bool:
    return zlib.crc32(key.encode()) % MEAN == 0
