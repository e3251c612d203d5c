"""Scores: their sources, their daily decay, and their list."""

from collections.abc import Iterator
from typing import Any

import pytest
import time_machine

from chalicelib.contentdb.store import index
from chalicelib.contentdb.store.tables import Counters
from chalicelib.core import job_runner, registry
from chalicelib.core.tables import Account
from tests.aws_calls import dies
from tests.client import Client
from tests.contentdb.builders import count, draft, published
from tests.worlds import both_worlds


@pytest.fixture(autouse=True)
def clock(alice: Account) -> Iterator[time_machine.Traveller]:
    """Stop the clock at noon; yields the clock."""
    with time_machine.travel("2026-03-10T12:00:00Z", tick=False) as traveller:
        yield traveller


def decay() -> None:
    job_runner.run_now("contentdb-decay-scores")


def points(*keys: str) -> list[float]:
    entries = index.catalogue.snapshot().entries
    return [entries[key].value.score_downloads for key in keys]


def test_scores_are_listed_unrounded_best_first(client: Client) -> None:
    published("Alice/lamps")
    published("Alice/doors")
    draft("Alice/draft")
    count("Alice/lamps", downloads=7, score_downloads=0.123456)
    count("Alice/doors", downloads=3, score_downloads=2.5, score_reviews=-150, positive=1, neutral=2, negative=3)
    reply = client.get("/api/scores/")
    assert (reply.status, reply.header("cache-control")) == (200, "max-age=900")
    assert reply.json == [
        {
            "author": "Alice",
            "name": "lamps",
            "downloads": 7,
            "score": 0.123456,
            "score_downloads": 0.123456,
            "score_reviews": 0.0,
            "reviews": {"positive": 0, "neutral": 0, "negative": 0},
        },
        {
            "author": "Alice",
            "name": "doors",
            "downloads": 3,
            "score": -147.5,
            "score_downloads": 2.5,
            "score_reviews": -150.0,
            "reviews": {"positive": 1, "neutral": 2, "negative": 3},
        },
    ]


def test_scores_can_be_filtered_by_a_package_query(client: Client) -> None:
    for points, name in enumerate(("lamps", "doors", "chairs")):
        published(f"Alice/{name}", type="GAME" if name == "chairs" else "MOD")
        count(f"Alice/{name}", score_downloads=points)

    def names(query: str) -> list[str]:
        return [row["name"] for row in client.get("/api/scores/", query=query).json]

    assert names("type=mod") == ["doors", "lamps"]
    assert names("q=lamps") == ["lamps"]
    assert names("sort=name&order=asc&limit=2") == ["chairs", "doors"]
    assert names("lucky=1") == ["chairs"]
    assert sorted(names("random=1")) == ["chairs", "doors", "lamps"]
    assert client.get("/api/scores/", query="type=book").status == 400


def test_without_packages_the_list_is_empty(client: Client) -> None:
    assert client.get("/api/scores/").body == b"[]\n"


def test_scores_of_downloads_decay_once_a_day_and_scores_of_reviews_do_not(client: Client, clock: Any) -> None:
    published("Alice/lamps")
    count("Alice/lamps", score_downloads=100, score_reviews=150, positive=1)
    for _ in range(3):
        decay()
    assert [row["score"] for row in client.get("/api/scores/").json] == [243.0]
    clock.shift(86400)
    decay()
    assert [row["score"] for row in client.get("/api/scores/").json] == [236.49]


def test_a_decay_changes_the_order_of_lists(client: Client) -> None:
    published("Alice/lamps")
    published("Alice/doors")
    count("Alice/lamps", score_downloads=200)
    count("Alice/doors", score_downloads=40, score_reviews=150)
    listed = [package["name"] for package in client.get("/api/packages/").json]
    decay()
    assert listed == ["lamps", "doors"]
    assert [package["name"] for package in client.get("/api/packages/").json] == ["doors", "lamps"]


def test_a_decay_is_one_change_of_the_catalogue(client: Client) -> None:
    for name in ("lamps", "doors", "chairs"):
        published(f"Alice/{name}")
        count(f"Alice/{name}", score_downloads=10)
    before = index.catalogue.snapshot().sequence
    decay()
    assert index.catalogue.snapshot().sequence == before + 1
    assert points("Alice/lamps", "Alice/doors", "Alice/chairs") == [9.3, 9.3, 9.3]


def test_scores_that_are_not_in_the_catalogue_yet_decay(client: Client) -> None:
    published("Alice/lamps")
    Counters("package#1", "counters", score_downloads=10).save()
    decay()
    assert points("Alice/lamps") == [9.3]


@both_worlds
def test_scores_decay_once_whenever_the_process_is_killed(client: Client, clock: Any) -> None:
    keys = ("Alice/lamps", "Alice/doors")
    for key in keys:
        published(key)
        count(key, score_downloads=1000)
    wanted, died_after = 1000.0, 0
    while dies(decay, died_after):
        decay()
        wanted = round(wanted * 0.93, 6)
        assert points(*keys) == [wanted, wanted]
        clock.shift(86400)
        died_after += 1
    assert died_after > 5


def test_a_daily_job_publishes_all_counters_in_one_change(client: Client) -> None:
    for number, name in enumerate(("lamps", "doors"), 1):
        published(f"Alice/{name}")
        Counters(f"package#{number}", "counters", downloads=number).save()
    before = index.catalogue.snapshot().sequence
    for _ in range(2):
        job_runner.run_now("contentdb-refresh-counters")
    assert index.catalogue.snapshot().sequence == before + 1
    assert [row["downloads"] for row in client.get("/api/scores/", query="sort=downloads").json] == [2, 1]


def test_old_snapshots_are_deleted_without_new_changes(client: Client, clock: Any) -> None:
    published("Alice/lamps")
    job_runner.run_now("fold-catalogues")
    for number in range(1, 4):
        Counters("package#1", "counters", downloads=number).save()
        job_runner.run_now("contentdb-refresh-counters")
    from chalicelib.core import blobs

    assert len(list(blobs.list_blobs("catalogue/contentdb/"))) == 4
    clock.shift(3 * 86400)
    job_runner.run_now("fold-catalogues")
    assert len(list(blobs.list_blobs("catalogue/contentdb/"))) == 1
    registry.current().catalogues["contentdb"].drop_cache()
    assert client.get("/api/scores/").json[0]["downloads"] == 3
