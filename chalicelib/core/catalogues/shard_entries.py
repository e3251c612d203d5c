"""The entries of a snapshot or of a group, by key."""

from collections.abc import ItemsView, Iterable, Iterator, Mapping, Sequence, ValuesView
from itertools import chain

from chalicelib.core.catalogues.entries import E
from chalicelib.core.catalogues.packing import Entry, groups_of, position_of
from chalicelib.core.catalogues.shards import Shard, number_of


class Entries(Mapping[str, Entry[E]]):
    """All entries of a snapshot or of a group, by key, in the order in which they were added.

    An iteration decodes each entry, and reads the positions of all. So it takes a second for 100,000 entries: a result
    that every request needs is better derived, see `core/catalogues/derived.py`.
    """

    def __init__(self, shards: Sequence[Shard[E]], group: int | None = None, keys: Sequence[str] = ()) -> None:
        self._shards = shards
        self._group = group  # its number; None: all entries
        self._keys = keys  # of the group

    def __getitem__(self, key: str) -> Entry[E]:
        if key not in self:
            raise KeyError(key)
        return self._shards[number_of(key)][key]

    def __contains__(self, key: object) -> bool:
        record = self._shards[number_of(key)].records.get(key) if isinstance(key, str) else None
        return record is not None and (self._group is None or self._group in groups_of(record))

    def __len__(self) -> int:
        return sum(map(len, self._shards)) if self._group is None else len(self._keys)

    def __iter__(self) -> Iterator[str]:
        everything = chain.from_iterable(shard.records for shard in self._shards)
        return iter(in_order(self._shards, everything if self._group is None else self._keys))

    def values(self) -> ValuesView[Entry[E]]:
        """The entries, in order."""
        return _Values(self)

    def items(self) -> ItemsView[str, Entry[E]]:
        """The keys with their entries, in order."""
        return _Items(self)

    def read(self) -> Iterator[Entry[E]]:
        """The entries, in order, which do not displace the entries that stay decoded."""
        return read(self._shards, self)


def in_order(shards: Sequence[Shard[E]], keys: Iterable[str]) -> list[str]:
    """These keys in the order in which their entries were added."""
    return sorted(keys, key=lambda key: position_of(shards[number_of(key)].records[key]))


def read(shards: Sequence[Shard[E]], keys: Iterable[str]) -> Iterator[Entry[E]]:
    """The entries of these keys, which do not displace the entries that stay decoded."""
    return (next(shards[number_of(key)].read((key,))) for key in keys)


class _Values(ValuesView[Entry[E]]):
    _mapping: Entries[E]

    def __iter__(self) -> Iterator[Entry[E]]:
        return self._mapping.read()


class _Items(ItemsView[str, Entry[E]]):
    _mapping: Entries[E]

    def __iter__(self) -> Iterator[tuple[str, Entry[E]]]:
        return ((entry.key, entry) for entry in self._mapping.read())
