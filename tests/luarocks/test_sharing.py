"""Compression, requests of web pages of other sites, and further addresses of manifests and users."""

import gzip
import io
import json
import zipfile

import pytest

from chalicelib import settings
from chalicelib.core.identity import accounts, credentials
from chalicelib.core.tables import Account
from tests.client import BROWSER, Client
from tests.luarocks.builders import Upload, rock, rockspec

LONG = rockspec("long") + b"-- " + b"x" * 2000
GZIP = {"Accept-Encoding": "gzip"}
ORIGIN = {"Origin": "https://rocks.example.org"}
TEXTS = [
    "/manifest",
    "/manifest-5.1",
    "/manifest.json",
    "/long-1.0-1.rockspec",
    "/api/1/modules",
    "/modules/alice/long",
]
OTHERS = ["/manifest.zip", "/manifest-json.zip", "/long-1.0-1.src.rock"]


@pytest.fixture
def published(upload: Upload, upload_rock: Upload) -> None:
    upload(LONG)
    upload_rock(1, "long-1.0-1.src.rock", rock("long", payload="x" * 3000))
    for number in range(20):
        upload(rockspec(f"{'more' * 12}{number}"))


@pytest.mark.parametrize("path", TEXTS)
def test_a_text_is_compressed_only_for_a_client_that_asks(client: Client, published: None, path: str) -> None:
    plain, asked = client.get(path), client.get(path, headers=GZIP)
    assert (plain.status, plain.header("content-encoding")) == (200, None)
    for value in ("", "identity", "gzip;q=0", "deflate, br"):
        assert client.get(path, headers={"Accept-Encoding": value}).body == plain.body
    assert (asked.status, asked.header("content-encoding"), gzip.decompress(asked.body)) == (200, "gzip", plain.body)
    assert "Accept-Encoding" in asked.headers["vary"]
    assert "Accept-Encoding" in plain.headers["vary"]
    assert asked.header("etag") not in (None, plain.header("etag"))
    assert client.get(path, headers={**GZIP, "If-None-Match": str(asked.header("etag"))}).status == 304
    head = client.head(path, headers=GZIP)
    assert [head.header(name) for name in ("content-length", "etag", "content-encoding")] == [
        str(len(asked.body)),
        asked.header("etag"),
        "gzip",
    ]


@pytest.mark.parametrize("path", OTHERS)
def test_an_archive_is_not_compressed_again(client: Client, published: None, path: str) -> None:
    assert client.get(path, headers=GZIP).header("content-encoding") is None


@pytest.mark.parametrize("path", [*TEXTS, *OTHERS, "/none-1.0-1.rockspec", "/api/tool_version", "/api/1/modules/none"])
def test_web_pages_of_other_sites_can_read_what_anyone_can(client: Client, published: None, path: str) -> None:
    reply = client.get(path, headers=ORIGIN)
    assert reply.header("access-control-allow-origin") == "*"
    assert reply.header("access-control-allow-credentials") is None
    assert reply.header("access-control-expose-headers") == "ETag"
    asked = {**ORIGIN, "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "if-none-match"}
    preflight = client.request("OPTIONS", path, headers=asked)
    assert (preflight.status, preflight.header("access-control-allow-origin")) == (204, "*")
    assert preflight.header("access-control-allow-methods") == "GET, HEAD"
    assert preflight.header("access-control-allow-headers") == "If-Modified-Since, If-None-Match"


def test_web_pages_of_other_sites_cannot_read_what_needs_a_key(client: Client, key: str, published: None) -> None:
    for path in (f"/api/1/{key}/status", f"/api/1/{key}/modules", "/api/1/unknown/status"):
        for method in ("GET", "OPTIONS"):
            reply = client.request(method, path, headers=ORIGIN)
            assert reply.header("access-control-allow-origin") is None, path
    with settings.override(luarocks_reads="key"):
        for path in (*TEXTS, *OTHERS):
            reply = client.get(path, headers={**ORIGIN, "Authorization": f"Bearer {key}"})
            assert (reply.status, reply.header("access-control-allow-origin")) == (200, None)
    assert (
        client.get("/modules/alice/long", headers={**BROWSER, **ORIGIN}).header("access-control-allow-origin") is None
    )


@pytest.mark.parametrize("lua", ["", "-5.1"])
@pytest.mark.parametrize("root", ["", "/manifests/alice", "/dev"])
def test_a_json_manifest_is_also_served_zipped(client: Client, published: None, root: str, lua: str) -> None:
    reply = client.get(f"{root}/manifest-json{lua}.zip")
    assert (reply.status, reply.header("content-type")) == (200, "application/zip")
    with zipfile.ZipFile(io.BytesIO(reply.body)) as archive:
        assert archive.namelist() == [f"manifest-json{lua}"]
        content = archive.read(f"manifest-json{lua}")
    assert content == client.get(f"{root}/manifest{lua}.json").body
    assert list(json.loads(content)) == ["commands", "modules", "repository"]


@pytest.mark.parametrize(
    "name", ["manifest-json", "manifest-json-5.1", "manifest-json-5.1.json", "manifest-json-4.0.zip"]
)
def test_there_are_no_other_forms_of_json(client: Client, aws: None, name: str) -> None:
    assert client.get(f"/{name}").status == 404


@pytest.mark.parametrize(
    ("path", "target"),
    [("", "manifest"), ("/manifest-5.1", "manifest-5.1"), ("/say-1.0-1.src.rock", "say-1.0-1.src.rock")],
)
def test_the_paths_of_the_first_server_redirect_to_the_root(client: Client, aws: None, path: str, target: str) -> None:
    reply = client.get(f"/repositories/rocks{path}")
    assert (reply.status, reply.header("location")) == (301, f"http://moonbase.test/{target}")


@pytest.fixture
def foo_bar(upload: Upload) -> Account:
    account = accounts.create("Foo_Bar", "foo@example.org")
    upload(rockspec("baz"), key=credentials.create(account, "luarocks")[1])
    return account


@pytest.mark.parametrize("user", ["foo_bar", "FOO_bar", "foo-bar", "Foo-Bar", "foo--bar"])
def test_a_user_answers_to_the_slug_of_the_name(client: Client, foo_bar: Account, user: str) -> None:
    assert list(client.get(f"/manifests/{user}/manifest.json").json["repository"]) == ["baz"]
    assert client.get(f"/manifests/{user}/baz-1.0-1.rockspec").body == rockspec("baz")
    assert client.get(f"/dev/manifests/{user}/manifest.json").json["repository"] == {}
    assert client.get(f"/modules/{user}/baz").json["module"]["user"] == "foo_bar"


def test_an_account_of_that_name_goes_before_the_slug(client: Client, foo_bar: Account, upload: Upload) -> None:
    account = accounts.create("foo-bar", "other@example.org")
    assert client.get("/manifests/foo-bar/manifest.json").json["repository"] == {}
    assert client.get("/manifests/foo-bar/baz-1.0-1.rockspec").status == 404
    assert client.get("/modules/foo-bar/baz").status == 404
    own = rockspec("baz", version="9.0-1")
    upload(own, key=credentials.create(account, "luarocks")[1])
    assert client.get("/manifests/foo-bar/baz-9.0-1.rockspec").body == own
    assert client.get("/manifests/foo_bar/baz-9.0-1.rockspec").status == 404
    assert client.get("/manifests/foo__bar/manifest").status == 404, "two users have this slug"
