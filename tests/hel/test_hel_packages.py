"""Packages are created and listed: whole bodies, statuses, and stored items."""

import threading
from collections.abc import Callable

import orjson
import pytest
import time_machine

from chalicelib import settings
from chalicelib.core import audit, blobs
from chalicelib.core.identity import accounts
from chalicelib.core.tables import Account
from chalicelib.hel import counts, index
from tests.client import Client, Reply
from tests.hel.builders import Create, bulky, expected_package, list_packages, package, refusal, stored, success
from tests.worlds import both_worlds


@pytest.fixture(autouse=True)
def _frozen() -> object:
    with time_machine.travel("2026-01-02T03:04:05Z", tick=False) as clock:
        yield clock


@pytest.mark.parametrize("name", ["thing", "The name of the package"])
@both_worlds
def test_the_wikis_example_creates_a_package(client: Client, create: Create, name: str) -> None:
    reply = create(package(name))
    warning = (
        f"{name} 1.0.0 depends on dependency-1, which is not here: the installation will fail, even if it is optional."
    )
    expected = {**success("", status=201, logged_in=True), "warnings": [warning]}
    assert (reply.status, reply.json) == (201, expected)
    page = client.get("/packages")
    assert (page.status, page.json) == (
        200,
        success({"offset": 0, "total": 1, "sent": 1, "truncated": False, "list": [expected_package(name)]}),
    )


def test_owners_and_counters_are_stored_outside_the_document(create: Create) -> None:
    create()
    [item] = stored()
    assert (item.pk, item.sk, item.id, item.name, item.owners, item.creator_id, item.blob) == (
        "package#thing",
        "package",
        1,
        "thing",
        ["user-1", "user-2"],
        1,
        None,
    )
    document = {field: value for field, value in expected_package().items() if field not in ("owners", "stats")}
    assert orjson.loads(item.document) == document
    assert item.size == len(item.document)
    assert dict(counts.totals()) == {"package#1": 0}


def test_a_creation_is_audited_with_its_credential(alice: Account, create: Create) -> None:
    create()
    [entry] = [entry for entry in audit.entries(int(alice.id)) if entry.action.startswith("package.")]
    assert (entry.action, entry.subject, entry.credential_id) == ("package.create", "package#thing", 1)


def test_without_owners_the_creator_is_the_owner(client: Client, create: Create) -> None:
    data = package()
    del data["owners"]
    assert create(data).status == 201
    assert client.get("/packages").json["data"]["list"][0]["owners"] == ["Alice"]


def test_a_trailing_slash_changes_nothing(client: Client, session: dict[str, str]) -> None:
    assert client.post("/packages/", json=package(), headers=session).status == 201
    assert client.get("/packages/").body == client.get("/packages").body


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "nonsense"])
def test_the_content_type_does_not_matter(client: Client, session: dict[str, str], content_type: str) -> None:
    headers = {**session, "Content-Type": content_type}
    assert client.post("/packages", body=orjson.dumps(package()), headers=headers).status == 201


def test_the_short_description_is_truncated(client: Client, create: Create) -> None:
    create(package(short_description="é" * 141))
    with settings.override(hel_short_description=300):
        create(package("other", short_description="é" * 301))
    lengths = [len(one["short_description"]) for one in client.get("/packages").json["data"]["list"]]
    assert lengths == [140, 300]


def test_unknown_keys_are_dropped_at_every_level(client: Client, create: Create) -> None:
    data = package(stats={"views": 99}, spam=1)
    data["versions"]["1.0.0"] |= {"spam": 1}
    data["versions"]["1.0.0"]["files"]["http://example.com/file1"] |= {"spam": 1}
    data["versions"]["1.0.0"]["depends"]["dependency-1"] |= {"spam": 1}
    assert create(data).status == 201
    assert client.get("/packages").json["data"]["list"] == [expected_package()]


def test_a_name_in_use_is_a_conflict_and_changes_nothing(client: Client, create: Create) -> None:
    create()
    reply = create(package(description="Another"))
    expected = refusal(409, "The name is already used by other package.", logged_in=True)
    assert (reply.status, reply.json) == (409, expected)
    assert client.get("/packages").json["data"]["list"] == [expected_package()]


@both_worlds
def test_one_of_two_concurrent_creations_succeeds(client: Client, create: Create) -> None:
    replies: list[Reply] = []
    threads = [threading.Thread(target=lambda: replies.append(create())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(reply.status for reply in replies) == [201, 409]
    assert len(stored()) == 1


def test_a_name_that_is_only_in_the_table_is_a_conflict(create: Create) -> None:
    create()
    index.catalogue.publish(lambda snapshot, writes: ({"1": None}, None))
    assert create().status == 409
    assert len(stored()) == 1


def test_creating_a_package_needs_a_session(client: Client) -> None:
    reply = client.post("/packages", json=package())
    expected = refusal(403, "Unauthorized: create_package failed permission check")
    assert (reply.status, reply.json) == (403, expected)
    assert stored() == []


def test_a_banned_account_cannot_create_a_package(client: Client, create: Create, alice: Account) -> None:
    alice.update(actions=[Account.rank.set("BANNED")])
    reply = create()
    expected = refusal(403, "Unauthorized: create_package failed permission check", logged_in=True)
    assert (reply.status, reply.json) == (403, expected)
    assert stored() == []


def test_a_suspended_account_is_ignored(client: Client, create: Create, alice: Account) -> None:
    accounts.suspend(alice)
    reply = create()
    assert (reply.status, reply.json) == (403, refusal(403, "Unauthorized: create_package failed permission check"))
    assert stored() == []


def test_permission_is_checked_before_the_body(client: Client) -> None:
    assert client.post("/packages", body=b"{").status == 403


@both_worlds
def test_a_large_package_is_stored_as_a_blob_and_returned_whole(client: Client, create: Create) -> None:
    assert create(package(versions=bulky(300_000))).status == 201
    [item] = stored()
    assert item.document is None
    assert orjson.loads(blobs.get(item.blob))["versions"] == bulky(300_000)
    for again in (index.catalogue.drop_cache, index.catalogue.rebuild):
        assert client.get("/packages").json["data"]["list"] == [expected_package(versions=bulky(300_000))]
        again()
    assert client.get("/packages").json["data"]["list"] == [expected_package(versions=bulky(300_000))]


def test_a_body_of_two_megabytes_is_rejected(client: Client, create: Create) -> None:
    reply = create(package(description="x" * 2_000_000))
    assert (reply.status, reply.json) == (
        413,
        {
            "success": False,
            "title": "Request Entity Too Large",
            "message": "The request is larger than 1048576 bytes.",
            "explanation": "The request body is larger than this server accepts.",
            "code": 413,
            "version": "3.4.0",
            "logged_in": True,
        },
    )
    assert stored() == []


def test_a_list_can_be_empty(client: Client) -> None:
    data = {"offset": 0, "total": 0, "sent": 0, "truncated": False, "list": []}
    assert client.get("/packages").json == success(data)


def test_pages_are_in_the_order_of_creation(client: Client, create: Create) -> None:
    names = ["m", "z", "a", "k", "b"]
    for name in names:
        create(package(name))
    with settings.override(hel_page=2):
        pages = [client.get("/packages", query={"offset": offset}).json["data"] for offset in (0, 2, 4, 5)]
    assert [[one["name"] for one in page.pop("list")] for page in pages] == [["m", "z"], ["a", "k"], ["b"], []]
    assert pages == [
        {"offset": 0, "total": 5, "sent": 2, "truncated": True},
        {"offset": 2, "total": 5, "sent": 2, "truncated": True},
        {"offset": 4, "total": 5, "sent": 1, "truncated": True},
        {"offset": 5, "total": 5, "sent": 0, "truncated": True},
    ]


@both_worlds
def test_the_order_survives_a_rebuild_and_a_new_process(client: Client, create: Create) -> None:
    names = ["m", "z", "a", "k", "b"]
    for name in names:
        create(package(name))
    before = client.get("/packages").body
    index.catalogue.rebuild()
    assert client.get("/packages").body == before
    index.catalogue.drop_cache()
    assert client.get("/packages").body == before
    assert list_packages(client) == names


def test_a_page_has_twenty_packages(client: Client, fill_catalogue: Callable[[int], None]) -> None:
    fill_catalogue(21)
    data = client.get("/packages").json["data"]
    assert (data["sent"], data["total"], data["truncated"]) == (20, 21, True)


def test_a_single_full_page_is_not_truncated(client: Client, fill_catalogue: Callable[[int], None]) -> None:
    fill_catalogue(20)
    data = client.get("/packages").json["data"]
    assert (data["sent"], data["total"], data["truncated"]) == (20, 20, False)


@pytest.mark.parametrize("offset", ["-3", "-1", "x", "", "1.5", "0x1", "9" * 5000])
def test_an_invalid_offset_is_zero(client: Client, create: Create, offset: str) -> None:
    create()
    data = client.get("/packages", query={"offset": offset}).json["data"]
    assert (data["offset"], data["sent"]) == (0, 1)


@pytest.mark.parametrize("offset", [1, 2, 10**15, 10**40])
def test_a_page_beyond_the_end_is_empty(client: Client, create: Create, offset: int) -> None:
    create()
    data = client.get("/packages", query={"offset": offset}).json["data"]
    assert data == {"offset": min(offset, 2**53 - 1), "total": 1, "sent": 0, "truncated": False, "list": []}


def test_the_first_of_several_offsets_is_used(client: Client, create: Create) -> None:
    create()
    assert client.get("/packages", query="offset=1&offset=0").json["data"]["offset"] == 1


def test_a_page_ends_before_the_largest_response(client: Client, create: Create) -> None:
    for number in range(4):
        create(package(f"p{number}", versions=bulky(100_000)))
    with settings.override(max_answer=300_000):
        page = client.get("/packages", query={"limit": 20}).json["data"]
        rest = client.get("/packages", query={"limit": 20, "offset": page["sent"]}).json["data"]
    assert (page["sent"], page["total"], page["truncated"]) == (2, 4, True)
    assert [one["name"] for one in page["list"] + rest["list"]] == ["p0", "p1", "p2", "p3"]


def test_a_page_without_limit_ends_before_32_kilobytes(client: Client, create: Create) -> None:
    for number, size in enumerate((7999, 7999, 7999, 50_000, 0)):
        create(package(f"p{number}", versions=bulky(size)))
    pages, offset = [], 0
    while offset < 5:
        reply = client.get("/packages", query={"offset": offset})
        page = reply.json["data"]
        assert (page["offset"], page["total"], page["truncated"]) == (offset, 5, not offset or len(pages) == 1)
        pages.append([one["name"] for one in page["list"]])
        offset += page["sent"]
    assert pages == [["p0", "p1", "p2"], ["p3"], ["p4"]]
    assert client.get("/packages", query={"limit": 20}).json["data"]["sent"] == 5
    with settings.override(hel_page_bytes=10):
        assert [client.get("/packages", query={"offset": n}).json["data"]["sent"] for n in range(6)] == [1] * 5 + [0]


def test_a_package_larger_than_a_response_is_still_sent(client: Client, create: Create) -> None:
    create(package(versions=bulky(100_000)))
    with settings.override(max_answer=50_000):
        assert client.get("/packages").json["data"]["sent"] == 1


def test_the_list_shows_whether_there_is_a_session(client: Client, session: dict[str, str]) -> None:
    assert client.get("/packages", headers=session).json["logged_in"] is True
    assert client.get("/packages", headers={"Cookie": "auth_tkt=nonsense"}).json["logged_in"] is False
