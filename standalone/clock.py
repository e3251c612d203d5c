"""A timer with a deadline that can be postponed without a new system timer."""

from asyncio import AbstractEventLoop, TimerHandle
from collections.abc import Callable


class Clock:
    """Calls `on_timeout` after the deadline, unless it is stopped before."""

    def __init__(self, loop: AbstractEventLoop, on_timeout: Callable[[], None]) -> None:
        self._loop = loop
        self._on_timeout = on_timeout
        self._deadline = 0.0
        self._timer: TimerHandle | None = None

    @property
    def running(self) -> bool:
        return self._timer is not None

    def start(self, seconds: float) -> None:
        """Set the deadline `seconds` from now; it replaces the previous one."""
        self.stop()
        self._deadline = self._loop.time() + seconds
        self._sleep()

    def stop(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def postpone(self, seconds: float, at_most: float) -> None:
        """Postpone the deadline by `seconds`, to at most `at_most` seconds from now."""
        self._deadline = min(self._deadline + seconds, self._loop.time() + at_most)

    def _sleep(self) -> None:
        self._timer = self._loop.call_later(max(0.0, self._deadline - self._loop.time()), self._wake)

    def _wake(self) -> None:
        if self._loop.time() < self._deadline:
            self._sleep()
        else:
            self._timer = None
            self._on_timeout()
