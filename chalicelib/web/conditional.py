"""Conditional requests (RFC 9110, section 13): a client that has the newest answer already gets 304."""

import hashlib
from dataclasses import replace
from email.utils import parsedate_to_datetime

from chalicelib.web.request import Request
from chalicelib.web.response import Response

_KEPT = {"cache-control", "content-location", "date", "etag", "expires", "last-modified", "vary"}


def etag_of(content: bytes | str) -> str:
    """The strong ETag of some content, in its quotes."""
    data = content.encode() if isinstance(content, str) else content
    return f'"{hashlib.sha256(data).hexdigest()[:32]}"'


def matches(header: str, etag: str) -> bool:
    """Whether an If-None-Match or If-Match header names `etag`; weak and strong count alike."""
    named = [part.strip().removeprefix("W/") for part in header.split(",")]
    return "*" in named or etag.removeprefix("W/") in named


def not_modified(request: Request, response: Response) -> Response:
    """`response`, or 304 in its place, by the ETag and Last-Modified that it carries."""
    if response.status != 200 or request.method not in ("GET", "HEAD") or not _is_known(request, response):
        return response
    kept = [
        (name, value)
        for name, value in response.headers
        if name.lower() in _KEPT or name.lower().startswith("access-control-")
    ]
    return replace(response, status=304, body=b"", headers=kept)


def _is_known(request: Request, response: Response) -> bool:
    """If-None-Match alone decides when it is there."""
    if known := request.headers.get("if-none-match"):
        etag = response.header("ETag")
        return etag is not None and matches(known, etag)
    since, modified = request.headers.get("if-modified-since"), response.header("Last-Modified")
    if not since or not modified:
        return False
    try:
        return parsedate_to_datetime(modified) <= parsedate_to_datetime(since)
    except (ValueError, TypeError):  # a date that cannot be read, or that has no zone, does not count
        return False
