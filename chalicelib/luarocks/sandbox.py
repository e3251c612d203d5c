"""Evaluates the Lua of a rockspec, which is untrusted, apart from this process, and returns plain data."""

import json
from dataclasses import dataclass
from typing import Any

from chalicelib.core.confinement.workers import Stopped
from chalicelib.luarocks import evaluators
from chalicelib.luarocks.evaluator import OMITTED

SOURCE_LIMIT = 1 << 20


@dataclass(frozen=True)
class Omitted:
    """A value that has no form in plain data: a function, or a number that is not finite; `type` is Lua's word."""

    type: str


class Globals(dict[str, Any]):
    """The globals that a rockspec sets; `undefined` are the names that it reads and nobody sets."""

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
    try:
        outcome, content, undefined = json.loads(evaluators.run(_without_first_comment(source)), object_hook=_omitted)
    except Stopped:
        raise RockspecEvaluationError("stopped: too long, or too much memory") from None
    if outcome == "globals":
        globals_ = Globals(content)
        globals_.undefined = tuple(undefined)
        return globals_
    raise RockspecSyntaxError(content) if outcome == "syntax" else RockspecEvaluationError(content)


def _omitted(found: dict[str, Any]) -> "dict[str, Any] | Omitted":
    kind = found.get(OMITTED)
    return Omitted(kind) if isinstance(kind, str) else found


def _without_first_comment(source: bytes) -> bytes:
    if not source.startswith(b"#!"):
        return source
    _, newline, rest = source.partition(b"\n")
    return newline + rest
