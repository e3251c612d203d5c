"""What requests cost in AWS calls, equal at 10 and at 2,000 modules."""

from collections.abc import Callable

import pytest

from tests.client import Client
from tests.luarocks.conftest import Upload, rockspec

Stock = Callable[[int], None]


@pytest.fixture(params=[10, 2000], autouse=True)
def _stocked(request: pytest.FixtureRequest, stock: Stock) -> None:
    stock(request.param)


def test_tool_version_costs_nothing(client: Client, calls: list[str]) -> None:
    client.get("/api/tool_version")
    assert calls == []


def test_status_costs_two_calls_also_with_a_fresh_key(client: Client, key: str, calls: list[str]) -> None:
    for _ in range(2):
        calls.clear()
        client.get(f"/api/1/{key}/status")
        assert calls == ["UpdateItem", "GetItem"]


def test_check_rockspec_costs_three_calls(client: Client, key: str, upload: Upload, calls: list[str]) -> None:
    upload()
    calls.clear()
    client.get(f"/api/1/{key}/check_rockspec", query={"package": "say", "version": "1.0-1"})
    assert calls == ["UpdateItem", "GetItem", "Query"]


@pytest.mark.parametrize("path", ["/manifest", "/manifest-5.3.zip", "/manifests/carol/manifest-5.1"])
def test_a_warm_manifest_costs_one_call(client: Client, calls: list[str], path: str) -> None:
    client.get(path)
    calls.clear()
    assert (client.get(path).status, calls) == (200, ["Query"])


def test_an_upload_costs_four_calls_and_the_bytes(client: Client, upload: Upload, calls: list[str]) -> None:
    upload()
    calls.clear()
    assert upload(rockspec(version="2.0-1")).status == 200
    costs = [call for call in calls if call != "PutObject"]
    assert costs == ["UpdateItem", "GetItem", "Query", "TransactWriteItems"]


def test_a_download_costs_one_call_and_the_bytes(client: Client, upload: Upload, calls: list[str]) -> None:
    upload()
    calls.clear()
    assert client.get("/say-1.0-1.rockspec").status == 200
    assert [call for call in calls if call != "GetObject"] == ["Query"]
