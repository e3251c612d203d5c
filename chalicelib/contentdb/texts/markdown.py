"""Converts Markdown to safe HTML: GitHub's tables and strikethrough, with links from plain URLs and mentions."""

import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_core import StateCore
    from markdown_it.token import Token

PERMALINK = "header-anchor"  # the class of the link next to each heading
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

# A whole URL, or @user and @user/package that are not followed by a word or path.
_PLAIN_LINK = re.compile(
    r"https?://[^\s<>\"'`|\\^{}]+"
    r"|(?<![\w/@.])@(?P<user>[A-Za-z0-9_-][A-Za-z0-9._-]*[A-Za-z0-9_-])(?:/(?P<package>[a-z0-9_]+))?(?![\w/@])"
)
_NO_SLUG = re.compile(r"[^\w]+")
_PUNCTUATION = ".,;:!?*_~"


def to_html(text: str) -> str:
    """Markdown as clean HTML; links to users and packages are paths from the server's root."""
    return clean(str(_parser().render(text)))


def clean(html: str) -> str:
    """Clean HTML: no active content, every tag closed, links only by http, https and mailto."""
    import nh3

    return nh3.clean(
        html,
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        clean_content_tags={"script", "style", "title", "textarea", "iframe", "noscript", "template"},
        url_schemes=_SCHEMES,
        link_rel=None,
    )


def _make_links(state: "StateCore") -> None:
    """A rule for markdown-it: creates links in text outside of links."""
    for block in state.tokens:
        if block.type == "inline" and block.children:
            block.children = list(_linked(block.children))


def _make_anchors(state: "StateCore") -> None:
    """A rule for markdown-it: gives headings ids, and links to them."""
    used: Counter[str] = Counter()
    for heading, inline in zip(state.tokens, state.tokens[1:], strict=False):
        if heading.type == "heading_open":
            slug = _NO_SLUG.sub("-", inline.content.lower()).strip("-") or "section"
            used[slug] += 1
            heading.attrs["id"] = slug if used[slug] == 1 else f"{slug}-{used[slug]}"
            link = _token("link_open", "a", 1, attrs={"href": f"#{heading.attrs['id']}", "class": PERMALINK})
            inline.children = [*(inline.children or []), link, _text("🔗"), _token("link_close", "a", -1)]


def _linked(tokens: list["Token"]) -> Iterator["Token"]:
    depth = 0
    for token in tokens:
        depth += {"link_open": 1, "link_close": -1}.get(token.type, 0)
        if token.type != "text" or depth:
            yield token
        else:
            yield from _split(token.content)


def _split(text: str) -> Iterator["Token"]:
    """The tokens of a text, with its links."""
    done = 0
    for found in _PLAIN_LINK.finditer(text):
        shown = found[0] if found["user"] else _trimmed(found[0])
        yield _text(text[done : found.start()])
        yield _token("link_open", "a", 1, attrs={"href": _target(found, shown)})
        yield _text(shown)
        yield _token("link_close", "a", -1)
        done = found.start() + len(shown)
    yield _text(text[done:])


def _target(found: re.Match[str], shown: str) -> str:
    if not found["user"]:
        return shown
    if found["package"]:
        return f"/packages/{found['user']}/{found['package']}/"
    return f"/users/{found['user']}/"


def _trimmed(url: str) -> str:
    """A URL without the punctuation of its sentence."""
    url = url.rstrip(_PUNCTUATION)
    while url.endswith(")") and url.count(")") > url.count("("):
        url = url[:-1].rstrip(_PUNCTUATION)
    return url


def _text(content: str) -> "Token":
    return _token("text", "", 0, content=content)


def _token(kind: str, tag: str, nesting: Literal[-1, 0, 1], **given: Any) -> "Token":
    from markdown_it.token import Token

    return Token(kind, tag, nesting, **given)


@cache
def _parser() -> "MarkdownIt":
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    parser.core.ruler.push("plain_links", _make_links)
    parser.core.ruler.push("anchors", _make_anchors)
    return parser
