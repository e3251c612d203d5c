"""Every root of luarocks.org (stable, development, per user, custom), and conditional requests to each."""

import json

import pytest

from chalicelib.core.identity import credentials
from chalicelib.core.tables import Account
from tests.client import Client
from tests.luarocks.builders import Upload, rock, rockspec


def read_manifest(client: Client, path: str) -> dict[str, list[str]]:
    """The versions by module in a manifest."""
    reply = client.get(f"{path}.json")
    assert reply.status == 200, reply.body
    return {name: list(versions) for name, versions in reply.json["repository"].items()}


@pytest.fixture
def published(upload: Upload, upload_rock: Upload) -> None:
    upload()
    upload(rockspec(version="scm-1"))
    upload(rockspec("only", "dev-1"))
    upload_rock(2, "say-scm-1.src.rock", rock(version="scm-1"))


@pytest.mark.parametrize("member", ["manifest", "manifest-5.1"])
@pytest.mark.parametrize(
    ("root", "expected"),
    [
        ("", {"say": ["1.0-1"]}),
        ("/dev", {"only": ["dev-1"], "say": ["scm-1"]}),
        ("/manifests/alice", {"only": ["dev-1"], "say": ["1.0-1", "scm-1"]}),
        ("/dev/manifests/Alice", {"only": ["dev-1"], "say": ["scm-1"]}),
    ],
)
def test_a_root_lists_its_modules(
    client: Client, published: None, root: str, expected: dict[str, list[str]], member: str
) -> None:
    assert read_manifest(client, f"{root}/{member}") == expected


@pytest.mark.parametrize("root", ["", "/dev", "/manifests/alice", "/dev/manifests/alice"])
@pytest.mark.parametrize("name", ["say-1.0-1.rockspec", "say-scm-1.rockspec", "say-scm-1.src.rock"])
def test_every_root_has_the_files_of_its_modules(client: Client, published: None, root: str, name: str) -> None:
    assert client.get(f"{root}/{name}").status == 200


@pytest.mark.parametrize("path", ["/dev", "/manifests/alice", "/m/team", "/m/team/dev"])
def test_a_root_redirects_to_its_manifest(client: Client, aws: None, path: str) -> None:
    reply = client.get(path)
    assert (reply.status, reply.header("location")) == (302, f"http://moonbase.test{path}/manifest")


def test_a_hostile_name_is_escaped_in_the_redirect(client: Client, aws: None) -> None:
    reply = client.get("/manifests/a%0d%0aX-Evil:%20b")
    assert reply.header("location") == "http://moonbase.test/manifests/a%0D%0AX-Evil%3A%20b/manifest"


@pytest.mark.parametrize("path", ["/dev/manifests/nobody/manifest", "/m/nothing/manifest", "/m/nothing/dev/manifest"])
def test_the_root_of_an_unknown_user_is_not_found(client: Client, aws: None, path: str) -> None:
    assert client.get(path).status == 404


@pytest.mark.parametrize(
    "path",
    [
        "/manifest",
        "/manifest-5.4.zip",
        "/dev/manifest-5.1.json",
        "/manifests/alice/manifest",
        "/say-1.0-1.rockspec",
        "/say-scm-1.src.rock",
        "/api/1/modules/say",
        "/api/1/modules",
        "/modules/alice/say",
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_client_with_the_current_version_gets_304(client: Client, published: None, path: str, method: str) -> None:
    first = client.get(path)
    etag = str(first.header("etag"))
    again = client.request(method, path, headers={"If-None-Match": etag})
    assert (again.status, again.body, again.header("etag")) == (304, b"", etag)
    if modified := first.header("last-modified"):
        since = client.request(method, path, headers={"If-Modified-Since": modified})
        assert (since.status, since.body, since.header("last-modified")) == (304, b"", modified)


@pytest.mark.parametrize("path", ["/manifest", "/manifest.zip", "/dev/manifest", "/say-1.0-1.rockspec"])
def test_a_changed_manifest_is_sent(client: Client, published: None, upload: Upload, path: str) -> None:
    first = client.get(path)
    for changed in (rockspec(version="2.0-1"), rockspec(version="scm-2"), rockspec(lua="lua >= 5.2")):
        upload(changed)
    assert client.get(path, headers={"If-None-Match": str(first.header("etag"))}).status == 200


def test_each_manifest_has_its_own_etag(client: Client, published: None) -> None:
    paths = ["/manifest", "/manifest.zip", "/manifest-5.1", "/dev/manifest", "/manifests/alice/manifest"]
    assert len({client.get(path).header("etag") for path in paths}) == len(paths)


def test_a_module_of_the_same_name_is_only_below_its_own_user(
    client: Client, published: None, upload: Upload, bob: Account
) -> None:
    upload(rockspec(version="scm-2"), key=credentials.create(bob, "luarocks")[1])
    assert read_manifest(client, "/dev/manifest")["say"] == ["scm-1"]
    assert read_manifest(client, "/dev/manifests/bob/manifest") == {"say": ["scm-2"]}
    assert client.get("/say-scm-2.rockspec").status == 404


def test_a_module_without_a_listed_version_is_omitted(client: Client, upload: Upload) -> None:
    upload(rockspec(lua="lua < 5.2"))
    assert json.loads(client.get("/manifest-5.4.json").body)["repository"] == {}
