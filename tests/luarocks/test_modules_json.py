"""Modules as JSON, search, and the page of a module."""

import hashlib

import pytest
import time_machine

from chalicelib.core import job_runner
from chalicelib.luarocks import index
from tests.client import Client, Reply
from tests.luarocks.builders import Upload, rock, rockspec

MOMENT = "2026-01-02 03:04:05"
HERE = "repository_url=http://moonbase.test"
HOSTILE = b"""package = "say" version = "1.0-1"
description = {
   summary = "<script>alert(1)</script>",
   detailed = "a & b\\n\\"quoted\\"",
   homepage = "javascript:alert(1)",
   license = "<b>MIT</b>",
}
dependencies = { "lua >= 5.1" }
source = { url = "<i>x" }
build = {}
"""


@pytest.fixture
def published(upload: Upload, upload_rock: Upload) -> None:
    with time_machine.travel(f"{MOMENT}Z", tick=False):
        upload()
        upload_rock(1, "say-1.0-1.src.rock")


def names(reply: Reply) -> list[str]:
    assert reply.status == 200, reply.json
    return [f"{module['user']}/{module['name']}" for module in reply.json["modules"]]


def file(arch: str, name: str, content: bytes) -> dict[str, object]:
    return {
        "arch": arch,
        "name": name,
        "url": f"http://moonbase.test/{name}",
        "signature_url": None,
        "sha256": hashlib.sha256(content).hexdigest(),
        "size": len(content),
        "revision": 1,
        "first_sha256": hashlib.sha256(content).hexdigest(),
        "downloads": 0,
        "created_at": MOMENT,
        "updated_at": MOMENT,
        "log": None,
    }


@pytest.mark.parametrize(
    "path", ["/api/1/modules/say", "/api/1/modules/SAY", "/modules/alice/say", "/modules/Alice/Say"]
)
def test_a_module_is_returned_as_one_document(client: Client, published: None, path: str) -> None:
    reply = client.get(path)
    assert (reply.status, reply.json) == (
        200,
        {
            "module": {
                "id": 1,
                "purl": f"pkg:luarocks/alice/say?{HERE}",
                "user": "alice",
                "name": "say",
                "display_name": None,
                "url": "http://moonbase.test/modules/alice/say",
                "in_root": True,
                "archived": False,
                "reason": None,
                "immutable": False,
                "manifests": [],
                "summary": "Says hello",
                "description": None,
                "license": "MIT",
                "homepage": "https://example.org",
                "labels": [],
                "downloads": 0,
                "created_at": MOMENT,
                "updated_at": MOMENT,
                "owners": ["alice"],
            },
            "versions": [
                {
                    "id": 1,
                    "purl": f"pkg:luarocks/alice/say@1.0-1?{HERE}",
                    "version_name": "1.0-1",
                    "published_at": MOMENT,
                    "display_version_name": None,
                    "lua_version": "lua >= 5.1",
                    "development": False,
                    "archived": False,
                    "reason": None,
                    "dependencies": ["lua >= 5.1"],
                    "source_url": "https://example.org/say.tar.gz",
                    "texts": {},
                    "downloads": 0,
                    "files": [
                        file("rockspec", "say-1.0-1.rockspec", rockspec()),
                        file("src", "say-1.0-1.src.rock", rock()),
                    ],
                }
            ],
        },
    )


def test_versions_come_newest_first(client: Client, upload: Upload) -> None:
    for version in ("1.9-1", "1.10-1", "1.10rc1-1", "scm-1", "1.10-2"):
        upload(rockspec(version=version))
    shown = client.get("/api/1/modules/say").json["versions"]
    assert [version["version_name"] for version in shown] == ["scm-1", "1.10-2", "1.10-1", "1.10rc1-1", "1.9-1"]


def test_a_name_without_a_user_is_looked_up_in_the_root(
    client: Client, published: None, upload: Upload, bob_key: str
) -> None:
    upload(key=bob_key)
    upload(rockspec("bobs"), key=bob_key)
    assert client.get("/api/1/modules/say").json["module"]["user"] == "alice"
    shown = client.get("/modules/bob/say").json
    assert shown["versions"][0]["files"][0]["url"] == "http://moonbase.test/manifests/bob/say-1.0-1.rockspec"
    for path in ("/api/1/modules/nothing", "/modules/alice/bobs"):
        assert (client.get(path).status, client.get(path).json) == (404, {"errors": ["There is no such module."]})


@pytest.fixture
def many(upload: Upload, bob_key: str) -> None:
    upload(rockspec("json"))
    upload(rockspec("lua-json", lua="lua < 5.3"))
    upload(rockspec("parser").replace(b"Says hello", b"Reads JSON files"))
    upload(rockspec("json"), key=bob_key)
    upload(
        rockspec("xml")
        .replace(b"build", b'rockspec_format = "3.0" build')
        .replace(b"summary", b'labels = { "Markup" }, summary')
    )


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=json", ["alice/json", "bob/json", "alice/lua-json", "alice/parser"]),
        ("q=JSON+lua", ["alice/lua-json"]),
        ("q=json&root=true", ["alice/json", "alice/lua-json", "alice/parser"]),
        ("q=json&root=false", ["bob/json"]),
        ("q=json&lua=5.4", ["alice/json", "bob/json", "alice/parser"]),
        ("user=Bob", ["bob/json"]),
        ("label=markup", ["alice/xml"]),
        ("q=nothing", []),
        ("sort=name", ["alice/json", "bob/json", "alice/lua-json", "alice/parser", "alice/xml"]),
        ("sort=name&offset=1&limit=2", ["bob/json", "alice/lua-json"]),
        ("offset=99", []),
    ],
)
def test_search_finds_the_best_first(client: Client, many: None, query: str, found: list[str]) -> None:
    assert names(client.get("/api/1/modules", query=query)) == found


def test_a_page_has_the_total(client: Client, many: None) -> None:
    page = client.get("/api/1/modules", query="q=json&limit=1&offset=1").json
    assert (page["total"], page["offset"], page["limit"], len(page["modules"])) == (4, 1, 1, 1)
    assert page["modules"][0]["versions"] == ["1.0-1"]


def test_modules_can_be_sorted_by_downloads(client: Client, many: None) -> None:
    client.get("/xml-1.0-1.rockspec", headers={"User-Agent": "curl/8"})
    job_runner.run_now("luarocks-downloads")
    assert names(client.get("/api/1/modules", query="sort=downloads"))[0] == "alice/xml"


def test_archived_modules_are_not_found(client: Client, key: str, many: None) -> None:
    client.request("PATCH", f"/api/1/{key}/modules/alice/json", json={"archived": True})
    assert "alice/json" not in names(client.get("/api/1/modules"))
    assert client.get("/api/1/modules/json").json["module"]["archived"] is True


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("lua=5.9", "lua must be one of 5.1, 5.2, 5.3, 5.4, 5.5"),
        ("sort=best", "sort must be one of relevance, downloads, updated, name"),
        ("root=maybe", "root must be one of true, false"),
        ("limit=-1", "limit must be a number"),
        ("offset=1e9", "offset must be a number"),
        ("q=" + "+".join("abcdefghijk"), "q has at most 10 words"),
    ],
)
def test_a_bad_search_is_refused(client: Client, aws: None, query: str, error: str) -> None:
    reply = client.get("/api/1/modules", query=query)
    assert (reply.status, reply.json) == (400, {"errors": [error]})


def test_a_browser_gets_a_page(client: Client, published: None) -> None:
    reply = client.get("/modules/alice/say", headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert (reply.status, reply.header("content-type")) == (200, "text/html; charset=utf-8")
    page = reply.body.decode()
    for text in (
        "<title>say · Moonbase</title>",
        "Says hello",
        "luarocks install --only-server=http://moonbase.test say",
        '<a href="http://moonbase.test/say-1.0-1.src.rock">say-1.0-1.src.rock</a>',
        hashlib.sha256(rock()).hexdigest(),
        '<a href="https://example.org" rel="nofollow">',
    ):
        assert text in page
    known = {"Accept": "text/html", "If-None-Match": str(reply.header("etag"))}
    assert client.get("/modules/alice/say", headers=known).status == 304
    other = client.get("/modules/alice/say", headers={"Accept": "*/*"})
    assert (other.header("content-type"), other.headers["vary"][0]) == ("application/json", "Accept")


def test_texts_of_an_upload_are_escaped_on_the_page(client: Client, upload: Upload) -> None:
    upload(HOSTILE)
    reply = client.get("/modules/alice/say", headers={"Accept": "text/html"})
    page = reply.body.decode()
    for hostile in ("<script", "<b>", "<i>", 'href="javascript:'):
        assert hostile not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "default-src 'none'" in str(reply.header("content-security-policy"))
    assert (reply.header("vary"), reply.header("x-content-type-options")) == ("Accept", "nosniff")


def test_the_url_in_an_uploads_response_is_the_page(client: Client, upload: Upload) -> None:
    url = upload().json["module_url"].removeprefix("http://moonbase.test")
    assert client.get(url, headers={"Accept": "text/html"}).status == 200


def test_one_module_is_much_smaller_than_the_manifest(client: Client, upload: Upload, fill_catalogue: object) -> None:
    fill_catalogue(2000)  # type: ignore[operator]
    upload()
    assert len(client.get("/api/1/modules/say").body) < 2000 < len(client.get("/manifest").body) / 100
    assert index.catalogue.snapshot().sequence > 0


def test_the_export_has_pages(client: Client, upload: Upload, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        upload(rockspec(f"m{number}"))
    monkeypatch.setattr("chalicelib.luarocks.moving.PAGE_BYTES", 1)
    names, after = [], ""
    while after is not None:
        page = client.get("/api/1/export", query={"after": after}).json
        names += [each["module"]["name"] for each in page["modules"]]
        after = page["next"]
    assert names == [f"m{number}" for number in range(5)]
