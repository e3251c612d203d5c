"""The events that run jobs on AWS: batches of SQS messages and EventBridge's schedule, as AWS documents them."""

from collections.abc import Iterator
from typing import Any

import pytest
from pynamodb.exceptions import QueryError

import app as moonbase
from chalicelib.core import jobs, registry
from chalicelib.core.declaration import Declaration, JobHandler
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import CoreItem, Job, Repeat
from tests.web.gateway_events import sample
from tests.worlds import both_worlds

pytestmark = [pytest.mark.usefixtures("aws"), both_worlds]
done: list[Any] = []


def handle(payload: Any) -> None:
    done.append(payload)
    if payload == "fails":
        raise RuntimeError("no luck")


@pytest.fixture(autouse=True)
def _register_handler() -> Iterator[None]:
    done.clear()
    with registry.including(Declaration(name="test", jobs=(JobHandler("test-event", handle),))):
        yield


def enqueue(*payloads: Any) -> None:
    writes = Transaction()
    for payload in payloads:
        jobs.enqueue(writes, "test-event", payload)
    writes.commit()


def test_a_batch_of_messages_runs_due_jobs_once() -> None:
    enqueue("first", "second")
    assert moonbase.wake_jobs(sample("sqs"), None) is None
    assert (sorted(done), jobs.pending()) == (["first", "second"], [])


def test_a_failed_job_blocks_neither_other_jobs_nor_its_message() -> None:
    """The table has the time of the next attempt; a redelivered message would only find that nothing is due."""
    enqueue("first", "fails", "second")
    moonbase.wake_jobs(sample("sqs"), None)
    assert sorted(done) == ["fails", "first", "second"]
    assert [(job.payload, job.attempts) for job in jobs.pending()] == [("fails", 1)]


def test_a_message_without_due_jobs_is_no_error() -> None:
    moonbase.wake_jobs(sample("sqs"), None)
    assert done == []


def test_messages_stay_in_the_queue_while_the_table_is_unavailable() -> None:
    CoreItem.delete_table()
    with pytest.raises(QueryError):
        moonbase.wake_jobs(sample("sqs"), None)


def test_the_schedule_runs_due_jobs_and_enqueues_repeating_ones() -> None:
    enqueue("first")
    moonbase.run_jobs(sample("schedule"), None)
    assert done == ["first"]
    repeats = {repeat.sk for repeat in Repeat.query("jobs-repeating")}
    assert repeats == set(registry.current().repeating_jobs)
    assert [job.error for job in Job.query("jobs-dead")] == []
    moonbase.run_jobs(sample("schedule"), None)
    assert jobs.pending() == []
