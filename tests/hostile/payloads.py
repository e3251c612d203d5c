"""Native code as an attacker would run it: raw calls of the C library, by ctypes, from inside a process.

A request is JSON: the name of an attack in `ATTACKS`, and its arguments. The answer is the result, or minus the errno.
The functions without `_` at their start are factories for `Confined`.
"""

import ctypes
import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
_NOBODY = 65534
_AT_FDCWD, _PTRACE_SEIZE, _PRIVATE_ANONYMOUS, _ALL_PROTECTIONS = -100, 0x4206, 0x22, 7
_PIDFD_OPEN, _IO_URING_SETUP = 434, 425  # the same on all machines

SLEEP = b"sleep"  # a request that waits until the worker is stopped


class _Vector(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


def _read_memory(pid: int, address: int, size: int) -> int:
    local = ctypes.create_string_buffer(size)
    here, there = _Vector(ctypes.addressof(local), size), _Vector(address, size)
    return _libc.process_vm_readv(pid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0)


def _write_memory(pid: int, address: int, size: int) -> int:
    local = ctypes.create_string_buffer(size)
    here, there = _Vector(ctypes.addressof(local), size), _Vector(address, size)
    return _libc.process_vm_writev(pid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0)


def _fork() -> int:
    child = _libc.fork()
    if child == 0:
        os._exit(0)
    return child


def _thread() -> int:
    thread = threading.Thread(target=int)
    try:
        thread.start()
    except RuntimeError:
        return 0
    thread.join()
    return 1


def _map_executable() -> int:
    _libc.mmap.restype = ctypes.c_long
    return _libc.mmap(None, 4096, _ALL_PROTECTIONS, _PRIVATE_ANONYMOUS, -1, 0)


def _path(call: str, *arguments: int) -> Callable[[str], int]:
    return lambda path: getattr(_libc, call)(path.encode(), *arguments)


ATTACKS: dict[str, Callable[..., int]] = {
    "open": _path("open", os.O_RDONLY),
    "create": _path("open", os.O_CREAT | os.O_WRONLY, 0o600),
    "truncate": _path("truncate", 0),
    "unlink": _path("unlink"),
    "chmod": _path("chmod", 0o777),
    "stat": lambda path: _libc.access(path.encode(), 0),
    "mkdir": _path("mkdir", 0o700),
    "rename": lambda path: _libc.rename(path.encode(), f"{path}-stolen".encode()),
    "symlink": lambda path: _libc.symlink(b"/", f"{path}-link".encode()),
    "memfd": lambda: _libc.memfd_create(b"x", 0),
    "socket": lambda: _libc.socket(2, 1, 0),
    "unix socket": lambda: _libc.socket(1, 1, 0),
    "fork": _fork,
    "thread": _thread,
    "exec": lambda: _libc.execv(b"/no/such/program", (ctypes.c_char_p * 1)(None)),
    "ptrace": lambda pid: _libc.ptrace(_PTRACE_SEIZE, pid, None, None),
    "process_vm_readv": _read_memory,
    "process_vm_writev": _write_memory,
    "pidfd": lambda pid: _libc.syscall(_PIDFD_OPEN, pid, 0),
    "io_uring": lambda: _libc.syscall(_IO_URING_SETUP, 4, ctypes.create_string_buffer(120)),
    "executable memory": _map_executable,
    "kill": lambda pid: _libc.kill(pid, 9),
}


def attack(request: bytes) -> bytes:
    """Carry out one attack."""
    name, arguments = json.loads(request)
    ctypes.set_errno(0)
    result = ATTACKS[name](*arguments)
    return json.dumps(result if result >= 0 else -ctypes.get_errno()).encode()


def native() -> Callable[[bytes], bytes]:
    """A function with the authority of this user."""
    sleeping = threading.Lock()
    sleeping.acquire()

    def work(request: bytes) -> bytes:
        if request == SLEEP:
            sleeping.acquire()
        return attack(request) if request else b"0"

    return work


def native_as_nobody() -> Callable[[bytes], bytes]:
    """The same for a user without privileges."""
    import ssl  # noqa: F401  (the confinement needs it, and the user nobody may be unable to read Python's own files)

    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(_NOBODY)
        os.setuid(_NOBODY)
    return native()


def linking() -> Callable[[bytes], bytes]:
    """Leave a link to a secret where the server expects the zip of a repository."""

    def work(request: bytes) -> bytes:
        if request != b"{}":
            Path(json.loads(request)["target"]).symlink_to(json.loads(request)["url"].removeprefix("http://x"))
        return b'{"commit": "", "subjects": []}'

    return work


def without_filter() -> Callable[[bytes], bytes]:
    """The same on a system that has no filters."""
    from chalicelib.core.confinement import walls

    walls.needed = lambda limits: ()
    return native_as_nobody()


def echo() -> Callable[[bytes], bytes]:
    """Return the payload."""
    return bytes


def main() -> None:
    """Carry out the attacks of a JSON list on a process and on files of this user's own, and print the results."""
    import subprocess
    import sys
    import tempfile

    as_nobody, names = json.loads(sys.argv[1])
    (native_as_nobody if as_nobody else native)()
    results = {}
    with tempfile.TemporaryDirectory(dir="/tmp") as directory, subprocess.Popen(["sleep", "60"]) as victim:
        for name in names:
            arguments = targets(name, directory, victim.pid)
            results[name] = json.loads(attack(json.dumps([name, arguments]).encode()))
        victim.kill()
    print(json.dumps(results))


def targets(name: str, directory: str, pid: int) -> list[Any]:
    """The arguments of an attack on a file in `directory`, which is created, or on a process."""
    if name in ("process_vm_readv", "process_vm_writev"):
        return [pid, _an_address(pid, "rw" if name.endswith("writev") else "r"), 4]
    if name in ("kill", "ptrace", "pidfd"):
        return [pid]
    if ATTACKS[name].__code__.co_argcount == 0:
        return []
    path = Path(directory) / name
    if name not in ("create", "mkdir"):
        path.write_text("content")
    return [str(path)]


def _an_address(pid: int, rights: str) -> int:
    try:
        lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
    except PermissionError:
        return 1 << 16
    return next(int(line.split("-")[0], 16) for line in lines if line.split()[1].startswith(rights))


def environment() -> Callable[[bytes], bytes]:
    """The names of the environment's variables, and the modules of ours that the process has."""
    import sys

    return lambda request: json.dumps(
        [sorted(os.environ), sorted(name for name in sys.modules if name.startswith("chalicelib."))]
    ).encode()


def misbehaving() -> Callable[[bytes], bytes]:
    """Fail in the way that the payload names."""

    def work(payload: bytes) -> bytes:
        if payload == b"raise":
            raise ValueError
        if payload == b"loop":
            while True:
                pass
        if payload == b"memory":
            return b"x" * (1 << 30)
        return payload * 3 if payload == b"long" else b""

    return work


def never_works() -> Callable[[bytes], bytes]:
    """A function that the filter ends at its sample."""
    return lambda payload: str(_libc.getpid()).encode() + str(_libc.socket(1, 1, 0)).encode()


def images() -> Callable[[bytes], bytes]:
    """The size of an image, which is decoded."""
    import io

    from PIL import Image

    Image.init()

    def work(payload: bytes) -> bytes:
        with Image.open(io.BytesIO(payload)) as image:
            image.load()
            return json.dumps(image.size).encode()

    return work


def text() -> Callable[[bytes], bytes]:
    """Markdown as HTML."""
    import nh3
    import pyromark

    return lambda payload: nh3.clean(pyromark.html(payload.decode())).encode()


if __name__ == "__main__":
    main()
