"""Moderation as JSON: parses requests, renders responses."""

from typing import Any

from chalicelib.contentdb import wire
from chalicelib.contentdb.moderation import queue
from chalicelib.contentdb.moderation.reports import CATEGORIES, OUTCOMES, NewReport
from chalicelib.contentdb.store.comments import Conversation
from chalicelib.contentdb.store.moderation_tables import AbuseReport, Comment, Waiting
from chalicelib.contentdb.store.values import iso
from chalicelib.contentdb.texts import plain
from chalicelib.core.errors import Invalid
from chalicelib.web.request import Request

_LONGEST_URL = 1000


def render_waiting(row: Waiting, base: str) -> dict[str, Any]:
    """An entry of the queue."""
    return {
        "type": row.thing,
        "id": int(row.id),
        "package": row.package,
        "title": row.title,
        "author": row.author,
        "since": iso(row.since),
        "url": base + queue.path_of(row),
        "check": row.found,
        "changed": row.changed or {},
    }


def render_conversation(conversation: Conversation) -> dict[str, Any]:
    """A conversation with its comments, oldest first."""
    closing = conversation.closing
    return {
        "closed": closing is not None,
        "closed_by": closing.by or None if closing else None,
        "comments": [render_comment(comment) for comment in conversation.comments],
    }


def render_comment(comment: Comment) -> dict[str, Any]:
    """A comment; `author` is null for the administrator, and `step` is the change of the package's state."""
    return {
        "id": int(comment.id),
        "author": comment.author or None,
        "comment": comment.text,
        "step": comment.step,
        "created_at": iso(comment.created_at),
    }


def render_report(report: AbuseReport) -> dict[str, Any]:
    """A report, as its author and editors see it."""
    return {
        "id": int(report.id),
        "category": report.category,
        "url": report.url,
        "title": report.title,
        "message": report.message,
        "author": report.author,
        "created_at": iso(report.created_at),
        "outcome": report.outcome,
        "answer": report.answer,
        "closed_by": report.closed_by,
        "closed_at": iso(report.closed_at) if report.closed_at else None,
    }


def parse_comment(request: Request) -> str:
    """The text of a comment, in Markdown. Raises Invalid."""
    return plain.text("comment", wire.parse_object(request, ("comment",)).get("comment"), 2, 2000)


def parse_closed(request: Request) -> bool:
    """Whether a conversation shall be closed. Raises Invalid."""
    closed = wire.parse_object(request, ("closed",)).get("closed")
    if not isinstance(closed, bool):
        raise Invalid("closed must be true or false")
    return closed


def parse_report(request: Request) -> NewReport:
    """A report of abuse. Raises Invalid."""
    given = wire.parse_object(request, ("category", "url", "title", "message"))
    category = _choice("category", given.get("category"), CATEGORIES)
    url = given.get("url")
    return NewReport(
        category,
        None if url is None else plain.line("url", url, 1, _LONGEST_URL),
        plain.line("title", given.get("title"), 10, 300),
        plain.text("message", given.get("message"), 10, 10_000),
    )


def parse_outcome(request: Request) -> tuple[str, str]:
    """The outcome of a report, and the answer to its author. Raises Invalid."""
    given = wire.parse_object(request, ("outcome", "reason"))
    reason = plain.text("reason", given.get("reason", ""), 0, wire.LONGEST_REASON)
    return _choice("outcome", given.get("outcome"), OUTCOMES), reason


def _choice(name: str, value: Any, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise Invalid(f"{name} must be one of: {', '.join(choices)}")
    return str(value)
