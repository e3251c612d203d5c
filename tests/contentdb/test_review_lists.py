"""The list of all packages' reviews: filters, pages, order, and AWS calls."""

from datetime import UTC, datetime
from typing import Any

import pytest

from chalicelib import settings
from chalicelib.contentdb.packages import states
from chalicelib.contentdb.reviews import index as review_index
from chalicelib.contentdb.store import index
from chalicelib.contentdb.store.tables import ContentDbItem, Review, reviews_pk
from chalicelib.core.tables import Account
from tests.client import Client
from tests.contentdb.builders import NO_SUCH_PAGE, malformed, member, published, refusal, token
from tests.contentdb.test_reviews import write

BASE = "http://moonbase.test/api/reviews/?"


@pytest.fixture
def _written(client: Client, alice: Account, bob: Account) -> None:
    """Write five reviews by three accounts, of packages of two authors."""
    for key in ("Alice/lamps", "Alice/moon", "bob/doors"):
        published(key, type="GAME" if key.endswith("moon") else "MOD")
    carol, dora = token(member("carol")), token(member("Dora"))
    for headers, key, rating, title in (
        (carol, "Alice/lamps", 5, "Bright lamps"),
        (token(bob), "Alice/lamps", 1, "Too BRIGHT"),
        (carol, "Alice/moon", 3, "A moon"),
        (dora, "bob/doors", 5, "They open, äh"),
        (dora, "Alice/lamps", 3, "Hmm, 100%"),
    ):
        assert write(client, headers, f"/api/packages/{key}/reviews/", rating=rating, title=title).status == 200


def found(client: Client, query: str = "") -> list[int]:
    """Return the ids of the reviews that a query matches."""
    reply = client.get("/api/reviews/", query=query)
    assert reply.status == 200, reply.body
    return [review["thread"]["id"] for review in reply.json["items"]]


@pytest.mark.usefixtures("_written")
def test_the_list_has_the_newest_first_and_contains_packages(client: Client) -> None:
    reply = client.get("/api/reviews/")
    items = reply.json.pop("items")
    assert {**reply.json, "items": len(items)} == {
        "page": 1,
        "per_page": 100,
        "page_count": 1,
        "total": 5,
        "urls": {"previous": None, "next": None},
        "items": 5,
    }
    assert [review["thread"]["id"] for review in items] == [5, 4, 3, 2, 1]
    assert items[2] == {
        "user": {"username": "carol", "display_name": "carol"},
        "created_at": items[2]["created_at"],
        "is_positive": False,
        "rating": 3,
        "title": "A moon",
        "comment": "This is a *really* good mod!",
        "votes": {"helpful": 0, "unhelpful": 0},
        "thread": {"id": 3, "url": "http://moonbase.test/api/packages/Alice/moon/reviews/3/"},
        "package": {"author": "Alice", "name": "moon", "type": "game"},
    }


@pytest.mark.usefixtures("_written")
@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("author=carol", [3, 1]),
        ("author=dora", []),
        ("author=Dora", [5, 4]),
        ("author=nobody", []),
        ("for_user=bob", [4]),
        ("for_user=Alice", [5, 3, 2, 1]),
        ("for_user=nobody", []),
        ("rating=5", [4, 1]),
        ("rating=3", [5, 3]),
        ("rating=1", [2]),
        ("is_positive=true", [4, 1]),
        ("is_positive=yes", [4, 1]),
        ("is_positive=false", [5, 3, 2]),
        ("is_positive=", [5, 4, 3, 2, 1]),
        ("q=bright", [2, 1]),
        ("q=%C3%84H", [4]),
        ("q=100%25", [5]),
        ("q=%25", [5]),
        ("q=_", []),
        ("q=", [5, 4, 3, 2, 1]),
        ("author=carol&for_user=Alice&rating=5&is_positive=1&q=lamps", [1]),
        ("rating=5&is_positive=no", []),
        ("unknown=x", [5, 4, 3, 2, 1]),
    ],
)
def test_the_list_can_be_filtered(client: Client, query: str, ids: list[int]) -> None:
    assert found(client, query) == ids


@pytest.mark.usefixtures("_written")
@pytest.mark.parametrize(
    ("query", "ids", "previous", "following"),
    [
        ("n=2", [5, 4], None, "n=2&page=2"),
        ("num=2&page=2", [3, 2], "num=2&page=1", "num=2&page=3"),
        ("n=2&page=3&rating=5&rating=1", [], None, None),
        ("n=1&for_user=Alice&page=4", [1], "n=1&for_user=Alice&page=3", None),
        ("n=9999", [5, 4, 3, 2, 1], None, None),
    ],
)
def test_links_between_pages_keep_all_arguments(
    client: Client, query: str, ids: list[int], previous: str | None, following: str | None
) -> None:
    if not ids:
        assert client.get("/api/reviews/", query=query).status == 404
        return
    page = client.get("/api/reviews/", query=query).json
    assert [review["thread"]["id"] for review in page["items"]] == ids
    assert page["urls"] == {"previous": previous and BASE + previous, "next": following and BASE + following}


@pytest.mark.usefixtures("_written")
@pytest.mark.parametrize("query", ["page=2", "page=0", "n=0", f"page={2**31 - 1}"])
def test_a_page_outside_the_list_is_404(client: Client, query: str) -> None:
    reply = client.get("/api/reviews/", query=query)
    assert (reply.status, reply.json) == (404, NO_SUCH_PAGE)


@pytest.mark.parametrize("query", ["page=x", "page=-1", "n=x", "n=1.5", "num=x"])
def test_malformed_pages_are_rejected(client: Client, query: str) -> None:
    reply = client.get("/api/reviews/", query=query)
    assert (reply.status, reply.json) == (400, malformed(f"{query.partition('=')[0]} must be a whole number."))


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("rating=4", "Unknown rating. Expected one of: 1, 3, 5"),
        ("q=" + "x" * 201, "q is too long"),
    ],
)
def test_an_invalid_filter_is_rejected(client: Client, query: str, error: str) -> None:
    reply = client.get("/api/reviews/", query=query)
    assert (reply.status, reply.json) == (400, refusal(error))


def test_without_reviews_the_first_page_is_empty(client: Client) -> None:
    page = client.get("/api/reviews/", query="n=500").json
    assert (page["page"], page["per_page"], page["page_count"], page["total"], page["items"]) == (1, 200, 0, 0, [])


@pytest.mark.usefixtures("_written")
def test_reviews_of_deleted_packages_are_not_listed(client: Client) -> None:
    assert found(client, "for_user=bob") == [4]
    states.apply("delete", "bob", "doors")
    assert (found(client, "for_user=bob"), found(client)) == ([], [5, 3, 2, 1])
    states.apply("restore", "bob", "doors")
    assert found(client, "for_user=bob") == [4]


@pytest.mark.usefixtures("_written")
def test_a_rebuild_does_not_change_the_list(client: Client) -> None:
    before = client.get("/api/reviews/").json
    entries = {key: entry.value for key, entry in review_index.catalogue.snapshot().entries.items()}
    snapshot = review_index.catalogue.rebuild()
    assert {key: entry.value for key, entry in snapshot.entries.items()} == entries
    assert client.get("/api/reviews/").json == before


def store(package_id: int, count: int) -> None:
    """Store `count` reviews by different accounts directly, without the API's checks."""
    moment = datetime(2026, 1, 2, tzinfo=UTC)
    with ContentDbItem.batch_write() as batch:
        for number in range(1, count + 1):
            batch.save(
                Review(
                    reviews_pk(package_id),
                    str(1000 + number),
                    id=number,
                    package_id=package_id,
                    author=f"user{number}",
                    author_id=1000 + number,
                    rating=(1, 3, 5)[number % 3],
                    title=f"Title {number}",
                    comment="It **is** good. " * 20,
                    created_at=moment,
                )
            )
    review_index.catalogue.rebuild()


@pytest.fixture(params=[3, 210])
def many(request: pytest.FixtureRequest, alice: Account) -> int:
    published("Alice/lamps")
    store(1, request.param)
    index.catalogue.snapshot()
    return int(request.param)


def test_a_page_costs_two_calls_and_one_per_hundred_reviews_after_a_change(
    client: Client, bob: Account, calls: list[str], many: int
) -> None:
    headers = token(bob)
    for query, more in (("", 1), ("n=200", 1 + (many > 100)), ("q=title+2&is_positive=true", 1), ("q=nothing", 0)):
        write(client, headers)
        calls.clear()
        assert client.get("/api/reviews/", query=query).status == 200
        assert calls == ["Query", "Query", *["BatchGetItem"] * more]
        calls.clear()
        assert client.get("/api/reviews/", query=query).status == 200
        assert calls == ["Query", "Query"]


def test_a_packages_reviews_cost_two_calls_and_one_after_a_change(
    client: Client, bob: Account, calls: list[str], many: int
) -> None:
    write(client, token(bob))
    for more in (1, 0):
        calls.clear()
        assert client.get("/api/packages/Alice/lamps/reviews/").status == 200
        assert calls == ["Query", "Query", *["Query"] * more]


def test_the_reviews_in_the_game_cost_two_calls(client: Client, calls: list[str], many: int) -> None:
    for _ in range(2):
        calls.clear()
        path = "/api/packages/Alice/lamps/for-client/reviews/"
        assert (client.get(path, query="formspec_version=7").status, calls) == (200, ["Query", "Query"])


def test_a_cached_list_shows_every_change(client: Client, alice: Account, bob: Account) -> None:
    published("Alice/lamps")
    lamps, headers = "/api/packages/Alice/lamps/reviews/", token(bob)

    def shown() -> list[tuple[Any, ...]]:
        """What the three lists say about the review, which must agree."""
        own = client.get(lamps).json
        every = client.get("/api/reviews/").json["items"]
        dialog = client.get("/api/packages/Alice/lamps/for-client/reviews/", query="formspec_version=7").json["body"]
        assert [{**each, "package": None} for each in own] == [{**each, "package": None} for each in every]
        for each in own:
            assert each["comment"] in dialog
            assert f"{each['votes']['helpful']} helpful" in dialog
        return [(each["comment"], each["user"]["display_name"], each["votes"]["helpful"]) for each in own]

    assert shown() == []
    number = write(client, headers, comment="Some comment").json["review"]["thread"]["id"]
    assert shown() == [("Some comment", "bob", 0)]
    write(client, headers, comment="Another comment")  # the entry stays the same
    assert shown() == [("Another comment", "bob", 0)]
    client.request("PUT", f"{lamps}{number}/votes/", headers=token(alice), json={"is_helpful": True})
    assert shown() == [("Another comment", "bob", 1)]
    client.request("PUT", "/api/users/bob/", headers=headers, json={"display_name": "Bobby"})
    assert shown() == [("Another comment", "Bobby", 1)]
    client.request("DELETE", lamps, headers=headers)
    assert shown() == []


def test_the_cost_of_a_review_does_not_depend_on_their_number(
    client: Client, bob: Account, calls: list[str], many: int
) -> None:
    headers = token(bob)
    write(client, headers)
    calls.clear()
    assert write(client, headers, rating=1).status == 200
    credential, views, pace = ["UpdateItem", "GetItem"], ["Query", "Query"], ["UpdateItem", "UpdateItem"]
    own, list_ = "GetItem", "Query"
    assert calls == ["Query", *credential, *views, *pace, own, list_, "TransactWriteItems", "Query"]


def test_a_response_over_the_size_limit_is_redirected_or_compressed(client: Client, alice: Account) -> None:
    published("Alice/lamps")
    store(1, 30)
    with settings.override(max_answer=4096):
        for path, query in (
            ("/api/reviews/", ""),
            ("/api/packages/Alice/lamps/reviews/", ""),
            ("/api/packages/Alice/lamps/for-client/reviews/", "formspec_version=7"),
        ):
            assert client.get(path, query=query).status == 302
            packed = client.get(path, query=query, headers={"Accept-Encoding": "gzip"})
            assert (packed.status, packed.header("Content-Encoding")) == (200, "gzip")
