"""Named locks for the threads of a process and, after `share`, for the processes of a machine.

A lock only avoids duplicate work: the conditions of transactions protect the data without it.
"""

import fcntl
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

_shared: Path | None = None


def share(directory: Path | None) -> None:
    """Share all locks with the processes that use `directory`, which is created; None stops sharing."""
    global _shared
    if directory:
        directory.mkdir(exist_ok=True)
    _shared = directory


class Lock:
    """The lock with the name `name`."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock for the block. The operating system releases it when a process dies."""
        with self._lock, ExitStack() as stack:
            if _shared:
                with suppress(OSError):  # without a file the lock excludes only threads of this process
                    file = stack.enter_context((_shared / self._name).open("ab"))
                    fcntl.flock(file, fcntl.LOCK_EX)
            yield
