"""Reviews: ContentDB's API, in the order of its page; what is ours stands at the end."""

from typing import Any

from chalicelib.contentdb import auth, index, packages, permissions, wire
from chalicelib.contentdb.arguments import Arguments
from chalicelib.contentdb.reviews import hypertext as review_hypertext
from chalicelib.contentdb.reviews import index as review_index
from chalicelib.contentdb.reviews import lists as review_lists
from chalicelib.contentdb.reviews import reviews
from chalicelib.contentdb.reviews import votes as review_votes
from chalicelib.contentdb.reviews import wire as review_wire
from chalicelib.contentdb.service import service
from chalicelib.core.caller import Caller
from chalicelib.core.errors import NotFound
from chalicelib.core.snapshots import Entry, Snapshot
from chalicelib.web.encoding import Kept
from chalicelib.web.request import Request
from chalicelib.web.response import Response

PACKAGE = "/api/packages/{author}/{name}"


def _largest() -> int:
    return review_wire.LARGEST


@service.route("GET", f"{PACKAGE}/for-client/reviews")
def for_client(request: Request) -> Response:
    """The reviews as a text for the game."""
    Arguments(request, ("formspec_version",)).needed("formspec_version")
    snapshot, package = _package(request)
    found = review_index.of_package(package.value["id"])
    return _render(request, review_hypertext.of(snapshot, package.value, found, request.base_url).described())


@service.route("GET", f"{PACKAGE}/reviews")
def list_of_package(request: Request) -> Response:
    """List."""
    snapshot, package = _package(request)
    found = review_index.of_package(package.value["id"])
    rows = [review_wire.render(snapshot, review, package.value, request.base_url) for review in found]
    return _render(request, rows)


def _if_waiting(request: Request) -> Caller | None:
    """Nobody is asked who they are, unless they want to see what waits for approval."""
    return auth.somebody(request) if "approved" in request.query else None


@service.route("GET", "/api/reviews", auth=_if_waiting, scope="read")
def list_all(request: Request, caller: Caller | None) -> Response:
    """List, in pages."""
    if caller:
        permissions.require_may_approve_reviews(caller.account)
    return _render(request, review_lists.page(request, index.catalogue.snapshot()))


@service.route("PUT", f"{PACKAGE}/reviews", auth=auth.for_package, limit=_largest)
def write(request: Request, caller: Caller) -> Response:
    """Write one's own review, or write it anew."""
    wanted = review_wire.parse(request)
    review = reviews.write(caller, request.params["author"], request.params["name"], wanted)
    snapshot, package = _package(request)
    shown = review_wire.render(snapshot, review, package.value, request.base_url)
    return wire.render_success(review=shown, approved=review.approved)


@service.route("DELETE", f"{PACKAGE}/reviews", auth=auth.for_package)
def take_back(request: Request, caller: Caller) -> Response:
    """Delete one's own review."""
    reviews.take_back(caller, request.params["author"], request.params["name"])
    return wire.render_success()


@service.route("GET", f"{PACKAGE}/reviews/{{id}}", auth=auth.anyone, scope="read")
def read(request: Request, caller: Caller | None) -> Response:
    """Read one; it is the review's thread, too."""
    snapshot, package = _package(request)
    review = review_index.get(package.value["id"], _id(request))
    if not reviews.may_see(review, caller):
        raise NotFound("Review not found")
    return wire.render(review_wire.render(snapshot, review, package.value, request.base_url))


@service.route("DELETE", f"{PACKAGE}/reviews/{{id}}", auth=auth.for_package)
def delete(request: Request, caller: Caller) -> Response:
    """Delete a review, as a moderator."""
    reviews.delete(request.params["author"], request.params["name"], _id(request), caller)
    return wire.render_success()


@service.route("POST", f"{PACKAGE}/reviews/{{id}}/approve", auth=auth.for_package)
def approve(request: Request, caller: Caller) -> Response:
    """Let lists show a review."""
    reviews.approve(request.params["author"], request.params["name"], _id(request), caller)
    return wire.render_success()


@service.route("PUT", f"{PACKAGE}/reviews/{{id}}/votes", auth=auth.for_package, limit=_largest)
def vote(request: Request, caller: Caller) -> Response:
    """Say whether a review helped."""
    _, package = _package(request)
    review = review_votes.vote(caller, package.value["id"], _id(request), review_wire.parse_vote(request))
    return wire.render_success(votes=review_wire.votes(review))


def _render(request: Request, data: Any) -> Response:
    """An answer that may be large: comments are long."""
    return wire.render_kept(request, Kept(wire.dump(data) + b"\n"), None)


def _package(request: Request) -> tuple[Snapshot, Entry]:
    snapshot = index.catalogue.snapshot()
    return snapshot, packages.get(snapshot, request.params["author"], request.params["name"])


def _id(request: Request) -> int:
    return wire.parse_id(request, "Review not found")
