"""The runner of jobs: it leases the jobs that are due, runs their handlers, and enqueues the repeating jobs.

Several runners may run at the same time, in any number of processes. The handlers are those that the slices declare.
Jobs of the slow lane leave some runners free for the others.
"""

import logging
import math
import time
from collections.abc import Collection
from contextlib import suppress
from typing import Any

from pynamodb.exceptions import DeleteError
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from chalicelib.core import jobs, read_only, registry, wakeups
from chalicelib.core.errors import Conflict, NotFound
from chalicelib.core.storage import Contended, Transaction
from chalicelib.core.tables import Job, Repeat
from chalicelib.core.wakeups import LANES, Lane

ATTEMPTS = 8
SLICE = 60.0  # seconds until a long job should make room for others
BEFORE_END = 60.0  # seconds before the end of a function on AWS: a job that starts earlier can finish in them
MOST_SLOW = 3  # jobs of the slow lane that run at the same time; on AWS up to 4 messages are processed at once
_log = logging.getLogger(__name__)
_next: dict[str, float] = {}  # name of a repeating job -> when this process checks again whether it is due


def run_due(seconds: float = math.inf, lanes: Collection[Lane] = LANES) -> int:
    """Run the jobs of these lanes that are due now, short ones first; return how many succeeded.

    After `seconds` no further job is started, and another runner is woken for the rest. In read-only mode jobs rest.
    """
    succeeded, ends_at = 0, time.monotonic() + seconds
    if read_only.notice():
        return 0
    for found in _due(lanes):
        if time.monotonic() >= ends_at:
            wakeups.wake()
            break
        job = _lease(found)
        if job is None:
            continue
        if job.attempts <= ATTEMPTS:
            succeeded += _run(job, min(ends_at, time.monotonic() + SLICE))
        else:
            _dead_letter(job, "the process died in every attempt")
    return succeeded


def seconds_of(context: Any) -> float:
    """For how long a function on AWS can start jobs, by the context of its invocation; infinite without one."""
    return context.get_remaining_time_in_millis() / 1000 - BEFORE_END if context else math.inf


def run_now(name: str) -> None:
    """Run a repeating job immediately, whether or not it is due. Raises NotFound, or Conflict if it rests."""
    found = registry.current().repeating_jobs
    if name not in found:
        raise NotFound(f"There is no repeating job {name}; there are: {', '.join(sorted(found))}.")
    if registry.current().rests(name):
        raise Conflict(f"The job {name} belongs to a service that is turned off, see the setting MOONBASE_SERVICES.")
    payload, rescheduled = None, True
    while rescheduled:
        try:
            found[name].call(payload)
            rescheduled = False
        except jobs.Reschedule as wanted:
            payload = wanted.payload


def report() -> None:
    """Log for how many seconds the oldest due job has been due, and the number of dead jobs.

    Jobs that rest are not due. On AWS the fields become metrics with alarms.
    """
    moment = time.time()
    due = Job.query("jobs", filter_condition=Job.due_at <= moment, consistent_read=True)
    times = (float(job.due_at) for job in due if not rests(job.name))
    oldest = moment - min(times, default=moment)
    fields = {"oldest_job": round(oldest, 1), "dead_jobs": Job.count("jobs-dead")}
    _log.info("the oldest job has been due for %(oldest_job)s s, %(dead_jobs)s jobs are dead", fields, extra=fields)


def enqueue_repeats() -> None:
    """Enqueue the repeating jobs that are due, each once per period across all processes."""
    if read_only.notice():
        return
    for job in registry.current().repeating_jobs.values():
        name, every, moment = job.name, job.every, time.time()
        if registry.current().rests(name) or moment < _next.get(name, 0):
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


def rests(job: str) -> bool:
    """Whether the jobs of a name wait, for the end of read-only mode or until their service is offered again."""
    return read_only.notice() is not None or registry.current().rests(job)


def _due(lanes: Collection[Lane]) -> list[Job]:
    """The due jobs of these lanes, oldest first in each; without slow ones while enough of them run elsewhere."""
    moment, lane = time.time(), registry.current().lane
    condition = (Job.due_at <= moment) | (Job.leased == True)  # noqa: E712
    found = list(Job.query("jobs", filter_condition=condition, consistent_read=True))
    slow = sum(job.due_at > moment and lane(job.name) == "slow" for job in found)
    wanted = [each for each in LANES if each in lanes and (each != "slow" or slow < MOST_SLOW)]
    due = [job for job in found if job.due_at <= moment and not registry.current().rests(job.name)]
    return [job for each in wanted for job in due if lane(job.name) == each]


def _lease(job: Job) -> Job | None:
    """Lease a job and count the attempt; return None if another runner was faster.

    The attempt is counted first, so that a job that kills its process is dead-lettered too.
    """
    leased, found = job.update_or_read(
        [Job.attempts.add(1), Job.leased.set(True), Job.due_at.set(time.time() + jobs.LEASE)],
        _unchanged(job) & Job.pk.exists(),
    )
    return found if leased else None


def _run(job: Job, ends_at: float) -> bool:
    try:
        with jobs.running(job, ends_at):
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
    job.update_or_read([*changes, Job.leased.set(False), Job.due_at.set(time.time() + seconds)], _unchanged(job))
    wakeups.wake(seconds)


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
