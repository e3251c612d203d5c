"""Concurrent writers: every change succeeds, none is lost, and no rule is violated between two of them."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from chalicelib.core.tables import Account
from chalicelib.luadns.tables import LuaDnsItem, Node, Record
from tests.client import Client
from tests.luadns.api import LuaDns, key_for
from tests.worlds import embedded_only

pytestmark = embedded_only  # moto's tables are not thread-safe


@pytest.fixture
def pool(aws: None) -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as threads:
        yield threads


def assert_consistent(zone: int) -> None:
    """Assert that nodes and records have the same content."""
    items = list(LuaDnsItem.scan())
    by_record = {
        (int(item.id), item.type, item.content, int(item.ttl), item.name.lower())
        for item in items
        if isinstance(item, Record)
    }
    by_node = {
        (*row, ".".join(reversed(item.sk.split("#")[2].split(".")[:-1])) + ".")
        for item in items
        if isinstance(item, Node)
        for row in item.records
    }
    assert by_node == by_record


def test_eight_writers_of_one_zone_all_succeed(dns: LuaDns, zone: int, pool: ThreadPoolExecutor) -> None:
    start = dns.serial(zone)

    def write(number: int) -> tuple[int, str]:
        reply = dns(
            "POST", f"/zones/{zone}/records", {"name": f"h{number % 5}", "type": "A", "content": f"192.0.2.{number}"}
        )
        return reply.status, str(reply.header("etag"))

    replies = list(pool.map(write, range(64)))
    assert {status for status, _ in replies} == {200}
    assert len({tag for _, tag in replies}) == 64
    assert dns.get(f"/zones/{zone}")["records_count"] == 67
    assert dns.serial(zone) >= start + 64
    assert_consistent(zone)


@pytest.mark.parametrize(
    ("first", "second"),
    [(("A", "192.0.2.1"), ("A", "192.0.2.1")), (("CNAME", "a.example."), ("A", "192.0.2.1"))],
)
def test_only_one_of_two_conflicting_records_is_created(
    dns: LuaDns, zone: int, pool: ThreadPoolExecutor, first: tuple[str, str], second: tuple[str, str]
) -> None:
    def write(number: int) -> int:
        type, content = (first, second)[number % 2]
        return dns("POST", f"/zones/{zone}/records", {"name": "www", "type": type, "content": content}).status

    assert sorted(pool.map(write, range(16))) == [200] + [400] * 15
    assert_consistent(zone)


def test_large_and_small_changes_mix(dns: LuaDns, zone: int, pool: ThreadPoolExecutor) -> None:
    def write(number: int) -> int:
        if number % 8:
            return dns(
                "POST", f"/zones/{zone}/records", {"name": f"s{number}", "type": "A", "content": "192.0.2.1"}
            ).status
        members = [{"name": f"l{number}-{n}", "type": "A", "content": "192.0.2.1"} for n in range(100)]
        return dns("POST", f"/zones/{zone}/records/create_many", members).status

    def read(_: int) -> set[Any]:
        listed = dns.get(f"/zones/{zone}/records")
        large = [row["name"].partition("-")[0] for row in listed if row["name"].startswith("l")]
        return {large.count(name) for name in large}

    writers = pool.map(write, range(32))
    readers = list(pool.map(read, range(32)))
    assert set(writers) == {200}
    assert set().union(*readers) <= {100}, "a reader saw a part of a change"
    assert dns.get(f"/zones/{zone}")["records_count"] == 3 + 28 + 400
    assert_consistent(zone)


def test_only_one_change_with_the_same_if_match_succeeds(dns: LuaDns, zone: int, pool: ThreadPoolExecutor) -> None:
    tag = str(dns("GET", f"/zones/{zone}").header("etag"))

    def write(number: int) -> int:
        body = {"name": f"h{number}", "type": "A", "content": "192.0.2.1"}
        return dns("POST", f"/zones/{zone}/records", body, {"If-Match": tag}).status

    assert sorted(pool.map(write, range(16))) == [200] + [412] * 15


def test_only_one_request_can_claim_a_zone_name(
    client: Client, dns: LuaDns, bob: Account, pool: ThreadPoolExecutor
) -> None:
    other = key_for(client, bob)
    replies = pool.map(lambda n: (dns, other)[n % 2]("POST", "/zones", {"name": "example.com"}).status, range(16))
    assert sorted(replies) == [200] + [403] * 15
