"""Atom feeds (RFC 4287)."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from xml.etree.ElementTree import Element, SubElement, tostring

from chalicelib.web.conditional import etag_of
from chalicelib.web.response import Response, bytes_response

_NAMESPACE = "http://www.w3.org/2005/Atom"
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # characters that XML cannot contain


@dataclass(frozen=True)
class FeedEntry:
    """An entry. `link` is an absolute URL, and `id` a URI that never changes."""

    id: str
    title: str
    at: datetime
    link: str
    text: str = ""


def feed(*, title: str, id: str, link: str, entries: Sequence[FeedEntry], otherwise: datetime) -> Response:
    """Render entries, newest first, as a feed; `otherwise` is the time of the last change of an empty one.

    The response is private: it may be kept, but must be validated.
    """
    root = Element("feed", xmlns=_NAMESPACE)
    _add(root, (("id", id), ("title", title), ("updated", _moment(entries[0].at if entries else otherwise))))
    SubElement(root, "link", rel="alternate", href=link)
    _add(SubElement(root, "author"), (("name", "Moonbase"),))
    for entry in entries:
        item = SubElement(root, "entry")
        _add(item, (("id", entry.id), ("title", entry.title), ("updated", _moment(entry.at))))
        SubElement(item, "link", rel="alternate", href=entry.link)
        if entry.text:
            _add(item, (("content", entry.text),))
    content = tostring(root, encoding="utf-8", xml_declaration=True)
    headers = [("ETag", etag_of(content)), ("Cache-Control", "private, no-cache")]
    return bytes_response(content, "application/atom+xml; charset=utf-8", headers=headers)


def _add(parent: Element, texts: Iterable[tuple[str, str]]) -> None:
    for name, text in texts:
        SubElement(parent, name).text = _FORBIDDEN.sub("\ufffd", text)


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"
