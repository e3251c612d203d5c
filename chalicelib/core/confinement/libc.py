"""Calls of the C library and of the kernel that Python does not have."""

import ctypes
import os
import sys
from functools import cache

from chalicelib.core.confinement.syscalls import NUMBERS


class Unavailable(Exception):
    """This system does not have the mechanism, or refuses it."""


@cache
def _libc() -> ctypes.CDLL:
    loaded = ctypes.CDLL(None, use_errno=True)
    loaded.syscall.restype = ctypes.c_long
    return loaded


def machine() -> str:
    """Return the machine's name in `NUMBERS`; raises Unavailable for systems other than 64-bit Linux on those."""
    system = os.uname()
    if sys.platform != "linux" or system.machine not in NUMBERS or sys.maxsize < 1 << 32:
        raise Unavailable(f"{system.sysname} on {system.machine}")
    return system.machine


def prctl(option: int, *arguments: object) -> None:
    """Call prctl; raises Unavailable if it fails."""
    machine()
    given = [ctypes.c_ulong(each) if isinstance(each, int) else each for each in arguments]
    padding = [ctypes.c_ulong(0)] * (4 - len(given))
    if _libc().prctl(option, *given, *padding) != 0:
        raise Unavailable(f"prctl {option}: {os.strerror(ctypes.get_errno())}")


def syscall(name: str, *arguments: object) -> int:
    """Call the kernel by a name in `NUMBERS` and return the result; raises Unavailable if it fails."""
    given = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    result: int = _libc().syscall(ctypes.c_long(NUMBERS[machine()][name]), *given)
    if result < 0:
        raise Unavailable(f"{name}: {os.strerror(ctypes.get_errno())}")
    return result
