"""Zones: creation, lists, replacement and deletion."""

from typing import Any

import pytest
import time_machine

from chalicelib import settings
from chalicelib.core import audit, job_runner
from chalicelib.core.tables import Account
from tests.client import Client
from tests.luadns.api import LuaDns, assert_invalid, key_for, problem, stored
from tests.worlds import both_worlds, embedded_only

MOMENT = 1_421_501_178.5
SHOWN = (
    '{"id":1,"name":"example.org","synced":false,"queries_count":0,"records_count":3,"aliases_count":0,'
    '"redirects_count":0,"forwards_count":0,"template_id":0'
)
RECORDS = (
    '[{"id":1,"name":"example.org.","type":"SOA",'
    '"content":"ns1.localhost. hostmaster.localhost. 1421501178 1200 120 604800 3600","ttl":3600,"zone_id":1,'
    '"created_at":"2015-01-17T13:26:18.5Z","updated_at":"2015-01-17T13:26:18.5Z"},'
    '{"id":2,"name":"example.org.","type":"NS","content":"ns1.localhost.","ttl":86400,"zone_id":1,'
    '"created_at":"2015-01-17T13:26:18.5Z","updated_at":"2015-01-17T13:26:18.5Z"},'
    '{"id":3,"name":"example.org.","type":"NS","content":"ns2.localhost.","ttl":86400,"zone_id":1,'
    '"created_at":"2015-01-17T13:26:18.5Z","updated_at":"2015-01-17T13:26:18.5Z"}]'
)
WHOLE = f'{SHOWN},"records":{RECORDS}}}\n'


def assert_name_is_taken(reply: Any, name: str) -> None:
    assert (reply.status, reply.json["message"]) == (403, f"Zone '{name}' is taken already.")


@both_worlds
def test_a_new_zone_has_a_soa_and_name_servers(dns: LuaDns) -> None:
    with time_machine.travel(MOMENT, tick=False):
        reply = dns("POST", "/zones", {"name": "example.org"})
    assert (reply.status, reply.body.decode()) == (200, WHOLE)
    assert dns("GET", "/zones/1").body.decode() == WHOLE
    assert dns("GET", "/zones/1/records").body.decode() == f"{RECORDS}\n"
    assert dns("GET", "/zones").body.decode() == f"[{SHOWN}}}]\n"


def test_a_body_on_get_and_delete_is_ignored(dns: LuaDns, zone: int) -> None:
    for method, path in [("GET", "/zones"), ("GET", f"/zones/{zone}"), ("DELETE", f"/zones/{zone}")]:
        assert dns(method, path, {}).status == 200
        zone = zone if method == "GET" else dns.zone()
        assert dns(method, f"/zones/{zone}" if path != "/zones" else path, body=b"{not json").status == 200


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/plain", ""])
def test_json_is_parsed_with_any_content_type(dns: LuaDns, kind: str) -> None:
    reply = dns("POST", "/zones", headers={"Content-Type": kind}, body=b'{"name":"example.org"}')
    assert (reply.status, reply.json["name"]) == (200, "example.org")


def test_doubled_and_trailing_slashes_are_ignored(client: Client, dns: LuaDns, zone: int) -> None:
    record = dns.record(zone, "www", "A", "192.0.2.1")
    assert client.get("/v1/zones/", headers=dns.headers).status == 200
    reply = client.request("DELETE", f"/v1//zones/{zone}/records/{record['id']}", headers=dns.headers)
    assert (reply.status, reply.json) == (200, record)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("Example.ORG", "example.org"),
        ("example.org.", "example.org"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("2.0.192.in-addr.arpa", "2.0.192.in-addr.arpa"),
        ("0/25.2.0.192.in-addr.arpa", "0/25.2.0.192.in-addr.arpa"),
        ("_tcp.example.org", "_tcp.example.org"),
        (f"{'a' * 63}.org", f"{'a' * 63}.org"),
    ],
)
@embedded_only
def test_a_zone_name_is_normalized_to_lower_case_without_the_trailing_dot(dns: LuaDns, given: str, name: str) -> None:
    assert dns.make("/zones", {"name": given})["name"] == name


@pytest.mark.parametrize(
    "name",
    [
        *("org", ".", "a..org", "-a.org", "a-.org", "a b.org", "*.org", f"{'a' * 64}.org", "a.", "a\n.org", "ﬀ" * 300),
        *("a.b" * 90, "ex\u2028ample.org", "\0.org", "a_\u00ad.org\u202e"),
    ],
)
@embedded_only
def test_an_invalid_zone_name_is_rejected(dns: LuaDns, name: str) -> None:
    assert_invalid(dns("POST", "/zones", {"name": name}), problem("name", "invalid name", "ValidationError"))
    assert stored() == []


@pytest.mark.parametrize("body", [{}, {"name": ""}, {"name": None}])
def test_a_missing_zone_name_is_two_problems_as_on_the_real_server(dns: LuaDns, body: dict[str, Any]) -> None:
    reply = dns("POST", "/zones", body)
    assert_invalid(
        reply, problem("name", "Required", "RequiredError"), problem("name", "invalid name", "ValidationError")
    )
    assert reply.json["message"] == "name: Required; name: invalid name"


@pytest.mark.parametrize(("template", "status"), [(0, 200), (None, 200), (7, 400), (-1, 400)])
def test_an_unknown_template_is_rejected(dns: LuaDns, template: int | None, status: int) -> None:
    reply = dns("POST", "/zones", {"name": "example.org", "template_id": template})
    assert reply.status == status
    if status == 400:
        assert_invalid(reply, problem("template_id", "unknown template", "ValidationError"))
    else:
        assert reply.json["template_id"] == 0


def test_a_new_zone_takes_records_except_managed_ones(dns: LuaDns) -> None:
    records = [
        {"name": "www", "type": "A", "content": "192.0.2.1"},
        {"name": "example.org.", "type": "NS", "content": "ns.elsewhere.example."},
        {"name": "example.org.", "type": "SOA", "content": "a. b. 1 2 3 4 5"},
    ]
    made = dns.make("/zones", {"name": "example.org", "records": records})
    assert made["records_count"] == 4
    assert dns.own(made["id"]) == [("www.example.org.", "A", "192.0.2.1")]


def test_a_zone_name_is_unique_among_all_accounts(client: Client, dns: LuaDns, zone: int, bob: Account) -> None:
    other = key_for(client, bob)
    before = stored()
    for api in (dns, other):
        assert_name_is_taken(api("POST", "/zones", {"name": "Example.com"}), "example.com")
    assert stored() == before
    assert dns("DELETE", f"/zones/{zone}").status == 200
    assert other.zone("example.com") > zone


def test_a_zone_below_another_account_s_zone_is_rejected(client: Client, dns: LuaDns, zone: int, bob: Account) -> None:
    assert_name_is_taken(key_for(client, bob)("POST", "/zones", {"name": "a.b.example.com"}), "a.b.example.com")
    assert dns.zone("a.b.example.com") > zone


def test_the_number_of_zones_of_an_account_is_limited(dns: LuaDns) -> None:
    with settings.override(luadns_max_zones=1):
        dns.zone("one.org")
        reply = dns("POST", "/zones", {"name": "two.org"})
    assert (reply.status, reply.json["message"]) == (403, "An account has at most 1 zones.")


@both_worlds
def test_a_deletion_returns_the_zone_and_removes_everything(dns: LuaDns, zone: int) -> None:
    dns.record(zone, "www", "A", "192.0.2.1")
    before = dns.get(f"/zones/{zone}")
    reply = dns("DELETE", f"/zones/{zone}")
    assert (reply.status, reply.json) == (200, before)
    assert dns("GET", f"/zones/{zone}").json["message"] == "Zone not found."
    assert dns.get("/zones") == []
    job_runner.run_due()
    assert stored() == []


def test_changes_are_in_the_audit_log(dns: LuaDns, zone: int) -> None:
    record = dns.record(zone, "www", "A", "192.0.2.1")["id"]
    dns("DELETE", f"/zones/{zone}/records/{record}")
    dns("DELETE", f"/zones/{zone}")
    entries = [(entry.action, entry.subject, entry.detail) for entry in audit.entries(1)][:4]
    assert entries == [
        ("zone.delete", "zone#1", {"zone": "example.com"}),
        ("record.delete", "zone#1", {"zone": "example.com", "record": 4}),
        ("record.create", "zone#1", {"zone": "example.com", "record": 4}),
        ("zone.create", "zone#1", {"zone": "example.com"}),
    ]


@both_worlds
def test_put_replaces_all_records_except_managed_ones(dns: LuaDns, zone: int) -> None:
    kept = dns.record(zone, "keep", "A", "192.0.2.1", ttl=77, external_id="k")
    dns.record(zone, "drop", "A", "192.0.2.2")
    dns.record(zone, "sub", "NS", "ns.elsewhere.example.")
    wanted = [
        {"name": "keep.example.com.", "type": "A", "content": "192.0.2.1"},
        {"name": "new", "type": "TXT", "content": "hello", "ttl": 5},
        {"name": "example.com.", "type": "NS", "content": "ns2.localhost.", "ttl": 5},
    ]
    reply = dns("PUT", f"/zones/{zone}", {"name": "example.com", "records": wanted})
    assert reply.json == dns.get(f"/zones/{zone}")
    assert dns.own(zone) == [("keep.example.com.", "A", "192.0.2.1"), ("new.example.com.", "TXT", "hello")]
    assert dns.get(f"/zones/{zone}/records/{kept['id']}") == kept
    assert reply.json["records_count"] == 5


def test_put_with_an_empty_list_empties_a_zone_and_without_a_list_changes_nothing(dns: LuaDns, zone: int) -> None:
    dns.record(zone, "www", "A", "192.0.2.1")
    before = dns.get(f"/zones/{zone}")
    for body in ({"name": "example.com"}, {"name": "Example.com.", "records": None}):
        assert dns("PUT", f"/zones/{zone}", body).json == before
    assert dns("PUT", f"/zones/{zone}", {"name": "example.com", "records": []}).status == 200
    assert dns.own(zone) == []


def test_put_with_the_response_of_get_changes_nothing(dns: LuaDns, zone: int) -> None:
    dns.record(zone, "www", "A", "192.0.2.1")
    before = dns.get(f"/zones/{zone}")
    assert dns("PUT", f"/zones/{zone}", before).json == before


@pytest.mark.parametrize("name", ["example.org", "sub.example.com", "x"])
def test_a_zone_cannot_be_renamed(dns: LuaDns, zone: int, name: str) -> None:
    assert_invalid(
        dns("PUT", f"/zones/{zone}", {"name": name}), problem("name", "the name of a zone cannot be changed")
    )
    assert_invalid(dns("PUT", f"/zones/{zone}", {}), problem("name", "Required", "RequiredError"))


def test_put_with_one_invalid_record_changes_nothing(dns: LuaDns, zone: int) -> None:
    dns.record(zone, "www", "A", "192.0.2.1")
    before = stored()
    records = [
        {"name": "a", "type": "A", "content": "192.0.2.1"},
        {"name": "b", "type": "A", "content": "nonsense"},
        {"name": "c.org.", "type": "A", "content": "192.0.2.1"},
    ]
    assert_invalid(
        dns("PUT", f"/zones/{zone}", {"name": "example.com", "records": records}),
        problem("1.content", "invalid IPv4 address"),
        problem("2.name", "name is not in the zone example.com"),
    )
    assert stored() == before


def test_pseudo_records_are_counted_and_have_ids(dns: LuaDns, zone: int) -> None:
    dns.record(zone, "", "ALIAS", "elsewhere.example.")
    dns.record(zone, "go", "REDIRECT", "0 https://elsewhere.example/")
    mail = dns.record(zone, "mail", "FORWARD", "joe@elsewhere.example")
    counts = ["records_count", "aliases_count", "redirects_count", "forwards_count"]
    assert [dns.get(f"/zones/{zone}")[count] for count in counts] == [6, 1, 1, 1]
    dns(
        "PUT", f"/zones/{zone}/records/{mail['id']}", {"name": "go2", "type": "REDIRECT", "content": "http://a.example"}
    )
    assert [dns.get("/zones")[0][count] for count in counts] == [6, 1, 2, 0]
    assert all(row["id"] for row in dns.get(f"/zones/{zone}/records"))


def test_the_serial_is_the_time_of_the_last_change_and_always_increases(dns: LuaDns) -> None:
    with time_machine.travel(MOMENT, tick=False) as clock:
        zone = dns.zone()
        serials = [dns.serial(zone)]
        soa = dns.get(f"/zones/{zone}/records")[0]
        record = dns.record(zone, "a", "A", "192.0.2.1")["id"]
        serials.append(dns.serial(zone))
        dns("PUT", f"/zones/{zone}/records/{record}", {"name": "a", "type": "A", "content": "192.0.2.2"})
        serials.append(dns.serial(zone))
        clock.shift(60)
        dns("DELETE", f"/zones/{zone}/records/{record}")
        serials.append(dns.serial(zone))
        dns.get(f"/zones/{zone}")
        serials.append(dns.serial(zone))
    start = int(MOMENT)
    assert serials == [start, start + 1, start + 2, start + 60, start + 60]
    after = dns.get(f"/zones/{zone}/records")[0]
    assert {**after, "content": soa["content"]} == soa
    assert dns.get(f"/zones/{zone}/records/{soa['id']}") == after


@both_worlds
def test_a_list_of_zones_has_both_page_count_headers(dns: LuaDns) -> None:
    for name in ("b.org", "a.org", "c.net"):
        dns.zone(name)
    reply = dns("GET", "/zones", query="limit=2&page=2&sort_by=name&sort_order=desc")
    assert [row["name"] for row in reply.json] == ["a.org"]
    headers = ("x-page", "x-limit", "x-total-pages", "x-pages-count", "x-total-count")
    assert [reply.header(name) for name in headers] == ["2", "2", "2", "2", "3"]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["b.org", "a.org", "c.net"]),
        ("limit=0", ["b.org", "a.org", "c.net"]),
        ("query=ORG", ["b.org", "a.org"]),
        ("query=a.org.", ["a.org"]),
        ("query=nowhere", []),
        ("sort_by=name", ["a.org", "b.org", "c.net"]),
        ("sort_by=id&sort_order=desc", ["c.net", "a.org", "b.org"]),
        ("sort_order=DESC", ["c.net", "a.org", "b.org"]),
        ("sort_by=records_count", ["b.org", "a.org", "c.net"]),
        ("limit=2", ["b.org", "a.org"]),
        ("limit=500&page=1", ["b.org", "a.org", "c.net"]),
        ("limit=2&page=9", []),
        ("page=2", []),
    ],
)
@embedded_only
def test_a_list_of_zones_is_filtered_sorted_and_paginated(dns: LuaDns, query: str, names: list[str]) -> None:
    for name in ("b.org", "a.org", "c.net"):
        dns.zone(name)
    assert [row["name"] for row in dns("GET", "/zones", query=query).json] == names


@pytest.mark.parametrize(
    ("query", "field", "message"),
    [
        ("limit=501", "limit", "limit must be a number from 0 to 500"),
        ("limit=-1", "limit", "limit must be a number from 0 to 500"),
        ("limit=x", "limit", "limit must be a number from 0 to 500"),
        ("page=0", "page", "page must be a number from 1 to 2147483647"),
        ("page=" + "9" * 5000, "page", "page must be a number from 1 to 2147483647"),
        ("sort_order=up", "sort_order", "sort_order must be asc or desc"),
        (
            "sort_by=x",
            "sort_by",
            "sort_by must be one of id, name, type, content, ttl, zone_id, external_id, created_at, updated_at",
        ),
    ],
)
@embedded_only
def test_invalid_list_options_are_rejected(dns: LuaDns, zone: int, query: str, field: str, message: str) -> None:
    assert_invalid(dns("GET", f"/zones/{zone}/records", query=query), problem(field, message, "ValidationError"))


def test_a_zone_without_dnssec_has_no_ds_records(dns: LuaDns, zone: int) -> None:
    reply = dns("GET", f"/zones/{zone}/ds_records")
    assert (reply.status, reply.body) == (200, b"[]\n")
