"""Errors of bulk changes name the record, and `delete_many` compares what contents mean."""

from typing import Any

import pytest

from tests.luadns.api import LuaDns, assert_invalid, problem, stored
from tests.worlds import embedded_only

pytestmark = embedded_only

A = {"type": "A", "content": "192.0.2.1"}
EXISTS = "record exists already"
CNAME = "CNAME record cannot exist beside other records of the same name"
MANAGED = "NS records of the zone itself are managed by the system"
ROWS: list[tuple[list[dict[str, Any]], str, str]] = [
    ([{"name": "a", **A}, {"name": "b", **A}, {"name": "B", **A}], "2.content", EXISTS),
    ([{"name": "a", **A}, {"name": "old", **A}], "1.content", EXISTS),
    ([{"name": "a", **A}, {"name": "old", "type": "CNAME", "content": "x.example."}], "1.name", CNAME),
    ([{"name": "a", **A}, {"name": "", "type": "NS", "content": "NS1.localhost."}], "1.type", MANAGED),
    ([{"name": "a", **A}, {"name": "b", "type": "A", "content": "x"}], "1.content", "invalid IPv4 address"),
]


@pytest.fixture
def zone(dns: LuaDns) -> int:
    zone = dns.zone()
    dns.record(zone, "old", "A", "192.0.2.1")
    return zone


@pytest.mark.parametrize(("rows", "field", "message"), ROWS)
def test_create_many_names_the_record(
    dns: LuaDns, zone: int, rows: list[dict[str, Any]], field: str, message: str
) -> None:
    before = stored()
    assert_invalid(dns("POST", f"/zones/{zone}/records/create_many", rows), problem(field, message))
    assert stored() == before


@pytest.mark.parametrize(("method", "path"), [("PATCH", "/zones/{}/records"), ("PUT", "/zones/{}")])
def test_replacements_name_the_record(dns: LuaDns, zone: int, method: str, path: str) -> None:
    managed = {"name": "", "type": "NS", "content": "ns1.localhost."}  # PUT ignores it
    rows = [{"name": "a", **A}, {"name": "b", **A}, {"name": "b", "type": "CNAME", "content": "x.example."}]
    body = rows if method == "PATCH" else {"name": "example.com", "records": [managed, *rows]}
    field = "2.name" if method == "PATCH" else "3.name"
    assert_invalid(dns(method, path.format(zone), body), problem(field, CNAME))


def test_a_new_zone_names_the_record(dns: LuaDns) -> None:
    rows = [{"name": "a", **A}, {"name": "a", **A}]
    reply = dns("POST", "/zones", {"name": "example.org", "records": rows})
    assert_invalid(reply, problem("1.content", EXISTS))


def test_a_zone_file_names_the_line_and_the_record(dns: LuaDns, zone: int) -> None:
    reply = dns("POST", f"/zones/{zone}/import", body=b"a A 192.0.2.1\n\nb A 192.0.2.1\nb CNAME x.example.\n")
    assert_invalid(reply, problem("line 4", f"b.example.com. CNAME: {CNAME}"))


def test_a_record_that_is_twice_in_a_zone_file_is_one(dns: LuaDns, zone: int) -> None:
    file = b'\xef\xbb\xbfa A 192.0.2.1\nA.example.com. A 192.0.2.1\nt TXT x\nt TXT "x"\n'
    assert dns("POST", f"/zones/{zone}/import", body=file).status == 200
    assert len(dns.own(zone)) == 3


@pytest.mark.parametrize(
    ("type", "content", "pattern"),
    [
        ("CAA", "0 issue letsencrypt.org", '0 issue "letsencrypt.org"'),
        ("MX", "10 Mail.Example.", "10 mail.example."),
        ("AAAA", "2001:DB8:0::1", "2001:db8::1"),
        ("TXT", "a b", '"a b"'),
        ("HTTPS", "1 . port=53 alpn=h2", '1 . alpn="h2" port="53"'),
        ("CNAME", "münchen.example.", "xn--mnchen-3ya.example."),
    ],
)
def test_delete_many_matches_by_meaning(dns: LuaDns, zone: int, type: str, content: str, pattern: str) -> None:
    made = dns.record(zone, "x", type, content)
    call = f"/zones/{zone}/records/delete_many"
    assert dns.make(call, [{"name": "x", "content": pattern}]) == []  # without its type a content is a text
    assert dns.make(call, [{"name": "x", "type": type, "content": "other"}]) == []
    assert dns.make(call, [{"name": "x", "type": type, "content": pattern}]) == [made]


def test_a_zone_is_replaced_with_all_that_was_read_as_libdns_does(dns: LuaDns, zone: int) -> None:
    listed = dns.get(f"/zones/{zone}")["records"]
    never = "0001-01-01T00:00:00Z"
    unset = {"id": 0, "ttl": 0, "zone_id": 0, "created_at": never, "updated_at": never}
    wanted = [*listed, {"name": "new.example.com.", **A, **unset}]
    reply = dns("PUT", f"/zones/{zone}", {"id": zone, "name": "example.com", "records": wanted})
    assert [row["name"] for row in reply.json["records"]][3:] == ["new.example.com.", "old.example.com."]
    assert reply.json["records"][4]["id"] == listed[3]["id"]


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_every_field_of_the_lists_sorts(dns: LuaDns, zone: int, order: str) -> None:
    dns.record(zone, "b", "TXT", "x", external_id="e")
    for path in ("/zones", f"/zones/{zone}/records"):
        rows = dns.get(path)
        for field in {name for row in rows for name in row}:
            found = dns.get(path, query=f"sort_by={field}&sort_order={order}")
            values = [row.get(field, "") for row in found]
            assert values == sorted(values, reverse=order == "desc")
