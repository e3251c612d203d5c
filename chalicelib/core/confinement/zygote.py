"""The program of the child process that forks confined workers. `workers` starts it and talks to it.

It has one thread, no secrets and no environment, and never reads untrusted content. It calls the factory that it is
given once, which imports what the work needs; then one fork is always ready, confines itself when it gets a request,
and ends after it. Standard input is the control socket: each message brings the socket of a request, and for work with
network the request's scratch directory.
"""

import gc
import importlib
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NamedTuple

from chalicelib.core.confinement import walls
from chalicelib.core.confinement.limits import Limits
from chalicelib.core.confinement.walls import Wall

Work = Callable[[bytes], bytes]

ALIVE = b"+"  # the first byte of a reply: the worker is confined, and what follows is due to the request
LENGTH_BYTES = 8  # of the answer, before the answer
IDLE_SECONDS = 600  # without a request, until the process ends
_READY, _DONE = b"r", b"d"
_MOST_DESCRIPTORS = 64  # more than this process has


class _Job(NamedTuple):
    """The work of all forks: its name, the function, a payload that exercises it, its limits, and its walls."""

    name: str
    work: Work
    sample: bytes
    limits: Limits
    walls: Sequence[Wall]


def main(described: str) -> None:
    """Serve until the parent ends or no requests come; `described` is JSON (see `workers`)."""
    os.closerange(3, 4096)
    os.dup2(os.open(os.devnull, os.O_RDWR), 1)
    walls.hide_memory()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    given = json.loads(described)
    module, _, factory = given["function"].partition(":")
    work: Work = getattr(importlib.import_module(module), factory)()
    sample, limits = bytes.fromhex(given["sample"]), Limits(**given["limits"])
    work(sample)
    walls.give_up_privileges()
    job = _Job(given["function"], work, sample, limits, walls.available(limits))
    gc.collect()
    gc.freeze()
    if not _works(job):
        _report(f"{job.name} does not work in its confinement")
        return
    signal.signal(signal.SIGCHLD, lambda *_: _reap(job.name))
    while _fork(job):
        pass


def _works(job: _Job) -> bool:
    """Whether a confined fork answers the sample."""
    ours, theirs = socket.socketpair()
    if os.fork() == 0:
        try:
            ours.close()
            _serve([theirs.fileno(), os.open("/", os.O_RDONLY)], job)
        finally:
            os._exit(0)
    theirs.close()
    with ours:
        ours.sendall(job.sample)
        ours.shutdown(socket.SHUT_WR)
        reply = b"".join(iter(lambda: ours.recv(1 << 16), b""))
    os.wait()
    return len(reply) > len(ALIVE)


def _fork(job: _Job) -> bool:
    """Make a fork and wait until it has a request; False when there will be none any more."""
    news, to_tell = os.pipe()
    try:
        is_child = os.fork() == 0
    except OSError:  # too many processes, for example
        time.sleep(0.05)
        is_child = False
    if is_child:
        try:
            _wait_for_request(to_tell, job)
        finally:
            os._exit(0)
    os.close(to_tell)
    word = os.read(news, 1)
    os.close(news)
    return word != _DONE


def _wait_for_request(to_tell: int, job: _Job) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    job.work(job.sample)  # touches the pages that the request will need
    with socket.socket(fileno=0) as control:
        control.settimeout(IDLE_SECONDS)
        try:
            message, descriptors, _, _ = socket.recv_fds(control, 1, 2)
        except TimeoutError:
            message = b""
        control.setblocking(True)
    os.write(to_tell, _READY if message else _DONE)
    if message:
        _serve(descriptors, job)


def _serve(descriptors: Sequence[int], job: _Job) -> None:
    """Serve the request at the first descriptor; a second one is its scratch directory."""
    signal.setitimer(signal.ITIMER_REAL, job.limits.seconds)
    os.dup2(descriptors[0], 0)
    os.dup2(1, 2)
    scratch = _MOST_DESCRIPTORS
    if len(descriptors) > 1:
        os.dup2(descriptors[1], scratch)
        os.fchdir(scratch)
    os.closerange(3, scratch)
    walls.confine(job.limits, job.walls, scratch)
    with suppress(OSError):
        os.close(scratch)
    connection = socket.socket(fileno=0)
    connection.sendall(ALIVE)
    answer = job.work(b"".join(iter(lambda: connection.recv(1 << 16), b"")))
    connection.sendall(len(answer).to_bytes(LENGTH_BYTES, "big"))
    connection.sendall(answer)
    connection.shutdown(socket.SHUT_WR)


def _reap(name: str) -> None:
    """Collect the forks that have ended. A call that the filter refuses is a fault of ours, or an attack: report it."""
    with suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            if os.WIFSIGNALED(ended[1]) and os.WTERMSIG(ended[1]) == signal.SIGSYS:
                _report(f"{name} made a forbidden system call")


def _report(message: str) -> None:
    """Write a line to the server's log."""
    print(f"{time.strftime('%Y-%m-%d %H:%M:%S')} ERROR {__name__}: {message}", file=sys.stderr, flush=True)
