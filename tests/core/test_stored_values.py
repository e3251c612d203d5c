"""Values that folds store with a snapshot: a new process loads them, and updates them by the entries that differ."""

import random
from collections.abc import Mapping, Sequence, Set
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
import time_machine

from chalicelib.core import blobs, fsck, job_runner, jobs, registry
from chalicelib.core.catalogues import stored_values
from chalicelib.core.catalogues.catalogue import FOLD, Catalogue
from chalicelib.core.catalogues.derived import Derived
from chalicelib.core.catalogues.snapshots import Snapshot
from chalicelib.core.catalogues.stored_values import StoredValue
from chalicelib.core.catalogues.tables import Fold
from chalicelib.core.declaration import Declaration
from chalicelib.core.fsck import FsckScan
from tests.worlds import both_worlds

pytestmark = [pytest.mark.usefixtures("aws"), both_worlds]
Numbers = dict[str, int]
Entry = dict[str, Any]


class Process:
    """A process with a catalogue and a value of it: the numbers of its entries. `made` counts the entries it read."""

    def __init__(self, version: int = 1, entities: Sequence[tuple[str, Entry]] = ()) -> None:
        self.made = 0
        self.catalogue: Catalogue[Entry] = Catalogue(
            "test", dict[str, Any], shape=1, entities=lambda: entities, reload=lambda key, entry: None
        )
        self.numbers: StoredValue[Entry, Numbers] = self.catalogue.keep(
            StoredValue(
                "numbers", version, build=self._build, update=self._update, encode=self._encode, decode=self._decode
            )
        )
        self._derived: Derived[Entry] = Derived()

    def value(self) -> Numbers:
        snapshot = self.catalogue.snapshot()
        return self._derived.get(snapshot, self.numbers.name, self.numbers.of, self.numbers.update)

    def publish(self, changes: Mapping[str, Entry | None]) -> None:
        self.catalogue.publish(lambda snapshot, writes: (dict(changes), None))

    def _build(self, snapshot: Snapshot[Entry]) -> Numbers:
        self.made += len(snapshot.entries)
        return {key: entry.value["n"] for key, entry in snapshot.entries.items()}

    def _update(self, numbers: Numbers, snapshot: Snapshot[Entry], keys: Set[str]) -> Numbers:
        self.made += len(keys)
        new = {key: snapshot.entries[key].value["n"] for key in keys if key in snapshot.entries}
        return {key: number for key, number in numbers.items() if key not in keys} | new

    def _encode(self, value: Numbers, numbers: Mapping[str, int]) -> bytes:
        return msgspec.msgpack.encode({numbers[key]: number for key, number in value.items()})

    def _decode(self, body: bytes, keys: Sequence[str]) -> Numbers:
        found = msgspec.msgpack.decode(body, type=dict[int, int])
        return {keys[number]: value for number, value in found.items()}


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_values, "FEWEST", 4)
    monkeypatch.setattr(stored_values, "MOST_CHANGED", 2)


def numbers(*values: int) -> dict[str, Entry]:
    return {f"k{position}": {"n": value} for position, value in enumerate(values)}


def blobs_of_values() -> list[str]:
    return [stored.key for stored in blobs.list_blobs("catalogue/test/value-")]


def test_a_new_process_loads_the_value_and_reads_only_what_changed_since() -> None:
    one = Process()
    one.publish(numbers(1, 2, 3, 4, 5, 6))
    one.catalogue.fold()
    one.publish({"k1": {"n": 9}, "k2": None, "new": {"n": 7}})
    other = Process()
    assert (other.value(), other.made) == ({"k0": 1, "k1": 9, "k3": 4, "k4": 5, "k5": 6, "new": 7}, 3)


def test_a_small_catalogue_stores_no_value() -> None:
    one = Process()
    one.publish(numbers(1, 2, 3))
    one.catalogue.fold()
    assert (blobs_of_values(), jobs.pending()) == ([], [])
    other = Process()
    assert (other.value(), other.made) == ({"k0": 1, "k1": 2, "k2": 3}, 3)


def test_a_fold_writes_a_value_again_when_many_entries_differ() -> None:
    one = Process()
    one.publish(numbers(1, 2, 3, 4, 5, 6, 7))
    one.catalogue.fold()
    first = blobs_of_values()
    one.publish({"k0": {"n": 8}, "k1": {"n": 9}})
    one.catalogue.fold()
    assert blobs_of_values() == first
    one.publish({"k2": {"n": 7}})
    one.catalogue.fold()
    assert len(blobs_of_values()) == 2
    other = Process()
    assert (other.value(), other.made) == ({"k0": 8, "k1": 9, "k2": 7, "k3": 4, "k4": 5, "k5": 6, "k6": 7}, 0)


def test_the_fold_after_two_days_deletes_a_replaced_value() -> None:
    one = Process()
    with time_machine.travel(datetime(2026, 3, 1, tzinfo=UTC), tick=False) as clock:
        one.publish(numbers(1, 2, 3, 4, 5))
        one.catalogue.fold()
        (first,) = blobs_of_values()
        one.publish(numbers(5, 4, 3, 2, 1))
        one.catalogue.fold()
        assert first in blobs_of_values()
        clock.shift(timedelta(days=3))
        one.catalogue.fold()
    (second,) = blobs_of_values()
    assert second != first
    assert {key for fold in Fold.query("catalogue-folds#test", consistent_read=True) for key in fold.shards} == {second}


def test_a_process_with_a_deleted_value_makes_it() -> None:
    one = Process()
    one.publish(numbers(1, 2, 3, 4))
    one.catalogue.fold()
    other = Process()
    other.catalogue.snapshot()
    for key in blobs_of_values():
        blobs.delete(key)
    assert (other.value(), other.made) == ({"k0": 1, "k1": 2, "k2": 3, "k3": 4}, 4)


def run_jobs(process: Process) -> None:
    """Run the pending jobs in a process, all of which are folds."""
    assert [job.name for job in jobs.pending()] == [FOLD]
    with registry.including(Declaration(name="test", catalogues=(process.catalogue,))):
        job_runner.run_due()
    assert jobs.pending() == []


def test_a_job_stores_a_value_of_another_version() -> None:
    one, newer, newest = Process(), Process(version=2), Process(version=2)
    one.publish(numbers(1, 2, 3, 4))
    one.catalogue.fold()
    assert (newer.value(), newer.made) == ({"k0": 1, "k1": 2, "k2": 3, "k3": 4}, 4)
    run_jobs(newer)
    assert (newest.value(), newest.made) == ({"k0": 1, "k1": 2, "k2": 3, "k3": 4}, 0)
    assert jobs.pending() == []


def test_a_job_stores_the_values_of_a_rebuilt_catalogue() -> None:
    one, other = Process(entities=list(numbers(1, 2, 3, 4).items())), Process()
    one.catalogue.rebuild()
    run_jobs(one)
    assert (other.value(), other.made) == ({"k0": 1, "k1": 2, "k2": 3, "k3": 4}, 0)


def test_fsck_knows_the_blobs_of_values() -> None:
    one = Process(entities=list(numbers(1, 2, 3, 4, 5).items()))
    one.publish(numbers(1, 2, 3, 4, 5))
    one.catalogue.fold()
    scan = FsckScan()
    with registry.including(Declaration(name="test", catalogues=(one.catalogue,))):
        assert list(fsck.check(scan, lambda _: None)) == []
    assert scan.referenced.issuperset(blobs_of_values())


@pytest.mark.parametrize("seed", range(4))
def test_the_value_equals_the_entries_after_any_changes_and_folds(seed: int) -> None:
    pick, running = random.Random(seed), Process()
    for _ in range(25):
        writer = pick.choice((running, Process()))
        keys = [f"k{pick.randrange(12)}" for _ in range(pick.randrange(1, 4))]
        writer.publish({key: pick.choice((None, {"n": pick.randrange(9)})) for key in keys})
        if pick.random() < 0.4:
            pick.choice((running, Process())).catalogue.fold()
        expected = {key: entry.value["n"] for key, entry in running.catalogue.snapshot().entries.items()}
        assert running.value() == expected
        assert Process().value() == expected
