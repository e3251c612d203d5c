"""The values of counted things in the memory of a process: a compact base, and the values that changed since.

The base has no object per thing: sorted keys, offsets, and the encoded values one after the other. 100,000 things with
three numbers each take 4 MB.
"""

import hashlib
import sys
import zlib
from array import array
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Generic, TypeVar

import msgspec

V = TypeVar("V")
_HASHED = 1 << 63  # keys of things whose name is no number
_BASE = msgspec.msgpack.Decoder(tuple[bytes, bytes, bytes])
_encode = msgspec.msgpack.Encoder().encode


class CountCodec(Generic[V]):
    """Encodes and decodes values of type `kind`, which can be any type that msgspec knows."""

    def __init__(self, kind: type[V]) -> None:
        self.value: msgspec.msgpack.Decoder[V] = msgspec.msgpack.Decoder(kind)
        self._changes: msgspec.msgpack.Decoder[dict[str, V | None]] = msgspec.msgpack.Decoder(
            dict[str, kind | None]  # type: ignore[valid-type]
        )

    def pack(self, changes: Mapping[str, V | None]) -> bytes:
        """The values of some things, compressed; None: the thing has no value any more."""
        return zlib.compress(_encode(changes), 1)

    def unpack(self, body: bytes) -> dict[str, V | None]:
        """The opposite of `pack`."""
        return self._changes.decode(zlib.decompress(body))


class CountValues(Generic[V]):
    """The values of all things at one sequence number. Only one thread may change them at a time."""

    def __init__(self, codec: CountCodec[V], sequence: int = 0, base: bytes | None = None) -> None:
        self.sequence = sequence
        self._codec = codec
        self._changed: dict[str, V | None] = {}
        self._first = sequence  # of the base
        self._things: list[Collection[str]] = []  # of each delta since
        keys, offsets, self._body = _BASE.decode(zlib.decompress(base)) if base else (b"", bytes(8), b"")
        self._keys, self._offsets = _numbers(keys), _numbers(offsets)
        self._view = memoryview(self._body)

    def get(self, thing: str) -> V | None:
        """The value of a thing; None if it was never counted."""
        if thing in self._changed:
            return self._changed[thing]
        key = _key(thing)
        place = bisect_left(self._keys, key)
        if place == len(self._keys) or self._keys[place] != key:
            return None
        return self._codec.value.decode(self._view[self._offsets[place] : self._offsets[place + 1]])

    def apply(self, changes: Mapping[str, V | None], sequence: int) -> None:
        """Set the values of some things."""
        self._changed.update(changes)
        self._things.append(tuple(changes))
        self.sequence = sequence

    def numbered(self) -> Iterator[tuple[int, V]]:
        """All things whose name is a number, with their values."""
        changed = {key: value for thing, value in dict(self._changed).items() if (key := _key(thing)) < _HASHED}
        decode = self._codec.value.decode
        yield from ((key, decode(body)) for key, body in self._encoded() if key < _HASHED and key not in changed)
        yield from ((key, value) for key, value in changed.items() if value is not None)

    def changed_after(self, sequence: int) -> set[str]:
        """The things that changed after an earlier number of this object."""
        return {thing for things in self._things[sequence - self._first :] for thing in things}

    def packed(self) -> bytes:
        """All values, in the form that the constructor accepts."""
        changed = {_key(thing): value for thing, value in dict(self._changed).items()}
        kept = {key: body for key, body in self._encoded() if key not in changed}
        return _pack(kept | {key: _encode(value) for key, value in changed.items() if value is not None})

    def _encoded(self) -> Iterator[tuple[int, bytes]]:
        for key, (start, end) in zip(self._keys, pairwise(self._offsets), strict=True):
            yield key, self._body[start:end]


def pack_all(values: Iterable[tuple[str, V]]) -> bytes:
    """The values of all things, in the form that the constructor of CountValues accepts."""
    return _pack({_key(thing): _encode(value) for thing, value in values})


def _pack(encoded: Mapping[int, bytes]) -> bytes:
    keys, offsets = array("Q", sorted(encoded)), array("Q", [0])
    for key in keys:
        offsets.append(offsets[-1] + len(encoded[key]))
    body = b"".join(encoded[key] for key in keys)
    return zlib.compress(_encode((_portable(keys), _portable(offsets), body)), 1)


def _key(thing: str) -> int:
    """A number for a thing: its own number, or 63 bits of a hash."""
    if thing.isascii() and thing.isdecimal() and thing[0] != "0" and len(thing) < 19:
        return int(thing)
    return _HASHED | int.from_bytes(hashlib.blake2b(thing.encode(), digest_size=8).digest())


def _numbers(stored: bytes) -> "array[int]":
    numbers = array("Q")
    numbers.frombytes(stored)
    return _little(numbers)


def _portable(numbers: "array[int]") -> bytes:
    return _little(numbers[:]).tobytes()


def _little(numbers: "array[int]") -> "array[int]":
    """Swap the bytes on a big-endian machine: stored numbers are little-endian."""
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers
