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

# The elements of HTML, also obsolete ones and those that mean nothing without attributes.
ELEMENTS = {
    *("a", "abbr", "acronym", "address", "applet", "area", "article", "aside", "audio", "b", "base", "basefont"),
    *("bdi", "bdo", "bgsound", "big", "blink", "blockquote", "body", "br", "button", "canvas", "caption", "center"),
    *("cite", "code", "col", "colgroup", "data", "datalist", "dd", "del", "details", "dfn", "dialog", "dir", "div"),
    *("dl", "dt", "em", "embed", "fencedframe", "fieldset", "figcaption", "figure", "font", "footer", "form"),
    *("frame", "frameset", "h1", "h2", "h3", "h4", "h5", "h6", "head", "header", "hgroup", "hr", "html", "i"),
    *("iframe", "image", "img", "input", "ins", "kbd", "label", "legend", "li", "link", "main", "map", "mark"),
    *("marquee", "math", "menu", "meta", "meter", "nav", "nobr", "noembed", "noframes", "noscript", "object", "ol"),
    *("optgroup", "option", "output", "p", "param", "picture", "plaintext", "pre", "progress", "q", "rb", "rp", "rt"),
    *("rtc", "ruby", "s", "samp", "script", "search", "section", "select", "slot", "small", "source", "span"),
    *("strike", "strong", "style", "sub", "summary", "sup", "svg", "table", "tbody", "td", "template", "textarea"),
    *("tfoot", "th", "thead", "time", "title", "tr", "track", "tt", "u", "ul", "var", "video", "wbr", "xmp"),
}
_NEED_ATTRIBUTES = {
    *("area", "base", "data", "embed", "input", "link", "map", "meta", "object", "param", "source", "time", "track"),
}

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


def read(html: str, handler: Handler, *, placeholders: bool = False) -> None:
    """Call the handler for all parts of `html` in order, without comments and without content that is not shown.

    With `placeholders`, a tag that is no HTML is text, such as `<player>` in the description of a command. So are
    `<time>` without attributes, and `<title>` without an end.
    """
    endless: set[str] = set()  # elements that have no end in the rest of the text
    position = done = 0
    while found := _TAG.search(html, position):
        begin, position = found.start(), found.end()
        closing, name, attributes = found.groups()
        name = name and name.lower()
        end = None if closing or name not in _ENDS or name in endless else _ENDS[name].search(html, position)
        if name in _ENDS and not closing and not end:
            endless.add(name)
        if placeholders and name and (_is_placeholder(name, closing, attributes) or (name in endless and not closing)):
            continue
        if begin > done:
            handler.text(html[done:begin])
        done = position
        if name is None:
            continue
        if closing:
            handler.end(name)
        elif name in _ENDS:
            position = done = end.start() if end else len(html)
        else:
            handler.start(name, _attributes(attributes) if attributes else {})
    if done < len(html):
        handler.text(html[done:])


def _is_placeholder(name: str, closing: str, attributes: str) -> bool:
    """Whether an author who writes this tag means text in angle brackets."""
    return name not in ELEMENTS or (name in _NEED_ATTRIBUTES and not closing and not attributes.strip("/ \t\r\n\f"))


def plain(html: str) -> str:
    """Text or the value of an attribute, without entities."""
    return _ENTITY.sub(lambda found: unescape(found[0]), html) if "&" in html else html


def _attributes(source: str) -> dict[str, str]:
    """The attributes of a tag; of several with one name the first is valid."""
    given: dict[str, str] = {}
    for name, double, single, bare in _ATTRIBUTE.findall(source):
        given.setdefault(name.lower(), double or single or bare)
    return given
