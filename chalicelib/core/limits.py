"""How often something may be done: fixed windows, aligned to the clock."""

import time
from datetime import UTC, datetime

from chalicelib.core.errors import TooMany
from chalicelib.core.tables import Window


def count(subject: str, limit: int, seconds: int, message: str = "Too many requests.") -> int:
    """Count one more of `subject` in this window of `seconds`; returns how many are left.

    Raises TooMany, with `retry_after` in seconds, when it was one too many.
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


def forget(subject: str, seconds: int) -> None:
    """Let the current window of `subject` start anew."""
    moment = int(time.time())
    Window(f"window#{subject}", str(moment - moment % seconds)).delete()
