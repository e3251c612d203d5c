"""The AWS calls of requests, equal at 10 and at 300 packages."""

from collections.abc import Callable

import pytest

from chalicelib.core.identity import accounts
from chalicelib.core.tables import Account
from chalicelib.hel import counts, index, users
from tests.client import Client
from tests.hel.builders import Create, bulky, package

SESSION = ["UpdateItem", "GetItem"]


@pytest.fixture(params=[10, 300], autouse=True)
def _filled_catalogue(request: pytest.FixtureRequest, fill_catalogue: Callable[[int], None]) -> None:
    fill_catalogue(request.param)


@pytest.mark.parametrize(
    "query", ["", "offset=7", "q=thing", "owners=user-1&file_name=program.lua", "sort=-views&limit=50"]
)
def test_a_warm_list_costs_one_call(client: Client, calls: list[str], query: str) -> None:
    client.get("/packages", query=query)
    calls.clear()
    assert (client.get("/packages", query=query).status, calls) == (200, ["Query"])


def test_a_list_with_a_session_costs_three_calls(client: Client, session: dict[str, str], calls: list[str]) -> None:
    client.get("/packages", headers=session)
    calls.clear()
    assert (client.get("/packages", headers=session).status, calls) == (200, [*SESSION, "Query"])


def test_a_list_in_a_cold_process_costs_four_calls_and_the_blobs(client: Client, calls: list[str]) -> None:
    counts.counters.rebuild()
    index.catalogue.drop_cache()
    counts.counters.drop_cache()
    calls.clear()
    assert client.get("/packages").status == 200
    assert [call for call in calls if call != "GetObject"] == ["GetItem", "Query"] * 2


def test_a_creation_costs_six_calls(create: Create, calls: list[str]) -> None:
    create()
    calls.clear()
    assert create(package("other")).status == 201
    assert calls == [*SESSION, "Query", "GetItem", "UpdateItem", "TransactWriteItems"]


def test_the_first_view_in_a_while_is_marked(client: Client, create: Create, calls: list[str]) -> None:
    create()
    client.get("/packages")
    calls.clear()
    client.get("/packages/thing")
    assert calls == ["Query", "UpdateItem", "PutItem"]


def test_a_package_of_any_size_costs_two_calls(client: Client, create: Create, calls: list[str]) -> None:
    create(package("small"))
    create(package("large", versions=bulky(100_000)))
    for name in ("small", "large"):
        client.get(f"/packages/{name}")
        calls.clear()
        assert (client.get(f"/packages/{name}").status, calls) == (200, ["Query", "UpdateItem"])


def test_a_missing_package_costs_one_call(client: Client, calls: list[str]) -> None:
    client.get("/packages")
    calls.clear()
    assert (client.get("/packages/missing").status, calls) == (404, ["Query"])


def test_a_change_costs_five_calls_and_a_new_name_one_more(
    client: Client, create: Create, session: dict[str, str], calls: list[str]
) -> None:
    create(package(owners=["alice"]))
    calls.clear()
    assert client.request("PATCH", "/packages/thing", headers=session, json={"name": "other"}).status == 204
    assert calls == [*SESSION, "Query", "GetItem", "GetItem", "TransactWriteItems"]
    calls.clear()
    assert client.request("PATCH", "/packages/other", headers=session, json={"description": "new"}).status == 204
    assert calls == [*SESSION, "Query", "GetItem", "TransactWriteItems"]


def test_a_file_costs_two_calls(client: Client, session: dict[str, str], calls: list[str]) -> None:
    reply = client.post("/hel/files", query="name=x", body=b"x", headers=session)
    path = reply.json["data"]["url"].removeprefix("http://moonbase.test")
    client.get(path)
    calls.clear()
    assert client.get(path).status == 200
    assert [call for call in calls if call != "GetObject"] == ["UpdateItem"]
    assert len(calls) <= 2


def test_the_list_of_users_costs_one_call(client: Client, alice: Account, calls: list[str]) -> None:
    users.refresh()
    calls.clear()
    assert (client.get("/users").status, calls) == (200, ["Query"])


def test_the_index_costs_one_call(client: Client, calls: list[str]) -> None:
    client.get("/hel/index")
    calls.clear()
    assert (client.get("/hel/index").status, calls) == (200, ["Query"])


def test_a_job_without_new_counts_costs_two_calls(client: Client, calls: list[str]) -> None:
    counts.counters.publish()
    calls.clear()
    counts.counters.publish()
    assert calls == ["Query"] * 2


def test_a_rejected_package_costs_only_the_session(create: Create, calls: list[str]) -> None:
    create()
    calls.clear()
    assert create({}).status == 400
    assert calls == SESSION


def test_a_revoked_cookie_is_looked_up_once_also_for_an_error(
    client: Client, session: dict[str, str], calls: list[str]
) -> None:
    client.post("/auth", headers=session, json={"action": "log-out"})
    calls.clear()
    reply = client.post("/packages", headers=session, json={})
    assert (reply.status, reply.json["logged_in"], calls) == (403, False, ["UpdateItem"])


def test_an_unknown_path_costs_nothing_without_a_cookie(client: Client, calls: list[str]) -> None:
    client.get("/packages/a/b/c/d")
    assert calls == []


def test_a_log_in_costs_ten_calls(client: Client, alice: Account, calls: list[str]) -> None:
    accounts.log_in("alice", "wonderland")
    calls.clear()
    client.post("/auth", json={"action": "log-in", "nickname": "alice", "password": "wonderland"})
    throttles, device = ["UpdateItem", "UpdateItem"], ["GetItem", "Query"]
    costs = [*throttles, "GetItem", "GetItem", "DeleteItem", "PutItem", "UpdateItem", *device, "TransactWriteItems"]
    assert calls == costs
