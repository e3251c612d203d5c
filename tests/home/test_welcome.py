"""The page at the root of the host, for browsers and for programs."""

import pytest

from chalicelib import settings
from tests.client import BROWSER, Client

TEXT = """\
Moonbase: a server for the Lua world.

LuaRocks   luarocks install --only-server=http://moonbase.test NAME
           luarocks upload --server=http://moonbase.test --temp-key=KEY NAME-VERSION.rockspec
Luanti     contentdb_url = http://moonbase.test
LuaDNS     curl -u EMAIL:KEY http://moonbase.test/v1/zones
Hel        wget http://moonbase.test/hel/module /etc/hpm/module/moonbase.lua; hpm hel:search WORD

Account    http://moonbase.test/account
"""


@pytest.mark.parametrize("headers", [{}, {"Accept": "*/*"}])
def test_programs_get_the_configuration_as_text(client: Client, headers: dict[str, str]) -> None:
    reply = client.get("/", headers=headers)
    assert (reply.status, reply.header("content-type")) == (200, "text/plain; charset=utf-8")
    assert (reply.header("vary"), reply.body.decode()) == ("Accept", TEXT)


def test_browsers_get_the_configuration_as_a_page(client: Client, calls: list[str]) -> None:
    page = client.page("/")
    for line in (
        "luarocks install --only-server=http://moonbase.test NAME",
        "luarocks upload --server=http://moonbase.test --temp-key=KEY NAME-VERSION.rockspec",
        "contentdb_url = http://moonbase.test",
        "curl -u EMAIL:KEY http://moonbase.test/v1/zones",
        "wget http://moonbase.test/hel/module /etc/hpm/module/moonbase.lua",
    ):
        assert line in page
    assert calls == []


def test_with_closed_registration_the_page_offers_only_log_in(client: Client) -> None:
    assert '<a class="button" href="/account/register">' in client.page("/")
    with settings.override(registration="closed"):
        page = client.page("/")
    assert "/account/register" not in page
    assert '<a class="button" href="/account/log-in">' in page


def test_an_unchanged_page_is_304(client: Client) -> None:
    etag = client.get("/", headers=BROWSER).header("etag")
    reply = client.get("/", headers={**BROWSER, "If-None-Match": str(etag)})
    assert (reply.status, reply.body) == (304, b"")


def test_the_icon_is_an_image_that_browsers_cache(client: Client) -> None:
    reply = client.get("/favicon.svg")
    assert (reply.status, reply.header("content-type")) == (200, "image/svg+xml")
    assert reply.header("cache-control") == "public, max-age=86400"
    assert reply.body.startswith(b'<svg class="mark" xmlns="http://www.w3.org/2000/svg"')


@pytest.mark.parametrize(("method", "status"), [("GET", 404), ("POST", 404)])
def test_an_unknown_path_is_a_page_for_browsers_and_json_for_programs(client: Client, method: str, status: int) -> None:
    reply = client.request(method, "/nowhere/at/all", headers=BROWSER)
    assert (reply.status, reply.header("content-type")) == (status, "text/html; charset=utf-8")
    assert b"There is nothing at this path." in reply.body
    reply = client.request(method, "/nowhere/at/all")
    assert (reply.status, reply.json) == (status, {"message": "There is nothing at this path."})


def test_a_wrong_method_is_a_page_for_browsers(client: Client) -> None:
    reply = client.post("/", headers=BROWSER)
    assert (reply.status, reply.header("allow")) == (405, "GET, HEAD, OPTIONS")
    assert b"<h1>Method Not Allowed</h1>" in reply.body
