"""Compressed answers: gzip (RFC 9110, section 8.4) for whoever accepts it."""

import gzip
from functools import cached_property

from chalicelib.web.conditional import etag_of
from chalicelib.web.negotiation import offers
from chalicelib.web.request import Request
from chalicelib.web.response import Response

SMALLEST = 1024  # below, the headers would outweigh what is saved
_TYPES = ("application/json", "application/javascript", "application/xml", "image/svg+xml", "text/")


class Kept(bytes):
    """A body that is sent again and again: its ETag and its gzip form are made once, when first wanted."""

    @cached_property
    def etag(self) -> str:
        """The strong ETag."""
        return etag_of(self)

    @cached_property
    def gzipped(self) -> bytes:
        """The compressed bytes."""
        return _gzip(self)


def encode(request: Request, response: Response) -> None:
    """Compress `response` where the client takes it and it is worth it; say what the answer varies by.

    The compressed form has an ETag of its own, made from the one that is there: two representations, two tags.
    """
    content_type = response.header("Content-Type") or ""
    if len(response.body) < SMALLEST or not content_type.startswith(_TYPES) or response.header("Content-Encoding"):
        return
    response.headers.append(("Vary", "Accept-Encoding"))
    if not accepts_gzip(request):
        return
    body = response.body
    response.body = body.gzipped if isinstance(body, Kept) else _gzip(body)
    response.headers = [
        (name, f'{value[:-1]}-gzip"') if name.lower() == "etag" else (name, value) for name, value in response.headers
    ]
    response.headers.append(("Content-Encoding", "gzip"))


def accepts_gzip(request: Request) -> bool:
    """Whether the client takes gzip: it names it, or anything, and not with the quality 0."""
    accepted = offers(request.headers.get("accept-encoding", ""))
    return next((accepted[coding] > 0 for coding in ("gzip", "x-gzip", "*") if coding in accepted), False)


def _gzip(content: bytes) -> bytes:
    return gzip.compress(content, compresslevel=6, mtime=0)
