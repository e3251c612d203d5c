"""Scores: their sources, their decay without a write, and their list."""

import random
from collections.abc import Iterator
from decimal import Decimal, localcontext
from typing import Any

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.contentdb.statistics import counting
from chalicelib.contentdb.store import index, popularity
from chalicelib.contentdb.store.tables import Counters
from chalicelib.core import job_runner
from chalicelib.core.tables import Account
from tests.client import Client
from tests.contentdb.builders import count, draft, published
from tests.worlds import both_worlds


@pytest.fixture(autouse=True)
def clock(alice: Account) -> Iterator[time_machine.Traveller]:
    """Stop the clock at noon; yields the clock."""
    with time_machine.travel("2026-03-10T12:00:00Z", tick=False) as traveller:
        yield traveller


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


def test_scores_of_downloads_decay_daily_and_scores_of_reviews_do_not(client: Client, clock: Any) -> None:
    published("Alice/lamps")
    count("Alice/lamps", score_downloads=100, score_reviews=150, positive=1)
    for expected in (250.0, 243.0, 236.49, 230.4357):
        assert [row["score"] for row in client.get("/api/scores/").json] == [expected]
        assert client.get("/api/packages/Alice/lamps/").json["score"] == round(expected, 1)
        clock.shift(86400)


def test_a_decay_changes_the_order_of_lists(client: Client, clock: Any) -> None:
    published("Alice/lamps")
    published("Alice/doors")
    count("Alice/lamps", score_downloads=200)
    count("Alice/doors", score_downloads=40, score_reviews=150)
    listed = [package["name"] for package in client.get("/api/packages/").json]
    clock.shift(86400)
    assert listed == ["lamps", "doors"]
    assert [package["name"] for package in client.get("/api/packages/").json] == ["doors", "lamps"]


def test_a_decay_writes_nothing(client: Client, clock: Any, calls: list[str]) -> None:
    published("Alice/lamps")
    count("Alice/lamps", score_downloads=10)
    client.get("/api/scores/")
    clock.shift(86400)
    calls.clear()
    assert [row["score"] for row in client.get("/api/scores/").json] == [9.3]
    assert calls == ["Query"]


def test_the_etag_of_a_list_follows_its_counts(client: Client, clock: Any) -> None:
    published("Alice/lamps")
    known = {"If-None-Match": client.get("/api/scores/").header("etag") or ""}
    assert client.get("/api/scores/", headers=known).status == 304
    count("Alice/lamps", downloads=1, score_downloads=1)
    after = client.get("/api/scores/", headers=known)
    assert (after.status, after.json[0]["downloads"]) == (200, 1)
    clock.shift(86400)
    known = {"If-None-Match": after.header("etag") or ""}
    assert client.get("/api/scores/", headers=known).status == 200


@given(st.lists(st.tuples(st.integers(0, 120), st.integers(1, 2000)), min_size=1, max_size=30), st.integers(0, 400))
def test_points_equal_those_of_a_daily_multiplication(gained: list[tuple[int, int]], later: int) -> None:
    """Compared with the exact sum: each gain of half points, multiplied by 0.93 at each midnight since."""
    gains = sorted(gained)
    points, day = 0.0, gains[0][0]
    for number, halves in gains:
        points, day = popularity.decayed(points, number - day) + halves / 2, number
    end = gains[-1][0] + later
    with localcontext(prec=60):
        factor = Decimal(popularity.DECAY)
        exact = sum((Decimal(halves) / 2 * factor ** (end - number) for number, halves in gains), Decimal())
        assert abs(Decimal(popularity.decayed(points, later)) - exact) <= exact * Decimal("1e-15")


def test_points_of_an_older_version_are_kept_and_decay(client: Client, clock: Any) -> None:
    published("Alice/lamps")
    published("Alice/doors")
    Counters("package#1", "counters", downloads=3, score_downloads=10).save()
    Counters("package#2", "counters", downloads=1, score_downloads=100, decayed_on="2026-03-09").save()
    for expected in ([("doors", 1, 93.0), ("lamps", 3, 10.0)], [("doors", 1, 86.49), ("lamps", 3, 9.3)]):
        job_runner.run_now("contentdb-book-downloads")
        rows = client.get("/api/scores/").json
        assert [(row["name"], row["downloads"], row["score"]) for row in rows] == expected
        clock.shift(86400)


def test_all_counts_of_a_run_are_one_delta_and_no_change_of_the_list(client: Client) -> None:
    for number, name in enumerate(("lamps", "doors"), 1):
        published(f"Alice/{name}")
        counting.count_download(counting.Visitor("203.0.113.7", "Luanti/5.17.0"), number, number, "new")
    popularity.counters.rebuild()
    before = index.catalogue.snapshot().sequence
    for _ in range(2):
        job_runner.run_now("contentdb-book-downloads")
    assert (index.catalogue.snapshot().sequence, popularity.state()[0]) == (before, 2)
    assert [row["downloads"] for row in client.get("/api/scores/", query="sort=downloads").json] == [1, 1]


@both_worlds
def test_downloads_of_short_lived_processes_are_all_counted(client: Client, clock: Any) -> None:
    published("Alice/lamps")
    for number in range(20):
        popularity.counters.drop_cache()
        counting.count_download(counting.Visitor(f"203.0.113.{number}", "Luanti/5.17.0"), 1, 1, "update")
    clock.shift(300)
    job_runner.run_now("contentdb-book-downloads")
    popularity.counters.drop_cache()
    assert [(row["downloads"], row["score"]) for row in client.get("/api/scores/").json] == [(20, 10.0)]


def test_lists_that_follow_counts_equal_lists_that_are_built_again(client: Client, clock: Any) -> None:
    choose = random.Random(18)
    for number in range(6):
        published(f"Alice/p{number}")
    for step in range(25):
        count(f"Alice/p{choose.randrange(6)}", downloads=step, score_downloads=choose.random() * 10)
        if step % 10 == 9:
            clock.shift(86400)
        followed = [client.get(path).body for path in ("/api/packages/", "/api/scores/", "/api/homepage/")]
        popularity.counters.drop_cache()  # so all rows are read again
        index.catalogue.drop_cache()
        assert [client.get(path).body for path in ("/api/packages/", "/api/scores/", "/api/homepage/")] == followed
