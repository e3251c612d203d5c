"""The groups of a catalogue, such as the modules of an owner: sorted arrays, and the entries that changed since.

The number of a group is in the records of its entries (core/catalogues/packing.py). Half a million of them are two
arrays of 6 MB; as dictionaries they would be 60 MB.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from operator import itemgetter

import msgspec

from chalicelib.core.catalogues.packing import groups_of

MOST_CHANGED = 1024  # entries next to the arrays

_encode = msgspec.msgpack.Encoder().encode
_STORED = msgspec.msgpack.Decoder(tuple[bytes, bytes])


class Groups:
    """The keys of each group, by the number of the group; immutable.

    Entry `places[n]` of `keys` is in the group `numbers[n]`. `changed` has the numbers of the entries that differ from
    these arrays; none for a deleted entry.
    """

    __slots__ = ("_added", "_changed", "_keys", "_numbers", "_places")

    def __init__(
        self,
        keys: Sequence[str],
        numbers: "array[int]",
        places: "array[int]",
        changed: Mapping[str, Sequence[int]] | None = None,
        added: Mapping[int, tuple[str, ...]] | None = None,
    ) -> None:
        self._keys, self._numbers, self._places = keys, numbers, places
        self._changed = changed or {}
        self._added = added or {}  # the keys of `changed` by their numbers

    def keys_of(self, number: int) -> list[str]:
        """The keys of a group's entries, in no order."""
        start, end = bisect_left(self._numbers, number), bisect_right(self._numbers, number)
        found = (self._keys[place] for place in self._places[start:end])
        return [*(key for key in found if key not in self._changed), *self._added.get(number, ())]

    def changed(self, records: Mapping[str, bytes | None]) -> "Groups":
        """The groups after these entries have new records; None: deleted."""
        own = {key: groups_of(record) if record else () for key, record in records.items()}
        changed, added = {**self._changed, **own}, dict(self._added)
        for key, numbers in own.items():
            for number in self._changed.get(key, ()):
                added[number] = tuple(each for each in added[number] if each != key)
            for number in numbers:
                added[number] = (*added.get(number, ()), key)
        new = Groups(self._keys, self._numbers, self._places, changed, added)
        return new if len(changed) <= MOST_CHANGED else new._merged()

    def encoded(self, numbers: Mapping[str, int]) -> bytes:
        """The groups as bytes, for `decode`: an entry is encoded as the number of its key."""
        merged = self._merged() if self._changed else self
        own = array("I", (numbers[key] for key in merged._keys))
        places = array("I", map(own.__getitem__, merged._places))
        return _encode((merged._numbers.tobytes(), places.tobytes()))

    def _merged(self) -> "Groups":
        pairs = zip(self._numbers, map(self._keys.__getitem__, self._places), strict=True)
        kept = (pair for pair in pairs if pair[1] not in self._changed)
        return _of(chain(kept, ((number, key) for key, own in self._changed.items() for number in own)))


def decode(body: bytes, keys: Sequence[str]) -> Groups:
    """The groups that `Groups.encoded` has encoded. Raises ValueError for other bytes."""
    numbers, places = _STORED.decode(body)
    return Groups(keys, array("Q", numbers), array("I", places))


def build(records: Iterable[tuple[str, bytes]]) -> Groups:
    """The groups of entries, from their records by key."""
    return _of((number, key) for key, record in records for number in groups_of(record))


def _of(pairs: Iterable[tuple[int, str]]) -> Groups:
    ordered = sorted(pairs, key=itemgetter(0))
    places: dict[str, int] = {}
    own = array("I", (places.setdefault(key, len(places)) for _, key in ordered))
    return Groups(list(places), array("Q", map(itemgetter(0), ordered)), own)
