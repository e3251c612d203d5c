"""Converts Markdown and HTML to Luanti's markup language, for the formspec element `hypertext`.

The markup has tags such as `<b>` and `<action name=link_1>`; a backslash escapes the next character. Text is escaped
and names are generated, so no author's text can become a tag.
"""

import re
from dataclasses import dataclass, field
from itertools import count
from urllib.parse import urljoin, urlsplit

from chalicelib.contentdb.texts import cleaning, markdown, tags
from chalicelib.contentdb.texts.markdown import PERMALINK
from chalicelib.contentdb.texts.tags import plain

HEAD = "<tag name=code color=#7bf font=mono><tag name=action color=#77f hovercolor=#aaf>"

_SPECIAL = re.compile(r"([\\<>])")
_SPACE = re.compile(r"[ \t\r\n\f]+")
_SIZE = re.compile(r"[1-9][0-9]{0,3}")
_DEFAULT_SIZE = 128
_ABSOLUTE = re.compile(r"https?://[^\s\[\]]+")
_PATH = re.compile(r"(?:/[\w@-][\w@.-]*+)++/?")
_INDENT = 16

_SAME = {"b": "b", "strong": "b", "i": "i", "em": "i", "u": "u", "code": "code"}
_HEADINGS = {"h1": "big", "h2": "big", "h3": "b", "h4": "b", "h5": "b"}
_BLOCKS = {"blockquote", "center", "dd", "details", "div", "dl", "dt", "h6", "hr", "ol", "p", "summary", "ul"}


@dataclass
class Hypertext:
    """A text in Luanti's markup. `links`, `images` and `image_tooltips` are keyed by the names in `body`."""

    body: str = "\n"
    links: dict[str, str] = field(default_factory=dict)
    images: dict[str, str] = field(default_factory=dict)
    image_tooltips: dict[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, str | dict[str, str]]:
        """The JSON for clients: the text, and `head`, the style of the tags, which clients put before it."""
        return {
            "head": HEAD,
            "body": self.body,
            "links": self.links,
            "images": self.images,
            "image_tooltips": self.image_tooltips,
        }


def escape(text: str) -> str:
    """Plain text, escaped as markup."""
    return _SPECIAL.sub(r"\\\1", text)


def action(name: str, text: str) -> str:
    """Plain text as a link; its target is in the links, under this name."""
    return f"<action name={name}><u>{escape(text)}</u></action>"


def from_markdown(text: str, page: str, include_images: bool = True, prefix: str = "", base: str = "") -> Hypertext:
    """Convert Markdown; see `from_html`. Raises Invalid."""
    return _convert(markdown.to_html(text), page, include_images, prefix, base)


def from_stored(text: str, page: str, include_images: bool = True, prefix: str = "", base: str = "") -> Hypertext:
    """Convert stored Markdown; see `from_html`. One that is refused there is shown as it is written."""
    return _convert(markdown.stored_to_html(text), page, include_images, prefix, base)


def from_html(html: str, page: str, include_images: bool = True, prefix: str = "", base: str = "") -> Hypertext:
    """Convert HTML.

    `page` is the URL of the text's page: links are made absolute by it, unless it is empty. Images are shown, or
    linked to. `prefix` begins the names, so that several texts can be joined in one body. Paths from the root are below
    `base`, the URL of this server, which can have a path. Raises Invalid for a text that `cleaning.clean` refuses.
    """
    return _convert(cleaning.clean(html), page, include_images, prefix, base)


def _convert(clean_html: str, page: str, include_images: bool, prefix: str, base: str) -> Hypertext:
    writer = _HypertextWriter(page, include_images, prefix, base)
    tags.read(clean_html, writer)
    return writer.finished()


class _HypertextWriter:
    """Writes markup while it reads clean HTML, in which every tag is known and closed."""

    def __init__(self, page: str, include_images: bool, prefix: str, base: str) -> None:
        self._page = page
        self._base = base or urljoin(page, "/").removesuffix("/")
        self._root = urlsplit(base).path
        self._include_images = include_images
        self._prefix = prefix
        self._result = Hypertext()
        self._written: list[str] = []
        self._at_line_start = True
        self._lists: list[str] = []
        self._inside = {"pre": 0, "table": 0}
        self._covering = 0  # the sum of these
        self._numbers = {"link": count(1), "image": count(1)}
        self._ignored_link = False
        self._last_id = ""

    def finished(self) -> Hypertext:
        """The result; the body ends with one newline."""
        self._result.body = "".join(self._written).rstrip("\n") + "\n"
        return self._result

    def text(self, html: str) -> None:
        if self._inside["table"] or self._ignored_link:
            return
        data = plain(html)
        if not self._inside["pre"]:
            data = _SPACE.sub(" ", data)
            if self._at_line_start:
                data = data.lstrip(" ")
        if data:
            self._write(escape(data))

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        given = {name: plain(value) for name, value in attributes.items()} if attributes else attributes
        self._last_id = given.get("id") or self._last_id
        if tag in self._inside:
            self._inside[tag] += 1
            self._covering += 1
            if self._covering == 1:
                self._open_block(tag)
        elif not self._covering:  # by an outer block, whose inner tags are ignored
            self._open(tag, given)

    def end(self, tag: str) -> None:
        if tag in self._inside:
            self._inside[tag] -= 1
            self._covering -= 1
            if tag == "pre" and not self._covering:
                self._tag("</code>")
                self._write("\n")
        elif not self._covering:
            self._close(tag)

    def _open_block(self, tag: str) -> None:
        self._end_line()
        if tag == "pre":
            self._tag("<code>")
        else:
            text = "(view table in browser)"
            self._write(self._link("link", self._absolute(f"#{self._last_id}"), text) if self._page else text)
            self._write("\n")

    def _open(self, tag: str, given: dict[str, str]) -> None:
        if tag in _SAME:
            self._tag(f"<{_SAME[tag]}>")
        elif tag in _HEADINGS:
            self._end_line()
            self._write("\n")
            self._tag(f"<{_HEADINGS[tag]}>")
        elif tag == "a":
            self._open_link(given)
        elif tag == "img":
            self._image(given)
        elif tag == "li":
            self._item()
        elif tag == "br":
            self._write("\n")
        elif tag in _BLOCKS:
            self._end_line()
            self._lists += [tag] if tag in ("ul", "ol") else []

    def _close(self, tag: str) -> None:
        if tag in _SAME:
            self._tag(f"</{_SAME[tag]}>")
        elif tag in _HEADINGS:
            self._tag(f"</{_HEADINGS[tag]}>")
            self._write("\n")
        elif tag == "a":
            self._close_link()
        elif tag == "li":
            self._at_line_start = self._written[-1].endswith("\n")
            self._end_line()
        elif tag in _BLOCKS:
            self._end_line()
            if tag in ("ul", "ol"):
                self._lists.pop()

    def _open_link(self, given: dict[str, str]) -> None:
        if given.get("class") == PERMALINK:
            self._ignored_link = True
        elif href := given.get("href"):
            self._tag(f"<action name={self._name('link', self._absolute(href))}><u>")
        else:
            self._tag("<action><u>")

    def _close_link(self) -> None:
        if not self._ignored_link:
            self._tag("</u></action>")
        self._ignored_link = False

    def _link(self, kind: str, url: str, text: str) -> str:
        return action(self._name(kind, url), text)

    def _image(self, given: dict[str, str]) -> None:
        url, text = self._absolute(given.get("src", "")), _SPACE.sub(" ", given.get("alt", "")).strip()
        if not self._include_images:
            self._write(self._link("image", url, f"Image: {text}" if text else "Image"))
            return
        name = self._new_name("image")
        width, height = (_size(given.get(side, "")) for side in ("width", "height"))
        self._result.images[name] = url
        if text:
            self._result.image_tooltips[name] = text
        self._write(f"<img name={name} width={width} height={height}>")

    def _item(self) -> None:
        self._end_line()
        width = _INDENT * self._lists.count("ul")
        self._write(f"<img name=blank.png width={width} height=1>• ")
        self._at_line_start = True

    def _name(self, kind: str, url: str) -> str:
        """A new name for a link to `url`."""
        name = self._new_name(kind)
        self._result.links[name] = url
        return name

    def _new_name(self, kind: str) -> str:
        return f"{self._prefix}{kind}_{next(self._numbers[kind])}"

    def _absolute(self, url: str) -> str:
        """A URL, absolute if there is a page; `urljoin` takes its time, and a text can have thousands of links."""
        if not self._page or _ABSOLUTE.fullmatch(url):
            return url
        if _PATH.fullmatch(url):
            return self._base + url
        try:
            return urljoin(self._page, self._root + url if _is_path(url) else url)
        except ValueError:  # an invalid host
            return self._page

    def _end_line(self) -> None:
        if not self._at_line_start:
            self._write("\n")

    def _tag(self, markup: str) -> None:
        """Write markup that is invisible."""
        self._written.append(markup)

    def _write(self, markup: str) -> None:
        """Write visible markup."""
        self._written.append(markup)
        self._at_line_start = markup.endswith("\n")


def _is_path(url: str) -> bool:
    return url.startswith("/") and not url.startswith("//")


def _size(given: str) -> int:
    return int(given) if _SIZE.fullmatch(given) else _DEFAULT_SIZE
