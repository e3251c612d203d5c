"""Confines this process, step by step, to what a `Limits` allows. What it gives up, it cannot get back."""

import ctypes
import enum
import os
import resource
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import cache

from chalicelib.core.confinement import landlock, libc, seccomp
from chalicelib.core.confinement.libc import Unavailable
from chalicelib.core.confinement.limits import Limits
from chalicelib.core.confinement.syscalls import COMPUTE, NETWORK, THREADS

_PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 4, 38
_CAPABILITY_VERSION = 0x20080522  # two words of each set
_NETWORK_FILES = 256  # open files of a process with network

# Files that resolving names and verifying certificates need, and code that a library may load late.
_SYSTEM_PATHS = (
    *("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/share/ca-certificates", "/usr/share/zoneinfo"),
    *("/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/host.conf", "/etc/gai.conf", "/etc/services"),
    *("/etc/ld.so.cache", "/etc/localtime", "/etc/ssl", "/etc/pki", "/etc/ca-certificates", "/dev/null"),
)


class Wall(enum.Enum):
    """A mechanism that not every system has."""

    FILTER = "the seccomp filter"
    FILES = "Landlock"


class _CapabilityHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


def hide_memory() -> None:
    """Let no other process without privileges trace this one, or read its memory, environment and files.

    Child processes inherit this until they execute another program. Some systems do not have it.
    """
    with suppress(Unavailable):
        libc.prctl(_PR_SET_DUMPABLE, 0)


def give_up_privileges() -> None:
    """Give up root's privileges and those of programs that this process executes, as far as the system allows.

    Child processes inherit this. Root without privileges is a user who owns root's files.
    """
    with suppress(Unavailable):
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1)
        header, none = _CapabilityHeader(_CAPABILITY_VERSION, 0), (ctypes.c_uint32 * 6)()
        libc.syscall("capset", ctypes.byref(header), ctypes.byref(none))


def needed(limits: Limits) -> Sequence[Wall]:
    """Return the walls around a process with these limits."""
    return (Wall.FILES, Wall.FILTER) if limits.network else (Wall.FILTER,)


def confine(limits: Limits, walls: Sequence[Wall], scratch: int) -> None:
    """Confine this process, which has given up its privileges already.

    `scratch` is an open directory, for a process with network.
    Raises Unavailable if this system does not have one of the `walls`.
    """
    _limit_resources(limits)
    if Wall.FILES in walls:
        landlock.restrict(_readable(), scratch)
    if Wall.FILTER in walls:
        _filter(limits).install()


def available(limits: Limits) -> Sequence[Wall]:
    """Return those of the needed walls that this system has. Forks, so the process must have one thread."""
    with suppress(Unavailable):
        _filter(limits)  # both are made once, for all forks
    if limits.network:
        _readable()
    return tuple(wall for wall in needed(limits) if _is_available(limits, wall))


@cache
def _filter(limits: Limits) -> seccomp.Filter:
    if limits.threads:
        return seccomp.Filter(THREADS)
    return seccomp.Filter(NETWORK if limits.network else COMPUTE)


def _is_available(limits: Limits, wall: Wall) -> bool:
    child = os.fork()
    if child == 0:
        try:
            confine(limits, (wall,), os.open("/", os.O_RDONLY))
        except Unavailable:
            os._exit(1)
        finally:
            os._exit(0)
    return os.waitpid(child, 0)[1] == 0


def _limit_resources(limits: Limits) -> None:
    most = {
        resource.RLIMIT_CPU: limits.cpu_seconds,
        resource.RLIMIT_AS: limits.memory,
        resource.RLIMIT_FSIZE: limits.largest_file,
        resource.RLIMIT_NOFILE: _NETWORK_FILES if limits.network else 0,
        resource.RLIMIT_CORE: 0,
    }
    if not limits.threads:  # it counts the threads of the whole user
        most[resource.RLIMIT_NPROC] = 0
    for kind, value in most.items():
        resource.setrlimit(kind, (value, value))


@cache
def _readable() -> list[str]:
    """Return the paths that a process with network can read: of the system, of Python, and of the loaded packages.

    The entries of `sys.path` would be too much: in a checkout, one of them contains the data directory.
    """
    import ssl
    from pathlib import Path

    certificates = ssl.get_default_verify_paths()
    found = {*_SYSTEM_PATHS, os.path.realpath("/etc/resolv.conf"), str(Path(os.__file__).parent)}
    found.update(path for path in (certificates.cafile, certificates.capath) if path)
    for name in {name.partition(".")[0] for name in sys.modules} - sys.stdlib_module_names:
        if file := getattr(sys.modules.get(name), "__file__", None):
            found.add(str(Path(file).parent if Path(file).stem == "__init__" else file))
    return sorted(found)
