"""Responses: status, headers and bytes, independent of a service's format."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import orjson

Headers = list[tuple[str, str]]


@dataclass
class Response:
    """A response. `headers` may repeat a name. `route` (the path template) and `service` are for the access log."""

    status: int = 200
    body: bytes = b""
    headers: Headers = field(default_factory=list)
    route: str = "-"
    service: str = "-"

    def header(self, name: str) -> str | None:
        """The first value of a header, in any letter case."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


def json_response(data: Any, status: int = 200, headers: Iterable[tuple[str, str]] = ()) -> Response:
    """Return a response with compact JSON in the given key order."""
    return Response(status, orjson.dumps(data), [("Content-Type", "application/json"), *headers])


def canonical_json(data: Any) -> bytes:
    """Encode data as ASCII JSON with sorted keys and without blanks between tokens."""
    return json.dumps(data, sort_keys=True, separators=(",", ":")).encode()


def bytes_response(
    content: bytes, content_type: str, status: int = 200, headers: Iterable[tuple[str, str]] = ()
) -> Response:
    """Return a response with unchanged bytes."""
    return Response(status, content, [("Content-Type", content_type), *headers])


def redirect(location: str, status: int = 302) -> Response:
    """Return a redirect to a URL or to a path of this host; the site converts the path to a URL."""
    return Response(status, b"", [("Location", location)])
