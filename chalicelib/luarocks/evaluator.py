"""Evaluates rockspecs, in the confined processes of `evaluators`.

The chunk reaches no global, and its steps, its memory and its result are limited.
"""

import importlib
import json
import math
from collections.abc import Callable
from typing import Any

from chalicelib.luarocks import escapes

LUA_BYTES = 32 << 20
INSTRUCTIONS = 5_000_000

DEPTH = 32
VALUES = 50_000
TEXT_BYTES = 1 << 20

# The chunk has no globals. It can only reach the string methods: without `dump`, which creates bytecode, and without
# the pack family, which rockspecs do not need. Without pcall the chunk cannot catch the hook's error.
# Lua 5.1 has no option to load only text: it loads a chunk that begins with an escape character as bytecode.
LUA_SIDE = """
local load, loadstring, setfenv, setmetatable, pcall, error, sethook, tostring, byte =
   load, loadstring, setfenv, setmetatable, pcall, error, debug.sethook, tostring, string.byte
local methods = {}
for _, name in ipairs {
   "byte", "char", "find", "format", "gmatch", "gsub", "len",
   "lower", "match", "rep", "reverse", "sub", "upper",
} do
   methods[name] = string[name]
end
getmetatable("").__index = methods
local everything = _G
for name in pairs(everything) do
   everything[name] = nil
end

local function compile(source, globals)
   if not setfenv then
      return load(source, "=rockspec", "t", globals)
   end
   if byte(source) == 27 then
      return nil, "bytecode"
   end
   local chunk, problem = loadstring(source, "=rockspec")
   return chunk and setfenv(chunk, globals), problem
end

local function stop()
   error("too many instructions", 0)
end

return function(source, instructions)
   local undefined = {}
   local globals = setmetatable({}, {
      __index = function(_, name)
         undefined[name] = true
      end,
   })
   local chunk, problem = compile(source, globals)
   if not chunk then
      return "syntax", problem
   end
   sethook(stop, "", instructions)
   local ok, problem = pcall(chunk)
   sethook()
   if not ok then
      return "evaluation", tostring(problem)
   end
   return "globals", globals, undefined
end
"""

Evaluate = Callable[[bytes], list[Any]]
OMITTED = "\0type"  # the only member of what represents a value without a form in JSON: the name of its type in Lua


class TooBig(Exception):
    """The globals hold more than a rockspec has reason to."""


def make() -> Callable[[bytes], bytes]:
    """Return the function that evaluates a rockspec.

    It answers `[outcome, globals or message, names of undefined globals]` in JSON.
    """
    evaluate = _either(_evaluator("lua51"), _evaluator("lua54"))
    return lambda source: json.dumps(evaluate(source), ensure_ascii=False).encode()


def _either(first: Evaluate, second: Evaluate) -> Evaluate:
    """Lua 5.1, whose words and numbers LuaRocks.org goes by; what is no Lua to it may be Lua 5.4."""

    def evaluate(source: bytes) -> list[Any]:
        answer = first(source)
        return second(source) if answer[0] == "syntax" else answer

    return evaluate


def _evaluator(version: str) -> Evaluate:
    """A function from a rockspec's source to what `make` says, before JSON; `version` such as `lua51`."""
    lupa = importlib.import_module(f"lupa.{version}")
    lua = lupa.LuaRuntime(encoding=None, register_eval=False, register_builtins=False, max_memory=LUA_BYTES)
    run = lua.execute(LUA_SIDE.encode())
    prepared = escapes.in_decimal if version == "lua51" else bytes

    def evaluate(source: bytes) -> list[Any]:
        try:
            return Copier(lupa.lua_type).outcome(*run(prepared(source), INSTRUCTIONS))
        except (lupa.LuaError, MemoryError, TooBig) as problem:
            return ["evaluation", str(problem), []]

    return evaluate


class Copier:
    """Copies Lua values into plain data, and counts what it copies against the caps of this module."""

    def __init__(self, lua_type: Callable[[Any], str | None]) -> None:
        self._lua_type = lua_type
        self._values = 0
        self._text_bytes = 0

    def outcome(self, outcome: bytes, content: Any, undefined: Any = None) -> list[Any]:
        """What the Lua side returned, as it goes to the parent: a message, or the globals and the undefined names."""
        if isinstance(content, bytes):
            return [outcome.decode(), _text(content[:500]), []]
        globals_ = _as_dict(self._pairs(content, 1))
        return [outcome.decode(), globals_, sorted(_as_dict(self._pairs(undefined, 1)))]

    def _copy(self, value: Any, depth: int) -> Any:
        self._values += 1
        if self._values > VALUES:
            raise TooBig("too many values")
        if isinstance(value, bytes):
            return self._count(value)
        if isinstance(value, float):
            return value if math.isfinite(value) else {OMITTED: "number"}
        if isinstance(value, bool | int):
            return value
        kind = self._lua_type(value)
        if kind != "table":
            return {OMITTED: kind}
        if depth >= DEPTH:
            raise TooBig("nested too deeply")
        pairs = self._pairs(value, depth + 1)
        return _as_list(pairs) or _as_dict(pairs)

    def _pairs(self, table: Any, depth: int) -> dict[int | str, Any]:
        pairs: dict[int | str, Any] = {}
        for key, value in table.items():
            if isinstance(key, bool):
                continue
            copied = self._copy(value, depth)
            if isinstance(key, int):
                pairs[key] = copied
            elif isinstance(key, bytes):
                pairs[self._count(key)] = copied
        return pairs

    def _count(self, text: bytes) -> str:
        self._text_bytes += len(text)
        if self._text_bytes > TEXT_BYTES:
            raise TooBig("too much text")
        return _text(text)


def _as_list(pairs: dict[int | str, Any]) -> list[Any]:
    """The values of a table with the keys 1..n and no others; empty for every other table."""
    indexes = range(1, len(pairs) + 1)
    return [pairs[index] for index in indexes] if all(index in pairs for index in indexes) else []


def _as_dict(pairs: dict[int | str, Any]) -> dict[str, Any]:
    """String keys only; where `t[1]` and `t["1"]` both stand, the array's value is the one that is kept."""
    named = {key: value for key, value in pairs.items() if isinstance(key, str)}
    numbered = {str(key): value for key, value in pairs.items() if isinstance(key, int)}
    return named | numbered


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")
