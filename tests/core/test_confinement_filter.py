"""The seccomp filters, interpreted as the kernel does, for each machine that they are made for."""

import errno
import struct

import pytest

from chalicelib.core.confinement.seccomp import (
    ALLOW,
    ARCHITECTURES,
    ERRNO,
    JUMP_ANY_BIT,
    JUMP_AT_LEAST,
    JUMP_EQUAL,
    KILL_PROCESS,
    LOAD,
    RETURN,
    program,
)
from chalicelib.core.confinement.syscalls import COMPUTE, NETWORK, NUMBERS, THREADS, Rules

MACHINES = sorted(NUMBERS)
MISSING = ERRNO | errno.ENOSYS
EXECVE = {"x86_64": 59, "aarch64": 221}
KILL = {"x86_64": 62, "aarch64": 129}
PTRACE = {"x86_64": 101, "aarch64": 117}
READ_WRITE, READ_EXECUTE = 3, 5
PRIVATE, PRIVATE_ANONYMOUS = 0x2, 0x22


def run(rules: Rules, machine: str, call: int, *arguments: int, architecture: int | None = None) -> int:
    """Return the action of the filter for a system call."""
    padded = [*arguments, *[0] * (6 - len(arguments))]
    data = struct.pack("=IIQ6Q", call, architecture or ARCHITECTURES[machine], 0, *padded)
    instructions, place, loaded = program(rules, machine), 0, 0
    while True:
        code, if_true, if_false, operand = instructions[place]
        place += 1
        if code == RETURN:
            return operand
        if code == LOAD:
            (loaded,) = struct.unpack_from("=I", data, operand)
            continue
        tests = {JUMP_EQUAL: loaded == operand, JUMP_ANY_BIT: bool(loaded & operand), JUMP_AT_LEAST: loaded >= operand}
        place += if_true if tests[code] else if_false


@pytest.mark.parametrize("machine", MACHINES)
def test_listed_calls_are_allowed_and_others_end_the_process(machine: str) -> None:
    numbers = NUMBERS[machine]
    allowed = {numbers[name] for name, checks in COMPUTE.allowed.items() if name in numbers and not checks}
    assert {call for call in range(600) if run(COMPUTE, machine, call) == ALLOW} >= allowed
    for call in (numbers["openat"], numbers["socket"], EXECVE[machine], KILL[machine], PTRACE[machine], 599):
        assert run(COMPUTE, machine, call) == KILL_PROCESS


@pytest.mark.parametrize("machine", MACHINES)
def test_memory_is_anonymous_and_never_executable(machine: str) -> None:
    numbers = NUMBERS[machine]
    for protection, flags, action in (
        (READ_WRITE, PRIVATE_ANONYMOUS, ALLOW),
        (READ_WRITE, PRIVATE, KILL_PROCESS),
        (READ_EXECUTE, PRIVATE_ANONYMOUS, KILL_PROCESS),
    ):
        assert run(COMPUTE, machine, numbers["mmap"], 0, 4096, protection, flags) == action
    assert run(COMPUTE, machine, numbers["mprotect"], 0, 4096, READ_WRITE) == ALLOW
    assert run(COMPUTE, machine, numbers["mprotect"], 0, 4096, READ_EXECUTE) == KILL_PROCESS


@pytest.mark.parametrize("machine", MACHINES)
def test_with_network_there_are_internet_sockets_and_no_others(machine: str) -> None:
    call, raw, unix, netlink = NUMBERS[machine]["socket"], 3, 1, 16
    for family in (2, 10):
        for kind in (1, 2, 1 | 0x80000, 2 | 0x80800):
            assert run(NETWORK, machine, call, family, kind) == ALLOW
        assert run(NETWORK, machine, call, family, raw) == MISSING
    for family in (unix, netlink, 17):
        assert run(NETWORK, machine, call, family, 1) == MISSING


@pytest.mark.parametrize("machine", MACHINES)
def test_with_network_modes_are_ignored_and_other_processes_out_of_reach(machine: str) -> None:
    numbers = NUMBERS[machine]
    assert run(NETWORK, machine, numbers["fchmodat"]) == ERRNO
    assert run(NETWORK, machine, numbers["fcntl"], 3, 8) == MISSING  # F_SETOWN
    assert run(NETWORK, machine, numbers["prlimit64"], 0) == ALLOW
    assert run(NETWORK, machine, numbers["prlimit64"], 1) == MISSING
    for call in (EXECVE[machine], KILL[machine], PTRACE[machine]):
        assert run(NETWORK, machine, call) == MISSING


@pytest.mark.parametrize("machine", MACHINES)
def test_calls_of_another_architecture_end_the_process(machine: str) -> None:
    i386 = 0x40000003
    for call in (NUMBERS[machine]["recvfrom"], 0x40000000 + NUMBERS[machine]["recvfrom"]):
        assert run(NETWORK, machine, call, architecture=i386) == KILL_PROCESS
    assert run(NETWORK, machine, 0x40000000 + NUMBERS[machine]["recvfrom"]) == KILL_PROCESS


def test_every_name_in_the_rules_has_a_number() -> None:
    names = {*COMPUTE.allowed, *NETWORK.allowed, *NETWORK.ignored}
    assert names <= NUMBERS["x86_64"].keys()
    without_aarch64 = {"open", "access", "stat", "lstat", "poll", "select", "readlink", "mkdir", "rmdir", "unlink"}
    without_aarch64 |= {"rename", "link", "symlink", "epoll_wait", "chmod"}
    assert names - NUMBERS["aarch64"].keys() == without_aarch64


@pytest.mark.parametrize("machine", MACHINES)
def test_with_threads_there_are_threads_and_no_processes(machine: str) -> None:
    clone, clone3, thread, fork, new_user = NUMBERS[machine]["clone"], 435, 0x3D0F00, 0x1200011, 0x10000000
    assert run(THREADS, machine, clone, thread) == ALLOW
    for flags in (fork, 0, thread | new_user, thread | 0x2000):
        assert run(THREADS, machine, clone, flags) == MISSING
    assert run(THREADS, machine, clone3) == MISSING
    assert run(NETWORK, machine, clone, thread) == MISSING
    for call in (EXECVE[machine], KILL[machine], PTRACE[machine]):
        assert run(THREADS, machine, call) == MISSING
