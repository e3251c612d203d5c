"""The shards of a snapshot: entries by a hash of their keys. A change replaces one shard and leaves the others."""

import threading
import zlib
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from typing import Any, Generic, TypeVar, cast

from chalicelib.core.catalogues.entries import E
from chalicelib.core.catalogues.packing import Entry, Packing, position_of

SHARDS = 128
HELD_BYTES = 16 * 1024  # of records whose entries a shard keeps decoded

T = TypeVar("T")


def number_of(key: str) -> int:
    """The number of the shard with this key. Stored data depend on it."""
    return zlib.crc32(key.encode()) % SHARDS


class Shard(Generic[E]):
    """The entries of one shard; immutable. `records` are its entries by key, in the order of their positions.

    Entries are decoded when they are read. The most recently read ones stay decoded, so a small catalogue has all of
    them in memory.
    """

    __slots__ = ("_cache", "_held", "_held_bytes", "_lock", "packing", "records")

    def __init__(self, packing: Packing[E], records: Mapping[str, bytes]) -> None:
        self.packing = packing
        self.records = records
        self._cache: dict[Hashable, Any] = {}
        self._held: dict[str, Entry[E]] = {}
        self._held_bytes = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self.records)

    def __contains__(self, key: object) -> bool:
        return key in self.records

    def __getitem__(self, key: str) -> Entry[E]:
        entry = self._held.get(key)
        if entry is None:
            entry = self.packing.unpack(key, self.records[key])
            self._hold(entry)
        return entry

    def entries(self) -> Iterator[Entry[E]]:
        """All entries, in the order of their positions."""
        return self.read(self.records)

    def read(self, keys: Iterable[str]) -> Iterator[Entry[E]]:
        """The entries of these keys. A long list does not displace the entries that stay decoded."""
        for key in keys:
            entry = self._held.get(key)
            if entry is None:
                entry = self.packing.unpack(key, self.records[key])
                if self._held_bytes < HELD_BYTES:
                    self._hold(entry)
            yield entry

    def cached(self, name: Hashable, build: Callable[["Shard[E]"], T]) -> T:
        """The result of `build(shard)`, cached until an entry of this shard changes.

        `name` must not come from a request, because nothing is evicted before the next change.
        """
        if name not in self._cache:
            self._cache[name] = build(self)
        return cast(T, self._cache[name])

    def changed(self, changes: Iterable[tuple[str, E | None, int]]) -> "Shard[E]":
        """The shard after changes of (key, new entry or None, position of a new entry).

        A changed entry keeps its position. Unchanged entries that are decoded stay the same objects.
        """
        shard = Shard(self.packing, dict(self.records))
        shard._held = dict(self._held)
        for key, value, position in changes:
            shard._change(key, value, position)
        shard._held_bytes = sum(len(shard.records[key]) for key in shard._held)
        return shard

    def repacked(self, packing: Packing[E], shape: int) -> "Shard[E]":
        """The same entries as records of `packing`, without those that code of a newer `shape` wrote in its own way."""
        read = self.packing.unpack_known
        decoded = (self._held.get(key) or read(key, record, shape) for key, record in self.records.items())
        shard = Shard(packing, {entry.key: packing.pack(entry) for entry in decoded if entry})
        shard._cache = self._cache
        shard._held = dict(self._held)
        shard._held_bytes = sum(len(shard.records[key]) for key in shard._held)
        return shard

    def _change(self, key: str, value: E | None, position: int) -> None:
        records = cast(dict[str, bytes], self.records)  # only `changed` calls this, for a new shard
        old = records.get(key)
        if value is None:
            records.pop(key, None)
            self._held.pop(key, None)
            return
        entry = Entry(key, value, position if old is None else position_of(old))
        records[key] = self.packing.pack(entry)
        self._held[key] = entry

    def or_equal(self, known: "Shard[E]") -> "Shard[E]":
        """`known` if it has the same records, else this shard, with those decoded entries of `known` that are equal."""
        if self.packing.dictionary != known.packing.dictionary:
            return self
        if self.records == known.records:
            return known
        for key, entry in list(known._held.items()):
            if self.records.get(key) == known.records[key]:
                self._hold(entry)
        return self

    def _hold(self, entry: Entry[E]) -> None:
        """Keep an entry decoded, instead of those that were read first."""
        with self._lock:
            if entry.key not in self._held:
                self._held[entry.key] = entry
                self._held_bytes += len(self.records[entry.key])
            while self._held_bytes > HELD_BYTES and len(self._held) > 1:
                oldest = next(iter(self._held))
                del self._held[oldest]
                self._held_bytes -= len(self.records[oldest])
