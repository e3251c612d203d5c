"""Stored files: stored once, served unchanged, counted, and used by packages."""

import hashlib
import threading
from typing import Any

import pytest
import time_machine

from chalicelib import settings
from chalicelib.core import audit, blobs
from chalicelib.core.errors import NotFound
from chalicelib.core.identity import credentials
from chalicelib.core.tables import Account
from chalicelib.hel import counts
from chalicelib.hel.tables import HelItem, StoredFile, Usage
from tests.client import Client, Reply
from tests.hel.builders import Create, package, refusal, success
from tests.worlds import both_worlds, embedded_only

pytestmark = both_worlds

CODE = b"print('moon')\n"
SHA256 = hashlib.sha256(CODE).hexdigest()
URL = f"http://moonbase.test/hel/files/Alice/{SHA256}/program.lua"
PATH = URL.removeprefix("http://moonbase.test")
STORED = {"url": URL, "name": "program.lua", "size": len(CODE), "sha256": SHA256}


@pytest.fixture(autouse=True)
def _frozen() -> object:
    with time_machine.travel("2026-01-02T03:04:05Z", tick=False):
        yield


@pytest.fixture
def store(client: Client, session: dict[str, str]) -> Any:
    """Stores a file as Alice."""

    def send(content: bytes = CODE, name: str = "program.lua", headers: dict[str, str] = session) -> Reply:
        return client.post("/hel/files", query={"name": name}, body=content, headers=headers)

    return send


def of(path: str, *urls: str) -> dict[str, Any]:
    """Versions that use these files."""
    return {"1.0.0": {"files": {url: {"path": path} for url in urls}, "depends": {}, "changes": ""}}


def usage() -> list[int]:
    return [int(item.file_bytes) for item in HelItem.scan() if isinstance(item, Usage)]


def test_a_stored_file_is_public_at_its_url(client: Client, store: Any) -> None:
    reply = store()
    assert (reply.status, reply.json) == (201, success(STORED, logged_in=True) | {"title": "Created", "code": 201})
    reply = client.get(PATH)
    assert (reply.status, reply.body) == (200, CODE)
    wanted = ("content-type", "etag", "cache-control", "content-disposition", "x-content-type-options")
    assert [reply.header(name) for name in wanted] == [
        "application/octet-stream",
        f'"{SHA256}"',
        "public, max-age=31536000, immutable",
        "attachment",
        "nosniff",
    ]


def test_a_form_stores_its_file(client: Client, session: dict[str, str]) -> None:
    reply = client.post("/hel/files", files={"file": ("program.lua", CODE)}, headers=session)
    assert (reply.status, reply.json["data"]) == (201, STORED)
    reply = client.post("/hel/files", query="name=x.lua", files={"a": ("y", CODE)}, headers=session)
    assert (reply.status, reply.json["data"]["name"]) == (200, "x.lua")
    reply = client.post("/hel/files", files={"a": ("y", CODE), "b": ("z", CODE)}, headers=session)
    assert (reply.status, reply.json["message"]) == (400, "Send one file at a time.")
    broken = {**session, "Content-Type": "multipart/form-data; boundary=x"}
    assert client.post("/hel/files", query="name=x", body=b"--y", headers=broken).status == 400


def test_equal_bytes_are_stored_once(client: Client, store: Any) -> None:
    store()
    reply = store(name="other.lua")
    assert (reply.status, reply.json) == (
        200,
        success({**STORED, "name": "other.lua", "url": URL.replace("program", "other")}, logged_in=True),
    )
    assert client.get(PATH.replace("program", "other")).body == CODE
    assert usage() == [4096]


def test_equal_bytes_of_two_accounts_are_two_files(client: Client, store: Any, bob: Account) -> None:
    store()
    headers = {"Cookie": "auth_tkt=" + credentials.create(bob, credentials.SESSION)[1]}
    assert store(headers=headers).json["data"]["url"] == URL.replace("Alice", "bob")
    assert client.request("DELETE", PATH.replace("Alice", "bob"), headers=headers).status == 204
    assert client.get(PATH).body == CODE


@embedded_only
def test_concurrent_uploads_of_a_file_store_it_once(store: Any) -> None:
    statuses: list[int] = []
    threads = [threading.Thread(target=lambda: statuses.append(store().status)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200, 200, 201]
    assert usage() == [4096]


def test_every_byte_is_returned_for_any_content_type(client: Client, store: Any, session: dict[str, str]) -> None:
    content = bytes(range(256)) * 4
    for kind in ("", "application/x-www-form-urlencoded", "application/json", "nonsense"):
        url = store(content, headers={**session, "Content-Type": kind}).json["data"]["url"]
        assert client.get(url.removeprefix("http://moonbase.test")).body == content


def test_a_file_is_stored_as_an_item_and_a_blob(store: Any) -> None:
    store()
    [file] = [item for item in HelItem.scan() if isinstance(item, StoredFile)]
    assert (file.pk, file.sk, file.size, file.name) == ("files#alice", SHA256, len(CODE), "program.lua")
    assert blobs.get(file.blob) == CODE


def test_get_counts_a_download_and_head_does_not(client: Client, store: Any) -> None:
    store()
    head = client.head(PATH)
    assert (head.status, head.body, head.header("content-length")) == (200, b"", str(len(CODE)))
    client.get(PATH)
    client.get(PATH)
    assert dict(counts.totals()) == {f"file#alice/{SHA256}": 2}


def test_a_package_counts_installs_of_its_owners_files(client: Client, create: Create, store: Any) -> None:
    store()
    create(package("mine", owners=["ALICE"], versions=of("/bin/x", URL)))
    create(package("theirs", owners=["bob"], versions=of("/bin/x", URL)))
    create(package("twice", owners=["alice"], versions={**of("/a", URL), "2.0.0": of("/b", URL)["1.0.0"]}))
    for _ in range(3):
        client.get(PATH)
    counts.counters.publish()
    found = {one["name"]: one["stats"]["downloads"] for one in client.get("/packages").json["data"]["list"]}
    assert found == {"mine": 3, "theirs": 0, "twice": 3}
    assert client.get("/packages/mine").json["data"]["stats"]["downloads"] == 3


def test_an_install_counts_once_for_all_files_and_versions(client: Client, create: Create, store: Any) -> None:
    shared, first, second, moved = (store(b"%d" % number).json["data"]["url"] for number in range(4))
    versions = {
        "1.0.0": [shared, first, moved + "?path=/a", moved + "?path=/b"],
        "1.1.0": [shared, second, "http://example.com/x"],
        "2.0.0": [shared],
        "3.0.0": [first],
    }
    installed = {"1.0.0": 2, "1.1.0": 3, "2.0.0": 0, "3.0.0": 0}
    files = {
        number: {"files": {url: {"path": f"/{place}"} for place, url in enumerate(urls)}, "depends": {}}
        for number, urls in versions.items()
    }
    create(package("three", owners=["alice"], versions={number: files[number] for number in ("1.0.0", "1.1.0")}))
    create(package("less", owners=["alice"], versions={number: files[number] for number in ("1.0.0", "2.0.0")}))
    create(
        package(
            "outside", owners=["alice"], versions={"1": {"files": {"http://x.org/": {"path": "/x"}}, "depends": {}}}
        )
    )
    for number, times in installed.items():
        for url in versions[number] * times:
            if url.startswith("http://moonbase.test"):
                path, _, query = url.removeprefix("http://moonbase.test").partition("?")
                client.get(path, query=query)
    counts.counters.publish()
    listed = client.get("/packages", query={"sort": "-downloads"}).json["data"]["list"]
    found = {one["name"]: one["stats"]["downloads"] for one in listed}
    assert found == {"three": 5, "less": 5, "outside": 0}


def test_a_package_shows_the_sha256_of_a_stored_file(client: Client, create: Create, store: Any) -> None:
    store()
    create(package(versions=of("/bin/x", URL, "http://example.com/other")))
    files = client.get("/packages/thing").json["data"]["versions"]["1.0.0"]["files"]
    location = {"dir": "/bin", "name": "x", "path": "/bin/x"}
    assert files == {URL: {**location, "sha256": SHA256}, "http://example.com/other": location}


def test_an_author_can_give_the_sha256_of_any_file(client: Client, create: Create, session: dict[str, str]) -> None:
    given = {"http://example.com/x": {"path": "/x", "sha256": "0" * 64}}
    create(package(owners=["alice"], versions={"1": {"files": given, "depends": {}}}))
    changes = {"versions": {"1": {"files": {"http://example.com/x": {"path": "/y"}}}}}
    assert client.request("PATCH", "/packages/thing", headers=session, json=changes).status == 204
    files = client.get("/packages/thing").json["data"]["versions"]["1.0.0"]["files"]
    assert files == {"http://example.com/x": {"dir": "/", "name": "y", "path": "/y", "sha256": "0" * 64}}


@pytest.mark.parametrize(
    ("sha256", "message"),
    [
        ("0" * 64, "The sha256 is not that of the stored file."),
        (SHA256.upper(), "A sha256 has 64 hexadecimal digits in lower case."),
        ("", "A sha256 has 64 hexadecimal digits in lower case."),
        (5, "Bad value 'sha256' in the data you provided."),
        (None, "Bad value 'sha256' in the data you provided."),
    ],
)
def test_a_wrong_sha256_is_rejected(create: Create, sha256: object, message: str) -> None:
    versions = {"1": {"files": {URL: {"path": "/x", "sha256": sha256}}, "depends": {}}}
    reply = create(package(versions=versions))
    assert (reply.status, reply.json) == (400, refusal(400, message, logged_in=True))


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/b", "a b", "é", "a\n", "x" * 101, "<script>", "a?b", "%2e", "a\\b", 'a"b']
)
def test_an_invalid_file_name_is_rejected(store: Any, name: str) -> None:
    reply = store(name=name)
    message = "The name of a file has 1 to 100 letters, digits and characters of . _ ~ + @ = , -"
    assert (reply.status, reply.json) == (400, refusal(400, message, logged_in=True))
    assert usage() == []


@pytest.mark.parametrize(
    "name", [".shrc", "a.b.c", "README", "x.tar.gz", "logo.nfp", "lib++.lua", "a~1", "...", "v=1,2"]
)
def test_any_extension_is_stored_and_served(client: Client, store: Any, name: str) -> None:
    reply = store(name=name)
    assert (reply.status, reply.json["data"]["url"]) == (201, URL.replace("program.lua", name))
    assert client.get(PATH.replace("program.lua", name)).body == CODE


def test_an_empty_file_is_stored_and_takes_a_block(client: Client, store: Any) -> None:
    reply = store(b"", name="empty.cfg")
    assert (reply.status, reply.json["data"]["size"]) == (201, 0)
    answer = client.get(reply.json["data"]["url"].removeprefix("http://moonbase.test"))
    assert (answer.status, answer.body) == (200, b"")
    assert usage() == [4096]


def test_equal_bytes_at_two_places_have_a_url_each(client: Client, create: Create, session: dict[str, str]) -> None:
    places = {"/usr/lib/a/init.lua": "/usr/lib/a/init.lua", "usr/lib/b c/init.lua": "/usr/lib/b c/init.lua"}
    files = {}
    for given, normal in places.items():
        reply = client.post("/hel/files", query={"path": given}, body=CODE, headers=session)
        url = URL.replace("program", "init") + "?path=" + normal.replace(" ", "%20")
        assert (reply.json["data"]["url"], reply.json["data"]["name"]) == (url, "init.lua")
        files[url] = {"path": normal}
    assert create(package(owners=["alice"], versions={"1": {"files": files, "depends": {}}})).status == 201
    shown = client.get("/packages/thing").json["data"]["versions"]["1.0.0"]["files"]
    assert {url: (file["path"], file["sha256"]) for url, file in shown.items()} == {
        url: (file["path"], SHA256) for url, file in files.items()
    }
    for url in files:
        path, _, query = url.removeprefix("http://moonbase.test").partition("?")
        assert client.get(path, query=query).body == CODE
    reply = client.request("DELETE", PATH, headers=session)
    assert (reply.status, reply.json["message"]) == (409, "The package thing uses this file.")


@pytest.mark.parametrize("place", ["", "/", "/a/", "a\\b", "/a\n", "/" + "x" * 501])
def test_an_invalid_place_is_rejected(client: Client, session: dict[str, str], place: str) -> None:
    reply = client.post("/hel/files", query={"path": place, "name": "x"}, body=CODE, headers=session)
    assert reply.status == 400
    assert usage() == []


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_two_files_with_one_url_are_rejected(
    client: Client, create: Create, session: dict[str, str], method: str
) -> None:
    create(package("old", owners=["alice"]))
    body = f'{{"versions": {{"1": {{"files": {{"{URL}": {{"path": "/a"}}, "{URL}": {{"path": "/b"}}}}}}}}}}'
    reply = client.request(
        method, "/packages" + ("/old" if method == "PATCH" else ""), body=body.encode(), headers=session
    )
    message = f"Bad value {URL!r} is there twice in the data you provided."
    assert (reply.status, reply.json) == (400, refusal(400, message, logged_in=True))


@pytest.mark.parametrize("content", [b"\x1bLua\x53\x00", b"\x1bLJ\x02", b"#!/bin/lua\n\x1bLua\x53\x00"])
def test_precompiled_lua_is_rejected(store: Any, content: bytes) -> None:
    message = "The file is precompiled Lua; only source text is accepted."
    assert store(content).json == refusal(400, message, logged_in=True)


def test_a_file_that_is_too_large_is_rejected(store: Any) -> None:
    with settings.override(hel_largest_file=1000):
        assert store(b"x" * 1000).status == 201
        reply = store(b"x" * 1001)
        assert (reply.status, reply.json["message"]) == (413, "The file is larger than 1000 bytes.")
        assert store(b"x" * 100_000).status == 413


def test_a_file_larger_than_a_response_is_rejected(store: Any) -> None:
    with settings.override(max_answer=500):
        assert store(b"x" * 501).status == 413


def test_storing_and_listing_need_an_account(client: Client, alice: Account, session: dict[str, str]) -> None:
    alice.update(actions=[Account.rank.set("BANNED")])
    for logged_in, headers in ((False, {}), (True, session)):
        reply = client.post("/hel/files", query="name=x", body=b"x", headers=headers)
        expected = refusal(403, "Unauthorized: store_file failed permission check", logged_in=logged_in)
        assert (reply.status, reply.json) == (403, expected)
        reply = client.get("/hel/files", headers=headers)
        expected = refusal(403, "Unauthorized: list_files failed permission check", logged_in=logged_in)
        assert (reply.status, reply.json) == (403, expected)
    assert usage() == []


def test_authors_list_only_their_own_files(client: Client, store: Any, bob: Account, session: Any) -> None:
    store()
    headers = {"Cookie": "auth_tkt=" + credentials.create(bob, credentials.SESSION)[1]}
    store(b"other", headers=headers)
    page = {"offset": 0, "total": 1, "sent": 1, "truncated": False, "list": [STORED]}
    assert client.get("/hel/files", headers=session).json == success(page, logged_in=True)


def test_own_files_are_paged_oldest_first(client: Client, store: Any, session: dict[str, str]) -> None:
    for number in range(3):
        with time_machine.travel(f"2026-01-02T00:00:0{9 - number}Z", tick=False):
            store(b"%d" % number, name=f"{number}.lua")
    with settings.override(hel_longest_page=2):
        pages = [client.get("/hel/files", query=query, headers=session).json["data"] for query in ("", "offset=2")]
    assert [[one["name"] for one in page.pop("list")] for page in pages] == [["2.lua", "1.lua"], ["0.lua"]]
    assert pages == [
        {"offset": 0, "total": 3, "sent": 2, "truncated": True},
        {"offset": 2, "total": 3, "sent": 1, "truncated": True},
    ]


@pytest.mark.parametrize(
    "path",
    [
        "/hel/files/Alice/" + "0" * 64 + "/program.lua",
        f"/hel/files/bob/{SHA256}/program.lua",
        f"/hel/files/alice%2F..%2Falice/{SHA256}/x",
        f"/hel/files/{'x' * 3000}/{SHA256}/x",
        f"/hel/files/alice/{'0' * 3000}/x",
        "/hel/files/alice/..%2F..%2Fkey/x",
        f"/hel/files/alice/{SHA256.upper()}/x",
    ],
)
def test_an_unknown_file_is_not_found(client: Client, store: Any, path: str) -> None:
    store()
    for reply in (client.get(path), client.head(path)):
        assert reply.status == 404
    assert client.get(path).json == {**refusal(404, ""), "message": None}


def test_the_owner_deletes_a_file_and_its_bytes(client: Client, store: Any, session: Any, alice: Account) -> None:
    store()
    [blob] = [item.blob for item in HelItem.scan() if isinstance(item, StoredFile)]
    reply = client.request("DELETE", PATH, headers=session)
    assert (reply.status, reply.body) == (204, b"")
    assert client.get(PATH).status == 404
    assert dict(counts.totals()) == {}
    assert usage() == [0]
    with pytest.raises(NotFound):
        blobs.get(blob)
    actions = [entry.action for entry in audit.entries(int(alice.id)) if entry.action.startswith("file.")]
    assert sorted(actions) == ["file.delete", "file.store"]
    assert client.request("DELETE", PATH, headers=session).status == 404
    assert store().status == 201
    assert client.get(PATH).body == CODE


def test_a_file_that_a_package_uses_cannot_be_deleted(
    client: Client, create: Create, store: Any, session: dict[str, str]
) -> None:
    store()
    create(package(owners=["alice"], versions=of("/bin/x", URL)))
    reply = client.request("DELETE", PATH, headers=session)
    expected = refusal(409, "The package thing uses this file.", logged_in=True)
    assert (reply.status, reply.json) == (409, expected)
    assert client.get(PATH).body == CODE
    client.request("DELETE", "/packages/thing", headers=session)
    assert client.request("DELETE", PATH, headers=session).status == 204


def test_other_users_packages_do_not_prevent_a_deletion(
    client: Client, create: Create, store: Any, session: dict[str, str]
) -> None:
    store()
    create(package(owners=["bob"], versions=of("/bin/x", URL)))
    assert client.request("DELETE", PATH, headers=session).status == 204


def test_only_the_owner_and_administrators_delete_a_file(
    client: Client, store: Any, bob: Account, admin: dict[str, str]
) -> None:
    store()
    headers = {"Cookie": "auth_tkt=" + credentials.create(bob, credentials.SESSION)[1]}
    reply = client.request("DELETE", PATH, headers=headers)
    expected = refusal(403, "Unauthorized: delete_file failed permission check", logged_in=True)
    assert (reply.status, reply.json) == (403, expected)
    assert client.request("DELETE", PATH, headers=admin).status == 204


QUOTA_EXCEEDED = (
    "The quota is exceeded: an account has at most 1 packages, 2000 bytes of package data and 8192 bytes of files."
)


@pytest.mark.parametrize("size", [1, 4097])
def test_files_are_charged_in_whole_blocks_up_to_the_quota(store: Any, size: int) -> None:
    with settings.override(hel_packages=1, hel_package_bytes=2000, hel_file_bytes=8192):
        assert store(b"x" * 4097).status == 201
        reply = store(b"y" * size)
    assert (reply.status, reply.json) == (403, refusal(403, QUOTA_EXCEEDED, logged_in=True))
    assert usage() == [8192]
    assert len(dict(counts.totals())) == 1


def test_packages_are_charged_to_the_quota(client: Client, create: Create, session: dict[str, str]) -> None:
    with settings.override(hel_packages=1, hel_package_bytes=2000, hel_file_bytes=8192):
        assert create(package("big", description="x" * 2000)).json == refusal(403, QUOTA_EXCEEDED, logged_in=True)
        assert create(package("first", owners=["alice"])).status == 201
        assert create(package("second")).json == refusal(403, QUOTA_EXCEEDED, logged_in=True)
        reply = client.request("PATCH", "/packages/first", headers=session, json={"description": "x" * 2000})
        assert reply.json == refusal(403, QUOTA_EXCEEDED, logged_in=True)
        assert client.request("DELETE", "/packages/first", headers=session).status == 204
        assert create(package("second")).status == 201
        assert [one["name"] for one in client.get("/packages").json["data"]["list"]] == ["second"]
