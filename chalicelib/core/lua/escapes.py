"""Rewrites the string escapes that LuaJIT and Lua 5.4 know and Lua 5.1 does not: `\\x41`, `\\u{2014}` and `\\z`."""

import re

# What can contain a quote, as a whole: comments, long strings and quoted strings. An unfinished one extends to the end,
# so that every byte is read once.
_TOKEN = re.compile(
    rb"""(?:--)?\[(=*)\[.*?(?:\]\1\]|\Z) | --[^\n]*+
    | "(?:[^"\\\n]|\\z\s*+|\\.)*+"? | '(?:[^'\\\n]|\\z\s*+|\\.)*+'?""",
    re.DOTALL | re.VERBOSE,
)
_ESCAPE = re.compile(rb"\\(?:x([0-9A-Fa-f]{2})|u\{([0-9A-Fa-f]{1,16})\}|z\s*|.)", re.DOTALL)
_LARGEST = 0x10FFFF  # LuaJIT's limit


def in_decimal(source: bytes) -> bytes:
    """The source with decimal escapes instead, which all versions of Lua read; unchanged where an escape is wrong."""
    return _TOKEN.sub(_token, source)


def _token(match: re.Match[bytes]) -> bytes:
    token = match[0]
    return _ESCAPE.sub(_escape, token) if token[:1] in (b'"', b"'") else token


def _escape(match: re.Match[bytes]) -> bytes:
    if match[1]:
        return b"\\%03d" % int(match[1], 16)
    if match[2]:
        code = int(match[2], 16)
        return b"".join(b"\\%03d" % byte for byte in _utf8(code)) if code <= _LARGEST else match[0]
    return b"" if match[0].startswith(b"\\z") else match[0]


def _utf8(code: int) -> bytes:
    """The bytes of a code point; Lua encodes surrogates as well."""
    return chr(code).encode("utf-8", "surrogatepass")
