"""The homepage: the packages in each of its lists."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib.contentdb.collections import curation
from chalicelib.core.tables import Account
from tests.client import Client
from tests.contentdb.builders import change, count, draft, published, release, screenshot

LISTS = ("spotlight", "new", "updated", "pop_mod", "pop_txp", "pop_game", "high_reviewed")


def names(client: Client) -> dict[str, list[str]]:
    """Return the names of the packages in each list."""
    page = client.get("/api/homepage/").json
    return {each: [package["name"] for package in page[each]] for each in LISTS}


def test_an_empty_site_has_an_empty_page(client: Client) -> None:
    reply = client.get("/api/homepage/")
    assert (reply.status, reply.header("cache-control")) == (200, "max-age=300")
    assert reply.json == {"count": 0, "downloads": 0, **{name: [] for name in LISTS}}


def test_packages_are_in_the_short_format(client: Client, alice: Account) -> None:
    number = published("Alice/lamps", short_description="Light.")
    screenshot("Alice/lamps")
    change("Alice/lamps", translations={"de": {"title": "Lampen"}})
    lamps = {
        "author": "Alice",
        "name": "lamps",
        "type": "mod",
        "title": "Lamps",
        "short_description": "Light.",
        "release": number,
        "thumbnail": "http://moonbase.test/thumbnails/1/0123456789.png",
    }
    page = client.get("/api/homepage/", headers={"Accept-Language": "de"}).json
    assert (page["new"], page["updated"], page["pop_mod"]) == ([lamps], [lamps], [lamps])


def test_lists_have_new_updated_popular_and_well_reviewed_packages(client: Client, alice: Account) -> None:
    first = datetime(2026, 1, 1, tzinfo=UTC)
    for number in range(10):
        published(f"Alice/m{number}")
        change(f"Alice/m{number}", approved_at=first + timedelta(days=number * 7 % 10))
        points = (0, 3, 0, 5, 0, 1, 0, 7, 0, -2)[number]
        reviews = {"score_reviews": points, "positive": number % 2}
        count(f"Alice/m{number}", downloads=1, score_downloads=number, **reviews)
    published("Alice/sky_game", type="GAME")
    published("Alice/sepia", type="TXP")
    for name in ("sky_game", "sepia"):
        change(f"Alice/{name}", approved_at=first)
    release("Alice/m4")
    draft("Alice/draft")
    page = client.get("/api/homepage/").json
    assert (page["count"], page["downloads"]) == (12, 10)
    found = names(client)
    assert found["new"] == ["m7", "m4", "m1", "m8"]
    assert found["updated"] == ["m4", "sepia", "sky_game", "m9"]
    assert found["pop_mod"] == ["m7", "m3", "m8", "m9", "m5", "m6", "m1", "m4"]
    assert (found["pop_game"], found["pop_txp"]) == (["sky_game"], ["sepia"])
    assert found["high_reviewed"] == ["m7", "m3", "m1", "m5"]


def test_the_spotlight_has_six_random_approved_packages(client: Client, alice: Account) -> None:
    members = [f"Alice/m{number}" for number in range(9)]
    for key in members:
        published(key)
    curation.set_packages("ContentDB", "spotlight", members)
    change("Alice/m8", state="WIP")
    shown = names(client)["spotlight"]
    assert (len(shown), len(set(shown))) == (6, 6)
    assert "m8" not in shown
    seen = set(shown)
    for number in range(40):
        count("Alice/m0", downloads=number)
        seen |= set(names(client)["spotlight"])
    assert seen == {f"m{number}" for number in range(8)}


@pytest.mark.parametrize("size", [10, 600])
def test_the_page_costs_one_call_when_warm(client: Client, calls: list[str], fill_catalogue: Any, size: int) -> None:
    fill_catalogue(size)
    client.get("/api/homepage/")
    calls.clear()
    assert (client.get("/api/homepage/").status, calls) == (200, ["Query"])
