"""An author's text as a part of a page: with lower headings, and without images of other servers.

Browsers show only images of this server there, because the server of an image learns who reads the page. Other images
become links. Paths from the root are below the server's URL, which can have a path.
"""

from html import escape
from urllib.parse import urlsplit

from chalicelib.contentdb.texts import markdown, tags
from chalicelib.contentdb.texts.markdown import PERMALINK
from chalicelib.contentdb.texts.tags import plain

_LEVELS_ABOVE = 2  # the page's title, and the heading above the text
_SCROLLS = '<div class="scroll" role="region" aria-label="Table" tabindex="0">'


def from_markdown(text: str, base_url: str) -> str:
    """Stored Markdown as clean HTML; `base_url` is this server's URL."""
    writer = _ProseWriter(base_url)
    tags.read(markdown.stored_to_html(text), writer)
    return "".join(writer.written)


class _ProseWriter:
    """Copies clean HTML, in which every tag is known and closed."""

    def __init__(self, base_url: str) -> None:
        self._base_url, self._root = base_url, urlsplit(base_url).path
        self._in_link = self._in_permalink = False
        self.written: list[str] = []

    def text(self, html: str) -> None:
        self.written.append("#" if self._in_permalink else html)

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        given = {name: plain(value) for name, value in attributes.items()}
        for name in ("href", "src"):
            if name in given and _is_path(given[name]):
                given[name] = self._root + given[name]
        if tag == "img" and not self._is_ours(given.get("src", "")):
            self._link_to_image(given)
            return
        if tag == "a":
            self._in_link = True
            given["rel"] = "nofollow"
            self._in_permalink = given.get("class") == PERMALINK
            if self._in_permalink:
                given["aria-label"] = "Link to this heading"
        self.written += [_SCROLLS if tag == "table" else "", f"<{_level(tag)}{_written(given)}>"]

    def end(self, tag: str) -> None:
        if tag == "a":
            self._in_link = self._in_permalink = False
        self.written += [f"</{_level(tag)}>", "</div>" if tag == "table" else ""]

    def _is_ours(self, url: str) -> bool:
        return url.startswith(f"{self._base_url}/") or _is_path(url)

    def _link_to_image(self, given: dict[str, str]) -> None:
        text = escape(given.get("alt", "").strip() or "Image")
        if self._in_link or not given.get("src"):
            self.written.append(text)
        else:
            self.written.append(f"<a{_written({'href': given['src'], 'rel': 'nofollow'})}>{text}</a>")


def _is_path(url: str) -> bool:
    return url.startswith("/") and not url.startswith("//")


def _level(tag: str) -> str:
    """A tag; a heading becomes some levels lower."""
    if len(tag) == 2 and tag[0] == "h" and tag[1].isdigit():
        return f"h{min(int(tag[1]) + _LEVELS_ABOVE, 6)}"
    return tag


def _written(attributes: dict[str, str]) -> str:
    return "".join(f' {name}="{escape(value)}"' for name, value in attributes.items())
