"""Named locks over the threads of a process and, where `share` has named a directory, over a machine's processes.

A lock only saves work: the conditions of a transaction keep the data right without it.
"""

import fcntl
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

_shared: Path | None = None


def share(directory: Path | None) -> None:
    """Take all locks together with the processes that share `directory`, which is created; None: with no other."""
    global _shared
    if directory:
        directory.mkdir(exist_ok=True)
    _shared = directory


class Lock:
    """The lock called `name`."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock for the block. The operating system releases it when a process dies."""
        with self._lock, ExitStack() as stack:
            if _shared:
                with suppress(OSError):  # without a file only this process is locked
                    file = stack.enter_context((_shared / self._name).open("ab"))
                    fcntl.flock(file, fcntl.LOCK_EX)
            yield
