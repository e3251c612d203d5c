"""LuaRocks' version numbers and constraints, which select the versions in a manifest for one Lua version.

The rules are those of the client (`luarocks.core.vers`, `luarocks.queries`), including its quirks: 5.1 and 5.1.0
are not equal although neither is less than the other, and a revision is compared only if both sides have one.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cmp_to_key, lru_cache
from itertools import zip_longest
from typing import Any

TARGETS = ("5.1", "5.2", "5.3", "5.4", "5.5")

# The order of words: development versions above every number, release candidates just below their
# release. Every other word has almost no weight.
_WORDS = {
    "dev": 120_000_000.0,
    "scm": 110_000_000.0,
    "cvs": 100_000_000.0,
    "rc": -1_000.0,
    "pre": -10_000.0,
    "beta": -100_000.0,
    "alpha": -1_000_000.0,
}
_REVISION = re.compile(r"(.*)-([0-9]+)", re.DOTALL)
_PART = re.compile(r"(?:([0-9]+)|([A-Za-z]+))[._-]*")

_SPACE = " \t\n\v\f\r"
_MOST_CONSTRAINTS = 100
# A name, with a user before a slash or without, and constraints. No part gives back what it has matched: when they did,
# a text of a thousand letters took minutes.
_DEPENDENCY = re.compile(
    rf"[{_SPACE}]*+(?:[\w.-]*+/[A-Za-z0-9][\w.-]*+|(?=[_.-]*+[A-Za-z0-9])[\w.-]++)[{_SPACE}]*+([^/]*+)", re.ASCII
)
_CONSTRAINT = re.compile(rf"@?([<>=~!]*)[{_SPACE}]*([\w.-]+)[{_SPACE},]*", re.ASCII)


@dataclass(frozen=True)
class ParsedVersion:
    """A version as numbers, most significant first, and its revision (the 2 of `1.0-2`) if it has one."""

    parts: tuple[float, ...]
    revision: float | None


@dataclass(frozen=True)
class Constraint:
    """One comparison of a constraint, such as `>= 5.1`."""

    holds: Callable[[ParsedVersion, ParsedVersion], bool]
    version: ParsedVersion

    def allows(self, version: ParsedVersion) -> bool:
        return self.holds(version, self.version)


def parse(text: str) -> ParsedVersion:
    """Parse any text; the rest after the first character that fits no rule counts as 0."""
    text = text.lstrip(_SPACE)
    revision = None
    if match := _REVISION.fullmatch(text):
        text, revision = match[1], float(match[2])
    parts: list[float] = []
    word: float | None = None  # a word and the number after it are one part: rc2 is rc + 2/100000
    position = 0
    while position < len(text):
        match = _PART.match(text, position)
        if match is None:
            word = 0.0
            break
        if match[1]:
            number = float(match[1])
            parts.append(number if word is None else word + number / 100_000)
            word = None
        else:
            word = _WORDS.get(match[2], ord(match[2][0]) / 1_000)
        position = match.end()
    if word is not None:
        parts.append(word)
    return ParsedVersion(tuple(parts), revision)


def equal(one: ParsedVersion, other: ParsedVersion) -> bool:
    """Whether all parts are equal, and the revisions if both have one."""
    return one.parts == other.parts and (
        one.revision is None or other.revision is None or one.revision == other.revision
    )


def less(one: ParsedVersion, other: ParsedVersion) -> bool:
    """Whether one version is less than the other; missing parts are 0."""
    for left, right in zip_longest(one.parts, other.parts, fillvalue=0.0):
        if left != right:
            return left < right
    return one.revision is not None and other.revision is not None and one.revision < other.revision


def order(text: str) -> Any:
    """A key to sort the names of versions by, oldest first."""
    return _order(parse(text))


_order = cmp_to_key(lambda one, other: less(other, one) - less(one, other))  # type: ignore[arg-type]


def within(version: ParsedVersion, wanted: ParsedVersion) -> bool:
    """Whether a version begins with the wanted one, the meaning of `~>`: 5.1.5 is within 5.1, 5.2 is not."""
    begins = version.parts[: len(wanted.parts)]
    begins += (0.0,) * (len(wanted.parts) - len(begins))
    return begins == wanted.parts and wanted.revision in (None, version.revision)


_OPERATORS: dict[str, Callable[[ParsedVersion, ParsedVersion], bool]] = {
    "==": equal,
    "~=": lambda version, limit: not equal(version, limit),
    ">": lambda version, limit: less(limit, version),
    "<": less,
    ">=": lambda version, limit: not less(version, limit),
    "<=": lambda version, limit: not less(limit, version),
    "~>": within,
}
_OPERATORS |= {"": equal, "=": equal, "!=": _OPERATORS["~="]}


def constraints(dependency: str) -> list[Constraint] | None:
    """The comparisons of a dependency such as `lua >= 5.1, < 5.4`; all must hold. None if it is unreadable."""
    match = _DEPENDENCY.match(dependency)
    if match is None:
        return None
    found: list[Constraint] = []
    position, end = match.span(1)
    while position < end:
        match = _CONSTRAINT.match(dependency, position, end)
        if match is None or match[1] not in _OPERATORS or len(found) == _MOST_CONSTRAINTS:
            return None
        found.append(Constraint(_OPERATORS[match[1]], parse(match[2])))
        position = match.end()
    return found


def unreadable(dependency: str) -> str | None:
    """Why the client cannot parse a dependency, in its words; None if it can."""
    match = _DEPENDENCY.match(dependency)
    if match is None:
        return f"failed to extract dependency name from '{dependency}'"
    whole, (position, end) = match[1], match.span(1)
    while position < end:
        match = _CONSTRAINT.match(dependency, position, end)
        operator = match[1] if match else "nil"
        if match is None or operator not in _OPERATORS:
            rest = dependency[position:end]
            return (
                f"Failed to parse constraint '{whole}' with error: "
                f"Encountered bad constraint operator: '{operator}' in '{rest}'"
            )
        position = match.end()
    return None


@lru_cache(maxsize=4096)
def matches_lua(lua_version: str | None, target: str) -> bool:
    """Whether the manifest for one Lua version (one of `TARGETS`) lists a rock with this dependency on Lua.

    None, no dependency on Lua, fits every Lua version; an unreadable one fits none, as on LuaRocks.org.
    """
    if lua_version is None:
        return True
    found = constraints(lua_version)
    return found is not None and all(each.allows(parse(target)) for each in found)


_NAMED = re.compile(r"\s*(?:[^\s/<>=~!,@]+/)?([^\s/<>=~!,@]+)")


def dependency_name(dependency: str) -> str | None:
    """The module's name in a dependency such as `user/lpeg >= 1.0`, in lower case and without the user."""
    found = _NAMED.match(dependency)
    return found[1].lower() if found else None
