"""Users: their public data and their profiles."""

from typing import Any

import pytest

from chalicelib.contentdb.store import index
from chalicelib.contentdb.store.tables import Profile
from chalicelib.core import audit
from chalicelib.core.identity import accounts
from chalicelib.core.tables import Account
from tests.client import Client, Reply
from tests.contentdb.builders import NOT_JSON, member, published, refusal, token
from tests.contentdb.test_reviews import write

ALICE = "/api/users/Alice/"
PROFILE = {
    "display_name": "Alice of the Moon",
    "profile_pic_url": "https://alice.example/me.png",
    "website_url": "https://alice.example/",
    "donate_url": "https://alice.example/donate",
    "connections": {"github": "alice-moon", "forums": "Alice M."},
}
SHOWN = {
    **PROFILE,
    "username": "Alice",
    "rank": "member",
    "links": {
        "api_packages": "http://moonbase.test/api/packages/?author=Alice",
        "profile": "http://moonbase.test/users/Alice/",
    },
}
EMPTY_PROFILE = {
    "display_name": "Alice",
    "profile_pic_url": None,
    "website_url": None,
    "donate_url": None,
    "connections": {"github": None, "forums": None},
}


@pytest.fixture(autouse=True)
def _alice(alice: Account) -> None:
    pass


def put(client: Client, headers: dict[str, str], path: str = ALICE, **fields: Any) -> Reply:
    return client.request("PUT", path, json=fields, headers=headers)


def test_a_user_without_a_profile_has_empty_fields(client: Client) -> None:
    for path in (ALICE, ALICE.rstrip("/")):
        reply = client.get(path)
        assert (reply.status, reply.json) == (200, {**SHOWN, **EMPTY_PROFILE})


def test_a_user_can_edit_their_profile(client: Client, bearer: dict[str, str]) -> None:
    reply = put(client, bearer, **PROFILE)
    assert (reply.status, reply.json) == (200, {"success": True, "user": SHOWN})
    assert client.get(ALICE).json == SHOWN
    put(client, bearer, website_url=None, connections={"forums": None})
    assert client.get(ALICE).json == {
        **SHOWN,
        "website_url": None,
        "connections": {"github": "alice-moon", "forums": None},
    }
    put(client, bearer, display_name=None)
    assert client.get(ALICE).json["display_name"] == "Alice"


def test_a_user_can_be_sent_back_as_it_was_read(client: Client, bearer: dict[str, str]) -> None:
    put(client, bearer, **PROFILE)
    assert put(client, bearer, **client.get(ALICE).json).json["user"] == SHOWN


@pytest.mark.parametrize("name", ["alice", "nobody", "x", "a%2Fb", "..", "%00", "x" * 3000])
def test_unknown_users_are_not_found(client: Client, bearer: dict[str, str], name: str) -> None:
    for reply in (client.get(f"/api/users/{name}/"), put(client, bearer, f"/api/users/{name}/", display_name="Anna")):
        assert (reply.status, reply.json) == (404, refusal("User not found"))


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"display_name": "A"}, "display_name must have 2 to 50 characters"),
        ({"display_name": "A" * 51}, "display_name must have 2 to 50 characters"),
        ({"display_name": "Al\nice"}, "display_name must be one line, without control characters"),
        ({"display_name": "Al\u200bice"}, "display_name must be one line, without control characters"),
        ({"display_name": 12}, "display_name must be a str"),
        ({"website_url": "javascript:alert(1)"}, "website_url must start with http:// or https://"),
        ({"website_url": "https://"}, "website_url must be a valid URL"),
        ({"donate_url": "https://a.example/<script>"}, "donate_url must be a valid URL"),
        ({"profile_pic_url": "data:image/png;base64,x"}, "profile_pic_url must start with http:// or https://"),
        ({"website_url": "https://a.example/" + "x" * 190}, "website_url must have 1 to 200 characters"),
        ({"connections": {"github": "-x-"}}, "github must be a GitHub username"),
        ({"connections": {"github": "a/b"}}, "github must be a GitHub username"),
        ({"connections": {"discord": "a"}}, "connections must be an object with github and forums"),
        ({"connections": ["github"]}, "connections must be an object with github and forums"),
        ({"connections": None}, "connections must be an object with github and forums"),
        ({"email": "alice@example.org"}, "email is not a known field"),
    ],
)
def test_an_invalid_profile_is_rejected_and_nothing_is_stored(
    client: Client, bearer: dict[str, str], fields: dict[str, Any], error: str
) -> None:
    reply = put(client, bearer, **fields)
    assert (reply.status, reply.json) == (400, refusal(error))
    assert (client.get(ALICE).json, Profile.find("profile#1", "profile")) == ({**SHOWN, **EMPTY_PROFILE}, None)


@pytest.mark.parametrize("body", [b"", b"{", b'{"display_name": "\\udc00"}'])
def test_a_body_that_is_not_json_is_rejected(client: Client, bearer: dict[str, str], body: bytes) -> None:
    reply = client.request("PUT", ALICE, body=body, headers=bearer)
    assert (reply.status, reply.json) == (400, NOT_JSON)


def test_only_the_user_and_moderators_can_edit_a_profile(client: Client, alice: Account, bob: Account) -> None:
    for headers, status in (
        ({}, 401),
        (token(bob), 403),
        (token(member("dora", "EDITOR")), 403),
        (token(alice, scope="read"), 403),
        (token(alice, scope="package:Alice/lamps"), 403),
        (token(member("emma", "MODERATOR")), 200),
        (token(alice), 200),
    ):
        assert put(client, headers, website_url="https://a.example").status == status
    reply = put(client, token(bob), website_url="https://a.example")
    assert reply.json == refusal("You don't have permission to edit this user")


@pytest.mark.parametrize("name", ["bob", "BOB", "\uff42ob", "Bobby", "bobbY"])
def test_a_display_name_cannot_be_the_name_of_another_user(
    client: Client, bearer: dict[str, str], bob: Account, name: str
) -> None:
    put(client, token(bob), "/api/users/bob/", display_name="Bobby")
    reply = put(client, bearer, display_name=name)
    assert (reply.status, reply.json) == (409, refusal("A user already has that name"))
    assert put(client, token(bob), "/api/users/bob/", display_name=name).status == 200
    assert put(client, bearer, display_name="ALICE").status == 200


def test_reviews_contain_a_new_display_name_immediately(client: Client, bob: Account) -> None:
    published("Alice/lamps")
    headers = token(bob)
    write(client, headers)
    put(client, headers, "/api/users/bob/", display_name="Bob the Builder")
    for reviews in (client.get("/api/packages/Alice/lamps/reviews/").json, client.get("/api/reviews/").json["items"]):
        assert reviews[0]["user"] == {"username": "bob", "display_name": "Bob the Builder"}


def test_a_package_without_a_donation_url_has_its_authors(client: Client, bearer: dict[str, str]) -> None:
    published("Alice/lamps")
    published("Alice/doors", donate_url="https://doors.example")
    assert client.get("/api/packages/Alice/lamps/").json["donate_url"] is None
    put(client, bearer, donate_url="https://alice.example/donate")
    shown = [client.get(f"/api/packages/Alice/{name}/").json["donate_url"] for name in ("lamps", "doors")]
    assert shown == ["https://alice.example/donate", "https://doors.example"]


def test_profiles_survive_a_rebuild_and_edits_are_in_the_audit_log(
    client: Client, alice: Account, bearer: dict[str, str]
) -> None:
    put(client, bearer, **PROFILE)
    before = {key: entry.value for key, entry in index.catalogue.snapshot().entries.items()}
    assert {key: entry.value for key, entry in index.catalogue.rebuild().entries.items()} == before
    assert client.get(ALICE).json == SHOWN
    entry = next(audit.entries(int(alice.id)))
    assert (entry.action, entry.detail["fields"][0]) == ("profile.edit", "display_name")


def test_a_user_has_a_rank(client: Client) -> None:
    member("carol", "TRUSTED_MEMBER")
    accounts.suspend(accounts.named("carol"))
    assert client.get("/api/users/carol/").json["rank"] == "trusted_member"


def test_a_user_costs_three_calls(client: Client, bearer: dict[str, str], calls: list[str]) -> None:
    put(client, bearer, **PROFILE)
    calls.clear()
    assert (client.get(ALICE).status, calls) == (200, ["GetItem", "GetItem", "Query"])
