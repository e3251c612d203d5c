"""Renders manifests, the lists of all rocks: as Lua, as JSON and zipped.

A manifest is joined from one fragment per module, so that a publish renders only one module. Fragments are joined in
the given order.
"""

import io
import re
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from json import dumps

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
    listed = ",\n".join(_version(version, arches) for version, arches in versions.items())
    return f"   {_key(name)} = {{\n{listed}\n   }}".encode()


def lua(fragments: Iterable[bytes]) -> bytes:
    """A manifest as Lua. `commands` and `modules` are always empty, but clients require them."""
    repository = b",\n".join(fragments)
    body = b"{\n" + repository + b"\n}" if repository else b"{}"
    return b"commands = {}\nmodules = {}\nrepository = " + body + b"\n"


def json_fragment(name: str, versions: Mapping[str, Sequence[str]]) -> bytes:
    """One module as a member of the `repository` object of a JSON manifest."""
    listed = {version: [{"arch": arch} for arch in arches] for version, arches in versions.items()}
    return f"{dumps(name)}:{dumps(listed, separators=(',', ':'))}".encode()


def json(fragments: Iterable[bytes]) -> bytes:
    """A manifest as JSON, from fragments of `json_fragment`."""
    return b'{"commands":{},"modules":{},"repository":{' + b",".join(fragments) + b"}}"


def zipped(name: str, text: bytes) -> bytes:
    """A zip file with one member called `name`, such as `manifest-5.1`. Equal texts give equal bytes."""
    member = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    member.compress_type = zipfile.ZIP_DEFLATED
    member.external_attr = 0o644 << 16
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(member, text)
    return file.getvalue()


def _version(version: str, arches: Sequence[str]) -> str:
    items = ",\n".join(f"         {{\n            arch = {_quoted(arch)}\n         }}" for arch in arches)
    return f"      {_key(version)} = {{\n{items}\n      }}"


def _key(text: str) -> str:
    if _IDENTIFIER.fullmatch(text) and text not in _KEYWORDS:
        return text
    return f"[{_quoted(text)}]"


def _quoted(text: str) -> str:
    return '"' + _ESCAPED.sub(_escape, text) + '"'


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    return f"\\{character}" if character in '"\\' else f"\\{ord(character):03d}"
