"""Reviews as JSON: parses requests, renders responses."""

from typing import Any

from chalicelib.contentdb import wire
from chalicelib.contentdb.entry import ContentDbSnapshot, PackageEntry
from chalicelib.contentdb.packages import shapes
from chalicelib.contentdb.reviews.counts import RATINGS
from chalicelib.contentdb.reviews.lifecycle import NewReview
from chalicelib.contentdb.store import index, values
from chalicelib.contentdb.store.tables import Review
from chalicelib.contentdb.texts import plain
from chalicelib.core.catalogues.snapshots import Value
from chalicelib.core.errors import Invalid
from chalicelib.web.request import Request

_FIELDS = ("title", "comment", "rating", "language")


def parse(request: Request) -> NewReview:
    """The review in a body. Raises Invalid."""
    given = wire.parse_object(request, _FIELDS)
    for name in ("title", "comment", "rating"):
        if given.get(name) is None:
            raise Invalid(f"{name} is required")
    rating = given["rating"]
    if type(rating) is not int or rating not in RATINGS:
        raise Invalid("rating must be 1, 3 or 5")
    return NewReview(
        rating,
        plain.line("title", given["title"], 3, 100),
        plain.text("comment", given["comment"], 10, 2000),
        plain.line("language", given.get("language", "en"), 1, 20),
    )


def parse_vote(request: Request) -> bool | None:
    """Whether a review helped; None for no vote. Raises Invalid."""
    given = wire.parse_object(request, ("is_helpful",))
    is_helpful = given.get("is_helpful")
    if "is_helpful" not in given or not isinstance(is_helpful, bool | None):
        raise Invalid("is_helpful must be true, false or null")
    return is_helpful


def render(snapshot: ContentDbSnapshot, review: Review, package: PackageEntry, base: str) -> Value:
    """A review; `thread` is its own URL."""
    return {
        "user": {"username": review.author, "display_name": index.display_name(snapshot, review.author)},
        "created_at": values.iso(review.created_at),
        "is_positive": review.rating > 3,
        "rating": int(review.rating),
        "title": review.title,
        "comment": review.comment,
        "votes": votes(review),
        "thread": {"id": int(review.id), "url": url(review, package, base)},
    }


def render_with_package(snapshot: ContentDbSnapshot, review: Review, package: PackageEntry, base: str) -> Value:
    """A review with its package."""
    return {**render(snapshot, review, package, base), "package": shapes.keys(package)}


def votes(review: Review) -> dict[str, Any]:
    """The numbers of helpful and unhelpful votes."""
    return {"helpful": int(review.helpful), "unhelpful": int(review.unhelpful)}


def url(review: Review, package: PackageEntry, base: str) -> str:
    """The URL of a review."""
    return f"{base}/api/packages/{package.author}/{package.name}/reviews/{int(review.id)}/"
