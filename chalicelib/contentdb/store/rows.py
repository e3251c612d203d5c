"""The fields of all packages by which lists filter and sort, in memory, so that no list decodes every entry.

`of(snapshot)` has a row for each package. After a change only the rows of the changed packages are read, and of those
whose published counts changed.
"""

from array import array
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from datetime import UTC, datetime, timedelta
from functools import cached_property, lru_cache
from itertools import chain, compress, groupby, repeat
from operator import add
from typing import Any, Self

import msgspec

from chalicelib.contentdb.entry import ContentDbEntry, ContentDbSnapshot, PackageEntry
from chalicelib.contentdb.store import popularity
from chalicelib.contentdb.store.popularity import PackageCounts
from chalicelib.core.catalogues.columns import EntryRow, RowField, RowList, RowsByKey, RowTable
from chalicelib.core.catalogues.counts import CountValues
from chalicelib.core.catalogues.derived import Derived
from chalicelib.core.catalogues.stored_values import StoredValue

_EPOCH, _MICROSECOND = datetime.fromtimestamp(0, UTC), timedelta(microseconds=1)
_Texts = tuple[str, ...]


class ReleaseRange(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A release and the engine versions on which it runs, see ReleaseInfo."""

    id: int
    min: int | None
    max: int | None

    def runs_on(self, version: int) -> bool:
        """Whether the release runs on an engine version."""
        return (self.min is None or self.min <= version) and (self.max is None or version <= self.max)


def _flags(value: PackageEntry) -> frozenset[str]:
    flags = set(value.content_warnings)
    if flags:
        flags.add("*")
    if value.dev_state in ("WIP", "DEPRECATED"):
        flags.add(value.dev_state.lower())
    if value.ai_disclosure in ("ASSISTED", "GENERATED"):
        flags.add("anyai")
    if value.ai_disclosure == "GENERATED":
        flags.add("genai")
    return frozenset(flags)


@lru_cache(1024)
def _moment(date: str | None) -> int:
    return (datetime.fromisoformat(date).replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND if date else 0


class PackageRow(EntryRow[PackageEntry]):
    """A package. Dates are in microseconds since 1970, 0 for none; `labels` are its flags and tags."""

    __slots__ = ()
    table: "PackageTable"

    id = RowField[PackageEntry, int](int, lambda value: value.id)
    author = RowField[PackageEntry, str](str, lambda value: value.author)
    type = RowField[PackageEntry, str](str, lambda value: value.type)
    state = RowField[PackageEntry, str](str, lambda value: value.state)
    title = RowField[PackageEntry, str](str, lambda value: value.title)
    license = RowField[PackageEntry, str](str, lambda value: value.license)
    media_license = RowField[PackageEntry, str](str, lambda value: value.media_license)
    tags = RowField[PackageEntry, _Texts](_Texts, lambda value: value.tags)
    flags = RowField[PackageEntry, frozenset[str]](frozenset[str], lambda value: _flags(value))
    labels = RowField[PackageEntry, frozenset[str]](frozenset[str], lambda value: _flags(value).union(value.tags))
    aliases = RowField[PackageEntry, _Texts](_Texts, lambda value: value.aliases)
    languages = RowField[PackageEntry, _Texts](_Texts, lambda value: tuple(value.translations))
    games = RowField[PackageEntry, _Texts](
        _Texts, lambda value: tuple(row.game for row in value.game_support if row.supports)
    )
    releases = RowField[PackageEntry, tuple[ReleaseRange, ...]](
        tuple[ReleaseRange, ...],  # highest id first
        lambda value: tuple(ReleaseRange(release.id, release.min, release.max) for release in value.releases),
    )
    created_at = RowField[PackageEntry, int](int, lambda value: _moment(value.created_at))
    approved_at = RowField[PackageEntry, int](int, lambda value: _moment(value.approved_at))
    released_at = RowField[PackageEntry, int](
        int, lambda value: _moment(value.releases[0].created_at if value.releases else None)
    )
    score_reviews = RowField[PackageEntry, float](float, lambda value: value.score_reviews)
    reviews = RowField[PackageEntry, tuple[int, int, int]](  # positive, neutral, negative
        tuple[int, int, int], lambda value: value.reviews
    )
    provides = RowField[PackageEntry, _Texts](_Texts, lambda value: value.provides)
    forums = RowField[PackageEntry, int | None](int | None, lambda value: value.forums)

    @property
    def name(self) -> str:
        """The name, which the author does not use for another package."""
        return self.key.partition("/")[2]

    @property
    def downloads(self) -> int:
        """The published downloads."""
        return self.table.downloads[self.number]

    @property
    def score_downloads(self) -> float:
        """The published points for downloads, as of today."""
        return self.table.points[self.number]

    @property
    def score(self) -> float:
        """The score by which lists are ordered."""
        return self.score_downloads + self.score_reviews


def newest_id(releases: Iterable[ReleaseRange], version: int | None = None) -> int | None:
    """The id of the newest release that runs on an engine version (None: on any); None without one."""
    return next((release.id for release in releases if version is None or release.runs_on(version)), None)


class PackageTable(RowTable[PackageEntry]):
    """The rows of packages, with the published counts of each row next to its fields."""

    downloads: "array[int]"
    points: "array[float]"

    @classmethod
    def of(cls, kind: type[EntryRow[PackageEntry]], entries: Iterable[tuple[str, PackageEntry]]) -> Self:
        """A table with a row for each of these entries."""
        return super().of(kind, entries)._counted()

    @classmethod
    def decoded(cls, kind: type[EntryRow[PackageEntry]], body: bytes, keys: Sequence[str]) -> Self:
        """The table that `encoded` has encoded, with the counts of today."""
        return super().decoded(kind, body, keys)._counted()

    def _counted(self) -> Self:
        day, ids = popularity.today().toordinal(), self.values("id")
        published = dict(popularity.counters.counts().numbered())
        downloads = {number: counts.downloads for number, counts in published.items()}
        points = {number: counts.points_on(day) for number, counts in published.items()}
        self.downloads = array("q", map(downloads.get, ids, repeat(0)))
        self.points = array("d", map(points.get, ids, repeat(0.0)))
        return self

    def append(self, key: str, value: PackageEntry) -> int:
        """Add a row for an entry, with its counts; return its number."""
        counts = popularity.of(value.id)
        self.downloads.append(counts.downloads)
        self.points.append(counts.points_on(popularity.today().toordinal()))
        return super().append(key, value)

    def is_approved(self, number: int) -> bool:
        """Whether lists show the package of a row."""
        return bool(self.column("state")[number] == "APPROVED")

    def rank(self, number: int) -> tuple[float, str]:
        """The place of a row in lists: by falling score, and by key among equal scores."""
        return -(self.points[number] + self.column("score_reviews")[number]), self.keys[number]

    def best_first(self) -> list[int]:
        """The approved rows in the order of their ranks."""
        scores = list(map(add, self.points, self.values("score_reviews")))
        found = list(compress(range(len(self.keys)), map("APPROVED".__eq__, self.values("state"))))
        found.sort(key=scores.__getitem__, reverse=True)
        equal = (list(some) for _, some in groupby(found, scores.__getitem__))
        return list(chain.from_iterable(sorted(some, key=self.keys.__getitem__) for some in equal))


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
