"""Jobs: a transaction enqueues them, and a runner runs each at least once, soon after the commit.

The job is an item in the core table. A commit only wakes the runners: an event wakes the thread in this process, and a
message in the queue wakes the function on AWS. Both also poll the table, so a lost message delays a job but loses none.

A handler must be idempotent. A failed job is retried with exponential backoff, and is dead-lettered after `ATTEMPTS`
failures.
"""

import logging
import secrets
import threading
import time
from contextlib import suppress
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from pynamodb.exceptions import DeleteError
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from chalicelib import settings
from chalicelib.core import aws, registry
from chalicelib.core.errors import Conflict, NotFound
from chalicelib.core.storage import Contended, Transaction
from chalicelib.core.tables import Job, Repeat

ATTEMPTS = 8
_LEASE = 600  # seconds: longer than any job may run, so that no other runner starts it meanwhile
_log = logging.getLogger(__name__)
_enqueued = threading.Event()
_next: dict[str, float] = {}  # name of a repeating job -> when this process checks again whether it is due


class Reschedule(Exception):
    """Raised by a handler to run its job again in `after` seconds, with `payload`. It is not counted as a failure."""

    def __init__(self, after: float, payload: Any) -> None:
        super().__init__(f"again in {after} seconds")
        self.after = after
        self.payload = payload


def enqueue_repeats() -> None:
    """Enqueue the repeating jobs that are due, each once per period across all processes."""
    for job in registry.current().repeating_jobs.values():
        name, every, moment = job.name, job.every, time.time()
        if moment < _next.get(name, 0):
            continue
        _next[name] = moment - moment % every + every
        writes = Transaction()
        writes.update(
            Repeat("jobs-repeating", name),
            [Repeat.kind.set(Repeat), Repeat.next_at.set(_next[name])],
            Repeat.next_at.does_not_exist() | (Repeat.next_at <= moment),
        )
        enqueue(writes, name, None)
        try:
            writes.commit()
        except Contended:  # another process has enqueued it or is about to: check again
            _next[name] = min(_next[name], moment + 60)


def run_now(name: str) -> None:
    """Run a repeating job immediately, whether or not it is due. Raises NotFound."""
    found = registry.current().repeating_jobs
    if name not in found:
        raise NotFound(f"There is no repeating job {name}; there are: {', '.join(sorted(found))}.")
    found[name].run()


def reset_schedule() -> None:
    """Let this process check all repeating jobs again, as if it had just started."""
    _next.clear()


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


def run_due() -> int:
    """Run the jobs that are due now; return how many succeeded."""
    succeeded = 0
    for found in Job.query("jobs", filter_condition=Job.due_at <= time.time(), consistent_read=True):
        job = _lease(found)
        if job is None:
            continue
        if job.attempts <= ATTEMPTS:
            succeeded += _run(job)
        else:
            _dead_letter(job, "the process died in every attempt")
    return succeeded


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


def _lease(job: Job) -> Job | None:
    """Lease a job and count the attempt; return None if another runner was faster.

    The attempt is counted first, so that a job that kills its process is dead-lettered too.
    """
    leased, found = job.update_or_read(
        [Job.attempts.add(1), Job.due_at.set(time.time() + _LEASE)],
        _unchanged(job) & Job.pk.exists(),
    )
    return found if leased else None


def _run(job: Job) -> bool:
    try:
        registry.current().jobs[job.name].call(job.payload)
    except Reschedule as wanted:
        _postpone(job, wanted.after, Job.payload.set(wanted.payload), Job.attempts.set(0))
        return True
    except Exception as error:  # any error of a handler: the job stays, and the next ones run
        _log.exception("job %s failed", job.name)
        if job.attempts >= ATTEMPTS:
            _dead_letter(job, f"{type(error).__name__}: {error}")
        else:
            _postpone(job, 5 * 2 ** (job.attempts - 1))
        return False
    with suppress(DeleteError):
        job.delete(_unchanged(job))
    return True


def _unchanged(job: Job) -> Condition:
    """The condition that no other runner has leased the job since it was read, and that it was not enqueued again."""
    return Job.due_at == job.due_at


def _postpone(job: Job, seconds: float, *changes: Action) -> None:
    job.update_or_read([*changes, Job.due_at.set(time.time() + seconds)], _unchanged(job))


def _dead_letter(job: Job, error: str) -> None:
    writes = Transaction()
    writes.delete(job, _unchanged(job))
    writes.put(
        Job(
            "jobs-dead",
            job.sk,
            name=job.name,
            payload=job.payload,
            due_at=job.due_at,
            attempts=ATTEMPTS,
            error=error[:1000],
        )
    )
    with suppress(Contended):  # it was enqueued again
        writes.commit()
