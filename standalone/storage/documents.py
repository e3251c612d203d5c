"""Finds and cuts out what document paths name inside an item."""

from collections.abc import Iterable
from typing import Any

from standalone.storage.syntax import Path
from standalone.storage.values import Item, Value


def child(value: Value, part: str | int) -> Value | None:
    """The member or element of a map or list; None also where the value is neither."""
    if isinstance(part, str):
        members: Item = value.get("M", {})
        return members.get(part)
    elements: list[Value] = value.get("L", [])
    return elements[part] if part < len(elements) else None


def resolve(path: Path, item: Item) -> Value | None:
    parts = path.parts
    value = item.get(str(parts[0]))
    for part in parts[1:]:
        if value is None:
            return None
        value = child(value, part)
    return value


def project(item: Item, paths: Iterable[Path]) -> Item:
    """Only what the paths name, in the item's own structure; list elements close ranks."""
    outline: dict[str | int, Any] = {}
    for path in paths:
        branch = outline
        for part in path.parts:
            branch = branch.setdefault(part, {})
    kept: Item = _prune({"M": item}, outline).get("M", {})
    return kept


def _prune(value: Value, outline: dict[str | int, Any]) -> Value:
    if not outline:
        return value
    kept = {}
    for part in sorted(outline) if "L" in value else outline:
        found = child(value, part)
        if found is not None and (pruned := _prune(found, outline[part])):
            kept[part] = pruned
    if not kept:
        return {}
    return {"L": list(kept.values())} if "L" in value else {"M": kept}
