"""One request takes bounded CPU: many records at once, and texts for which a careless pattern takes minutes."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from chalicelib import settings
from chalicelib.contentdb.releases import translations
from chalicelib.core.tables import Account
from chalicelib.hel.search import MOST_TESTS
from chalicelib.luadns import contents
from chalicelib.luadns import routes as luadns_routes
from chalicelib.luarocks import versions
from tests.client import Client
from tests.luadns.api import LuaDns, key_for

SECONDS = 2.0  # of CPU; each of these took 5 s to hours
SIZE = 64_000
A = {"type": "A", "content": "192.0.2.1"}
LIMIT = 20


@pytest.fixture
def dns(client: Client, alice: Account) -> LuaDns:
    return key_for(client, alice)


@pytest.fixture
def zone(dns: LuaDns) -> int:
    return dns.zone()


def cpu_seconds(call: Callable[[], object]) -> float:
    start = time.process_time()
    call()
    return time.process_time() - start


def test_bulk_changes_take_the_seconds_that_their_routes_declare(dns: LuaDns, zone: int) -> None:
    quoted = " ".join(['"x"'] * 50)
    file = "\n".join(f"t{number} TXT {quoted}" for number in range(500)).encode()
    declared = {(route.method, route.path): route for route in luadns_routes.service.routes if route.bulk}
    for method, path, sent in (
        ("POST", "records/create_many", {"json": named(500)}),
        ("PATCH", "records", {"json": [{**each, "content": "192.0.2.2"} for each in named(500)]}),
        ("POST", "records/delete_many", {"json": named(500)}),
        ("POST", "import", {"body": file}),
    ):
        route = declared[method, f"/v1/zones/{{zone_id}}/{path}"]
        assert route.bulk
        assert route.most_items == 5000
        seconds = cpu_seconds(lambda method=method, path=path, sent=sent: dns(method, f"/zones/{zone}/{path}", **sent))
        assert seconds * route.most_items / 500 < 2 * route.bulk.seconds, path  # other tests run at the same time


def named(count: int) -> list[dict[str, Any]]:
    return [{"name": f"h{number}", **A} for number in range(count)]


@pytest.mark.parametrize(
    ("method", "path", "wrap"),
    [
        ("POST", "/zones", lambda items: {"name": "example.org", "records": items}),
        ("PUT", "/zones/{zone}", lambda items: {"name": "example.com", "records": items}),
        ("POST", "/zones/{zone}/records/create_many", lambda items: items),
        ("PATCH", "/zones/{zone}/records", lambda items: items),
        ("POST", "/zones/{zone}/records/delete_many", lambda items: items),
    ],
)
def test_a_request_has_at_most_as_many_records_as_a_zone(
    dns: LuaDns, zone: int, method: str, path: str, wrap: Callable[[Any], Any]
) -> None:
    with settings.override(luadns_max_records=LIMIT):
        reply = dns(method, path.format(zone=zone), wrap(named(LIMIT + 1)))
    assert (reply.status, reply.json["message"]) == (400, f"a request has at most {LIMIT} records")


def test_names_without_records_are_read_by_one_query(dns: LuaDns, zone: int, calls: list[str]) -> None:
    dns.make(f"/zones/{zone}/records/create_many", named(5))
    calls.clear()
    deleted = dns.make(f"/zones/{zone}/records/delete_many", named(5000)[3:])
    assert [record["name"] for record in deleted] == ["h3.example.com.", "h4.example.com."]
    assert calls.count("Query") == 1
    assert calls.count("BatchGetItem") <= 2
    assert len(calls) <= 6


def test_many_patterns_for_many_records_at_one_name_take_their_sum(dns: LuaDns, zone: int) -> None:
    addresses = [{"name": "one", "type": "A", "content": f"192.0.{n // 250}.{n % 250}"} for n in range(1500)]
    dns.make(f"/zones/{zone}/records/create_many", addresses)
    deleted: list[Any] = []
    call = f"/zones/{zone}/records/delete_many"
    assert cpu_seconds(lambda: deleted.extend(dns.make(call, addresses[1:]))) < 2 * SECONDS
    assert [len(deleted), dns.own(zone)] == [1499, [("one.example.com.", "A", "192.0.0.0")]]


@pytest.mark.parametrize(
    ("pattern", "kept"),
    [
        ({"type": "A"}, ["t1"]),
        ({"ttl": 60}, ["192.0.2.2"]),
        ({"content": "192.0.2.2"}, ["192.0.2.1", "t1"]),
        ({"type": "A", "ttl": 60}, ["192.0.2.2", "t1"]),
        ({"type": "TXT", "ttl": 300}, ["192.0.2.1", "192.0.2.2", "t1"]),
        ({}, []),
    ],
)
def test_a_pattern_selects_by_the_fields_that_it_has(
    dns: LuaDns, zone: int, pattern: dict[str, Any], kept: list[str]
) -> None:
    for type_, content, ttl in (("A", "192.0.2.1", 60), ("A", "192.0.2.2", 300), ("TXT", "t1", 60)):
        dns.record(zone, "one", type_, content, ttl=ttl)
    other = {"name": "ONE", "type": "A", "content": "192.0.2.99"}
    dns.make(f"/zones/{zone}/records/delete_many", [other, {"name": "one", **pattern}])
    assert sorted(content for _, _, content in dns.own(zone)) == kept


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("\n" * (LIMIT * 10 + 1), f"A zone file has at most {LIMIT * 10} lines."),
        ("a " + "9" * 5000 + " IN A 192.0.2.1\n", None),
        ("$TTL " + "9" * 5000 + "\n", None),
        (";moonbase: a " + "9" * 5000 + " IN ALIAS b.\n", None),
    ],
)
def test_a_zone_file_that_is_no_zone_is_refused(dns: LuaDns, zone: int, file: str, message: str | None) -> None:
    with settings.override(luadns_max_records=LIMIT):
        reply = dns("POST", f"/zones/{zone}/import", body=file.encode())
    assert reply.status == 400
    assert message in (None, reply.json["message"])


@pytest.mark.parametrize("type_", ["REDIRECT", "MX", "CAA", "TXT", "SVCB", "NAPTR"])
@pytest.mark.parametrize(
    "content",
    [
        "https://" + "a" * SIZE + '"',
        '"' + '\\"' * (SIZE // 2),
        '"' + '\\"' * (SIZE // 2) + "\\",
        "1 " * (SIZE // 2),
        '"a" ' * (SIZE // 4),
        "a." * (SIZE // 2),
    ],
    ids=range(6),
)
def test_the_content_of_a_record_is_checked_in_linear_time(type_: str, content: str) -> None:
    def check() -> None:
        try:
            contents.canonical(type_, content)
        except ValueError:
            return

    assert cpu_seconds(check) < SECONDS


@pytest.mark.parametrize(
    "dependency",
    ["a" * 1_000_000 + "/b/", "a." * 500_000 + "!", "lua " + ">1 " * 300_000, "-" * 1_000_000, " " * 1_000_000 + "/"],
    ids=range(5),
)
def test_a_dependency_of_a_rock_is_read_in_linear_time(dependency: str) -> None:
    assert cpu_seconds(lambda: versions.constraints(dependency)) < SECONDS


def test_a_translation_of_many_lines_is_read_in_linear_time() -> None:
    text = "@\n" * 500_000 + "a=b"
    assert cpu_seconds(lambda: list(translations._logical_lines(text))) < SECONDS


def test_a_search_at_hel_has_a_bounded_number_of_phrases(client: Client, aws: None) -> None:
    query = "&".join(f"tags=a{number}" for number in range(MOST_TESTS + 1))
    reply = client.get("/packages", query=query, headers={"Accept": "application/json"})
    assert (reply.status, reply.json["message"]) == (
        400,
        f"Too many phrases ({MOST_TESTS} at most, got {MOST_TESTS + 1}).",
    )
