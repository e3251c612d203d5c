"""A catalogue in the memory of a process: its entries in shards, and values derived from them."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar, cast, overload

from chalicelib.core.catalogues import groups, shard_entries
from chalicelib.core.catalogues.entries import E
from chalicelib.core.catalogues.groups import Groups
from chalicelib.core.catalogues.packing import Entry, Packing, group_number
from chalicelib.core.catalogues.shard_entries import Entries
from chalicelib.core.catalogues.shards import SHARDS, Shard, number_of

__all__ = ["Entries", "Entry", "Selection", "Shard", "Snapshot", "Value"]

LRU_RESULTS = 256  # per snapshot
LRU_BYTES = 64 * 1024 * 1024
_REBUILT = -(2**62)  # the position of a rebuilt catalogue's first entry: before all sequence numbers

T = TypeVar("T")
Value = dict[str, Any]


class Selection(Sequence[Entry[E]]):
    """Some entries of a snapshot in an order. They are decoded when they are read, so a long list needs no memory."""

    def __init__(self, snapshot: "Snapshot[E]", keys: Sequence[str]) -> None:
        self._snapshot = snapshot
        self._keys = keys

    def __iter__(self) -> Iterator[Entry[E]]:
        return shard_entries.read(self._snapshot.shards, self._keys)

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


@dataclass(frozen=True)
class ValueBlobs(Generic[E]):
    """The blobs of the values that are stored with a snapshot, whose shards these are (stored_values.py).

    `keys` has the key of each blob by the name of its value. The value can be older than the snapshot: `changes` has
    the keys of the entries that have changed since.
    """

    shards: tuple[Shard[E], ...] = ()
    keys: Mapping[str, str] = field(default_factory=dict)
    changes: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def changed(self, name: str, snapshot: "Snapshot[E]") -> Set[str]:
        """The keys of the entries that differ between a stored value and a snapshot."""
        return changed_keys(self.shards, snapshot.shards).union(self.changes[name])


class Snapshot(Generic[E]):
    """All entries of a catalogue at one sequence number.

    `modified_at` is the time of that change in epoch seconds. It never decreases, and the changes of one second share
    it: the number tells snapshots apart.

    `shards` always has `SHARDS` members. A shard that has not changed is the same object in the next snapshot, in a
    process that follows the log as well as in the one that published, and so are the results of `Shard.cached`.

    `values` are the stored values of the snapshot that this process has loaded.
    """

    __slots__ = (
        "_bytes",
        "_cache",
        "_groups",
        "_lock",
        "_lru",
        "modified_at",
        "packing",
        "sequence",
        "shards",
        "values",
    )

    def __init__(
        self,
        sequence: int,
        modified_at: int,
        packing: Packing[E],
        shards: Iterable[Shard[E]],
        values: ValueBlobs[E] | None = None,
        groups: Groups | None = None,
    ) -> None:
        self._cache: dict[Hashable, Any] = {}
        self._lru: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()
        self.sequence = sequence
        self.modified_at = modified_at
        self.packing = packing
        self.shards = tuple(shards)
        self.values = values or ValueBlobs()
        self._groups = groups

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

    def record(self, key: str) -> bytes | None:
        """The record of an entry; None if there is none under this key."""
        return self.shards[number_of(key)].records.get(key)

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

        No entry is decoded to find them.
        """
        number = group_number(name)
        return Entries(self.shards, number, self.groups.keys_of(number))

    @property
    def groups(self) -> Groups:
        """The groups of all entries, made of their records unless they were loaded."""
        if self._groups is None:
            self._groups = groups.build(pair for shard in self.shards for pair in shard.records.items())
        return self._groups

    def in_order(self, keys: Iterable[str]) -> list[str]:
        """These keys in the order in which their entries were added."""
        return shard_entries.in_order(self.shards, keys)

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
        new = {key: shards[number_of(key)].records.get(key) for key, _ in numbered}
        grouped = self._groups.changed(new) if self._groups else None
        return Snapshot(sequence, modified_at, self.packing, shards, self.values, grouped)

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
        return Snapshot(self.sequence, self.modified_at, packing, shards, self.values, self._groups)

    def stored_with(self, keys: Mapping[str, str], changes: Mapping[str, Sequence[str]]) -> "Snapshot[E]":
        """The same snapshot, which was stored with these values."""
        values = ValueBlobs(self.shards, keys, changes)
        return Snapshot(self.sequence, self.modified_at, self.packing, self.shards, values, self._groups)

    def grouped(self, groups: Groups) -> "Snapshot[E]":
        """The same snapshot with these groups, which were loaded."""
        return Snapshot(self.sequence, self.modified_at, self.packing, self.shards, self.values, groups)

    def with_known(self, known: "Snapshot[E]") -> "Snapshot[E]":
        """This snapshot, with those shards and decoded entries of `known` that are equal."""
        shards = tuple(shard.or_equal(other) for shard, other in zip(self.shards, known.shards, strict=True))
        values = replace(self.values, shards=shards)
        return Snapshot(self.sequence, self.modified_at, self.packing, shards, values, self._groups)


def changed_keys(before: Sequence[Shard[E]], after: Sequence[Shard[E]]) -> frozenset[str]:
    """The keys of the entries that differ between the shards of two snapshots. Only shards that differ are compared."""
    changed: set[str] = set()
    for shard, new in zip(before, after, strict=True):
        if new is not shard:
            changed.update(key for key, record in new.records.items() if shard.records.get(key) != record)
            changed.update(shard.records.keys() - new.records.keys())
    return frozenset(changed)
