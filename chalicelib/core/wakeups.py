"""Wakes the runners of jobs, at once or after a delay: the threads of this process, or the function on AWS.

A runner that misses it finds the job when it polls.
"""

import heapq
import logging
import math
import threading
import time
from typing import Literal, get_args

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib import settings
from chalicelib.core import aws

Lane = Literal["short", "slow"]  # jobs in different lanes do not wait for each other
LANES: tuple[Lane, ...] = get_args(Lane)
LONGEST_DELAY = 900  # seconds, SQS' limit; jobs that are due later are found by the poll
_LEEWAY = 0.01  # seconds, because a job is due by another clock than the one that wakes its runner
_log = logging.getLogger(__name__)


class _Bell:
    """Wakes the thread that runs the jobs of one lane."""

    def __init__(self) -> None:
        self._rung = threading.Event()
        self._lock = threading.Lock()
        self._times: list[float] = []  # a heap

    def ring(self, delay: float) -> None:
        if delay > 0:
            with self._lock:
                heapq.heappush(self._times, time.monotonic() + delay + _LEEWAY)
        self._rung.set()  # also for a later time: the thread has to wait until then

    def wait(self, seconds: float) -> None:
        self._rung.wait(min(seconds, self._until_next()))
        self._rung.clear()

    def _until_next(self) -> float:
        """Seconds until the next time, without those that have passed: the caller is awake."""
        moment = time.monotonic()
        with self._lock:
            while self._times and self._times[0] <= moment:
                heapq.heappop(self._times)
            return self._times[0] - moment if self._times else math.inf


_bells: dict[Lane, _Bell] = {lane: _Bell() for lane in LANES}


def wake(delay: float = 0.0) -> None:
    """Wake a runner in `delay` seconds. On AWS that is a message in the queue, if the delay is not too long for one."""
    queue = settings.current().queue
    if not queue:
        for bell in _bells.values():
            bell.ring(delay)
    elif delay <= LONGEST_DELAY:
        try:
            client = aws.client("sqs")
            client.send_message(QueueUrl=queue, MessageBody="jobs", DelaySeconds=math.ceil(max(delay, 0)))
        except (BotoCoreError, ClientError):
            _log.exception("cannot send a message to the job queue")


def wait(seconds: float, lane: Lane = "short") -> None:
    """Wait until this process wakes its runners, but at most `seconds`. One thread waits for each lane."""
    _bells[lane].wait(seconds)
