"""Version numbers and ranges: the form that Hel stores, and the meaning for hpm."""

import operator
import re
from collections.abc import Callable, Iterable

from chalicelib.core.errors import Invalid

LONGEST = 200
_IDENTIFIER = r"(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
# Lua writes larger numbers as 1e+15, which hpm cannot read back.
_NUMBER = r"(?:0|[1-9][0-9]{0,13})"
_STORED = re.compile(rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?")
_ITEM = re.compile(r"(<=?|>=?|==?|!=|\^|~|)([0-9].*)", re.DOTALL)
_ORDERING = ("<", "<=", ">", ">=", "^", "~")
_COMPARISONS: dict[str, Callable[[list[int], list[int]], bool]] = {
    "": operator.eq,
    "=": operator.eq,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_PARTIAL = re.compile(
    rf"{_NUMBER}(?P<minor>\.{_NUMBER}(?:\.{_NUMBER})?)?"
    rf"(?:-(?:{_IDENTIFIER}(?:\.{_IDENTIFIER})*)?)?"
    r"(?P<build>\+(?:[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?)?"
)


def normalise(text: str) -> str:
    """The full version number of a text, such as 1.0.0 for 1; raises Invalid with python-semver's text."""
    from semantic_version import Version

    if len(text) > LONGEST:
        raise Invalid(f"Version string is longer than {LONGEST} characters")
    try:
        number = str(Version.coerce(text))
    except ValueError as error:
        raise Invalid(str(error)) from None
    if not _STORED.fullmatch(number):
        raise Invalid(f"Invalid version string: {text!r}")
    return number


def check_range(text: str) -> str:
    """Return a range unchanged; raises Invalid if python-semanticversion 2.6 or hpm could not evaluate it."""
    if len(text) > LONGEST:
        raise Invalid(f"Requirement specification is longer than {LONGEST} characters")
    for item in text.split(","):
        if item != "*":
            _check_item(item)
    return text


def meaning_for_hpm(text: str) -> str | None:
    """The meaning of a valid range for hpm if it differs from the standard one; else None."""
    for item in text.split(","):
        match = _ITEM.fullmatch(item)
        operator, version = match.groups() if match else ("", "")
        if operator == "^" and version.startswith("0."):
            return f"hpm reads {item} as every version below 1.0.0"
        if operator in _ORDERING and "-" in version.partition("+")[0]:
            return f"hpm ranks a pre-release above its release, also in {item}"
    return None


def excludes(text: str, numbers: Iterable[str]) -> bool:
    """Whether certainly none of the full version numbers is in a valid range, as hpm reads it.

    False for a range with pre-releases, which hpm orders in its own way.
    """
    return "-" not in text and not any(map(_accepts(text), numbers))


def newest_in(text: str, numbers: Iterable[str]) -> str | None:
    """The highest of the full version numbers in a valid range; None if the range has pre-releases or no number."""
    return None if "-" in text else latest(filter(_accepts(text), numbers))


def superseded(numbers: Iterable[str]) -> list[str]:
    """The pre-releases whose release is among the numbers."""
    known = dict.fromkeys(numbers)
    cores = ((number, number.partition("+")[0]) for number in known)
    return [number for number, core in cores if "-" in core and core.partition("-")[0] in known]


def latest(numbers: Iterable[str]) -> str | None:
    """The highest full version number, pre-releases included; None for no numbers."""
    from semantic_version import Version

    return max(numbers, key=Version, default=None)


def _accepts(text: str) -> Callable[[str], bool]:
    """Whether a full version number is in a range without pre-releases."""
    tests = [_test(item) for item in text.split(",") if item != "*"]
    return lambda number: all(test(_core(number)) for test in tests)


def _core(number: str) -> list[int]:
    """The three numbers of a full version number."""
    return [int(part) for part in re.split(r"[-+]", number, maxsplit=1)[0].split(".")]


def _test(item: str) -> Callable[[list[int]], bool]:
    """Whether a version is in an item of a range. Only the given numbers are compared: 1.9 is equal to 1."""
    match = _ITEM.fullmatch(item)
    if match is None:
        return lambda _: True
    sign, wanted = match[1], [int(part) for part in match[2].partition("+")[0].split(".")]
    fixed = {"^": 1, "~": 2}.get(sign)
    if fixed:
        return lambda core: core[: len(wanted)] >= wanted and core[:fixed] == wanted[:fixed]
    compare = _COMPARISONS[sign]
    return lambda core: compare(core[: len(wanted)], wanted)


def _check_item(item: str) -> None:
    if not item:
        raise Invalid(f"Invalid empty requirement specification: {item!r}")
    match = _ITEM.fullmatch(item)
    if match is None:
        raise Invalid(f"Invalid requirement specification: {item!r}")
    operator, version = match.groups()
    partial = _PARTIAL.fullmatch(version)
    if partial is None:
        raise Invalid(f"Invalid version string: {version!r}")
    if partial["build"] and operator not in ("", "=", "==", "!="):
        raise Invalid(f"Invalid requirement specification {item!r}: build numbers have no ordering.")
    if operator == "~" and not partial["minor"]:
        # hpm aborts on `~1` with a stack trace, python-semanticversion 2.6 with an exception.
        raise Invalid(f"Invalid requirement specification: {item!r}; write '^{version}', which hpm can read.")
