"""Collections: permissions, contents, and packages that are renamed or deleted."""

from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine

from chalicelib.contentdb.collections import curation
from chalicelib.contentdb.packages import registry, states
from chalicelib.contentdb.store import index
from chalicelib.contentdb.store.tables import ContentDbItem
from chalicelib.core import audit
from chalicelib.core.identity import accounts
from chalicelib.core.tables import Account
from tests.client import Client, Reply
from tests.contentdb.builders import NO_SUCH_PAGE, NOT_JSON, change, draft, member, published, refusal, token

MINE = "/api/collections/Alice/mine/"
FEATURED = "/api/collections/ContentDB/featured/"
DENIED = "You don't have permission to edit this collection"


@pytest.fixture(autouse=True)
def _packages(alice: Account) -> None:
    for name in ("doors", "lamps"):
        published(f"Alice/{name}")


def put(client: Client, headers: dict[str, str], body: Any, path: str = MINE) -> Reply:
    return client.request("PUT", path, json=body, headers=headers)


def keys(reply: Reply) -> list[str]:
    """Return the packages of a collection as author/name, in their order."""
    assert reply.status == 200, reply.body
    items = reply.json.get("collection", reply.json)["items"]
    return [f"{item['package']['author']}/{item['package']['name']}" for item in items]


@time_machine.travel("2026-01-02T03:04:05Z", tick=False)
def test_a_collection_has_the_documented_fields(client: Client, bearer: dict[str, str]) -> None:
    fields = {
        "title": "Mine",
        "short_description": "What I like.",
        "long_description": "Some *more*.",
        "private": False,
    }
    items = ["Alice/lamps", {"package": "Alice/doors", "description": "They open."}]
    reply = put(client, bearer, {**fields, "items": items})
    moment = "2026-01-02T03:04:05.000000"
    same = {**fields, "author": "Alice", "name": "mine", "created_at": moment}
    rows = [
        {"package": client.get("/api/packages/").json[place], "order": order, "description": text, "created_at": moment}
        for place, order, text in ((1, 1, None), (0, 2, "They open."))
    ]
    assert [row["package"]["name"] for row in rows] == ["lamps", "doors"]
    assert (reply.status, reply.json) == (200, {"success": True, "collection": {**same, "items": rows}})
    assert client.get(MINE).json == {**same, "items": rows}
    del same["long_description"]
    reply = client.get("/api/collections/")
    assert (reply.status, reply.json) == (200, [{**same, "package_count": 2}])


def test_a_new_collection_has_its_name_as_title(client: Client, bearer: dict[str, str]) -> None:
    shown = put(client, bearer, []).json["collection"]
    assert (shown["title"], shown["short_description"], shown["long_description"]) == ("mine", "", None)
    assert (shown["private"], shown["items"]) == (False, [])


def test_an_update_keeps_fields_that_it_omits(client: Client, bearer: dict[str, str]) -> None:
    with time_machine.travel(datetime(2026, 1, 2, tzinfo=UTC), tick=False):
        put(client, bearer, {"title": "Mine", "items": [{"package": "Alice/doors", "description": "They open."}]})
    put(client, bearer, {"private": False})
    put(client, bearer, ["Alice/lamps", "Alice/doors"])
    shown = client.get(MINE).json
    assert (shown["title"], shown["created_at"][:10]) == ("Mine", "2026-01-02")
    assert [(item["description"], item["created_at"][:7]) for item in shown["items"]][1] == ("They open.", "2026-01")
    put(client, bearer, {"items": [{"package": "Alice/doors", "description": None}]})
    assert client.get(MINE).json["items"][0]["description"] is None


def test_a_collection_can_be_sent_back_as_it_was_read(client: Client, bearer: dict[str, str]) -> None:
    put(client, bearer, {"title": "Mine", "items": ["Alice/lamps", {"package": "Alice/doors", "description": "x"}]})
    before = client.get(MINE).json
    before["items"] = [
        {name: item[name] for name in ("package", "description", "created_at", "order")} for item in before["items"]
    ]
    assert put(client, bearer, before).json["collection"] == before


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("mine", "Expected the body to be a JSON object"),
        ({"title": ""}, "title must have 1 to 100 characters"),
        ({"title": None}, "title must be a str"),
        ({"title": "x" * 101}, "title must have 1 to 100 characters"),
        ({"short_description": "x" * 201}, "short_description is too long"),
        ({"long_description": "x" * 10_001}, "long_description is too long"),
        ({"long_description": 1}, "long_description must be a str"),
        ({"private": "yes"}, "private must be true or false"),
        ({"items": None}, "items must be a list"),
        ({"items": [1]}, "An item must be an author/name, or an object with one as package"),
        ({"items": [{}]}, "An item must be an author/name, or an object with one as package"),
        ({"items": [{"package": "Alice/doors", "description": 1}]}, "description must be a str"),
        ({"items": [{"package": "Alice/doors", "description": "x" * 201}]}, "description is too long"),
        ({"order": []}, "order is not a known field"),
        (["Alice/nothing"], "Unable to find the package Alice/nothing"),
        (["reference#tags"], "Unable to find the package reference#tags"),
        (["collection#ContentDB/featured"], "Unable to find the package collection#ContentDB/featured"),
        (["Alice"], "Unable to find the package Alice"),
        (["x" * 3000], ("Unable to find the package " + "x" * 3000)[:997] + "..."),
        ([[]], "An item must be an author/name, or an object with one as package"),
    ],
)
def test_an_invalid_collection_is_rejected_and_nothing_is_stored(
    client: Client, bearer: dict[str, str], body: Any, error: str
) -> None:
    reply = put(client, bearer, body)
    assert (reply.status, reply.json) == (400, refusal(error))
    assert client.get(MINE).status == 404


def test_collections_have_size_limits(client: Client, bearer: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert client.request("PUT", MINE, body=b"{", headers=bearer).json == NOT_JSON
    assert client.request("PUT", MINE, body=b"[" * (1024 * 1024 + 1), headers=bearer).status == 413
    text = "\N{SPARKLES}" * 200
    monkeypatch.setattr(curation, "LARGEST", 2000)
    reply = put(client, bearer, [{"package": f"Alice/{name}", "description": text} for name in ("doors", "lamps")])
    assert (reply.status, reply.json) == (400, refusal("This collection is too large"))
    monkeypatch.setattr(curation, "MOST_PACKAGES", 1)
    reply = put(client, bearer, ["Alice/doors", "Alice/lamps"])
    assert (reply.status, reply.json) == (400, refusal("A collection has at most 1 packages"))
    monkeypatch.setattr(curation, "MOST_COLLECTIONS", 1)
    assert put(client, bearer, []).status == put(client, bearer, []).status == 200
    reply = put(client, bearer, [], "/api/collections/Alice/other/")
    assert (reply.status, reply.json) == (400, refusal("There may be at most 1 collections of one author"))


@pytest.mark.parametrize("name", ["Mine", "my-own", "m%2Fn", "m%23", "%C3%A4", "x" * 101])
def test_names_contain_only_lower_case_letters_digits_and_underscores(
    client: Client, bearer: dict[str, str], name: str
) -> None:
    reply = put(client, bearer, [], f"/api/collections/Alice/{name}/")
    wanted = "Name can only contain lower case letters (a-z), digits (0-9), and underscores (_)"
    assert (reply.status, reply.json) == (400, refusal(wanted))


def test_only_the_author_and_editors_can_change_a_collection(
    client: Client, alice: Account, bearer: dict[str, str], bob: Account
) -> None:
    put(client, bearer, ["Alice/doors"])
    for headers, status, error in (
        ({}, 401, "Authentication needed"),
        (token(bob), 403, DENIED),
        (token(member("carol", "APPROVER")), 403, DENIED),
        (token(alice, scope="package:Alice/lamps"), 403, "This key may not do that: its scope is package:Alice/lamps."),
    ):
        for reply in (put(client, headers, []), client.request("DELETE", MINE, headers=headers)):
            assert (reply.status, reply.json) == (status, refusal(error))
    editor = token(member("dora", "EDITOR"))
    assert keys(put(client, editor, ["Alice/lamps"])) == ["Alice/lamps"]
    reply = put(client, editor, [], "/api/collections/nobody/mine/")
    assert (reply.status, reply.json) == (404, refusal("User not found"))


def test_a_collection_can_be_deleted(client: Client, bearer: dict[str, str]) -> None:
    put(client, bearer, ["Alice/doors"])
    reply = client.request("DELETE", MINE, headers=bearer)
    assert (reply.status, reply.json, client.get("/api/collections/").json) == (200, {"success": True}, [])
    for reply in (client.request("DELETE", MINE, headers=bearer), client.get(MINE)):
        assert (reply.status, reply.json) == (404, refusal("Collection not found"))
    assert [entry.action for entry in audit.entries(int(accounts.named("Alice").id))][:2] == [
        "collection.delete",
        "collection.save",
    ]


def test_a_private_collection_is_visible_to_its_author_only(
    client: Client, alice: Account, bearer: dict[str, str]
) -> None:
    put(client, bearer, {"private": True, "items": ["Alice/doors"]})
    reply = client.get(MINE, headers=bearer)
    assert (keys(reply), reply.json["private"], reply.header("Cache-Control")) == (["Alice/doors"], True, "no-store")
    assert keys(client.get(MINE, headers=token(alice, scope="read"))) == ["Alice/doors"]
    for headers in (
        {},
        token(member("root", "ADMIN")),
        token(alice, scope="package:Alice/doors"),
    ):
        reply = client.get(MINE, headers=headers)
        assert (reply.status, reply.json) == (404, refusal("Collection not found"))
    for query in ("", "author=Alice", "package=Alice/doors"):
        assert client.get("/api/collections/", query=query, headers=bearer).json == []
    reply = client.get(MINE, headers={"Authorization": "Bearer " + "0" * 32})
    assert (reply.status, reply.json) == (403, refusal("Unknown API token"))


def test_collections_are_sorted_by_title_and_can_be_filtered(
    client: Client, bearer: dict[str, str], bob: Account
) -> None:
    for name, title, items in (("a", "Zoo", ["Alice/doors"]), ("b", "art", []), ("c", "Books", ["Alice/lamps"])):
        put(client, bearer, {"title": title, "items": items}, f"/api/collections/Alice/{name}/")
    put(client, token(bob), {"title": "Bob's", "items": ["Alice/doors"]}, "/api/collections/bob/a/")
    registry.set_aliases("Alice", "doors", ["Alice/gates"])
    for query, titles in (
        ("", ["art", "Bob's", "Books", "Zoo"]),
        ("author=Alice", ["art", "Books", "Zoo"]),
        ("package=Alice/doors", ["Bob's", "Zoo"]),
        ("package=Alice/gates", ["Bob's", "Zoo"]),
        ("author=bob&package=Alice/doors", ["Bob's"]),
        ("author=ContentDB", []),
    ):
        assert [row["title"] for row in client.get("/api/collections/", query=query).json] == titles


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        ("author=nobody", NO_SUCH_PAGE),
        ("author=alice", NO_SUCH_PAGE),
        ("package=Alice/nothing", refusal("Package Alice/nothing not found")),
        ("package=Alice", refusal("Package Alice not found")),
        ("package=reference%23tags", refusal("Package reference#tags not found")),
    ],
)
def test_a_filter_with_an_unknown_author_or_package_is_404(client: Client, query: str, answer: dict[str, Any]) -> None:
    reply = client.get("/api/collections/", query=query)
    assert (reply.status, reply.json) == (404, answer)


def test_packages_that_the_reader_cannot_see_are_omitted(client: Client, bearer: dict[str, str]) -> None:
    draft("Alice/plans")
    put(client, bearer, ["Alice/plans", "Alice/doors", "Alice/lamps"])
    states.apply("delete", "Alice", "lamps")
    assert (keys(client.get(MINE)), keys(client.get(MINE, headers=bearer))) == (
        ["Alice/doors"],
        ["Alice/plans", "Alice/doors"],
    )
    assert client.get(MINE).json["items"][0]["order"] == 2
    assert client.get("/api/collections/").json[0]["package_count"] == 1
    assert client.get("/api/collections/", query="package=Alice/lamps").status == 404
    states.apply("restore", "Alice", "lamps")
    states.apply("approve", "Alice", "lamps")
    assert keys(client.get(MINE)) == ["Alice/doors", "Alice/lamps"]


def test_collections_contain_renamed_packages(client: Client, bearer: dict[str, str]) -> None:
    put(client, bearer, ["Alice/doors", "Alice/lamps"])
    curation.set_packages("ContentDB", "featured", ["Alice/lamps"])
    states.apply("unapprove", "Alice", "lamps")
    client.request("PUT", "/api/packages/Alice/lamps/", json={"name": "lights"}, headers=bearer)
    states.apply("approve", "Alice", "lights")
    assert keys(client.get(MINE)) == ["Alice/doors", "Alice/lights"]
    first = client.get("/api/packages/").json[0]
    assert (first["name"], first["featured"]) == ("lights", True)
    registry.set_aliases("Alice", "lights", ["Alice/lamps"])
    assert keys(put(client, bearer, ["Alice/lamps"])) == ["Alice/lights"]


def test_items_are_shown_in_the_readers_language(client: Client, bearer: dict[str, str]) -> None:
    change("Alice/doors", translations={"de": {"title": "Türen", "short_description": "Über Türen."}})
    put(client, bearer, ["Alice/doors"])
    reply = client.get(MINE, headers={"Accept-Language": "de"})
    assert reply.json["items"][0]["package"]["title"] == "Türen"
    assert "Accept-Language" in reply.headers["vary"]


def test_only_editors_can_change_the_collections_of_the_site(client: Client, bearer: dict[str, str]) -> None:
    headers = token(member("carol", "EDITOR"))
    reply = put(client, headers, ["Alice/lamps", "Alice/doors", "Alice/lamps"], FEATURED)
    assert keys(reply) == ["Alice/lamps", "Alice/doors"]
    assert reply.json["collection"]["title"] == "Featured"
    assert [package.get("featured") for package in client.get("/api/packages/").json] == [True, True]
    reply = put(client, bearer, [], FEATURED)
    assert (reply.status, reply.json) == (403, refusal(DENIED))
    reply = put(client, headers, [], "/api/collections/ContentDB/mine/")
    assert (reply.status, reply.json) == (
        400,
        refusal("The collections are ContentDB/featured, ContentDB/spotlight"),
    )


def test_an_account_named_contentdb_cannot_change_the_featured_packages(client: Client) -> None:
    headers = token(member("ContentDB"))
    reply = put(client, headers, ["Alice/lamps"], FEATURED)
    assert (reply.status, reply.json) == (403, refusal(DENIED))


def test_packages_of_a_private_featured_collection_are_not_marked_in_lists(client: Client) -> None:
    headers = token(member("carol", "EDITOR"))
    put(client, headers, {"private": True, "items": ["Alice/lamps"]}, FEATURED)
    assert "featured" not in client.get("/api/packages/").json[0]
    assert (client.get(FEATURED).status, keys(client.get(FEATURED, headers=headers))) == (404, ["Alice/lamps"])


def test_a_collection_keeps_the_date_when_a_package_was_added() -> None:
    with time_machine.travel(datetime(2026, 1, 2, tzinfo=UTC), tick=False):
        curation.set_packages("ContentDB", "spotlight", ["Alice/doors"])
    with time_machine.travel(datetime(2026, 2, 3, tzinfo=UTC), tick=False):
        value = curation.set_packages("ContentDB", "spotlight", ["Alice/lamps", "Alice/doors"])
    assert [item.created_at[:10] for item in value.items] == ["2026-02-03", "2026-01-02"]
    assert (value.title, value.created_at[:10]) == ("Spotlight", "2026-01-02")


def test_a_deleted_package_is_not_featured_and_a_restored_one_is_again(client: Client) -> None:
    curation.set_packages("ContentDB", "featured", ["Alice/doors"])
    states.apply("delete", "Alice", "doors")
    assert [package["name"] for package in client.get("/api/packages/").json] == ["lamps"]
    curation.set_packages("ContentDB", "featured", ["Alice/doors", "Alice/lamps"])
    states.apply("restore", "Alice", "doors")
    states.apply("approve", "Alice", "doors")
    assert [package["name"] for package in client.get("/api/packages/", query="fmt=keys").json] == ["doors", "lamps"]


def test_collections_survive_a_rebuild(client: Client, bearer: dict[str, str]) -> None:
    put(client, bearer, {"private": True, "items": [{"package": "Alice/doors", "description": "They open."}]})
    before = {key: entry.value for key, entry in index.catalogue.snapshot().entries.items()}
    assert {key: entry.value for key, entry in index.catalogue.rebuild().entries.items()} == before
    [stored] = [item for item in ContentDbItem.scan() if item.pk.startswith("collection#")]
    assert stored.items[0]["description"] == "They open."


@pytest.mark.parametrize("count", [2, 20])
def test_collections_cost_one_call(client: Client, bearer: dict[str, str], calls: list[str], count: int) -> None:
    for number in range(count):
        put(client, bearer, ["Alice/doors", "Alice/lamps"], f"/api/collections/Alice/c{number}/")
    for path in ("/api/collections/", "/api/collections/Alice/c1/", "/api/collections/?author=Alice"):
        calls.clear()
        path, _, query = path.partition("?")
        assert (client.get(path, query=query).status, calls) == (200, ["Query"])
