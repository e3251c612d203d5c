"""The package model: a document as a client sends it, to one that is stored and shown."""

import posixpath
import re
from collections.abc import Callable
from typing import Any, TypeVar

from chalicelib import settings
from chalicelib.core.errors import Invalid
from chalicelib.hel import semver, users

Document = dict[str, Any]
T = TypeVar("T")

LONGEST_NAME = 100
MOST_OWNERS = 100
# A word in lower case, as Hel 3.4 wants it; or a title, as in the example that Hel's page answers with 201.
_NAME = re.compile(r"[a-z0-9-]+|[A-Z][A-Za-z0-9-]*( [A-Za-z0-9-]+){2,}")
_TYPES = ("required", "recommended", "optional")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_LETTER = r"(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})"
_URL = re.compile(
    rf"(?P<site>https?://(?:(?:{_LETTER}|:)*@)?(?:\[[0-9A-Fa-f:.]+\]|{_LETTER}+)(?::[0-9]*)?)"
    rf"(?P<path>(?:/(?:{_LETTER}|[:@/])*)?)"
    rf"(?P<query>(?:\?(?:{_LETTER}|[:@/?])*)?)"
    rf"(?:\#(?:{_LETTER}|[:@/?])*)?"
)


def parse(data: Document, creator: str) -> Document:
    """A whole package from what a client sent; unknown keys are dropped. Raises Invalid.

    The result: name, description, short_description, owners, authors, license, tags, versions, screenshots; see
    README.md. Without owners it is the creator's.
    """
    return {
        "name": _name(_text(data, "name")),
        "description": _text(data, "description"),
        "short_description": _text(data, "short_description")[: settings.current().hel_short_description],
        "owners": _owners(data, creator),
        "authors": _texts(data, "authors"),
        "license": _text(data, "license"),
        "tags": _texts(data, "tags"),
        "versions": _each(data, "versions", _number, _version),
        "screenshots": _each(data, "screenshots", _url, _description),
    }


def _version(value: Any) -> Document:
    version = _object(value, "versions")
    return {
        "files": _each(version, "files", _url, _file),
        "depends": _each(version, "depends", str, _dependency),
        "changes": _text(version, "changes") if "changes" in version else "",
    }


def _file(value: Any) -> Document:
    """A file's place: by `path`, or by the older `dir` and `name`, of which `dir` is shown as it was given."""
    file = _object(value, "files")
    if "path" in file:
        path = _path(_text(file, "path"))
        return {"dir": posixpath.dirname(path), "name": posixpath.basename(path), "path": path}
    if not file.keys() & {"dir", "name"}:
        raise _bad("path")
    directory, name = _text(file, "dir"), _text(file, "name")
    if "/" in name or name in (".", ".."):
        raise Invalid("Bad path given.")
    return {"dir": directory, "name": name, "path": _path(f"{directory}/{name}")}


def _dependency(value: Any) -> Document:
    dependency = _object(value, "depends")
    kind, version = _text(dependency, "type"), _text(dependency, "version")
    if kind not in _TYPES:
        raise Invalid("Bad value Unknown dependency type. in the data you provided.")
    _wrapped(semver.check_range, version)
    return {"type": kind, "version": version}


def _description(value: Any) -> str:
    if not isinstance(value, str):
        raise _bad("screenshots")
    return value


def _name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise Invalid(
            "The name contains illegal characters. "
            "Allowed are: lowercase alphabetic characters, numbers and a dash (-)."
        )
    if len(name) > LONGEST_NAME:
        raise Invalid(f"The name is longer than {LONGEST_NAME} characters.")
    return name


def _owners(data: Document, creator: str) -> list[str]:
    if "owners" not in data:
        return [creator]
    owners = _texts(data, "owners")
    if not owners:
        raise Invalid("The list of owners is expected not to be empty.")
    if len(owners) > MOST_OWNERS:
        raise Invalid(f"There are more than {MOST_OWNERS} owners.")
    for owner in owners:
        users.check_nickname(owner)
    return owners


def _number(text: str) -> str:
    return _wrapped(semver.normalise, text)


def _url(text: str) -> str:
    """An absolute http or https URL (RFC 3986), without its fragment, with a path."""
    match = _URL.fullmatch(text)
    if match is None:
        raise Invalid("Invalid URI given.")
    return f"{match['site']}{match['path'] or '/'}{match['query']}"


def _path(text: str) -> str:
    """An absolute path of a file, normalised; whatever leads above the root stays at the root."""
    path = posixpath.normpath("/" + text.lstrip("/"))
    if text.endswith("/") or path == "/" or _CONTROL.search(text):
        raise Invalid("Bad path given.")
    return path


def _each(data: Document, field: str, rename: Callable[[str], str], read: Callable[[Any], T]) -> dict[str, T]:
    """The object in a field, its keys and values read; two keys that mean the same are refused, not merged."""
    found: dict[str, T] = {}
    for key, value in _object(data.get(field), field).items():
        name = rename(key)
        if name in found:
            raise Invalid(f"Bad value {name!r} is there twice in the data you provided.")
        found[name] = read(value)
    return found


def _object(value: Any, field: str) -> Document:
    if not isinstance(value, dict):
        raise _bad(field)
    return value


def _text(data: Document, field: str) -> str:
    value = data.get(field)
    if not isinstance(value, str):
        raise _bad(field)
    return value


def _texts(data: Document, field: str) -> list[str]:
    value = data.get(field)
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise _bad(field)
    return value


def _wrapped(check: Callable[[str], T], text: str) -> T:
    """`check(text)`, its refusal in the words that Hel puts around others' texts."""
    try:
        return check(text)
    except Invalid as error:
        raise Invalid(f"Bad value {error.message} in the data you provided.") from None


def _bad(field: str) -> Invalid:
    return Invalid(f"Bad value {field!r} in the data you provided.")
