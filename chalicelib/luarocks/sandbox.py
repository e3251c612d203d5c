"""Runs the Lua of a rockspec, which nobody has vouched for, and brings back nothing but plain data.

A child process without secrets (`sandbox_child.py`) stands ready and forks once per rockspec: the fork
evaluates the chunk in an empty environment under limits of time, memory and descriptors, and the kernel
ends it when it passes one. The source goes there, and the answer comes back, on a socket of its own, whose
other end the child is handed; so a caller waits for no rockspec but its own. All this needs fork and Unix
sockets, but no files and no shared memory: it runs on AWS Lambda.
"""

import atexit
import importlib.util
import json
import os
import signal
import socket
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from chalicelib.core.errors import Busy

SOURCE_LIMIT = 1 << 20
AT_ONCE = 4

_CHILD = Path(__file__).with_name("sandbox_child.py")
_ANSWER_LIMIT = 16 << 20
_PATIENCE_SECONDS = 5.0  # well above the fork's own two, for a machine that is busy


class SyntaxFault(Exception):
    """The source is not Lua text."""


class EvaluationFault(Exception):
    """The chunk failed, ran for too long, or took or left too much."""


def evaluate(source: bytes) -> dict[str, Any]:
    """The globals that a rockspec sets: strings, numbers, booleans, lists and dicts with string keys.

    A table with the keys 1..n and no others is a list, an empty one a dict; a table with both parts is a
    dict whose array part has the keys "1", "2" and so on. Functions, non-finite numbers and values under
    other keys are left out. Strings that are not UTF-8 are read as Latin-1. A first line that starts with
    `#` is skipped, as LuaRocks does. The source may have 1 MiB, the result 1 MiB of text, 50,000 values and
    32 levels.

    Raises `SyntaxFault`, `EvaluationFault`, or `Busy` when the child cannot be had.
    """
    if len(source) > SOURCE_LIMIT:
        raise EvaluationFault(f"more than {SOURCE_LIMIT} bytes")
    answer = _ask(_without_first_comment(source))
    try:
        outcome, content = json.loads(answer)
    except ValueError:
        raise EvaluationFault("stopped: too long, or too much memory") from None
    if outcome == "globals":
        globals_: dict[str, Any] = content
        return globals_
    raise SyntaxFault(content) if outcome == "syntax" else EvaluationFault(content)


def _without_first_comment(source: bytes) -> bytes:
    if not source.startswith(b"#"):
        return source
    _, newline, rest = source.partition(b"\n")
    return newline + rest


class _Zygote:
    """The child process, started when it is first needed and again when it has died."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._control: socket.socket | None = None
        self._pid = 0

    def hand_over(self, request: socket.socket) -> None:
        """Give the far end of a request to the child."""
        with self._lock:
            try:
                self._send(request)
            except ConnectionError:
                self.close()
                with suppress(ChildProcessError):
                    os.waitpid(self._pid, 0)
                self._send(request)

    def close(self) -> None:
        """Let go of the child, which ends as soon as nobody holds its control socket."""
        if self._control is not None:
            self._control.close()
            self._control = None

    def _send(self, request: socket.socket) -> None:
        if self._control is None:
            self._control = self._start()
        socket.send_fds(self._control, [b"."], [request.fileno()])

    def _start(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        with theirs:
            self._pid = os.posix_spawn(
                sys.executable,
                [sys.executable, "-I", "-S", str(_CHILD), _lupa_folder()],
                # Interpreters that are linked to a shared libpython may find it through this variable only.
                {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ},
                file_actions=[(os.POSIX_SPAWN_DUP2, theirs.fileno(), 0)],
                setsigmask=[],
                setsigdef=[signal.SIGALRM, signal.SIGXCPU],
            )
        return ours


def _lupa_folder() -> str:
    spec = importlib.util.find_spec("lupa")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("lupa is not installed")
    return str(Path(spec.origin).parent.parent)


_zygote = _Zygote()
_evaluations = threading.BoundedSemaphore(AT_ONCE)


def _renew() -> None:
    """A fork of this process starts over: its locks may be held by threads that it does not have."""
    global _zygote, _evaluations
    _zygote.close()
    _zygote, _evaluations = _Zygote(), threading.BoundedSemaphore(AT_ONCE)


os.register_at_fork(after_in_child=_renew)
atexit.register(lambda: _zygote.close())


def _ask(source: bytes) -> bytes:
    """The fork's answer; incomplete when the rockspec got it killed."""
    for _ in range(2):  # the child may have died with the first request in its hands
        with _evaluations:
            answer = _exchange(source)
        if answer:
            return answer
    raise Busy("Rockspecs cannot be evaluated right now", retry_after=5)


def _exchange(source: bytes) -> bytes:
    """One request. An empty answer means that no fork came to life, and says nothing about the rockspec."""
    ours, theirs = socket.socketpair()
    with ours:
        ours.settimeout(_PATIENCE_SECONDS)
        with suppress(ConnectionError, TimeoutError):
            with theirs:
                _zygote.hand_over(theirs)
            ours.sendall(source)
            ours.shutdown(socket.SHUT_WR)
        return _read(ours)


def _read(connection: socket.socket) -> bytes:
    answer = bytearray()
    with suppress(ConnectionError, TimeoutError):
        while len(answer) <= _ANSWER_LIMIT and (part := connection.recv(1 << 16)):
            answer += part
    return bytes(answer)
