"""The threads that answer requests, by the time that requests take.

Few threads are for slow requests: each thread that computes delays all others of the process.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

MOST_SLOW = 64  # slow requests that are answered or wait, of each kind
SLOW_READS, SLOW_WRITES = 4, 2  # threads

A = TypeVar("A")
R = TypeVar("R")


class RequestPool:
    """Threads that call functions; `largest` bounds the calls that run or wait."""

    def __init__(self, name: str, threads: int, largest: int | None = None) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._largest = largest
        self._calls = 0

    @property
    def is_full(self) -> bool:
        """Whether there is no room for another call."""
        return self._largest is not None and self._calls >= self._largest

    async def run(self, function: Callable[[A], R], argument: A) -> R:
        """Call a function in one of the threads."""
        self._calls += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, function, argument)
        finally:
            self._calls -= 1


class RequestPools:
    """`readers` and `workers` (writes, passwords, rockspecs), and those of both that are slow."""

    def __init__(self, threads: int) -> None:
        self.readers = RequestPool("read", threads)
        self.workers = RequestPool("work", threads)
        self._slow_readers = RequestPool("slow-read", min(threads, SLOW_READS), MOST_SLOW)
        self._slow_workers = RequestPool("slow-work", min(threads, SLOW_WRITES), MOST_SLOW)

    def of(self, *, reads: bool, slow: bool) -> RequestPool:
        """The pool for a request."""
        if slow:
            return self._slow_readers if reads else self._slow_workers
        return self.readers if reads else self.workers
