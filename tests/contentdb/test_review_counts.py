"""What reviews add up to, beside other counters that move at the same moment, and how a wrong sum is found."""

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


def faults() -> Iterator[Inconsistency]:
    return fsck.check(fsck.FsckWalk(), lambda _: None)


def test_reviews_add_up() -> None:
    assert sums() == (2, 1, 1, 150.0)
    assert list(faults()) == []


def test_downloads_that_are_booked_meanwhile_stay(client: Client) -> None:
    counters = Counters.get("package#1", "counters")
    counters.update(actions=[Counters.downloads.add(7), Counters.score_downloads.add(3)])
    write(client, token(member("gina")), rating=1)
    counters.refresh(consistent_read=True)
    assert (counters.downloads, counters.score_downloads, counters.negative) == (7, 3, 2)


def test_what_was_miscounted_is_found_and_mended() -> None:
    Counters.get("package#1", "counters").update(actions=[Counters.positive.add(1), Counters.score_reviews.add(150)])
    [fault] = registry.current().faults()
    assert (fault.kind, fault.subject) == ("miscounted-reviews", "Alice/lamps")
    assert fault.fix
    fault.fix()
    assert sums() == (2, 1, 1, 150.0)
    assert list(registry.current().faults()) == []


def test_lists_that_are_made_anew_are_the_same(client: Client) -> None:
    for catalogue in (index.catalogue, review_index.catalogue):
        before = {key: entry.value for key, entry in catalogue.snapshot().entries.items()}
        after = {key: entry.value for key, entry in catalogue.rebuild().entries.items()}
        assert after == before
    assert set(registry.current().catalogues) >= {"contentdb", "contentdb-reviews"}


def test_an_entry_that_is_not_as_its_review_is_found() -> None:
    item = next(item for item in ContentDbItem.query("reviews#1"))
    item.delete()
    kinds = sorted(fault.kind for fault in faults())
    assert kinds == ["catalogue", "miscounted-reviews"]


def test_reviews_are_carried_into_another_installation(client: Client, tmp_path: Path) -> None:
    from chalicelib.core import backup

    shown = client.get("/api/reviews/").json
    with (tmp_path / "all.tar").open("w+b") as file:
        backup.write(file, str(tmp_path / "export.key"), lambda _: None)
        backup.read(file, str(tmp_path / "export.key"), lambda _: None, replace=True)
    assert client.get("/api/reviews/").json == shown
    assert list(faults()) == []
