"""A private server: without a key nothing can be read, not even a name."""

import base64
from collections.abc import Iterator

import pytest

from chalicelib import settings
from chalicelib.core.identity import accounts, credentials
from chalicelib.core.tables import Account
from tests.client import Client, Reply
from tests.luarocks.builders import Upload, rockspec

READS = [
    *("/manifest", "/manifest-5.1", "/manifest.json", "/manifest-5.4.zip", "/a-1.0-1.rockspec", "/a-9-9.rockspec"),
    *("/dev/manifest", "/manifests/alice/manifest", "/manifests/nobody/manifest", "/dev/manifests/alice/manifest"),
    *("/repositories/rocks", "/repositories/rocks/manifest"),
    *("/manifests/alice/dev", "/manifests/alice/dev/manifest"),
    *("/modules/alice/a/1.0-1/readme", "/modules/alice/a/1.0-1/license"),
    *("/m/none/manifest", "/m/none/dev/manifest", "/dev", "/manifests/alice", "/m/none", "/nothing"),
    *(
        "/modules/alice/a",
        "/modules/nobody/b",
        "/api/1/export",
        "/api/1/dependencies",
        "/api/1/modules/a/dependents",
        "/api/1/modules",
        "/api/1/modules/a",
        "/api/1/modules/b",
    ),
]


@pytest.fixture(autouse=True)
def private(upload: Upload) -> Iterator[None]:
    upload(rockspec("a"))
    with settings.override(luarocks_reads="key"):
        yield


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def assert_refused(reply: Reply) -> None:
    assert (reply.status, reply.json) == (401, {"errors": ["This server is private: reading requires a key."]})
    assert reply.header("WWW-Authenticate") == 'Basic realm="LuaRocks", charset="UTF-8"'


@pytest.mark.parametrize("path", READS)
def test_without_a_key_nothing_is_read_or_revealed(client: Client, path: str) -> None:
    assert_refused(client.get(path))


@pytest.mark.parametrize(
    "headers",
    [
        basic("alice", "wrong"),
        basic("alice", ""),
        basic("alice", "wonderland"),
        {"Authorization": "Basic !"},
        {"Authorization": "Basic"},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Digest x"},
    ],
)
def test_an_invalid_key_is_refused(client: Client, headers: dict[str, str]) -> None:
    assert_refused(client.get("/manifest", headers=headers))


def test_a_key_is_accepted_as_a_password_and_as_a_token(client: Client, key: str) -> None:
    for headers in (basic("alice", key), basic("", key), {"Authorization": f"Bearer {key}"}):
        assert client.get("/manifest", headers=headers).status == 200
        assert client.get("/a-1.0-1.rockspec", headers=headers).body == rockspec("a")
        assert client.get("/modules/alice/a", headers=headers).json["module"]["name"] == "a"


@pytest.mark.parametrize("scope", ["read", "module:b"])
def test_a_key_with_any_scope_can_read(client: Client, alice: Account, scope: str) -> None:
    _, narrow = credentials.create(alice, "luarocks", scope=scope)
    assert client.get("/manifest", headers=basic("alice", narrow)).status == 200


def test_keys_of_other_services_are_refused(client: Client, alice: Account) -> None:
    _, other = credentials.create(alice, "contentdb")
    assert_refused(client.get("/manifest", headers=basic("alice", other)))


def test_a_revoked_key_and_a_suspended_account_are_refused(client: Client, alice: Account, key: str) -> None:
    credential, revoked = credentials.create(alice, "luarocks")
    credentials.revoke(credential)
    reply = client.get("/manifest", headers=basic("alice", revoked))
    assert (reply.status, reply.json) == (403, {"errors": ["The API key you provided has been revoked"]})
    accounts.suspend(alice)
    reply = client.get("/manifest", headers=basic("alice", key))
    assert (reply.status, reply.json) == (403, {"errors": ["Your account has been suspended"]})


def test_a_conditional_request_reveals_nothing_without_a_key(client: Client, key: str) -> None:
    etag = client.get("/manifest", headers=basic("", key)).header("ETag")
    assert etag
    assert_refused(client.get("/manifest", headers={"If-None-Match": etag}))
    assert client.get("/manifest", headers={"If-None-Match": etag, **basic("", key)}).status == 304


def test_a_large_file_redirects_to_a_link_without_the_key(client: Client, key: str) -> None:
    with settings.override(max_answer=1):
        assert_refused(client.get("/a-1.0-1.rockspec"))
        reply = client.get("/a-1.0-1.rockspec", headers=basic("", key))
    assert reply.status == 302
    assert key not in str(reply.header("Location"))


def test_uploads_and_the_tool_version_still_work(client: Client, upload: Upload) -> None:
    assert upload(rockspec("b")).status == 200
    assert client.get("/api/tool_version").status == 200
