"""All packages' reviews, in pages."""

from collections.abc import Sequence
from typing import Any

from chalicelib.contentdb import index, pages, review_index, review_wire
from chalicelib.contentdb.arguments import Arguments
from chalicelib.contentdb.review_counts import RATINGS
from chalicelib.core.views import Entry, Value, View
from chalicelib.web.request import Request

PAGE = 100
LARGEST_PAGE = 200
_FILTERS = ("author", "for_user", "rating", "is_positive", "q", "approved")


def page(request: Request, view: View) -> dict[str, Any]:
    """The page of reviews that a query asks for, newest first; `view` is that of the packages."""
    arguments = Arguments(request, (*_FILTERS, "page", "n", "num"))
    arguments.choice("rating", [str(rating) for rating in sorted(RATINGS)])
    packages = index.by_id(view)

    def show(entries: Sequence[Entry]) -> list[Value]:
        return [
            review_wire.render_with_package(view, review, packages[int(review.package_id)].value, request.base_url)
            for review in review_index.read(entries)
        ]

    found = _found(review_index.catalogue.view(), view, Arguments(request, _FILTERS))
    return pages.page_of(request, arguments, found, show, size=PAGE, most=LARGEST_PAGE)


def _found(reviews: View, view: View, arguments: Arguments) -> list[Entry]:
    """The reviews of packages that are there, kept for as long as nothing changes among both."""
    packages = index.by_id(view)

    def build(reviews: View) -> list[Entry]:
        return [
            entry
            for entry in review_index.newest_first(reviews)
            if (package := packages.get(entry.value["package"])) and _fits(entry.value, package.value, arguments)
        ]

    return reviews.remember((view.sequence, arguments.key), build, lambda found: 8 * len(found))


def _fits(review: Value, package: Value, arguments: Arguments) -> bool:
    """Whether a query asks for a review: an approved one, unless it asks for those that wait."""
    wants_waiting = "approved" in arguments and not arguments.yes("approved")
    return (
        review["approved"] is not wants_waiting
        and ("author" not in arguments or review["author"] == arguments.text("author"))
        and ("for_user" not in arguments or package["author"] == arguments.text("for_user"))
        and ("rating" not in arguments or str(review["rating"]) == arguments.text("rating"))
        and ("is_positive" not in arguments or (review["rating"] > 3) is arguments.yes("is_positive"))
        and arguments.text("q").casefold() in review["title"].casefold()
    )
