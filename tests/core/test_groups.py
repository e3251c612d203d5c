"""Groups of a snapshot's entries: incremental updates give the same groups as a new computation."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.catalogues import groups
from chalicelib.core.catalogues.entries import Codec
from chalicelib.core.catalogues.packing import GroupsOf, Packing, group_number
from chalicelib.core.catalogues.snapshots import Entry, Snapshot, Value

NAMES = st.sampled_from("abc")
VALUES = st.none() | st.fixed_dictionaries({"groups": st.lists(NAMES, max_size=3)})


def groups_of(entry: Entry) -> Iterator[str]:
    yield from entry.value["groups"]


def snapshot_of(*values: list[str], grouped: GroupsOf = groups_of) -> Snapshot:
    entries = ((str(key), {"groups": names}) for key, names in enumerate(values))
    return Snapshot.of(Packing(Codec(dict[str, Any], 1), grouped), 1, 1, entries)


def test_a_group_contains_its_entries() -> None:
    snapshot = snapshot_of(["a"], ["a", "b"], [])
    assert [list(snapshot.group(name)) for name in "abc"] == [["0", "1"], ["1"], []]


def test_a_change_regroups_only_the_changed_entry() -> None:
    seen: list[str] = []

    def counted(entry: Entry) -> list[str]:
        seen.append(entry.key)
        return list(entry.value["groups"])

    snapshot = snapshot_of(["a"], ["a"], ["b"], grouped=counted)
    snapshot.group("a")
    seen.clear()
    changed = snapshot.changed([("2", {"groups": ["a"]})], 2, 2)
    assert (list(changed.group("a")), list(changed.group("b"))) == (["0", "1", "2"], [])
    assert (seen, list(snapshot.group("a"))) == (["2"], ["0", "1"])


@given(st.lists(st.lists(NAMES, max_size=3), max_size=4), st.lists(st.tuples(st.sampled_from("0123"), VALUES)))
def test_updated_groups_equal_new_ones(start: list[list[str]], changes: list[tuple[str, Value | None]]) -> None:
    snapshot = snapshot_of(*start)
    snapshot.group("a")
    updated = snapshot.changed(changes, 2, 2)
    for name in "abc":
        computed = {key for key, entry in updated.entries.items() if name in groups_of(entry)}
        assert set(updated.group(name)) == computed


@given(st.lists(st.lists(NAMES, max_size=3), max_size=4), st.lists(st.tuples(st.sampled_from("0123"), VALUES)))
def test_stored_groups_equal_the_ones_that_were_stored(
    start: list[list[str]], changes: list[tuple[str, Value | None]]
) -> None:
    updated = snapshot_of(*start).changed(changes, 2, 2)
    known = snapshot_of(*start).groups.changed({key: updated.record(key) for key, _ in changes})
    keys = sorted(updated.entries, reverse=True)
    loaded = groups.decode(known.encoded({key: number for number, key in enumerate(keys)}), keys)
    for name in "abc":
        number = group_number(name)
        assert sorted(loaded.keys_of(number)) == sorted(known.keys_of(number)) == sorted(updated.group(name))


def test_many_changes_are_merged_into_the_arrays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groups, "MOST_CHANGED", 2)
    snapshot = snapshot_of(["a"], ["a", "b"], [], ["b"])
    snapshot.group("a")
    for number, names in enumerate((["b"], None, ["a"], ["c"])):
        snapshot = snapshot.changed([(str(number), names and {"groups": names})], number + 2, 2)
    assert [list(snapshot.group(name)) for name in "abc"] == [["2"], ["0"], ["3"]]
