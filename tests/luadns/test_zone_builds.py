"""Builds of zones from files: atomic, minimal, and only of zones that come from files."""

import time
from random import Random

import pytest

from chalicelib import settings
from chalicelib.core.tables import Account
from chalicelib.luadns import store
from chalicelib.luadns.language import export
from chalicelib.luadns.language.evaluation import Faulty
from chalicelib.luadns.store import Owner
from tests.luadns import contents_at_random
from tests.luadns.api import LuaDns, stored
from tests.luadns.builds import build, planned
from tests.worlds import both_worlds

FILE = "example.com.lua"


def zone_id(dns: LuaDns, name: str = "example.com") -> int:
    return next(int(zone["id"]) for zone in dns.get("/zones") if zone["name"] == name)


def faults(account: Account, files: dict[str, str]) -> list[str]:
    before = stored()
    with pytest.raises(Faulty) as caught:
        build(account, files)
    assert stored() == before
    return [str(fault) for fault in caught.value.faults]


@both_worlds
def test_a_file_makes_a_zone(dns: LuaDns, alice: Account) -> None:
    source = 'a("", "192.0.2.1")\nmx("", "mx", 10, 60)\nns("", "ns.example.net")'
    assert build(alice, {FILE: source, "README.md": "x", "lib/x.lua": "x ="}) == {"example.com": "create"}
    listed = dns.get(f"/zones/{zone_id(dns)}/records")
    assert [(row["name"], row["type"], row["content"], row["ttl"]) for row in listed if row["type"] != "SOA"] == [
        ("example.com.", "NS", "ns1.localhost.", 86400),
        ("example.com.", "NS", "ns2.localhost.", 86400),
        ("example.com.", "NS", "ns.example.net.", 300),
        ("example.com.", "A", "192.0.2.1", 300),
        ("example.com.", "MX", "10 mx.example.com.", 60),
    ]


@both_worlds
def test_a_build_changes_only_what_differs(dns: LuaDns, alice: Account) -> None:
    build(alice, {FILE: 'a("x", "192.0.2.1") a("y", "192.0.2.2", 60) a("z", "192.0.2.3")'})
    zone = zone_id(dns)
    before = {row["name"]: row for row in dns.get(f"/zones/{zone}/records") if row["type"] == "A"}
    new = 'a("x", "192.0.2.1") a("y", "192.0.2.2") a("new", "192.0.2.3") a("x", "192.0.2.1")'
    assert build(alice, {FILE: new}) == {"example.com": "change"}
    after = {row["name"]: row for row in dns.get(f"/zones/{zone}/records") if row["type"] == "A"}
    assert after["x.example.com."] == before["x.example.com."]
    assert after["y.example.com."]["id"] == before["y.example.com."]["id"]
    assert after["y.example.com."]["ttl"] == 300
    assert list(after) == ["new.example.com.", "x.example.com.", "y.example.com."]
    changes = dns.get(f"/zones/{zone}/history")
    assert [(change["action"], change["removed_count"], change["added_count"]) for change in changes] == [
        ("zone.build", 2, 2),
        ("zone.create", 0, 6),
    ]


def test_the_same_files_change_nothing(dns: LuaDns, alice: Account) -> None:
    files = {FILE: 'a("x", "192.0.2.1") slave("ns1", "192.0.2.9")', "other.test.bind": "www 60 IN A 192.0.2.1\n"}
    build(alice, files)
    before = stored()
    assert build(alice, files) == {"example.com": "unchanged", "other.test": "unchanged"}
    assert stored() == before


def test_secondaries_may_transfer_the_zone(dns: LuaDns, alice: Account) -> None:
    build(alice, {FILE: 'slave("ns1", "192.0.2.9")'})
    zone = zone_id(dns)
    secondary = {"address": "192.0.2.9", "port": 53, "key": None, "notify": True}
    assert dns.get(f"/zones/{zone}/secondaries") == [secondary]
    build(alice, {FILE: ""})
    assert dns.get(f"/zones/{zone}/secondaries") == []
    assert faults(alice, {FILE: '\nslave("ns.example.net", "x")'}) == [
        "example.com.lua:2: x: address must be an IP address or a network"
    ]


def test_clones_are_evaluated_with_their_own_name(dns: LuaDns, alice: Account) -> None:
    files = {
        FILE: 'cname("www", _a)\nboth("x")',
        "example.com.clones": "example.net\n\n# a comment\nexample.org\n",
        "templates.lua": 'address = "192.0.2.1"',
        "templates/both.lua": 'function both(name) a(name, address) aaaa(name, "::1") end',
    }
    assert build(alice, files) == dict.fromkeys(["example.com", "example.net", "example.org"], "create")
    for name in ("example.net", "example.org"):
        assert dns.own(zone_id(dns, name)) == [
            (f"x.{name}.", "A", "192.0.2.1"),
            (f"x.{name}.", "AAAA", "::1"),
            (f"www.{name}.", "CNAME", f"{name}."),
        ]


def test_a_bind_file_has_no_records_of_the_system(dns: LuaDns, alice: Account) -> None:
    text = "$TTL 60\n@ IN SOA a. b. 1 2 3 4 5\n@ IN NS ns.old.test.\nwww IN A 192.0.2.1\n"
    build(alice, {"1.168.192.in-addr.arpa.lua": 'ptr(1, "router.example.net")', "example.com.bind": text})
    assert dns.own(zone_id(dns)) == [("www.example.com.", "A", "192.0.2.1")]
    assert dns.own(zone_id(dns, "1.168.192.in-addr.arpa")) == [
        ("1.1.168.192.in-addr.arpa.", "PTR", "router.example.net.")
    ]


def test_a_fault_in_one_file_changes_nothing(dns: LuaDns, alice: Account) -> None:
    build(alice, {FILE: 'a("", "192.0.2.1")'})
    files = {
        FILE: 'a("", "192.0.2.2")',
        "a.test.lua": 'cname("www", "x.test")\na("www", "192.0.2.1")',
        "b.test.bind": "\nwww IN A 1\n",
        "c.test.lua": 'mx("", "mx.x")\na("", "1.2.3")\na("a b", "192.0.2.1")',
    }
    assert faults(alice, files) == [
        "a.test.lua:2: www A: CNAME record cannot exist beside other records of the same name",
        "b.test.bind:2: Text input is malformed.",
        "c.test.lua:2: @ A: invalid IPv4 address",
        "c.test.lua:3: a b A: invalid name",
    ]
    assert dns.own(zone_id(dns)) == [("example.com.", "A", "192.0.2.1")]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (
            {FILE: "", "example.com.bind": ""},
            "example.com.lua: the zone example.com is made by example.com.bind already",
        ),
        ({FILE: "", "Example.com.lua": ""}, "example.com.lua: the zone example.com is made by Example.com.lua already"),
        (
            {FILE: "", "b.test.lua": "", "example.com.clones": "\nb.test"},
            "example.com.clones: the zone b.test is made by b.test.lua already",
        ),
        ({"b.test.clones": "x.test"}, "b.test.clones: there is no b.test.lua to clone"),
        ({FILE: "", "example.com.clones": "x.test\na b"}, "example.com.clones:2: a b is not the name of a zone"),
        ({"helpers.lua": ""}, "helpers.lua: helpers is not the name of a zone"),
        ({"a.test.lua": "while true do end"}, "a.test.lua:1: too many instructions"),
        (
            {FILE: "", "a.test.lua": "", "templates.lua": "\nx ="},
            "templates.lua:2: unexpected symbol near '<eof>'",
        ),
        ({FILE: "for i = 1, 11 do a('h' .. i, '192.0.2.1') end"}, "example.com.lua: A zone has at most 10 records."),
    ],
)
def test_files_that_make_no_zones_have_clear_faults(
    dns: LuaDns, alice: Account, files: dict[str, str], expected: str
) -> None:
    with settings.override(luadns_max_records=10):
        assert faults(alice, files) == [expected]


def test_an_account_has_a_limit_of_zones(dns: LuaDns, alice: Account) -> None:
    with settings.override(luadns_max_zones=1):
        assert faults(alice, {FILE: "", "a.test.lua": ""}) == ["An account has at most 1 zones."]


def test_zones_of_others_are_taken(dns: LuaDns, alice: Account, bob: Account) -> None:
    build(bob, {FILE: ""})
    assert faults(alice, {FILE: ""}) == ["example.com.lua: Zone 'example.com' is taken already."]
    assert faults(alice, {"x.example.com.lua": ""}) == ["x.example.com.lua: Zone 'x.example.com' is taken already."]


def test_a_zone_that_was_not_built_is_not_touched(dns: LuaDns, alice: Account) -> None:
    zone = dns.zone()
    dns.record(zone, "www", "A", "192.0.2.1")
    (fault,) = faults(alice, {FILE: 'a("www", "192.0.2.2")'})
    assert fault.startswith("example.com.lua: the zone example.com exists and was not built from a repository")
    assert build(alice, {"a.test.lua": ""}, prune=True) == {"a.test": "create"}
    assert build(alice, {"a.test.lua": "", FILE: 'a("www", "192.0.2.2")'}, adopt=True)["example.com"] == "change"
    assert dns.own(zone) == [("www.example.com.", "A", "192.0.2.2")]
    assert build(alice, {"a.test.lua": ""}) == {"a.test": "unchanged", "example.com": "file removed"}


def test_a_zone_whose_file_was_removed_stays_until_it_is_pruned(dns: LuaDns, alice: Account) -> None:
    build(alice, {FILE: "", "a.test.lua": ""})
    assert build(alice, {"a.test.lua": ""}) == {"a.test": "unchanged", "example.com": "file removed"}
    assert [zone["name"] for zone in dns.get("/zones")] == ["a.test", "example.com"]
    assert build(alice, {"a.test.lua": ""}, prune=True) == {"a.test": "unchanged", "example.com": "remove"}
    assert [zone["name"] for zone in dns.get("/zones")] == ["a.test"]


def test_a_plan_writes_nothing(dns: LuaDns, alice: Account) -> None:
    build(alice, {FILE: 'a("x", "192.0.2.1")'})
    before = stored()
    (plan,) = planned(alice, {FILE: 'a("x", "192.0.2.2")'})
    assert [(state.name, state.content) for states in plan.difference for state in states] == [
        ("x.example.com.", "192.0.2.1"),
        ("x.example.com.", "192.0.2.2"),
    ]
    assert stored() == before


def exported(account: Account, zone: int) -> str:
    return export.export(*store.contents(Owner(int(account.id)), zone))


def test_an_export_is_readable(dns: LuaDns, alice: Account) -> None:
    zone = dns.zone()
    for name, type_, content, ttl in (
        ("www", "CNAME", "example.com.", 300),
        ("", "MX", "10 mx.example.net.", 300),
        ("", "A", "192.0.2.1", 60),
        ("_x._tcp", "SRV", "0 0 993 mail.example.com.", 300),
        ("", "TXT", 'say "a\\b"', 300),
        ("", "CAA", "0 issue letsencrypt.org", 300),
        ("", "CAA", "0  issue  x.org", 300),
        ("x", "HTTPS", "1 . alpn=h2", 300),
        ("WWW.example.com.example.com.", "A", "192.0.2.2", 300),
        ("example.com.example.com.", "A", "192.0.2.3", 300),
    ):
        dns.record(zone, name, type_, content, ttl=ttl)
    assert exported(alice, zone) == (
        "-- example.com\n\n"
        'a("", "192.0.2.1", 60)\ncaa("", "letsencrypt.org")\nrecord("", "CAA", "0  issue  x.org")\n'
        'mx("", "mx.example.net.", 10)\ntxt("", "say \\"a\\\\b\\"")\n\n'
        'srv("_x._tcp", "mail.example.com.", 993)\n\n'
        'a("example.com.example.com.", "192.0.2.3")\n\n'
        'a("WWW.example.com.example.com.", "192.0.2.2")\n\n'
        'cname("www", "example.com.")\n\n'
        'record("x", "HTTPS", "1 . alpn=h2")\n'
    )
    assert build(alice, {FILE: exported(alice, zone)}) == {"example.com": "unchanged"}


@pytest.mark.parametrize("seed", range(4))
def test_a_build_of_an_exported_zone_changes_nothing(dns: LuaDns, alice: Account, seed: int) -> None:
    random, zone, made = Random(seed), dns.zone(), 0
    for _ in range(120):
        made += dns("POST", f"/zones/{zone}/records", contents_at_random.record(random)).status == 200
    assert made > 40
    before = dns.get(f"/zones/{zone}/records")
    assert build(alice, {FILE: exported(alice, zone)}) == {"example.com": "unchanged"}
    assert dns.get(f"/zones/{zone}/records") == before


def test_fifty_zones_of_ten_thousand_records_take_less_than_twenty_seconds_of_cpu(dns: LuaDns, alice: Account) -> None:
    source = "for i = 1, 198 do a('host' .. i, '192.0.2.' .. i) end mx('', 'mx', 10) txt('', 'v=spf1 mx ~all')"
    files = {f"zone{number}.test.lua": source for number in range(50)}
    start = time.process_time()
    build(alice, files)
    assert time.process_time() - start < 20
    start = time.process_time()
    assert set(build(alice, files).values()) == {"unchanged"}
    assert time.process_time() - start < 20
