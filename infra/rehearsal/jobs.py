"""Jobs on AWS: run by the schedule, by the queue, and by a call, each with the rights of its own function."""

import json

from infra import ministack
from infra.ministack import MiniStack
from infra.rehearsal.installation import Failure, until

# The event that EventBridge sends on a schedule.
TICK = {
    "version": "0",
    "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa",
    "detail-type": "Scheduled Event",
    "source": "aws.events",
    "account": "000000000000",
    "time": "2026-01-01T00:00:00Z",
    "region": ministack.REGION,
    "resources": [],
    "detail": {},
}
_A_MINUTE_OR_TWO = 100.0
_FOLD = "fold-catalogue"


def make_repeats_due(cloud: MiniStack, function: str) -> list[str]:
    """Make every repeating job due; return their names. Only the scheduled function enqueues them.

    A warm function remembers when each job is due next; changing its configuration restarts it.
    """
    from chalicelib.core.tables import Repeat

    repeats = list(Repeat.query("jobs-repeating"))
    for repeat in repeats:
        repeat.delete()
    cloud.client("lambda").update_function_configuration(FunctionName=function, Description="Rehearsed")
    return [repeat.sk for repeat in repeats]


def repeated(names: list[str]) -> None:
    """Wait until the schedule has enqueued and run all repeating jobs again."""
    from chalicelib.core.tables import Repeat

    if "drop-upload-slots" not in names:
        raise Failure(f"the repeating jobs are {names}")
    until(
        "the schedule",
        lambda: {repeat.sk for repeat in Repeat.query("jobs-repeating")} >= set(names) and not set(names) & _pending(),
        _A_MINUTE_OR_TWO,
    )
    _none_dead()


def called(cloud: MiniStack, function: str) -> None:
    """Call the scheduled function, which folds the catalogue."""
    from chalicelib import settings
    from chalicelib.core.catalogues.tables import Head

    with settings.override(queue=""):
        _enqueue_fold()
    answer = cloud.client("lambda").invoke(FunctionName=function, Payload=json.dumps(TICK))
    if "FunctionError" in answer:
        raise Failure(f"run_jobs: {answer['Payload'].read()!r}")
    until("a job after a call of the function", lambda: _FOLD not in _pending())
    _none_dead()
    head = Head.find("catalogue#luarocks", "head")
    if head is None or head.snapshot_sequence != head.sequence:
        raise Failure("the catalogue was not folded")


def woken() -> None:
    """Enqueue a job, and wait until the function that the queue calls has run it."""
    _enqueue_fold()
    until("the job of a message in the queue", lambda: _FOLD not in _pending())
    _none_dead()


def _enqueue_fold() -> None:
    from chalicelib.core import jobs
    from chalicelib.core.storage import Transaction

    writes = Transaction()
    jobs.enqueue(writes, _FOLD, {"name": "luarocks"})
    writes.commit()


def _pending() -> set[str]:
    """The names of the pending jobs."""
    from chalicelib.core import jobs

    return {job.name for job in jobs.pending()}


def _none_dead() -> None:
    from chalicelib.core import jobs

    if dead := [f"{job.name}: {job.error}" for job in jobs.dead()]:
        raise Failure(f"dead jobs: {dead}")
