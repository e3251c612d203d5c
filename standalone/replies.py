"""Replies with their framing headers, the gateway's own errors, and the access log."""

import json
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol

Headers = list[tuple[bytes, bytes]]

access_log = logging.getLogger("moonbase.access")

_SENT_BY_SERVER = {b"transfer-encoding", b"x-content-type-options"}  # with every reply, also with its own errors
_UNSAFE_HEADER = re.compile(rb"[\r\n\0]")


class AppResponse(Protocol):
    """The result of `answer`. An optional attribute `route` is the route in the access log."""

    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> Sequence[tuple[str, str]]: ...
    @property
    def body(self) -> bytes: ...


@dataclass(frozen=True)
class FramedReply:
    """A response with its framing headers."""

    status: int
    headers: Headers
    body: bytes
    route: str = "-"


def frame(method: str, response: AppResponse) -> FramedReply:
    """Add the framing headers. The Content-Length is computed here; some statuses and HEAD have no body."""
    headers: Headers = []
    length = len(response.body)
    for name, value in response.headers:
        raw_name, raw_value = name.encode("latin-1").lower(), value.encode("latin-1")
        if _UNSAFE_HEADER.search(raw_name + raw_value):
            raise ValueError(f"line break in response header {name!r}")
        if raw_name == b"content-length":
            if method == "HEAD" and not response.body:
                length = int(value)
        elif raw_name not in _SENT_BY_SERVER:
            headers.append((raw_name, raw_value))
    bodiless = response.status in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)
    if not bodiless:
        headers.append((b"content-length", b"%d" % length))
    body = b"" if bodiless or method == "HEAD" else response.body
    return FramedReply(response.status, headers, body, str(getattr(response, "route", "-")))


def error(method: str, status: HTTPStatus, route: str = "-", more: Sequence[tuple[bytes, bytes]] = ()) -> FramedReply:
    """Return an error of the gateway itself, as JSON without a service's envelope."""
    body = json.dumps({"message": status.phrase}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)), *more]
    return FramedReply(status, headers, b"" if method == "HEAD" else body, route)


def log_access(client: str | None, method: str, reply: FramedReply, size: int, seconds: float) -> None:
    """Log a request in one line, with the route instead of the path, because a path may contain an API key."""
    line = "%s %s %s %d %d %.1fms"
    access_log.info(line, client or "-", method, reply.route, reply.status, size, seconds * 1000)
