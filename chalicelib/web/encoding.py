"""Compressed responses: gzip (RFC 9110, section 8.4) for clients that accept it."""

import gzip
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from chalicelib.web.conditional import etag_of
from chalicelib.web.negotiation import offers
from chalicelib.web.request import Request
from chalicelib.web.response import Headers, Response

MIN_SIZE = 1024  # bytes; for smaller bodies the headers cost more than the compression saves
_TYPES = ("application/json", "application/javascript", "application/xml", "image/svg+xml", "text/")


class CachedBody(bytes):
    """A body for several responses. Its ETag and its gzip form are computed once, on first use."""

    @property
    def size(self) -> int:
        """The size in bytes."""
        return len(self)

    def text(self) -> bytes:
        """The bytes."""
        return self

    @cached_property
    def etag(self) -> str:
        """The strong ETag."""
        return etag_of(self)

    @cached_property
    def gzipped(self) -> bytes:
        """The compressed bytes."""
        return _gzip(self)


@dataclass
class PackedBody:
    """A long body that is stored compressed. `read` returns its text, of `size` bytes, and `pack` a gzip file of it."""

    size: int
    etag: str
    read: Callable[[], bytes]
    pack: Callable[[], bytes]

    def text(self) -> bytes:
        """The uncompressed bytes."""
        return self.read()

    @cached_property
    def gzipped(self) -> bytes:
        """The compressed bytes."""
        return self.pack()


def encoded(request: Request, body: CachedBody | PackedBody) -> tuple[bytes, Headers]:
    """The bytes and the headers of a response with this body. `encode` completes them."""
    if isinstance(body, CachedBody):
        return body, []
    if body.size < MIN_SIZE or not accepts_gzip(request):
        return body.text(), [("ETag", body.etag)]
    return body.gzipped, [
        ("ETag", _gzip_etag(body.etag)),
        ("Vary", "Accept-Encoding"),
        ("Content-Encoding", "gzip"),
    ]


def encode(request: Request, response: Response) -> None:
    """Compress `response` if the client accepts gzip and the body is large enough, and set Vary.

    The compressed representation gets its own ETag, derived from that of the response.
    """
    content_type = response.header("Content-Type") or ""
    if len(response.body) < MIN_SIZE or not content_type.startswith(_TYPES) or response.header("Content-Encoding"):
        return
    response.headers.append(("Vary", "Accept-Encoding"))
    if not accepts_gzip(request):
        return
    body = response.body
    response.body = body.gzipped if isinstance(body, CachedBody) else _gzip(body)
    response.headers = [
        (name, _gzip_etag(value) if name.lower() == "etag" else value) for name, value in response.headers
    ]
    response.headers.append(("Content-Encoding", "gzip"))


def accepts_gzip(request: Request) -> bool:
    """Whether Accept-Encoding contains gzip or `*` with a quality above 0."""
    accepted = offers(request.headers.get("accept-encoding", ""))
    return next((accepted[coding] > 0 for coding in ("gzip", "x-gzip", "*") if coding in accepted), False)


def _gzip_etag(etag: str) -> str:
    return f'{etag[:-1]}-gzip"'


def _gzip(content: bytes) -> bytes:
    return gzip.compress(content, compresslevel=6, mtime=0)
