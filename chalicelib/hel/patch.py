"""PATCH: merges a client's changes into a package's document.

Objects are merged at every level; null deletes a version, file, dependency or screenshot. Lists are replaced.
"""

from collections.abc import Callable
from typing import Any

from chalicelib.core.errors import Invalid
from chalicelib.hel import model, semver
from chalicelib.hel.model import Document


def merge(document: Document, changes: Document) -> Document:
    """The document after the changes; unknown keys are ignored. Raises Invalid, with Hel's texts for PATCH."""
    merged = dict(document)
    for field, change in _FIELDS.items():
        if field in changes:
            merged[field] = change(document[field], changes[field])
    return merged


def text(value: Any, param: str) -> str:
    """Return a text; raises Invalid for another type."""
    if not isinstance(value, str):
        raise _wrong(param, "str")
    return value


def flag(value: Any, param: str) -> bool:
    """Return a boolean; raises Invalid for another type."""
    if not isinstance(value, bool):
        raise _wrong(param, "bool")
    return value


def texts(value: Any, param: str) -> list[str]:
    """Return a list of texts; raises Invalid for another type."""
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise _wrong(param, "list of strs")
    return value


def _versions(known: Document, value: Any) -> Document:
    return _merged(known, value, "versions", semver.normalise, lambda _, *version: _version(*version))


def _version(known: Document | None, value: Any) -> Document:
    given = _dict(value, "version_info")
    if known is None:
        if not {"files", "depends", "changes"} <= given.keys():
            raise _partial()
        known = {"files": {}, "depends": {}, "changes": ""}
    merged = dict(known)
    if "files" in given:
        files = _merged(known["files"], given["files"], "files", model.normal_url, _file)
        merged["files"] = model.check_places(files)
    if "depends" in given:
        merged["depends"] = _merged(known["depends"], given["depends"], "depends", model.check_dependency, _dependency)
    if "changes" in given:
        merged["changes"] = model.check_text("changes", text(given["changes"], "changes"))
    return merged


def _file(url: str, known: Document | None, value: Any) -> Document:
    given = _dict(value, "file_info")
    fields = _text_fields(given, "file", ("path", "dir", "name", "sha256"))
    location: Document = known or {}
    if "path" in fields:
        location = model.location_of_path(fields["path"])
    elif known is None and not {"dir", "name"} <= fields.keys():
        raise _partial()
    elif fields.keys() & {"dir", "name"}:
        location = model.location_in(*({**location, **fields}[field] for field in ("dir", "name")))
    return model.with_sha256(url, location, fields.get("sha256") or (known or {}).get("sha256"))


def _dependency(_: str, known: Document | None, value: Any) -> Document:
    given = _dict(value, "dep_info")
    merged = {**(known or {}), **_text_fields(given, "dep", ("type", "version"))}
    if len(merged) < 2:
        raise _partial()
    return {"type": model.check_dependency_type(merged["type"]), "version": semver.check_range(merged["version"])}


def _screenshots(known: Document, value: Any) -> Document:
    def screenshot(_: str, known: str | None, value: Any) -> str:
        return model.check_text("screenshots", text(value, "screenshot_desc"))

    return model.check_number("screenshots", _merged(known, value, "screenshots", model.normal_url, screenshot))


def _merged(
    known: Document, value: Any, param: str, rename: Callable[[str], str], change: Callable[..., Any]
) -> Document:
    """Merge some values into an object: `change` gets the key, the old value or None, and the new value."""
    merged = dict(known)
    for key, new in model.rename_keys(_dict(value, param), rename).items():
        if new is None:
            merged.pop(key, None)
        else:
            merged[key] = change(key, known.get(key), new)
    return merged


def _text_fields(given: Document, param: str, fields: tuple[str, ...]) -> Document:
    """The given texts of these fields."""
    return {field: text(given[field], f"{param}_{field}") for field in fields if field in given}


def _dict(value: Any, param: str) -> Document:
    if not isinstance(value, dict):
        raise _wrong(param, "dict")
    return value


def _wrong(param: str, expected: str) -> Invalid:
    return Invalid(f'Wrong value for param "{param}" given: expected {expected}!')


def _partial() -> Invalid:
    return Invalid("Version data you provided was partial.")


_FIELDS: dict[str, Callable[[Any, Any], Any]] = {
    "name": lambda _, value: model.check_name(text(value, "name")),
    "description": lambda _, value: model.check_text("description", text(value, "description")),
    "short_description": lambda _, value: model.truncate(text(value, "short_description")),
    "owners": lambda _, value: model.check_owners(texts(value, "owners")),
    "authors": lambda _, value: model.check_texts("authors", texts(value, "authors")),
    "license": lambda _, value: model.check_text("license", text(value, "license")),
    "tags": lambda _, value: model.check_texts("tags", texts(value, "tags")),
    "versions": _versions,
    "screenshots": _screenshots,
}
