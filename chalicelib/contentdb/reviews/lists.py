"""The pages of all packages' reviews."""

from collections.abc import Callable, Iterator, Sequence

from chalicelib.contentdb.entry import ContentDbSnapshot, PackageEntry, ReviewEntry
from chalicelib.contentdb.reviews import index as review_index
from chalicelib.contentdb.reviews import wire as review_wire
from chalicelib.contentdb.reviews.counts import RATINGS
from chalicelib.contentdb.store import index, paging
from chalicelib.contentdb.store.arguments import Arguments
from chalicelib.core.catalogues.snapshots import Entry, Snapshot, Value
from chalicelib.web.encoding import CachedBody
from chalicelib.web.request import Request
from chalicelib.web.response import canonical_json

PAGE = 100
LARGEST_PAGE = 200
Test = Callable[[ReviewEntry, PackageEntry], bool]
_FILTERS = ("author", "for_user", "rating", "is_positive", "q", "approved")


def page(request: Request, snapshot: ContentDbSnapshot) -> CachedBody:
    """The page of reviews that match a query, newest first, as JSON; `snapshot` is that of the packages."""
    arguments = Arguments(request, (*_FILTERS, "page", "n", "num"))
    arguments.choice("rating", [str(rating) for rating in sorted(RATINGS)])
    packages, base = index.by_id(snapshot), request.base_url

    def show(entries: Sequence[Entry[ReviewEntry]]) -> list[Value]:
        return [
            review_wire.render_with_package(snapshot, review, packages[int(review.package_id)].value, base)
            for review in review_index.read(entries)
        ]

    def build(reviews: Snapshot[ReviewEntry]) -> bytes:
        found = _found(reviews, snapshot, Arguments(request, _FILTERS))
        page = paging.page_of(request, arguments, found, show, size=PAGE, most=LARGEST_PAGE)
        return canonical_json(page) + b"\n"

    query = tuple((name, *values) for name, values in request.query.items())  # it is in the URLs of other pages
    return review_index.cached(snapshot, ("page", base, query), build)


def _found(
    reviews: Snapshot[ReviewEntry], snapshot: ContentDbSnapshot, arguments: Arguments
) -> list[Entry[ReviewEntry]]:
    """The reviews of existing packages, cached until reviews or packages change."""
    packages = index.by_id(snapshot)
    tests = list(_tests(arguments))

    def build(reviews: Snapshot[ReviewEntry]) -> list[Entry[ReviewEntry]]:
        return [
            entry
            for entry in review_index.newest_first(reviews)
            if (package := packages.get(entry.value.package))
            and all(test(entry.value, package.value) for test in tests)
        ]

    return reviews.lru_cached((snapshot.sequence, arguments.key), build, lambda found: 8 * len(found))


def _tests(arguments: Arguments) -> Iterator[Test]:
    """The tests of a query on a review and its package: it must be approved unless pending reviews are requested."""
    approved = "approved" not in arguments or arguments.yes("approved")
    yield lambda review, package: review.approved is approved
    if "author" in arguments:
        author = arguments.text("author")
        yield lambda review, package: review.author == author
    if "for_user" in arguments:
        user = arguments.text("for_user")
        yield lambda review, package: package.author == user
    if rating := arguments.number("rating"):
        yield lambda review, package: review.rating == rating
    if "is_positive" in arguments:
        positive = arguments.yes("is_positive")
        yield lambda review, package: (review.rating > 3) is positive
    if words := arguments.text("q").casefold():
        yield lambda review, package: words in review.title.casefold()
