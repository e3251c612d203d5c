"""Gettext's `.po` files, as Luanti reads them beside `.tr` files."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from chalicelib.core.errors import Invalid

_KEYWORD = re.compile(r'(msgctxt|msgid|msgid_plural|msgstr|msgstr\[[0-9]{1,3}\])[ \t]*(".*")')
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{1,2}|[0-7]{1,3}|.)")
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}


@dataclass
class _Entry:
    """One message: its fields by keyword."""

    fields: dict[str, list[str]] = field(default_factory=dict)
    is_fuzzy: bool = False

    def text(self, keyword: str) -> str | None:
        parts = self.fields.get(keyword)
        return None if parts is None else "".join(parts)


def parse(text: str, domain: str) -> dict[str, str]:
    """The translations of a text domain by English text; `domain` is also that of messages without a context.

    Fuzzy and empty translations are left out, and so are plural forms. Raises Invalid, with the line.
    """
    found: dict[str, str] = {}
    for entry in _entries(text.removeprefix("\ufeff").replace("\r\n", "\n")):
        source, translated = entry.text("msgid"), entry.text("msgstr")
        if source and translated and not entry.is_fuzzy and (entry.text("msgctxt") or domain) == domain:
            found[source] = translated
    return found


def _entries(text: str) -> Iterator[_Entry]:
    entry, fuzzy = _Entry(), False
    current: list[str] | None = None  # the parts of the field to which a line of its own adds
    for number, raw in enumerate(text.split("\n"), start=1):
        line = raw.strip()
        if line.startswith("#"):
            fuzzy = fuzzy or (line.startswith("#,") and "fuzzy" in re.split(r"[,\s]+", line))
            current = None
        elif not line:
            current = None
        elif line.startswith('"'):
            if current is None:
                raise Invalid(f"Line {number}: Unexpected string")
            current.append(_string(line, number))
        else:
            keyword, value = _keyword(line, number)
            if keyword in entry.fields or (keyword == "msgctxt" and entry.fields):
                yield entry
                entry, fuzzy = _Entry(is_fuzzy=fuzzy), False
            elif fuzzy and not entry.fields:
                entry.is_fuzzy, fuzzy = True, False
            current = entry.fields.setdefault(keyword, [])
            current.append(value)
    yield entry


def _keyword(line: str, number: int) -> tuple[str, str]:
    if match := _KEYWORD.fullmatch(line):
        return match[1], _string(match[2], number)
    raise Invalid(f"Line {number}: Expected msgctxt, msgid or msgstr with a string")


def _string(text: str, number: int) -> str:
    match = _STRING.fullmatch(text)
    if not match:
        raise Invalid(f"Line {number}: The string is not closed")
    return _ESCAPE.sub(_unescaped, match[1])


def _unescaped(match: re.Match[str]) -> str:
    code = match[1]
    if code[0] == "x" and len(code) > 1:
        return chr(int(code[1:], 16))
    return chr(int(code, 8)) if code[0] in "01234567" else _ESCAPED.get(code, code)
