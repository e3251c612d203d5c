"""Readers of a package's fields: convert a client's value to the stored attribute.

Each takes the value and the newest snapshot, and raises Invalid or Forbidden with ContentDB's texts.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from chalicelib.contentdb.entry import ContentDbSnapshot
from chalicelib.contentdb.store import index, links, reference
from chalicelib.contentdb.store.reference import Row
from chalicelib.contentdb.texts import markdown
from chalicelib.core.errors import Invalid
from chalicelib.core.outbound import ssh_urls

Reader = Callable[[Any, ContentDbSnapshot], Any]
_NAME = re.compile(r"[a-z0-9_]+")


def name(text: str, _: ContentDbSnapshot) -> str:
    """A technical name."""
    if not _NAME.fullmatch(text) or text == "_game":
        raise Invalid("Name can only contain lower case letters (a-z), digits (0-9), and underscores (_)")
    return text


def one_of(field: str, allowed: tuple[str, ...], clear: str | None = None) -> Reader:
    """Reads one of these words, in any letter case; None and the word `clear` clear the field."""

    def read(text: str | None, _: ContentDbSnapshot) -> str | None:
        word = text.upper() if text is not None else None
        if word == clear or word is None:
            return None
        if word not in allowed:
            raise Invalid(f"{field} must be one of {', '.join(allowed)}")
        return word

    return read


def license_name(text: str, snapshot: ContentDbSnapshot) -> str:
    """The name of a licence, in the letter case of the reference data."""
    name = reference.of(snapshot).license_names.get(text.lower())
    if name is None:
        raise Invalid(f"Unknown license {text}")
    return name


def names(field: str, singular: str) -> Callable[[list[Any] | None, ContentDbSnapshot], list[str]]:
    """Reads a list of names of reference data, or of their indexes in it."""

    def read(given: list[Any] | None, snapshot: ContentDbSnapshot) -> list[str]:
        rows: Mapping[str, Row] = getattr(reference.of(snapshot), field)
        numbered = dict(enumerate(rows, 1))
        found = set()
        for item in given or []:
            number = int(item) if isinstance(item, int) or (isinstance(item, str) and item.isdecimal()) else None
            name = item if isinstance(item, str) and item in rows else numbered.get(number or 0)
            if name is None:
                raise Invalid(f"Unknown {singular}: {item}")
            found.add(name)
        return sorted(found)

    return read


def games(given: list[Any] | None, snapshot: ContentDbSnapshot) -> dict[str, bool]:
    """Whether each of these games is supported, from objects as in a package's `game_support`."""
    found: dict[str, bool] = {}
    for item in given or []:
        game = item.get("game") if isinstance(item, dict) else None
        if isinstance(game, dict):
            game = f"{game.get('author')}/{game.get('name')}"
        if not isinstance(game, str) or not isinstance(item.get("supports"), bool):
            raise Invalid("game_support must be a list of objects with game and supports")
        entry = index.find(snapshot, game) or index.find(snapshot, f"{game}_game")
        if entry is None or entry.value.type != "game":
            raise Invalid("Unable to find that game")
        found[entry.key] = item["supports"]
    return found


def filled(field: str) -> Reader:
    """Reads a text that must not be blank."""

    def read(text: str, _: ContentDbSnapshot) -> str:
        if not text.strip():
            raise Invalid(f"{field} must not be empty")
        return text

    return read


def link(field: str) -> Reader:
    """Reads the URL of a web page; None clears the field."""
    return lambda url, _: links.read(field, url) if url is not None else None


def repository(url: str | None, snapshot: ContentDbSnapshot) -> str | None:
    """Reads the URL of a Git repository: of a web page, or an address over SSH."""
    return url if url is not None and ssh_urls.parse(url) else link("repo")(url, snapshot)


def markdown_text(text: str | None, _: ContentDbSnapshot) -> str | None:
    """Reads Markdown that can be converted to HTML; None clears the field."""
    markdown.to_html(text or "")
    return text


def unchanged(value: Any, _: ContentDbSnapshot) -> Any:
    """Accepts any value of the right type."""
    return value
