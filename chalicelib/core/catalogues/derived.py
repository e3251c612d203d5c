"""Values derived from a catalogue, such as a list of all packages, that a change updates instead of replacing."""

from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Set
from dataclasses import dataclass
from threading import RLock
from typing import Any, Generic, TypeVar

from chalicelib.core.catalogues.entries import E
from chalicelib.core.catalogues.snapshots import Snapshot, changed_keys

MOST = 256  # values of one catalogue
MOST_BYTES = 64 * 1024 * 1024
MOST_KEYS = 4096  # changed keys: a value without a request during so many changes is built again

T = TypeVar("T")


@dataclass(frozen=True)
class _Held:
    value: Any
    size: int
    number: int  # of the snapshot


class Derived(Generic[E]):
    """The values derived from one catalogue, by name. The least recently used ones are dropped.

    They can also depend on other data, such as counters: `changed_beside()` returns the keys of the entries for which
    these changed since the last call; None: possibly all.
    """

    def __init__(self, changed_beside: Callable[[], Set[str] | None] = frozenset) -> None:
        self._changed_beside = changed_beside
        self._lock = RLock()
        self._held: OrderedDict[Hashable, _Held] = OrderedDict()
        self._snapshot: Snapshot[E] | None = None
        self._number = 0  # of this snapshot, in the order in which they were requested
        self._changes: deque[Set[str]] = deque()  # the keys that differ between the last snapshots

    def get(
        self,
        snapshot: Snapshot[E],
        name: Hashable,
        build: Callable[[Snapshot[E]], T],
        update: Callable[[T, Snapshot[E], Set[str]], T],
        size_of: Callable[[T], int] = lambda _: 0,
    ) -> T:
        """The value called `name` of a snapshot.

        `build(snapshot)` makes the first one, `update(value, snapshot, keys)` a newer one: `keys` are those of the
        entries that were changed, added or deleted since. `size_of` returns the size of a value in bytes.
        """
        with self._lock:
            self._follow(snapshot)
            held = self._held.get(name)
            if held is None or held.number < self._number:
                keys = self._keys_since(held.number) if held else None
                value = build(snapshot) if held is None or keys is None else update(held.value, snapshot, keys)
                held = self._held[name] = _Held(value, size_of(value), self._number)
            self._held.move_to_end(name)
            self._drop_oldest()
            found: T = held.value
            return found

    def _follow(self, snapshot: Snapshot[E]) -> None:
        """Note the keys that differ between the last snapshot and this one, which can also be an older one."""
        beside = self._changed_beside()
        if beside is None:
            self._held.clear()
        keys = set(beside or ())
        if self._snapshot is not None and snapshot is not self._snapshot:
            keys |= changed_keys(self._snapshot.shards, snapshot.shards)
        self._snapshot = snapshot
        if keys:
            self._number += 1
            self._changes.append(keys)
            while sum(map(len, self._changes)) > MOST_KEYS:
                self._changes.popleft()

    def _keys_since(self, number: int) -> Set[str] | None:
        """The keys that changed since the snapshot with this number; None if they are not noted any more."""
        missing = self._number - number
        if missing > len(self._changes):
            return None
        return frozenset().union(*list(self._changes)[-missing:])

    def _drop_oldest(self) -> None:
        size = sum(held.size for held in self._held.values())
        while len(self._held) > MOST or (size > MOST_BYTES and len(self._held) > 1):
            size -= self._held.popitem(last=False)[1].size
