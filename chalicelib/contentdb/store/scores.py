"""Entries of packages with their counters: downloads, points, and reviews by rating."""

from chalicelib.contentdb.entry import PackageEntry
from chalicelib.contentdb.store import popularity
from chalicelib.contentdb.store.tables import Counters, package_pk
from chalicelib.core.catalogues.entries import replace
from chalicelib.core.catalogues.snapshots import Entry


def with_counters(entry: PackageEntry, counters: Counters) -> PackageEntry:
    """The entry with these counters, for a response."""
    counts = popularity.counts_of(counters)
    points = counts.points_on(popularity.today().toordinal())
    return replace(with_reviews(entry, counters), downloads=counts.downloads, score_downloads=points)


def with_reviews(entry: PackageEntry, counters: Counters) -> PackageEntry:
    """The entry with the counters of reviews, which change with it."""
    return replace(
        entry,
        score_reviews=float(counters.score_reviews),
        reviews=(int(counters.positive), int(counters.neutral), int(counters.negative)),
    )


def counted(value: PackageEntry) -> PackageEntry:
    """The entry with the published counters, for lists."""
    counts = popularity.of(value.id)
    points = counts.points_on(popularity.today().toordinal())
    return replace(value, downloads=counts.downloads, score_downloads=points)


def current(package: Entry[PackageEntry]) -> PackageEntry:
    """The entry with the stored counters."""
    counters = Counters.find(package_pk(package.value.id), "counters")
    return with_counters(package.value, counters) if counters else package.value


def score(package: PackageEntry) -> float:
    """The score by which lists are ordered, of an entry with its counters."""
    return package.score_downloads + package.score_reviews
