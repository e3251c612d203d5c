"""Decides whether LuaRocks' client can load a rockspec, by the client's own rules and in its words.

The rules are those of `luarocks.type.rockspec` and `luarocks.type_check` (client 3.8.0 to 3.13.0). What the client does
not check but stops at, such as a number below `platforms`, is refused as well, in words of ours.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chalicelib.core.errors import Invalid
from chalicelib.luarocks import versions
from chalicelib.luarocks.sandbox import Globals, Omitted

FORMATS = ("1.0", "1.1", "3.0", "3.1")
_LONGEST_SHOWN = 200  # characters of a value in a message

_VERSION = re.compile(r"[A-Za-z0-9.]+-[0-9]+")
_BARE_DEPENDENCY = re.compile(r"\s*+[A-Za-z0-9][^/]*", re.ASCII)
_DEPENDENCY = re.compile(r"\s*+(?:[\w.-]*+/[A-Za-z0-9]|[._-]*+[A-Za-z0-9])[^/]*", re.ASCII)
_DEPENDENCY_LISTS = ("dependencies", "build_dependencies", "test_dependencies")
_INDEX = re.compile("[1-9][0-9]*")


@dataclass(frozen=True)
class Field:
    """The type of a field. Of a table: its `fields`, the type `rest` of all others, or `open` to any others.

    The client knows the field from the format `since` on, and requires it if `mandatory`, in formats below `until`.
    """

    type: str = "table"
    fields: "Mapping[str, Field]" = field(default_factory=dict)
    rest: "Field | None" = None
    open: bool = False
    since: str = "1.0"
    mandatory: bool = False
    until: str = "9.9"
    pattern: "Mapping[str, re.Pattern[str]]" = field(default_factory=dict)  # by the first format that it holds for
    meaning: str = ""  # of the pattern, in messages


class _Mismatch(Exception):
    """A rockspec is not of the client's types; the message is the client's."""


def _strings(*names: str) -> dict[str, Field]:
    return {name: Field("string") for name in names}


_PLATFORMS = {"platforms": Field(open=True)}
_OPEN = Field(open=True)
_LIST = Field(rest=Field("string"))
_NEWER_DEPENDENCIES = Field(
    since="3.0",
    fields=_PLATFORMS,
    rest=Field("string", pattern={"3.0": _DEPENDENCY}, meaning="a valid dependency string"),
)
_ROCKSPEC = Field(
    fields={
        "rockspec_format": Field("string"),
        "package": Field("string", mandatory=True),
        "version": Field("string", mandatory=True, pattern={"1.0": _VERSION}, meaning="'[%w.]+-[%d]+'"),
        "description": Field(
            fields=_strings("summary", "detailed", "homepage", "license", "maintainer")
            | {"labels": Field(rest=Field("string"), since="3.0"), "issues_url": Field("string", since="3.0")}
        ),
        "dependencies": Field(
            fields=_PLATFORMS,
            rest=Field(
                "string", pattern={"1.0": _BARE_DEPENDENCY, "3.0": _DEPENDENCY}, meaning="a valid dependency string"
            ),
        ),
        "build_dependencies": _NEWER_DEPENDENCIES,
        "test_dependencies": _NEWER_DEPENDENCIES,
        "supported_platforms": _LIST,
        "external_dependencies": Field(fields=_PLATFORMS, rest=Field(fields=_strings("program", "header", "library"))),
        "source": Field(
            fields=_PLATFORMS
            | {"url": Field("string", mandatory=True)}
            | _strings("md5", "file", "dir", "tag", "branch", "module", "cvs_tag", "cvs_module"),
            mandatory=True,
        ),
        "build": Field(
            fields=_PLATFORMS
            | {
                "type": Field("string"),
                "install": Field(fields=dict.fromkeys(("lua", "lib", "conf", "bin"), _OPEN)),
                "copy_directories": _LIST,
            },
            open=True,
            mandatory=True,
            until="3.0",
        ),
        "hooks": Field(fields=_PLATFORMS | _strings("post_install")),
        "deploy": Field(fields={"wrap_bin_scripts": Field("boolean")}, since="1.1"),
        "test": Field(fields=_PLATFORMS | _strings("type"), open=True, since="3.0"),
    }
)


def check(rockspec: Globals) -> None:
    """Raise Invalid unless the client can load the rockspec, whose package and version are texts."""
    wanted = rockspec.get("rockspec_format") or "1.0"
    if not isinstance(wanted, str):
        raise Invalid(f"rockspec_format must be a string, not a {_type_of(wanted)}: LuaRocks stops at it")
    if versions.less(versions.parse(FORMATS[-1]), versions.parse(wanted)):
        raise Invalid(f"Rockspec format {_shown(wanted)} is not supported, please upgrade LuaRocks.")
    if problem := _problem(rockspec, wanted):
        raise Invalid(f"{problem} (using rockspec format {_shown(wanted)}{_remedy(rockspec, wanted)})")
    for name, kind in _ROCKSPEC.fields.items():
        _check_platforms(rockspec.get(name), kind, name)
    for name in _DEPENDENCY_LISTS:
        _check_constraints(rockspec.get(name))


def _problem(rockspec: Globals, wanted: str) -> str | None:
    if wanted not in FORMATS:
        return f"unknown rockspec format {_shown(wanted)}"
    unknown = [name for name in rockspec.undefined if not _known(_ROCKSPEC, name, wanted)]
    if unknown:
        return f"Unknown variable{'s' * (len(unknown) > 1)}: {_shown(', '.join(unknown))}"
    try:
        _check_table(rockspec, _ROCKSPEC, wanted, "")
    except _Mismatch as mismatch:
        return str(mismatch)
    return None


def _remedy(rockspec: Globals, wanted: str) -> str:
    """The client's advice, if the rockspec is right in a later format."""
    later = FORMATS[FORMATS.index(wanted) + 1 :] if wanted in FORMATS else ()
    fit = next((each for each in later if _problem(rockspec, each) is None), None)
    return f" -- adding 'rockspec_format = \"{fit}\"' to the rockspec will fix this" if fit else ""


def _known(table: Field, name: str, wanted: str) -> Field | None:
    found = table.fields.get(name)
    return found if found and found.since <= wanted else None


def _check_table(value: Mapping[str, Any], kind: Field, wanted: str, context: str) -> None:
    for name, each in value.items():
        expected = _known(kind, name, wanted) or kind.rest
        if expected:
            _check_item(each, expected, wanted, _member(context, name))
        elif not kind.open:
            raise _Mismatch(f"Unknown field {_shown(name)}")
    for name, expected in kind.fields.items():
        required = expected.mandatory and wanted < expected.until
        if required and value.get(name) in (None, False):
            raise _Mismatch(f"Mandatory field {_member(context, name)} is missing.")


def _check_item(value: Any, kind: Field, wanted: str, context: str) -> None:
    actual = _type_of(value)
    if actual != kind.type:
        got = {"string": f"a string, got {actual}", "table": "a table"}.get(kind.type, kind.type)
        raise _Mismatch(f"Type mismatch on field {context}: expected {got}")
    if kind.type == "table":
        _check_table(_members(value), kind, wanted, context)
    patterns = [each for since, each in kind.pattern.items() if since <= wanted]
    if patterns and not patterns[-1].fullmatch(value):
        raise _Mismatch(
            f"Type mismatch on field {context}: invalid value '{_shown(value)}' does not match {kind.meaning}"
        )


def _check_platforms(table: Any, kind: Field, context: str) -> None:
    """Raise Invalid for values below `platforms` at which the client stops on that platform."""
    if "platforms" not in kind.fields or _type_of(table) != "table":
        return
    for platform, value in _members(_members(table).get("platforms", {})).items():
        _check_override(value, kind, f"{context}.platforms.{platform}")


def _check_override(value: Any, kind: Field, context: str) -> None:
    if _type_of(value) != kind.type:
        raise Invalid(f"{context} must be a {kind.type}, not a {_type_of(value)}: LuaRocks stops at it")
    if kind.type == "table":
        for name, each in _members(value).items():
            expected = kind.fields.get(name) or kind.rest
            if expected:
                _check_override(each, expected, _member(context, name))


def _check_constraints(dependencies: Any) -> None:
    """Raise Invalid for a dependency that the client cannot parse."""
    for name, each in _members(dependencies).items():
        if _INDEX.fullmatch(name) and (problem := versions.unreadable(each)):
            raise Invalid(f"Parse error processing dependency '{_shown(each)}': {_shown(problem)}")


def _members(table: Any) -> Mapping[str, Any]:
    """The members of a table by name; of a list by their positions."""
    if isinstance(table, list):
        return {str(position): each for position, each in enumerate(table, 1)}
    return table if isinstance(table, dict) else {}


def _member(context: str, name: str) -> str:
    name = _shown(name)
    if not context:
        return name
    return f"{context}[{name}]" if _INDEX.fullmatch(name) else f"{context}.{name}"


def _type_of(value: Any) -> str:
    """The name of Lua's type."""
    if isinstance(value, Omitted):
        return value.type
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, str):
        return "string"
    return "number" if isinstance(value, int | float) else "table" if isinstance(value, list | dict) else "nil"


def _shown(text: str) -> str:
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."
