"""What wakes the functions on AWS: SQS' batches of messages, and EventBridge's schedule, as AWS documents them."""

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
def _nothing_done_yet() -> Iterator[None]:
    done.clear()
    with registry.including(Declaration(name="test", jobs=(JobHandler("test-event", handle),))):
        yield


def promise(*payloads: Any) -> None:
    writes = Transaction()
    for payload in payloads:
        jobs.enqueue(writes, "test-event", payload)
    writes.commit()


def test_a_batch_of_messages_does_what_is_due_once() -> None:
    promise("first", "second")
    assert moonbase.wake_jobs(sample("sqs"), None) is None
    assert (sorted(done), jobs.waiting()) == (["first", "second"], [])


def test_a_job_that_fails_keeps_no_other_back_and_no_message_in_the_queue() -> None:
    """Its next try is the table's business: a message that came back would only wake for nothing."""
    promise("first", "fails", "second")
    moonbase.wake_jobs(sample("sqs"), None)
    assert sorted(done) == ["fails", "first", "second"]
    assert [(job.payload, job.attempts) for job in jobs.waiting()] == [("fails", 1)]


def test_a_message_about_what_was_done_meanwhile_is_no_error() -> None:
    moonbase.wake_jobs(sample("sqs"), None)
    assert done == []


def test_messages_stay_in_the_queue_while_the_table_is_away() -> None:
    CoreItem.delete_table()
    with pytest.raises(QueryError):
        moonbase.wake_jobs(sample("sqs"), None)


def test_the_clock_does_what_is_due_and_promises_what_repeats() -> None:
    promise("first")
    moonbase.run_jobs(sample("schedule"), None)
    assert done == ["first"]
    repeats = {repeat.sk for repeat in Repeat.query("jobs-repeating")}
    assert repeats == set(registry.current().repeating_jobs)
    assert [job.error for job in Job.query("jobs-dead")] == []
    moonbase.run_jobs(sample("schedule"), None)
    assert jobs.waiting() == []
