"""Work that follows a write: promised in the same transaction, done at least once, soon after.

The job itself lies in the table. Whoever runs jobs is only woken: the thread in this process by an event, the function
on AWS by a message in the queue; and both look by themselves from time to time, so that a lost call delays and loses
nothing.

A handler must be idempotent. A job that fails is tried again with growing pauses, and is kept as dead after
`ATTEMPTS` failures.
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
_LEASE = 600  # seconds: longer than any job may take, so that nobody else starts it meanwhile
_log = logging.getLogger(__name__)
_enqueued = threading.Event()
_next: dict[str, float] = {}  # when this process asks again whether a repeating job is due


class Later(Exception):
    """Raised by a handler that did what can be done now: it is called again `after` so many seconds, with `payload`."""

    def __init__(self, after: float, payload: Any) -> None:
        super().__init__(f"again in {after} seconds")
        self.after = after
        self.payload = payload


def enqueue_repeats() -> None:
    """Promise the repeating jobs whose time has come: each once, however many processes ask."""
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
        except Contended:  # somebody else has promised it, or tries: look again
            _next[name] = min(_next[name], moment + 60)


def run_now(name: str) -> None:
    """Do a repeating job at once, whenever it is due. Raises NotFound."""
    found = registry.current().repeating_jobs
    if name not in found:
        raise NotFound(f"There is no repeating job {name}; there are: {', '.join(sorted(found))}.")
    found[name].run()


def forget() -> None:
    """Drop what this process knows of the clock's next strokes, as if it had just started."""
    _next.clear()


def enqueue(writes: Transaction, name: str, payload: Any, once: str | None = None) -> None:
    """Put a job into a transaction.

    `once` names what it is about: a job of that name and about that which still waits is replaced. One that is being
    done at the moment is done again.
    """
    moment = time.time()
    sk = f"{name}#{once}" if once is not None else f"{moment:017.6f}#{secrets.token_hex(4)}"
    writes.put(Job("jobs", sk, name=name, payload=payload, due_at=moment))
    writes.then(_wake)


def is_pending(name: str, once: str) -> bool:
    """Whether a job that was enqueued with `once` is pending or running."""
    return Job.find("jobs", f"{name}#{once}") is not None


def wait(seconds: float) -> None:
    """Until this process promises a job, or so many seconds."""
    _enqueued.wait(seconds)
    _enqueued.clear()


def run_due() -> int:
    """Do what is due now; returns how many jobs succeeded."""
    done = 0
    for waiting in Job.query("jobs", filter_condition=Job.due_at <= time.time(), consistent_read=True):
        job = _lease(waiting)
        if job is None:
            continue
        if job.attempts <= ATTEMPTS:
            done += _do(job)
        else:
            _dead_letter(job, "nobody came back from it")
    return done


def waiting() -> list[Job]:
    """The jobs that are yet to be done, oldest first; one that is being done is due again when its lease ends."""
    return list(Job.query("jobs", consistent_read=True))


def report() -> None:
    """Log how things stand: for how many seconds a job has been due, and how many were given up.

    On AWS the fields become metrics, and alarms look at them.
    """
    moment = time.time()
    due = Job.query("jobs", filter_condition=Job.due_at <= moment, consistent_read=True)
    oldest = moment - min((float(job.due_at) for job in due), default=moment)
    fields = {"oldest_job": round(oldest, 1), "dead_jobs": Job.count("jobs-dead")}
    _log.info("a job has been due for %(oldest_job)s s, %(dead_jobs)s were given up", fields, extra=fields)


def dead() -> list[Job]:
    """The jobs that were given up, oldest first."""
    return list(Job.query("jobs-dead", consistent_read=True))


def retry(number: str) -> Job:
    """Take a job from the dead: it is due at once, with all its attempts. Raises NotFound or Conflict."""
    unknown = NotFound(f"There is no dead job {number}.")
    job = Job.find("jobs-dead", number)
    if job is None:
        raise unknown
    alive = Job("jobs", job.sk, name=job.name, payload=job.payload, due_at=time.time())
    writes = Transaction()
    writes.delete(job, Job.pk.exists(), unknown)
    writes.create(alive, Conflict(f"The job {number} was promised anew already."))
    writes.then(_wake)
    writes.commit()
    return alive


def _wake() -> None:
    """Let somebody look for jobs now. Should that fail, the clock will."""
    _enqueued.set()
    if queue := settings.current().queue:
        try:
            aws.client("sqs").send_message(QueueUrl=queue, MessageBody="jobs")
        except (BotoCoreError, ClientError):
            _log.exception("the queue cannot be told of a job")


def _lease(job: Job) -> Job | None:
    """Keep the job from others for a while, also when this process dies over it; None when somebody was faster."""
    taken, found = job.update_or_read(
        [Job.attempts.add(1), Job.due_at.set(time.time() + _LEASE)],
        _as_it_was(job) & Job.pk.exists(),
    )
    return found if taken else None


def _do(job: Job) -> bool:
    try:
        registry.current().jobs[job.name].call(job.payload)
    except Later as later:
        _put_off(job, later.after, Job.payload.set(later.payload), Job.attempts.set(0))
        return True
    except Exception as error:  # whatever a handler raises, the queue goes on and the job stays
        _log.exception("job %s failed", job.name)
        if job.attempts >= ATTEMPTS:
            _dead_letter(job, f"{type(error).__name__}: {error}")
        else:
            _put_off(job, 5 * 2 ** (job.attempts - 1))
        return False
    with suppress(DeleteError):
        job.delete(_as_it_was(job))
    return True


def _as_it_was(job: Job) -> Condition:
    """That nobody has taken the job since we read it, or promised it anew since we took it."""
    return Job.due_at == job.due_at


def _put_off(job: Job, seconds: float, *changes: Action) -> None:
    job.update_or_read([*changes, Job.due_at.set(time.time() + seconds)], _as_it_was(job))


def _dead_letter(job: Job, error: str) -> None:
    writes = Transaction()
    writes.delete(job, _as_it_was(job))
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
    with suppress(Contended):  # promised anew
        writes.commit()
