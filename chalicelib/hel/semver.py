"""Version numbers and ranges, as Hel stores them and hpm reads them."""

import re
from collections.abc import Iterable

from chalicelib.core.errors import Invalid

LONGEST = 200
_IDENTIFIER = r"(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
# Lua writes larger numbers as 1e+15, which hpm cannot read back.
_NUMBER = r"(?:0|[1-9][0-9]{0,13})"
_STORED = re.compile(rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?")
_ITEM = re.compile(r"(<=?|>=?|==?|!=|\^|~|)([0-9].*)", re.DOTALL)
_PARTIAL = re.compile(
    rf"{_NUMBER}(?P<minor>\.{_NUMBER}(?:\.{_NUMBER})?)?"
    rf"(?:-(?:{_IDENTIFIER}(?:\.{_IDENTIFIER})*)?)?"
    r"(?P<build>\+(?:[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?)?"
)


def normalise(text: str) -> str:
    """The full version number that `text` means, such as 1.0.0 for 1; raises Invalid with python-semver's text."""
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


def check_range(text: str) -> None:
    """Raises Invalid for a range that python-semanticversion 2.6 would not take or hpm could not evaluate."""
    if len(text) > LONGEST:
        raise Invalid(f"Requirement specification is longer than {LONGEST} characters")
    for item in text.split(","):
        if item != "*":
            _check_item(item)


def latest(numbers: Iterable[str]) -> str | None:
    """The highest of some full version numbers, pre-releases included."""
    from semantic_version import Version

    return max(numbers, key=Version, default=None)


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
