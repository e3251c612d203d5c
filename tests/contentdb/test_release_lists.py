"""The list of the newest releases of all packages: its members, order, filters and cost."""

from typing import Any

import pytest

from chalicelib.core.tables import Account
from tests.client import Client
from tests.contentdb.builders import change, draft, published, refusal, release


@pytest.fixture(autouse=True)
def _packages(alice: Account, bob: Account) -> None:
    published("Alice/one")
    published("bob/two")
    change("bob/two", maintainers=["Alice"])


def ids(client: Client, query: str = "") -> list[int]:
    return [made["id"] for made in client.get("/api/releases/", query=query).json]


def test_a_listed_release_contains_its_package(client: Client) -> None:
    newest, oldest = client.get("/api/releases/").json
    assert newest == {
        "id": 2,
        "name": "1.2",
        "title": "1.2",
        "release_notes": None,
        "url": None,
        "release_date": newest["release_date"],
        "commit": None,
        "downloads": 0,
        "min_minetest_version": None,
        "max_minetest_version": None,
        "size": 2000,
        "state": "APPROVED",
        "task": None,
        "error": None,
        "warnings": [],
        "package": {"author": "bob", "name": "two", "type": "mod"},
    }
    assert oldest["id"] == 1


def test_only_approved_releases_of_approved_packages_are_listed(client: Client) -> None:
    release("Alice/one", state="FAILED")
    release("Alice/one", state="PROCESSING")
    draft("Alice/three")
    release("Alice/three")
    assert ids(client) == [2, 1]


@pytest.mark.parametrize(
    ("query", "found"),
    [("author=Alice", [1]), ("author=bob", [2]), ("maintainer=Alice", [2, 1]), ("maintainer=bob", [2])],
)
def test_the_list_can_be_filtered_by_author_or_maintainer(client: Client, query: str, found: list[int]) -> None:
    assert ids(client, query) == found


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("author=nobody", "Author not found"),
        ("author=alice", "Author not found"),
        ("maintainer=nobody", "Maintainer not found"),
    ],
)
def test_a_filter_with_an_unknown_account_is_404(client: Client, query: str, error: str) -> None:
    reply = client.get("/api/releases/", query=query)
    assert (reply.status, reply.json) == (404, refusal(error))


def test_a_blank_filter_is_no_filter(client: Client) -> None:
    assert ids(client, "author=&maintainer=") == ids(client) == [2, 1]


def test_the_list_has_thirty_releases_and_costs_one_call(client: Client, calls: list[str]) -> None:
    made = [release("Alice/one") for _ in range(33)]
    assert ids(client) == sorted(made, reverse=True)[:30]
    calls.clear()
    ids(client)
    assert calls == ["Query"]


def test_without_approved_packages_the_list_is_empty(client: Client) -> None:
    for key in ("Alice/one", "bob/two"):
        change(key, state="WIP")
    empty: list[Any] = []
    assert client.get("/api/releases/").json == empty
