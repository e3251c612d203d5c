"""ETag, If-Match against lost updates, and If-None-Match."""

from typing import Any

import pytest

from chalicelib.luadns.tables import Zone, account_pk, zone_sk
from tests.client import Reply
from tests.luadns.api import LuaDns, stored


def stale(reply: Reply) -> None:
    assert (reply.status, reply.json["status"]) == (412, "Precondition Failed")
    assert reply.json["message"] == "The zone or record has changed since it was read."


def changes(zone: int, record: int) -> list[tuple[str, str, Any]]:
    """All changes of a zone: method, path and body."""
    new = {"name": "new", "type": "A", "content": "192.0.2.9"}
    return [
        ("PUT", f"/zones/{zone}/records/{record}", new),
        ("POST", f"/zones/{zone}/records", new),
        ("POST", f"/zones/{zone}/records/create_many", [new]),
        ("PATCH", f"/zones/{zone}/records", [new]),
        ("POST", f"/zones/{zone}/records/delete_many", [{"name": "www"}]),
        ("PUT", f"/zones/{zone}", {"name": "example.com", "records": []}),
        ("DELETE", f"/zones/{zone}/records/{record}", None),
        ("DELETE", f"/zones/{zone}", None),
    ]


@pytest.mark.parametrize("index", range(8))
@pytest.mark.parametrize("tag", ["zone", "records"])
def test_every_change_supports_if_match_with_the_zone_s_tag(dns: LuaDns, zone: int, index: int, tag: str) -> None:
    record = dns.record(zone, "www", "A", "192.0.2.1")["id"]
    path = f"/zones/{zone}" if tag == "zone" else f"/zones/{zone}/records"
    before = dns("GET", path).header("etag")
    dns.record(zone, "other", "A", "192.0.2.1")
    now = dns("GET", path).header("etag")
    assert before
    assert now
    method, target, body = changes(zone, record)[index]
    unchanged = stored()
    for old in (before, f'"x", {before}', '""', "nonsense", ""):
        stale(dns(method, target, body, {"If-Match": old}))
    assert stored() == unchanged
    assert dns(method, target, body, {"If-Match": f'"x", {now}'}).status == 200


def test_a_change_of_a_record_supports_if_match_with_the_record_s_tag(dns: LuaDns, zone: int) -> None:
    record = dns.record(zone, "www", "A", "192.0.2.1")
    path = f"/zones/{zone}/records/{record['id']}"
    tag = dns("GET", path).header("etag")
    assert tag
    dns.record(zone, "other", "A", "192.0.2.1")
    reply = dns("PUT", path, {**record, "content": "192.0.2.2"}, {"If-Match": tag})
    assert reply.status == 200
    stale(dns("PUT", path, {**record, "content": "192.0.2.3"}, {"If-Match": tag}))
    stale(dns("DELETE", path, headers={"If-Match": tag}))
    new = reply.header("etag")
    assert new == dns("GET", path).header("etag")
    assert dns("DELETE", path, headers={"If-Match": "*"}).status == 200


def test_a_matching_if_none_match_gets_a_304(dns: LuaDns, zone: int) -> None:
    record = dns.record(zone, "www", "A", "192.0.2.1")["id"]
    for path in (
        f"/zones/{zone}",
        f"/zones/{zone}/records",
        f"/zones/{zone}/records/{record}",
        f"/zones/{zone}/records/1",
    ):
        tag = dns("GET", path).header("etag")
        assert tag
        reply = dns("GET", path, headers={"If-None-Match": tag})
        assert (reply.status, reply.body) == (304, b"")
    dns.record(zone, "other", "A", "192.0.2.1")
    assert dns("GET", path, headers={"If-None-Match": tag}).status == 200, "a SOA shows the zone's serial"


def test_the_query_count_changes_the_tag_but_does_not_block_if_match(dns: LuaDns, zone: int) -> None:
    tag = dns("GET", f"/zones/{zone}").header("etag")
    assert tag
    Zone(account_pk(1), zone_sk(zone)).update(actions=[Zone.queries_count.add(7)])
    reply = dns("GET", f"/zones/{zone}", headers={"If-None-Match": tag})
    assert (reply.status, reply.json["queries_count"]) == (200, 7)
    new = {"name": "new", "type": "A", "content": "192.0.2.9"}
    assert dns("POST", f"/zones/{zone}/records", new, {"If-Match": tag}).status == 200
    assert dns.get(f"/zones/{zone}")["queries_count"] == 7
