"""Evaluates the Lua of a rockspec, which is untrusted, apart from this process, and returns plain data."""

from dataclasses import dataclass
from typing import Any

from chalicelib.core.lua import rooms
from chalicelib.core.lua.rooms import LuaFault, LuaSyntaxFault, Program
from chalicelib.core.lua.worker import OMITTED

SOURCE_LIMIT = 1 << 20
# A rockspec has no globals. It can only reach the string methods. The result are its globals, and the names of globals
# that it reads and that are not set.
_PRELUDE = """
return function()
   local undefined = {}
   local globals = setmetatable({}, {
      __index = function(_, name)
         undefined[name] = true
      end,
   })
   return globals, function()
      return globals, undefined
   end
end
"""
# Lua 5.1 first, whose words and numbers LuaRocks.org uses; a source that is no Lua to it may be Lua 5.4.
_VERSIONS = ("lua51", "lua54")


@dataclass(frozen=True)
class Omitted:
    """A value that has no form in plain data: a function, or a number that is not finite; `type` is Lua's word."""

    type: str


class Globals(dict[str, Any]):
    """The globals that a rockspec sets; `undefined` are the names that it reads without a value."""

    undefined: tuple[str, ...] = ()


class RockspecSyntaxError(Exception):
    """The source is not Lua text."""


class RockspecEvaluationError(Exception):
    """The chunk failed, ran for too long, or took or left too much."""


def evaluate(source: bytes) -> Globals:
    """The globals that a rockspec sets: strings, numbers, booleans, lists and dicts with string keys.

    A table with the keys 1..n and no others is a list, an empty one a dict; a table with both parts is a
    dict whose array part has the keys "1", "2" and so on. Functions and non-finite numbers are `Omitted`; values
    under other keys are left out. Strings that are not UTF-8 are read as Latin-1. A first line that starts with
    `#!` is skipped, as LuaRocks does. The source may have 1 MiB, the result 1 MiB of text, 50,000 values and
    32 levels.

    Raises `RockspecSyntaxError`, `RockspecEvaluationError`, or `Busy` if there is no process for it.
    """
    if len(source) > SOURCE_LIMIT:
        raise RockspecEvaluationError(f"more than {SOURCE_LIMIT} bytes")
    program = Program(_PRELUDE, [("rockspec", _without_first_comment(source))], versions=_VERSIONS)
    try:
        content, undefined = rooms.run(rooms.SMALL, program, "Rockspecs", _omitted)
    except LuaSyntaxFault as fault:
        raise RockspecSyntaxError(fault.message) from None
    except LuaFault as fault:
        raise RockspecEvaluationError(fault.message) from None
    globals_ = Globals(content)
    globals_.undefined = tuple(sorted(undefined))
    return globals_


def _omitted(found: dict[str, Any]) -> "dict[str, Any] | Omitted":
    kind = found.get(OMITTED)
    return Omitted(kind) if isinstance(kind, str) else found


def _without_first_comment(source: bytes) -> bytes:
    if not source.startswith(b"#!"):
        return source
    _, newline, rest = source.partition(b"\n")
    return newline + rest
