"""Promised work on AWS: by the clock, by the queue, and by a call; each with the rights of its own function."""

import json

from infra import ministack
from infra.ministack import MiniStack
from infra.rehearsal.place import Failure, until

# What EventBridge sends on a schedule.
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


def forget_repeats(cloud: MiniStack, function: str) -> list[str]:
    """Let every repeating job be due, which nobody but the clock promises; returns their names.

    A warm function knows when it need ask again; one that was changed starts anew.
    """
    from chalicelib.core.tables import Repeat

    repeats = list(Repeat.query("jobs-repeating"))
    for repeat in repeats:
        repeat.delete()
    cloud.client("lambda").update_function_configuration(FunctionName=function, Description="Rehearsed")
    return [repeat.sk for repeat in repeats]


def repeated(names: list[str]) -> None:
    """The clock has struck: all of them were promised again, and done."""
    from chalicelib.core.tables import Repeat

    if "drop-upload-slots" not in names:
        raise Failure(f"the repeating jobs are {names}")
    until(
        "the schedule",
        lambda: {repeat.sk for repeat in Repeat.query("jobs-repeating")} >= set(names) and not set(names) & _waiting(),
        _A_MINUTE_OR_TWO,
    )
    _nobody_died()


def called(cloud: MiniStack, function: str) -> None:
    """The scheduled function folds the catalogue."""
    from chalicelib import settings
    from chalicelib.core.tables import Head

    with settings.override(queue=""):
        _promise_fold()
    answer = cloud.client("lambda").invoke(FunctionName=function, Payload=json.dumps(TICK))
    if "FunctionError" in answer:
        raise Failure(f"run_jobs: {answer['Payload'].read()!r}")
    until("a job, after the function was called", lambda: _FOLD not in _waiting())
    _nobody_died()
    head = Head.find("catalogue#luarocks", "head")
    if head is None or head.snapshot_sequence != head.sequence:
        raise Failure("the catalogue was not folded")


def woken() -> None:
    """A promise that is announced in the queue is kept at once."""
    _promise_fold()
    until("the job that the queue announced", lambda: _FOLD not in _waiting())
    _nobody_died()


def _promise_fold() -> None:
    from chalicelib.core import jobs
    from chalicelib.core.storage import Transaction

    writes = Transaction()
    jobs.enqueue(writes, _FOLD, {"name": "luarocks"})
    writes.commit()


def _waiting() -> set[str]:
    """The names of what is yet to be done."""
    from chalicelib.core import jobs

    return {job.name for job in jobs.waiting()}


def _nobody_died() -> None:
    from chalicelib.core import jobs

    if dead := [f"{job.name}: {job.error}" for job in jobs.dead()]:
        raise Failure(f"jobs were given up: {dead}")
