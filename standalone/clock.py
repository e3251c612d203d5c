"""A timer whose deadline may move at no cost."""

from asyncio import AbstractEventLoop, TimerHandle
from collections.abc import Callable


class Clock:
    """Calls `ring` when the deadline has passed, unless stopped before."""

    def __init__(self, loop: AbstractEventLoop, ring: Callable[[], None]) -> None:
        self._loop = loop
        self._ring = ring
        self._deadline = 0.0
        self._timer: TimerHandle | None = None

    @property
    def running(self) -> bool:
        return self._timer is not None

    def start(self, seconds: float) -> None:
        """Ring in `seconds`, whatever was planned before."""
        self.stop()
        self._deadline = self._loop.time() + seconds
        self._sleep()

    def stop(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def put_off(self, seconds: float, at_most: float) -> None:
        """Ring `seconds` later than planned, but in `at_most` seconds from now."""
        self._deadline = min(self._deadline + seconds, self._loop.time() + at_most)

    def _sleep(self) -> None:
        self._timer = self._loop.call_later(max(0.0, self._deadline - self._loop.time()), self._wake)

    def _wake(self) -> None:
        if self._loop.time() < self._deadline:
            self._sleep()
        else:
            self._timer = None
            self._ring()
