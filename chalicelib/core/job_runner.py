"""The runner of jobs: it leases the jobs that are due, runs their handlers, and enqueues the repeating jobs.

Several runners may run at the same time, in any number of processes. The handlers are those that the slices declare.
"""

import logging
import time
from contextlib import suppress

from pynamodb.exceptions import DeleteError
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from chalicelib.core import jobs, registry
from chalicelib.core.errors import NotFound
from chalicelib.core.storage import Contended, Transaction
from chalicelib.core.tables import Job, Repeat

ATTEMPTS = 8
_LEASE = 600  # seconds: longer than any job may run, so that no other runner starts it meanwhile
_log = logging.getLogger(__name__)
_next: dict[str, float] = {}  # name of a repeating job -> when this process checks again whether it is due


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


def run_now(name: str) -> None:
    """Run a repeating job immediately, whether or not it is due. Raises NotFound."""
    found = registry.current().repeating_jobs
    if name not in found:
        raise NotFound(f"There is no repeating job {name}; there are: {', '.join(sorted(found))}.")
    found[name].run()


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
        jobs.enqueue(writes, name, None)
        try:
            writes.commit()
        except Contended:  # another process has enqueued it or is about to: check again
            _next[name] = min(_next[name], moment + 60)


def reset_schedule() -> None:
    """Let this process check all repeating jobs again, as if it had just started."""
    _next.clear()


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
    except jobs.Reschedule as wanted:
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
