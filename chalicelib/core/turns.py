"""Turns: what only one can do at a time is waited for, and not tried in vain.

That nothing happens twice is for the conditions of a transaction to see to. A turn saves the work that they would undo,
among the threads of this process and, where `share` has named a directory, among all processes of one machine.
"""

import fcntl
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

_shared: Path | None = None


def share(directory: Path | None) -> None:
    """From now on turns are taken with all processes that share `directory`, which is made; None: with none."""
    global _shared
    if directory:
        directory.mkdir(exist_ok=True)
    _shared = directory


class Turns:
    """The turns at one thing, called `name`."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()

    @contextmanager
    def take(self) -> Iterator[None]:
        """Wait until nobody else is at it, and be so until the block ends; what dies in between has ended."""
        with self._lock, ExitStack() as held:
            if _shared:
                with suppress(OSError):  # no file, no turn: the conditions hold all the same
                    file = held.enter_context((_shared / self._name).open("ab"))
                    fcntl.flock(file, fcntl.LOCK_EX)
            yield
