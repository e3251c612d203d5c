"""The rock server: manifests and files, as clients receive them."""

import io
import zipfile

import pytest

from chalicelib import settings
from chalicelib.core.identity import credentials
from chalicelib.core.tables import Account
from chalicelib.luarocks import roots
from tests.client import Client
from tests.luarocks.builders import Upload, rock, rockspec

MANIFEST = b"""commands = {}
modules = {}
repository = {
   say = {
      ["1.0-1"] = {
         {
            arch = "rockspec"
         },
         {
            arch = "src"
         }
      }
   }
}
"""
EMPTY = b"commands = {}\nmodules = {}\nrepository = {}\n"


@pytest.fixture
def published(upload: Upload, upload_rock: Upload) -> None:
    upload()
    upload_rock(1, "say-1.0-1.src.rock")


@pytest.mark.parametrize("name", ["manifest", *(f"manifest-5.{minor}" for minor in range(1, 6))])
@pytest.mark.parametrize("root", ["", "/manifests/alice", "/manifests/ALICE"])
def test_a_manifest_lists_published_modules(client: Client, published: None, root: str, name: str) -> None:
    plain = client.get(f"{root}/{name}")
    assert (plain.status, plain.header("content-type"), plain.body) == (200, "text/x-lua", MANIFEST)
    assert plain.header("content-encoding") is None
    zipped = client.get(f"{root}/{name}.zip")
    assert (zipped.status, zipped.header("content-type")) == (200, "application/zip")
    with zipfile.ZipFile(io.BytesIO(zipped.body)) as archive:
        assert {member: archive.read(member) for member in archive.namelist()} == {name: MANIFEST}


@pytest.mark.parametrize("name", ["manifest", "manifest-5.4"])
@pytest.mark.parametrize("root", ["", "/manifests/alice"])
def test_a_manifest_is_also_served_as_json(client: Client, published: None, root: str, name: str) -> None:
    reply = client.get(f"{root}/{name}.json")
    assert (reply.status, reply.json) == (
        200,
        {
            "commands": {},
            "modules": {},
            "repository": {"say": {"1.0-1": [{"arch": "rockspec"}, {"arch": "src"}]}},
        },
    )


def test_an_overlong_name_is_not_parsed(client: Client, aws: None) -> None:
    for length in (510, 60_000):
        assert client.get(f"/{'-' * length}.rockspec").status == 404
    assert list(roots._splits("-" * 512)) == []


def test_an_empty_server_has_a_manifest(client: Client, aws: None) -> None:
    assert client.get("/manifest-5.4").body == EMPTY


def test_a_user_without_rocks_has_an_empty_manifest(client: Client, alice: Account) -> None:
    assert client.get("/manifests/alice/manifest").body == EMPTY


def test_an_unknown_user_has_no_manifest(client: Client, aws: None) -> None:
    reply = client.get("/manifests/nobody/manifest")
    assert (reply.status, reply.json) == (404, {"errors": ["There is no such user."]})


@pytest.mark.parametrize("name", ["manifest-4.0", "manifest-5.6", "manifest-5.1.wow", "manifest.", "Manifest", "wow"])
def test_other_file_names_are_not_found(client: Client, aws: None, name: str) -> None:
    assert client.get(f"/{name}").status == 404


def test_manifests_list_only_the_versions_for_their_lua(client: Client, upload: Upload) -> None:
    upload(rockspec("old", lua="lua >= 5.1, < 5.3"))
    shown = [minor for minor in range(1, 6) if b"old" in client.get(f"/manifest-5.{minor}").body]
    assert (shown, b"old" in client.get("/manifest").body) == ([1, 2], True)


def test_development_versions_are_not_in_the_root_manifest(client: Client, upload: Upload) -> None:
    upload(rockspec(version="scm-1"))
    assert client.get("/manifest").body == EMPTY
    assert b"scm-1" in client.get("/manifests/alice/manifest").body
    assert client.get("/say-scm-1.rockspec").status == 200


def test_modules_are_in_order_of_their_names(client: Client, upload: Upload) -> None:
    for name in ("zebra", "ant", "m-1", "m.2"):
        upload(rockspec(name))
    body = client.get("/manifest").body
    places = [body.index(name) for name in (b"ant", b'"m-1"', b'"m.2"', b"zebra")]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("path", "kind", "body"),
    [
        ("/say-1.0-1.rockspec", "text/x-rockspec", rockspec()),
        ("/say-1.0-1.src.rock", "application/x-rock", rock()),
        ("/manifests/alice/say-1.0-1.rockspec", "text/x-rockspec", rockspec()),
        ("/manifests/Alice/say-1.0-1.src.rock", "application/x-rock", rock()),
        ("/say%2D1.0-1.rockspec", "text/x-rockspec", rockspec()),
    ],
)
def test_a_file_is_served_next_to_its_manifest(
    client: Client, published: None, path: str, kind: str, body: bytes
) -> None:
    reply = client.get(path)
    assert (reply.status, reply.header("content-type"), reply.body) == (200, kind, body)
    head = client.head(path)
    assert (head.status, head.body, head.header("content-length")) == (200, b"", str(len(body)))
    assert head.header("etag") == reply.header("etag") is not None


@pytest.mark.parametrize(
    "path",
    [
        "/say-1.0-2.rockspec",
        "/say-1.0-1.all.rock",
        "/say-1.0-1.SRC.rock",
        "/.rock",
        "/.rockspec",
        "/-.rockspec",
        "/say-1.0-1.rock",
        "/..%2Fsay-1.0-1.rockspec",
        "/manifests/bob/say-1.0-1.rockspec",
    ],
)
def test_a_file_that_was_never_published_is_not_found(client: Client, published: None, path: str) -> None:
    reply = client.get(path)
    assert (reply.status, reply.json) == (404, {"errors": ["There is no such file."]})


def test_names_can_contain_hyphens(client: Client, upload: Upload, upload_rock: Upload) -> None:
    version = upload(rockspec("lua-say-more", "1.0-1")).json["version"]["id"]
    upload_rock(version, "lua-say-more-1.0-1.linux-x86_64.rock", rock("lua-say-more", "1.0-1"))
    assert client.get("/lua-say-more-1.0-1.rockspec").status == 200
    assert client.get("/lua-say-more-1.0-1.linux-x86_64.rock").status == 200


def test_a_file_too_large_for_a_response_redirects_to_a_signed_link(client: Client, published: None) -> None:
    with settings.override(max_answer=3):
        get, head = client.get("/say-1.0-1.src.rock"), client.head("/say-1.0-1.src.rock")
    assert (get.status, head.status) == (302, 302)
    location = str(get.header("location"))
    assert location != head.header("location")
    if settings.current().blobs.startswith("s3:"):
        assert location.startswith("https://moonbase-test.s3.us-east-1.amazonaws.com/luarocks/")
        assert "X-Amz-Algorithm=AWS4-HMAC-SHA256" in location
    else:
        assert location.startswith("http://moonbase.test/.blobs/luarocks/")
        assert "&signature=" in location


def test_bobs_rocks_are_not_in_alices_manifest(client: Client, published: None, upload: Upload, bob: Account) -> None:
    upload(rockspec("other"), key=credentials.create(bob, "luarocks")[1])
    assert client.get("/manifests/alice/manifest").body == MANIFEST
