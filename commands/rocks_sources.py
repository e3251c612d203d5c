"""The sources of an import of rocks: a directory of `luarocks-admin`, or another rocks server."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from chalicelib.core.errors import CoreError
from chalicelib.core.outbound.fetch import Caps, WebClient, basic_authorization

ROCKSPEC = re.compile(r"(?P<name>.+)-(?P<version>[^-]+-[^-]+)\.rockspec")
ROCK = re.compile(r"(?P<name>.+)-(?P<version>[^-]+-[^-]+)\.(?P<arch>[^.]+)\.rock")
_CAPS = Caps(size=64 * 1024 * 1024, seconds=120.0, attempts=4)


class RockSource(Protocol):
    """Files by name: rockspecs, rocks, and their signatures with the suffix `.asc`."""

    def filenames(self) -> list[str]:
        """All rockspecs, then all rocks, each in order."""

    def read(self, filename: str) -> bytes | None:
        """A file's bytes; None if it does not exist. Raises OSError."""


class RockTree:
    """A directory of `luarocks-admin`, or any directory that contains rockspecs and rocks."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def filenames(self) -> list[str]:
        return _in_order(path.name for path in self._directory.iterdir() if path.is_file())

    def read(self, filename: str) -> bytes | None:
        path = self._directory / filename
        return path.read_bytes() if path.is_file() else None


class RocksServer:
    """A server from which `luarocks` installs; its manifest lists the files."""

    def __init__(self, url: str) -> None:
        self._url, self._headers = basic_authorization(url.rstrip("/"))
        self._client = WebClient(self._url)

    def filenames(self) -> list[str]:
        text = self.read("manifest")
        if text is None:
            raise FileNotFoundError(f"there is no manifest at {self._url}")
        repository = read_manifest(text.decode("utf-8", "replace")).get("repository", {})
        return _in_order(
            f"{name}-{version}.rockspec" if rock.get("arch") == "rockspec" else f"{name}-{version}.{rock['arch']}.rock"
            for name, versions in repository.items()
            for version, rocks in versions.items()
            for rock in (rocks.values() if isinstance(rocks, dict) else rocks)
        )

    def read(self, filename: str) -> bytes | None:
        try:
            answer = self._client.fetch(f"{self._url}/{filename}", _CAPS, headers=self._headers)
        except CoreError as error:
            raise OSError(f"{filename}: {error}") from error
        if answer.status == 404:
            return None
        if answer.status != 200:
            raise OSError(f"{filename}: the server returned {answer.status}")
        return answer.body


def _in_order(filenames: Any) -> list[str]:
    names = sorted(set(filenames))
    return [name for name in names if ROCKSPEC.fullmatch(name)] + [name for name in names if ROCK.fullmatch(name)]


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
