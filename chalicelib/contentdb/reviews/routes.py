"""Reviews: ContentDB's API, in the order of its page; what is ours stands at the end."""

from chalicelib.contentdb import auth, wire
from chalicelib.contentdb.entry import ContentDbSnapshot, PackageEntry
from chalicelib.contentdb.packages import registry
from chalicelib.contentdb.reviews import index as review_index
from chalicelib.contentdb.reviews import lifecycle
from chalicelib.contentdb.reviews import lists as review_lists
from chalicelib.contentdb.reviews import votes as review_votes
from chalicelib.contentdb.reviews import wire as review_wire
from chalicelib.contentdb.service import service
from chalicelib.contentdb.store import index, permissions
from chalicelib.core.caller import Caller
from chalicelib.core.errors import NotFound
from chalicelib.core.snapshots import Entry
from chalicelib.web.request import Request
from chalicelib.web.response import Response

PACKAGE = "/api/packages/{author}/{name}"


def _largest() -> int:
    return review_wire.LARGEST


@service.route("GET", f"{PACKAGE}/reviews")
def list_of_package(request: Request) -> Response:
    """List."""
    snapshot, package = _package(request)
    found = review_index.of_package(package.value.id)
    rows = [review_wire.render(snapshot, review, package.value, request.base_url) for review in found]
    return wire.render_large(request, rows)


def _if_waiting(request: Request) -> Caller | None:
    """Nobody is asked who they are, unless they want to see what waits for approval."""
    return auth.somebody(request) if "approved" in request.query else None


@service.route("GET", "/api/reviews", auth=_if_waiting, scope="read")
def list_all(request: Request, caller: Caller | None) -> Response:
    """List, in pages."""
    if caller:
        permissions.require_may_approve_reviews(caller.account)
    return wire.render_large(request, review_lists.page(request, index.catalogue.snapshot()))


@service.route("PUT", f"{PACKAGE}/reviews", auth=auth.for_package, limit=_largest)
def write(request: Request, caller: Caller) -> Response:
    """Write one's own review, or write it anew."""
    wanted = review_wire.parse(request)
    review = lifecycle.write(caller, request.params["author"], request.params["name"], wanted)
    snapshot, package = _package(request)
    shown = review_wire.render(snapshot, review, package.value, request.base_url)
    return wire.render_success(review=shown, approved=review.approved)


@service.route("DELETE", f"{PACKAGE}/reviews", auth=auth.for_package)
def take_back(request: Request, caller: Caller) -> Response:
    """Delete one's own review."""
    lifecycle.take_back(caller, request.params["author"], request.params["name"])
    return wire.render_success()


@service.route("GET", f"{PACKAGE}/reviews/{{id}}", auth=auth.anyone, scope="read")
def read(request: Request, caller: Caller | None) -> Response:
    """Read one; it is the review's thread, too."""
    snapshot, package = _package(request)
    review = review_index.get(package.value.id, _id(request))
    if not lifecycle.may_see(review, caller):
        raise NotFound("Review not found")
    return wire.render(review_wire.render(snapshot, review, package.value, request.base_url))


@service.route("DELETE", f"{PACKAGE}/reviews/{{id}}", auth=auth.for_package)
def delete(request: Request, caller: Caller) -> Response:
    """Delete a review, as a moderator."""
    lifecycle.delete(request.params["author"], request.params["name"], _id(request), caller)
    return wire.render_success()


@service.route("POST", f"{PACKAGE}/reviews/{{id}}/approve", auth=auth.for_package)
def approve(request: Request, caller: Caller) -> Response:
    """Let lists show a review."""
    lifecycle.approve(request.params["author"], request.params["name"], _id(request), caller)
    return wire.render_success()


@service.route("PUT", f"{PACKAGE}/reviews/{{id}}/votes", auth=auth.for_package, limit=_largest)
def vote(request: Request, caller: Caller) -> Response:
    """Say whether a review helped."""
    _, package = _package(request)
    review = review_votes.vote(caller, package.value.id, _id(request), review_wire.parse_vote(request))
    return wire.render_success(votes=review_wire.votes(review))


def _package(request: Request) -> tuple[ContentDbSnapshot, Entry[PackageEntry]]:
    snapshot = index.catalogue.snapshot()
    return snapshot, registry.get(snapshot, request.params["author"], request.params["name"])


def _id(request: Request) -> int:
    return wire.parse_id(request, "Review not found")
