"""The counters of reviews: their sums, concurrent changes, and their check by fsck."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from chalicelib.contentdb.reviews import index as review_index
from chalicelib.contentdb.store import index
from chalicelib.contentdb.store.tables import ContentDbItem, Counters
from chalicelib.core import fsck, registry
from chalicelib.core.declaration import Inconsistency
from chalicelib.core.tables import Account
from tests.client import Client
from tests.contentdb.builders import member, published, token
from tests.contentdb.test_reviews import sums, write


@pytest.fixture(autouse=True)
def _reviewed(client: Client, alice: Account) -> None:
    published("Alice/lamps")
    for name, rating in (("carol", 5), ("dora", 5), ("emma", 3), ("fred", 1)):
        write(client, token(member(name)), rating=rating)


def inconsistencies() -> Iterator[Inconsistency]:
    return fsck.check(fsck.FsckScan(), lambda _: None)


def test_counters_are_the_sums_of_reviews() -> None:
    assert sums() == (2, 1, 1, 150.0)
    assert list(inconsistencies()) == []


def test_a_review_keeps_downloads_that_are_booked_concurrently(client: Client) -> None:
    counters = Counters.get("package#1", "counters")
    counters.update(actions=[Counters.downloads.add(7), Counters.score_downloads.add(3)])
    write(client, token(member("gina")), rating=1)
    counters.refresh(consistent_read=True)
    assert (counters.downloads, counters.score_downloads, counters.negative) == (7, 3, 2)


def test_fsck_finds_and_fixes_miscounted_reviews() -> None:
    Counters.get("package#1", "counters").update(actions=[Counters.positive.add(1), Counters.score_reviews.add(150)])
    [inconsistency] = registry.current().inconsistencies()
    assert (inconsistency.kind, inconsistency.subject) == ("miscounted-reviews", "Alice/lamps")
    assert inconsistency.fix
    inconsistency.fix()
    assert sums() == (2, 1, 1, 150.0)
    assert list(registry.current().inconsistencies()) == []


def test_a_rebuild_does_not_change_the_catalogues(client: Client) -> None:
    for catalogue in (index.catalogue, review_index.catalogue):
        before = {key: entry.value for key, entry in catalogue.snapshot().entries.items()}
        after = {key: entry.value for key, entry in catalogue.rebuild().entries.items()}
        assert after == before
    assert set(registry.current().catalogues) >= {"contentdb", "contentdb-reviews"}


def test_fsck_finds_an_entry_without_a_review() -> None:
    item = next(item for item in ContentDbItem.query("reviews#1"))
    item.delete()
    kinds = sorted(inconsistency.kind for inconsistency in inconsistencies())
    assert kinds == ["catalogue", "miscounted-reviews"]


def test_reviews_survive_export_and_import(client: Client, tmp_path: Path) -> None:
    from chalicelib.core import backup

    shown = client.get("/api/reviews/").json
    with (tmp_path / "all.tar").open("w+b") as file:
        backup.write(file, str(tmp_path / "export.key"), lambda _: None)
        backup.read(file, str(tmp_path / "export.key"), lambda _: None, replace=True)
    assert client.get("/api/reviews/").json == shown
    assert list(inconsistencies()) == []
