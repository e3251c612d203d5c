"""Repeats a decision that another process has overtaken."""

import random
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TypeVar

from chalicelib.core.errors import Busy
from chalicelib.core.storage import Contended

TRIES = 60  # about 15 seconds; enough for 50 machines that publish at once, and below API Gateway's limit
R = TypeVar("R")


def retry(attempt: Callable[[], R], lock: Callable[[], AbstractContextManager[object]], message: str) -> R:
    """Call `attempt` until it does not raise Contended, and return its result. Raises Busy with `message` at the end.

    `lock` serializes the attempts where it can, in a process or on a machine; between machines they are repeated after
    random waits of up to half a second.
    """
    for number in range(TRIES):
        with lock():
            try:
                return attempt()
            except Contended:
                pass
        time.sleep(random.uniform(0, min(0.02 * 2**number, 0.5)))  # noqa: S311
    raise Busy(message, retry_after=2)
