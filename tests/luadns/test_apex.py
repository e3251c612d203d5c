"""NS records at the apex: those of the system follow the settings, and those of a second provider are the user's."""

from typing import Any

import pytest

from chalicelib import settings
from chalicelib.luadns.tables import Zone, account_pk, zone_sk
from tests.luadns.api import LuaDns, assert_invalid, problem
from tests.luadns.test_luadns_cli import call
from tests.worlds import embedded_only

pytestmark = embedded_only

MANAGED = "NS records of the zone itself are managed by the system"
OURS = ["ns1.localhost.", "ns2.localhost."]
THEIRS = {"name": "", "type": "NS", "content": "ns1.second.example.", "ttl": 300}


@pytest.fixture
def zone(dns: LuaDns) -> int:
    return dns.zone()


def servers(dns: LuaDns, zone: int) -> list[tuple[str, int]]:
    rows = dns.get(f"/zones/{zone}/records")
    return [(row["content"], row["ttl"]) for row in rows if row["type"] == "NS" and row["name"] == "example.com."]


def test_a_second_provider_is_added_changed_and_removed(dns: LuaDns, zone: int) -> None:
    made = dns.record(zone, **{**THEIRS, "name": "example.com."})
    path = f"/zones/{zone}/records/{made['id']}"
    assert dns("PUT", path, {**made, "content": "ns2.second.example."}).status == 200
    assert [content for content, _ in servers(dns, zone)] == [*OURS, "ns2.second.example."]
    assert dns("DELETE", path).status == 200
    assert servers(dns, zone) == [(content, 86400) for content in OURS]


def test_dnscontrol_adds_a_second_provider_and_plans_another_ttl_for_ours(dns: LuaDns, zone: int) -> None:
    ours = [{**THEIRS, "content": content} for content in OURS]
    for _ in range(2):
        changed = dns("PATCH", f"/zones/{zone}/records", [*ours, THEIRS])
        assert [row["ttl"] for row in changed.json] == [86400, 86400, 300]
    assert servers(dns, zone) == [("ns1.localhost.", 86400), ("ns2.localhost.", 86400), ("ns1.second.example.", 300)]
    pattern = [{**THEIRS, "name": "example.com."}]
    assert len(dns.make(f"/zones/{zone}/records/delete_many", pattern)) == 1
    assert len(servers(dns, zone)) == 2


def test_a_change_of_ours_in_its_ttl_alone_has_no_effect(dns: LuaDns, zone: int) -> None:
    listed = dns.get(f"/zones/{zone}/records")
    path = f"/zones/{zone}/records/{listed[1]['id']}"
    assert dns("PUT", path, {**listed[1], "ttl": 300}).json == listed[1]
    assert dns.get(f"/zones/{zone}/records") == listed


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "records", {**THEIRS, "content": "NS1.localhost."}),
        ("PUT", "records/2", {**THEIRS, "content": "ns.example."}),
        ("PUT", "records/2", {**THEIRS, "name": "www"}),
        ("DELETE", "records/2", None),
    ],
)
def test_ours_cannot_be_created_moved_or_deleted(dns: LuaDns, zone: int, method: str, path: str, body: Any) -> None:
    assert_invalid(dns(method, f"/zones/{zone}/{path}", body), problem("type", MANAGED))


def test_a_replacement_of_all_records_replaces_theirs(dns: LuaDns, zone: int) -> None:
    dns.record(zone, **{**THEIRS, "name": "example.com."})
    listed = dns.get(f"/zones/{zone}")["records"]
    other = {**THEIRS, "content": "ns3.second.example."}
    assert dns("PUT", f"/zones/{zone}", {"name": "example.com", "records": [*listed[:3], other]}).status == 200
    assert [content for content, _ in servers(dns, zone)] == [*OURS, "ns3.second.example."]
    assert dns("POST", f"/zones/{zone}/import", query="mode=replace", body=b"@ NS ns.old.example.\n").status == 200
    assert [content for content, _ in servers(dns, zone)] == [*OURS, "ns3.second.example."]


def test_sync_moves_a_zone_to_the_name_servers_of_the_settings(dns: LuaDns, zone: int) -> None:
    dns.record(zone, **{**THEIRS, "name": "example.com."})
    before = dns.get(f"/zones/{zone}/records")[0]["content"]
    with settings.override(luadns_name_servers=("ns2.localhost.", "a.example.net.")):
        assert call("sync", "example.com")["changed"] is True
        assert call("sync", "example.com")["changed"] is False
    assert servers(dns, zone) == [
        ("ns2.localhost.", 86400),
        ("ns1.second.example.", 300),
        ("a.example.net.", 86400),
    ]
    soa = dns.get(f"/zones/{zone}/records")[0]["content"]
    assert soa.split()[0] == "ns2.localhost."
    assert (soa.split()[1], soa.split()[3:]) == (before.split()[1], before.split()[3:])
    assert "warning" not in _synced_elsewhere()


def _synced_elsewhere() -> dict[str, Any]:
    with settings.override(luadns_name_servers=("a.example.net.",)):
        return dict(call("sync", "example.com"))


def test_all_ns_records_of_an_older_zone_are_the_systems_until_it_is_moved(dns: LuaDns, zone: int) -> None:
    stored = Zone.find(account_pk(1), zone_sk(zone))
    assert stored is not None
    stored.update(actions=[Zone.name_servers.remove()])
    assert_invalid(dns("POST", f"/zones/{zone}/records", THEIRS), problem("type", MANAGED))
    with settings.override(luadns_name_servers=("a.example.net.",)):
        assert call("sync", "example.com")["changed"] is True
    assert servers(dns, zone) == [("a.example.net.", 86400)]
    assert dns("POST", f"/zones/{zone}/records", THEIRS).status == 200
