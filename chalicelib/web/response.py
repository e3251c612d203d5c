"""What goes back: status, headers and bytes, whatever the dialect."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import orjson

Headers = list[tuple[str, str]]


@dataclass
class Response:
    """An answer. `headers` may repeat a name. For the log: `route` is the route's template, `service` who answers."""

    status: int = 200
    body: bytes = b""
    headers: Headers = field(default_factory=list)
    route: str = "-"
    service: str = "-"

    def header(self, name: str) -> str | None:
        """The first value of a header, in any letter case."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


def json_response(data: Any, status: int = 200, headers: Iterable[tuple[str, str]] = ()) -> Response:
    """Compact JSON, in the key order given."""
    return Response(status, orjson.dumps(data), [("Content-Type", "application/json"), *headers])


def canonical_json(data: Any) -> bytes:
    """JSON with sorted keys, only ASCII, and no blanks between tokens."""
    return json.dumps(data, sort_keys=True, separators=(",", ":")).encode()


def bytes_response(
    content: bytes, content_type: str, status: int = 200, headers: Iterable[tuple[str, str]] = ()
) -> Response:
    """Bytes as they are."""
    return Response(status, content, [("Content-Type", content_type), *headers])


def redirect(location: str, status: int = 302) -> Response:
    """Elsewhere: a URL, or a path of this host, which the site makes a URL of."""
    return Response(status, b"", [("Location", location)])
