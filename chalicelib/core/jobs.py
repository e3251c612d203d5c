"""Jobs: a transaction enqueues them, and a runner runs each at least once, soon after the commit (`job_runner`).

The job is an item in the core table. A commit only wakes the runners: an event wakes the thread in this process, and a
message in the queue wakes the function on AWS. Both also poll the table, so a lost message delays a job but loses none.

A handler must be idempotent. A failed job is retried with exponential backoff, and is dead-lettered after
`job_runner.ATTEMPTS` failures.
"""

import logging
import secrets
import threading
import time
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib import settings
from chalicelib.core import aws
from chalicelib.core.errors import Conflict, NotFound
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import Job

_log = logging.getLogger(__name__)
_enqueued = threading.Event()


class Reschedule(Exception):
    """Raised by a handler to run its job again in `after` seconds, with `payload`. It is not counted as a failure."""

    def __init__(self, after: float, payload: Any) -> None:
        super().__init__(f"again in {after} seconds")
        self.after = after
        self.payload = payload


def enqueue(writes: Transaction, name: str, payload: Any, once: str | None = None) -> None:
    """Enqueue a job in a transaction.

    `once` is a deduplication key: a pending job with the same name and key is replaced. A job that is running already
    runs again.
    """
    moment = time.time()
    sk = f"{name}#{once}" if once is not None else f"{moment:017.6f}#{secrets.token_hex(4)}"
    writes.put(Job("jobs", sk, name=name, payload=payload, due_at=moment))
    writes.then(_wake)


def is_pending(name: str, once: str) -> bool:
    """Whether a job that was enqueued with `once` is pending or running."""
    return Job.find("jobs", f"{name}#{once}") is not None


def wait(seconds: float) -> None:
    """Wait until this process enqueues a job, but at most `seconds`."""
    _enqueued.wait(seconds)
    _enqueued.clear()


def pending() -> list[Job]:
    """The jobs in the queue, oldest first. They include running jobs, which are due again when their lease expires."""
    return list(Job.query("jobs", consistent_read=True))


def report() -> None:
    """Log for how many seconds the oldest due job has been due, and the number of dead jobs.

    On AWS the fields become metrics with alarms.
    """
    moment = time.time()
    due = Job.query("jobs", filter_condition=Job.due_at <= moment, consistent_read=True)
    oldest = moment - min((float(job.due_at) for job in due), default=moment)
    fields = {"oldest_job": round(oldest, 1), "dead_jobs": Job.count("jobs-dead")}
    _log.info("the oldest job has been due for %(oldest_job)s s, %(dead_jobs)s jobs are dead", fields, extra=fields)


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
    writes.then(_wake)
    writes.commit()
    return retried


def _wake() -> None:
    """Wake the runners. If that fails, they find the job when they poll."""
    _enqueued.set()
    if queue := settings.current().queue:
        try:
            aws.client("sqs").send_message(QueueUrl=queue, MessageBody="jobs")
        except (BotoCoreError, ClientError):
            _log.exception("cannot send a message to the job queue")
