"""A catalogue in the memory of a process: its entries in shards, and values derived from them."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable, ItemsView, Iterable, Iterator, Mapping, Sequence, ValuesView
from itertools import chain
from typing import Any, Generic, TypeVar, cast, overload

from chalicelib.core.catalogues.entries import E
from chalicelib.core.catalogues.packing import Entry, Packing, position_of
from chalicelib.core.catalogues.shards import SHARDS, Shard, number_of

__all__ = ["Entries", "Entry", "Selection", "Shard", "Snapshot", "Value"]

LRU_RESULTS = 256  # per snapshot
LRU_BYTES = 64 * 1024 * 1024
_REBUILT = -(2**62)  # the position of a rebuilt catalogue's first entry: before all sequence numbers

T = TypeVar("T")
Value = dict[str, Any]


class Entries(Mapping[str, Entry[E]]):
    """All entries of a snapshot or of a group, by key, in the order in which they were added.

    An iteration decodes each entry, and reads the positions of all. So it takes a second for 100,000 entries: a result
    that every request needs is better derived per shard, see `Snapshot.per_shard`.
    """

    def __init__(self, shards: Sequence[Shard[E]], keys: Sequence[Collection[str]] | None = None) -> None:
        self._shards = shards
        self._keys = keys  # those of each shard, if not all

    def __getitem__(self, key: str) -> Entry[E]:
        if key not in self:
            raise KeyError(key)
        return self._shards[number_of(key)][key]

    def __contains__(self, key: object) -> bool:
        if not isinstance(key, str):
            return False
        number = number_of(key)
        return key in (self._shards[number] if self._keys is None else self._keys[number])

    def __len__(self) -> int:
        return sum(map(len, self._shards if self._keys is None else self._keys))

    def __iter__(self) -> Iterator[str]:
        keys = (shard.records for shard in self._shards) if self._keys is None else self._keys
        return iter(_in_order(self._shards, chain.from_iterable(keys)))

    def values(self) -> ValuesView[Entry[E]]:
        """The entries, in order."""
        return _Values(self)

    def items(self) -> ItemsView[str, Entry[E]]:
        """The keys with their entries, in order."""
        return _Items(self)

    def read(self) -> Iterator[Entry[E]]:
        """The entries, in order, which do not displace the entries that stay decoded."""
        return _read(self._shards, self)


def _in_order(shards: Sequence[Shard[E]], keys: Iterable[str]) -> list[str]:
    return sorted(keys, key=lambda key: position_of(shards[number_of(key)].records[key]))


def _read(shards: Sequence[Shard[E]], keys: Iterable[str]) -> Iterator[Entry[E]]:
    return (next(shards[number_of(key)].read((key,))) for key in keys)


class _Values(ValuesView[Entry[E]]):
    _mapping: Entries[E]

    def __iter__(self) -> Iterator[Entry[E]]:
        return self._mapping.read()


class _Items(ItemsView[str, Entry[E]]):
    _mapping: Entries[E]

    def __iter__(self) -> Iterator[tuple[str, Entry[E]]]:
        return ((entry.key, entry) for entry in self._mapping.read())


class Selection(Sequence[Entry[E]]):
    """Some entries of a snapshot in an order. They are decoded when they are read, so a long list needs no memory."""

    def __init__(self, snapshot: "Snapshot[E]", keys: Sequence[str]) -> None:
        self._snapshot = snapshot
        self._keys = keys

    def __iter__(self) -> Iterator[Entry[E]]:
        return _read(self._snapshot.shards, self._keys)

    def __len__(self) -> int:
        return len(self._keys)

    @overload
    def __getitem__(self, index: int) -> Entry[E]: ...

    @overload
    def __getitem__(self, index: slice) -> "Selection[E]": ...

    def __getitem__(self, index: int | slice) -> "Entry[E] | Selection[E]":
        if isinstance(index, slice):
            return Selection(self._snapshot, self._keys[index])
        key = self._keys[index]
        return self._snapshot.shards[number_of(key)][key]


class Snapshot(Generic[E]):
    """All entries of a catalogue at one sequence number.

    `modified_at` is the time of that change in epoch seconds. It never decreases, and the changes of one second share
    it: the number tells snapshots apart.

    `shards` always has `SHARDS` members. A shard that has not changed is the same object in the next snapshot, in a
    process that follows the log as well as in the one that published, and so are the results of `Shard.cached`.

    `values` has the keys of the blobs of stored values by their names, which can be older; see
    `core/catalogues/stored_values.py`.
    """

    __slots__ = ("_bytes", "_cache", "_lock", "_lru", "modified_at", "packing", "sequence", "shards", "values")

    def __init__(
        self,
        sequence: int,
        modified_at: int,
        packing: Packing[E],
        shards: Iterable[Shard[E]],
        values: Mapping[str, str] | None = None,
    ) -> None:
        self._cache: dict[Hashable, Any] = {}
        self._lru: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()
        self.sequence = sequence
        self.modified_at = modified_at
        self.packing = packing
        self.shards = tuple(shards)
        self.values = values or {}

    @classmethod
    def of(
        cls, packing: Packing[E], sequence: int = 0, modified_at: int = 0, values: Iterable[tuple[str, E]] = ()
    ) -> "Snapshot[E]":
        """A snapshot of these values, in their order; of those with the same key, the last one counts."""
        records: list[dict[str, bytes]] = [{} for _ in range(SHARDS)]
        for position, (key, value) in enumerate(values, _REBUILT):
            records[number_of(key)][key] = packing.pack(Entry(key, value, position))
        return cls(sequence, modified_at, packing, (Shard(packing, each) for each in records))

    @property
    def entries(self) -> Entries[E]:
        """All entries by key. `snapshot.entries.get(key)` decodes one; for iterations see `Entries`."""
        return Entries(self.shards)

    def per_shard(self, name: Hashable, build: Callable[[Shard[E]], T]) -> list[T]:
        """The results of `build(shard)` for each shard, in the order of `shards`.

        They are cached with the shards, so after a change only the results of the changed shards are built. `build`
        must depend on nothing but the shard. `name` must not come from a request: use `lru_cached` for what does.
        """
        return [shard.cached(name, build) for shard in self.shards]

    def cached(self, name: Hashable, build: Callable[["Snapshot[E]"], T]) -> T:
        """The result of `build(snapshot)`, cached until the next change.

        `name` must not come from a request, because nothing is evicted before the next change; see `lru_cached`.
        """
        if name not in self._cache:
            self._cache[name] = build(self)
        return cast(T, self._cache[name])

    def lru_cached(
        self, name: Hashable, build: Callable[["Snapshot[E]"], T], size_of: Callable[[T], int] = lambda _: 0
    ) -> T:
        """Like `cached`, for names from requests: the `LRU_RESULTS` most recently used results are cached.

        `size_of` returns the size of a result in bytes; together the results have at most `LRU_BYTES`.
        """
        with self._lock:
            if name in self._lru:
                self._lru.move_to_end(name)
                return cast(T, self._lru[name][0])
        built = build(self)
        with self._lock:
            self._bytes += size_of(built) - self._lru.pop(name, (None, 0))[1]
            self._lru[name] = (built, size_of(built))
            while len(self._lru) > LRU_RESULTS or (self._bytes > LRU_BYTES and self._lru):
                self._bytes -= self._lru.popitem(last=False)[1][1]
        return built

    def group(self, name: Hashable) -> Entries[E]:
        """The entries, by key, that the catalogue's `groups` puts into the group `name`.

        No entry is decoded to find them. `Shard.group` returns the keys of one shard.
        """
        return Entries(self.shards, [shard.group(name) for shard in self.shards])

    def in_order(self, keys: Iterable[str]) -> list[str]:
        """These keys in the order in which their entries were added."""
        return _in_order(self.shards, keys)

    def changed(self, changes: Iterable[tuple[str, E | None]], sequence: int, modified_at: int) -> "Snapshot[E]":
        """The snapshot after changes of single entries (None: deleted), the last of which has the number `sequence`.

        A changed entry keeps its position; a new one is appended, and its position is the number of its change.
        """
        numbered = list(changes)
        by_shard: dict[int, list[tuple[str, E | None, int]]] = {}
        for number, (key, value) in enumerate(numbered, sequence - len(numbered) + 1):
            by_shard.setdefault(number_of(key), []).append((key, value, number))
        shards = list(self.shards)
        for index, wanted in by_shard.items():
            shards[index] = shards[index].changed(wanted)
        return Snapshot(sequence, modified_at, self.packing, shards, self.values)

    def packed_for(self, dictionary: bytes) -> "Snapshot[E]":
        """The same snapshot with records for this dictionary; without a dictionary, for one that fits."""
        if dictionary:
            packing = self.packing.with_dictionary(dictionary)
        elif self.packing.dictionary:
            packing = self.packing
        else:
            packing = self.packing.trained(entry.value for shard in self.shards for entry in shard.entries())
        if packing is self.packing:
            return self
        shards = (shard.repacked(packing, packing.codec.shape) for shard in self.shards)
        return Snapshot(self.sequence, self.modified_at, packing, shards, self.values)

    def with_values(self, values: Mapping[str, str]) -> "Snapshot[E]":
        """The same snapshot with these stored values."""
        return Snapshot(self.sequence, self.modified_at, self.packing, self.shards, values)

    def with_known(self, known: "Snapshot[E]") -> "Snapshot[E]":
        """This snapshot, with those shards and decoded entries of `known` that are equal."""
        shards = (shard.or_equal(other) for shard, other in zip(self.shards, known.shards, strict=True))
        return Snapshot(self.sequence, self.modified_at, self.packing, shards, self.values)


class Selected(Sequence[Entry[E]]):
    """Entries by their keys; each is decoded when it is read."""

    def __init__(self, snapshot: Snapshot[E], keys: Sequence[str]) -> None:
        self._entries = snapshot.entries
        self._keys = keys

    @overload
    def __getitem__(self, index: int) -> Entry[E]: ...

    @overload
    def __getitem__(self, index: slice) -> list[Entry[E]]: ...

    def __getitem__(self, index: int | slice) -> Entry[E] | list[Entry[E]]:
        if isinstance(index, slice):
            return [self._entries[key] for key in self._keys[index]]
        return self._entries[self._keys[index]]

    def __len__(self) -> int:
        return len(self._keys)
