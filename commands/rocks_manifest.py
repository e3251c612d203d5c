"""Reads manifests, which `luarocks` writes as plain data, without executing them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

_TOKEN = re.compile(
    r"""\s*(?:--[^\n]*\n\s*)*(?:
        \[\[(?P<long>.*?)\]\]
      | (?P<mark>[{}\[\]=,;])
      | "(?P<quoted>(?:[^"\\]|\\.)*)"
      | '(?P<single>(?:[^'\\]|\\.)*)'
      | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<number>-?[0-9][0-9.eE+-]*)
    )""",
    re.VERBOSE | re.DOTALL,
)


@dataclass
class _Table:
    """A table that is being parsed: its fields, and the key of the next field."""

    fields: dict[Any, Any] = field(default_factory=dict)
    key: Any = None
    listed: int = 0

    def add(self, value: Any) -> None:
        if self.key is None:
            self.listed += 1
        self.fields[self.listed if self.key is None else self.key] = value
        self.key = None


def read_manifest(text: str) -> dict[Any, Any]:
    """Parse the assignments of a manifest: strings, numbers and tables, which `luarocks` writes as plain data.

    The text is never executed as Lua. Raises ValueError for anything else.
    """
    tables = [_Table()]
    before: Any = None  # the last value, which is a key if `=` follows
    for kind, value in _tokens(text):
        table = tables[-1]
        if kind == "value":
            table, before = _flushed(table, before), value
        elif value == "=":
            table.key, before = before, None
        elif value == "{":
            _flushed(table, before)
            before = None
            tables.append(_Table())
        elif value == "}":
            _flushed(table, before)
            if len(tables) == 1:
                raise ValueError("this is not a manifest: it has an extra bracket")
            before = None
            tables.pop()
            tables[-1].add(table.fields)
        elif value in ",;":
            before = _flushed(table, before) and None
    _flushed(tables[-1], before)
    if len(tables) != 1:
        raise ValueError("this is not a manifest: it is truncated")
    return tables[0].fields


def _flushed(table: _Table, before: Any) -> _Table:
    """Add the value `before`, if there is one, to the table: no `=` has followed, so it is not a key."""
    if before is not None:
        table.add(before)
    return table


def _tokens(text: str) -> Iterator[tuple[str, Any]]:
    position = 0
    text = text.rstrip()
    while position < len(text):
        found = _TOKEN.match(text, position)
        if found is None:
            raise ValueError(f"this is not a manifest: {text[position : position + 20]!r} cannot be parsed")
        position = found.end()
        if found["mark"]:
            if found["mark"] not in "[]":
                yield "mark", found["mark"]
        elif found["number"]:
            yield "value", float(found["number"])
        elif found["quoted"] is not None or found["single"] is not None:
            yield "value", _unescaped(found["quoted"] or found["single"] or "")
        else:
            yield "value", found["long"] if found["long"] is not None else found["word"]


def _unescaped(text: str) -> str:
    """Decode the escapes of a Lua string; names and versions have none, descriptions may."""
    return re.sub(r"\\(\d{1,3}|.)", _character, text, flags=re.DOTALL)


def _character(escape: re.Match[str]) -> str:
    code = escape[1]
    return chr(int(code)) if code.isdecimal() else _ESCAPES.get(code, code)


_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
