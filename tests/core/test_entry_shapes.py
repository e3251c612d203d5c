"""A new field of an entry: old and new code use the same tables, one after the other and at the same time.

`Old` and `New` are two versions of a program. Its things have a name; the new version adds a colour.
"""

import threading
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest
import time_machine
from pynamodb.attributes import UnicodeAttribute

from chalicelib import settings
from chalicelib.core import blobs, bulk, locks
from chalicelib.core.catalogues import catalogue
from chalicelib.core.catalogues.catalogue import Catalogue, Changes
from chalicelib.core.catalogues.entries import Struct
from chalicelib.core.catalogues.snapshots import Snapshot
from chalicelib.core.catalogues.tables import Change, Head
from chalicelib.core.storage import Item, Transaction, table_name
from chalicelib.core.tables import CoreItem, Job
from tests.worlds import embedded_only

pytestmark = pytest.mark.usefixtures("aws")


class OldThing(Struct):
    name: str


class NewThing(Struct):
    name: str
    colour: str = "grey"


class Stored(Item):
    """A thing. `things` / `<key>`."""

    class Meta:
        table_name = table_name("core")
        region = settings.current().region

    name = UnicodeAttribute()


class ColouredStored(Item):
    """The same item in the new program."""

    class Meta:
        table_name = table_name("core")
        region = settings.current().region

    name = UnicodeAttribute()
    colour = UnicodeAttribute(null=True)


class Old:
    """A process of the old program."""

    def __init__(self) -> None:
        self.rebuilt = 0
        self.catalogue = Catalogue("test", OldThing, shape=1, entities=self.entities, reload=self.reload)

    def entities(self) -> Iterator[tuple[str, OldThing]]:
        self.rebuilt += 1
        for item in Stored.query("things", consistent_read=True):
            yield item.sk, OldThing(name=item.name)

    def reload(self, key: str, known: OldThing) -> OldThing | None:
        item = Stored.find("things", key)
        return OldThing(name=item.name) if item else None

    def publish(self, key: str, name: str) -> Snapshot[OldThing]:
        def decide(snapshot: Snapshot[OldThing], writes: Transaction) -> tuple[Changes[OldThing], None]:
            item = Stored.find("things", key) or Stored("things", key)
            item.name = name
            writes.put(item)
            return {key: OldThing(name=name)}, None

        return self.catalogue.publish(decide)[0]

    def remove(self, key: str) -> None:
        def decide(snapshot: Snapshot[OldThing], writes: Transaction) -> tuple[Changes[OldThing], None]:
            writes.delete(Stored("things", key))
            return {key: None}, None

        self.catalogue.publish(decide)

    def seen(self) -> dict[str, str]:
        return {key: entry.value.name for key, entry in self.catalogue.snapshot().entries.items()}


class New:
    """A process of the new program."""

    def __init__(self) -> None:
        self.rebuilt = 0
        self.catalogue = Catalogue("test", NewThing, shape=2, entities=self.entities, reload=self.reload)

    def entities(self) -> Iterator[tuple[str, NewThing]]:
        self.rebuilt += 1
        for item in ColouredStored.query("things", consistent_read=True):
            yield item.sk, NewThing(name=item.name, colour=item.colour or "grey")

    def reload(self, key: str, known: NewThing) -> NewThing | None:
        item = ColouredStored.find("things", key)
        return NewThing(name=item.name, colour=item.colour or "grey") if item else None

    def publish(self, key: str, name: str, colour: str) -> Snapshot[NewThing]:
        def decide(snapshot: Snapshot[NewThing], writes: Transaction) -> tuple[Changes[NewThing], None]:
            writes.put(ColouredStored("things", key, name=name, colour=colour))
            return {key: NewThing(name=name, colour=colour)}, None

        return self.catalogue.publish(decide)[0]

    def seen(self) -> dict[str, tuple[str, str]]:
        entries = self.catalogue.snapshot().entries
        return {key: (entry.value.name, entry.value.colour) for key, entry in entries.items()}


def before_shapes(name: str = "test") -> None:
    """Convert a stored catalogue to the format before shapes: JSON without a shape number."""
    raw = [item for item in bulk.items(CoreItem) if item["pk"]["S"].endswith(f"#{name}")]
    for item in raw:
        item.pop("shape", None)
        if "entry" in item:
            item["body"] = {"S": orjson.dumps({"name": "of a change"}).decode()}
            del item["entry"]
    bulk.put(CoreItem, raw)
    head = Head.get(f"catalogue#{name}", "head")
    if head.snapshot:
        blobs.delete(head.snapshot)
        content = zlib.compress(orjson.dumps({"a": {"name": "of a snapshot"}}))
        head.update([Head.snapshot.set(blobs.put(content, f"catalogue/{name}/snapshot-json").key)])


@pytest.mark.parametrize("folded", [False, True])
def test_the_first_read_rebuilds_a_catalogue_without_a_shape(folded: bool) -> None:
    old = Old()
    old.publish("a", "ant")
    old.publish("b", "bee")
    if folded:
        old.catalogue.fold()
    before_shapes()
    new, later = New(), New()
    assert new.seen() == later.seen() == {"a": ("ant", "grey"), "b": ("bee", "grey")}
    assert (new.rebuilt, later.rebuilt) == (1, 0)


def test_an_upgrade_enqueues_one_job() -> None:
    Old().publish("a", "ant")
    before_shapes()
    New().seen()
    (job,) = Job.query("jobs")
    assert (job.name, job.payload) == (catalogue.FOLD, {"name": "test"})
    before_shapes()
    New().seen()
    assert [(again.sk, again.due_at) for again in Job.query("jobs")] == [(job.sk, job.due_at)]


def test_an_upgrade_keeps_the_sequence_number_and_the_date() -> None:
    before = Old().publish("a", "ant")
    after = New().catalogue.snapshot()
    assert (after.sequence, after.modified_at) == (before.sequence, before.modified_at)


def test_reads_have_the_usual_cost_after_an_upgrade(calls: list[str]) -> None:
    Old().publish("a", "ant")
    new, cold = New(), New()
    new.seen()
    calls.clear()
    new.seen()
    assert calls == ["Query"]
    calls.clear()
    cold.seen()
    assert [call for call in calls if call != "GetObject"] == ["GetItem", "Query"]


def test_old_and_new_code_can_write_at_the_same_time_without_loss() -> None:
    old, new = Old(), New()
    old.publish("a", "ant")
    old.publish("b", "bee")
    new.publish("a", "ant", "red")
    assert old.seen() == {"a": "ant", "b": "bee"}
    old.publish("a", "emmet")
    old.publish("c", "cat")
    expected = {"a": ("emmet", "red"), "b": ("bee", "grey"), "c": ("cat", "grey")}
    assert (new.seen(), New().seen()) == (expected, expected)
    assert (new.rebuilt, old.rebuilt) == (1, 0)


def test_old_code_reads_entries_of_new_code() -> None:
    new = New()
    new.publish("a", "ant", "red")
    new.catalogue.fold()
    new.publish("b", "bee", "yellow")
    old = Old()
    assert (old.seen(), old.rebuilt) == ({"a": "ant", "b": "bee"}, 0)


def test_new_code_sees_removals_by_old_code() -> None:
    new, old = New(), Old()
    new.publish("a", "ant", "red")
    new.publish("b", "bee", "yellow")
    old.remove("a")
    assert new.seen() == New().seen() == {"b": ("bee", "yellow")}


def test_a_fold_by_old_code_loses_no_field() -> None:
    old, new = Old(), New()
    new.publish("a", "ant", "red")
    old.publish("b", "bee")
    old.catalogue.fold()
    started = New()
    assert new.seen() == started.seen() == {"a": ("ant", "red"), "b": ("bee", "grey")}
    assert started.rebuilt == 1


def test_a_rebuild_by_old_code_loses_no_field() -> None:
    old, new = Old(), New()
    new.publish("a", "ant", "red")
    old.catalogue.rebuild()
    assert new.seen() == New().seen() == {"a": ("ant", "red")}


def test_repeated_rollbacks_and_upgrades_lose_nothing() -> None:
    with time_machine.travel(datetime.now(UTC), tick=False) as clock:
        New().publish("a", "ant", "red")
        for number in range(3):
            back = Old()
            back.publish("b", f"bee {number}")
            back.publish("a", f"ant {number}")
            back.catalogue.fold()
            clock.shift(timedelta(days=3))
            back.catalogue.fold()
            assert Old().seen() == {"a": f"ant {number}", "b": f"bee {number}"}
            forward = New()
            assert forward.seen() == {"a": (f"ant {number}", "red"), "b": (f"bee {number}", "grey")}
            forward.catalogue.fold()


def test_a_change_without_a_shape_loses_nothing() -> None:
    new = New()
    new.publish("a", "ant", "red")
    Old().publish("b", "bee")
    (change,) = [change for change in Change.query("catalogue-log#test") if change.sequence == 2]
    change.update([Change.shape.remove(), Change.entry.remove()])
    assert new.seen() == {"a": ("ant", "red"), "b": ("bee", "grey")}


def test_a_snapshot_without_a_shape_is_detected_by_its_content() -> None:
    new = New()
    new.publish("a", "ant", "red")
    new.catalogue.fold()
    head = Head.get("catalogue#test", "head")
    content = zlib.compress(orjson.dumps({"a": {"name": "ant"}}))
    head.update([Head.snapshot.set(blobs.put(content, "catalogue/test/snapshot-json").key)])
    assert New().seen() == {"a": ("ant", "red")}


@embedded_only
def test_only_one_of_two_starting_processes_of_a_machine_rebuilds(tmp_path: Path) -> None:
    Old().publish("a", "ant")
    locks.share(tmp_path / "locks")
    start, processes = threading.Barrier(2), [New(), New()]

    def read(process: New) -> dict[str, tuple[str, str]]:
        start.wait()
        return process.seen()

    try:
        with ThreadPoolExecutor(2) as pool:
            assert list(pool.map(read, processes)) == [{"a": ("ant", "grey")}] * 2
    finally:
        locks.share(None)
    assert sum(process.rebuilt for process in processes) == 1


@embedded_only
def test_publishing_during_an_upgrade_loses_nothing() -> None:
    old, new = Old(), New()
    old.publish("a", "ant")
    old.publish("b", "bee")
    read = new.entities

    def entities() -> Iterator[tuple[str, NewThing]]:
        for number, found in enumerate(list(read())):
            old.publish("a", f"ant {number}")
            old.publish(f"c{number}", "cat")
            yield found
        old.remove("b")

    new.catalogue.entities = entities
    new.catalogue.snapshot()
    expected = {"a": ("ant 1", "grey"), "c0": ("cat", "grey"), "c1": ("cat", "grey")}
    assert new.seen() == New().seen() == expected
    assert old.seen() == {key: name for key, (name, _) in expected.items()}


@embedded_only
def test_two_machines_can_upgrade_at_the_same_time() -> None:
    Old().publish("a", "ant")
    one, other = New(), New()
    read = one.entities

    def entities() -> Iterator[tuple[str, NewThing]]:
        assert other.seen() == {"a": ("ant", "grey")}
        yield from read()

    one.catalogue.entities = entities
    assert one.seen() == {"a": ("ant", "grey")}
    other.publish("b", "bee", "yellow")
    assert one.seen() == New().seen() == {"a": ("ant", "grey"), "b": ("bee", "yellow")}


def test_a_changed_entry_remains_until_the_removal_of_its_entity_is_read() -> None:
    old, new = Old(), New()
    for key in "ab":
        new.publish(key, key, "red")
    old.publish("a", "ant")
    stored = Stored.get("things", "a")
    stored.delete()
    assert new.seen() == {"a": ("ant", "grey"), "b": ("b", "red")}


class Bird(Struct, tag="bird"):
    name: str


class Fish(Struct, tag="fish"):
    name: str


def test_old_code_skips_entries_of_an_unknown_kind() -> None:
    newer = Catalogue[Bird | Fish]("test", (Bird, Fish), shape=2, entities=tuple, reload=lambda key, entry: entry)
    older = Catalogue("test", (Bird,), shape=1, entities=tuple, reload=lambda key, entry: entry)
    newer.publish(lambda snapshot, writes: ({"a": Bird(name="owl"), "b": Fish(name="cod")}, None))
    assert list(older.snapshot().entries) == ["a"]
    newer.fold()
    older.drop_cache()
    assert list(older.snapshot().entries) == ["a"]
    assert [entry.value for entry in newer.snapshot().entries.values()] == [Bird(name="owl"), Fish(name="cod")]
