"""Collections as JSON: parses requests, renders responses."""

from collections.abc import Callable, Mapping
from typing import Any

from chalicelib.contentdb import wire
from chalicelib.contentdb.collections import curation
from chalicelib.contentdb.entry import CollectionEntry, ContentDbSnapshot
from chalicelib.contentdb.packages import shapes
from chalicelib.contentdb.store import versions
from chalicelib.contentdb.texts import plain
from chalicelib.core.catalogues.snapshots import Value
from chalicelib.core.errors import Invalid
from chalicelib.web.request import Request

LARGEST = 1024 * 1024  # bytes of a request
_STORED = ("author", "name", "title", "short_description", "created_at", "private")
_IGNORED = ("author", "name", "created_at", "package_count")  # ignored, so that a response can be sent back


def parse(request: Request) -> dict[str, Any]:
    """The fields of a collection in a body: an object, or only an array of items. Raises Invalid."""
    data = wire.parse_json(request)
    if isinstance(data, list):
        return {"items": _items("items", data)}
    given = wire.parse_object(request, (*_READERS, *_IGNORED))
    return {name: _READERS[name](name, value) for name, value in given.items() if name in _READERS}


def render_short(snapshot: ContentDbSnapshot, value: CollectionEntry) -> Value:
    """A collection in a list."""
    return {
        **{name: getattr(value, name) for name in _STORED},
        "package_count": len(curation.visible_items(snapshot, value)),
    }


def render(snapshot: ContentDbSnapshot, value: CollectionEntry, *, drafts: bool, language: str, base: str) -> Value:
    """A whole collection; with `drafts` including packages that lists do not show."""
    items = [
        {
            "package": shapes.short(
                package.value,
                release=versions.newest_id(package.value),
                language=language,
                promoted=False,
                base=base,
            ),
            "order": position,
            "description": item.description,
            "created_at": item.created_at,
        }
        for position, item, package in curation.visible_items(snapshot, value, drafts=drafts)
    ]
    return {
        **{name: getattr(value, name) for name in _STORED},
        "long_description": value.long_description,
        "items": items,
    }


def _title(name: str, given: Any) -> str:
    return plain.line(name, given, 1, 100)


def _short_description(name: str, given: Any) -> str:
    return plain.line(name, given, 0, 200)


def _long_description(name: str, given: Any) -> str | None:
    return plain.text(name, given, 0, 10_000) if given is not None else None


def _private(name: str, given: Any) -> bool:
    if not isinstance(given, bool):
        raise Invalid(f"{name} must be true or false")
    return given


def _items(name: str, given: Any) -> list[Value]:
    if not isinstance(given, list):
        raise Invalid(f"{name} must be a list")
    return [_item(item) for item in given]


def _item(given: Any) -> Value:
    """An item: `author/name`, or an object with `package` (also in the form of lists) and optionally `description`."""
    if isinstance(given, str):
        return {"package": given}
    package = given.get("package") if isinstance(given, Mapping) else None
    if isinstance(package, Mapping):
        package = f"{package.get('author')}/{package.get('name')}"
    if not isinstance(package, str):
        raise Invalid("An item must be an author/name, or an object with one as package")
    if "description" not in given:
        return {"package": package}
    text = given["description"]
    return {"package": package, "description": plain.line("description", text, 0, 200) if text is not None else None}


_READERS: Mapping[str, Callable[[str, Any], Any]] = {
    "title": _title,
    "short_description": _short_description,
    "long_description": _long_description,
    "private": _private,
    "items": _items,
}
