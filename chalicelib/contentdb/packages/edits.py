"""Edits of a package: the fields that a PUT, a new package or a `.cdb.json` can set, and their values."""

from collections.abc import Mapping
from typing import Any

from chalicelib.contentdb.entry import ContentDbSnapshot
from chalicelib.contentdb.packages.fields import ALIASES, BY_NAME, IGNORED
from chalicelib.contentdb.store import links
from chalicelib.contentdb.store.permissions import PackageAction, may, require
from chalicelib.contentdb.store.tables import Package
from chalicelib.core.errors import Forbidden, Invalid
from chalicelib.core.tables import Account

Fields = dict[str, Any]

OVERRIDE = 11  # the confidence of an author's statement here, above conf files (10) and detection (1)


def decide(account: Account, package: Package, data: Mapping[str, Any], snapshot: ContentDbSnapshot) -> Fields:
    """The changes of an edit by `account`: attributes of Package, only those that differ.

    Raises Forbidden or Invalid, with ContentDB's texts, before anything changes.
    """
    require(account, PackageAction.EDIT, package, "You don't have permission to edit this package")
    if data.get("name", package.name) != package.name and not may(account, PackageAction.CHANGE_NAME, package):
        raise Forbidden("You don't have permission to change the package name")
    fields = parse(data, snapshot)
    if fields.get("type", package.type) != package.type and not may(account, PackageAction.CHANGE_NAME, package):
        raise Forbidden("You cannot change package type once approved")
    if "game_support" in fields:
        fields["game_support"] = support(fields["game_support"], package.game_support or [])
    if fields.get("type", package.type) == "TXP":
        fields["license"] = fields.get("media_license", package.media_license)
    return {name: value for name, value in fields.items() if getattr(package, name) != value}


def parse(data: Mapping[str, Any], snapshot: ContentDbSnapshot) -> Fields:
    """The attributes that `data` sets, validated without a package. Raises Invalid or Forbidden."""
    given = _renamed(data)
    for name, value in given.items():
        _check_kind(name, value)
    fields = {name: BY_NAME[name].read(value, snapshot) for name, value in given.items()}
    if "forum_url" in fields:
        topic = fields.pop("forum_url")
        fields.setdefault("forums", topic)
    links.refuse_blocked(fields)
    return fields


def _renamed(data: Mapping[str, Any]) -> Fields:
    """The known fields, under the names on the API's page."""
    for old, new in ALIASES.items():
        if old in data and new in data and data[old] != data[new]:
            raise Forbidden(f"Aliased field ({new}) does not match new field ({old})")
    return {
        ALIASES.get(name, name): value
        for name, value in data.items()
        if name not in IGNORED and not name.startswith("$")
    }


def _check_kind(name: str, value: Any) -> None:
    field = BY_NAME.get(name)
    if field is None or field.kind is None:
        raise Invalid(f"{name} is not a known field")
    if value is None:
        if not field.nullable:
            raise Invalid(f"{name} must not be null")
    elif not isinstance(value, field.kind) or isinstance(value, bool):
        raise Invalid(f"{name} must be a {field.kind.__name__}")
    elif isinstance(value, int):
        if not 0 <= value <= links.LARGEST_TOPIC:
            raise Invalid(f"{name} is out of range")
    elif isinstance(value, str | list) and len(value) > field.longest:
        raise Invalid(f"{name} is too long")


def support(wanted: dict[str, bool], rows: list[Fields]) -> list[Fields] | None:
    """The rows of game support after an edit: equal rows stay, others get the author's confidence. None: no change."""
    known = {(row["game"], row["supports"]): row for row in rows}
    return [
        known.get((game, supports), {"game": game, "supports": supports, "confidence": OVERRIDE})
        for game, supports in sorted(wanted.items())
    ] or None
