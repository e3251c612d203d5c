"""Modules as pages: the list with its search, and errors."""

import pytest

from chalicelib import settings
from tests.client import BROWSER, Client
from tests.luarocks.builders import Upload, rockspec


@pytest.fixture
def three(upload: Upload) -> None:
    for name in ("json", "xml", "yaml"):
        upload(rockspec(name, "1.0-1"))


def test_a_browser_gets_the_list_as_a_page(client: Client, three: None) -> None:
    page = client.page("/modules")
    assert "3 modules" in page
    for name in ("json", "xml", "yaml"):
        assert f'<a href="/modules/alice/{name}">{name}</a>' in page


def test_a_program_gets_the_search_as_json(client: Client, three: None) -> None:
    reply = client.get("/modules", query="q=xml")
    assert reply.json == client.get("/api/1/modules", query="q=xml").json
    assert reply.header("vary") == "Accept"


def test_the_searched_words_are_in_the_form(client: Client, three: None) -> None:
    page = client.page("/modules", query={"q": 'xm "<i>'})
    assert 'value="xm &#34;&lt;i&gt;"' in page
    assert "0 modules" in page
    page = client.page("/modules", query={"q": "XML"})
    assert "1 module<" in page


def test_pages_link_to_each_other_with_the_same_search(client: Client, three: None) -> None:
    first = client.page("/modules", query="user=alice&limit=2")
    assert '<a href="/modules?user=alice&amp;limit=2&amp;offset=2" rel="next"' in first
    assert 'rel="prev"' not in first
    last = client.page("/modules", query="user=alice&limit=2&offset=2")
    assert '<a href="/modules?user=alice&amp;limit=2&amp;offset=0" rel="prev"' in last
    assert 'rel="next"' not in last


def test_a_module_with_only_archived_versions_is_listed_without_a_version(
    client: Client, key: str, three: None
) -> None:
    client.request("PATCH", f"/api/1/{key}/modules/alice/xml/versions/1.0-1", json={"archived": True})
    assert "1 module<" in client.page("/modules", query="q=xml")


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/modules/alice/nothing", 404, "<h1>Not Found</h1>"),
        ("/modules?sort=best", 400, "sort must be one of relevance, downloads, updated, name"),
        ("/modules/a/b/c", 404, "There is nothing at this path."),
    ],
)
def test_an_error_is_a_page_for_browsers(client: Client, path: str, status: int, text: str) -> None:
    path, _, query = path.partition("?")
    assert text in client.page(path, status, query=query)
    assert "errors" in client.get(path, query=query).json


def test_a_private_server_requires_the_key_from_browsers_too(client: Client, key: str, three: None) -> None:
    with settings.override(luarocks_reads="key"):
        reply = client.get("/modules", headers=BROWSER)
        assert reply.status == 401
        assert reply.header("www-authenticate") == 'Basic realm="LuaRocks", charset="UTF-8"'
        assert "json" not in reply.body.decode()
        assert client.get("/modules", headers={**BROWSER, "Authorization": f"Bearer {key}"}).status == 200


def test_the_list_costs_one_call(client: Client, three: None, calls: list[str]) -> None:
    client.page("/modules")
    calls.clear()
    client.page("/modules")
    assert calls == ["Query"]
