"""Signed links to blobs in a directory. A link is valid for one blob and one method until it expires, for any client.

The one-machine gateway serves them below PREFIX, where no service has a route. Links are not stored: any process with
the key file can verify them.
"""

import hmac
import re
import time
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import parse_qsl, quote, urlencode

from chalicelib import settings
from chalicelib.core import sealing
from chalicelib.core.errors import Forbidden

PREFIX = "/.blobs/"
_METHODS = {"GET": ("GET", "HEAD"), "HEAD": ("HEAD",)}  # a link for GET also allows HEAD


@dataclass(frozen=True)
class Link:
    """The permission of a link, until `expires` (epoch seconds), and the name and type of the download."""

    key: str
    method: str
    filename: str
    content_type: str
    expires: int


def sign(link: Link) -> str:
    """Return the URL: absolute if MOONBASE_BASE_URL is set, otherwise a path on the request's host."""
    query = {
        "method": link.method,
        "filename": link.filename,
        "type": link.content_type,
        "expires": str(link.expires),
        "signature": _signature(link),
    }
    return f"{settings.current().base_url.rstrip('/')}{PREFIX}{link.key}?{urlencode(query)}"


def read(path: str, query: str, method: str) -> Link:
    """Verify the link of a request with `method` to a path below PREFIX. Raises Forbidden for an invalid link."""
    given = dict(parse_qsl(query, keep_blank_values=True))
    expires = given.get("expires", "")[:12]
    link = Link(
        path.removeprefix(PREFIX),
        given.get("method", ""),
        given.get("filename", ""),
        given.get("type", ""),
        int(expires) if expires.isascii() and expires.isdigit() else 0,
    )
    if not hmac.compare_digest(_signature(link).encode(), given.get("signature", "").encode()):
        raise Forbidden("This link was not made here.")
    if link.expires < time.time():
        raise Forbidden("This link has expired.")
    if method not in _METHODS[link.method]:
        raise Forbidden("This link is for another method.")
    return link


def attachment(filename: str) -> str:
    """Return a Content-Disposition (RFC 6266) with the filename safely quoted."""
    plain = re.sub(r"""[^ !#-\[\]-~]""", "_", filename)
    if plain == filename:
        return f'attachment; filename="{plain}"'
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"


def _signature(link: Link) -> str:
    """Sign every part with its length, so that different links cannot have the same text."""
    parts = (link.key, link.method, link.filename, link.content_type, str(link.expires))
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return hmac.new(sealing.derived_key("links"), text.encode("utf-8", "surrogatepass"), sha256).hexdigest()
