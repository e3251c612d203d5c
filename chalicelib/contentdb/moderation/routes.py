"""The routes of moderation; none of them is on the API's page, because upstream has only pages for it."""

from chalicelib.contentdb import auth, wire
from chalicelib.contentdb.moderation import conversations, queue, reports
from chalicelib.contentdb.moderation import wire as moderation_wire
from chalicelib.contentdb.moderation.conversations import ConversationSubject
from chalicelib.contentdb.packages import registry
from chalicelib.contentdb.reviews import index as review_index
from chalicelib.contentdb.service import service
from chalicelib.contentdb.store import index
from chalicelib.contentdb.store.parts import load_parts
from chalicelib.core.caller import Caller
from chalicelib.web.request import Request
from chalicelib.web.response import Response
from chalicelib.web.route import NO_SECOND_FACTOR, LeavesNone, Permission

PACKAGE = "/api/packages/{author}/{name}"
REVIEW = f"{PACKAGE}/reviews/{{id}}"
_NO_WORK = LeavesNone("a comment is no published work")
_NO_REPORT = LeavesNone("a report is private")
_SIDES = Permission("maintainer of the package, or approver")
_READERS = Permission("any; a pending one: its author, or approver")
_MEMBERS = Permission("new member, who can see the review")
_OWN_COMMENT = Permission("author of the comment, or moderator")
_EDITORS = Permission("editor")


@service.route("GET", "/api/queue", auth.TOKEN, permission=Permission("approver"))
def read_queue(request: Request, caller: Caller) -> Response:
    """What waits for the caller: packages, screenshots, reviews and reports, oldest first."""
    rows = [moderation_wire.render_waiting(row, request.base_url) for row in queue.list_for(caller)]
    return wire.render_large(request, rows)


@service.route("GET", f"{PACKAGE}/comments", auth.TOKEN, permission=_SIDES)
@service.route("GET", f"{REVIEW}/comments", auth.TOKEN_OR_NONE, permission=_READERS)
def read_comments(request: Request, caller: Caller | None) -> Response:
    """The conversation about a package's approval, or about a review."""
    found = conversations.read(_subject(request), caller)
    return wire.render_large(request, moderation_wire.render_conversation(found))


@service.route("POST", f"{PACKAGE}/comments", auth.PACKAGE_TOKEN, scope="write", permission=_SIDES, event=_NO_WORK)
@service.route(
    "POST",
    f"{REVIEW}/comments",
    auth.PACKAGE_TOKEN,
    scope="write",
    permission=_MEMBERS,
    second_factor=NO_SECOND_FACTOR,
    event=_NO_WORK,
)
def write_comment(request: Request, caller: Caller) -> Response:
    """Write a comment in Markdown."""
    text = moderation_wire.parse_comment(request)
    comment = conversations.write(_subject(request), caller, text)
    return wire.render_success(comment=moderation_wire.render_comment(comment))


@service.route("PUT", f"{PACKAGE}/comments", auth.PACKAGE_TOKEN, scope="write", permission=_SIDES, event=_NO_WORK)
@service.route(
    "PUT",
    f"{REVIEW}/comments",
    auth.PACKAGE_TOKEN,
    scope="write",
    permission=Permission("author of the review, maintainer of the package, or approver"),
    event=_NO_WORK,
)
def close_comments(request: Request, caller: Caller) -> Response:
    """Close or reopen a conversation."""
    closed = moderation_wire.parse_closed(request)
    conversations.close(_subject(request), caller, closed)
    return wire.render_success(closed=closed)


@service.route(
    "DELETE",
    f"{PACKAGE}/comments/{{comment}}",
    auth.PACKAGE_TOKEN,
    scope="write",
    permission=_OWN_COMMENT,
    second_factor=auth.CODE_FOR_ANY,
    event=_NO_WORK,
)
@service.route(
    "DELETE",
    f"{REVIEW}/comments/{{comment}}",
    auth.PACKAGE_TOKEN,
    scope="write",
    permission=_OWN_COMMENT,
    second_factor=auth.CODE_FOR_ANY,
    event=_NO_WORK,
)
def delete_comment(request: Request, caller: Caller) -> Response:
    """Delete a comment."""
    number = wire.parse_number(request, "comment", "Comment not found")
    conversations.delete(_subject(request), caller, number)
    return wire.render_success()


@service.route(
    "POST",
    "/api/reports",
    auth.TOKEN,
    scope="write",
    permission=Permission("new member"),
    second_factor=NO_SECOND_FACTOR,
    event=_NO_REPORT,
)
def report(request: Request, caller: Caller) -> Response:
    """Report abuse to the editors."""
    made = reports.create(caller, moderation_wire.parse_report(request))
    return wire.render_success(report=moderation_wire.render_report(made))


@service.route("GET", "/api/reports/{id}", auth.TOKEN, permission=Permission("author of the report, or editor"))
def read_report(request: Request, caller: Caller) -> Response:
    """Return a report."""
    found = reports.get(wire.parse_id(request, "Report not found"), caller)
    return wire.render(moderation_wire.render_report(found))


@service.route(
    "POST",
    "/api/reports/{id}/close",
    auth.TOKEN,
    scope="write",
    permission=_EDITORS,
    second_factor=auth.CODE_FOR_ANY,
    event=_NO_REPORT,
)
def close_report(request: Request, caller: Caller) -> Response:
    """Close a report, with an answer to its author."""
    outcome, answer = moderation_wire.parse_outcome(request)
    closed = reports.close(wire.parse_id(request, "Report not found"), outcome, answer, caller)
    return wire.render_success(report=moderation_wire.render_report(closed))


def _subject(request: Request) -> ConversationSubject:
    """The package in the path or, with an id, a review of it."""
    snapshot = index.catalogue.snapshot()
    entry = registry.get(snapshot, request.params["author"], request.params["name"])
    package = load_parts(entry.value.id).package
    if "id" not in request.params:
        return ConversationSubject(package)
    return ConversationSubject(package, review_index.get(entry.value.id, wire.parse_id(request, "Review not found")))
