"""The index of searches: after any changes it finds the same, with the same ranks, as a search through all packages."""

import random
from typing import Any

import pytest

from chalicelib.contentdb.browse import postings, search
from chalicelib.contentdb.browse.search import WEIGHTS, Search
from chalicelib.contentdb.entry import KINDS, ContentDbSnapshot, PackageEntry
from chalicelib.core.catalogues.entries import Codec
from chalicelib.core.catalogues.packing import Packing
from chalicelib.core.catalogues.snapshots import Snapshot

LISTS = ("tags", "content_warnings", "maintainers", "aliases", "provides", "depends", "optional_depends")
STEMS = ["iron", "ironwood", "i", "irons", "copper", "cop", "tree", "wood", "light", "lights", "run", "running"]
QUERIES = [
    *("iron", "i", "iro", "ironwood", "zinc", "iron copper", "co tree", "wood i light", "iron copper tree wood"),
    *('"iron tree"', '"iron tr"', "iron_tree", "iron -tree", "-iron", "-i", 'tree -"iron tree"', "iron or copper"),
    *("iron tree or wood -light or zinc", "-iron -copper or tree", "running", "runs lights", '"wood iron" copper'),
]


def package(pick: random.Random, number: int) -> PackageEntry:
    def text(most: int) -> str:
        return " ".join(pick.choices(STEMS, k=pick.randrange(most)))

    values: dict[str, Any] = dict.fromkeys(PackageEntry.__struct_fields__[:34])
    for name in (*LISTS, "game_support", "releases", "screenshots"):
        values[name] = ()
    values |= {"id": number, "author": "Alice", "type": "mod", "state": pick.choice(("APPROVED", "WIP"))}
    values |= {"name": "_".join(pick.choices(STEMS, k=2)), "title": text(4), "short_description": text(6)}
    values |= {"long_description": pick.choice((None, text(20))), "translations": {}}
    values |= {"created_at": "2026-01-01T00:00:00.000000", "license": "MIT", "media_license": "MIT"}
    return PackageEntry(**values)


def fields_of(stems: list[list[str]], phrase: tuple[str, ...]) -> int | None:
    """The fields of a phrase in a package with these stems per field; None if it is not there."""
    *before, prefix = phrase
    if not any(" " + " ".join(phrase) in "".join(f" {stem}" for stem in field) for field in stems):
        return None
    starting = {stem for field in stems for stem in field if stem.startswith(prefix)}
    found = 0
    for stem in starting:
        of_stem = sum(1 << position for position, field in enumerate(stems) if stem in field)
        found |= of_stem * 17 if stem == prefix else of_stem
    for stem in before:
        found &= sum(1 << position for position, field in enumerate(stems) if stem in field) | 0xF0
    return found


def score(fields: int) -> float:
    return sum(
        weight if fields >> 4 + position & 1 else weight * 0.9
        for position, weight in enumerate(WEIGHTS.values())
        if fields >> position & 1
    )


def search_all(snapshot: ContentDbSnapshot, wanted: Search) -> dict[str, float]:
    """The ranks of a search that looks through every package."""
    found: dict[str, float] = {}
    for key, entry in snapshot.entries.items():
        stems = [search._stems(getattr(entry.value, field) or "") for field in WEIGHTS]
        for terms in wanted:
            masks = [fields_of(stems, phrase) for phrase in terms.wanted]
            if None in masks or any(fields_of(stems, phrase) is not None for phrase in terms.unwanted):
                continue
            found[key] = max(sum(score(mask or 0) for mask in masks), found.get(key, 0.0))
    return found


@pytest.mark.parametrize("most", [3, 1000])
@pytest.mark.parametrize("seed", range(8))
def test_a_search_finds_the_same_after_any_changes(seed: int, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postings, "MOST_CHANGED", most)
    pick = random.Random(seed)
    keys = [f"Alice/{number}" for number in range(40)]
    first = ((key, package(pick, number)) for number, key in enumerate(pick.sample(keys, 25)))
    snapshot: ContentDbSnapshot = Snapshot.of(Packing(Codec(KINDS, 1)), 1, 1, first)
    for number in range(6):
        for query in QUERIES:
            parsed = search.parse(query)
            found = search.ranks(snapshot, parsed)
            assert found == pytest.approx(search_all(snapshot, parsed)), query
        changes = [
            (key, pick.choice((None, package(pick, 100 + number)))) for key in pick.sample(keys, pick.choice((1, 2, 9)))
        ]
        snapshot = snapshot.changed(changes, snapshot.sequence + len(changes), number + 2)


def test_a_search_of_an_empty_catalogue_finds_nothing() -> None:
    empty: ContentDbSnapshot = Snapshot.of(Packing(Codec(KINDS, 1)))
    assert [search.ranks(empty, search.parse(query)) for query in QUERIES] == [{}] * len(QUERIES)


def test_loaded_postings_equal_the_ones_that_were_stored() -> None:
    pick = random.Random(5)
    documents = {f"a/{number}": {stem: pick.randrange(1, 16) for stem in pick.sample(STEMS, 4)} for number in range(30)}
    keys = sorted([*documents, "tag#building"])
    numbers = {key: number for number, key in enumerate(keys)}
    changed = postings.build(documents.items()).updated({"a/3": None, "a/4": {"zinc": 2}})
    loaded = postings.decode(changed.encoded(numbers), keys)
    left = {**documents, "a/4": {"zinc": 2}}
    del left["a/3"]
    assert (loaded.changed, loaded.hidden) == ({}, frozenset())
    assert sorted(loaded.keys()) == sorted(left)
    for stem in (*STEMS, "zinc"):
        expected = {key: found for key, document in left.items() if (found := fields_of_stem(document, stem))}
        assert loaded.matching([(stem,)], list(range(256)), lambda key, phrase: False) == expected


def fields_of_stem(document: dict[str, int], prefix: str) -> int:
    found = 0
    for stem, fields in document.items():
        if stem.startswith(prefix):
            found |= fields * 17 if stem == prefix else fields
    return found
