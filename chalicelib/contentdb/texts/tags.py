"""Reads HTML as a sequence of tags and texts, in time linear in its length.

The parser of the standard library takes quadratic time for unfinished tags. This one knows no errors: every text is
HTML, as in browsers.
"""

import re
from html import unescape
from typing import Protocol

# Elements whose content is not shown, and is no HTML: it ends at the end tag.
_UNSEEN = ("script", "style", "title", "textarea", "iframe", "noscript", "template")
_ENDS = {name: re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE) for name in _UNSEEN}

# A comment, a declaration, or a tag; each ends with the text at the latest, so that none is read twice.
_TAG = re.compile(
    r"<(?:!--(?:.*?-->|.*)|[!?][^>]*+>?|(/?)([a-zA-Z][^\s/>]*+)"
    r"((?:[^>=]++|=\s*+(?:\"[^\"]*+\"?|'[^']*+'?)?)*+)>?)",
    re.DOTALL,
)
_ATTRIBUTE = re.compile(r"([^\s/>=]++)(?:\s*+=\s*+(?:\"([^\"]*+)\"?|'([^']*+)'?|([^\s>]++)))?")
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});")


class Handler(Protocol):
    """Is called for each part of a text. Texts and the values of attributes contain entities, see `plain`."""

    def text(self, html: str) -> None: ...

    def start(self, tag: str, attributes: dict[str, str]) -> None: ...

    def end(self, tag: str) -> None: ...


def read(html: str, handler: Handler) -> None:
    """Call the handler for all parts of `html` in order, without comments and without content that is not shown."""
    position = done = 0
    while found := _TAG.search(html, position):
        if (begin := found.start()) > done:
            handler.text(html[done:begin])
        position = done = found.end()
        closing, name, attributes = found.groups()
        if name is None:
            continue
        name = name.lower()
        if closing:
            handler.end(name)
        elif name in _ENDS:
            end = _ENDS[name].search(html, position)
            position = done = end.start() if end else len(html)
        else:
            handler.start(name, _attributes(attributes) if attributes else {})
    if done < len(html):
        handler.text(html[done:])


def plain(html: str) -> str:
    """Text or the value of an attribute, without entities."""
    return _ENTITY.sub(lambda found: unescape(found[0]), html) if "&" in html else html


def _attributes(source: str) -> dict[str, str]:
    """The attributes of a tag; of several with one name the first is valid."""
    given: dict[str, str] = {}
    for name, double, single, bare in _ATTRIBUTE.findall(source):
        given.setdefault(name.lower(), double or single or bare)
    return given
