"""Groups of a snapshot's entries: incremental updates give the same groups as a new computation."""

from collections.abc import Iterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.catalogues.entries import Codec
from chalicelib.core.catalogues.packing import GroupsOf, Packing
from chalicelib.core.catalogues.snapshots import Entry, Snapshot, Value

NAMES = st.sampled_from("abc")
VALUES = st.none() | st.fixed_dictionaries({"groups": st.lists(NAMES, max_size=3)})


def groups_of(entry: Entry) -> Iterator[str]:
    yield from entry.value["groups"]


def snapshot_of(*values: list[str], groups: GroupsOf = groups_of) -> Snapshot:
    entries = ((str(key), {"groups": names}) for key, names in enumerate(values))
    return Snapshot.of(Packing(Codec(dict[str, Any], 1), groups), 1, 1, entries)


def test_a_group_contains_its_entries() -> None:
    snapshot = snapshot_of(["a"], ["a", "b"], [])
    assert [list(snapshot.group(name)) for name in "abc"] == [["0", "1"], ["1"], []]


def test_a_change_regroups_only_the_changed_entry() -> None:
    seen: list[str] = []

    def counted(entry: Entry) -> list[str]:
        seen.append(entry.key)
        return list(entry.value["groups"])

    snapshot = snapshot_of(["a"], ["a"], ["b"], groups=counted)
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
