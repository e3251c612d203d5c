"""The time of jobs: delays, slices, deadlines, lanes and progress."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest
import time_machine

import app as moonbase
from chalicelib import settings
from chalicelib.core import aws, job_runner, jobs, registry, wakeups
from chalicelib.core.declaration import Declaration, JobHandler, RepeatingJob
from chalicelib.core.errors import Conflict
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import Claim, Counter
from standalone import runtime
from tests.aws_calls import AwsCall, dies, listening
from tests.web.gateway_events import sample
from tests.worlds import both_worlds, embedded_only, moto_only

pytestmark = [pytest.mark.usefixtures("aws"), both_worlds]
MOMENT = datetime(2026, 3, 1, 12, tzinfo=UTC)
done: list[Any] = []


@pytest.fixture(autouse=True)
def _no_runs() -> None:
    done.clear()


@contextmanager
def handled(*handlers: JobHandler, repeating: tuple[RepeatingJob, ...] = ()) -> Iterator[None]:
    with registry.including(Declaration(name="test", jobs=handlers, repeating_jobs=repeating)):
        yield


def enqueue(name: str, payload: Any = None, delay: float = 0.0, once: str | None = None) -> None:
    writes = Transaction()
    jobs.enqueue(writes, name, payload, once, delay)
    writes.commit()


NOTE = JobHandler("test-note", done.append)
SLOW = JobHandler("test-slow", done.append, lane="slow")


def test_a_delayed_job_is_due_after_its_delay() -> None:
    with handled(NOTE), time_machine.travel(MOMENT, tick=False) as clock:
        enqueue("test-note", 1, delay=90)
        clock.shift(89)
        assert (job_runner.run_due(), done) == (0, [])
        clock.shift(1)
        assert (job_runner.run_due(), done, jobs.pending()) == (1, [1], [])


def test_a_delayed_job_with_a_key_waits_anew_when_it_is_enqueued_again() -> None:
    with handled(NOTE), time_machine.travel(MOMENT, tick=False) as clock:
        enqueue("test-note", 1, delay=60, once="x")
        clock.shift(50)
        enqueue("test-note", 2, delay=60, once="x")
        clock.shift(50)
        assert job_runner.run_due() == 0
        clock.shift(10)
        assert (job_runner.run_due(), done) == (1, [2])


def test_the_threads_of_this_process_wake_when_a_delayed_job_is_due() -> None:
    enqueue("test-note", delay=0.2)
    began = time.monotonic()
    while jobs.pending()[0].due_at > time.time():
        wakeups.wait(30)
    assert 0.1 < time.monotonic() - began < 5


def test_every_lane_is_woken() -> None:
    for lane in wakeups.LANES:
        wakeups.wait(0, lane)
    enqueue("test-note")
    began = time.monotonic()
    for lane in wakeups.LANES:
        wakeups.wait(30, lane)
    assert time.monotonic() - began < 5


@pytest.fixture
def queue() -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """The stack's queue; returns its messages and their delays."""
    url = aws.client("sqs").create_queue(QueueName="jobs")["QueueUrl"]
    sent: list[AwsCall] = []
    with settings.override(queue=url), listening(sent.append):
        yield lambda: [
            {name: call.parameters[name] for name in ("MessageBody", "DelaySeconds")}
            for call in sent
            if call.operation == "SendMessage"
        ]


@moto_only
def test_on_aws_a_delay_is_that_of_the_message_in_whole_seconds(queue: Callable[[], Any]) -> None:
    enqueue("test-note", delay=12.3)
    assert queue() == [{"MessageBody": "jobs", "DelaySeconds": 13}]


@moto_only
def test_on_aws_a_job_that_is_due_after_more_than_fifteen_minutes_is_found_by_the_schedule(
    queue: Callable[[], Any],
) -> None:
    with handled(NOTE), time_machine.travel(MOMENT, tick=False) as clock:
        enqueue("test-note", 1, delay=901)
        assert queue() == []
        clock.shift(901)
        moonbase.run_jobs(sample("schedule"), None)
        assert 1 in done


@moto_only
def test_on_aws_a_rescheduled_job_and_a_retry_send_delayed_messages(
    queue: Callable[[], Any], caplog: pytest.LogCaptureFixture
) -> None:
    def handle(payload: Any) -> None:
        if payload == "later":
            raise jobs.Reschedule(30, "again")
        raise RuntimeError

    with handled(JobHandler("test-note", handle)):
        enqueue("test-note", "later")
        enqueue("test-note", "fails")
        job_runner.run_due()
    assert [message["DelaySeconds"] for message in queue()] == [0, 0, 30, 5]


def test_a_job_has_a_slice_of_time() -> None:
    left: list[float] = []
    with handled(JobHandler("test-time", lambda _: left.append(jobs.time_left()))):
        enqueue("test-time")
        job_runner.run_due()
        enqueue("test-time")
        job_runner.run_due(seconds=5)
    assert 0 < job_runner.SLICE - left[0] < 5
    assert 4 < left[1] <= 5
    assert jobs.time_left() == float("inf")


def test_no_job_starts_after_the_deadline_and_another_runner_is_woken() -> None:
    with handled(NOTE):
        enqueue("test-note", 1)
        wakeups.wait(0)
        assert (job_runner.run_due(seconds=0), done) == (0, [])
        began = time.monotonic()
        wakeups.wait(30)
        assert time.monotonic() - began < 5
        assert [(job.attempts, job.leased) for job in jobs.pending()] == [(0, False)]
        assert (job_runner.run_due(), done) == (1, [1])


@moto_only
@pytest.mark.parametrize("function", ["run_jobs", "wake_jobs"])
def test_a_function_starts_no_job_in_its_last_minute(function: str) -> None:
    event = sample("schedule" if function == "run_jobs" else "sqs")
    with handled(NOTE):
        for milliseconds, expected in ((59_000, []), (61_000, [1])):
            enqueue("test-note", 1)
            context = SimpleNamespace(get_remaining_time_in_millis=lambda milliseconds=milliseconds: milliseconds)
            getattr(moonbase, function)(event, context)
            assert [each for each in done if each] == expected
            for job in jobs.pending():
                job.delete()


def add_in_slices(cursor: Any) -> None:
    """Count each of twenty numbers in a transaction of its own, one per slice, and remember that it was counted."""
    number = cursor or 0
    if number == 20:
        return
    writes = Transaction()
    writes.create(Claim(f"number#{number}", "claim", holder="1"), Conflict("it was counted"))
    writes.update(Counter("counter#test", "counter"), [Counter.kind.set(Counter), Counter.value.add(1)])
    try:
        writes.commit()
    except Conflict:
        done.append(number)
    jobs.report_progress(f"{number + 1} of 20")
    raise jobs.Reschedule(0, number + 1)


def test_a_job_that_is_killed_in_each_slice_loses_nothing_and_does_nothing_twice() -> None:
    with (
        handled(JobHandler("test-slices", add_in_slices, lane="slow")),
        time_machine.travel(MOMENT, tick=False) as clock,
    ):
        enqueue("test-slices")
        deaths = 0
        for died_after in count():
            deaths += dies(job_runner.run_due, died_after % 6)  # query, lease, work, progress, postponement
            clock.shift(jobs.LEASE + 1)
            if not jobs.pending():
                break
    assert Counter.get("counter#test", "counter").value == 20
    assert deaths > 20
    assert done  # at least one slice was killed after its work, and repeated
    assert jobs.dead() == []


def test_a_sliced_job_continues_at_once_and_lets_others_run_between_its_slices() -> None:
    def handle(payload: Any) -> None:
        done.append(payload)
        if payload < 2:
            enqueue("test-note", "between")
            raise jobs.Reschedule(0, payload + 1)

    with handled(NOTE, JobHandler("test-sliced", handle)):
        enqueue("test-sliced", 0)
        while jobs.pending():
            job_runner.run_due()
    assert done == [0, "between", 1, "between", 2] or done == [0, 1, "between", 2, "between"]


def test_a_repeating_job_continues_where_its_slice_ended() -> None:
    def run() -> None:
        resume(0)

    def resume(payload: int) -> None:
        done.append(payload)
        if payload < 3:
            raise jobs.Reschedule(0, payload + 1)

    with handled(repeating=(RepeatingJob("test-daily", run, every=86400, resume=resume),)):
        enqueue("test-daily")
        while jobs.pending():
            job_runner.run_due()
        job_runner.run_now("test-daily")
    assert done == [0, 1, 2, 3] * 2


def test_short_jobs_run_before_slow_ones() -> None:
    with handled(NOTE, SLOW):
        enqueue("test-slow", "slow")
        enqueue("test-note", "short")
        assert (job_runner.run_due(), done) == (2, ["short", "slow"])


def test_a_runner_of_one_lane_runs_no_job_of_the_other() -> None:
    with handled(NOTE, SLOW):
        enqueue("test-slow", "slow")
        enqueue("test-note", "short")
        assert (job_runner.run_due(lanes=["short"]), done) == (1, ["short"])
        assert (job_runner.run_due(lanes=["slow"]), done) == (1, ["short", "slow"])


def test_slow_jobs_wait_while_enough_of_them_run() -> None:
    runs: list[tuple[int, list[Any]]] = []

    def handle(payload: Any) -> None:
        if payload < job_runner.MOST_SLOW:
            enqueue("test-slow", payload + 1)
            job_runner.run_due()
        else:
            enqueue("test-slow", "too many")
            enqueue("test-note", "short")
            runs.append((job_runner.run_due(), [*done]))

    with handled(NOTE, JobHandler("test-slow", handle, lane="slow")):
        enqueue("test-slow", 1)
        job_runner.run_due()
    assert runs == [(1, ["short"])]


@embedded_only
def test_on_one_machine_a_slow_job_does_not_delay_short_ones() -> None:
    finished, short = threading.Event(), threading.Event()
    slow = JobHandler("test-slow", lambda _: done.append(finished.wait(30)), lane="slow")
    with handled(JobHandler("test-note", lambda _: short.set()), slow):
        enqueue("test-slow")
        runner = threading.Thread(target=job_runner.run_due, kwargs={"lanes": ["slow"]})
        runner.start()
        enqueue("test-note")
        job_runner.run_due(lanes=["short"])
        assert short.is_set()
        assert not done
        finished.set()
        runner.join()
    assert done == [True]


def test_progress_is_stored_and_renews_the_lease() -> None:
    def handle(payload: Any) -> None:
        clock.shift(500)
        jobs.report_progress("1 of 2 packages")
        jobs.report_progress("2 of 2 packages")  # too soon after the first
        (job,) = jobs.pending()
        done.append((job.progress, job.leased, job.due_at - time.time()))

    with handled(JobHandler("test-long", handle)), time_machine.travel(MOMENT, tick=False) as clock:
        enqueue("test-long")
        assert job_runner.run_due() == 1
    assert (done, jobs.pending()) == ([("1 of 2 packages", True, jobs.LEASE)], [])


def test_progress_of_a_job_that_was_enqueued_again_is_not_stored() -> None:
    def handle(payload: Any) -> None:
        if payload == "first":
            clock.shift(1)
            enqueue("test-long", "second", once="x")
            jobs.report_progress("1 of 2")

    with handled(JobHandler("test-long", handle)), time_machine.travel(MOMENT, tick=False) as clock:
        enqueue("test-long", "first", once="x")
        job_runner.run_due()
        assert [(job.payload, job.progress, job.leased) for job in jobs.pending()] == [("second", None, False)]


@embedded_only
def test_one_machine_runs_each_lane_in_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[str] = []
    monkeypatch.setattr(threading.Thread, "start", lambda thread: started.append(thread.name))
    runtime.start_jobs()
    assert started == ["short-jobs", "slow-jobs"]
