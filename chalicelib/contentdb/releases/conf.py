"""Luanti's .conf files: `key = value`, `#` comments, and multi-line values in triple quotes."""

from chalicelib.core.errors import Invalid

_QUOTES = '"""'


def parse(text: str, filename: str) -> dict[str, str]:
    """The settings in a file's text. Raises Invalid with the file name and the line."""
    found: dict[str, str] = {}
    lines = enumerate(text.removeprefix("\ufeff").splitlines(), start=1)
    for number, line in lines:
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        key, equals, value = (part.strip() for part in stripped.partition("="))
        if not equals or not key:
            raise Invalid(f"{filename} line {number}: expected `key = value`")
        if key in found:
            raise Invalid(f"{filename} line {number}: duplicate key {key}")
        if value.startswith(_QUOTES):
            value = _quoted(value.removeprefix(_QUOTES), lines, f"{filename} line {number}")
        found[key] = value
    return found


def names(value: str | None) -> list[str]:
    """The names in a list such as `default, farming`."""
    return [name for name in (part.strip() for part in (value or "").split(",")) if name]


def _quoted(first: str, lines: "enumerate[str]", location: str) -> str:
    """A value in triple quotes; `first` is the rest of its first line."""
    parts = [first]
    while not parts[-1].rstrip().endswith(_QUOTES):
        following = next(lines, None)
        if following is None:
            raise Invalid(f"{location}: the triple quotes are never closed")
        parts.append(following[1])
    parts[-1] = parts[-1].rstrip().removesuffix(_QUOTES)
    return "\n".join(parts)
