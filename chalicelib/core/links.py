"""Signed links to blobs in a directory: good for one blob, one method and a while, for whoever holds them.

The one-machine gateway serves them by itself, below PREFIX, where no service has a path. Nothing is stored for a link:
any process that has the key file can tell one of ours.
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
_METHODS = {"GET": ("GET", "HEAD"), "HEAD": ("HEAD",)}  # who may read a file may also ask how long it is


@dataclass(frozen=True)
class Link:
    """What a link allows, until `expires` (epoch seconds), and how the file is called there."""

    key: str
    method: str
    filename: str
    content_type: str
    expires: int


def make(link: Link) -> str:
    """The URL: absolute where MOONBASE_BASE_URL is set, else from the root of the host that the client asked."""
    query = {
        "method": link.method,
        "filename": link.filename,
        "type": link.content_type,
        "expires": str(link.expires),
        "signature": _signature(link),
    }
    return f"{settings.current().base_url.rstrip('/')}{PREFIX}{link.key}?{urlencode(query)}"


def read(path: str, query: str, method: str) -> Link:
    """The link behind a path below PREFIX, for a request with `method`; raises Forbidden for any that is not ours."""
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
    """A Content-Disposition (RFC 6266) that no filename can break out of."""
    plain = re.sub(r"""[^ !#-\[\]-~]""", "_", filename)
    if plain == filename:
        return f'attachment; filename="{plain}"'
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"


def _signature(link: Link) -> str:
    """Over every part with its length, so that no two links are the same text."""
    parts = (link.key, link.method, link.filename, link.content_type, str(link.expires))
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return hmac.new(sealing.derived_key("links"), text.encode("utf-8", "surrogatepass"), sha256).hexdigest()
