"""CounterSet: every count is stored at once, published once, and read by every process.

A second `CounterSet` with the same name represents another process.
"""

import random
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st
from pynamodb.attributes import NumberAttribute

from chalicelib import settings
from chalicelib.core import blobs, fsck, registry
from chalicelib.core.catalogues import counters
from chalicelib.core.catalogues.counters import CounterSet
from chalicelib.core.catalogues.counts import CountCodec, CountValues, pack_all
from chalicelib.core.catalogues.tables import CountersDelta, CountersHead, CountersMark
from chalicelib.core.declaration import Declaration
from chalicelib.core.storage import Item, table_name
from tests.aws_calls import dies, meanwhile, refusing
from tests.worlds import both_worlds, embedded_only

pytestmark = [pytest.mark.usefixtures("aws"), both_worlds]


class Clicks(Item):
    """A counter of the tests. `clicks` / `<thing>`."""

    class Meta:
        table_name = table_name("core")
        region = settings.current().region

    number = NumberAttribute(default=0)


def read(things: Collection[str]) -> dict[str, int]:
    found = Clicks.batch_get([("clicks", thing) for thing in things], consistent_read=True)
    return {item.sk: int(item.number) for item in found}


def everything() -> Iterator[tuple[str, int]]:
    return ((item.sk, int(item.number)) for item in Clicks.query("clicks", consistent_read=True))


def process() -> CounterSet[int]:
    """The counters of a new process."""
    return CounterSet("test", int, read=read, everything=everything)


def click(where: CounterSet[int], thing: str, times: int = 1) -> None:
    for _ in range(times):
        where.count(thing, Clicks("clicks", thing), [Clicks.number.add(1)])


def deltas() -> list[int]:
    return [int(delta.sk) for delta in CountersDelta.query("counters-deltas#test", consistent_read=True)]


def marks() -> list[str]:
    return sorted(mark.thing for mark in CountersMark.query("counters-marks#test", consistent_read=True))


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    """Stop the clock at the beginning of a slot; yields the clock."""
    with time_machine.travel(datetime(2026, 3, 1, 12, tzinfo=UTC), tick=False) as clock:
        yield clock


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each process look for new deltas each time."""
    monkeypatch.setattr(counters, "FOLLOW_EVERY", 0.0)


def test_without_counts_a_thing_has_no_value() -> None:
    assert process().counts().get("a") is None


def test_the_job_publishes_counts_for_all_processes() -> None:
    here, there = process(), process()
    click(here, "a", 2)
    here.publish()
    assert [each.counts().get("a") for each in (here, there, process())] == [2, 2, 2]
    click(there, "a")
    click(there, "b")
    process().publish()
    assert [(each.counts().get("a"), each.counts().get("b")) for each in (here, there, process())] == [(3, 1)] * 3


def test_one_count_is_one_write_and_the_first_of_a_slot_has_a_mark(calls: list[str], clock: Any) -> None:
    here = process()
    click(here, "a")
    assert calls == ["UpdateItem", "PutItem"]
    calls.clear()
    click(here, "a", 3)
    assert calls == ["UpdateItem"] * 3
    clock.shift(counters.SLOT)
    calls.clear()
    click(here, "a")
    click(here, "a")
    assert calls == ["UpdateItem", "PutItem", "UpdateItem"]


def test_a_count_whose_condition_fails_marks_nothing() -> None:
    here = process()
    assert here.count("a", Clicks("clicks", "a"), [Clicks.number.add(1)], Clicks.pk.exists()) == (False, None)
    assert marks() == []


def test_a_warm_process_follows_with_one_query(calls: list[str]) -> None:
    here, job = process(), process()
    click(job, "a")
    job.publish()
    here.counts()
    calls.clear()
    here.counts()
    assert calls == ["Query"]


def test_a_cold_process_reads_the_base_and_the_deltas(calls: list[str]) -> None:
    job = process()
    for thing in "ab":
        click(job, thing)
        job.publish()
    calls.clear()
    assert process().counts().get("b") == 1
    assert [call for call in calls if call != "GetObject"] == ["GetItem", "Query"]


def test_a_process_looks_for_new_deltas_every_two_seconds(calls: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert counters.FOLLOW_EVERY == 2
    here = process()
    here.counts()
    calls.clear()
    for _ in range(10):
        here.counts()
    assert calls == []


def test_a_job_without_changes_writes_nothing(clock: Any, calls: list[str]) -> None:
    job = process()
    click(job, "a")
    job.publish()
    calls.clear()
    job.publish()
    assert [call for call in calls if call != "Query"] == ["BatchGetItem"]
    assert (deltas(), marks()) == ([1], ["a"])
    clock.shift(counters.SLOT)
    job.publish()
    assert (deltas(), marks()) == ([1], [])


def test_counts_after_the_job_in_the_same_slot_are_published_by_the_next_job(clock: Any) -> None:
    here, job = process(), process()
    click(here, "a")
    job.publish()
    click(here, "a")
    clock.shift(counters.SLOT)
    job.publish()
    assert (here.counts().get("a"), marks()) == (2, [])


def test_a_thing_without_an_item_loses_its_value() -> None:
    job = process()
    click(job, "a")
    job.publish()
    Clicks("clicks", "a").delete()
    job.publish()
    assert (job.counts().get("a"), process().counts().get("a")) == (None, None)
    job.fold()
    assert (job.counts().get("a"), process().counts().get("a")) == (None, None)


def test_the_first_job_publishes_counts_that_no_process_marked() -> None:
    Clicks("clicks", "old", number=7).save()
    process().publish()
    assert process().counts().get("old") == 7


def test_many_things_are_published_in_several_deltas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counters, "_AT_ONCE", 3)
    monkeypatch.setattr(counters, "_LARGEST_DELTA", 20)
    job = process()
    job.rebuild()
    for number in range(7):
        click(job, f"thing {number}", number + 1)
    job.publish()
    assert len(deltas()) > 4
    assert [process().counts().get(f"thing {number}") for number in range(7)] == [1, 2, 3, 4, 5, 6, 7]


def test_a_fold_keeps_all_values_and_drops_what_the_fold_before_covers(clock: Any) -> None:
    job, follower, sleeper = process(), process(), process()
    for round_ in range(1, 5):
        click(job, "a")
        click(job, f"only {round_}")
        job.publish()
        if round_ == 1:
            sleeper.counts()
        job.fold()
        assert [each.counts().get("a") for each in (job, follower, process())] == [round_] * 3
        clock.shift(86400)
    assert sleeper.counts().get("a") == 4
    assert [process().counts().get(f"only {round_}") for round_ in range(1, 5)] == [1] * 4
    head = CountersHead.get("counters#test", "head")
    assert {stored.key for stored in blobs.list_blobs("counters/")} == {head.base, head.previous}
    assert deltas() == [5, 6, 7]


def test_a_fold_without_new_deltas_writes_nothing(calls: list[str]) -> None:
    job = process()
    click(job, "a")
    job.publish()
    job.fold()
    calls.clear()
    job.fold()
    assert set(calls) == {"Query", "GetItem"}


def test_a_rebuild_corrects_the_values_of_all_processes() -> None:
    job, follower = process(), process()
    click(job, "a")
    job.publish()
    follower.counts()
    Clicks("clicks", "a", number=9).save()
    Clicks("clicks", "b", number=1).save()
    job.rebuild()
    assert [(each.counts().get("a"), each.counts().get("b")) for each in (job, follower, process())] == [(9, 1)] * 3


@pytest.mark.parametrize("work", ["publish", "fold", "rebuild"])
def test_counts_are_neither_lost_nor_doubled_whenever_the_process_is_killed(clock: Any, work: str) -> None:
    wanted, died_after = 0, 0
    while True:
        counting, dying = process(), process()
        click(counting, "a")
        wanted += 1
        if work == "fold":
            process().publish()
        died = dies(getattr(dying, work), died_after)
        process().publish()
        assert (process().counts().get("a"), counting.counts().get("a")) == (wanted, wanted)
        died_after += 1
        clock.shift(86400)
        process().publish()
        assert marks() == []
        if not died:
            break
    assert died_after > 4


@pytest.mark.parametrize("after", range(12))
def test_concurrent_jobs_never_publish_older_values(clock: Any, after: int) -> None:
    one, other, follower = process(), process(), process()
    one.rebuild()
    click(one, "a")

    def overtake() -> None:
        click(other, "a")
        other.publish()

    with meanwhile(overtake, after):
        one.publish()
    assert follower.counts().get("a") == read(["a"])["a"]
    one.fold()
    assert process().counts().get("a") == read(["a"])["a"]


def test_a_process_keeps_its_values_while_the_tables_are_busy() -> None:
    here = process()
    click(here, "a")
    here.publish()
    with refusing("Query", "ProvisionedThroughputExceededException"):
        assert here.counts().get("a") == 1


def test_fsck_reports_a_value_that_differs_from_the_tables(clock: Any) -> None:
    here = process()

    def check() -> list[str]:
        with registry.including(Declaration(name="tests", counters=(here,))):
            found = fsck.check(fsck.FsckScan(), lambda _: None)
            return [f"{each.kind} {each.subject}: {each.message}" for each in found]

    click(here, "a")
    assert check() == []  # the first job publishes it
    here.publish()
    click(here, "b")
    clock.shift(counters.SLOT)
    assert check() == []  # the next job publishes it
    here.publish()
    Clicks("clicks", "b", number=5).save()
    assert check() == ["counters test: 1 values differ: b"]
    here.rebuild()
    assert check() == []


@embedded_only
def test_random_counts_jobs_and_folds_of_several_processes_agree_with_the_tables(clock: Any) -> None:
    choose = random.Random(18)
    processes = [process() for _ in range(3)]
    for _ in range(300):
        here = choose.choice(processes)
        match choose.randrange(12):
            case 0:
                here.fold()
            case 1:
                here.rebuild()
            case 2:
                processes[choose.randrange(3)] = process()
            case 3 | 4:
                here.publish()
            case 5:
                clock.shift(choose.randrange(400))
            case 6:
                thing = str(choose.randrange(9))
                Clicks("clicks", thing).delete()
                here.mark(thing)
            case _:
                click(here, str(choose.randrange(9)))
    process().publish()
    stored = dict(everything())
    for here in (*processes, process()):
        assert {thing: here.counts().get(thing) for thing in map(str, range(9))} == {
            thing: stored.get(thing) for thing in map(str, range(9))
        }


@given(st.dictionaries(st.text(max_size=8), st.integers(0, 2**53), max_size=30), st.data())
def test_packed_values_are_read_as_they_were_written(values: dict[str, int], data: st.DataObject) -> None:
    codec = CountCodec(int)
    counts = CountValues(codec, 1, pack_all(values.items()))
    assert {thing: counts.get(thing) for thing in values} == values
    removed = data.draw(st.sets(st.sampled_from(sorted(values))) if values else st.just(set()))
    counts.apply(dict.fromkeys(removed) | {"new": 7}, 2)
    again = CountValues(codec, 2, counts.packed())
    kept = {thing: value for thing, value in values.items() if thing not in removed} | {"new": 7}
    for state in (counts, again):
        assert {thing: state.get(thing) for thing in (*kept, *removed) if state.get(thing) is not None} == kept
