"""The fields of a package by which lists filter and sort, as columns (core/catalogues/columns.py)."""

from array import array
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import chain, compress, groupby, repeat
from operator import add
from typing import Self

import msgspec

from chalicelib.contentdb.entry import PackageEntry
from chalicelib.contentdb.store import popularity
from chalicelib.core.catalogues.columns import EntryRow, RowField, RowTable

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
