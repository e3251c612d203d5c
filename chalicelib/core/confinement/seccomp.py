"""A seccomp filter in classic BPF: the kernel runs it for each system call of the process.

See seccomp(2) and Documentation/userspace-api/seccomp_filter.rst of the kernel. A filter cannot be removed, and later
threads of the process have it too.
"""

import ctypes
import errno
import struct

from chalicelib.core.confinement import libc
from chalicelib.core.confinement.syscalls import NUMBERS, Check, Rules

LOAD, JUMP_EQUAL, JUMP_ANY_BIT, JUMP_AT_LEAST, RETURN = 0x20, 0x15, 0x45, 0x35, 0x06
ALLOW, ERRNO, KILL_PROCESS = 0x7FFF0000, 0x00050000, 0x80000000
NUMBER_AT, ARCHITECTURE_AT, ARGUMENTS_AT = 0, 4, 16  # in struct seccomp_data
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32 = 0x40000000  # numbers from here on belong to another set of calls on x86_64
_PR_SET_SECCOMP, _MODE_FILTER = 22, 2

Instruction = tuple[int, int, int, int]  # code, jump if true, jump if false, operand


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


class Filter:
    """A filter that is ready to be installed. Raises Unavailable."""

    def __init__(self, rules: Rules) -> None:
        instructions = program(rules, libc.machine())
        self._code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *each) for each in instructions))
        self._program = _Program(len(instructions), ctypes.addressof(self._code))

    def install(self) -> None:
        """Restrict this process to the rules until it ends. Needs no_new_privs. Raises Unavailable."""
        libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(self._program))


def program(rules: Rules, machine: str) -> list[Instruction]:
    """Return the filter for a machine of `NUMBERS`."""
    numbers = NUMBERS[machine]
    default = ERRNO | errno.ENOSYS if rules.lenient else KILL_PROCESS
    instructions = [
        _load(ARCHITECTURE_AT),
        (JUMP_EQUAL, 1, 0, ARCHITECTURES[machine]),
        _return(KILL_PROCESS),
        _load(NUMBER_AT),
        (JUMP_AT_LEAST, 0, 1, _X32),
        _return(KILL_PROCESS),
    ]
    for name, checks in rules.allowed.items():
        if name in numbers:
            instructions += _case(numbers[name], checks, ALLOW, default)
    for name in rules.ignored:
        if name in numbers:
            instructions += _case(numbers[name], (), ERRNO, default)
    return [*instructions, _return(default)]


def _case(number: int, checks: tuple[Check, ...], action: int, default: int) -> list[Instruction]:
    """Return the `action` for one system call if all checks hold, else `default`."""
    conditions = [condition for check in checks for condition in _conditions(check)]
    last = len(conditions)
    resolved = [
        (code, last - index if if_true is None else if_true, last - index if if_false is None else if_false, operand)
        for index, (code, if_true, if_false, operand) in enumerate(conditions)
    ]
    ending = [_return(action), _return(default)] if conditions else [_return(action)]
    return [(JUMP_EQUAL, 0, last + len(ending), number), *resolved, *ending]


def _conditions(check: Check) -> list[tuple[int, int | None, int | None, int]]:
    """Return instructions that continue if the check holds; a jump of None leads to the default action."""
    instructions: list[tuple[int, int | None, int | None, int]] = [_load(ARGUMENTS_AT + 8 * check.argument)]
    if check.excluded:
        instructions.append((JUMP_ANY_BIT, None, 0, check.excluded))
    if check.required:
        instructions.append((JUMP_ANY_BIT, 0, None, check.required))
    others = len(check.values) - 1
    for index, value in enumerate(check.values):
        instructions.append((JUMP_EQUAL, others - index, 0 if index < others else None, value))
    return instructions


def _load(offset: int) -> Instruction:
    return (LOAD, 0, 0, offset)


def _return(action: int) -> Instruction:
    return (RETURN, 0, 0, action)
