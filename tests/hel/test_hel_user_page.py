"""The page of a user for browsers: public works in every service, and nothing else."""

import pytest

from chalicelib import settings
from chalicelib.core.identity import accounts, credentials
from chalicelib.core.tables import Account
from chalicelib.hel import users
from tests.client import Client
from tests.contentdb.builders import draft, published
from tests.hel.builders import package, refusal
from tests.luarocks.builders import rockspec

JAVA = {"Accept": "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2"}


@pytest.fixture
def works(client: Client, alice: Account) -> None:
    """Works of Alice in every service."""
    key = credentials.create(alice, "luarocks")[1]
    files = {"rockspec_file": ("x", rockspec("say", "1.0-1"))}
    assert client.post(f"/api/1/{key}/upload", files=files).status == 200
    published("Alice/lamps", title="<Lamps>")
    draft("Alice/sketch")
    bearer = {"Authorization": "Bearer " + credentials.create(alice, "hel")[1]}
    assert client.post("/packages", headers=bearer, json=package("thing", owners=["Alice"])).status == 201
    assert client.post("/packages", headers=bearer, json=package("others", owners=["bob"])).status == 201


def test_the_page_shows_public_works(client: Client, works: None) -> None:
    page = client.page("/users/alice")
    for text in (
        "<h1>Alice</h1>",
        '<a href="/modules/alice/say">say</a>',
        '<a href="/packages/Alice/lamps/">&lt;Lamps&gt;</a>',
        '<a href="/packages/thing">thing</a>',
    ):
        assert text.lower() in page.lower()
    for text in ("sketch", "others", "alice@example.org"):
        assert text not in page


def test_a_user_without_works_has_a_page(client: Client, bob: Account) -> None:
    assert "Nothing is published under this name yet." in client.page("/users/bob")


def test_modules_that_need_a_key_are_not_on_the_page(client: Client, works: None) -> None:
    with settings.override(luarocks_reads="key"):
        page = client.page("/users/alice")
    assert "LuaRocks" not in page
    assert "Lamps" in page


@pytest.mark.parametrize("headers", [{}, {"Accept": "*/*"}, {"Accept": "application/json"}, JAVA])
def test_programs_get_the_error_of_the_api(client: Client, alice: Account, headers: dict[str, str]) -> None:
    reply = client.get("/users/alice", headers=headers)
    refused = refusal(403, "Unauthorized: get_user failed permission check", logged_in=False)
    assert (reply.status, reply.json) == (403, refused)


def test_an_unknown_user_has_no_page(client: Client, alice: Account) -> None:
    accounts.suspend(alice)
    for name in ("alice", "unknown", "%3Cscript%3E"):
        assert "<h1>Not Found</h1>" in client.page(f"/users/{name}", 404)


def test_the_page_costs_six_calls(client: Client, works: None, calls: list[str]) -> None:
    users.refresh()
    client.page("/users/alice")
    calls.clear()
    client.page("/users/alice")
    assert sorted(calls) == ["GetItem"] * 2 + ["Query"] * 4
