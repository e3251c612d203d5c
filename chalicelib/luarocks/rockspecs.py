"""Reads rockspecs and the names of rock files by LuaRocks.org's rules, with its error texts."""

import re
from dataclasses import dataclass
from typing import Any

from chalicelib.core.errors import Invalid
from chalicelib.luarocks import loader, sandbox

DEVELOPMENT_PREFIXES = ("scm-", "cvs-", "svn-", "git-", "dev-")

LONGEST_NAME = 255
_NAME = re.compile(rf"[A-Za-z0-9._-]{{1,{LONGEST_NAME}}}")
_ALLOWED = "only alphanumeric, period, underscore, and hyphen allowed"

# LuaRocks.org has no such limits; they keep an item below DynamoDB's 400 KB. In characters.
LONGEST = {
    "display_name": LONGEST_NAME,
    "summary": 10_000,
    "description": 10_000,
    "license": 255,
    "homepage": 2000,
    "source_url": 2000,
}
_DEPENDENCY_CHARACTERS = 255
_MOST_DEPENDENCIES = 500
_MOST_LABELS = 10


@dataclass(frozen=True)
class Rockspec:
    """The stored fields of a rockspec; texts that are missing, blank or not strings are None."""

    package: str
    version: str
    summary: str | None
    description: str | None
    license: str | None
    homepage: str | None
    labels: list[str]
    dependencies: list[str]
    lua_version: str | None
    source_url: str | None

    @property
    def name(self) -> str:
        """The package in lower case, as modules are looked up, listed and stored."""
        return self.package.lower()

    @property
    def version_name(self) -> str:
        """The version in lower case, including its revision such as `-1`."""
        return self.version.lower()

    @property
    def development(self) -> bool:
        """Whether it is listed below `/dev`; `main-1` is not, as on LuaRocks.org."""
        return self.version_name.startswith(DEVELOPMENT_PREFIXES)


def parse(source: bytes) -> Rockspec:
    """Parse the bytes of a rockspec. Raises `Invalid` with LuaRocks.org's texts, in its order, then the client's.

    The client can load what is accepted (`loader`). Texts are cut as in `LONGEST`, except URLs: longer ones are
    omitted. So are dependencies above 255 characters, or after the first 500.
    """
    found = _evaluate(source)
    package = _identifier(found, "package")
    version = _identifier(found, "version")
    for field, value in (("package", package), ("version", version)):
        if ".." in value:
            raise Invalid(f"{field} name has invalid characters")
    loader.check(found)
    description = _table(found.get("description"))
    dependencies = _dependencies(found.get("dependencies"))
    return Rockspec(
        package=package,
        version=version,
        summary=_text("summary", description.get("summary")),
        description=_text("description", description.get("detailed")),
        license=_text("license", description.get("license")),
        homepage=_url("homepage", description.get("homepage")),
        labels=labels(description.get("labels")),
        dependencies=dependencies,
        lua_version=next((each for each in dependencies if re.match(r"lua\s", each)), None),
        source_url=_url("source_url", _table(found.get("source")).get("url")),
    )


def parse_rock_name(filename: str, name: str) -> tuple[str, str]:
    """Version and architecture in the file name `NAME-VERSION.ARCH.rock` of the module `name` (lower case).

    The architecture is the text between the last two dots; any is accepted. Both are returned as written,
    because clients request the file by its listed name. Raises `Invalid`.
    """
    match = re.fullmatch(re.escape(name) + r"-(.+)\.([^.]+)\.rock", filename, re.DOTALL)
    if match is None:
        raise Invalid(f"Filename must be in format `{name}-VERSION.ARCH.rock`")
    version, arch = match.groups()
    for field, value in (("Version", version), ("Arch", arch)):
        if not _NAME.fullmatch(value):
            raise Invalid(f"{field} contains invalid characters, {_ALLOWED}")
    if arch == "rockspec":
        raise Invalid("Arch cannot be rockspec: manifests use this name for the rockspec")
    return version, arch


def _evaluate(source: bytes) -> sandbox.Globals:
    try:
        return sandbox.evaluate(source)
    except sandbox.RockspecSyntaxError as fault:
        raise Invalid("Failed to parse rockspec") from fault
    except sandbox.RockspecEvaluationError as fault:
        raise Invalid("Failed to eval rockspec") from fault


def _identifier(found: dict[str, Any], field: str) -> str:
    value = found.get(field)
    if value is None or value is False:
        raise Invalid(f"Invalid rockspec (missing {field})")
    if not isinstance(value, str):
        raise Invalid(f"Invalid rockspec (invalid {field} name, string only)")
    if value == "":
        raise Invalid(f"Invalid rockspec (blank {field})")
    if not value.isascii():
        raise Invalid(f"Invalid rockspec (invalid {field} name, ascii only)")
    if not _NAME.fullmatch(value):
        raise Invalid(f"Invalid rockspec ({field} name contains invalid characters, {_ALLOWED})")
    return value


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _strings(value: Any) -> list[str]:
    """The strings in a table's array part: all of a list; of a mixed table the keys 1, 2, ... up to a gap."""
    if isinstance(value, dict):
        value = [value[key] for key in map(str, range(1, len(value) + 1)) if key in value]
    if not isinstance(value, list):
        return []
    return [each.strip() for each in value if isinstance(each, str) and each.strip()]


def _text(field: str, value: Any) -> str | None:
    return value[: LONGEST[field]] if isinstance(value, str) and value.strip() else None


def _url(field: str, value: Any) -> str | None:
    return _text(field, value) if isinstance(value, str) and len(value) <= LONGEST[field] else None


def _dependencies(value: Any) -> list[str]:
    short = [each for each in _strings(value) if len(each) <= _DEPENDENCY_CHARACTERS]
    return list(dict.fromkeys(short))[:_MOST_DEPENDENCIES]


def labels(value: Any) -> list[str]:
    """The first ten labels of a list or table, as slugs without duplicates."""
    slugs = [_slug(each[:_DEPENDENCY_CHARACTERS]) for each in _strings(value)[:_MOST_LABELS]]
    return list(dict.fromkeys(filter(None, slugs)))


def _slug(text: str) -> str:
    """Lower case, hyphens for spaces and underscores, and only ASCII letters, digits and hyphens."""
    kept = re.sub(r"[^a-z0-9-]+", "", re.sub(r"[\s_]+", "-", text.lower()))
    return re.sub(r"-+", "-", kept).strip("-")
