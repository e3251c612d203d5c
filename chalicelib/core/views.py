"""What a process holds of a catalogue: entries, and what was made from them."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from typing import Any, TypeVar, cast

REMEMBERED = 256
REMEMBERED_WEIGHT = 64 * 1024 * 1024

T = TypeVar("T")
Value = dict[str, Any]


class _Kept:
    """Something that remembers what was made from it, once."""

    __slots__ = ("_kept",)

    def __init__(self) -> None:
        self._kept: dict[Hashable, Any] = {}

    def _keep(self, name: Hashable, build: Callable[[], T]) -> T:
        if name not in self._kept:
            self._kept[name] = build()
        return cast(T, self._kept[name])


class Entry(_Kept):
    """One public entry; `value` is plain JSON data and is never changed in place."""

    __slots__ = ("key", "value")

    def __init__(self, key: str, value: Value) -> None:
        super().__init__()
        self.key = key
        self.value = value

    def keep(self, name: Hashable, build: Callable[["Entry"], T]) -> T:
        """What `build` makes of this entry, made once for as long as the entry stands."""
        return self._keep(name, lambda: build(self))


class View(_Kept):
    """All entries of a catalogue at one sequence number.

    `modified_at` is when that number was reached, in epoch seconds. It grows with every change, by a second at least,
    so that no two states have the same Last-Modified.
    """

    __slots__ = ("_remembered", "_remembering", "_weight", "entries", "modified_at", "sequence")

    def __init__(self, sequence: int, modified_at: int, entries: dict[str, Entry]) -> None:
        super().__init__()
        self._remembered: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._weight = 0
        self._remembering = threading.Lock()
        self.sequence = sequence
        self.modified_at = modified_at
        self.entries = entries

    def keep(self, name: Hashable, build: Callable[["View"], T]) -> T:
        """What `build` makes of this view, made once for as long as nothing changes.

        `name` must not be taken from a request as it is: nothing is forgotten before the next change. See `remember`.
        """
        return self._keep(name, lambda: build(self))

    def remember(self, name: Hashable, build: Callable[["View"], T], weigh: Callable[[T], int] = lambda _: 0) -> T:
        """As `keep`, for names that come from requests: of these only the `REMEMBERED` last used are held.

        `weigh` tells the bytes of what was built; together they stay below `REMEMBERED_WEIGHT`.
        """
        with self._remembering:
            if name in self._remembered:
                self._remembered.move_to_end(name)
                return cast(T, self._remembered[name][0])
        built = build(self)
        with self._remembering:
            self._weight += weigh(built) - self._remembered.pop(name, (None, 0))[1]
            self._remembered[name] = (built, weigh(built))
            while len(self._remembered) > REMEMBERED or (self._weight > REMEMBERED_WEIGHT and self._remembered):
                self._weight -= self._remembered.popitem(last=False)[1][1]
        return built

    def changed(self, changes: Iterable[tuple[str, Value | None]], sequence: int, modified_at: int) -> "View":
        """The view after entries changed, one by one (None: gone); the others are the same objects.

        A changed entry keeps its place, a new one is the last.
        """
        entries = dict(self.entries)
        for key, value in changes:
            if value is None:
                entries.pop(key, None)
            else:
                entries[key] = Entry(key, value)
        return View(sequence, modified_at, entries)
