"""Jobs: promised with the deed, done at least once, given up after eight failures."""

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
from chalicelib.core import aws, jobs, registry
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
    """The end of a process, as far as the queue can see."""


def note(payload: Any) -> None:
    done.append(payload)


def fail(payload: Any) -> None:
    done.append(payload)
    raise RuntimeError(f"no luck with {payload}")


def crash(payload: Any) -> None:
    done.append(payload)
    raise Crash


@pytest.fixture
def quiet() -> Iterator[None]:
    """Nothing done yet, and failures that are meant to happen stay out of the log."""
    done.clear()
    logger = logging.getLogger("chalicelib.core.jobs")
    logger.disabled = True
    handlers = {"note": note, "fail": fail, "crash": crash, "later": later, "again": again}
    jobs = tuple(JobHandler(f"test-{name}", run) for name, run in handlers.items())
    daily_job = RepeatingJob("test-daily", daily, every=86400)
    with registry.including(Declaration(name="test", jobs=jobs, repeating_jobs=(daily_job,))):
        yield
    logger.disabled = False


@contextmanager
def handled(name: str, run: Callable[[Any], None]) -> Iterator[None]:
    """Let a function run the jobs of this name for a while."""
    with registry.including(Declaration(name="more", jobs=(JobHandler(name, run),))):
        yield


def promise(name: str, payload: Any = None) -> None:
    writes = Transaction()
    jobs.enqueue(writes, name, payload)
    writes.commit()


def waiting() -> list[Job]:
    return list(Job.query("jobs", consistent_read=True))


def test_a_promised_job_is_done_with_its_payload() -> None:
    payload = {"list": [1, "ü", None], "deep": {"n": 2.5}}
    promise("test-note", payload)
    assert (jobs.run_due(), done, waiting()) == (1, [payload], [])


def test_a_job_is_done_once() -> None:
    promise("test-note", 1)
    assert ([jobs.run_due() for _ in range(3)], done) == ([1, 0, 0], [1])


def test_jobs_are_done_in_the_order_of_their_promises() -> None:
    with time_machine.travel(MOMENT, tick=False) as clock:
        for number in range(4):
            promise("test-note", number)
            clock.shift(0.001)
        assert (jobs.run_due(), done) == (4, [0, 1, 2, 3])


def test_a_job_may_have_no_payload() -> None:
    promise("test-note")
    assert (jobs.run_due(), done) == (1, [None])


def test_a_refused_transaction_promises_nothing() -> None:
    Claim("name#x", "claim", holder="1").save()
    writes = Transaction()
    writes.create(Claim("name#x", "claim", holder="2"), Conflict("taken"))
    jobs.enqueue(writes, "test-note", 1)
    with pytest.raises(Conflict):
        writes.commit()
    assert (jobs.run_due(), done) == (0, [])


def test_a_failure_does_not_stop_the_others() -> None:
    with time_machine.travel(MOMENT, tick=False) as clock:
        for name in ("test-fail", "test-note", "test-nobody-knows", "test-note"):
            promise(name, name)
            clock.shift(0.001)
        assert (jobs.run_due(), done) == (2, ["test-fail", "test-note", "test-note"])


def test_a_failed_job_waits_longer_each_time_and_is_dead_after_eight() -> None:
    pauses, start = [], MOMENT.timestamp()
    with time_machine.travel(MOMENT, tick=False) as clock:
        promise("test-fail", "x")
        while waiting():
            jobs.run_due()
            for job in waiting():
                assert jobs.run_due() == 0
                pauses.append(job.due_at - start)
                clock.move_to(datetime.fromtimestamp(float(job.due_at), UTC))
                start = float(job.due_at)
    assert pauses == [5, 10, 20, 40, 80, 160, 320]
    assert done == ["x"] * 8


def test_a_dead_job_keeps_what_it_was_and_why_it_failed() -> None:
    with time_machine.travel(MOMENT, tick=False) as clock:
        promise("test-fail", {"n": 1})
        for _ in range(jobs.ATTEMPTS):
            jobs.run_due()
            clock.shift(3600)
        assert jobs.run_due() == 0
    (job,) = jobs.dead()
    assert (job.name, job.payload, job.attempts, job.error) == (
        "test-fail",
        {"n": 1},
        8,
        "RuntimeError: no luck with {'n': 1}",
    )


def test_a_job_that_nobody_knows_ends_among_the_dead_by_its_name() -> None:
    with time_machine.travel(MOMENT, tick=False) as clock:
        promise("test-nobody-knows")
        for _ in range(jobs.ATTEMPTS):
            jobs.run_due()
            clock.shift(3600)
    assert [(job.name, job.error) for job in jobs.dead()] == [("test-nobody-knows", "KeyError: 'test-nobody-knows'")]


def test_after_a_crash_the_job_is_done_again() -> None:
    with time_machine.travel(MOMENT, tick=False) as clock:
        promise("test-crash", 1)
        for _ in range(3):
            with pytest.raises(Crash):
                jobs.run_due()
            clock.shift(3600)
    assert done == [1, 1, 1]


def test_a_job_that_ends_every_process_is_given_up_too() -> None:
    with time_machine.travel(MOMENT, tick=False) as clock:
        promise("test-crash", 1)
        for _ in range(jobs.ATTEMPTS):
            with pytest.raises(Crash):
                jobs.run_due()
            clock.shift(3600)
        assert jobs.run_due() == 0
    assert [(job.name, job.attempts, job.error) for job in jobs.dead()] == [
        ("test-crash", 8, "nobody came back from it")
    ]
    assert (waiting(), done) == ([], [1] * 8)


@embedded_only
def test_four_runners_at_once_do_each_job_once() -> None:
    for number in range(10):
        promise("test-note", number)
    start = threading.Barrier(4)

    def run(_: int) -> int:
        start.wait()
        return jobs.run_due()

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(run, range(4))) == 10
    assert sorted(done) == list(range(10))


def test_a_job_that_is_being_done_is_not_done_by_another_runner() -> None:
    inside: list[int] = []

    def slow(payload: Any) -> None:
        done.append(payload)
        inside.append(jobs.run_due())

    with handled("test-slow", slow):
        promise("test-slow", 1)
        assert (jobs.run_due(), inside, done) == (1, [0], [1])


def test_a_job_may_promise_another() -> None:
    def chain(payload: Any) -> None:
        promise("test-note", payload)

    with handled("test-chain", chain):
        promise("test-chain", 7)
        jobs.run_due()
        jobs.run_due()
    assert (done, waiting()) == ([7], [])


def test_an_empty_queue_is_one_call(calls: list[str]) -> None:
    assert (jobs.run_due(), calls) == (0, ["Query"])


def test_a_job_is_a_query_a_take_and_a_delete(calls: list[str]) -> None:
    promise("test-note")
    calls.clear()
    jobs.run_due()
    assert calls == ["Query", "UpdateItem", "DeleteItem"]


def test_a_long_error_is_cut() -> None:
    def wordy(payload: Any) -> None:
        raise ValueError("x" * 500_000)

    with time_machine.travel(MOMENT, tick=False) as clock, handled("test-wordy", wordy):
        promise("test-wordy")
        for _ in range(jobs.ATTEMPTS):
            jobs.run_due()
            clock.shift(3600)
    assert [len(job.error) for job in jobs.dead()] == [1000]


def daily() -> None:
    done.append("daily")


def names_waiting() -> list[str]:
    return [job.name for job in waiting() if job.name.startswith("test-")]


def test_a_repeating_job_is_done_once_in_every_period() -> None:
    with time_machine.travel(MOMENT, tick=False) as clock:
        for day in range(3):
            for _ in range(4):
                jobs.enqueue_repeats()
                jobs.run_due()
                clock.shift(3600)
            assert done.count("daily") == day + 1
            clock.shift(20 * 3600)


def test_periods_are_aligned_to_the_clock() -> None:
    with time_machine.travel(MOMENT, tick=False) as clock:
        jobs.enqueue_repeats()
        clock.move_to(datetime(2026, 3, 1, 23, 59, 59, tzinfo=UTC))
        jobs.enqueue_repeats()
        assert names_waiting() == ["test-daily"]
        clock.move_to(datetime(2026, 3, 2, tzinfo=UTC))
        jobs.enqueue_repeats()
        assert names_waiting() == ["test-daily", "test-daily"]


def test_many_processes_promise_a_repeating_job_once() -> None:
    with time_machine.travel(MOMENT, tick=False):
        for _ in range(3):
            jobs.forget()
            jobs.enqueue_repeats()
        assert names_waiting() == ["test-daily"]


def test_a_warm_process_asks_nothing_before_the_next_period(calls: list[str]) -> None:
    with time_machine.travel(MOMENT, tick=False):
        jobs.enqueue_repeats()
        calls.clear()
        jobs.enqueue_repeats()
        assert calls == []


def test_a_repeating_job_can_be_done_at_once() -> None:
    jobs.run_now("test-daily")
    assert done == ["daily"]


def test_an_unknown_repeating_job_is_refused_with_the_known_names() -> None:
    with pytest.raises(NotFound, match=r"There is no repeating job test-note; there are: .*test-daily"):
        jobs.run_now("test-note")


def promise_once(payload: Any, once: str = "thing", name: str = "test-note") -> None:
    writes = Transaction()
    jobs.enqueue(writes, name, payload, once=once)
    writes.commit()


def later(payload: Any) -> None:
    done.append(payload)
    if payload < 12:  # more often than a job may fail
        raise jobs.Later(30, payload + 1)


def again(payload: Any) -> None:
    done.append(payload)
    if payload == "first":
        promise_once("second", name="test-again")


def test_of_the_jobs_about_one_thing_the_last_is_done() -> None:
    for number in range(3):
        promise_once(number)
        promise_once(number + 10, once="other")
    assert len(waiting()) == 2
    assert (jobs.run_due(), sorted(done)) == (2, [2, 12])


def test_a_job_that_is_promised_anew_while_it_is_done_is_done_again() -> None:
    promise_once("first", name="test-again")
    assert (jobs.run_due(), done, len(waiting())) == (1, ["first"], 1)
    assert (jobs.run_due(), done, waiting()) == (1, ["first", "second"], [])


def test_a_handler_may_want_to_be_called_again_later_and_as_often_as_it_likes() -> None:
    with time_machine.travel(MOMENT, tick=False) as clock:
        promise("test-later", 1)
        for number in range(1, 13):
            assert (jobs.run_due(), jobs.run_due(), done[-1]) == (1, 0, number)
            clock.shift(30)
    assert (waiting(), jobs.dead()) == ([], [])


@pytest.mark.parametrize("name", ["test-fail", "test-later"])
def test_what_became_of_a_job_does_not_undo_its_new_promise(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with time_machine.travel(MOMENT, tick=False) as clock:
        promise_once(1, name=name)
        (job,) = waiting()
        job.update(actions=[Job.attempts.set(jobs.ATTEMPTS - 1)])
        handler = registry.current().jobs[name]

        def meanwhile(payload: Any) -> None:
            clock.shift(1)
            promise_once(99, name=name)
            handler.call(payload)

        monkeypatch.setitem(registry.current().jobs, name, JobHandler(name, meanwhile))
        jobs.run_due()
        assert [(job.payload, job.attempts, job.due_at <= time.time()) for job in waiting()] == [(99, 0, True)]
    assert jobs.dead() == []


def test_a_promise_wakes_who_waits_in_this_process_at_once() -> None:
    jobs.wait(0)
    with ThreadPoolExecutor(1) as pool:
        woken = pool.submit(jobs.wait, 30)
        promise("test-note", 1)
        woken.result(timeout=10)


def test_a_promise_that_was_refused_wakes_nobody(calls: list[str]) -> None:
    Claim("name#y", "claim", holder="1").save()
    writes = Transaction()
    writes.create(Claim("name#y", "claim", holder="2"), Conflict("taken"))
    jobs.enqueue(writes, "test-note", 1)
    calls.clear()
    with pytest.raises(Conflict), settings.override(queue="https://sqs.us-east-1.amazonaws.com/123456789012/jobs"):
        writes.commit()
    assert calls == ["TransactWriteItems"]


@moto_only
def test_on_aws_a_promise_is_one_message_once_it_is_written(calls: list[str]) -> None:
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
def test_a_message_makes_the_function_do_what_is_due() -> None:
    promise("test-note", 1)
    moonbase.wake_jobs({"Records": [{"body": "jobs", "receiptHandle": "x"}]}, None)
    assert done == [1]


@moto_only
def test_a_queue_that_is_away_costs_no_job() -> None:
    with settings.override(queue="https://sqs.us-east-1.amazonaws.com/123456789012/no-such-queue"):
        promise("test-note", 1)
    assert (jobs.run_due(), done) == (1, [1])


def bury() -> str:
    """A job that was given up."""
    with time_machine.travel(MOMENT, tick=False) as clock:
        promise("test-fail", "x")
        for _ in range(jobs.ATTEMPTS):
            jobs.run_due()
            clock.shift(3600)
    (job,) = jobs.dead()
    return str(job.sk)


def test_a_dead_job_can_be_tried_again() -> None:
    number = bury()
    assert jobs.retry(number).payload == "x"
    (job,) = jobs.waiting()
    assert (job.name, job.attempts, jobs.dead()) == ("test-fail", 0, [])
    jobs.run_due()
    assert len(done) == jobs.ATTEMPTS + 1


def test_only_a_dead_job_can_be_tried_again() -> None:
    promise("test-note")
    (job,) = jobs.waiting()
    for number in (str(job.sk), "nonsense"):
        with pytest.raises(NotFound, match="There is no dead job"):
            jobs.retry(number)


def test_two_who_retry_a_job_make_one_of_it() -> None:
    number = bury()
    jobs.retry(number)
    with pytest.raises(NotFound):
        jobs.retry(number)
    assert len(jobs.waiting()) == 1


def reported(caplog: pytest.LogCaptureFixture) -> dict[str, Any]:
    """What the log has as fields, for metrics."""
    logging.getLogger("chalicelib.core.jobs").disabled = False
    caplog.clear()
    with caplog.at_level(logging.INFO, "chalicelib.core.jobs"):
        jobs.report()
    (record,) = caplog.records
    return {name: getattr(record, name) for name in ("oldest_job", "dead_jobs")}


def test_the_log_tells_for_how_long_a_job_has_been_due(caplog: pytest.LogCaptureFixture) -> None:
    with time_machine.travel(MOMENT, tick=False) as clock:
        assert reported(caplog) == {"oldest_job": 0, "dead_jobs": 0}
        promise("test-note")
        clock.shift(90)
        promise("test-note")
        assert reported(caplog) == {"oldest_job": 90, "dead_jobs": 0}
        jobs.run_due()
        assert reported(caplog) == {"oldest_job": 0, "dead_jobs": 0}


def test_a_job_that_waits_for_its_next_try_is_not_due(caplog: pytest.LogCaptureFixture) -> None:
    with time_machine.travel(MOMENT, tick=False) as clock:
        promise("test-fail")
        jobs.run_due()
        clock.shift(4)
        assert reported(caplog)["oldest_job"] == 0
        clock.shift(7)
        assert reported(caplog)["oldest_job"] == 6


def test_the_log_tells_how_many_jobs_were_given_up(caplog: pytest.LogCaptureFixture) -> None:
    bury()
    assert reported(caplog)["dead_jobs"] == 1


def test_the_clock_reports_before_it_works(caplog: pytest.LogCaptureFixture) -> None:
    promise("test-note")
    with caplog.at_level(logging.INFO, "chalicelib.core.jobs"):
        logging.getLogger("chalicelib.core.jobs").disabled = False
        moonbase.run_jobs(dict.fromkeys(TICK, ""), None)
    assert "were given up" in caplog.text
    assert None in done
