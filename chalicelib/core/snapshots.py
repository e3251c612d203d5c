"""A catalogue in the memory of a process: its entries, and values derived from them."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any, Generic, TypeVar, cast

from chalicelib.core.entries import E

LRU_RESULTS = 256  # per snapshot
LRU_BYTES = 64 * 1024 * 1024

T = TypeVar("T")
Value = dict[str, Any]


class Entry(Generic[E]):
    """A public entry under its key, and cached values derived from it."""

    __slots__ = ("_cache", "key", "value")

    def __init__(self, key: str, value: E) -> None:
        self._cache: dict[Hashable, Any] = {}
        self.key = key
        self.value = value

    def cached(self, name: Hashable, build: Callable[["Entry[E]"], T]) -> T:
        """The result of `build(entry)`, cached until the entry changes."""
        if name not in self._cache:
            self._cache[name] = build(self)
        return cast(T, self._cache[name])


Groups = dict[Hashable, dict[str, Entry[E]]]
GroupsOf = Callable[[Entry[E]], Iterable[Hashable]]


class Snapshot(Generic[E]):
    """All entries of a catalogue at one sequence number.

    `modified_at` is the time of that change in epoch seconds. Every change increases it by at least a second, so that
    no two snapshots have the same Last-Modified.
    """

    __slots__ = ("_bytes", "_cache", "_grouped", "_lock", "_lru", "entries", "modified_at", "sequence")

    def __init__(self, sequence: int, modified_at: int, entries: dict[str, Entry[E]]) -> None:
        self._cache: dict[Hashable, Any] = {}
        self._grouped: dict[GroupsOf[E], Groups[E]] = {}
        self._lru: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()
        self.sequence = sequence
        self.modified_at = modified_at
        self.entries = entries

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

    def group(self, groups_of: GroupsOf[E], name: Hashable) -> Mapping[str, Entry[E]]:
        """The entries, by key, that `groups_of` puts into the group `name`.

        The groups are built once; a new snapshot reuses them and updates only the groups of changed entries.
        """
        if groups_of not in self._grouped:
            groups: Groups[E] = {}
            for entry in self.entries.values():
                _join(groups, groups_of, entry)
            self._grouped[groups_of] = groups
        return self._grouped[groups_of].get(name, {})

    def changed(self, changes: Iterable[tuple[str, E | None]], sequence: int, modified_at: int) -> "Snapshot[E]":
        """The snapshot after changes of single entries (None: deleted); the other entries are the same objects.

        A changed entry keeps its position; a new one is appended.
        """
        entries = dict(self.entries)
        replaced: dict[str, Entry[E] | None] = {}
        for key, value in changes:
            replaced.setdefault(key, entries.get(key))
            if value is None:
                entries.pop(key, None)
            else:
                entries[key] = Entry(key, value)
        snapshot = Snapshot(sequence, modified_at, entries)
        for groups_of, groups in list(self._grouped.items()):
            snapshot._grouped[groups_of] = _regrouped(groups, groups_of, replaced, entries)
        return snapshot


def _join(groups: Groups[E], groups_of: GroupsOf[E], entry: Entry[E]) -> None:
    for name in groups_of(entry):
        groups.setdefault(name, {})[entry.key] = entry


def _regrouped(
    groups: Groups[E],
    groups_of: GroupsOf[E],
    replaced: Mapping[str, Entry[E] | None],
    entries: Mapping[str, Entry[E]],
) -> Groups[E]:
    """The groups after the entries of `replaced` (as they were) became those of `entries`."""
    changed: Groups[E] = {}
    for key, old in replaced.items():
        entry = entries.get(key)
        left = set(groups_of(old)) if old else set()
        joined = set(groups_of(entry)) if entry else set()
        for name in left | joined:
            group = changed.setdefault(name, dict(groups.get(name, {})))
            if entry and name in joined:
                group[key] = entry
            else:
                group.pop(key, None)
    new = groups | changed  # not a loop over all: that would cost more than the change
    for name in [name for name, group in changed.items() if not group]:
        del new[name]
    return new
