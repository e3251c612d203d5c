"""Cleans HTML: no active content, every tag closed, bounded depth and number of elements.

The time of a conforming HTML parser (nh3) grows with the depth, up to minutes for 64 KB. So a linear pass first
rewrites the tags, each closed in order, and rejects HTML that is too deep; nh3 then decides which tags are safe.
"""

from chalicelib.contentdb.texts import tags
from chalicelib.core.errors import Invalid

DEEPEST = 200
MOST_ELEMENTS = 10_000
TOO_DEEP = f"The text nests more than {DEEPEST} elements"

_SCHEMES = {"http", "https", "mailto"}
_TAGS = {
    *("a", "abbr", "b", "blockquote", "br", "center", "code", "dd", "del", "details", "div", "dl", "dt", "em"),
    *("h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "img", "kbd", "li", "ol", "p", "pre", "s", "small", "span"),
    *("strong", "sub", "summary", "sup", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "tt", "u", "ul"),
}
_ATTRIBUTES = {
    "a": {"href", "title", "class"},
    "abbr": {"title"},
    "code": {"class"},
    "img": {"src", "alt", "title", "width", "height"},
    "ol": {"start"},
    "td": {"align"},
    "th": {"align"},
    **{f"h{level}": {"id"} for level in range(1, 7)},
}
_QUOTE = '"'
_EMPTY = {"br", "hr", "img"}
HEADINGS = {f"h{level}" for level in range(1, 7)}

_BLOCKS = HEADINGS | {"blockquote", "center", "details", "div", "dl", "hr", "ol", "p", "pre", "summary", "table", "ul"}
_CELLS = {"td", "th"}
# The open elements that a start tag ends, because authors may leave out the end tags.
_ENDED_BY = {
    **{name: {"p"} for name in _BLOCKS - HEADINGS},
    **{name: {"p"} | HEADINGS for name in HEADINGS},
    "a": {"a"},
    "li": {"p", "li"},
    **{name: {"p", "dd", "dt"} for name in ("dd", "dt")},
    **{name: {"p"} | _CELLS for name in _CELLS},
    "tr": {"p", "tr"} | _CELLS,
    **{name: {"p", "tr", "tbody", "thead", "tfoot"} | _CELLS for name in ("tbody", "thead", "tfoot")},
}


def clean(html: str) -> str:
    """Clean HTML: no active content, every tag closed, links only by http, https and mailto. Raises Invalid."""
    return Cleaner().cleaned(html)


class Cleaner:
    """Writes the allowed tags of HTML, each one closed."""

    placeholders = False  # whether tags that are no HTML are text, see `tags.read`

    def __init__(self) -> None:
        self.written: list[str] = []
        self.opened: list[str] = []
        self._elements = 0

    def cleaned(self, html: str) -> str:
        """Clean a whole text. Raises Invalid if it is too deep, or has too many elements."""
        import nh3

        tags.read(html, self, placeholders=self.placeholders)
        while self.opened:
            self.close()
        return nh3.clean(
            "".join(self.written),
            tags=_TAGS,
            attributes=_ATTRIBUTES,
            url_schemes=_SCHEMES,
            link_rel=None,
        )

    def text(self, html: str) -> None:
        self.written.append(html.replace("<", "&lt;"))

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag not in _TAGS:
            return
        ended = _ENDED_BY.get(tag, ())
        while self.opened and self.opened[-1] in ended:
            self.close()
        self.open(tag, attributes)

    def open(self, tag: str, attributes: dict[str, str]) -> None:
        """Write a start tag. Raises Invalid if there are too many, or it is too deep."""
        self.written.append(_start_tag(tag, attributes) if attributes else f"<{tag}>")
        self._elements += 1
        if self._elements > MOST_ELEMENTS:
            raise Invalid(f"The text has more than {MOST_ELEMENTS} elements")
        if tag not in _EMPTY:
            self.opened.append(tag)
            if len(self.opened) > DEEPEST:
                raise Invalid(TOO_DEEP)

    def end(self, tag: str) -> None:
        if tag in self.opened:
            while self.close() != tag:
                pass

    def close(self) -> str:
        """Write the end tag of the innermost element, and return its name."""
        tag = self.opened.pop()
        self.written.append(f"</{tag}>")
        return tag


def _start_tag(tag: str, attributes: dict[str, str]) -> str:
    allowed = _ATTRIBUTES.get(tag, ())
    kept = [f' {name}="{value.replace(_QUOTE, "&quot;")}"' for name, value in attributes.items() if name in allowed]
    return f"<{tag}{''.join(kept)}>"
