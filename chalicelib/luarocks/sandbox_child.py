"""The sandbox's child program: forks for each rockspec, evaluates it under limits and answers in JSON.

Started by `sandbox.py` with a control socket as standard input and the folder of the lupa package as its only
argument. It knows none of the parent's secrets: no environment, no open files, no modules of ours.
"""

import gc
import json
import math
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any

WALL_SECONDS = 2.0
CPU_SECONDS = 1
PROCESS_BYTES = 128 << 20
LUA_BYTES = 32 << 20
INSTRUCTIONS = 5_000_000

DEPTH = 32
VALUES = 50_000
TEXT_BYTES = 1 << 20

# The chunk sees no global at all, so what it can still reach are the string methods: `dump` makes bytecode,
# and the pack family is of no use to a rockspec. Without pcall nothing in there can catch the hook's error.
LUA_SIDE = """
local load, pcall, error, sethook, tostring = load, pcall, error, debug.sethook, tostring
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

local function stop()
   error("too many instructions", 0)
end

return function(source, instructions)
   local globals = {}
   local chunk, problem = load(source, "=rockspec", "t", globals)
   if not chunk then
      return "syntax", problem
   end
   sethook(stop, "", instructions)
   local ok, problem = pcall(chunk)
   sethook()
   if not ok then
      return "evaluation", tostring(problem)
   end
   return "globals", globals
end
"""

_DROPPED = object()


class TooBig(Exception):
    """The globals hold more than a rockspec has reason to."""


def main() -> None:
    """Serve until the parent is gone: every message on the control socket brings one request's socket."""
    os.closerange(3, 4096)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps the forked processes
    evaluate = _evaluator(sys.argv[1])
    gc.collect()
    gc.freeze()
    control = socket.socket(fileno=0)
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, 1, 1)
        if not message:
            return
        for request in descriptors:
            _fork(request, evaluate)


def _fork(request: int, evaluate: Callable[[bytes], bytes]) -> None:
    try:
        forked = os.fork() == 0
    except OSError:
        forked = False  # the parent reads an empty answer and knows that nothing was evaluated
    if not forked:
        os.close(request)
        return
    try:
        _serve(request, evaluate)
    finally:
        os._exit(0)


def _serve(request: int, evaluate: Callable[[bytes], bytes]) -> None:
    signal.setitimer(signal.ITIMER_REAL, WALL_SECONDS)
    os.dup2(request, 0)
    os.closerange(1, request + 1)
    _limit()
    connection = socket.socket(fileno=0)
    connection.sendall(b"\n")  # white space to JSON, and a sign that whatever follows is the rockspec's own doing
    source = b"".join(iter(lambda: connection.recv(1 << 16), b""))
    connection.sendall(evaluate(source))
    connection.shutdown(socket.SHUT_WR)


def _limit() -> None:
    for kind, most in (
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_AS, PROCESS_BYTES),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (most, most))


def _evaluator(lupa_folder: str) -> Callable[[bytes], bytes]:
    """A function from a rockspec's source to `[outcome, globals or message]` in JSON."""
    sys.path.append(lupa_folder)
    from lupa import lua54

    lua = lua54.LuaRuntime(encoding=None, register_eval=False, register_builtins=False, max_memory=LUA_BYTES)
    run = lua.execute(LUA_SIDE.encode())

    def evaluate(source: bytes) -> bytes:
        try:
            outcome, content = run(source, INSTRUCTIONS)
            copied = Copier(lua54.lua_type).outcome(outcome, content)
        except (lua54.LuaError, MemoryError, TooBig) as problem:
            copied = ["evaluation", str(problem)]
        return json.dumps(copied, ensure_ascii=False).encode()

    return evaluate


class Copier:
    """Copies Lua values into plain data, and counts what it copies against the caps of this module."""

    def __init__(self, lua_type: Callable[[Any], str | None]) -> None:
        self._lua_type = lua_type
        self._values = 0
        self._text_bytes = 0

    def outcome(self, outcome: bytes, content: Any) -> list[Any]:
        """What the Lua side returned, as it goes to the parent: a message, or the globals."""
        if isinstance(content, bytes):
            return [outcome.decode(), _text(content[:500])]
        return [outcome.decode(), _as_dict(self._pairs(content, 1))]

    def _copy(self, value: Any, depth: int) -> Any:
        self._values += 1
        if self._values > VALUES:
            raise TooBig("too many values")
        if isinstance(value, bytes):
            return self._count(value)
        if isinstance(value, float):
            return value if math.isfinite(value) else _DROPPED
        if isinstance(value, bool | int):
            return value
        if self._lua_type(value) != "table":
            return _DROPPED
        if depth >= DEPTH:
            raise TooBig("nested too deeply")
        pairs = self._pairs(value, depth + 1)
        return _as_list(pairs) or _as_dict(pairs)

    def _pairs(self, table: Any, depth: int) -> dict[int | str, Any]:
        pairs: dict[int | str, Any] = {}
        for key, value in table.items():
            copied = self._copy(value, depth)
            if copied is _DROPPED or isinstance(key, bool):
                continue
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
    places = range(1, len(pairs) + 1)
    return [pairs[place] for place in places] if all(place in pairs for place in places) else []


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


if __name__ == "__main__":
    main()
