"""Entries of a catalogue as records: compressed one by one, so that a process decodes only the entries that it needs.

A record is the entry's position (8 bytes), the number of its groups (2 bytes), the number of each group (8 bytes), and
the encoded entry, deflated with a dictionary that all entries of a catalogue share. All integers are little-endian.
"""

import struct
import zlib
from collections.abc import Callable, Hashable, Iterable, Sequence
from hashlib import blake2b
from itertools import islice
from typing import Any, Generic, TypeVar, cast

import msgspec

from chalicelib.core.catalogues.entries import Codec, E

T = TypeVar("T")

LONGEST_DICTIONARY = 8 * 1024  # bytes; a longer one makes records hardly shorter, and twice as slow to write
_SAMPLE = 1024  # bytes of an entry in the dictionary
_WINDOW = 13  # log2 of the bytes that deflate refers back to
_MEMORY = 6  # deflate's; its state is copied for each record
_FEWEST_SAMPLES = 64
SAMPLES = 256  # entries from which a dictionary is made
_HEADER = struct.Struct("<qH")
_NUMBER = 8  # bytes of a group's number
_POSITION = 8  # bytes


class Entry(Generic[E]):
    """A public entry under its key, and cached values derived from it.

    `position` orders the entries of a snapshot: a changed entry keeps its position, a new one is the last.
    """

    __slots__ = ("_cache", "key", "position", "value")

    def __init__(self, key: str, value: E, position: int = 0) -> None:
        self._cache: dict[Hashable, Any] = {}
        self.key = key
        self.value = value
        self.position = position

    def cached(self, name: Hashable, build: Callable[["Entry[E]"], T]) -> T:
        """The result of `build(entry)`, cached with this object.

        A process keeps few entries of a large catalogue decoded. Results that every request needs belong to a shard,
        see `Shard.cached`.
        """
        if name not in self._cache:
            self._cache[name] = build(self)
        return cast(T, self._cache[name])


GroupsOf = Callable[[Entry[E]], Iterable[Hashable]]


class Packing(Generic[E]):
    """Makes records of entries, and entries of records.

    `groups_of` returns the names of an entry's groups: strings, numbers and tuples of these. They are stored as numbers
    of 64 bits, so that a group is found without its entries being decoded.
    """

    def __init__(self, codec: Codec[E], groups_of: GroupsOf[E] | None = None, dictionary: bytes = b"") -> None:
        self.codec = codec
        self.groups_of = groups_of
        self.dictionary = dictionary
        self._deflate = zlib.compressobj(6, zlib.DEFLATED, -_WINDOW, _MEMORY, zlib.Z_DEFAULT_STRATEGY, dictionary)

    def with_dictionary(self, dictionary: bytes) -> "Packing[E]":
        """The same packing with this dictionary."""
        return self if dictionary == self.dictionary else Packing(self.codec, self.groups_of, dictionary)

    def trained(self, values: Iterable[E]) -> "Packing[E]":
        """The same packing with a dictionary of some typical entries; without one if there are few."""
        samples = [self.codec.encode(value)[:_SAMPLE] for value in islice(values, SAMPLES)]
        step = max(1, sum(map(len, samples)) // LONGEST_DICTIONARY)
        dictionary = b"".join(samples[::step])[-LONGEST_DICTIONARY:]
        return self.with_dictionary(dictionary if len(samples) >= _FEWEST_SAMPLES else b"")

    def pack(self, entry: Entry[E]) -> bytes:
        """The record of an entry."""
        names = self.groups_of(entry) if self.groups_of else ()
        groups = b"".join(sorted({_number(name) for name in names}))
        deflate = self._deflate.copy()
        body = deflate.compress(self.codec.encode(entry.value)) + deflate.flush()
        return _HEADER.pack(entry.position, len(groups) // _NUMBER) + groups + body

    def unpack(self, key: str, record: bytes) -> Entry[E]:
        """The entry of a record that this code can decode."""
        entry = self.unpack_known(key, record, self.codec.shape)
        assert entry is not None
        return entry

    def unpack_known(self, key: str, record: bytes, shape: int) -> Entry[E] | None:
        """The entry of a record by code of another shape; None for a kind of entry that this code does not know."""
        position, groups = _HEADER.unpack_from(record)
        body = memoryview(record)[_HEADER.size + _NUMBER * groups :]
        encoded = zlib.decompressobj(-zlib.MAX_WBITS, self.dictionary).decompress(body)
        value = self.codec.decode(encoded, shape)
        return None if value is None else Entry(key, value, position)


def position_of(record: bytes) -> int:
    """The position of a record's entry."""
    return cast(int, _HEADER.unpack_from(record)[0])


def checksum_of(record: bytes) -> int:
    """The CRC-32 of an entry and its groups, without its position, which a rebuild changes."""
    return zlib.crc32(record[_POSITION:])


def groups_of(record: bytes) -> Sequence[int]:
    """The numbers of the groups of a record's entry."""
    count = _HEADER.unpack_from(record)[1]
    return struct.unpack_from(f"<{count}Q", record, _HEADER.size)


def group_number(name: Hashable) -> int:
    """The number of the group with this name."""
    return int.from_bytes(_number(name), "little")


def _number(name: Hashable) -> bytes:
    return blake2b(msgspec.msgpack.encode(name), digest_size=_NUMBER).digest()
