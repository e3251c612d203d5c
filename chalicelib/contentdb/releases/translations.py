"""Luanti's translation files, `locale/TEXTDOMAIN.LANGUAGE.tr` and `.po`.

The former are checked by the rules of the original ContentDB. Errors in the latter are warnings, as in the game.
"""

import re
from collections.abc import Container, Iterator
from dataclasses import dataclass, field

from chalicelib.contentdb.releases import gettext
from chalicelib.contentdb.releases.archive import Folder
from chalicelib.core.errors import Invalid

_FILE = re.compile(r"(?P<domain>.+)\.(?P<language>[A-Za-z]{2,3}(_[A-Za-z]{2,4})?)\.(?P<format>tr|po)")
_TEXTDOMAIN = "# textdomain:"  # exactly; Luanti reads other spellings as comments
_ESCAPES = {"=": "=", "@": "@", "n": "\n", "\n": "\n"}
_ORIGINAL = "en"  # the language of the sources; a file in it changes nothing


@dataclass(frozen=True)
class Translation:
    """A file: its language such as `de` or `pt_BR`, and its translations by the English texts.

    A file of another text domain has no texts, and a warning if it has an error.
    """

    language: str
    texts: dict[str, str] = field(default_factory=dict)
    warning: str | None = None


def read(root: Folder, domain: str, languages: Container[str]) -> Iterator[Translation]:
    """The translations in all `locale` folders, in these languages, except in hidden folders.

    Raises Invalid for an error in a .tr file of the text domain `domain`. Other files belong to mods of other authors.
    """
    for name, folder in sorted(root.folders.items()):
        if not name.startswith("."):
            yield from _in_locale(folder, domain, languages) if name == "locale" else ()
            yield from read(folder, domain, languages)


def _in_locale(locale: Folder, domain: str, languages: Container[str]) -> Iterator[Translation]:
    for name in sorted(locale.files):
        match = _FILE.fullmatch(name)
        if not match or match["language"] not in languages:
            continue
        language, is_own = match["language"], match["domain"] == domain and match["language"] != _ORIGINAL
        try:
            texts = _texts(locale, name, match)
        except Invalid as error:
            if is_own and match["format"] == "tr":
                raise
            yield Translation(language, warning=error.message)
        else:
            yield Translation(language, texts if is_own else {})


def _texts(locale: Folder, name: str, match: re.Match[str]) -> dict[str, str]:
    text = locale.text(name) or ""
    try:
        return (parse if match["format"] == "tr" else gettext.parse)(text, match["domain"])
    except Invalid as error:
        raise Invalid(f"Syntax error whilst reading /{locale.path_of(name)}: {error.message}") from None


def parse(text: str, domain: str) -> dict[str, str]:
    """The translations in a file of a text domain, by English text. Raises Invalid, with the line."""
    declared = False
    found: dict[str, str] = {}
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    for number, line in _logical_lines(text):
        if line.startswith(_TEXTDOMAIN):
            declared = True
            if (given := line.removeprefix(_TEXTDOMAIN).strip()) != domain:
                raise Invalid(
                    f"Line {number}: The filename's textdomain ({domain}) should match the comment ({given[:100]})"
                )
        elif line.strip() and not line.startswith("#"):
            if not declared:
                raise Invalid(f"Missing `# textdomain: {domain}` at the top of the file")
            source, translated = _entry(line, f"Line {number}")
            found[source] = translated
    return found


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
    """One `source=translation`; the arguments `@1` to `@9` are kept, and checked."""
    sides: list[str] = [""]
    arguments: list[list[int]] = [[]]
    characters = iter(line)
    for character in characters:
        if character == "@":
            escaped = next(characters, "")
            if escaped in _ESCAPES:
                sides[-1] += _ESCAPES[escaped]
            elif escaped.isascii() and escaped.isdigit():
                sides[-1] += "@" + escaped
                arguments[-1].append(int(escaped))
            else:
                raise Invalid(f"{location}: {_escape_error(escaped)}")
        elif character == "=" and len(sides) == 1:
            sides.append("")
            arguments.append([])
        else:
            sides[-1] += character
    if len(sides) == 1:
        raise Invalid(f"{location}: Missing = in line")
    _check_arguments(arguments[0], arguments[1], location)
    return sides[0], sides[1]


def _escape_error(escaped: str) -> str:
    return f"Unknown escape character: {escaped}" if escaped else "Unexpected end of file"


def _check_arguments(source: list[int], translated: list[int], location: str) -> None:
    """Raise Invalid unless the source has @1, @2 ... in order, and the translation no others."""
    for expected, number in enumerate(source, start=1):
        if number != expected:
            raise Invalid(
                f"{location}: Arguments out of order in source, found @{number} and expected @{expected}. "
                "The arguments of a source are @1, @2 and so on, each once"
            )
    for number in translated:
        if not 1 <= number <= len(source):
            raise Invalid(f"{location}: Unknown argument @{number} in translated string")
