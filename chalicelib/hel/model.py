"""The package model: converts a client's document to the stored one."""

import posixpath
import re
from collections.abc import Callable, Sized
from pathlib import PurePosixPath
from typing import Any, TypeVar

from chalicelib import settings
from chalicelib.core.errors import Invalid
from chalicelib.hel import semver, users

Document = dict[str, Any]
T = TypeVar("T")
S = TypeVar("S", bound=Sized)

TYPES = ("required", "recommended", "optional")
LONGEST_NAME = 100
# Characters of the other texts, and members of the lists. The numbers of versions, files and dependencies have only the
# limit of the whole package.
LONGEST = {
    "description": 8000,
    "changes": 8000,
    "license": 200,
    "authors": 200,
    "tags": 100,
    "depends": LONGEST_NAME,
    "path": 500,
    "url": 2000,
    "screenshots": 1000,
}
MOST = {"owners": 100, "authors": 100, "tags": 100, "screenshots": 100}
# A word in lower case, as Hel 3.4 requires; or a title, as in the example on Hel's page that returns 201.
_NAME = re.compile(r"[a-z0-9-]+|[A-Z][A-Za-z0-9-]*( [A-Za-z0-9-]+){2,}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
# Other control characters would reach the screens of players, where they move the cursor and change colours.
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_LETTER = r"(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})"
_URL = re.compile(
    rf"(?P<site>https?://(?:(?:{_LETTER}|:)*@)?(?:\[[0-9A-Fa-f:.]+\]|{_LETTER}+)(?::[0-9]*)?)"
    rf"(?P<path>(?:/(?:{_LETTER}|[:@/])*)?)"
    rf"(?P<query>(?:\?(?:{_LETTER}|[:@/?])*)?)"
    rf"(?:\#(?:{_LETTER}|[:@/?])*)?"
)
_SHA256 = re.compile(r"[0-9a-f]{64}")
_HOSTED = re.compile(r"https?://[^/?]+(?:/[^/?]+)*/hel/files/([A-Za-z0-9_-]{2,25})/([0-9a-f]{64})/[^/?]+(?:\?.*)?")


def parse(data: Document, creator: str) -> Document:
    """A whole package from a client's document; unknown keys are dropped. Raises Invalid.

    The result: name, description, short_description, owners, authors, license, tags, versions, screenshots; see
    README.md. Without owners, the creator is the owner.
    """
    return {
        "name": check_name(_text(data, "name")),
        "description": check_text("description", _text(data, "description")),
        "short_description": truncate(_text(data, "short_description")),
        "owners": check_owners(_texts(data, "owners")) if "owners" in data else [creator],
        "authors": check_texts("authors", _texts(data, "authors")),
        "license": check_text("license", _text(data, "license")),
        "tags": check_texts("tags", _texts(data, "tags")),
        "versions": _each(data, "versions", _number, _version),
        "screenshots": check_number("screenshots", _each(data, "screenshots", normal_url, _description)),
    }


def check_name(name: str) -> str:
    """Return the name of a package unchanged; raises Invalid."""
    if not _NAME.fullmatch(name):
        raise Invalid(
            "The name contains illegal characters. "
            "Allowed are: lowercase alphabetic characters, numbers and a dash (-)."
        )
    if len(name) > LONGEST_NAME:
        raise Invalid(f"The name is longer than {LONGEST_NAME} characters.")
    return name


def check_owners(owners: list[str]) -> list[str]:
    """Return the owners unchanged; raises Invalid."""
    if not owners:
        raise Invalid("The list of owners is expected not to be empty.")
    for owner in check_number("owners", owners):
        users.check_nickname(owner)
    return owners


def check_text(field: str, text: str) -> str:
    """Return a text of this field of `LONGEST` unchanged; raises Invalid if it is too long or has control characters.

    Tabs and line breaks are accepted.
    """
    if _UNPRINTABLE.search(text):
        raise Invalid(f"A value of {field} has control characters.")
    if len(text) > LONGEST[field]:
        raise Invalid(f"A value of {field} is longer than {LONGEST[field]} characters.")
    return text


def check_texts(field: str, texts: list[str]) -> list[str]:
    """Return the texts of this field of `LONGEST` and `MOST` unchanged; raises Invalid."""
    return [check_text(field, text) for text in check_number(field, texts)]


def check_number(field: str, values: S) -> S:
    """Return the list or object of this field of `MOST` unchanged; raises Invalid if it has too many members."""
    if len(values) > MOST[field]:
        raise Invalid(f"There are more than {MOST[field]} {field}.")
    return values


def check_dependency(name: str) -> str:
    """Return the name of a dependency unchanged; raises Invalid if it is too long."""
    return check_text("depends", name)


def truncate(short_description: str) -> str:
    """A short description, truncated to the stored length. Raises Invalid for control characters."""
    if _UNPRINTABLE.search(short_description):
        raise Invalid("A value of short_description has control characters.")
    return short_description[: settings.current().hel_short_description]


def check_dependency_type(kind: str) -> str:
    """Return `required`, `recommended` or `optional` unchanged; raises Invalid."""
    if kind not in TYPES:
        raise Invalid("Unknown dependency type.")
    return kind


def normal_url(text: str) -> str:
    """An absolute http or https URL (RFC 3986) with a path and without a fragment. Raises Invalid."""
    match = _URL.fullmatch(check_text("url", text))
    if match is None:
        raise Invalid("Invalid URI given.")
    return f"{match['site']}{match['path'] or '/'}{match['query']}"


def location_of_path(path: str) -> Document:
    """The location of a file: `dir`, `name` and the absolute, normalised `path`. Raises Invalid.

    `..` at the root stays at the root.
    """
    normal = normal_path(path)
    if path.endswith("/") or normal == "/" or "\\" in path or _CONTROL.search(path):
        raise Invalid("Bad path given.")
    check_text("path", path)
    return {"dir": posixpath.dirname(normal), "name": posixpath.basename(normal), "path": normal}


def check_places(files: Document) -> Document:
    """Return the files of a version unchanged; raises Invalid if one is to be in another, which is not a directory."""
    paths = {file["path"] for file in files.values()}
    for path in paths:
        if outer := next((str(above) for above in PurePosixPath(path).parents if str(above) in paths), None):
            raise Invalid(f"The file {path} cannot be inside of the file {outer}.")
    return files


def normal_path(path: str) -> str:
    """A path as it is stored: absolute, with one slash at the root and without `.`, `..` and a slash at the end."""
    return posixpath.normpath("/" + path.lstrip("/"))


def location_in(directory: str, name: str) -> Document:
    """The location of a file from the older fields `dir` and `name`, see `location_of_path`. Raises Invalid."""
    if "/" in name or name in (".", ".."):
        raise Invalid("Bad path given.")
    return location_of_path(f"{directory}/{name}")


def hosted(url: str) -> tuple[str, str] | None:
    """The stored file with this URL, see files.path_of: (username in lower case, SHA-256 in hex), or None."""
    match = _HOSTED.fullmatch(url)
    return (match[1].lower(), match[2]) if match else None


def with_sha256(url: str, file: Document, given: str | None) -> Document:
    """A file with the hash given by its author or contained in its URL. Raises Invalid."""
    found = hosted(url)
    if given is not None and not _SHA256.fullmatch(given):
        raise Invalid("A sha256 has 64 hexadecimal digits in lower case.")
    if found and given not in (None, found[1]):
        raise Invalid("The sha256 is not that of the stored file.")
    sha256 = found[1] if found else given
    return {**file, "sha256": sha256} if sha256 else file


def rename_keys(given: Document, rename: Callable[[str], str]) -> Document:
    """An object with renamed keys. Raises Invalid if two keys become the same."""
    found: Document = {}
    for key, value in given.items():
        name = rename(key)
        if name in found:
            raise Invalid(f"Bad value {name!r} is there twice in the data you provided.")
        found[name] = value
    return found


def _version(_: str, value: Any) -> Document:
    version = _object(value, "versions")
    return {
        "files": check_places(_each(version, "files", normal_url, _file)),
        "depends": _each(version, "depends", check_dependency, _dependency),
        "changes": check_text("changes", _text(version, "changes")) if "changes" in version else "",
    }


def _file(url: str, value: Any) -> Document:
    file = _object(value, "files")
    if "path" not in file and not file.keys() & {"dir", "name"}:
        raise _bad("path")
    location = (
        location_of_path(_text(file, "path"))
        if "path" in file
        else location_in(_text(file, "dir"), _text(file, "name"))
    )
    return with_sha256(url, location, _text(file, "sha256") if "sha256" in file else None)


def _dependency(_: str, value: Any) -> Document:
    dependency = _object(value, "depends")
    kind, version = _text(dependency, "type"), _text(dependency, "version")
    return {"type": _wrapped(check_dependency_type, kind), "version": _wrapped(semver.check_range, version)}


def _description(_: str, value: Any) -> str:
    if not isinstance(value, str):
        raise _bad("screenshots")
    return check_text("screenshots", value)


def _number(text: str) -> str:
    return _wrapped(semver.normalise, text)


def _each(data: Document, field: str, rename: Callable[[str], str], parse: Callable[[str, Any], T]) -> dict[str, T]:
    """The object in a field, with its keys renamed and its values parsed."""
    return {name: parse(name, value) for name, value in rename_keys(_object(data.get(field), field), rename).items()}


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
    """`check(text)`, with Hel's words around its error."""
    try:
        return check(text)
    except Invalid as error:
        raise Invalid(f"Bad value {error.message} in the data you provided.") from None


def _bad(field: str) -> Invalid:
    return Invalid(f"Bad value {field!r} in the data you provided.")
