"""The rows of packages: loaded ones equal the ones that were stored."""

from typing import Any

import pytest

from chalicelib.contentdb.entry import KINDS, ContentDbEntry, GameSupport, PackageEntry, ReleaseInfo
from chalicelib.contentdb.store import rows
from chalicelib.contentdb.store.package_row import PackageRow
from chalicelib.contentdb.store.rows import PackageRows
from chalicelib.core.catalogues.entries import Codec, replace
from chalicelib.core.catalogues.packing import Packing
from chalicelib.core.catalogues.snapshots import Snapshot

pytestmark = pytest.mark.usefixtures("aws")
DATES = [f"2026-11-21T01:07:14.2521{number}" for number in range(10, 20)]


LISTS = ("tags", "maintainers", "aliases", "depends", "optional_depends", "screenshots", "releases", "game_support")


def package(number: int) -> tuple[str, PackageEntry]:
    """A package and its key."""
    values: dict[str, Any] = dict.fromkeys(PackageEntry.__struct_fields__[:34]) | dict.fromkeys(LISTS, ())
    values |= {"author": f"author{number % 3}", "name": f"name{number}", "type": ("mod", "game")[number % 2]}
    values |= {"id": number + 1, "title": f"Title {number}", "short_description": "", "license": "MIT"}
    values |= {"media_license": "CC0-1.0", "content_warnings": (), "provides": (f"name{number}",), "state": "APPROVED"}
    values |= {"created_at": DATES[number], "translations": {}}
    return f"author{number % 3}/name{number}", PackageEntry(**values)


def made() -> Snapshot[ContentDbEntry]:
    """Ten packages that differ in every field of their rows."""
    found = {}
    for number, date in enumerate(DATES):
        key, value = package(number)
        release = ReleaseInfo(id=90 + number, min=number, max=None, file="a.zip", size=9, created_at=date)
        found[key] = replace(
            value,
            state="WIP" if number % 4 == 3 else "APPROVED",
            content_warnings=("violence",) if number % 2 else (),
            aliases=(f"old/{number}",) if number % 3 else (),
            game_support=(GameSupport(game=f"a/game{number % 2}", supports=True, confidence=1),),
            releases=(release,) if number else (),
            tags=("building",) if number % 2 else ("tools", "building"),
            approved_at=date if number % 2 else None,
            score_reviews=number / 7,
            reviews=(number, 0, 1),
            forums=number or None,
        )
    return Snapshot.of(Packing(Codec(KINDS, 2)), 1, 1, found.items())


def values(found: PackageRows) -> dict[str, dict[str, Any]]:
    """All fields of all rows."""
    return {key: {name: getattr(row, name) for name in PackageRow.fields()} for key, row in found.by_key.items()}


def test_loaded_rows_equal_the_stored_ones() -> None:
    built = rows.ROWS.build(made())
    keys = ["tag#building", *sorted(built.by_key, reverse=True)]
    encoded = rows.ROWS.encode(built, {key: number for number, key in enumerate(keys)})
    loaded = rows.ROWS.decode(encoded, keys)
    assert values(loaded) == values(built)
    assert loaded.approved.keys == built.approved.keys


def test_packages_with_equal_scores_are_in_the_order_of_their_keys() -> None:
    snapshot = made().changed([(f"{name}/x", package(5)[1]) for name in "cab"], 4, 4)
    approved = rows.ROWS.build(snapshot).approved
    assert [(-row.score, row.key) for row in approved] == sorted((-row.score, row.key) for row in approved)


def test_rows_of_another_version_are_rejected() -> None:
    with pytest.raises(ValueError, match="other fields"):
        rows.ROWS.decode(b"\x92\xc4\x00\x80", [])
    with pytest.raises(ValueError, match="truncated"):
        rows.ROWS.decode(b"", [])
