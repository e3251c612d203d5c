"""One package: reads, counted views, deletion, and the permissions."""

from typing import Any

import pytest
import time_machine

from chalicelib.core import audit, blobs
from chalicelib.core.errors import NotFound
from chalicelib.core.identity import accounts, credentials
from chalicelib.core.tables import Account
from chalicelib.hel import counts, index
from chalicelib.hel.tables import HelItem, Package, Usage
from tests.client import Client
from tests.hel.builders import Create, bulky, expected_package, list_packages, package, refusal, stored, success


@pytest.fixture(autouse=True)
def clock() -> object:
    with time_machine.travel("2026-01-02T03:04:05Z", tick=False) as traveller:
        yield traveller


def with_views(views: int, name: str = "thing") -> dict[str, Any]:
    whole = expected_package(name)
    whole["stats"]["views"] = views
    return whole


def test_a_package_is_returned_whole(client: Client, create: Create) -> None:
    create()
    reply = client.get("/packages/thing")
    assert (reply.status, reply.json) == (200, success(expected_package()))


def test_logged_in_is_true_with_a_session(client: Client, create: Create, session: dict[str, str]) -> None:
    create()
    assert client.get("/packages/thing", headers=session).json == success(expected_package(), logged_in=True)


def test_the_fourth_view_shows_three(client: Client, create: Create) -> None:
    create()
    views = [client.get("/packages/thing").json["data"]["stats"]["views"] for _ in range(4)]
    assert views == [0, 1, 2, 3]


def test_head_counts_a_view_and_has_the_content_length(client: Client, create: Create) -> None:
    create()
    head = client.head("/packages/thing")
    assert (head.status, head.body) == (200, b"")
    get = client.get("/packages/thing")
    assert get.json["data"]["stats"]["views"] == 1
    assert head.header("content-length") == str(len(get.body))


@pytest.mark.parametrize("path", ["/packages/thing/", "/packages//thing", "/packages/%74hing"])
def test_equivalent_paths_return_the_package(client: Client, create: Create, path: str) -> None:
    create()
    assert client.get(path).json["data"]["name"] == "thing"


def test_a_title_is_found_by_its_encoded_name(client: Client, create: Create) -> None:
    create(package("The name of the package"))
    assert client.get("/packages/The%20name%20of%20the%20package").json["data"] == expected_package(
        "The name of the package"
    )


@pytest.mark.parametrize("name", ["other", "Thing", "x" * 3000, "%00", "%C3%A9", "..%2F", "thing%2F", "%20thing"])
def test_a_missing_package_is_not_found_without_a_message(client: Client, create: Create, name: str) -> None:
    create()
    reply = client.get(f"/packages/{name}")
    assert (reply.status, reply.json) == (404, {**refusal(404, ""), "message": None})


def test_a_large_package_is_returned_whole(client: Client, create: Create) -> None:
    create(package(versions=bulky(300_000)))
    assert client.get("/packages/thing").json["data"] == expected_package(versions=bulky(300_000))


def test_the_etag_does_not_change_with_the_views(
    client: Client, create: Create, session: dict[str, str], clock: Any
) -> None:
    create(package(owners=["alice"]))
    first, second = client.get("/packages/thing"), client.get("/packages/thing")
    etag = first.header("etag") or ""
    assert etag == second.header("etag")
    assert first.header("cache-control") == "private, no-cache"
    known = client.get("/packages/thing", headers={"If-None-Match": etag})
    assert (known.status, known.body, known.header("etag")) == (304, b"", etag)
    assert client.get("/packages/thing", headers={"If-None-Match": etag, **session}).status == 200
    client.request("PATCH", "/packages/thing", headers=session, json={"license": "MIT"})
    assert client.get("/packages/thing", headers={"If-None-Match": etag}).status == 200


def test_views_reach_the_lists_with_the_next_job(client: Client, create: Create) -> None:
    create()
    create(package("other"))
    for _ in range(3):
        client.get("/packages/thing")
    assert client.get("/packages").json["data"]["list"] == [expected_package(), expected_package("other")]
    counts.counters.publish()
    assert client.get("/packages").json["data"]["list"] == [with_views(3), expected_package("other")]
    assert client.get("/packages/thing").json["data"] == with_views(3)


def test_views_change_no_entry(client: Client, create: Create) -> None:
    create()
    before = index.catalogue.snapshot().sequence
    client.get("/packages/thing")
    for _ in range(2):
        counts.counters.publish()
    assert (index.catalogue.snapshot().sequence, counts.state()) == (before, 1)


def test_the_etag_of_a_list_follows_the_published_views(client: Client, create: Create) -> None:
    create()
    known = {"If-None-Match": client.get("/packages").header("etag") or ""}
    client.get("/packages/thing")
    assert client.get("/packages", headers=known).status == 304
    counts.counters.publish()
    assert client.get("/packages", headers=known).status == 200


def test_the_published_views_of_a_deleted_package_are_deleted(
    client: Client, create: Create, session: dict[str, str]
) -> None:
    create(package(owners=["alice"]))
    client.get("/packages/thing")
    counts.counters.publish()
    client.request("DELETE", "/packages/thing", headers=session)
    counts.counters.publish()
    assert counts.counters.counts().get("package#1") is None


def test_views_by_short_lived_processes_are_all_counted(client: Client, create: Create) -> None:
    create()
    for number in range(20):
        counts.counters.drop_cache()
        assert client.get("/packages/thing").json["data"] == with_views(number)
    counts.counters.publish()
    assert client.get("/packages").json["data"]["list"] == [with_views(20)]


def test_views_survive_a_rebuild(client: Client, create: Create) -> None:
    create()
    client.get("/packages/thing")
    counts.counters.rebuild()
    assert client.get("/packages").json["data"]["list"] == [with_views(1)]


def delete(client: Client, headers: dict[str, str], name: str = "thing") -> tuple[int, bytes]:
    reply = client.request("DELETE", f"/packages/{name}", headers=headers)
    return reply.status, reply.body


def test_an_owner_deletes_a_package_with_its_counters_and_usage(
    client: Client, create: Create, session: dict[str, str], alice: Account
) -> None:
    create(package(owners=["bob", "ALICE"]))
    client.get("/packages/thing")
    assert delete(client, session) == (204, b"")
    assert client.get("/packages/thing").status == 404
    assert list_packages(client) == []
    assert stored() == []
    assert dict(counts.totals()) == {}
    assert [(int(one.packages), int(one.package_bytes)) for one in HelItem.scan() if isinstance(one, Usage)] == [(0, 0)]
    assert "package.delete" in [entry.action for entry in audit.entries(int(alice.id))]


def test_a_deleted_name_can_be_used_by_a_package_without_views(
    client: Client, create: Create, session: dict[str, str]
) -> None:
    create(package(owners=["alice"]))
    client.get("/packages/thing")
    delete(client, session)
    assert create().status == 201
    assert client.get("/packages/thing").json["data"] == expected_package()


def test_the_blob_of_a_large_package_is_deleted(client: Client, create: Create, session: dict[str, str]) -> None:
    create(package(owners=["alice"], versions=bulky(100_000)))
    [item] = stored()
    assert delete(client, session) == (204, b"")
    with pytest.raises(NotFound):
        blobs.get(item.blob)


DENIED = "Unauthorized: {}_package failed permission check"


@pytest.mark.parametrize(("method", "action"), [("DELETE", "delete"), ("PATCH", "update")])
@pytest.mark.parametrize("name", ["thing", "missing"])
def test_others_get_the_same_error_for_existing_and_missing_packages(
    client: Client, create: Create, session: dict[str, str], method: str, action: str, name: str
) -> None:
    create()
    for headers, logged_in in (({}, False), (session, True)):
        reply = client.request(method, f"/packages/{name}", headers=headers, body=b"{")
        assert (reply.status, reply.json) == (403, refusal(403, DENIED.format(action), logged_in=logged_in))
    assert client.get("/packages/thing").json["data"] == expected_package()


def test_a_banned_owner_cannot_change_a_package(
    client: Client, create: Create, session: dict[str, str], alice: Account
) -> None:
    create(package(owners=["alice"]))
    alice.update(actions=[Account.rank.set("BANNED")])
    for method, action in (("DELETE", "delete"), ("PATCH", "update")):
        reply = client.request(method, "/packages/thing", headers=session, json={})
        assert (reply.status, reply.json) == (403, refusal(403, DENIED.format(action), logged_in=True))


def test_an_administrator_can_change_and_delete_any_package(
    client: Client, create: Create, admin: dict[str, str]
) -> None:
    create()
    assert client.request("PATCH", "/packages/thing", headers=admin, json={"license": "MIT"}).status == 204
    assert client.get("/packages/thing").json["data"]["license"] == "MIT"
    assert delete(client, admin) == (204, b"")
    assert list_packages(client) == []


def test_administrators_get_404_or_204_for_a_missing_package(client: Client, admin: dict[str, str]) -> None:
    reply = client.request("PATCH", "/packages/thing", headers=admin, json={})
    assert (reply.status, reply.json) == (404, {**refusal(404, "", logged_in=True), "message": None})
    assert delete(client, admin) == (204, b"")


def test_a_creator_who_is_not_an_owner_has_no_rights(
    client: Client, create: Create, session: dict[str, str], bob: Account
) -> None:
    create(package(owners=["bob"]))
    assert delete(client, session)[0] == 403
    headers = {"Cookie": "auth_tkt=" + credentials.create(bob, credentials.SESSION)[1]}
    assert delete(client, headers) == (204, b"")


def test_a_suspended_owner_is_ignored(client: Client, create: Create, session: dict[str, str], alice: Account) -> None:
    create(package(owners=["alice"]))
    accounts.suspend(alice)
    assert delete(client, session)[0] == 403
    assert [item.name for item in HelItem.scan() if isinstance(item, Package)] == ["thing"]
