"""Catalogues: each reader sees each committed write, with one call when warm, even after a long pause.

A second `Catalogue` with the same name represents another process.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine

from chalicelib import settings
from chalicelib.core import blobs, job_runner, locks, registry, retries
from chalicelib.core.catalogues import change_log, snapshots
from chalicelib.core.catalogues.catalogue import Catalogue
from chalicelib.core.catalogues.entries import Codec
from chalicelib.core.catalogues.packing import Packing
from chalicelib.core.catalogues.snapshots import Entry, Snapshot, Value
from chalicelib.core.catalogues.tables import Change, Fold, Head
from chalicelib.core.declaration import Declaration
from chalicelib.core.errors import Busy, Conflict, NotFound
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import Claim, Job
from tests.worlds import both_worlds, embedded_only

pytestmark = [pytest.mark.usefixtures("aws"), both_worlds]
MOMENT = datetime(2026, 3, 1, 12, tzinfo=UTC)
AROUND = b"\x81\xa4text\xda\x0d\xac"  # msgpack around the text of {"text": "..."}, shorter than 64 KB
LARGE = {"text": "x" * change_log.LARGE_ENTRY}


def process(entities: Iterable[tuple[str, Value]] | Callable[[], Iterable[tuple[str, Value]]] = ()) -> Catalogue:
    """Return the catalogue of a new process, with nothing in memory."""
    return catalogue_of("test", entities)


def catalogue_of(
    name: str, entities: Iterable[tuple[str, Value]] | Callable[[], Iterable[tuple[str, Value]]] = ()
) -> Catalogue:
    def read() -> Iterable[tuple[str, Value]]:
        return entities() if callable(entities) else entities

    return Catalogue(name, dict[str, Any], shape=1, entities=read, reload=lambda key, _: dict(read()).get(key))


def empty_snapshot() -> Snapshot:
    return Snapshot.of(Packing(Codec(dict[str, Any], 1)))


def publish(where: Catalogue, **changes: Any) -> Snapshot:
    return where.publish(lambda snapshot, writes: (changes, None))[0]


def state(snapshot: Snapshot) -> tuple[int, dict[str, Value]]:
    return snapshot.sequence, {key: entry.value for key, entry in snapshot.entries.items()}


def log() -> list[int]:
    return [int(change.sequence) for change in Change.query("catalogue-log#test", consistent_read=True)]


def folds() -> list[Fold]:
    return list(Fold.query("catalogue-folds#test", consistent_read=True))


def head() -> Head:
    return Head.get("catalogue#test", "head", consistent_read=True)


def stored_files() -> list[str]:
    """Return the kind of each of the catalogue's blobs, such as "snapshot"; only in the embedded world."""
    directory = Path(settings.current().blobs.removeprefix("file:"), "catalogue", "test")
    return sorted(path.relative_to(directory).parts[0].split("-")[0] for path in directory.rglob("*") if path.is_file())


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Path]:
    """A directory with the locks of the processes of one machine."""
    locks.share(tmp_path / "locks")
    yield tmp_path / "locks"
    locks.share(None)


def test_an_empty_catalogue_has_no_entries() -> None:
    assert state(process().snapshot()) == (0, {})


def test_publish_returns_the_snapshot_after_the_change() -> None:
    assert state(publish(process(), a={"n": 1})) == (1, {"a": {"n": 1}})


def test_another_process_sees_a_change_immediately() -> None:
    one, other = process(), process()
    assert state(other.snapshot()) == (0, {})
    publish(one, a={"n": 1})
    assert state(other.snapshot()) == (1, {"a": {"n": 1}})
    publish(one, a={"n": 2}, b={"n": 3})
    assert state(other.snapshot()) == (3, {"a": {"n": 2}, "b": {"n": 3}})


def test_a_cold_process_sees_everything() -> None:
    one = process()
    publish(one, a={"n": 1})
    publish(one, b={"n": 2})
    one.drop_cache()
    assert state(one.snapshot()) == state(process().snapshot()) == (2, {"a": {"n": 1}, "b": {"n": 2}})


def test_a_removed_entry_is_removed_in_all_processes() -> None:
    one, other = process(), process()
    publish(one, a={"n": 1}, b={"n": 2})
    other.snapshot()
    publish(one, a=None)
    assert [state(each.snapshot()) for each in (one, other, process())] == [(3, {"b": {"n": 2}})] * 3


def test_removing_an_unknown_entry_is_no_error() -> None:
    assert state(publish(process(), a=None)) == (1, {})


def test_values_are_returned_unchanged() -> None:
    value = {"text": 'ü\n"\0\u2028', "list": [1, 2.5, True, None, {}], "": {"deep": []}, "large": 2**53}
    one = process()
    publish(one, **{"käy/…": value})
    assert state(process().snapshot()) == (1, {"käy/…": value})


def test_catalogues_with_different_names_are_independent() -> None:
    publish(process(), a={"n": 1})
    assert state(catalogue_of("test2").snapshot()) == (0, {})


def test_a_warm_snapshot_is_one_query(calls: list[str]) -> None:
    one = process()
    publish(one, a={"n": 1})
    calls.clear()
    one.snapshot()
    assert calls == ["Query"]


def test_a_publish_is_a_query_and_a_transaction(calls: list[str]) -> None:
    one = process()
    publish(one, a={"n": 1})
    calls.clear()
    publish(one, b={"n": 2})
    assert calls == ["Query", "TransactWriteItems"]


@embedded_only
def test_a_warm_snapshot_is_one_query_after_two_hundred_changes(calls: list[str]) -> None:
    one, other = process(), process()
    for number in range(5):
        publish(one, **{f"{number}-{each}": {} for each in range(40)})
    other.snapshot()
    calls.clear()
    assert len(other.snapshot().entries) == 200
    assert calls == ["Query"]


def test_a_cold_snapshot_is_the_head_the_blob_and_later_changes(calls: list[str]) -> None:
    one = process()
    for number in range(4):
        publish(one, **{str(number): {}})
    one.fold()
    publish(one, last={})
    cold = process()
    calls.clear()
    assert len(cold.snapshot().entries) == 5
    assert [call for call in calls if call != "GetObject"] == ["GetItem", "Query"]


def test_the_snapshot_is_the_same_object_until_a_change() -> None:
    one = process()
    before = publish(one, a={"n": 1})
    assert one.snapshot() is before
    assert publish(one, b={}) is not before


def test_a_publishers_snapshot_is_immutable() -> None:
    one = process()
    before = publish(one, a={"n": 1})
    publish(one, a={"n": 2}, b={})
    assert state(before) == (1, {"a": {"n": 1}})


def test_a_readers_snapshot_is_immutable() -> None:
    one, other = process(), process()
    publish(one, a={"n": 1})
    before = other.snapshot()
    publish(one, a={"n": 2}, b={})
    other.snapshot()
    assert state(before) == (1, {"a": {"n": 1}})


def test_a_value_cached_with_a_snapshot_is_computed_once_per_state() -> None:
    made: list[int] = []

    def build(snapshot: Snapshot) -> int:
        made.append(snapshot.sequence)
        return snapshot.sequence

    one, other = process(), process()
    publish(one, a={})
    values = [other.snapshot().cached("sum", build), other.snapshot().cached("sum", build)]
    publish(one, b={})
    values += [other.snapshot().cached("sum", build), other.snapshot().cached("sum", build)]
    assert (values, made) == ([1, 1, 2, 2], [1, 2])


def test_values_cached_with_unchanged_entries_survive_a_change() -> None:
    made: list[tuple[str, int]] = []

    def build(entry: Entry) -> None:
        made.append((entry.key, entry.value["n"]))

    one, other = process(), process()
    publish(one, a={"n": 1}, b={"n": 2}, c={"n": 3})
    for change in ({}, {"b": {"n": 4}}, {"c": None}, {"c": {"n": 3}}):
        if change:
            publish(one, **change)
        for entry in other.snapshot().entries.values():
            entry.cached("fragment", build)
    assert made == [("a", 1), ("b", 2), ("c", 3), ("b", 4), ("c", 3)]


def test_unchanged_entries_are_the_same_objects_after_a_publish() -> None:
    one = process()
    before = publish(one, a={}, b={})
    after = publish(one, b={"n": 2})
    assert (after.entries["a"] is before.entries["a"], after.entries["b"] is before.entries["b"]) == (True, False)


def test_values_are_cached_by_name_and_type() -> None:
    entry = Entry("a", {})
    assert [entry.cached(name, lambda _, name=name: name) for name in (1, "1", (1,))] == [1, "1", (1,)]


def test_last_modified_is_the_time_of_the_publish_and_never_decreases() -> None:
    with time_machine.travel(MOMENT, tick=False) as clock:
        one, start = process(), int(MOMENT.timestamp())
        times = [publish(one, a={}).modified_at - start for _ in range(3)]
        clock.shift(60)
        times.append(publish(one, a={}).modified_at - start)
        clock.shift(-3600)
        times.append(publish(one, a={}).modified_at - start)
    assert times == [0, 0, 0, 60, 60]


def test_last_modified_is_the_same_in_every_process_warm_or_cold() -> None:
    one, warm = process(), process()
    publish(one, a={})
    warm.snapshot()
    last = publish(one, b={}).modified_at
    assert [each.snapshot().modified_at for each in (one, warm, process())] == [last] * 3
    one.fold()
    assert [each.snapshot().modified_at for each in (one, warm, process())] == [last] * 3


def test_writes_of_decide_are_in_the_transaction_of_the_change() -> None:
    def decide(snapshot: Snapshot, writes: Transaction) -> tuple[Value, None]:
        writes.create(Claim("name#x", "claim", holder="1"))
        return {"a": {}}, None

    process().publish(decide)
    assert Claim.get("name#x", "claim").holder == "1"


def test_an_error_in_decide_changes_nothing() -> None:
    def decide(snapshot: Snapshot, writes: Transaction) -> tuple[Value, None]:
        writes.create(Claim("name#x", "claim", holder="1"))
        raise Conflict("no")

    one = process()
    with pytest.raises(Conflict):
        one.publish(decide)
    assert (state(one.snapshot()), Claim.find("name#x", "claim")) == ((0, {}), None)


def test_a_named_error_of_the_transaction_is_raised_and_changes_nothing() -> None:
    Claim("name#x", "claim", holder="1").save()

    def decide(snapshot: Snapshot, writes: Transaction) -> tuple[Value, None]:
        writes.create(Claim("name#x", "claim", holder="2"), Conflict("taken"))
        return {"a": {}}, None

    one = process()
    with pytest.raises(Conflict, match="taken"):
        one.publish(decide)
    assert state(process().snapshot()) == (0, {})


def test_a_failed_publish_does_not_block_others() -> None:
    one = process()
    with pytest.raises(ZeroDivisionError):
        one.publish(lambda snapshot, writes: ({"a": {"n": 1 // snapshot.sequence}}, None))
    assert state(publish(one, a={})) == (1, {"a": {}})


def test_decide_is_called_again_with_the_current_snapshot_after_a_conflict() -> None:
    one, other = process(), process()
    seen: list[tuple[int, dict[str, Value]]] = []

    def decide(snapshot: Snapshot, writes: Transaction) -> tuple[Value, None]:
        seen.append(state(snapshot))
        if len(seen) < 3:
            publish(other, **{f"faster{len(seen)}": {}})
        return {"a": {"after": snapshot.sequence}}, None

    final, _ = one.publish(decide)
    assert [sequence for sequence, _ in seen] == [0, 1, 2]
    assert state(final) == (3, {"faster1": {}, "faster2": {}, "a": {"after": 2}})
    assert state(process().snapshot()) == state(final)


@embedded_only
def test_a_publisher_gets_busy_after_repeated_conflicts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "TRIES", 5)
    one, other = process(), process()
    tries: list[int] = []

    def decide(snapshot: Snapshot, writes: Transaction) -> tuple[Value, None]:
        tries.append(snapshot.sequence)
        publish(other, other={"n": snapshot.sequence})
        return {"a": {}}, None

    with pytest.raises(Busy) as caught:
        one.publish(decide)
    assert caught.value.detail == {"retry_after": 2}
    assert tries == list(range(5))
    assert list(process().snapshot().entries) == ["other"]


def test_a_publish_without_changes_commits_other_writes_and_no_change() -> None:
    one = process()
    before = publish(one, a={})

    def decide(snapshot: Snapshot, writes: Transaction) -> tuple[Value, None]:
        writes.create(Claim("name#x", "claim", holder="1"))
        return {}, None

    after, _ = one.publish(decide)
    assert (state(after), after.modified_at) == (state(before), before.modified_at)
    assert (Claim.get("name#x", "claim").holder, log()) == ("1", [1])


def test_a_publish_without_changes_is_also_repeated_after_a_conflict() -> None:
    one, other = process(), process()
    publish(one, a={})
    seen: list[int] = []

    def decide(snapshot: Snapshot, writes: Transaction) -> tuple[Value, None]:
        seen.append(snapshot.sequence)
        if len(seen) == 1:
            publish(other, b={})
        return {}, None

    one.publish(decide)
    assert seen == [1, 2]


def test_decide_is_called_again_if_the_log_was_folded_meanwhile() -> None:
    one, other = process(), process()
    publish(one, a={"n": 1})
    seen: list[int] = []
    with time_machine.travel(datetime.now(UTC), tick=False) as clock:

        def decide(snapshot: Snapshot, writes: Transaction) -> tuple[Value, None]:
            seen.append(snapshot.sequence)
            if len(seen) == 1:
                publish(other, b={"n": 2})
                other.fold()
                clock.shift(timedelta(days=3))
                publish(other, c={"n": 3})
                other.fold()
            return {"d": {"after": snapshot.sequence}}, None

        one.publish(decide)
    assert seen == [1, 3]
    expected = {"a": {"n": 1}, "b": {"n": 2}, "c": {"n": 3}, "d": {"after": 3}}
    assert state(process().snapshot()) == (4, expected)


def test_the_first_publish_can_be_without_changes() -> None:
    publish(process())
    assert state(process().snapshot()) == (0, {})
    assert state(publish(process(), a={})) == (1, {"a": {}})


def test_eight_publishers_in_one_process_lose_nothing_and_never_conflict(calls: list[str]) -> None:
    one = process()
    calls.clear()

    def work(number: int) -> None:
        for step in range(4):
            publish(one, **{f"{number}-{step}": {"n": number}})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    sequence, entries = state(process().snapshot())
    assert (sequence, len(entries), log()) == (32, 32, list(range(1, 33)))
    assert calls.count("TransactWriteItems") == 32
    assert state(one.snapshot()) == (sequence, entries)


@embedded_only
def test_eight_publishers_in_eight_processes_lose_nothing() -> None:
    processes = [process() for _ in range(8)]
    start = threading.Barrier(8)

    def work(number: int) -> None:
        start.wait()
        for step in range(4):
            publish(processes[number], **{f"{number}-{step}": {}}, shared={"by": number})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    states = [state(each.snapshot()) for each in (*processes, process())]
    assert all(each == states[0] for each in states)
    assert (states[0][0], len(states[0][1]), log()) == (64, 33, list(range(1, 65)))


@embedded_only
def test_eight_publishers_in_two_processes_of_one_machine_never_conflict(calls: list[str], machine: Path) -> None:
    processes = [process(), process()]
    calls.clear()

    def work(number: int) -> None:
        for step in range(4):
            publish(processes[number % 2], **{f"{number}-{step}": {}})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert calls.count("TransactWriteItems") == 32
    assert log() == list(range(1, 33))


@embedded_only
def test_fifty_machines_that_publish_at_once_all_succeed() -> None:
    machines = [process() for _ in range(50)]
    start = threading.Barrier(50)

    def work(number: int) -> None:
        start.wait()
        publish(machines[number], **{str(number): {}})

    with ThreadPoolExecutor(50) as pool:
        list(pool.map(work, range(50)))
    assert len(process().snapshot().entries) == 50


@embedded_only
def test_publishing_works_without_locks(machine: Path) -> None:
    machine.rmdir()
    assert state(publish(process(), a={})) == (1, {"a": {}})


@embedded_only
def test_concurrent_increments_of_an_entry_are_exact() -> None:
    processes = [process(), process()]

    def increase(number: int) -> None:
        processes[number % 2].publish(
            lambda snapshot, writes: (
                {"a": {"n": snapshot.entries["a"].value["n"] + 1 if snapshot.entries else 1}},
                None,
            )
        )

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(increase, range(24)))
    assert state(process().snapshot()) == (24, {"a": {"n": 24}})


def test_a_removed_and_restored_entry_is_the_last_in_all_processes() -> None:
    one, other = process(), process()
    publish(one, x={}, y={})
    other.snapshot()
    publish(one, x=None)
    publish(one, x={"n": 2})
    assert [list(each.snapshot().entries) for each in (one, other, process())] == [["y", "x"]] * 3


def test_a_fold_is_invisible_to_readers() -> None:
    one, warm = process(), process()
    publish(one, a={"n": 1}, b={"n": 2})
    publish(one, b=None)
    expected = state(warm.snapshot())
    one.fold()
    assert [state(each.snapshot()) for each in (one, warm, process())] == [expected] * 3


def test_a_fold_of_an_empty_catalogue_is_no_error() -> None:
    process().fold()
    assert state(process().snapshot()) == (0, {})


def test_a_fold_can_be_repeated() -> None:
    one = process()
    publish(one, a={})
    for _ in range(3):
        one.fold()
    assert (state(process().snapshot()), len(folds())) == ((1, {"a": {}}), 1)


def test_changes_after_a_fold_are_applied_to_its_snapshot() -> None:
    one = process()
    publish(one, a={"n": 1}, b={"n": 2})
    one.fold()
    publish(one, a={"n": 3}, b=None, c={"n": 4})
    assert state(process().snapshot()) == (5, {"a": {"n": 3}, "c": {"n": 4}})


def test_folded_changes_are_deleted_after_48_hours() -> None:
    with time_machine.travel(MOMENT, tick=False) as clock:
        one = process()
        publish(one, a={}, b={}, c={})
        one.fold()
        clock.shift(timedelta(hours=48) - timedelta(seconds=1))
        publish(one, d={})
        one.fold()
        assert log() == [1, 2, 3, 4]
        clock.shift(1)
        one.fold()
        assert log() == [4]


def test_the_newest_change_is_never_deleted() -> None:
    with time_machine.travel(MOMENT, tick=False) as clock:
        one = process()
        for number in range(3):
            publish(one, **{str(number): {}})
            one.fold()
        for _ in range(3):
            clock.shift(timedelta(days=30))
            one.fold()
        assert log() == [3]
        assert len(process().snapshot().entries) == 3


def test_an_idle_process_sees_everything_after_a_fold() -> None:
    with time_machine.travel(MOMENT, tick=False) as clock:
        one, idle = process(), process()
        publish(one, a={"n": 1}, b={})
        idle.snapshot()
        publish(one, a={"n": 2}, b=None)
        one.fold()
        clock.shift(timedelta(days=7))
        publish(one, c={})
        one.fold()
        publish(one, d={})
        assert log() == [5, 6]
        assert state(idle.snapshot()) == (6, {"a": {"n": 2}, "c": {}, "d": {}})


def test_an_idle_process_sees_everything_after_all_but_the_newest_change_is_deleted() -> None:
    with time_machine.travel(MOMENT, tick=False) as clock:
        one, idle = process(), process()
        publish(one, a={})
        idle.snapshot()
        publish(one, b={})
        one.fold()
        clock.shift(timedelta(days=3))
        publish(one, c={})
        one.fold()
        clock.shift(timedelta(days=3))
        one.fold()
        assert log() == [3]
        assert state(idle.snapshot()) == (3, {"a": {}, "b": {}, "c": {}})


def test_an_idle_process_is_warm_after_a_week_without_a_change(calls: list[str]) -> None:
    with time_machine.travel(MOMENT, tick=False) as clock:
        one, idle = process(), process()
        publish(one, a={}, b={})
        idle.snapshot()
        one.fold()
        clock.shift(timedelta(days=7))
        one.fold()
        calls.clear()
        assert state(idle.snapshot()) == (2, {"a": {}, "b": {}})
        assert calls == ["Query"]


def test_an_idle_process_can_publish_immediately() -> None:
    with time_machine.travel(MOMENT, tick=False) as clock:
        one, idle = process(), process()
        publish(one, a={})
        idle.snapshot()
        publish(one, b={})
        one.fold()
        clock.shift(timedelta(days=7))
        publish(one, c={})
        one.fold()
        assert state(publish(idle, d={})) == (4, {"a": {}, "b": {}, "c": {}, "d": {}})


def test_a_gap_in_the_log_is_detected() -> None:
    one, idle = process(), process()
    publish(one, a={"n": 1})
    idle.snapshot()
    publish(one, a={"n": 2}, b={})
    publish(one, c={})
    one.fold()
    Change("catalogue-log#test", f"{2:012d}").delete()
    assert state(idle.snapshot()) == (4, {"a": {"n": 2}, "b": {}, "c": {}})


@embedded_only
def test_a_gap_in_the_log_without_a_snapshot_is_an_error() -> None:
    one = process()
    publish(one, a={}, b={}, c={})
    Change("catalogue-log#test", f"{2:012d}").delete()
    with pytest.raises(Busy):
        process().snapshot()


@embedded_only
def test_old_snapshots_are_deleted_and_the_newest_is_not() -> None:
    with time_machine.travel(MOMENT, tick=False) as clock:
        one = process()
        for number in range(3):
            publish(one, a={"n": number})
            one.fold()
        assert stored_files() == ["snapshot"] * 3
        clock.shift(timedelta(days=3))
        one.fold()
        assert stored_files() == ["snapshot"]
        assert (state(process().snapshot()), len(folds())) == ((3, {"a": {"n": 2}}), 1)


@embedded_only
def test_a_fold_of_a_stale_snapshot_does_not_replace_a_newer_one() -> None:
    one, behind = process(), process()
    publish(one, a={})
    stale = behind.snapshot()
    publish(one, b={})
    one.fold()
    change_log.ChangeLog("test", stale.packing).fold(stale)
    assert (stale.sequence, head().snapshot_sequence, state(process().snapshot())) == (1, 2, (2, {"a": {}, "b": {}}))


@embedded_only
def test_every_256th_change_enqueues_a_fold_in_its_transaction() -> None:
    one = process()
    enqueued = []
    for size in (90, 90, 75, 1, 90, 90, 90):
        publish(one, **{str(number): {} for number in range(size)})
        enqueued.append((one.snapshot().sequence, [(job.name, job.payload) for job in Job.query("jobs")]))
    fold = ("fold-catalogue", {"name": "test"})
    assert enqueued == [
        (90, []),
        (180, []),
        (255, []),
        (256, [fold]),
        (346, [fold]),
        (436, [fold]),
        (526, [fold, fold]),
    ]


@embedded_only
def test_a_failed_publish_enqueues_no_fold() -> None:
    one = process()
    for size in (90, 90, 75):
        publish(one, **{str(number): {} for number in range(size)})
    Claim("name#x", "claim", holder="1").save()

    def decide(snapshot: Snapshot, writes: Transaction) -> tuple[Value, None]:
        writes.create(Claim("name#x", "claim", holder="2"), Conflict("taken"))
        return {"a": {}}, None

    with pytest.raises(Conflict):
        one.publish(decide)
    assert list(Job.query("jobs")) == []


@embedded_only
def test_an_enqueued_fold_is_run() -> None:
    one = process()
    for size in (90, 90, 76):
        publish(one, **{str(number): {} for number in range(size)})
    with registry.including(Declaration(name="test", catalogues=(one,))):
        assert job_runner.run_due() == 1
    assert (head().snapshot_sequence, len(process().snapshot().entries)) == (256, 90)


@pytest.mark.parametrize(
    ("size", "separate"),
    [
        (change_log.LARGE_ENTRY - len(AROUND), False),
        (change_log.LARGE_ENTRY - len(AROUND) + 1, True),
        (600_000, True),
    ],
)
def test_an_entry_above_the_limit_is_stored_as_a_blob(size: int, separate: bool) -> None:
    one = process()
    value = {"text": "x" * size}
    publish(one, a=value)
    (change,) = Change.query("catalogue-log#test")
    assert (change.blob is not None, change.entry is None) == (separate, separate)
    assert state(process().snapshot()) == state(one.snapshot()) == (1, {"a": value})


def test_the_limit_of_a_change_is_in_bytes() -> None:
    publish(process(), a={"text": "€" * 2000})
    (change,) = Change.query("catalogue-log#test")
    assert change.blob is not None


def test_several_large_entries_fit_in_one_transaction() -> None:
    values = {str(number): {"text": str(number) * 400_000} for number in range(12)}
    publish(process(), **values)
    assert state(process().snapshot()) == (12, values)


@embedded_only
def test_the_blob_of_a_large_entry_is_stored_before_its_change() -> None:
    one = process()
    publish(one, a={})
    Path(settings.current().blobs.removeprefix("file:"), "catalogue").parent.mkdir(exist_ok=True)
    Path(settings.current().blobs.removeprefix("file:"), "catalogue").write_bytes(b"no directory")
    with pytest.raises(Busy):
        publish(one, a=LARGE)
    assert (state(process().snapshot()), log()) == ((1, {"a": {}}), [1])


@embedded_only
def test_a_refused_publish_leaves_no_blob() -> None:
    one, other = process(), process()
    Claim("name#x", "claim", holder="1").save()

    def decide(snapshot: Snapshot, writes: Transaction) -> tuple[Value, None]:
        if not snapshot.sequence:
            publish(other, b=LARGE)  # the first attempt is too late
        else:
            writes.create(Claim("name#x", "claim", holder="2"), Conflict("taken"))
        return {"a": LARGE}, None

    with pytest.raises(Conflict, match="taken"):
        one.publish(decide)
    assert (state(process().snapshot()), stored_files()) == ((1, {"b": LARGE}), ["entry"])


@embedded_only
def test_the_blob_of_a_large_entry_is_deleted_with_its_change() -> None:
    with time_machine.travel(MOMENT, tick=False) as clock:
        one = process()
        publish(one, a=LARGE)
        (change,) = Change.query("catalogue-log#test")
        publish(one, b={})
        one.fold()
        clock.shift(timedelta(hours=47))
        publish(one, c={})
        one.fold()
        assert stored_files() == ["entry", "snapshot", "snapshot"]
        clock.shift(timedelta(hours=1))
        one.fold()
        assert stored_files() == ["snapshot"]
        with pytest.raises(NotFound):
            blobs.get(change.blob)
        assert state(process().snapshot()) == (3, {"a": LARGE, "b": {}, "c": {}})


@embedded_only
def test_the_blob_of_the_newest_change_is_never_deleted() -> None:
    with time_machine.travel(MOMENT, tick=False) as clock:
        one, warm = process(), process()
        publish(one, a=LARGE)
        publish(one, a={"n": 1})
        one.fold()
        publish(one, a=LARGE)
        one.fold()
        warm.snapshot()
        for _ in range(2):
            clock.shift(timedelta(days=3))
            one.fold()
        assert (log(), stored_files()) == ([3], ["entry", "snapshot"])
        assert state(warm.snapshot()) == state(process().snapshot()) == (3, {"a": LARGE})


def test_deleting_a_large_entrys_blob_keeps_an_equal_newer_one() -> None:
    with time_machine.travel(MOMENT, tick=False) as clock:
        one, warm = process(), process()
        publish(one, a=LARGE)
        one.fold()
        clock.shift(timedelta(days=3))
        publish(one, a={})
        warm.snapshot()
        publish(one, a=LARGE)
        one.fold()
        assert log() == [2, 3]
        assert state(warm.snapshot()) == (3, {"a": LARGE})


def test_a_rebuild_makes_all_entries_from_the_entities() -> None:
    one = process([("b", {"n": 2}), ("c", {"n": 3})])
    publish(one, a={"n": 1}, b={"n": 1})
    assert state(one.rebuild()) == (3, {"b": {"n": 2}, "c": {"n": 3}})


def test_a_rebuild_is_one_change_that_warm_and_cold_processes_see() -> None:
    one, warm = process([("b", {"n": 2})]), process()
    publish(one, a={"n": 1})
    warm.snapshot()
    rebuilt = one.rebuild()
    assert log() == [1, 2]
    assert [state(each.snapshot()) for each in (one, warm, process())] == [(2, {"b": {"n": 2}})] * 3
    assert warm.snapshot().modified_at == process().snapshot().modified_at == rebuilt.modified_at


def test_a_rebuild_can_be_the_first_change() -> None:
    process([("a", {})]).rebuild()
    assert state(process().snapshot()) == (1, {"a": {}})


def test_publishing_works_after_a_rebuild() -> None:
    one, warm = process([("a", {})]), process()
    warm.snapshot()
    one.rebuild()
    assert state(publish(warm, b={})) == (2, {"a": {}, "b": {}})
    one.fold()
    assert state(process().snapshot()) == (2, {"a": {}, "b": {}})


def test_a_rebuild_repairs_a_catalogue_without_its_snapshot() -> None:
    one = process([("a", {"n": 1})])
    publish(one, a={"n": 1})
    one.fold()
    blobs.delete(head().snapshot)
    with pytest.raises(NotFound):
        process().snapshot()
    one.rebuild()
    assert state(process().snapshot()) == (2, {"a": {"n": 1}})


@embedded_only
def test_a_rebuild_contains_a_concurrent_publish() -> None:
    other = process()
    stored: list[tuple[str, Value]] = [("a", {})]
    reads: list[int] = []

    def entities() -> Iterable[tuple[str, Value]]:
        found = list(stored)
        reads.append(len(found))
        if len(reads) == 1:
            stored.append(("b", {}))
            publish(other, b={})
        return found

    assert state(process(entities).rebuild()) == (2, {"a": {}, "b": {}})
    assert reads == [1, 2]
    assert state(process().snapshot()) == (2, {"a": {}, "b": {}})


@embedded_only
def test_concurrent_rebuilds_do_not_affect_each_other() -> None:
    same = [("a", {"n": 1})]
    faster = process(same)
    reads: list[int] = []

    def entities() -> Iterable[tuple[str, Value]]:
        reads.append(len(reads))
        if len(reads) == 1:
            faster.rebuild()
        elif len(reads) == 2:
            assert state(process().snapshot()) == (1, {"a": {"n": 1}})
        return same

    process(entities).rebuild()
    assert state(process().snapshot()) == (2, {"a": {"n": 1}})


def test_an_old_snapshot_of_a_rebuild_is_deleted() -> None:
    with time_machine.travel(MOMENT, tick=False) as clock:
        one, idle = process([("a", {})]), process()
        one.rebuild()
        idle.snapshot()
        first = head().snapshot
        publish(one, b={})
        one.fold()
        clock.shift(timedelta(days=3))
        publish(one, c={})
        one.fold()
        with pytest.raises(NotFound):
            blobs.get(first)
        assert [state(each.snapshot()) for each in (idle, process())] == [(3, {"a": {}, "b": {}, "c": {}})] * 2


def test_an_lru_cached_value_is_built_once() -> None:
    snapshot = empty_snapshot()
    built: list[Snapshot] = []
    for _ in range(3):
        snapshot.lru_cached("query", built.append)
    assert built == [snapshot]


def test_the_least_recently_used_value_is_dropped() -> None:
    snapshot, built = empty_snapshot(), []
    snapshot.lru_cached("first", lambda _: built.append("first"))
    for number in range(snapshots.LRU_RESULTS):
        snapshot.lru_cached("first", lambda _: built.append("first"))
        snapshot.lru_cached(number, lambda _: built.append("other"))
    snapshot.lru_cached("first", lambda _: built.append("first"))
    snapshot.lru_cached(0, lambda _: built.append("again"))
    assert built == ["first", *["other"] * snapshots.LRU_RESULTS, "again"]


def test_the_total_size_of_lru_cached_values_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "LRU_BYTES", 10)
    snapshot, built = empty_snapshot(), []

    def build(name: str) -> Callable[[Snapshot], bytes]:
        return lambda snapshot: built.append(name) or b"four"  # type: ignore[func-returns-value]

    for name in ("a", "b", "a", "c", "a", "b"):
        assert snapshot.lru_cached(name, build(name), len) == b"four"
    assert built == ["a", "b", "c", "b"]  # c evicted b, the least recently used


def test_a_value_above_the_size_limit_is_not_cached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "LRU_BYTES", 3)
    snapshot, built = empty_snapshot(), []
    for _ in range(2):
        snapshot.lru_cached("a", lambda snapshot: built.append(1) or b"four", len)  # type: ignore[func-returns-value]
    assert len(built) == 2


def test_a_rebuild_can_continue_from_a_given_number() -> None:
    here, there = process([("a", {"n": 1})]), process()
    publish(here, b={"n": 2})
    there.snapshot()
    assert here.rebuild(after=40).sequence == 41
    assert state(there.snapshot()) == state(process().snapshot()) == (41, {"a": {"n": 1}})
    assert publish(there, c={"n": 3}).sequence == 42
    assert here.rebuild(after=40).sequence == 43


def test_joined_catalogues_change_in_one_transaction_or_not_at_all() -> None:
    one, two = process(), catalogue_of("second")

    def decide(snapshot: Snapshot, writes: Transaction) -> tuple[Value, None]:
        two.join(writes, lambda other: {"b": {"joined": snapshot.sequence, "after": other.sequence}})
        writes.create(Claim("name#x", "claim", holder="1"), Conflict("taken"))
        return {"a": {}}, None

    one.publish(decide)
    changed = {"b": {"joined": 0, "after": 0}}
    for each in (two, catalogue_of("second")):
        assert state(each.snapshot()) == (1, changed)
    with pytest.raises(Conflict, match="taken"):
        one.publish(decide)
    assert (state(process().snapshot()), state(two.snapshot())) == ((1, {"a": {}}), (1, changed))


def test_a_conflict_of_the_joined_catalogue_repeats_both_decisions() -> None:
    one, two, elsewhere = process(), catalogue_of("second"), catalogue_of("second")
    seen: list[int] = []

    def decide_joined(other: Snapshot) -> Value:
        seen.append(other.sequence)
        if len(seen) == 1:
            publish(elsewhere, faster={})
        return {"b": {}}

    def decide(snapshot: Snapshot, writes: Transaction) -> tuple[Value, None]:
        two.join(writes, decide_joined)
        return {"a": {"tries": len(seen)}}, None

    assert state(one.publish(decide)[0]) == (1, {"a": {"tries": 2}})
    assert (seen, state(two.snapshot())) == ([0, 1], (2, {"faster": {}, "b": {}}))
