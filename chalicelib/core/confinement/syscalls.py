"""The system calls that a confined process may make, and the numbers of system calls.

The numbers are from the kernel's headers: `asm/unistd_64.h` for x86_64, `asm-generic/unistd.h` for aarch64, which has
no `open` and `stat`, but only the forms that take a directory (`openat`).
"""

from collections.abc import Mapping
from typing import NamedTuple

PROT_EXEC = 0x4
MAP_ANONYMOUS = 0x20
_INET, _INET6 = 2, 10
_STREAM, _DATAGRAM = 1, 2
_SOCKET_FLAGS = (0, 0x800, 0x80000, 0x80800)  # SOCK_NONBLOCK and SOCK_CLOEXEC
_IS_TERMINAL, _AVAILABLE, _BLOCKING, _CLOSE_ON_EXEC = 0x5401, 0x541B, 0x5421, 0x5451
_CLONE_THREAD = 0x10000
_CLONE_EXCLUDED = 0x7E022000  # new namespaces, and CLONE_PTRACE

_FCNTL = (0, 1, 2, 3, 4, 5, 6, 7, 1030)  # duplicates, flags and locks


class Check(NamedTuple):
    """A condition on the lower 32 bits of an argument: any of the bits `required`, none of `excluded`, or `values`."""

    argument: int
    required: int = 0
    excluded: int = 0
    values: tuple[int, ...] = ()


class Rules(NamedTuple):
    """A set of system calls: `allowed` under conditions that must all hold, `ignored` ones that succeed without effect.

    All others end the process, or with `lenient` fail with ENOSYS.
    """

    allowed: dict[str, tuple[Check, ...]]
    ignored: tuple[str, ...] = ()
    lenient: bool = False


def _always(names: str) -> dict[str, tuple[Check, ...]]:
    return dict.fromkeys(names.split(), ())


# Computes on bytes from a socket that is open already: with memory, and without new executable memory.
COMPUTE = Rules(
    _always("recvfrom sendto shutdown close getsockopt getsockname getpeername brk munmap mremap madvise futex")
    | _always("sched_yield clock_gettime getrandom rt_sigreturn restart_syscall exit exit_group")
    | {
        "mmap": (Check(2, excluded=PROT_EXEC), Check(3, required=MAP_ANONYMOUS)),
        "mprotect": (Check(2, excluded=PROT_EXEC),),
    }
)

# Connects to hosts, and uses the files that Landlock allows. Landlock does not check chmod, chown, utime and xattrs;
# they are missing here, as are all calls that act on other processes. Git libraries set the modes of their own files.
NETWORK = Rules(
    COMPUTE.allowed
    | _always("mmap mprotect read pread64 readv write pwrite64 writev lseek poll ppoll select pselect6")
    | _always("open openat access faccessat faccessat2 stat lstat fstat newfstatat statx statfs getdents64 getcwd")
    | _always("readlink readlinkat mkdir mkdirat rmdir unlink unlinkat rename renameat renameat2 link linkat symlink")
    | _always("symlinkat ftruncate fsync fdatasync fchmod flock dup fadvise64 umask uname sysinfo gettimeofday")
    | _always("connect bind setsockopt sendmsg sendmmsg recvmsg epoll_create1 epoll_ctl epoll_wait epoll_pwait")
    | _always("getpid gettid getppid getuid geteuid getgid getegid nanosleep clock_nanosleep")
    | _always("rt_sigaction rt_sigprocmask sched_getaffinity")
    | {
        "socket": (
            Check(0, values=(_INET, _INET6)),
            Check(1, values=tuple(kind | flags for kind in (_STREAM, _DATAGRAM) for flags in _SOCKET_FLAGS)),
        ),
        "ioctl": (Check(1, values=(_IS_TERMINAL, _AVAILABLE, _BLOCKING, _CLOSE_ON_EXEC)),),
        "fcntl": (Check(1, values=_FCNTL),),  # without F_SETOWN, which lets a descriptor send signals
        "prlimit64": (Check(0, values=(0,)),),  # this process only
    },
    ignored=("chmod", "fchmodat"),
    lenient=True,
)


# The kernel lets CLONE_THREAD make threads of the same process only. clone3, which the C library tries first, has its
# flags in memory that a filter cannot read.
THREADS = NETWORK._replace(
    allowed=NETWORK.allowed
    | _always("set_robust_list rseq")
    | {"clone": (Check(0, required=_CLONE_THREAD, excluded=_CLONE_EXCLUDED),)}
)


def _numbers(table: str) -> dict[str, int]:
    return {name: int(number) for name, _, number in (entry.partition("=") for entry in table.split())}


NUMBERS: Mapping[str, Mapping[str, int]] = {
    "x86_64": _numbers(
        """
        read=0 write=1 open=2 close=3 stat=4 fstat=5 lstat=6 poll=7 lseek=8 mmap=9 mprotect=10 munmap=11 brk=12
        rt_sigaction=13 rt_sigprocmask=14 rt_sigreturn=15 ioctl=16 pread64=17 pwrite64=18 readv=19 writev=20
        access=21 select=23 sched_yield=24 mremap=25 madvise=28 dup=32 nanosleep=35 getpid=39 socket=41 connect=42
        sendto=44 recvfrom=45 sendmsg=46 recvmsg=47 shutdown=48 bind=49 getsockname=51 getpeername=52 setsockopt=54
        getsockopt=55 clone=56 exit=60 uname=63 fcntl=72 flock=73 fsync=74 fdatasync=75 ftruncate=77 getcwd=79
        rename=82 mkdir=83 rmdir=84 link=86 unlink=87 symlink=88 readlink=89 chmod=90 fchmod=91 umask=95
        gettimeofday=96 sysinfo=99 getuid=102 getgid=104 geteuid=107 getegid=108 getppid=110 capset=126 statfs=137
        gettid=186 futex=202 sched_getaffinity=204 getdents64=217 restart_syscall=219 fadvise64=221
        clock_gettime=228 clock_nanosleep=230 exit_group=231 epoll_wait=232 epoll_ctl=233 openat=257 mkdirat=258
        newfstatat=262 unlinkat=263 renameat=264 linkat=265 symlinkat=266 readlinkat=267 fchmodat=268 faccessat=269
        pselect6=270 ppoll=271 set_robust_list=273 epoll_pwait=281 epoll_create1=291 prlimit64=302 sendmmsg=307
        renameat2=316 getrandom=318 statx=332 rseq=334 faccessat2=439 landlock_create_ruleset=444
        landlock_add_rule=445 landlock_restrict_self=446
        """
    ),
    "aarch64": _numbers(
        """
        getcwd=17 epoll_create1=20 epoll_ctl=21 epoll_pwait=22 dup=23 fcntl=25 ioctl=29 flock=32 mkdirat=34
        unlinkat=35 symlinkat=36 linkat=37 renameat=38 statfs=43 ftruncate=46 faccessat=48 fchmod=52 fchmodat=53
        openat=56 close=57 getdents64=61 lseek=62 read=63 write=64 readv=65 writev=66 pread64=67 pwrite64=68
        pselect6=72 ppoll=73 readlinkat=78 newfstatat=79 fstat=80 fsync=82 fdatasync=83 capset=91 exit=93
        exit_group=94 futex=98 set_robust_list=99 nanosleep=101 clock_gettime=113 clock_nanosleep=115
        sched_getaffinity=123 sched_yield=124 restart_syscall=128 rt_sigaction=134 rt_sigprocmask=135
        rt_sigreturn=139 uname=160 umask=166 gettimeofday=169 getpid=172 getppid=173 getuid=174 geteuid=175
        getgid=176 getegid=177 gettid=178 sysinfo=179 socket=198 bind=200 connect=203 getsockname=204
        getpeername=205 sendto=206 recvfrom=207 setsockopt=208 getsockopt=209 shutdown=210 sendmsg=211 recvmsg=212
        brk=214 munmap=215 mremap=216 clone=220 mmap=222 fadvise64=223 mprotect=226 madvise=233 prlimit64=261
        sendmmsg=269 renameat2=276 getrandom=278 statx=291 rseq=293 faccessat2=439
        landlock_create_ruleset=444 landlock_add_rule=445 landlock_restrict_self=446
        """
    ),
}
