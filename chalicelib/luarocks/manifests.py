"""Renders manifests, the lists of all rocks: as Lua and as JSON.

A manifest consists of one fragment per module, in blocks (core/catalogues/blocks.py), so that a publish renders only
one block.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from json import dumps

from chalicelib.core.catalogues.blocks import Blocks, Frame

# LuaJIT loads at most 65,536 constants per function: two per module, one per version, one per file. A module with one
# file has the most constants per line, four in seven lines; these lines have at most 57,143.
LARGEST_FUNCTION = 100_000  # lines
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_KEYWORDS = frozenset(
    (
        *("and", "break", "do", "else", "elseif", "end", "false", "for", "function", "goto", "if"),
        *("in", "local", "nil", "not", "or", "repeat", "return", "then", "true", "until", "while"),
    )
)
_ESCAPED = re.compile(r'[\x00-\x1f\x7f"\\]')


def fragment(name: str, versions: Mapping[str, Sequence[str]]) -> bytes:
    """The Lua text of one module: its versions with their architectures, `rockspec` first."""
    listed = ",\n".join(_version(version, tuple(arches)) for version, arches in versions.items())
    return f"   {_key(name)} = {{\n{listed}\n   }}".encode()


def json_fragment(name: str, versions: Mapping[str, Sequence[str]]) -> bytes:
    """One module as a member of the `repository` object of a JSON manifest."""
    listed = {version: [{"arch": arch} for arch in arches] for version, arches in versions.items()}
    return f"{dumps(name)}:{dumps(listed, separators=(',', ':'))}".encode()


@dataclass(frozen=True)
class ManifestForm:
    """A form of manifests. `fragment` renders a module, `join` joins those of a block; `frame` is around the blocks."""

    fragment: Callable[[str, Mapping[str, Sequence[str]]], bytes]
    join: Callable[[Iterable[bytes]], bytes]
    frame: Frame


def fitting(form: ManifestForm, blocks: Blocks) -> ManifestForm:
    """The form of Lua for a manifest of this size; JSON stays."""
    if form is JSON:
        return JSON
    return TABLE if blocks.lines <= LARGEST_FUNCTION else FUNCTIONS


def likely(modules: int) -> ManifestForm:
    """The form of Lua that a manifest of so many modules probably has; see `fitting`."""
    return TABLE if 7 * modules <= LARGEST_FUNCTION else FUNCTIONS


def _functions(fragments: Iterable[bytes]) -> bytes:
    """Statements that add modules to the repository, in functions that LuaJIT can load.

    A client loads a manifest in an environment without any function, therefore each function is called in place. A
    line that begins with a semicolon is no call of the value before it. The line ends are those of a table, so
    `fitting` does not depend on the form.
    """
    calls: list[list[bytes]] = []
    lines = LARGEST_FUNCTION
    for fragment in fragments:
        own = fragment.count(b"\n") + 1
        if lines + own > LARGEST_FUNCTION:
            calls.append([])
            lines = 0
        lines += own
        calls[-1].append(b"r" + fragment[3:] if fragment[3:4] == b"[" else b"r." + fragment[3:])
    return b"\n".join(b";(function(r) " + b"\n".join(call) + b" end)(repository)" for call in calls)


def _version(version: str, arches: tuple[str, ...]) -> str:
    return f"      {_key(version)} = {{\n{_files(arches)}\n      }}"


@lru_cache(1024)
def _files(arches: tuple[str, ...]) -> str:
    return ",\n".join(f"         {{\n            arch = {_quoted(arch)}\n         }}" for arch in arches)


def _key(text: str) -> str:
    if _IDENTIFIER.fullmatch(text) and text not in _KEYWORDS:
        return text
    return f"[{_quoted(text)}]"


def _quoted(text: str) -> str:
    return '"' + _ESCAPED.sub(_escape, text) + '"'


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    return f"\\{character}" if character in '"\\' else f"\\{ord(character):03d}"


_HEAD = b"commands = {}\nmodules = {}\nrepository = "  # clients require all three
_EMPTY = _HEAD + b"{}\n"
TABLE = ManifestForm(fragment, b",\n".join, Frame(_HEAD + b"{\n", b",\n", b"\n}\n", _EMPTY))
FUNCTIONS = ManifestForm(fragment, _functions, Frame(_EMPTY, b"\n", b"\n", _EMPTY))
_JSON_HEAD = b'{"commands":{},"modules":{},"repository":{'
JSON = ManifestForm(json_fragment, b",".join, Frame(_JSON_HEAD, b",", b"}}", _JSON_HEAD + b"}}"))
