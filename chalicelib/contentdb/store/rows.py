"""The fields of all packages by which lists filter and sort, in memory, so that no list decodes every entry.

`of(snapshot)` has a row for each package. After a change only the rows of the changed packages are read, and of those
whose published counts changed.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set
from functools import cached_property
from itertools import chain
from typing import Any

from chalicelib.contentdb.entry import ContentDbEntry, ContentDbSnapshot, PackageEntry
from chalicelib.contentdb.store import popularity
from chalicelib.contentdb.store.package_row import PackageRow, PackageTable
from chalicelib.contentdb.store.popularity import PackageCounts
from chalicelib.core.catalogues.columns import RowList, RowsByKey
from chalicelib.core.catalogues.counts import CountValues
from chalicelib.core.catalogues.derived import Derived
from chalicelib.core.catalogues.stored_values import StoredValue


class PackageRows:
    """The rows of all packages in every state but DELETED, by `author/name`. They never change."""

    def __init__(self, by_key: RowsByKey[PackageRow], table: PackageTable, order: list[int]) -> None:
        self.by_key = by_key
        self.table = table
        self._order = order

    @classmethod
    def of(cls, table: PackageTable) -> "PackageRows":
        """The rows of a new table, which has one row for each package."""
        return cls(RowsByKey.of(PackageRow, table), table, table.best_first())

    @property
    def approved(self) -> RowList[PackageRow]:
        """The packages that lists show, best score first."""
        return RowList(PackageRow, self.table, self._order)

    @cached_property
    def by_id(self) -> dict[int, str]:
        """The keys of the packages by their ids."""
        column = self.table.column("id")
        return {column[number]: key for key, number in self.by_key.numbers.items()}

    @cached_property
    def by_alias(self) -> dict[str, str]:
        """The keys of the packages by their aliases."""
        column = self.table.column("aliases")
        return {alias: key for key, number in self.by_key.numbers.items() for alias in column[number]}

    @cached_property
    def providers(self) -> dict[str, list[str]]:
        """The keys of the approved packages that provide each mod name, best score first."""
        found: dict[str, list[str]] = defaultdict(list)
        for row in self.approved:
            for name in row.provides:
                found[name].append(row.key)
        return found

    @cached_property
    def drafts_of(self) -> dict[str, list[PackageRow]]:
        """The packages of each author that are not approved."""
        found: dict[str, list[PackageRow]] = defaultdict(list)
        for row in self.by_key.values():
            if row.state != "APPROVED":
                found[row.author].append(row)
        return found

    @cached_property
    def authors(self) -> frozenset[str]:
        """The usernames of authors with packages."""
        return frozenset(self._values("author"))

    @cached_property
    def languages(self) -> frozenset[str]:
        """The languages in which a package has texts."""
        return frozenset(chain.from_iterable(self._values("languages")))

    def changed(self, changes: Mapping[str, PackageEntry | None]) -> "PackageRows":
        """The rows after changes, also of published counts; None: the package was deleted."""
        by_key, table = self.by_key.changed(changes), self.table
        if by_key.table is not table:  # it was made again
            keys = list(by_key)
            return _decode(by_key.encoded({key: number for number, key in enumerate(keys)}), keys)
        order = list(self._order)
        for key in changes:
            old, new = self.by_key.numbers.get(key), by_key.numbers.get(key)
            if old is not None and table.is_approved(old):
                del order[bisect_left(order, table.rank(old), key=table.rank)]
            if new is not None and table.is_approved(new):
                order.insert(bisect_left(order, table.rank(new), key=table.rank), new)
        return PackageRows(by_key, table, order)

    def encoded(self, numbers: Mapping[str, int]) -> bytes:
        """The fields as bytes, without counts; the approved packages first, as they are nearly in order when loaded."""
        rows = list(dict.fromkeys((*self._order, *self.by_key.numbers.values())))
        return self.table.encoded(rows, numbers)

    def _values(self, name: str) -> set[Any]:
        column = self.table.column(name)
        return {column[number] for number in self.by_key.numbers.values()}


class _Recounts:
    """Follows the published counts of packages."""

    def __init__(self) -> None:
        self._counts: CountValues[PackageCounts] | None = None
        self._sequence, self._day = 0, 0
        self.rows: PackageRows | None = None  # the last ones

    def __call__(self) -> Set[str] | None:
        """The packages whose counts changed since the last call; None: any, as after a fold and on each new day."""
        counts, sequence, day = self._counts, self._sequence, self._day
        self._counts = popularity.counters.counts()
        self._sequence, self._day = popularity.state()
        if self._counts is not counts or self._day != day or self.rows is None:
            return None
        if self._sequence == sequence:
            return frozenset()
        by_id = self.rows.by_id
        return {by_id[number] for number in map(int, counts.changed_after(sequence)) if number in by_id}


_recounts = _Recounts()
derived: Derived[ContentDbEntry] = Derived(_recounts)


def of(snapshot: ContentDbSnapshot) -> PackageRows:
    """The rows of a snapshot."""
    _recounts.rows = derived.get(snapshot, ROWS.name, ROWS.of, ROWS.update)
    return _recounts.rows


def packages(snapshot: ContentDbSnapshot) -> Iterator[tuple[str, PackageEntry]]:
    """All packages with their keys, in no order. This decodes every entry, which takes a second for 100,000."""
    entries = chain.from_iterable(shard.entries() for shard in snapshot.shards)
    return ((entry.key, entry.value) for entry in entries if isinstance(entry.value, PackageEntry))


def _build(snapshot: ContentDbSnapshot) -> PackageRows:
    return PackageRows.of(PackageTable.of(PackageRow, packages(snapshot)))


def _update(rows: PackageRows, snapshot: ContentDbSnapshot, keys: Set[str]) -> PackageRows:
    changes: dict[str, PackageEntry | None] = {}
    for key in keys:
        entry = snapshot.entries.get(key)
        if entry and isinstance(entry.value, PackageEntry):
            changes[key] = entry.value
        elif key in rows.by_key:
            changes[key] = None
    return rows.changed(changes) if changes else rows


def _decode(body: bytes, keys: Sequence[str]) -> PackageRows:
    """The rows with the counts of today."""
    return PackageRows.of(PackageTable.decoded(PackageRow, body, keys))


ROWS = StoredValue("rows", 2, build=_build, update=_update, encode=PackageRows.encoded, decode=_decode)
