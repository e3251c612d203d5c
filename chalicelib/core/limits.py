"""Rate limits in fixed windows aligned to the clock, and a bound on concurrent work."""

import ipaddress
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from chalicelib.core.errors import Busy, TooMany
from chalicelib.core.tables import Window


def count(subject: str, limit: int, seconds: int, message: str = "Too many requests.") -> int:
    """Count one use of `subject` in the current window of `seconds`; return how many remain.

    Raises TooMany, with `retry_after` in seconds, if the count exceeds `limit`.
    """
    moment = int(time.time())
    start = moment - moment % seconds
    ends_at = datetime.fromtimestamp(start + 2 * seconds, UTC)
    window = Window(f"window#{subject}", str(start))
    window.update(
        actions=[Window.kind.set(Window), Window.used.add(1), Window.expires_at.set(ends_at)],
    )
    if window.used > limit:
        raise TooMany(message, retry_after=start + seconds - moment)
    return limit - int(window.used)


def reset(subject: str, seconds: int) -> None:
    """Reset the count of `subject` in the current window."""
    moment = int(time.time())
    Window(f"window#{subject}", str(moment - moment % seconds)).delete()


def network_of(address: str) -> str:
    """The unit for limits per address: an IPv4 address, or the /64 that a provider assigns to an IPv6 customer."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(ipaddress.ip_network((found, 64), strict=False)) if found.version == 6 else address


class Pool:
    """Bounds slow work: `at_once` threads work, `waiting` more wait, and others get Busy immediately."""

    def __init__(self, at_once: int, waiting: int) -> None:
        self._admitted = threading.BoundedSemaphore(at_once + waiting)
        self._working = threading.BoundedSemaphore(at_once)

    @contextmanager
    def worker(self, message: str) -> Iterator[None]:
        """Wait for a worker and hold it for the block. Raises Busy with `message` if too many threads wait already."""
        if not self._admitted.acquire(blocking=False):
            raise Busy(message, retry_after=2)
        try:
            with self._working:
                yield
        finally:
            self._admitted.release()
