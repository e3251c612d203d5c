"""The catalogue of reviews, and their lookup.

Its entries have the fields by which lists filter; comments and votes are only in the items. A page reads the items that
it shows, and a package's reviews are in one partition. Every change of a review, and every vote, is a change of the
catalogue: `cached` keeps what was rendered until the next one. See docs/decisions/0015-reviews.md.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence

from chalicelib.contentdb.entry import ContentDbSnapshot, ReviewEntry
from chalicelib.contentdb.store.tables import ContentDbItem, Review, reviews_pk
from chalicelib.core.catalogues.catalogue import Catalogue
from chalicelib.core.catalogues.snapshots import Entry, Snapshot
from chalicelib.core.errors import NotFound
from chalicelib.web.encoding import CachedBody


def entities() -> Iterator[tuple[str, ReviewEntry]]:
    """Every entry by its review's id, read from the table."""
    reviews = (item for item in ContentDbItem.scan(consistent_read=True) if isinstance(item, Review))
    for review in sorted(reviews, key=lambda review: int(review.id)):
        yield key_of(review), value_of(review)


def key_of(review: Review) -> str:
    """The key of a review's entry."""
    return str(int(review.id))


def value_of(review: Review) -> ReviewEntry:
    """A review's entry."""
    return ReviewEntry(
        package=int(review.package_id),
        author=review.author,
        author_id=int(review.author_id),
        rating=int(review.rating),
        title=review.title,
        approved=review.approved,
    )


def reload(key: str, entry: ReviewEntry) -> ReviewEntry | None:
    """One entry, read from the table; None if it was deleted."""
    review = find(entry.package, entry.author_id)
    return value_of(review) if review and key_of(review) == key else None


def newest_first(snapshot: Snapshot[ReviewEntry]) -> list[Entry[ReviewEntry]]:
    """All reviews, newest first."""
    return snapshot.cached(
        "newest", lambda snapshot: sorted(snapshot.entries.values(), key=lambda entry: -int(entry.key))
    )


def find(package_id: int, account_id: int) -> Review | None:
    """The review of a package by an account, or None."""
    return Review.find(reviews_pk(package_id), str(int(account_id)))


def get(package_id: int, number: int) -> Review:
    """A review of a package by its id; raises NotFound."""
    return get_in(catalogue.snapshot(), package_id, number)


def get_in(snapshot: Snapshot[ReviewEntry], package_id: int, number: int) -> Review:
    """A review of a package by its id, looked up in a snapshot; raises NotFound."""
    entry = snapshot.entries.get(str(number))
    if entry and entry.value.package == package_id:
        review = find(package_id, entry.value.author_id)
        if review and review.id == number:
            return review
    raise NotFound("Review not found")


def cached(packages: ContentDbSnapshot, name: Hashable, build: Callable[[Snapshot[ReviewEntry]], bytes]) -> CachedBody:
    """The JSON that `build` makes of reviews and packages, cached until one of them changes; `name` tells it apart."""

    def make(reviews: Snapshot[ReviewEntry]) -> CachedBody:
        return CachedBody(build(reviews))

    snapshot = catalogue.snapshot()
    return snapshot.lru_cached((packages.sequence, name), make, lambda body: 2 * body.size)


def of_package(package_id: int) -> list[Review]:
    """The approved reviews of a package, in one Query: most helpful first, then newest first."""
    items = ContentDbItem.query(reviews_pk(package_id), consistent_read=True)
    found = [item for item in items if isinstance(item, Review) and item.approved]
    return sorted(found, key=lambda review: (review.unhelpful - review.helpful, -review.id))


def read(entries: Sequence[Entry[ReviewEntry]]) -> Iterator[Review]:
    """These reviews as stored, one call per hundred, in this order; deleted ones are left out."""
    keys = [(reviews_pk(entry.value.package), str(entry.value.author_id)) for entry in entries]
    items: Iterable[ContentDbItem] = ContentDbItem.batch_get(keys, consistent_read=True) if keys else ()
    stored = {key_of(item): item for item in items if isinstance(item, Review)}
    return (stored[entry.key] for entry in entries if entry.key in stored)


catalogue = Catalogue("contentdb-reviews", ReviewEntry, shape=1, entities=entities, reload=reload)
