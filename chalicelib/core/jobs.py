"""Jobs: a transaction enqueues them, and a runner runs each at least once, soon after the commit (`job_runner`).

The job is an item in the core table. A commit only wakes the runners (`wakeups`), which also poll the table, so a lost
message delays a job but loses none.

A handler must be idempotent. A failed job is retried with exponential backoff, and is dead-lettered after
`job_runner.ATTEMPTS` failures. A long job works in slices: it checks `time_left`, and raises Reschedule.
"""

import math
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from chalicelib.core import wakeups
from chalicelib.core.errors import Conflict, NotFound
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import Job

LEASE = 600  # seconds: longer than a function on AWS runs, so that no other runner starts the job meanwhile
_PROGRESS_EVERY = 5.0  # seconds between two writes of a job's progress
_LONGEST_PROGRESS = 100  # characters


class Reschedule(Exception):
    """Raised by a handler to run its job again in `after` seconds, with `payload`. It is not counted as a failure."""

    def __init__(self, after: float, payload: Any) -> None:
        super().__init__(f"again in {after} seconds")
        self.after = after
        self.payload = payload


@dataclass(frozen=True)
class _Wake:
    """Wakes the runners after a commit: once for all jobs with the same delay."""

    delay: float

    def __call__(self) -> None:
        wakeups.wake(self.delay)


def enqueue(writes: Transaction, name: str, payload: Any, once: str | None = None, delay: float = 0.0) -> None:
    """Enqueue a job in a transaction; it is due `delay` seconds later.

    `once` is a deduplication key: a pending job with the same name and key is replaced. A job that is running already
    runs again.
    """
    moment = time.time()
    sk = f"{name}#{once}" if once is not None else f"{moment:017.6f}#{secrets.token_hex(4)}"
    writes.put_once(Job("jobs", sk, name=name, payload=payload, due_at=moment + delay))
    writes.then(_Wake(delay))


def is_pending(name: str, once: str) -> bool:
    """Whether a job that was enqueued with `once` is pending or running."""
    return Job.find("jobs", f"{name}#{once}") is not None


def pending() -> list[Job]:
    """The jobs in the queue, oldest first. They include running jobs, which are due again when their lease expires."""
    return list(Job.query("jobs", consistent_read=True))


def dead() -> list[Job]:
    """The dead-lettered jobs, oldest first."""
    return list(Job.query("jobs-dead", consistent_read=True))


def retry(number: str) -> Job:
    """Enqueue a dead job again, with all its attempts; return it. Raises NotFound or Conflict."""
    unknown = NotFound(f"There is no dead job {number}.")
    job = Job.find("jobs-dead", number)
    if job is None:
        raise unknown
    retried = Job("jobs", job.sk, name=job.name, payload=job.payload, due_at=time.time())
    writes = Transaction()
    writes.delete(job, Job.pk.exists(), unknown)
    writes.create(retried, Conflict(f"The job {number} has been enqueued again already."))
    writes.then(_Wake(0.0))
    writes.commit()
    return retried


@dataclass
class _Run:
    """The run of a job; `job` is None if it has no item. Times are those of time.monotonic()."""

    job: Job | None
    ends_at: float
    reported_at: float = -math.inf


_run: ContextVar[_Run | None] = ContextVar("_run", default=None)


@contextmanager
def running(job: Job | None, ends_at: float) -> Iterator[None]:
    """In the block the job runs; it should end at `ends_at`, by time.monotonic()."""
    token = _run.set(_Run(job, ends_at))
    try:
        yield
    finally:
        _run.reset(token)


def time_left() -> float:
    """The seconds after which the running job should raise Reschedule; negative once it is late.

    Outside of jobs the time is infinite.
    """
    run = _run.get()
    return math.inf if run is None else run.ends_at - time.monotonic()


def report_progress(text: str) -> None:
    """Show a short text for the running job in lists of jobs, and renew its lease.

    Texts that follow within a few seconds are not stored.
    """
    run = _run.get()
    if run is None or run.job is None or time.monotonic() - run.reported_at < _PROGRESS_EVERY:
        return
    run.reported_at = time.monotonic()
    job, lease_ends = run.job, time.time() + LEASE
    actions = [Job.progress.set(text[:_LONGEST_PROGRESS]), Job.due_at.set(lease_ends)]
    renewed, _ = job.update_or_read(actions, Job.due_at == job.due_at)
    if renewed:  # else the job was enqueued again, and its item belongs to the next run
        job.due_at = lease_ends
