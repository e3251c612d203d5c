"""Rows and texts that folds store: a new process loads them, and reads only packages that differ."""

from typing import Any

import pytest

from chalicelib.core.catalogues import stored_values
from chalicelib.core.catalogues.snapshots import Snapshot
from chalicelib.hel import index, rows, texts
from chalicelib.hel.entry import PackageEntry
from chalicelib.hel.rows import ListedPackage, Packages
from tests.client import Client
from tests.hel.builders import Create, package

WORDS = ("package", "two", "zinc")


@pytest.fixture
def snapshot(client: Client, create: Create, monkeypatch: pytest.MonkeyPatch) -> Snapshot[PackageEntry]:
    """The snapshot of a new process, with five packages as stored, and a new one."""
    monkeypatch.setattr(stored_values, "FEWEST", 5)
    for name in ("one", "two", "three", "four", "five"):
        create(package(name, description=f"Package {name}", tags=[name]))
    index.catalogue.fold()
    create(package("six", description="Zinc"))
    index.catalogue.drop_cache()
    return index.catalogue.snapshot()


def fields(found: Packages) -> dict[str, dict[str, Any]]:
    return {key: {name: getattr(row, name) for name in ListedPackage.fields()} for key, row in found.items()}


def test_loaded_rows_equal_new_ones(snapshot: Snapshot[PackageEntry]) -> None:
    assert rows.ROWS.is_stored(snapshot)
    assert fields(rows.ROWS.of(snapshot)) == fields(rows.ROWS.build(snapshot))
    assert {row.name for row in rows.ROWS.of(snapshot).values()} == {"one", "two", "three", "four", "five", "six"}


def test_loaded_texts_equal_new_ones(snapshot: Snapshot[PackageEntry]) -> None:
    assert texts.TEXTS.is_stored(snapshot)
    loaded, new = texts.TEXTS.of(snapshot), texts.TEXTS.build(snapshot)
    assert [loaded.containing([word]) for word in WORDS] == [new.containing([word]) for word in WORDS]
    assert [len(loaded.containing([word])) for word in WORDS] == [6, 1, 1]


def test_many_changed_texts_are_merged_into_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "_MOST_CHANGED", 2)
    found = texts.of((str(number), f"text {number}") for number in range(1500))
    found = found.updated({"7": "zinc", "8": None}).updated({"1500": "zinc and text"})
    assert (len(found.chunks), found.changed) == (3, {})
    assert (found.containing(["zinc"]), len(found.containing(["text"]))) == ({"7", "1500"}, 1499)
