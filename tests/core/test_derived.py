"""Values derived from a catalogue: updated by the changed keys only, in whichever order snapshots are read."""

from collections.abc import Set
from typing import Any

import pytest

from chalicelib.core.catalogues import derived
from chalicelib.core.catalogues.derived import Derived
from chalicelib.core.catalogues.entries import Codec
from chalicelib.core.catalogues.packing import Packing
from chalicelib.core.catalogues.snapshots import Snapshot


def snapshot_of(**values: int) -> Snapshot[dict[str, Any]]:
    return Snapshot.of(Packing(Codec(dict[str, Any], 1)), 1, 1, ((key, {"n": value}) for key, value in values.items()))


class Recorder:
    """Derives the numbers by key, and records the calls."""

    def __init__(self) -> None:
        self.derived: Derived[dict[str, Any]] = Derived()
        self.calls: list[object] = []

    def get(self, snapshot: Snapshot[dict[str, Any]], name: str = "numbers", size: int = 0) -> dict[str, int]:
        return self.derived.get(snapshot, name, self._build, self._update, lambda _: size)

    def _build(self, snapshot: Snapshot[dict[str, Any]]) -> dict[str, int]:
        self.calls.append("build")
        return {key: entry.value["n"] for key, entry in snapshot.entries.items()}

    def _update(self, numbers: dict[str, int], snapshot: Snapshot[dict[str, Any]], keys: Set[str]) -> dict[str, int]:
        self.calls.append(set(keys))
        kept = {key: number for key, number in numbers.items() if key in snapshot.entries}
        return {**kept, **{key: snapshot.entries[key].value["n"] for key in keys if key in snapshot.entries}}


def test_a_value_is_built_once_and_then_updated_by_the_changed_keys() -> None:
    recorder, first = Recorder(), snapshot_of(a=1, b=2, c=3)
    assert recorder.get(first) is recorder.get(first)
    second = first.changed([("a", {"n": 9}), ("b", None), ("d", {"n": 4})], 4, 4)
    assert recorder.get(second) == {"a": 9, "c": 3, "d": 4}
    assert recorder.calls == ["build", {"a", "b", "d"}]


def test_the_keys_of_several_changes_are_collected() -> None:
    recorder, first = Recorder(), snapshot_of(a=1, b=2, c=3)
    recorder.get(first)
    second = first.changed([("a", {"n": 9})], 2, 2)
    recorder.get(second, "other")
    third = second.changed([("b", {"n": 8})], 3, 3)
    assert recorder.get(third) == {"a": 9, "b": 8, "c": 3}
    assert recorder.calls == ["build", "build", {"a", "b"}]


def test_an_older_snapshot_gets_its_own_value() -> None:
    recorder, first = Recorder(), snapshot_of(a=1)
    second = first.changed([("a", {"n": 2}), ("b", {"n": 3})], 3, 3)
    assert (recorder.get(second), recorder.get(first), recorder.get(second)) == (
        {"a": 2, "b": 3},
        {"a": 1},
        {"a": 2, "b": 3},
    )
    assert recorder.calls == ["build", {"a", "b"}, {"a", "b"}]


def test_the_least_recently_used_values_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(derived, "MOST", 2)
    recorder, snapshot = Recorder(), snapshot_of(a=1)
    for name in ("one", "two", "one", "three", "one", "two"):
        recorder.get(snapshot, name)
    assert recorder.calls == ["build"] * 4


def test_values_have_a_limited_size_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(derived, "MOST_BYTES", 10)
    recorder, snapshot = Recorder(), snapshot_of(a=1)
    for name in ("one", "two", "one", "three", "one", "two"):
        recorder.get(snapshot, name, 5)
    assert recorder.calls == ["build"] * 4


def test_a_value_that_is_not_requested_during_many_changes_is_built_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(derived, "MOST_KEYS", 2)
    recorder, snapshot = Recorder(), snapshot_of(a=1)
    recorder.get(snapshot)
    recorder.get(snapshot.changed([(key, {"n": 1}) for key in "bcd"], 4, 4))
    assert recorder.calls == ["build", "build"]
