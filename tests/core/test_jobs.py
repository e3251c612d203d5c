"""Jobs: enqueued in a transaction, run at least once, dead-lettered after eight failures."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine

import app as moonbase
from chalicelib import settings
from chalicelib.core import aws, job_runner, jobs, registry, wakeups
from chalicelib.core.declaration import Declaration, JobHandler, RepeatingJob
from chalicelib.core.errors import Conflict, NotFound
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import Claim, Job
from tests.worlds import both_worlds, embedded_only, moto_only

pytestmark = [pytest.mark.usefixtures("aws", "quiet"), both_worlds]
MOMENT = datetime(2026, 3, 1, 12, tzinfo=UTC)
TICK = ("version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail")
done: list[Any] = []


class Crash(BaseException):
    """A simulated end of the process."""


def note(payload: Any) -> None:
    done.append(payload)


def fail(payload: Any) -> None:
    done.append(payload)
    raise RuntimeError(f"no luck with {payload}")


def crash(payload: Any) -> None:
    done.append(payload)
    raise Crash


def is_no_failure(record: logging.LogRecord) -> bool:
    return record.levelno < logging.ERROR


@pytest.fixture
def quiet() -> Iterator[None]:
    """Handlers for the tests' jobs; the intended failures are not logged."""
    done.clear()
    logger = logging.getLogger("chalicelib.core.job_runner")
    logger.addFilter(is_no_failure)
    handlers = {"note": note, "fail": fail, "crash": crash, "later": later, "again": again}
    jobs = tuple(JobHandler(f"test-{name}", run) for name, run in handlers.items())
    daily_job = RepeatingJob("test-daily", daily, every=86400)
    with registry.including(Declaration(name="test", jobs=jobs, repeating_jobs=(daily_job,))):
        yield
    logger.removeFilter(is_no_failure)


@contextmanager
def handled(name: str, run: Callable[[Any], None]) -> Iterator[None]:
    """Register a handler for jobs of this name."""
    with registry.including(Declaration(name="more", jobs=(JobHandler(name, run),))):
        yield


def enqueue(name: str, payload: Any = None) -> None:
    writes = Transaction()
    jobs.enqueue(writes, name, payload)
    writes.commit()


def test_an_enqueued_job_is_run_with_its_payload() -> None:
    payload = {"list": [1, "ü", None], "deep": {"n": 2.5}}
    enqueue("test-note", payload)
    assert (job_runner.run_due(), done, jobs.pending()) == (1, [payload], [])


def test_a_job_is_run_once() -> None:
    enqueue("test-note", 1)
    assert ([job_runner.run_due() for _ in range(3)], done) == ([1, 0, 0], [1])


def test_jobs_are_run_in_the_order_in_which_they_were_enqueued() -> None:
    with time_machine.travel(MOMENT, tick=False) as clock:
        for number in range(4):
            enqueue("test-note", number)
            clock.shift(0.001)
        assert (job_runner.run_due(), done) == (4, [0, 1, 2, 3])


def test_a_job_can_have_no_payload() -> None:
    enqueue("test-note")
    assert (job_runner.run_due(), done) == (1, [None])


def test_a_failed_transaction_enqueues_nothing() -> None:
    Claim("name#x", "claim", holder="1").save()
    writes = Transaction()
    writes.create(Claim("name#x", "claim", holder="2"), Conflict("taken"))
    jobs.enqueue(writes, "test-note", 1)
    with pytest.raises(Conflict):
        writes.commit()
    assert (job_runner.run_due(), done) == (0, [])


def test_a_failed_job_does_not_stop_others() -> None:
    with time_machine.travel(MOMENT, tick=False) as clock:
        for name in ("test-fail", "test-note", "test-unknown", "test-note"):
            enqueue(name, name)
            clock.shift(0.001)
        assert (job_runner.run_due(), done) == (2, ["test-fail", "test-note", "test-note"])


def test_a_failed_job_is_retried_with_backoff_and_dead_lettered_after_eight_attempts() -> None:
    pauses, start = [], MOMENT.timestamp()
    with time_machine.travel(MOMENT, tick=False) as clock:
        enqueue("test-fail", "x")
        while jobs.pending():
            job_runner.run_due()
            for job in jobs.pending():
                assert job_runner.run_due() == 0
                pauses.append(job.due_at - start)
                clock.move_to(datetime.fromtimestamp(float(job.due_at), UTC))
                start = float(job.due_at)
    assert pauses == [5, 10, 20, 40, 80, 160, 320]
    assert done == ["x"] * 8


def test_a_dead_job_has_its_payload_and_error() -> None:
    with time_machine.travel(MOMENT, tick=False) as clock:
        enqueue("test-fail", {"n": 1})
        for _ in range(job_runner.ATTEMPTS):
            job_runner.run_due()
            clock.shift(3600)
        assert job_runner.run_due() == 0
    (job,) = jobs.dead()
    assert (job.name, job.payload, job.attempts, job.error) == (
        "test-fail",
        {"n": 1},
        8,
        "RuntimeError: no luck with {'n': 1}",
    )


def test_a_job_without_a_handler_is_dead_lettered() -> None:
    with time_machine.travel(MOMENT, tick=False) as clock:
        enqueue("test-unknown")
        for _ in range(job_runner.ATTEMPTS):
            job_runner.run_due()
            clock.shift(3600)
    assert [(job.name, job.error) for job in jobs.dead()] == [("test-unknown", "KeyError: 'test-unknown'")]


def test_a_job_is_run_again_after_a_crash() -> None:
    with time_machine.travel(MOMENT, tick=False) as clock:
        enqueue("test-crash", 1)
        for _ in range(3):
            with pytest.raises(Crash):
                job_runner.run_due()
            clock.shift(3600)
    assert done == [1, 1, 1]


def test_a_job_that_crashes_every_process_is_dead_lettered() -> None:
    with time_machine.travel(MOMENT, tick=False) as clock:
        enqueue("test-crash", 1)
        for _ in range(job_runner.ATTEMPTS):
            with pytest.raises(Crash):
                job_runner.run_due()
            clock.shift(3600)
        assert job_runner.run_due() == 0
    assert [(job.name, job.attempts, job.error) for job in jobs.dead()] == [
        ("test-crash", 8, "the process died in every attempt")
    ]
    assert (jobs.pending(), done) == ([], [1] * 8)


@embedded_only
def test_four_concurrent_runners_run_each_job_once() -> None:
    for number in range(10):
        enqueue("test-note", number)
    start = threading.Barrier(4)

    def run(_: int) -> int:
        start.wait()
        return job_runner.run_due()

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(run, range(4))) == 10
    assert sorted(done) == list(range(10))


def test_a_running_job_is_not_run_by_another_runner() -> None:
    inside: list[int] = []

    def slow(payload: Any) -> None:
        done.append(payload)
        inside.append(job_runner.run_due())

    with handled("test-slow", slow):
        enqueue("test-slow", 1)
        assert (job_runner.run_due(), inside, done) == (1, [0], [1])


def test_a_job_can_enqueue_another() -> None:
    def chain(payload: Any) -> None:
        enqueue("test-note", payload)

    with handled("test-chain", chain):
        enqueue("test-chain", 7)
        job_runner.run_due()
        job_runner.run_due()
    assert (done, jobs.pending()) == ([7], [])


def test_an_empty_queue_is_one_call(calls: list[str]) -> None:
    assert (job_runner.run_due(), calls) == (0, ["Query"])


def test_a_job_costs_a_query_a_lease_and_a_delete(calls: list[str]) -> None:
    enqueue("test-note")
    calls.clear()
    job_runner.run_due()
    assert calls == ["Query", "UpdateItem", "DeleteItem"]


def test_a_long_error_is_truncated() -> None:
    def wordy(payload: Any) -> None:
        raise ValueError("x" * 500_000)

    with time_machine.travel(MOMENT, tick=False) as clock, handled("test-wordy", wordy):
        enqueue("test-wordy")
        for _ in range(job_runner.ATTEMPTS):
            job_runner.run_due()
            clock.shift(3600)
    assert [len(job.error) for job in jobs.dead()] == [1000]


def daily() -> None:
    done.append("daily")


def pending_names() -> list[str]:
    return [job.name for job in jobs.pending() if job.name.startswith("test-")]


def test_a_repeating_job_is_run_once_per_period() -> None:
    with time_machine.travel(MOMENT, tick=False) as clock:
        for day in range(3):
            for _ in range(4):
                job_runner.enqueue_repeats()
                job_runner.run_due()
                clock.shift(3600)
            assert done.count("daily") == day + 1
            clock.shift(20 * 3600)


def test_periods_are_aligned_to_the_clock() -> None:
    with time_machine.travel(MOMENT, tick=False) as clock:
        job_runner.enqueue_repeats()
        clock.move_to(datetime(2026, 3, 1, 23, 59, 59, tzinfo=UTC))
        job_runner.enqueue_repeats()
        assert pending_names() == ["test-daily"]
        clock.move_to(datetime(2026, 3, 2, tzinfo=UTC))
        job_runner.enqueue_repeats()
        assert pending_names() == ["test-daily", "test-daily"]


def test_several_processes_enqueue_a_repeating_job_once() -> None:
    with time_machine.travel(MOMENT, tick=False):
        for _ in range(3):
            job_runner.reset_schedule()
            job_runner.enqueue_repeats()
        assert pending_names() == ["test-daily"]


def test_a_warm_process_makes_no_calls_before_the_next_period(calls: list[str]) -> None:
    with time_machine.travel(MOMENT, tick=False):
        job_runner.enqueue_repeats()
        calls.clear()
        job_runner.enqueue_repeats()
        assert calls == []


def test_a_repeating_job_can_be_run_immediately() -> None:
    job_runner.run_now("test-daily")
    assert done == ["daily"]


def test_an_unknown_repeating_job_is_an_error_with_the_known_names() -> None:
    with pytest.raises(NotFound, match=r"There is no repeating job test-note; there are: .*test-daily"):
        job_runner.run_now("test-note")


def enqueue_once(payload: Any, once: str = "thing", name: str = "test-note") -> None:
    writes = Transaction()
    jobs.enqueue(writes, name, payload, once=once)
    writes.commit()


def later(payload: Any) -> None:
    done.append(payload)
    if payload < 12:  # more often than the maximum number of attempts
        raise jobs.Reschedule(30, payload + 1)


def again(payload: Any) -> None:
    done.append(payload)
    if payload == "first":
        enqueue_once("second", name="test-again")


def test_jobs_with_the_same_key_are_deduplicated() -> None:
    for number in range(3):
        enqueue_once(number)
        enqueue_once(number + 10, once="other")
    assert len(jobs.pending()) == 2
    assert (job_runner.run_due(), sorted(done)) == (2, [2, 12])


def test_a_job_that_is_enqueued_while_it_runs_is_run_again() -> None:
    enqueue_once("first", name="test-again")
    assert (job_runner.run_due(), done, len(jobs.pending())) == (1, ["first"], 1)
    assert (job_runner.run_due(), done, jobs.pending()) == (1, ["first", "second"], [])


def test_a_handler_can_reschedule_its_job_any_number_of_times() -> None:
    with time_machine.travel(MOMENT, tick=False) as clock:
        enqueue("test-later", 1)
        for number in range(1, 13):
            assert (job_runner.run_due(), job_runner.run_due(), done[-1]) == (1, 0, number)
            clock.shift(30)
    assert (jobs.pending(), jobs.dead()) == ([], [])


@pytest.mark.parametrize("name", ["test-fail", "test-later"])
def test_the_result_of_a_job_does_not_affect_a_newly_enqueued_one(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with time_machine.travel(MOMENT, tick=False) as clock:
        enqueue_once(1, name=name)
        (job,) = jobs.pending()
        job.update(actions=[Job.attempts.set(job_runner.ATTEMPTS - 1)])
        handler = registry.current().jobs[name]

        def meanwhile(payload: Any) -> None:
            clock.shift(1)
            enqueue_once(99, name=name)
            handler.call(payload)

        monkeypatch.setitem(registry.current().jobs, name, JobHandler(name, meanwhile))
        job_runner.run_due()
        assert [(job.payload, job.attempts, job.due_at <= time.time()) for job in jobs.pending()] == [(99, 0, True)]
    assert jobs.dead() == []


def test_enqueueing_a_job_wakes_the_runner_in_this_process() -> None:
    wakeups.wait(0)
    with ThreadPoolExecutor(1) as pool:
        woken = pool.submit(wakeups.wait, 30)
        enqueue("test-note", 1)
        woken.result(timeout=10)


def test_a_failed_transaction_wakes_no_runner(calls: list[str]) -> None:
    Claim("name#y", "claim", holder="1").save()
    writes = Transaction()
    writes.create(Claim("name#y", "claim", holder="2"), Conflict("taken"))
    jobs.enqueue(writes, "test-note", 1)
    calls.clear()
    with pytest.raises(Conflict), settings.override(queue="https://sqs.us-east-1.amazonaws.com/123456789012/jobs"):
        writes.commit()
    assert calls == ["TransactWriteItems"]


@moto_only
def test_on_aws_a_commit_with_jobs_sends_one_message(calls: list[str]) -> None:
    client = aws.client("sqs")
    url = client.create_queue(QueueName="jobs")["QueueUrl"]
    writes = Transaction()
    with settings.override(queue=url):
        jobs.enqueue(writes, "test-note", 1)
        jobs.enqueue(writes, "test-note", 2)
        calls.clear()
        writes.commit()
    assert calls == ["TransactWriteItems", "SendMessage"]
    (message,) = client.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    assert message["Body"] == "jobs"


@moto_only
def test_a_message_makes_the_function_run_due_jobs() -> None:
    enqueue("test-note", 1)
    moonbase.wake_jobs({"Records": [{"body": "jobs", "receiptHandle": "x"}]}, None)
    assert done == [1]


@moto_only
def test_an_unavailable_queue_loses_no_job() -> None:
    with settings.override(queue="https://sqs.us-east-1.amazonaws.com/123456789012/no-such-queue"):
        enqueue("test-note", 1)
    assert (job_runner.run_due(), done) == (1, [1])


def dead_letter() -> str:
    """Dead-letter a job and return its number."""
    with time_machine.travel(MOMENT, tick=False) as clock:
        enqueue("test-fail", "x")
        for _ in range(job_runner.ATTEMPTS):
            job_runner.run_due()
            clock.shift(3600)
    (job,) = jobs.dead()
    return str(job.sk)


def test_a_dead_job_can_be_retried() -> None:
    number = dead_letter()
    assert jobs.retry(number).payload == "x"
    (job,) = jobs.pending()
    assert (job.name, job.attempts, jobs.dead()) == ("test-fail", 0, [])
    job_runner.run_due()
    assert len(done) == job_runner.ATTEMPTS + 1


def test_only_a_dead_job_can_be_retried() -> None:
    enqueue("test-note")
    (job,) = jobs.pending()
    for number in (str(job.sk), "nonsense"):
        with pytest.raises(NotFound, match="There is no dead job"):
            jobs.retry(number)


def test_retrying_a_job_twice_enqueues_it_once() -> None:
    number = dead_letter()
    jobs.retry(number)
    with pytest.raises(NotFound):
        jobs.retry(number)
    assert len(jobs.pending()) == 1


def reported(caplog: pytest.LogCaptureFixture) -> dict[str, Any]:
    """The fields of the log line, for metrics."""
    caplog.clear()
    with caplog.at_level(logging.INFO, "chalicelib.core.job_runner"):
        job_runner.report()
    (record,) = caplog.records
    return {name: getattr(record, name) for name in ("oldest_job", "dead_jobs")}


def test_the_log_has_the_age_of_the_oldest_due_job(caplog: pytest.LogCaptureFixture) -> None:
    with time_machine.travel(MOMENT, tick=False) as clock:
        assert reported(caplog) == {"oldest_job": 0, "dead_jobs": 0}
        enqueue("test-note")
        clock.shift(90)
        enqueue("test-note")
        assert reported(caplog) == {"oldest_job": 90, "dead_jobs": 0}
        job_runner.run_due()
        assert reported(caplog) == {"oldest_job": 0, "dead_jobs": 0}


def test_a_job_that_waits_for_its_next_attempt_is_not_due(caplog: pytest.LogCaptureFixture) -> None:
    with time_machine.travel(MOMENT, tick=False) as clock:
        enqueue("test-fail")
        job_runner.run_due()
        clock.shift(4)
        assert reported(caplog)["oldest_job"] == 0
        clock.shift(7)
        assert reported(caplog)["oldest_job"] == 6


def test_the_log_has_the_number_of_dead_jobs(caplog: pytest.LogCaptureFixture) -> None:
    dead_letter()
    assert reported(caplog)["dead_jobs"] == 1


def test_the_scheduled_function_reports_before_it_runs_jobs(caplog: pytest.LogCaptureFixture) -> None:
    enqueue("test-note")
    with caplog.at_level(logging.INFO, "chalicelib.core.job_runner"):
        moonbase.run_jobs(dict.fromkeys(TICK, ""), None)
    assert "jobs are dead" in caplog.text
    assert None in done
