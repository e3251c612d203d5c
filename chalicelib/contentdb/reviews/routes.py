"""The routes of reviews, in the order of ContentDB's API page; our additions follow."""

from collections.abc import Callable

from chalicelib.contentdb import auth, wire
from chalicelib.contentdb.entry import ContentDbSnapshot, PackageEntry, ReviewEntry
from chalicelib.contentdb.packages import registry
from chalicelib.contentdb.reviews import index as review_index
from chalicelib.contentdb.reviews import lifecycle
from chalicelib.contentdb.reviews import lists as review_lists
from chalicelib.contentdb.reviews import votes as review_votes
from chalicelib.contentdb.reviews import wire as review_wire
from chalicelib.contentdb.service import service
from chalicelib.contentdb.store import index, permissions
from chalicelib.core.caller import Caller
from chalicelib.core.catalogues.snapshots import Entry, Snapshot
from chalicelib.core.errors import NotFound
from chalicelib.web.request import Request
from chalicelib.web.response import Response, canonical_json
from chalicelib.web.route import (
    ANONYMOUS,
    NO_SECOND_FACTOR,
    OWN,
    Handler,
    Leaves,
    LeavesNone,
    Permission,
    Scheme,
    SecondFactor,
)

PACKAGE = "/api/packages/{author}/{name}"


def _change(
    method: str,
    path: str,
    permission: Permission,
    event: Leaves | LeavesNone,
    second_factor: SecondFactor = NO_SECOND_FACTOR,
) -> Callable[[Handler], Handler]:
    """Declare a handler that changes reviews of the package in the path."""
    return service.route(
        method,
        path,
        auth.PACKAGE_TOKEN,
        scope="write",
        permission=permission,
        second_factor=second_factor,
        event=event,
    )


@service.route("GET", f"{PACKAGE}/reviews", ANONYMOUS)
def list_of_package(request: Request) -> Response:
    """List."""
    snapshot, package = _package(request)
    base = request.base_url

    def build(_: Snapshot[ReviewEntry]) -> bytes:
        found = review_index.of_package(package.value.id)
        rows = [review_wire.render(snapshot, review, package.value, base) for review in found]
        return canonical_json(rows) + b"\n"

    body = review_index.cached(snapshot, ("package", package.value.id, base), build)
    return wire.render_cached(request, body, None)


def _for_pending(request: Request) -> Caller | None:
    """The caller, who is required only for pending reviews."""
    return auth.required(request) if "approved" in request.query else None


def _require_approver(request: Request, caller: Caller | None) -> None:
    if caller:
        permissions.require_may_approve_reviews(caller.account)


_PENDING = Permission("any; pending ones: approver", _require_approver)


@service.route("GET", "/api/reviews", Scheme("token for pending ones", _for_pending), permission=_PENDING)
def list_all(request: Request, caller: Caller | None) -> Response:
    """List all reviews, in pages."""
    return wire.render_cached(request, review_lists.page(request, index.catalogue.snapshot()), None)


@_change("PUT", f"{PACKAGE}/reviews", Permission("new member, not a maintainer"), Leaves("review", "publish", "change"))
def write(request: Request, caller: Caller) -> Response:
    """Write or replace the caller's review."""
    wanted = review_wire.parse(request)
    review = lifecycle.write(caller, request.params["author"], request.params["name"], wanted)
    snapshot, package = _package(request)
    shown = review_wire.render(snapshot, review, package.value, request.base_url)
    return wire.render_success(review=shown, approved=review.approved)


@_change("DELETE", f"{PACKAGE}/reviews", OWN, Leaves("review", "delete"))
def delete_own(request: Request, caller: Caller) -> Response:
    """Delete the caller's review."""
    lifecycle.delete_own(caller, request.params["author"], request.params["name"])
    return wire.render_success()


@service.route(
    "GET",
    f"{PACKAGE}/reviews/{{id}}",
    auth.TOKEN_OR_NONE,
    permission=Permission("any; a pending one: its author, or approver"),
)
def read(request: Request, caller: Caller | None) -> Response:
    """Return one review, which is also its thread."""
    snapshot, package = _package(request)
    review = review_index.get(package.value.id, _id(request))
    if not lifecycle.may_see(review, caller):
        raise NotFound("Review not found")
    return wire.render(review_wire.render(snapshot, review, package.value, request.base_url))


@_change(
    "DELETE",
    f"{PACKAGE}/reviews/{{id}}",
    Permission("author of the review, or moderator"),
    Leaves("review", "delete"),
    auth.CODE_FOR_ANY,
)
def delete(request: Request, caller: Caller) -> Response:
    """Delete a review, as its author or a moderator."""
    lifecycle.delete(request.params["author"], request.params["name"], _id(request), caller)
    return wire.render_success()


@_change(
    "POST", f"{PACKAGE}/reviews/{{id}}/approve", Permission("approver"), Leaves("review", "publish"), auth.CODE_FOR_ANY
)
def approve(request: Request, caller: Caller) -> Response:
    """Approve a review."""
    lifecycle.approve(request.params["author"], request.params["name"], _id(request), caller)
    return wire.render_success()


@_change(
    "POST", f"{PACKAGE}/reviews/{{id}}/refuse", Permission("approver"), Leaves("review", "delete"), auth.CODE_FOR_ANY
)
def refuse(request: Request, caller: Caller) -> Response:
    """Refuse a review that waits for approval, with a reason for its author."""
    reason = wire.parse_reason(request, least=2)
    lifecycle.refuse(request.params["author"], request.params["name"], _id(request), reason, caller)
    return wire.render_success()


@_change(
    "PUT",
    f"{PACKAGE}/reviews/{{id}}/votes",
    Permission("new member, not the author of the review"),
    LeavesNone("a vote is no published work"),
)
def vote(request: Request, caller: Caller) -> Response:
    """Vote on a review: helpful or not."""
    _, package = _package(request)
    review = review_votes.vote(caller, package.value.id, _id(request), review_wire.parse_vote(request))
    return wire.render_success(votes=review_wire.votes(review))


def _package(request: Request) -> tuple[ContentDbSnapshot, Entry[PackageEntry]]:
    snapshot = index.catalogue.snapshot()
    return snapshot, registry.get(snapshot, request.params["author"], request.params["name"])


def _id(request: Request) -> int:
    return wire.parse_id(request, "Review not found")
