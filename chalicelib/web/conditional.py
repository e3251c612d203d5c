"""Conditional requests (RFC 9110, section 13): a client with a current response gets 304."""

import hashlib
from dataclasses import replace

from chalicelib.web.headers import parse_date
from chalicelib.web.request import Request
from chalicelib.web.response import Response

_HEADERS_OF_304 = {
    "cache-control",
    "content-location",
    "date",
    "etag",
    "expires",
    "last-modified",
    "vary",
    "x-content-type-options",
}


def etag_of(content: bytes | str) -> str:
    """Return the strong ETag of the content, with quotes."""
    data = content.encode() if isinstance(content, str) else content
    return f'"{hashlib.sha256(data).hexdigest()[:32]}"'


def matches(header: str, etag: str) -> bool:
    """Whether an If-None-Match or If-Match header contains `etag`. Weak and strong tags compare equal."""
    tags = [part.strip().removeprefix("W/") for part in header.split(",")]
    return "*" in tags or etag.removeprefix("W/") in tags


def not_modified(request: Request, response: Response) -> Response:
    """Return a 304 if the request's conditions match the response's ETag or Last-Modified, otherwise `response`."""
    if response.status != 200 or request.method not in ("GET", "HEAD") or not _is_unmodified(request, response):
        return response
    headers = [
        (name, value)
        for name, value in response.headers
        if name.lower() in _HEADERS_OF_304 or name.lower().startswith("access-control-")
    ]
    return replace(response, status=304, body=b"", headers=headers)


def _is_unmodified(request: Request, response: Response) -> bool:
    """Whether the client has this response. If-None-Match takes precedence over If-Modified-Since."""
    if tags := request.headers.get("if-none-match"):
        etag = response.header("ETag")
        return etag is not None and matches(tags, etag)
    since = parse_date(request.headers.get("if-modified-since", ""))
    modified = parse_date(response.header("Last-Modified") or "")
    return since is not None and modified is not None and modified <= since
