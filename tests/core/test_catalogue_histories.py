"""Random histories of a catalogue: after each step every process sees the entities, in the same order and groups.

MOONBASE_EXAMPLES is the number of histories; the default is small.
"""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import time_machine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.core.catalogues import change_log, stored
from chalicelib.core.catalogues.catalogue import Catalogue, Changes
from chalicelib.core.catalogues.snapshots import Entry, Snapshot
from chalicelib.core.storage import Transaction
from tests.core.test_entry_shapes import ColouredStored, NewThing, OldThing
from tests.worlds import EMBEDDED, embedded_only, world

EXAMPLES = int(os.environ.get("MOONBASE_EXAMPLES", "40"))
MOMENT = datetime(2026, 3, 1, 12, tzinfo=UTC)
LARGE = "x" * change_log.LARGE_ENTRY
KEYS = st.sampled_from([f"key{number}" for number in range(6)])
NAMES = st.sampled_from(["ant", "bee", "cat", f"dog{LARGE}"])
Thing = OldThing | NewThing
STEPS = st.one_of(
    st.tuples(st.just("publish"), st.integers(0, 1), st.dictionaries(KEYS, st.none() | NAMES, min_size=1, max_size=3)),
    st.tuples(st.just("publish"), st.integers(0, 1), st.dictionaries(KEYS, NAMES, min_size=1, max_size=2)),
    st.tuples(st.just("fold"), st.integers(0, 1), st.none()),
    st.tuples(st.sampled_from(["rebuild", "restart", "read", "roll out"]), st.integers(0, 1), st.none()),
    st.tuples(st.just("sleep"), st.integers(20, 60), st.none()),
)


class Process:
    """A process with code of shape 1 or 2. Its catalogue is grouped by the first letters of the names."""

    def __init__(self, shape: int) -> None:
        self.shape = shape
        kind = NewThing if shape == 2 else OldThing
        self.catalogue: Catalogue[Thing] = Catalogue(
            "test", kind, shape=shape, entities=self.entities, reload=self.reload, groups=first_letter
        )

    def entities(self) -> Iterator[tuple[str, Thing]]:
        for item in ColouredStored.query("things", consistent_read=True):
            yield item.sk, self.thing(item)

    def reload(self, key: str, known: Thing) -> Thing | None:
        item = ColouredStored.find("things", key)
        return self.thing(item) if item else None

    def thing(self, item: ColouredStored) -> Thing:
        return NewThing(name=item.name, colour=item.colour or "grey") if self.shape == 2 else OldThing(name=item.name)

    def publish(self, names: dict[str, str | None]) -> None:
        def decide(snapshot: Snapshot[Thing], writes: Transaction) -> tuple[Changes[Thing], None]:
            changes: Changes[Thing] = {}
            for key, name in names.items():
                if name is None:
                    writes.delete(ColouredStored("things", key))
                    changes[key] = None
                else:
                    item = ColouredStored.find("things", key) or ColouredStored("things", key)
                    item.name, item.colour = name, item.colour or ("red" if self.shape == 2 else None)
                    writes.put(item)
                    changes[key] = self.thing(item)
            return changes, None

        self.catalogue.publish(decide)

    def check(self) -> None:
        """Compare the snapshot with the entities."""
        snapshot, entities = self.catalogue.snapshot(), dict(self.entities())
        assert {key: entry.value for key, entry in snapshot.entries.items()} == entities
        assert len(snapshot.entries) == len(entities)
        for letter in "abcd":
            grouped = {key for key, thing in entities.items() if thing.name.startswith(letter)}
            assert set(snapshot.group(letter)) == grouped


def first_letter(entry: Entry[Thing]) -> list[str]:
    return [entry.value.name[0]]


def run(history: list[tuple[str, int, dict[str, str | None] | None]]) -> None:
    """Run a history with two processes of shape 1, which a roll-out replaces by one of shape 2."""
    processes = [Process(1), Process(1)]
    with time_machine.travel(MOMENT, tick=False) as clock:
        for step, number, names in history:
            if step == "sleep":
                clock.shift(timedelta(hours=number))
                continue
            process = processes[number]
            if step == "publish":
                process.publish(names or {})
            elif step == "fold":
                process.catalogue.fold()
            elif step == "rebuild":
                process.catalogue.rebuild()
            elif step == "restart":
                process.catalogue.drop_cache()
            elif step == "roll out":
                processes[number] = Process(2)
            processes[number].check()
        for process in [*processes, Process(max(process.shape for process in processes))]:
            process.check()
        if all(process.shape == 1 for process in processes):
            orders = [list(process.catalogue.snapshot().entries) for process in [*processes, Process(1)]]
            assert orders[0] == orders[1] == orders[2]


@embedded_only
@pytest.mark.parametrize("inline", [stored.INLINE, 1], ids=["one blob", "a blob per shard"])
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=st.lists(STEPS, min_size=20, max_size=40))
def test_every_process_sees_the_entities(
    inline: int,
    history: list[tuple[str, int, dict[str, str | None] | None]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stored, "INLINE", inline)
    with TemporaryDirectory() as directory, world(EMBEDDED, Path(directory)):
        run(history)
