"""A client of the whole app: it sends requests to Chalice as a gateway's events."""

import base64
import json as jsonlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlencode

import app as moonbase
from chalicelib import settings
from standalone.event import proxy_event
from tests.web.gateway_events import Resources, rest_event

MakeEvent = Callable[[str, str, str, Mapping[str, str], bytes], dict[str, Any]]

_RESOURCES = Resources(moonbase.app.routes)

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@dataclass
class Reply:
    """A response as a client sees it; `headers` has all values by name in lower case."""

    status: int
    headers: dict[str, list[str]]
    body: bytes

    def header(self, name: str) -> str | None:
        """Return the value of a header, None without it; a repeated header fails the test."""
        values = self.headers.get(name.lower(), [])
        assert len(values) < 2, f"the response has {len(values)} headers {name}"
        return values[0] if values else None

    @property
    def json(self) -> Any:
        assert self.header("content-type") == "application/json"
        return jsonlib.loads(self.body)


class Client:
    """Sends requests to the app: API Gateway's events in the moto world, our gateway's in the embedded world."""

    def __init__(self, make_event: MakeEvent | None = None) -> None:
        self.headers: dict[str, str] = {"Host": "moonbase.test"}
        self._make_event = make_event or _event

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | Sequence[tuple[str, str]] | str = "",
        headers: Mapping[str, str] = {},
        body: bytes = b"",
        json: Any = None,
        form: Mapping[str, str] | None = None,
        files: Mapping[str, tuple[str, bytes]] | None = None,
    ) -> Reply:
        """Send a request; `path` is already percent-encoded, `files` maps a field to (filename, content)."""
        sent = {**self.headers, **headers}
        if json is not None:
            body, sent = jsonlib.dumps(json).encode(), {"Content-Type": "application/json", **sent}
        elif files is not None:
            body = multipart(form or {}, files)
            sent = {"Content-Type": "multipart/form-data; boundary=BoundaryQ", **sent}
        elif form is not None:
            body = urlencode(form).encode()
            sent = {"Content-Type": "application/x-www-form-urlencoded", **sent}
        text = query if isinstance(query, str) else urlencode(query, doseq=True)
        return self.answer(self._make_event(method, path, text, sent, body))

    def answer(self, event: dict[str, Any]) -> Reply:
        """Send an event and return the response."""
        answer = moonbase.app(event, None)
        headers: dict[str, list[str]] = {}
        for name, value in answer["headers"].items():
            headers.setdefault(name.lower(), []).append(value)
        for name, values in answer["multiValueHeaders"].items():
            headers.setdefault(name.lower(), []).extend(values)
        body: str = answer["body"]
        return Reply(
            answer["statusCode"], headers, base64.b64decode(body) if answer.get("isBase64Encoded") else body.encode()
        )

    def get(self, path: str, **more: Any) -> Reply:
        return self.request("GET", path, **more)

    def page(self, path: str, status: int = 200, **more: Any) -> str:
        """Request a page as a browser does; return its HTML. Another status or content type fails the test."""
        reply = self.get(path, **more, headers=BROWSER)
        assert (reply.status, reply.header("content-type")) == (status, "text/html; charset=utf-8")
        return reply.body.decode()

    def head(self, path: str, **more: Any) -> Reply:
        return self.request("HEAD", path, **more)

    def post(self, path: str, **more: Any) -> Reply:
        return self.request("POST", path, **more)


def _event(method: str, path: str, query: str, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """Return a request's event from the gateway of this world: API Gateway's if blobs are in S3, otherwise our own."""
    if settings.current().blobs.startswith("s3:"):
        resource, params = _RESOURCES.find(method, path)
        return rest_event(
            method,
            path,
            query=parse_qs(query, keep_blank_values=True),
            headers={"X-Forwarded-Proto": "http", **headers},  # so that both worlds have the same base URL
            body=body,
            resource=resource,
            params=params,
        )
    return own_event(method, path, query, headers, body)


def own_event(method: str, path: str, query: str, headers: Mapping[str, str], body: bytes = b"") -> dict[str, Any]:
    """Return a request's event from our own gateway."""
    scope: Any = {
        "method": method,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "scheme": "http",
        "client": ("203.0.113.7", 40000),
        "http_version": "1.1",
    }
    return proxy_event(scope, body)


def multipart(fields: Mapping[str, str], files: Mapping[str, tuple[str, bytes]]) -> bytes:
    """The bytes of a form with the boundary `BoundaryQ`; names are written as they are, also malformed ones."""
    parts = [_part(f'name="{name}"', "", value.encode(errors="surrogatepass")) for name, value in fields.items()]
    kind = "Content-Type: application/octet-stream\r\n"
    for name, (filename, content) in files.items():
        parts.append(_part(f'name="{name}"; filename="{filename}"', kind, content))
    return b"".join(parts) + b"--BoundaryQ--\r\n"


def _part(disposition: str, more: str, content: bytes) -> bytes:
    head = f"--BoundaryQ\r\nContent-Disposition: form-data; {disposition}\r\n{more}\r\n"
    return head.encode(errors="surrogatepass") + content + b"\r\n"
