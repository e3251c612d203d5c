"""Evaluates the Lua of a rockspec, which is untrusted, apart from this process, and returns plain data."""

import json
from typing import Any

from chalicelib.core.confinement.workers import Stopped
from chalicelib.luarocks import evaluators

SOURCE_LIMIT = 1 << 20


class RockspecSyntaxError(Exception):
    """The source is not Lua text."""


class RockspecEvaluationError(Exception):
    """The chunk failed, ran for too long, or took or left too much."""


def evaluate(source: bytes) -> dict[str, Any]:
    """The globals that a rockspec sets: strings, numbers, booleans, lists and dicts with string keys.

    A table with the keys 1..n and no others is a list, an empty one a dict; a table with both parts is a
    dict whose array part has the keys "1", "2" and so on. Functions, non-finite numbers and values under
    other keys are left out. Strings that are not UTF-8 are read as Latin-1. A first line that starts with
    `#` is skipped, as LuaRocks does. The source may have 1 MiB, the result 1 MiB of text, 50,000 values and
    32 levels.

    Raises `RockspecSyntaxError`, `RockspecEvaluationError`, or `Busy` if there is no process for it.
    """
    if len(source) > SOURCE_LIMIT:
        raise RockspecEvaluationError(f"more than {SOURCE_LIMIT} bytes")
    try:
        outcome, content = json.loads(evaluators.run(_without_first_comment(source)))
    except Stopped:
        raise RockspecEvaluationError("stopped: too long, or too much memory") from None
    if outcome == "globals":
        globals_: dict[str, Any] = content
        return globals_
    raise RockspecSyntaxError(content) if outcome == "syntax" else RockspecEvaluationError(content)


def _without_first_comment(source: bytes) -> bytes:
    if not source.startswith(b"#"):
        return source
    _, newline, rest = source.partition(b"\n")
    return newline + rest
