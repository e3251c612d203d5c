"""Runs functions on untrusted content in confined child processes.

A `Confined` function has a child process of its own (`zygote`), which starts with the first call, forks one worker per
call and ends when it is idle. The payload goes to the worker, and its answer comes back, on a socket of the call's own,
so a caller waits for no payload but its own. This needs fork and Unix sockets, but no files and no shared memory: it
works on AWS Lambda.
"""

import atexit
import json
import os
import signal
import socket
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from chalicelib.core.confinement.limits import Limits
from chalicelib.core.confinement.zygote import ALIVE, LENGTH_BYTES
from chalicelib.core.errors import Busy

_PROGRAM = (
    "import sys; sys.path += sys.argv[2:]; from chalicelib.core.confinement.zygote import main; main(sys.argv[1])"
)
_GRACE = 3.0  # seconds above the worker's own limit, for a busy machine
_HEAD = len(ALIVE) + LENGTH_BYTES
_ATTEMPTS = 2  # the child may end, idle or killed, with a first request in its hands


class Stopped(Exception):
    """The worker ended without an answer: it reached a limit, failed, or made a forbidden system call."""


class TimedOut(Stopped):
    """The worker took longer than its limit."""


class Confined:
    """A function from bytes to bytes that runs in confined processes, at most `at_once` at the same time.

    `factory` is `module:name` of a callable without parameters that returns the function; the child process calls it
    once. It should import everything that the function needs, because a worker cannot open files. `sample` is a payload
    for which the function uses what it uses for others: it warms up the workers and proves that they work.
    """

    def __init__(self, factory: str, sample: bytes, limits: Limits, at_once: int = 4) -> None:
        self.factory = factory
        self.sample = sample
        self.limits = limits
        self._at_once = at_once
        self.start_over()
        _all.add(self)

    def run(self, payload: bytes, scratch: Path | None = None) -> bytes:
        """Return the function's answer; a function with network works in the directory `scratch`.

        Raises Stopped, or Busy if there is no worker.
        """
        with self._slot():
            for _ in range(_ATTEMPTS):
                start = time.monotonic()
                if reply := self._exchange(payload, scratch):
                    return self._answer(reply, time.monotonic() - start)
        raise Busy("This cannot be processed right now", retry_after=5)

    def start_over(self) -> None:
        """Start with no child process and no calls."""
        self._zygote = _Zygote(self)
        self._slots = threading.BoundedSemaphore(self._at_once)

    def close(self) -> None:
        """End the child process; the next call starts another one."""
        self._zygote.close()

    @contextmanager
    def _slot(self) -> Iterator[None]:
        if not self._slots.acquire(timeout=self.limits.seconds + _GRACE):
            raise Busy("This cannot be processed right now", retry_after=5)
        try:
            yield
        finally:
            self._slots.release()

    def _exchange(self, payload: bytes, scratch: Path | None) -> bytes:
        """Send one request and return the reply; it is empty if no worker came to life."""
        ours, theirs = socket.socketpair()
        with ours:
            ours.settimeout(self.limits.seconds + _GRACE)
            with suppress(ConnectionError, TimeoutError):
                with theirs, _opened(scratch) as directory:
                    self._zygote.hand_over([theirs.fileno(), *directory])
                ours.sendall(payload)
                ours.shutdown(socket.SHUT_WR)
            return self._read(ours)

    def _read(self, connection: socket.socket) -> bytes:
        reply = bytearray()
        with suppress(ConnectionError, TimeoutError):
            while len(reply) <= _HEAD + self.limits.answer and (part := connection.recv(1 << 16)):
                reply += part
        return bytes(reply)

    def _answer(self, reply: bytes, seconds: float) -> bytes:
        answer = reply[_HEAD:]
        length = int.from_bytes(reply[len(ALIVE) : _HEAD], "big")
        if len(reply) < _HEAD or len(answer) != length or length > self.limits.answer:
            raise TimedOut if seconds >= self.limits.seconds else Stopped
        return answer


class _Zygote:
    """The child process of a function, started when it is needed, and again after it has ended."""

    def __init__(self, owner: Confined) -> None:
        self._described = json.dumps(
            {"function": owner.factory, "sample": owner.sample.hex(), "limits": owner.limits._asdict()}
        )
        self._lock = threading.Lock()
        self._control: socket.socket | None = None
        self._pid = 0

    def hand_over(self, descriptors: list[int]) -> None:
        """Give the descriptors of a request to the child."""
        with self._lock:
            try:
                self._send(descriptors)
            except ConnectionError:
                self.close()
                with suppress(ChildProcessError):
                    os.waitpid(self._pid, 0)
                self._send(descriptors)

    def close(self) -> None:
        """Close the control socket; the child ends when no process has it open."""
        if self._control is not None:
            self._control.close()
            self._control = None

    def _send(self, descriptors: list[int]) -> None:
        if self._control is None:
            self._control = self._start()
        socket.send_fds(self._control, [b"."], descriptors)

    def _start(self) -> socket.socket:
        from chalicelib.core.confinement import walls  # only here: it loads ctypes, which a cold start does not need

        walls.hide_memory()  # of this process, whose child is going to handle untrusted content
        ours, theirs = socket.socketpair()
        paths = [*filter(None, sys.path), str(Path(__file__).parents[3])]
        with theirs:
            self._pid = os.posix_spawn(
                sys.executable,
                [sys.executable, "-I", "-S", "-c", _PROGRAM, self._described, *paths],
                # Interpreters that are linked to a shared libpython may find it through this variable only.
                {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ},
                file_actions=[(os.POSIX_SPAWN_DUP2, theirs.fileno(), 0)],
                setsigmask=[],
                setsigdef=[signal.SIGALRM, signal.SIGXCPU],
            )
        return ours


@contextmanager
def _opened(scratch: Path | None) -> Iterator[list[int]]:
    """Open a directory, if there is one."""
    if scratch is None:
        yield []
        return
    directory = os.open(scratch, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield [directory]
    finally:
        os.close(directory)


_all: "weakref.WeakSet[Confined]" = weakref.WeakSet()


def _start_over() -> None:
    """In a fork of this process: its locks may be held by threads that the fork does not have."""
    for confined in _all:
        confined.close()
        confined.start_over()


def _close() -> None:
    for confined in _all:
        confined.close()


os.register_at_fork(after_in_child=_start_over)
atexit.register(_close)
