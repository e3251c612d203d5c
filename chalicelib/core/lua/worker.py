"""Runs a Lua program, in the confined processes of `rooms`.

A program is a trusted prelude and the untrusted chunks of its users, which share one environment. The prelude makes the
environment, so chunks reach nothing else. Their steps, their memory and their result are limited.
"""

import base64
import importlib
import json
import math
from collections.abc import Callable
from types import ModuleType
from typing import Any

from chalicelib.core.lua import escapes

DEPTH = 32  # of a result
_LONGEST_MESSAGE = 500

# Strings have no `dump`, which creates bytecode, and no pack family. Without pcall a chunk cannot catch the hook's
# error; setmetatable and coroutines would give it code that runs without the hook.
# Lua 5.1 has no option to load only text: it loads a chunk that begins with an escape character as bytecode.
LUA_SIDE = """
local load, loadstring, setfenv, xpcall, sethook, getinfo, error, tostring, byte =
   load, loadstring, setfenv, xpcall, debug.sethook, debug.getinfo, error, tostring, string.byte
local function only(library, names)
   local copy = {}
   for name in names:gmatch("%a+") do
      copy[name] = library[name]
   end
   return copy
end
local methods = only(string, "byte char find format gmatch gsub len lower match rep reverse sub upper")
local lua = only(_G, "assert error ipairs next pairs rawset select setmetatable tonumber tostring type")
lua.unpack = unpack or table.unpack
lua.string = methods
lua.table = only(table, "concat insert remove sort")
lua.math = only(math, "abs ceil floor fmod max min")
getmetatable("").__index = methods
local everything = _G
for name in pairs(everything) do
   everything[name] = nil
end

local function compile(source, name, globals)
   if not setfenv then
      return load(source, name, "t", globals)
   end
   if byte(source) == 27 then
      return nil, "bytecode"
   end
   local chunk, problem = loadstring(source, name)
   return chunk and setfenv(chunk, globals), problem
end

local function stop()
   error("too many instructions", 0)
end

return function(prelude, chunks, count, instructions, ...)
   local current
   local function line()
      for level = 3, 100 do
         local frame = getinfo(level, "Sl")
         if not frame then
            return nil
         elseif frame.source == current then
            return frame.currentline
         end
      end
   end
   local at
   local function explain(problem)
      sethook()
      at = line()
      return tostring(problem)
   end
   local globals, finish = compile(prelude, "=prelude", lua)()(line, ...)
   for index = 1, count do
      current = "=" .. chunks[2 * index - 1]
      local chunk, problem = compile(chunks[2 * index], current, globals)
      if not chunk then
         return "syntax", index, problem
      end
      sethook(stop, "", instructions)
      local ok, problem = xpcall(chunk, explain)
      sethook()
      if not ok then
         return "evaluation", index, tostring(problem), at
      end
   end
   return "result", finish()
end
"""

OMITTED = "\0type"  # the only member of what represents a value without a form in JSON: the name of its type in Lua


class TooBig(Exception):
    """The result is larger than its limits."""


def make() -> Callable[[bytes], bytes]:
    """Return the function that runs a program of `rooms`.

    The answer is `["result", [values]]`, or `["syntax" or "evaluation", index of the chunk, message, line or null]`.
    """
    runtimes = {version: importlib.import_module(f"lupa.{version}") for version in ("lua51", "lua54")}
    return lambda program: json.dumps(_first(runtimes, json.loads(program)), ensure_ascii=False).encode()


def _first(runtimes: dict[str, ModuleType], program: dict[str, Any]) -> list[Any]:
    """The answer of the first version of Lua to which the chunks are Lua."""
    answer: list[Any] = []
    for version in program["versions"]:
        answer = _run(runtimes[version], version, program)
        if answer[0] != "syntax":
            break
    return answer


def _run(lupa: ModuleType, version: str, program: dict[str, Any]) -> list[Any]:
    limits = program["limits"]
    lua = lupa.LuaRuntime(encoding=None, register_eval=False, register_builtins=False, max_memory=limits["lua_bytes"])
    prepared = escapes.in_decimal if version == "lua51" else bytes
    chunks = [
        part for name, source in program["chunks"] for part in (name.encode(), prepared(base64.b64decode(source)))
    ]
    try:
        run = lua.execute(LUA_SIDE.encode())
        arguments = [argument.encode() for argument in program["arguments"]]
        outcome, *found = run(
            program["prelude"].encode(), lua.table_from(chunks), len(chunks) // 2, limits["instructions"], *arguments
        )
        if outcome == b"result":
            return ["result", Copier(lupa.lua_type, limits["values"], limits["text_bytes"]).results(found)]
        index, message, line = (*found, None)[:3]
        return [outcome.decode(), index - 1, _text(message[:_LONGEST_MESSAGE]), line]
    except (lupa.LuaError, MemoryError, TooBig) as problem:
        return ["evaluation", len(chunks) // 2 - 1, str(problem), None]


class Copier:
    """Copies Lua values into plain data, and counts what it copies against the limits."""

    def __init__(self, lua_type: Callable[[Any], str | None], values: int, text_bytes: int) -> None:
        self._lua_type = lua_type
        self._values = values
        self._text_bytes = text_bytes

    def results(self, tables: list[Any]) -> list[Any]:
        """Copy the tables that the prelude returned."""
        return [_plain(self._pairs(table, 1)) for table in tables]

    def _copy(self, value: Any, depth: int) -> Any:
        self._values -= 1
        if self._values < 0:
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
        return _plain(self._pairs(value, depth + 1))

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
        self._text_bytes -= len(text)
        if self._text_bytes < 0:
            raise TooBig("too much text")
        return _text(text)


def _plain(pairs: dict[int | str, Any]) -> Any:
    """A list of the values of a table with the keys 1..n and no others; a dict with string keys of any other table.

    Where `t[1]` and `t["1"]` are in one table, the array's value is kept.
    """
    indexes = range(1, len(pairs) + 1)
    if pairs and all(index in pairs for index in indexes):
        return [pairs[index] for index in indexes]
    named = {key: value for key, value in pairs.items() if isinstance(key, str)}
    numbered = {str(key): value for key, value in pairs.items() if isinstance(key, int)}
    return named | numbered


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")
