"""Converts Markdown to safe HTML: GitHub's tables and strikethrough, with links from plain URLs and mentions.

Any 64 KB take less than 0.2 s of CPU, or are refused: the bounds are here and in `cleaning`.
"""

import re
from collections import Counter
from functools import cache
from html import escape
from typing import TYPE_CHECKING

from chalicelib.contentdb.texts.cleaning import DEEPEST, HEADINGS, TOO_DEEP, Cleaner
from chalicelib.contentdb.texts.tags import plain
from chalicelib.core.errors import Invalid

if TYPE_CHECKING:
    from pyromark import Markdown

PERMALINK = "header-anchor"  # the class of the link next to each heading

# A whole URL, or @user and @user/package that are not followed by a word or path.
_PLAIN_LINK = re.compile(
    r"https?://[^\s<>\"'`|\\^{}]+"
    r"|(?<![\w/@.])@(?P<user>[A-Za-z0-9_-][A-Za-z0-9._-]*[A-Za-z0-9_-])(?:/(?P<package>[a-z0-9_]+))?(?![\w/@])"
)
_UNLINKED = {"a", "code", "pre"}
_NO_SLUG = re.compile(r"[^\w]+")
_PUNCTUATION = ".,;:!?*_~"

# The markers of quotes and lists at the start of a line, and the spaces between them.
_MARKERS = re.compile(r"(?:^|(?<=\r))[ \t\v\f]*+(?:(?:>|(?:[-+*]|[0-9]{1,9}[.)])(?![^\s]))[ \t\v\f]*+)++", re.MULTILINE)
_MARKER = re.compile(r">|[-+*]|[0-9]+")


def to_html(text: str, root: str = "") -> str:
    """Markdown as clean HTML; links to users and packages are paths that begin with `root`. Raises Invalid."""
    if _depth(text) > DEEPEST:
        raise Invalid(TOO_DEEP)
    return _Cleaner(root).cleaned(_parser().html(text))


def stored_to_html(text: str) -> str:
    """A stored text as clean HTML; one that `to_html` refuses is shown as it is written."""
    try:
        return to_html(text)
    except Invalid:
        return f"<pre>{escape(text, quote=False)}</pre>\n"


def _depth(text: str) -> int:
    """The number of quotes and lists in each other, or more; the parser's time is a multiple of it.

    A line has at most as many as markers and levels of indentation, and one more per marker than the line before.
    """
    deepest = depth = 0
    for found in _MARKERS.finditer(text):
        markers = len(_MARKER.findall(found[0]))
        depth = markers + min(depth, (len(found[0]) + 3 * found[0].count("\t")) // 2)
        deepest = max(deepest, depth)
    return deepest


class _Cleaner(Cleaner):
    """Cleans HTML that was made from Markdown, creates links in text outside of links, and gives headings ids."""

    placeholders = True

    def __init__(self, root: str) -> None:
        super().__init__()
        self._root = root
        self._used: Counter[str] = Counter()
        self._heading: tuple[int, int] | None = None  # of the open heading: the index of its start tag, and its depth
        self._title: list[str] = []

    def text(self, html: str) -> None:
        if self._heading is not None:
            self._title.append(html)
        if ("http" in html or "@" in html) and _UNLINKED.isdisjoint(self.opened):
            self._link(plain(html))
        else:
            super().text(html)

    def open(self, tag: str, attributes: dict[str, str]) -> None:
        if tag in HEADINGS and self._heading is None:
            self._heading, self._title = (len(self.written), len(self.opened) + 1), []
        super().open(tag, attributes)

    def close(self) -> str:
        if self._heading and self._heading[1] == len(self.opened):
            index, self._heading = self._heading[0], None
            self._anchor(self.opened[-1], index)
        return super().close()

    def _link(self, text: str) -> None:
        """Write a text with its links."""
        done = 0
        for found in _PLAIN_LINK.finditer(text):
            url = found[0] if found["user"] else _trimmed(found[0])
            self.written.append(escape(text[done : found.start()]))
            self.open("a", {"href": escape(self._target(found, url))})
            self.written.append(escape(url))
            self.close()
            done = found.start() + len(url)
        self.written.append(escape(text[done:]))

    def _target(self, found: re.Match[str], url: str) -> str:
        if not found["user"]:
            return url
        if found["package"]:
            return f"{self._root}/packages/{found['user']}/{found['package']}/"
        return f"{self._root}/users/{found['user']}/"

    def _anchor(self, tag: str, index: int) -> None:
        """Give the open heading an id and a link to it."""
        slug = _NO_SLUG.sub("-", plain("".join(self._title)).lower()).strip("-") or "section"
        self._used[slug] += 1
        identifier = slug if self._used[slug] == 1 else f"{slug}-{self._used[slug]}"
        self.written[index] = f'<{tag} id="{identifier}">'
        self.open("a", {"href": f"#{identifier}", "class": PERMALINK})
        self.written.append("🔗")
        super().close()


def _trimmed(url: str) -> str:
    """A URL without the punctuation of its sentence."""
    end, surplus = len(url), url.count(")") - url.count("(")
    while url[end - 1] in _PUNCTUATION or (url[end - 1] == ")" and surplus > 0):
        surplus -= url[end - 1] == ")"
        end -= 1
    return url[:end]


@cache
def _parser() -> "Markdown":
    from pyromark import Markdown, Options

    return Markdown(options=Options.ENABLE_TABLES | Options.ENABLE_STRIKETHROUGH)
