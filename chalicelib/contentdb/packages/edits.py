"""Editing a package: which fields a PUT, a new package or a `.cdb.json` may set, and to what."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from chalicelib.contentdb.entry import ContentDbSnapshot
from chalicelib.contentdb.store import index, links, reference
from chalicelib.contentdb.store.permissions import Action, may, require
from chalicelib.contentdb.store.reference import Row
from chalicelib.contentdb.store.tables import PACKAGE_TYPES, Package
from chalicelib.core.errors import Forbidden, Invalid
from chalicelib.core.tables import Account

Fields = dict[str, Any]

TYPES = tuple(map(str.upper, PACKAGE_TYPES))
DEV_STATES = (
    "WIP",
    "BETA",
    "ACTIVELY_DEVELOPED",
    "MAINTENANCE_ONLY",
    "AS_IS",
    "DEPRECATED",
    "LOOKING_FOR_MAINTAINER",
)
AI_DISCLOSURES = ("NONE", "ASSISTED", "GENERATED")
OVERRIDE = 11  # the confidence of what an author says of a game here, above conf files (10) and what is detected (1)

LONGEST = {
    "title": 100,
    "name": 100,
    "short_description": 200,
    "long_description": 50_000,
    "repo": 200,
    "website": 200,
    "issue_tracker": 200,
    "video_url": 200,
    "donate_url": 200,
    "translation_url": 200,
    "forum_url": 200,
}
_LINKS = ("repo", "website", "issue_tracker", "video_url", "donate_url", "translation_url", "forum_url")
_MOST = 200  # tags, warnings or games
_ALIASES = {"short_desc": "short_description", "desc": "long_description", "issueTracker": "issue_tracker"}
_KINDS: dict[str, type] = {
    **dict.fromkeys(LONGEST, str),
    **dict.fromkeys(("type", "dev_state", "ai_disclosure", "license", "media_license"), str),
    **dict.fromkeys(("tags", "content_warnings", "game_support"), list),
    "forums": int,
}
_NULLABLE = {"tags", "content_warnings", "game_support", "forums", *_LINKS}
_IGNORED = {
    "approved_at",
    "author",
    "created_at",
    "downloads",
    "maintainers",
    "provides",
    "release",
    "score",
    "screenshots",
    "state",
    "supports_all_games",
    "thumbnail",
    "url",
    "video_thumbnail_url",
}
_NAME = re.compile(r"[a-z0-9_]+")


def decide(account: Account, package: Package, data: Mapping[str, Any], snapshot: ContentDbSnapshot) -> Fields:
    """What an edit by `account` changes: attributes of Package, only those that become different.

    Raises Forbidden or Invalid, with ContentDB's texts; nothing has been changed then.
    """
    require(account, Action.EDIT, package, "You don't have permission to edit this package")
    if data.get("name", package.name) != package.name and not may(account, Action.CHANGE_NAME, package):
        raise Forbidden("You don't have permission to change the package name")
    fields = parse(data, snapshot)
    if fields.get("type", package.type) != package.type and not may(account, Action.CHANGE_NAME, package):
        raise Forbidden("You cannot change package type once approved")
    if "game_support" in fields:
        fields["game_support"] = support(fields["game_support"], package.game_support or [])
    if fields.get("type", package.type) == "TXP":
        fields["license"] = fields.get("media_license", package.media_license)
    return {name: value for name, value in fields.items() if getattr(package, name) != value}


def parse(data: Mapping[str, Any], snapshot: ContentDbSnapshot) -> Fields:
    """The attributes that `data` sets, checked apart from any package. Raises Invalid or Forbidden."""
    given = _renamed(data)
    for name, value in given.items():
        _check_kind(name, value)
    fields = {name: _read(name, value, snapshot) for name, value in given.items()}
    if "forum_url" in fields:
        topic = fields.pop("forum_url")
        fields.setdefault("forums", topic)
    links.refuse_blocked(fields)
    return fields


def _renamed(data: Mapping[str, Any]) -> Fields:
    """The fields that count, by the names that the API's page uses."""
    for old, new in _ALIASES.items():
        if old in data and new in data and data[old] != data[new]:
            raise Forbidden(f"Aliased field ({new}) does not match new field ({old})")
    return {
        _ALIASES.get(name, name): value
        for name, value in data.items()
        if name not in _IGNORED and not name.startswith("$")
    }


def _check_kind(name: str, value: Any) -> None:
    kind = _KINDS.get(name)
    if kind is None:
        raise Invalid(f"{name} is not a known field")
    if value is None:
        if name not in _NULLABLE:
            raise Invalid(f"{name} must not be null")
    elif not isinstance(value, kind) or isinstance(value, bool):
        raise Invalid(f"{name} must be a {kind.__name__}")
    elif isinstance(value, int):
        if not 0 <= value <= links.LARGEST_TOPIC:
            raise Invalid(f"{name} is out of range")
    elif isinstance(value, str | list) and len(value) > LONGEST.get(name, _MOST):
        raise Invalid(f"{name} is too long")


def _read(name: str, value: Any, snapshot: ContentDbSnapshot) -> Any:
    if reader := _READERS.get(name):
        return reader(value, snapshot)
    if value is not None and name in _LINKS:
        return links.read(name, value)
    if name in ("title", "short_description") and not value.strip():
        raise Invalid(f"{name} must not be empty")
    return value


def _name(name: str, _: ContentDbSnapshot) -> str:
    if not _NAME.fullmatch(name) or name == "_game":
        raise Invalid("Name can only contain lower case letters (a-z), digits (0-9), and underscores (_)")
    return name


def _one_of(field: str, allowed: tuple[str, ...], nothing: str = "") -> Callable[[str, ContentDbSnapshot], str | None]:
    """Reads one of some words in any letter case; the word `nothing` clears the field."""

    def read(text: str, _: ContentDbSnapshot) -> str | None:
        word = text.upper()
        if word == nothing:
            return None
        if word not in allowed:
            raise Invalid(f"{field} must be one of {', '.join(allowed)}")
        return word

    return read


def _license(text: str, snapshot: ContentDbSnapshot) -> str:
    name = reference.of(snapshot).license_names.get(text.lower())
    if name is None:
        raise Invalid(f"Unknown license {text}")
    return name


def _names(field: str, what: str) -> Callable[[list[Any] | None, ContentDbSnapshot], list[str]]:
    """Reads a list of names of reference data, or their numbers in it."""

    def read(given: list[Any] | None, snapshot: ContentDbSnapshot) -> list[str]:
        rows: Mapping[str, Row] = getattr(reference.of(snapshot), field)
        numbered = dict(enumerate(rows, 1))
        found = set()
        for item in given or []:
            number = int(item) if isinstance(item, int) or (isinstance(item, str) and item.isdecimal()) else None
            name = item if isinstance(item, str) and item in rows else numbered.get(number or 0)
            if name is None:
                raise Invalid(f"Unknown {what}: {item}")
            found.add(name)
        return sorted(found)

    return read


def _games(given: list[Any] | None, snapshot: ContentDbSnapshot) -> dict[str, bool]:
    """Whether each of some games is supported, from objects such as a package's own `game_support` holds."""
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


def support(wanted: dict[str, bool], rows: list[Fields]) -> list[Fields] | None:
    """The rows of game support after an edit: one that says the same stays as it is, others are the author's word."""
    known = {(row["game"], row["supports"]): row for row in rows}
    return [
        known.get((game, supports), {"game": game, "supports": supports, "confidence": OVERRIDE})
        for game, supports in sorted(wanted.items())
    ] or None


_READERS: dict[str, Callable[[Any, ContentDbSnapshot], Any]] = {
    "name": _name,
    "type": _one_of("type", TYPES),
    "dev_state": _one_of("dev_state", DEV_STATES, nothing="NONE"),
    "ai_disclosure": _one_of("ai_disclosure", AI_DISCLOSURES, nothing="UNKNOWN"),
    "license": _license,
    "media_license": _license,
    "tags": _names("tags", "tag"),
    "content_warnings": _names("content_warnings", "warning"),
    "game_support": _games,
}
