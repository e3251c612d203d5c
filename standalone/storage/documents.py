"""Document paths: read, replace and project parts of an item."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from standalone.storage.errors import invalid
from standalone.storage.values import Item, Value


@dataclass(frozen=True, slots=True)
class Path:
    """A document path with its names resolved: `a.#b[0]` is ("a", "real name of b", 0)."""

    parts: tuple[str | int, ...]

    def __str__(self) -> str:
        return "[" + ", ".join(f"[{part}]" if isinstance(part, int) else part for part in self.parts) + "]"

    @property
    def attribute(self) -> str:
        """The top-level attribute of the path."""
        return str(self.parts[0])

    def find(self, item: Item) -> Value | None:
        value = item.get(self.attribute)
        for part in self.parts[1:]:
            value = _child(value, part)
        return value


def _child(value: Value | None, part: str | int) -> Value | None:
    """The member of a map or the element of a list; None if it does not exist or the value is neither."""
    if isinstance(part, str):
        members: Item = (value or {}).get("M", {})
        return members.get(part)
    elements: list[Value] = (value or {}).get("L", [])
    return elements[part] if part < len(elements) else None


def replaced(container: Value | None, parts: tuple[str | int, ...], value: Value | None) -> Value:
    """Return a copy of a map or list with `value` at the path, or without the path if `value` is None."""
    part, rest = parts[0], parts[1:]
    kind = "M" if isinstance(part, str) else "L"
    if container is None or kind not in container:
        raise invalid("The document path provided in the update expression is invalid for update")
    if rest:
        value = replaced(_child(container, part), rest, value)
    content: Any = container[kind].copy()
    missing = part not in content if isinstance(part, str) else part >= len(content)
    if value is None:
        if not missing:
            del content[part]
    elif missing and isinstance(part, int):
        content.append(value)
    else:
        content[part] = value
    return {kind: content}


def project(item: Item, paths: Iterable[Path]) -> Item:
    """Return the parts of an item at the paths, in its structure; list elements move up."""
    outline: dict[str | int, Any] = {}
    for path in paths:
        branch = outline
        for part in path.parts:
            branch = branch.setdefault(part, {})
    projected: Item = (_pruned({"M": item}, outline) or {"M": {}})["M"]
    return projected


def _pruned(value: Value, outline: dict[str | int, Any]) -> Value | None:
    if not outline:
        return value
    kept = {}
    for part in sorted(outline) if "L" in value else outline:
        found = _child(value, part)
        if found is not None and (rest := _pruned(found, outline[part])) is not None:
            kept[part] = rest
    if not kept:
        return None
    return {"L": list(kept.values())} if "L" in value else {"M": kept}
