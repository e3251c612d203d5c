"""The AWS calls of each request, equal for an empty zone and for one of 300 records."""

from typing import Any

import pytest

from chalicelib import settings
from tests.luadns.api import LuaDns
from tests.worlds import embedded_only

AUTH = ["UpdateItem", "GetItem"]
CHANGE = "TransactWriteItems"
pytestmark = embedded_only


@pytest.fixture(params=[0, 300])
def zone(request: pytest.FixtureRequest, dns: LuaDns) -> int:
    """A zone with this many records in addition to its SOA and NS records."""
    zone = dns.zone()
    records = [{"name": f"h{n}", "type": "A", "content": "192.0.2.1"} for n in range(request.param)]
    dns.make(f"/zones/{zone}/records/create_many", records)
    return zone


@pytest.fixture
def record(dns: LuaDns, zone: int) -> dict[str, Any]:
    return dns.record(zone, "www", "A", "192.0.2.1")


@pytest.mark.parametrize(
    ("path", "reads"),
    [
        ("/users/me", ["GetItem", "GetItem"]),  # the repository and its deploy key
        ("/zones", ["Query"]),
        ("/zones/{zone}", ["Query"]),
        ("/zones/{zone}/records", ["Query"]),
        ("/zones/{zone}/records?limit=1", ["Query"]),
        ("/zones/{zone}/records/{record}", ["BatchGetItem"]),
        ("/zones/{zone}/ds_records", ["BatchGetItem"]),
        ("/zones/999", ["Query"]),
    ],
)
@pytest.mark.parametrize("rate", [0, 1200])
def test_a_read_costs_at_most_three_calls(
    dns: LuaDns, zone: int, record: dict[str, Any], calls: list[str], path: str, reads: list[str], rate: int
) -> None:
    target, _, query = path.format(zone=zone, record=record["id"]).partition("?")
    calls.clear()
    with settings.override(luadns_rate=rate):
        dns("GET", target, query=query)
    assert calls == [*AUTH, *reads]


def test_a_new_record_costs_five_calls_with_an_absolute_name_and_six_with_a_relative_one(
    dns: LuaDns, zone: int, calls: list[str]
) -> None:
    calls.clear()
    dns.record(zone, "a.example.com.", "A", "192.0.2.1")
    assert calls == [*AUTH, "BatchGetItem", "UpdateItem", CHANGE]
    calls.clear()
    dns.record(zone, "b", "A", "192.0.2.1")
    assert calls == [*AUTH, "BatchGetItem", "UpdateItem", "BatchGetItem", CHANGE]


def test_an_update_of_a_record_costs_four_calls_and_another_name_or_its_deletion_five(
    dns: LuaDns, zone: int, record: dict[str, Any], calls: list[str]
) -> None:
    path = f"/zones/{zone}/records/{record['id']}"
    for method, body, reads in (
        ("PUT", {**record, "content": "192.0.2.2"}, 1),
        ("PUT", {**record, "name": "w2"}, 2),
        ("DELETE", None, 2),
    ):
        calls.clear()
        assert dns(method, path, body).status == 200
        assert calls == [*AUTH, *["BatchGetItem"] * reads, CHANGE]


def test_many_new_records_cost_six_calls(dns: LuaDns, zone: int, calls: list[str]) -> None:
    members = [{"name": f"n{n}", "type": "A", "content": "192.0.2.1"} for n in range(40)]
    calls.clear()
    dns.make(f"/zones/{zone}/records/create_many", members)
    assert calls == [*AUTH, "BatchGetItem", "BatchGetItem", "UpdateItem", CHANGE]


def test_a_new_zone_costs_seven_calls(dns: LuaDns, zone: int, calls: list[str]) -> None:
    calls.clear()
    dns.zone("example.org")
    assert calls == [*AUTH, "BatchGetItem", "Query", "UpdateItem", "UpdateItem", CHANGE]


def test_an_invalid_record_costs_only_the_authentication_calls(dns: LuaDns, zone: int, calls: list[str]) -> None:
    calls.clear()
    assert dns("POST", f"/zones/{zone}/records", {"name": "a", "type": "A"}).status == 400
    assert calls == AUTH


def test_a_large_zone_costs_one_query_per_megabyte(dns: LuaDns, zone: int, calls: list[str]) -> None:
    texts = [{"name": f"t{n}", "type": "TXT", "content": f"{n:05}" * 10_000} for n in range(42)]
    for start in range(0, 42, 21):
        dns.make(f"/zones/{zone}/records/create_many", texts[start : start + 21])
    calls.clear()
    listed = dns.get(f"/zones/{zone}/records")
    size = sum(len(row["content"]) + 200 for row in listed)
    assert 2 * 2**20 < size < 3 * 2**20
    assert calls == [*AUTH, "Query", "Query", "Query", "GetItem"]
