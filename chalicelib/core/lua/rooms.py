"""Where untrusted Lua runs: in a confined child process, or on AWS in a Lambda function of its own.

Lambda has no filters of system calls, so there native code in a program could take over the process that runs it. The
function has no rights and no secrets. Its event is `{"profile": NAME, "program": BASE64}`, its result
`{"answer": BASE64}`, or `{"error": "stopped"}` or `{"error": "busy"}`.
"""

import base64
import json
import logging
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from chalicelib import settings
from chalicelib.core.confinement.limits import Limits
from chalicelib.core.confinement.workers import Confined, Stopped
from chalicelib.core.errors import Busy

_OVERLOADED = ("TooManyRequestsException", "ServiceException", "EC2ThrottledException")
_log = logging.getLogger(__name__)


class LuaProfile(NamedTuple):
    """The limits of a program: memory of Lua in bytes, instructions per chunk, and the values and text of its result.

    `process` are the limits of the process that runs it.
    """

    name: str
    lua_bytes: int
    instructions: int
    values: int
    text_bytes: int
    process: Limits


class Program(NamedTuple):
    """Untrusted `chunks`, (name, source) each, which share the environment that the trusted `prelude` makes.

    The prelude is Lua text. It sees the functions in worker.py, and returns a function of `line`, a function that
    returns the line at which the current chunk is, and the `arguments`. This function returns the environment and a
    function that is called after the chunks: it returns the tables that are the result.
    `versions` of Lua are tried in this order, each if the chunks are no Lua to the one before it.
    """

    prelude: str
    chunks: Sequence[tuple[str, bytes]]
    arguments: Sequence[str] = ()
    versions: Sequence[str] = ("lua51",)


class LuaFault(Exception):
    """A chunk failed: its index, the message, and the line of the chunk, if it is known."""

    def __init__(self, message: str, chunk: int = 0, line: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.chunk = chunk
        self.line = line


class LuaSyntaxFault(LuaFault):
    """A chunk is not Lua text."""


SMALL = LuaProfile("small", 32 << 20, 5_000_000, 50_000, 1 << 20, Limits(seconds=2.0, cpu_seconds=1, memory=128 << 20))
LARGE = LuaProfile(
    "large", 96 << 20, 50_000_000, 250_000, 3 << 20, Limits(seconds=8.0, cpu_seconds=4, memory=384 << 20)
)

_MINIMAL = "return function() return {}, function() return {} end end"


def _described(profile: LuaProfile, program: Program) -> bytes:
    chunks = [(name, base64.b64encode(source).decode()) for name, source in program.chunks]
    limits = {name: value for name, value in profile._asdict().items() if name not in ("name", "process")}
    return json.dumps({**program._asdict(), "chunks": chunks, "limits": limits}).encode()


_ROOMS = {
    profile.name: Confined(
        "chalicelib.core.lua.worker:make",
        _described(profile, Program(_MINIMAL, [("warm", b"local x = {}")], versions=("lua51", "lua54"))),
        profile.process,
    )
    for profile in (SMALL, LARGE)
}


def run(
    profile: LuaProfile, program: Program, subject: str, plain: Callable[[dict[str, Any]], Any] | None = None
) -> list[Any]:
    """Return the result of a program: for each table a list or a dict with string keys.

    A table with the keys 1..n and no others is a list, any other one a dict. Functions and non-finite numbers are
    `{worker.OMITTED: type}`; values under keys that are neither strings nor integers are left out. Strings that are not
    UTF-8 are read as Latin-1. `plain` replaces each dict. Raises LuaFault, or Busy if there is no process for it;
    `subject` is the first word of its message.
    """
    payload = _described(profile, program)
    function = settings.current().lua_evaluator
    try:
        answer = _invoke(function, profile, payload, subject) if function else _ROOMS[profile.name].run(payload)
    except Stopped:
        raise LuaFault("stopped: too long, or too much memory", len(program.chunks) - 1) from None
    outcome, *found = json.loads(answer, object_hook=plain)
    if outcome == "result":
        return list(found[0])
    chunk, message, line = found
    raise (LuaSyntaxFault if outcome == "syntax" else LuaFault)(message, chunk, line)


def handle(event: dict[str, str], context: Any) -> dict[str, str]:
    """Serve the Lambda function. A child process runs the program here, too, under the same limits."""
    try:
        answer = _ROOMS[event["profile"]].run(base64.b64decode(event["program"]))
    except Stopped:
        return {"error": "stopped"}
    except Busy:
        return {"error": "busy"}
    return {"answer": base64.b64encode(answer).decode()}


def _invoke(function: str, profile: LuaProfile, payload: bytes, subject: str) -> bytes:
    from botocore.exceptions import BotoCoreError, ClientError

    from chalicelib.core import aws

    event = json.dumps({"profile": profile.name, "program": base64.b64encode(payload).decode()})
    busy = Busy(f"{subject} cannot be evaluated right now", retry_after=5)
    try:
        reply = aws.client("lambda").invoke(FunctionName=function, Payload=event)
        result: dict[str, str] = json.loads(reply["Payload"].read())
    except ClientError as error:
        if error.response["Error"]["Code"] not in _OVERLOADED:
            raise
        raise busy from error
    except BotoCoreError as error:
        raise busy from error
    if "FunctionError" in reply:
        _log.warning("%s failed: %s", function, reply["FunctionError"])
        raise Stopped
    if "error" in result:
        raise busy if result["error"] == "busy" else Stopped
    return base64.b64decode(result["answer"])
