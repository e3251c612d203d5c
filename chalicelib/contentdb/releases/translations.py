"""Luanti's translation files: `locale/TEXTDOMAIN.LANGUAGE.tr`."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from chalicelib.contentdb.releases.archive import Folder
from chalicelib.core.errors import Invalid

_FILE = re.compile(r"(?P<domain>.+)\.(?P<language>[A-Za-z]{2,3}(_[A-Za-z]{2,4})?)\.tr")
_ESCAPES = {"=": "=", "@": "@", "n": "\n", "\n": "\n"}


@dataclass(frozen=True)
class Translation:
    """A .tr file: its text domain, its language such as `de` or `pt_BR`, and its translations by the English texts."""

    domain: str
    language: str
    texts: dict[str, str]


def read(folder: Folder) -> Iterator[Translation]:
    """The translations in a folder's `locale`. Raises Invalid for a file that Luanti cannot read."""
    locale = folder.folders.get("locale")
    for name in sorted(locale.files) if locale else ():
        if locale and (match := _FILE.fullmatch(name)):
            text = locale.text(name) or ""
            domain, texts = parse(text, locale.path_of(name))
            yield Translation(domain or match["domain"], match["language"], texts)


def parse(text: str, path: str) -> tuple[str | None, dict[str, str]]:
    """The text domain of a file, or None, and its translations by English text. Raises Invalid, with the line."""
    domain: str | None = None
    found: dict[str, str] = {}
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    for number, line in _logical_lines(text):
        if line.startswith("#"):
            name, colon, value = line.removeprefix("#").partition(":")
            if colon and name.strip() == "textdomain":
                domain = value.strip()
        elif line.strip():
            source, translated = _entry(line, f"{path} line {number}")
            found[source] = translated
    return domain, found


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines with their numbers; a line that ends with an escaped line break continues in the next."""
    lines = enumerate(text.split("\n"), start=1)
    for number, line in lines:
        parts = [line]
        while not line.startswith("#") and _is_open(parts[-1]):
            following = next(lines, None)
            if following is None:
                break
            parts.append(following[1])
        yield number, "\n".join(parts)


def _is_open(line: str) -> bool:
    return (len(line) - len(line.rstrip("@"))) % 2 == 1


def _entry(line: str, location: str) -> tuple[str, str]:
    """One `source=translation`; the placeholders `@1` to `@9` are kept."""
    sides = [""]
    characters = iter(line)
    for character in characters:
        if character == "@":
            escaped = next(characters, "")
            if escaped in _ESCAPES and escaped:
                sides[-1] += _ESCAPES[escaped]
            elif escaped.isdigit() and escaped != "0":
                sides[-1] += "@" + escaped
            else:
                raise Invalid(f"{location}: unexpected escape @{escaped}")
        elif character == "=" and len(sides) == 1:
            sides.append("")
        else:
            sides[-1] += character
    if len(sides) == 1:
        raise Invalid(f"{location}: expected an equals sign")
    return sides[0], sides[1]
