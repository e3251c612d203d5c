"""The fields of all packages by which lists filter and sort, in memory, so that no list decodes every entry.

`of(snapshot)` has a row for each package. After a change only the rows of the changed packages are read, and of those
whose published counts changed.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence, Set
from datetime import UTC, datetime, timedelta
from functools import cached_property, lru_cache
from itertools import chain, starmap
from operator import attrgetter
from typing import TypeVar

import msgspec

from chalicelib.contentdb.entry import ContentDbEntry, ContentDbSnapshot, PackageEntry
from chalicelib.contentdb.store import popularity
from chalicelib.contentdb.store.popularity import PackageCounts
from chalicelib.core.catalogues import columns
from chalicelib.core.catalogues.counts import CountValues
from chalicelib.core.catalogues.derived import Derived
from chalicelib.core.catalogues.stored_values import StoredValue

_EPOCH, _MICROSECOND = datetime.fromtimestamp(0, UTC), timedelta(microseconds=1)
_COUNTED = ("downloads", "score_downloads")  # the fields that are not of the entry
_FEW = 1000  # changes: for more, the packages are sorted again
_H = TypeVar("_H", bound=Hashable)


class ReleaseRange(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A release and the engine versions on which it runs, see ReleaseInfo."""

    id: int
    min: int | None
    max: int | None

    def runs_on(self, version: int) -> bool:
        """Whether the release runs on an engine version."""
        return (self.min is None or self.min <= version) and (self.max is None or version <= self.max)


class PackageRow(msgspec.Struct, frozen=True, gc=False):
    """A package. Dates are in microseconds since 1970, 0 for none; `labels` are its flags and tags."""

    key: str
    id: int
    author: str
    type: str
    state: str
    title: str
    license: str
    media_license: str
    tags: tuple[str, ...]
    flags: frozenset[str]
    labels: frozenset[str]
    aliases: tuple[str, ...]
    languages: tuple[str, ...]
    games: tuple[str, ...]  # that it supports
    releases: tuple[ReleaseRange, ...]  # highest id first
    created_at: int
    approved_at: int
    released_at: int
    score_reviews: float
    reviews: tuple[int, int, int]  # positive, neutral, negative
    provides: tuple[str, ...]
    forums: int | None
    downloads: int
    score_downloads: float

    @property
    def name(self) -> str:
        """The name, which the author does not use for another package."""
        return self.key.partition("/")[2]

    @property
    def score(self) -> float:
        """The score by which lists are ordered."""
        return self.score_downloads + self.score_reviews

    def newest_id(self, version: int | None = None) -> int | None:
        """The id of the newest release that runs on an engine version (None: on any); None without one."""
        return next((release.id for release in self.releases if version is None or release.runs_on(version)), None)


class PackageRows:
    """The rows of all packages in every state but DELETED, by `author/name`. They never change."""

    def __init__(self, by_key: Mapping[str, PackageRow], order: list[str]) -> None:
        self.by_key = by_key
        self._order = order

    @cached_property
    def approved(self) -> list[PackageRow]:
        """The packages that lists show, best score first."""
        return [self.by_key[key] for key in self._order]

    def best_first(self, keys: Collection[str]) -> list[PackageRow]:
        """The approved ones of these packages, best score first."""
        if 8 * len(keys) > len(self._order):
            return [row for row in self.approved if row.key in keys]
        found = (self.by_key.get(key) for key in keys)
        return sorted((row for row in found if row and row.state == "APPROVED"), key=_rank)

    @cached_property
    def by_id(self) -> dict[int, str]:
        """The keys of the packages by their ids."""
        return {row.id: key for key, row in self.by_key.items()}

    @cached_property
    def by_alias(self) -> dict[str, str]:
        """The keys of the packages by their aliases."""
        return {alias: key for key, row in self.by_key.items() for alias in row.aliases}

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
        return frozenset(row.author for row in self.by_key.values())

    @cached_property
    def languages(self) -> frozenset[str]:
        """The languages in which a package has texts."""
        return frozenset(language for row in self.by_key.values() for language in row.languages)

    def changed(self, changes: Mapping[str, PackageRow | None]) -> "PackageRows":
        """The rows after changes; None: the package was deleted."""
        rows = dict(self.by_key)
        for key, row in changes.items():
            if row:
                rows[key] = row
            else:
                rows.pop(key, None)
        if len(changes) > _FEW:
            return PackageRows(rows, _sorted(rows))
        order = list(self._order)
        for key in changes:
            if (old := self.by_key.get(key)) and old.state == "APPROVED":
                del order[bisect_left(order, _rank(old), key=lambda key: _rank(self.by_key[key]))]
        for key, row in changes.items():
            if row and row.state == "APPROVED":
                order.insert(bisect_left(order, _rank(row), key=lambda key: _rank(rows[key])), key)
        return PackageRows(rows, order)


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
    found = {key: _row(key, value) for key, value in packages(snapshot)}
    return PackageRows(found, _sorted(found))


def _update(rows: PackageRows, snapshot: ContentDbSnapshot, keys: Set[str]) -> PackageRows:
    entries = snapshot.entries
    changes: dict[str, PackageRow | None] = {}
    for key in keys:
        entry = entries.get(key)
        if entry and isinstance(entry.value, PackageEntry):
            changes[key] = _row(key, entry.value)
        elif key in rows.by_key:
            changes[key] = None
    return rows.changed(changes) if changes else rows


def _encode(rows: PackageRows, numbers: Mapping[str, int]) -> bytes:
    return columns.encode(rows.by_key, _COLUMNS, numbers)


def _decode(body: bytes, keys: Sequence[str]) -> PackageRows:
    """The rows with the counts of today."""
    own, ids, *others = columns.decode(PackageRow, _COLUMNS, body, keys)
    day, published = popularity.today().toordinal(), popularity.counters.counts()
    counts = [published.get(str(number)) or popularity.NONE for number in ids]
    points = [each.points_on(day) for each in counts]
    fields = zip(own, ids, *others, (each.downloads for each in counts), points, strict=True)
    found = dict(zip(own, starmap(PackageRow, fields), strict=True))
    return PackageRows(found, _sorted(found))


_COLUMNS = PackageRow.__struct_fields__[1 : -len(_COUNTED)]  # the key is encoded as its number
ROWS = StoredValue("rows", 1, build=_build, update=_update, encode=_encode, decode=_decode)


def _sorted(rows: Mapping[str, PackageRow]) -> list[str]:
    """The keys of the approved packages in the order of `_rank`: sorted twice, which is faster than by pairs."""
    approved = sorted((row for row in rows.values() if row.state == "APPROVED"), key=attrgetter("key"))
    approved.sort(key=attrgetter("score"), reverse=True)
    return [row.key for row in approved]


def _rank(row: PackageRow) -> tuple[float, str]:
    return (-row.score, row.key)


def _row(key: str, value: PackageEntry) -> PackageRow:
    flags = _flags(value.content_warnings, value.dev_state, value.ai_disclosure)
    tags, counts = _shared(value.tags), popularity.of(value.id)
    return PackageRow(
        key=key,
        id=value.id,
        author=_shared(value.author),
        type=_shared(value.type),
        state=_shared(value.state),
        title=value.title,
        license=_shared(value.license),
        media_license=_shared(value.media_license),
        tags=tags,
        flags=flags,
        labels=_labels(flags, tags),
        aliases=_shared(value.aliases),
        languages=_shared(tuple(value.translations)),
        games=_shared(tuple(row.game for row in value.game_support if row.supports)),
        releases=tuple(ReleaseRange(release.id, release.min, release.max) for release in value.releases),
        created_at=_moment(value.created_at),
        approved_at=_moment(value.approved_at),
        released_at=_moment(value.releases[0].created_at if value.releases else None),
        score_reviews=value.score_reviews,
        reviews=_shared(value.reviews),
        provides=_shared(value.provides),
        forums=value.forums,
        downloads=counts.downloads,
        score_downloads=counts.points_on(popularity.today().toordinal()),
    )


@lru_cache(65536)
def _shared(value: _H) -> _H:
    """An equal object: thousands of packages share their licenses, tags and authors."""
    return value


@lru_cache(4096)
def _flags(content_warnings: Iterable[str], dev_state: str | None, ai_disclosure: str | None) -> frozenset[str]:
    flags = set(content_warnings)
    if flags:
        flags.add("*")
    if dev_state in ("WIP", "DEPRECATED"):
        flags.add(dev_state.lower())
    if ai_disclosure in ("ASSISTED", "GENERATED"):
        flags.add("anyai")
    if ai_disclosure == "GENERATED":
        flags.add("genai")
    return frozenset(flags)


@lru_cache(65536)
def _labels(flags: frozenset[str], tags: tuple[str, ...]) -> frozenset[str]:
    return flags.union(tags)


@lru_cache(1024)
def _moment(date: str | None) -> int:
    return (datetime.fromisoformat(date).replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND if date else 0
