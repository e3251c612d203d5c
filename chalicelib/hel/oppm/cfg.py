"""Reads programs.cfg, one table constructor of Lua, without evaluating it.

OpenOS evaluates it as an expression. Here it may contain strings, numbers, booleans, nil and tables, and comments; a
`return` before the table and concatenations of strings are accepted as well.
"""

import re
from typing import Any

from chalicelib.core.errors import Invalid

LARGEST = 256 * 1024  # bytes
_DEEPEST = 16  # tables
_TOKEN = re.compile(
    r"""
      (?P<space>\s+|--\[(?P<comment>=*)\[.*?(?:\](?P=comment)\]|(?P<open>\Z))|--[^\n]*)
    | \[(?P<level>=*)\[\r?\n?(?P<long>.*?)(?:\](?P=level)\]|(?P<cut>\Z))
    | "(?P<double>(?:[^"\\\n]|\\z\s*+|\\.)*+)" | '(?P<single>(?:[^'\\\n]|\\z\s*+|\\.)*+)'
    | (?P<number>-?(?>0[xX][0-9A-Fa-f]++|(?:[0-9]++\.?[0-9]*+|\.[0-9]++)(?:[eE][+-]?[0-9]++)?))(?![\w.])
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<mark>\.\.|[{}\[\]=,;])
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(z\s*|x[0-9A-Fa-f]{2}|[0-9]{1,3}|u\{[0-9A-Fa-f]{1,6}\}|\r?\n|.)", re.DOTALL)
_LETTERS = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_WORDS = {"true": True, "false": False, "nil": None}
_KEYWORDS = re.compile(
    r"and|break|do|else|elseif|end|for|function|goto|if|in|local|not|or|repeat|return|then|until|while"
)

Table = dict[Any, Any]  # a list has the keys 1, 2, ...


def parse(content: bytes) -> Table:
    """The table of a programs.cfg. Raises Invalid with the line for anything but data."""
    if len(content) > LARGEST:
        raise Invalid(f"programs.cfg is larger than {LARGEST} bytes.")
    return _Parser(content.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")).whole()


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._start = self._end = 0  # of the current token
        self._kind, self._value = "", ""
        self._next()

    def whole(self) -> Table:
        if (self._kind, self._value) == ("name", "return"):
            self._next()
        if not self._at("{"):
            raise self._fault()
        table = self._table(1)
        if self._kind != "end":
            raise self._fault()
        return table

    def _table(self, depth: int) -> Table:
        if depth > _DEEPEST:
            raise self._fault()
        found, listed = Table(), 0
        self._take("{")
        while not self._at("}"):
            key, is_listed = self._key(listed + 1)
            listed += is_listed
            value = self._data(depth)
            found.pop(key, None)
            if value is not None:
                found[key] = value
            if not self._at("}"):
                self._take(";" if self._at(";") else ",")
        self._take("}")
        return found

    def _key(self, next_number: int) -> tuple[Any, bool]:
        """The key of a field, and whether it is the next number because the field has none."""
        if self._at("["):
            self._take("[")
            key = self._data(_DEEPEST)
            if not isinstance(key, str | int | float) or isinstance(key, bool):
                raise self._fault()
            self._take("]")
            self._take("=")
            return key, False
        if self._kind == "name" and self._value not in _WORDS and not _KEYWORDS.fullmatch(self._value):
            name = self._value
            self._next()
            self._take("=")
            return name, False
        return next_number, True

    def _data(self, depth: int) -> Any:
        if self._at("{"):
            return self._table(depth + 1)
        kind, value = self._kind, self._value
        if kind == "name" and value in _WORDS:
            self._next()
            return _WORDS[value]
        if kind == "number":
            self._next()
            return _number(value)
        if kind != "text":
            raise self._fault()
        parts = [value]
        self._next()
        while self._at(".."):
            self._next()
            if self._kind != "text":
                raise self._fault()
            parts.append(self._value)
            self._next()
        return "".join(parts)

    def _at(self, mark: str) -> bool:
        return self._kind == "mark" and self._value == mark

    def _take(self, mark: str) -> None:
        if not self._at(mark):
            raise self._fault()
        self._next()

    def _next(self) -> None:
        """Read the next token that is neither blank nor a comment."""
        while True:
            self._start = self._end
            match = _TOKEN.match(self._text, self._start)
            if match is None or match["open"] is not None or match["cut"] is not None:
                self._kind, self._value = ("end", "") if self._start == len(self._text) else ("unknown", "")
                return
            self._end = match.end()
            if match["space"] is None:
                break
        if (quoted := match["double"] if match["double"] is not None else match["single"]) is not None:
            self._kind, self._value = "text", _ESCAPE.sub(_escape, quoted)
        elif match["long"] is not None:
            self._kind, self._value = "text", match["long"]
        else:
            self._kind = next(kind for kind in ("number", "name", "mark") if match[kind])
            self._value = match[self._kind]

    def _fault(self) -> Invalid:
        line = self._text.count("\n", 0, self._start) + 1
        near = self._text[self._start : self._start + 20].split("\n")[0] or "the end"
        return Invalid(f"programs.cfg is no table of data: line {line}, near {near}")


def _number(text: str) -> int | float:
    if text.lstrip("-")[:2].lower() == "0x":
        return int(text[:20], 16)
    try:
        return int(text[:20])
    except ValueError:
        return float(text)


def _escape(match: re.Match[str]) -> str:
    code = match[1]
    if code.isdecimal():
        return chr(int(code))
    if code[0] in "xu" and len(code) > 1:
        number = int(code.strip("xu{}"), 16)
        return chr(number) if number < 0xD800 or 0xDFFF < number <= 0x10FFFF else "\ufffd"
    if code[0] == "z":
        return ""
    return _LETTERS.get(code, code)
