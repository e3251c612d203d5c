"""The AWS calls of requests, equal at 10 and at 500 modules."""

from collections.abc import Callable

import pytest

from chalicelib.luarocks import index
from tests.client import Client
from tests.luarocks.builders import Upload, rockspec

FillCatalogue = Callable[[int], None]


@pytest.fixture(params=[10, 500], autouse=True)
def _filled_catalogue(request: pytest.FixtureRequest, fill_catalogue: FillCatalogue) -> None:
    fill_catalogue(request.param)


def test_tool_version_makes_no_call(client: Client, calls: list[str]) -> None:
    client.get("/api/tool_version")
    assert calls == []


def test_status_costs_two_calls_even_with_a_new_key(client: Client, key: str, calls: list[str]) -> None:
    for _ in range(2):
        calls.clear()
        client.get(f"/api/1/{key}/status")
        assert calls == ["UpdateItem", "GetItem"]


def test_check_rockspec_costs_three_calls(client: Client, key: str, upload: Upload, calls: list[str]) -> None:
    upload()
    calls.clear()
    client.get(f"/api/1/{key}/check_rockspec", query={"package": "say", "version": "1.0-1"})
    assert calls == ["UpdateItem", "GetItem", "Query"]


@pytest.mark.parametrize(
    "path",
    [
        "/manifest",
        "/manifest-5.3.zip",
        "/dev/manifest",
        "/manifests/carol/manifest-5.1",
        "/dev/manifests/carol/manifest.json",
        "/m/team/manifest",
        "/api/1/modules",
    ],
)
def test_a_public_read_costs_one_call(client: Client, key: str, upload: Upload, calls: list[str], path: str) -> None:
    upload()
    client.request("PUT", f"/api/1/{key}/manifests/team")
    client.request("PUT", f"/api/1/{key}/manifests/team/modules/alice/say")
    client.get(path)
    calls.clear()
    assert (client.get(path).status, calls) == (200, ["Query"])


@pytest.mark.parametrize("path", ["/modules/carol/m7", "/api/1/modules/m7"])
def test_a_module_costs_one_call_and_one_for_the_log(client: Client, calls: list[str], path: str) -> None:
    client.get(path)
    calls.clear()
    assert (client.get(path).status, calls) == (200, ["Query", "Query"])


def test_an_upload_costs_four_calls_and_the_bytes(client: Client, upload: Upload, calls: list[str]) -> None:
    upload()
    calls.clear()
    assert upload(rockspec(version="2.0-1")).status == 200
    costs = [call for call in calls if call != "PutObject"]
    assert costs == ["UpdateItem", "GetItem", "Query", "TransactWriteItems"]


def test_a_rock_costs_six_calls_and_the_bytes(
    client: Client, upload: Upload, upload_rock: Upload, calls: list[str]
) -> None:
    upload()
    calls.clear()
    assert upload_rock(2, "say-1.0-1.src.rock").status == 200
    costs = [call for call in calls if call != "PutObject"]
    assert costs == ["UpdateItem", "GetItem", "GetItem", "Query", "Query", "TransactWriteItems"]


@pytest.mark.parametrize("root", ["", "/dev", "/manifests/alice"])
def test_a_download_costs_a_query_and_its_count_and_once_in_five_minutes_a_mark(
    client: Client, upload: Upload, calls: list[str], root: str
) -> None:
    upload()
    for costs in (["Query", "UpdateItem", "PutItem"], ["Query", "UpdateItem"]):
        calls.clear()
        assert client.get(f"{root}/say-1.0-1.rockspec", headers={"User-Agent": "curl/8"}).status == 200
        assert [call for call in calls if call != "GetObject"] == costs


def test_a_file_that_the_client_has_is_not_read_from_the_bucket(
    client: Client, upload: Upload, calls: list[str]
) -> None:
    upload()
    etag = str(client.get("/say-1.0-1.rockspec").header("etag"))
    calls.clear()
    assert client.get("/say-1.0-1.rockspec", headers={"If-None-Match": etag}).status == 304
    assert calls == ["Query"]


def test_archiving_costs_four_calls(client: Client, key: str, upload: Upload, calls: list[str]) -> None:
    upload()
    calls.clear()
    assert client.request("PATCH", f"/api/1/{key}/modules/alice/say", json={"archived": True}).status == 200
    assert calls == ["UpdateItem", "GetItem", "Query", "TransactWriteItems"]


def test_a_publish_keeps_the_fragments_of_other_modules(client: Client, upload: Upload) -> None:
    client.get("/manifest")
    before = dict(index.catalogue.snapshot().entries)
    upload()
    client.get("/manifest")
    after = index.catalogue.snapshot().entries
    assert [key for key, entry in after.items() if before.get(key) is not entry] == ["alice/say"]
