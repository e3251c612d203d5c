"""What requests cost in AWS calls, equal at 10 and at 300 packages."""

from collections.abc import Callable

import pytest

from chalicelib.core import accounts
from chalicelib.core.tables import Account
from chalicelib.hel import index
from tests.client import Client
from tests.hel.conftest import Create, package

SESSION = ["UpdateItem", "GetItem"]


@pytest.fixture(params=[10, 300], autouse=True)
def _stocked(request: pytest.FixtureRequest, stock: Callable[[int], None]) -> None:
    stock(request.param)


@pytest.mark.parametrize("query", ["", "offset=7", "q=thing", "owners=user-1&file_name=program.lua"])
def test_a_warm_list_costs_one_call(client: Client, calls: list[str], query: str) -> None:
    client.get("/packages", query=query)
    calls.clear()
    assert (client.get("/packages", query=query).status, calls) == (200, ["Query"])


def test_a_list_costs_three_calls_for_whoever_is_logged_in(
    client: Client, session: dict[str, str], calls: list[str]
) -> None:
    client.get("/packages", headers=session)
    calls.clear()
    assert (client.get("/packages", headers=session).status, calls) == (200, [*SESSION, "Query"])


def test_a_list_in_a_cold_process_costs_two_calls_and_the_bytes(client: Client, calls: list[str]) -> None:
    index.catalogue.forget()
    calls.clear()
    assert client.get("/packages").status == 200
    assert [call for call in calls if call != "GetObject"] == ["GetItem", "Query"]


def test_a_creation_costs_five_calls(create: Create, calls: list[str]) -> None:
    create()
    calls.clear()
    assert create(package("other")).status == 201
    assert calls == [*SESSION, "Query", "UpdateItem", "TransactWriteItems"]


def test_a_refused_package_costs_only_the_session(create: Create, calls: list[str]) -> None:
    create()
    calls.clear()
    assert create({}).status == 400
    assert calls == SESSION


def test_an_old_cookie_is_looked_up_once_though_the_refusal_tells_of_it(
    client: Client, session: dict[str, str], calls: list[str]
) -> None:
    client.post("/auth", headers=session, json={"action": "log-out"})
    calls.clear()
    reply = client.post("/packages", headers=session, json={})
    assert (reply.status, reply.json["logged_in"], calls) == (403, False, ["UpdateItem"])


def test_an_unknown_path_costs_nothing_without_a_cookie(client: Client, calls: list[str]) -> None:
    client.get("/packages/a/b/c/d")
    assert calls == []


def test_a_log_in_costs_seven_calls(client: Client, alice: Account, calls: list[str]) -> None:
    accounts.log_in("alice", "wonderland")
    calls.clear()
    client.post("/auth", json={"action": "log-in", "nickname": "alice", "password": "wonderland"})
    throttles = ["UpdateItem", "UpdateItem"]
    assert calls == [*throttles, "GetItem", "GetItem", "DeleteItem", "UpdateItem", "TransactWriteItems"]
