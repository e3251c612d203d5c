"""Shards of a snapshot: a change replaces one of them, and few entries of a large one stay decoded."""

from collections.abc import Iterator
from typing import Any

import pytest

from chalicelib.core import blobs
from chalicelib.core.catalogues import change_log, shards, stored
from chalicelib.core.catalogues.catalogue import Catalogue
from chalicelib.core.catalogues.entries import Codec
from chalicelib.core.catalogues.packing import Packing
from chalicelib.core.catalogues.shards import SHARDS, Shard, number_of
from chalicelib.core.catalogues.snapshots import Entry, Snapshot, Value
from chalicelib.core.catalogues.tables import Fold, Head
from tests.aws_calls import meanwhile
from tests.worlds import embedded_only

PACKING = Packing(Codec(dict[str, Any], 1))


def groups(entry: Entry) -> Iterator[tuple[str, int]]:
    yield ("parity", entry.value["n"] % 2)


def process(entities: dict[str, Value] | None = None) -> Catalogue:
    """Return the catalogue of a new process, with nothing in memory."""
    known = entities or {}
    return Catalogue(
        "test", dict[str, Any], shape=1, entities=known.items, reload=lambda key, _: known.get(key), groups=groups
    )


def numbers(count: int, text: str = "") -> dict[str, Value]:
    return {f"k{n}": {"n": n, "text": f"{text}{n}"} for n in range(count)}


def publish(where: Catalogue, **changes: Any) -> Snapshot:
    return where.publish(lambda snapshot, writes: (changes, None))[0]


def changed_shards(before: Snapshot, after: Snapshot) -> set[int]:
    return {n for n in range(SHARDS) if before.shards[n] is not after.shards[n]}


def test_a_key_always_belongs_to_the_same_shard() -> None:
    assert [number_of(key) for key in ("alice/say", "Alice/lamps", "1", "käy/…")] == [93, 18, 55, 100]


@pytest.mark.usefixtures("aws")
def test_a_change_replaces_one_shard_in_every_process() -> None:
    one, other = process(numbers(500)), process()
    before = one.rebuild(), other.snapshot()
    after = publish(one, k7={"n": 8}), other.snapshot()
    for old, new in zip(before, after, strict=True):
        assert changed_shards(old, new) == {number_of("k7")}
        assert (new.entries["k7"].value, new.entries["k8"] is old.entries["k8"]) == ({"n": 8}, True)


@pytest.mark.usefixtures("aws")
def test_results_per_shard_are_built_only_for_changed_shards() -> None:
    built: list[int] = []

    def total(shard: Shard) -> int:
        built.append(len(shard))
        return sum(entry.value["n"] for entry in shard.entries())

    one = process(numbers(500))
    assert sum(one.rebuild().per_shard("total", total)) == sum(range(500))
    assert (len(built), sum(built)) == (SHARDS, 500)
    built.clear()
    after = publish(one, k7={"n": 1007}, k8=None)
    assert sum(after.per_shard("total", total)) == sum(range(500)) + 1000 - 8
    assert len(built) == len({number_of("k7"), number_of("k8")})


@pytest.mark.usefixtures("aws")
def test_a_rebuild_and_a_reload_keep_equal_shards() -> None:
    entities = numbers(500)
    one, other = process(entities), process()
    one.rebuild()
    before = other.snapshot()
    entities["k7"] = {"n": 9, "text": ""}
    one.rebuild()
    after = other.snapshot()
    assert changed_shards(before, after) == {number_of("k7")}
    assert after.entries["k7"].value == {"n": 9, "text": ""}


def test_entries_are_in_the_order_in_which_they_were_added() -> None:
    snapshot = Snapshot.of(PACKING, 1, 1, numbers(300).items())
    changed = snapshot.changed([("new", {}), ("k5", {}), ("k1", None), ("k1", {})], 5, 2)
    expected = [f"k{n}" for n in range(300) if n != 1] + ["new", "k1"]
    assert list(changed.entries) == expected
    assert [entry.key for entry in changed.entries.values()] == expected
    assert [key for key, _ in changed.entries.items()] == expected


def test_a_snapshot_has_the_entries_that_were_put_into_it() -> None:
    values = numbers(300)
    snapshot = Snapshot.of(PACKING, 1, 1, values.items())
    assert {key: entry.value for key, entry in snapshot.entries.items()} == values
    assert (len(snapshot.entries), "k1" in snapshot.entries, "x" in snapshot.entries) == (300, True, False)
    assert (snapshot.entries.get("x"), snapshot.entries["k1"].value) == (None, values["k1"])
    with pytest.raises(KeyError):
        snapshot.entries["x"]


def test_a_large_shard_keeps_only_the_last_read_entries_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot = Snapshot.of(PACKING, 1, 1, numbers(20).items())
    shard = Shard(PACKING, {key: record for each in snapshot.shards for key, record in each.records.items()})
    monkeypatch.setattr(shards, "HELD_BYTES", sum(map(len, list(shard.records.values())[:4])))
    first = {key: shard[key] for key in list(shard.records)[:4]}
    assert all(shard[key] is entry for key, entry in first.items())
    assert {key for key, entry in zip(shard.records, shard.entries(), strict=True) if first.get(key) is entry} == {
        *first
    }
    for key in shard.records:
        assert shard[key].value["n"] == int(key[1:])
    assert all(shard[key] is not entry for key, entry in first.items())


def test_entries_shrink_with_the_dictionary_of_their_kind() -> None:
    values = {f"k{n}": {"name": f"module{n}", "license": "MIT", "summary": "A module for Lua"} for n in range(200)}
    trained = Snapshot.of(PACKING.trained(values.values()), 1, 1, values.items())
    plain = Snapshot.of(PACKING, 1, 1, values.items())
    sizes = [sum(len(r) for shard in each.shards for r in shard.records.values()) for each in (trained, plain)]
    assert sizes[0] < sizes[1] / 2
    assert trained.packed_for(b"").packing.dictionary == trained.packing.dictionary
    assert plain.packed_for(trained.packing.dictionary).shards[0].records == trained.shards[0].records


@pytest.mark.usefixtures("aws")
def test_groups_are_those_of_the_code_and_not_of_the_process_that_stored_the_entries() -> None:
    values = numbers(10)
    without = Catalogue("test", dict[str, Any], shape=1, entities=values.items, reload=lambda key, _: None)
    without.rebuild()
    assert list(process().snapshot().group(("parity", 1))) == [f"k{n}" for n in (1, 3, 5, 7, 9)]
    assert without.snapshot().group(("parity", 1)) == {}


def head() -> Head:
    return Head.get("catalogue#test", "head", consistent_read=True)


def blob_keys() -> set[str]:
    return {blob.key for blob in blobs.list_blobs("catalogue/test/")}


@pytest.fixture
def large_shards(monkeypatch: pytest.MonkeyPatch, aws: None) -> None:
    """Every shard with an entry is a blob of its own."""
    monkeypatch.setattr(stored, "INLINE", 1)


@embedded_only
@pytest.mark.usefixtures("large_shards")
def test_a_fold_writes_only_the_shards_that_changed() -> None:
    one = process(numbers(500))
    one.rebuild()
    before = blob_keys()
    publish(one, k7={"n": 9}, k8={"n": 9})
    one.fold()
    assert len(blob_keys() - before) == 1 + len({number_of("k7"), number_of("k8")})
    assert len(process().snapshot().entries) == 500


@embedded_only
@pytest.mark.usefixtures("large_shards")
def test_shards_that_no_fold_needs_are_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(change_log, "KEEP_FOLDED", 0)
    one = process(numbers(50))
    one.rebuild()
    for number in range(5):
        publish(one, k7={"n": number})
        one.fold()
    publish(one, k7=None)
    one.fold()
    (fold,) = Fold.query("catalogue-folds#test", consistent_read=True)
    assert blob_keys() == {head().snapshot, *fold.shards}
    assert len(process().snapshot().entries) == 49
    assert len(fold.shards) == len({number_of(f"k{n}") for n in range(50) if n != 7})


@embedded_only
@pytest.mark.usefixtures("large_shards")
def test_a_fold_that_another_process_overtakes_leaves_no_blobs() -> None:
    one, behind = process(numbers(50)), process()
    one.rebuild()
    publish(one, k7={"n": 1})
    behind.snapshot()
    with meanwhile(one.fold, after=0, of="TransactWriteItems"):
        behind.fold()
    used = {key for fold in Fold.query("catalogue-folds#test") for key in (fold.snapshot, *fold.shards)}
    assert blob_keys() == used


@embedded_only
@pytest.mark.usefixtures("aws")
def test_a_small_catalogue_is_one_blob() -> None:
    one = process(numbers(500))
    one.rebuild()
    assert blob_keys() == {head().snapshot}
