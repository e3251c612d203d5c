"""Landlock: the files that a process can use, and the processes that it can reach.

See landlock(7). The rules hold until the process ends. They do not cover chmod, chown and metadata.
"""

import ctypes
import os
import stat
from collections.abc import Iterable

from chalicelib.core.confinement import libc

_VERSION, _PATH_BENEATH = 1, 1  # a flag of landlock_create_ruleset, a type of rule
_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
_FILE_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}  # by version of Landlock
_BIND_TCP = 1
_ABSTRACT_SOCKETS, _SIGNALS = 1, 2


class _Attributes(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("rights", ctypes.c_uint64), ("directory", ctypes.c_int32))


def version() -> int:
    """Return the version of Landlock that the kernel has; raises Unavailable."""
    return libc.syscall("landlock_create_ruleset", None, 0, _VERSION)


def restrict(readable: Iterable[str], writable: int) -> None:
    """Let this process read files at and below the paths `readable`, and use the open directory `writable`.

    It can use no other files, signal no processes outside, and listen on no TCP port, as far as the kernel's version
    of Landlock has these. Needs no_new_privs. Raises Unavailable.
    """
    found = version()
    everything = max(rights for since, rights in _FILE_RIGHTS.items() if since <= found)
    attributes = _Attributes(everything, _BIND_TCP, _ABSTRACT_SOCKETS | _SIGNALS)
    size = 8 if found < 4 else 16 if found < 6 else 24
    ruleset = libc.syscall("landlock_create_ruleset", ctypes.byref(attributes), size, 0)
    try:
        _allow(ruleset, writable, everything)
        for path in readable:
            _allow_reading(ruleset, path)
        libc.syscall("landlock_restrict_self", ruleset, 0)
    finally:
        os.close(ruleset)


def _allow_reading(ruleset: int, path: str) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:  # most systems have only some of the paths
        return
    try:
        is_directory = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        _allow(ruleset, descriptor, _READ_FILE | _READ_DIR if is_directory else _READ_FILE)
    finally:
        os.close(descriptor)


def _allow(ruleset: int, descriptor: int, rights: int) -> None:
    beneath = _PathBeneath(rights, descriptor)
    libc.syscall("landlock_add_rule", ruleset, _PATH_BENEATH, ctypes.byref(beneath), 0)
