"""The AWS calls of a request; their number is equal for 10 and 600 packages."""

from collections.abc import Callable

import pytest

from chalicelib.contentdb.store import index, popularity
from tests.client import Client
from tests.contentdb.builders import draft


@pytest.fixture(params=[10, 600])
def _filled_catalogue(request: pytest.FixtureRequest, fill_catalogue: Callable[[int], None]) -> None:
    fill_catalogue(request.param)


@pytest.mark.usefixtures("_filled_catalogue")
@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/api/packages/", ""),
        ("/api/packages/", "type=mod&protocol_version=53&engine_version=5.17.1&hide=nonfree"),
        ("/api/packages/", "q=iron&type=mod&fmt=keys"),
        ("/api/packages/", "author=Alice&random=1"),
        ("/api/updates/", ""),
        ("/api/updates/", "protocol_version=53&engine_version=5.17.1"),
        ("/api/dependencies/", "n=300"),
        ("/api/packages/Alice/p1/dependencies/", "only_hard=1"),
        ("/api/tags/", ""),
        ("/api/cdb_schema/", ""),
    ],
)
def test_a_public_list_costs_one_call_when_warm(client: Client, calls: list[str], path: str, query: str) -> None:
    client.get(path, query=query)
    calls.clear()
    assert (client.get(path, query=query).status, calls) == (200, ["Query"])


@pytest.mark.usefixtures("_filled_catalogue")
def test_a_package_costs_two_calls(client: Client, calls: list[str]) -> None:
    client.get("/api/packages/Alice/p1/")
    calls.clear()
    assert (client.get("/api/packages/Alice/p1/").status, calls) == (200, ["Query", "GetItem"])


@pytest.mark.usefixtures("_filled_catalogue")
def test_a_list_in_a_cold_process_costs_two_calls_the_snapshot_and_the_head_of_the_counters(
    client: Client, calls: list[str]
) -> None:
    index.catalogue.fold()  # stores the rows of a large list
    index.catalogue.drop_cache()
    popularity.counters.drop_cache()
    calls.clear()
    assert client.get("/api/packages/").status == 200
    assert [call for call in calls if call != "GetObject"] == ["GetItem", "Query", "GetItem"]


def test_an_edit_costs_eight_calls(client: Client, bearer: dict[str, str], calls: list[str]) -> None:
    draft("Alice/lamps")
    client.request("PUT", "/api/packages/Alice/lamps/", json={"title": "One"}, headers=bearer)
    calls.clear()
    assert client.request("PUT", "/api/packages/Alice/lamps/", json={"title": "Two"}, headers=bearer).status == 200
    assert calls == ["Query", "UpdateItem", "GetItem", "Query", "Query", "TransactWriteItems", "Query", "GetItem"]


def test_an_unknown_path_costs_nothing(client: Client, calls: list[str]) -> None:
    client.get("/api/nothing/")
    assert calls == []
