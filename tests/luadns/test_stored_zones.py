"""Zones for name servers: small zones are read as a whole, large ones name by name, with the same answers."""

from concurrent.futures import ThreadPoolExecutor
from random import Random

import pytest
from dns.rcode import Rcode
from dns.rdatatype import RdataType

from chalicelib import settings
from chalicelib.luadns import stored_zones
from chalicelib.luadns.resolver import Addresses, Answer, Resolver
from chalicelib.luadns.tables import Zone
from chalicelib.luadns.zone_data import parse_name
from standalone.dns.zones import Zones
from tests.luadns.api import LuaDns
from tests.worlds import embedded_only

ROWS = [
    ("www", "A", "192.0.2.1"),
    ("www", "TXT", "hello"),
    ("a.b.deep", "A", "192.0.2.2"),
    ("*.wild", "A", "192.0.2.3"),
    ("x.wild", "TXT", "no address"),
    ("sub", "NS", "ns.sub.example.com."),
    ("ns.sub", "A", "192.0.2.53"),
    ("c", "CNAME", "any.wild.example.com."),
    ("", "ALIAS", "www.example.com."),
]
QUESTIONS = [
    ("www.example.com.", "A"),
    ("WWW.example.com.", "TXT"),
    ("www.example.com.", "MX"),
    ("example.com.", "A"),
    ("example.com.", "SOA"),
    ("example.com.", "NS"),
    ("deep.example.com.", "A"),
    ("b.deep.example.com.", "A"),
    ("z.b.deep.example.com.", "A"),
    ("any.wild.example.com.", "A"),
    ("x.wild.example.com.", "A"),
    ("y.x.wild.example.com.", "A"),
    ("c.example.com.", "A"),
    ("host.sub.example.com.", "A"),
    ("sub.example.com.", "DS"),
    ("nowhere.example.com.", "A"),
    ("a\\.b.example.com.", "A"),
    ("\\255.example.com.", "A"),
    ("example.org.", "A"),
    (".", "NS"),
    (".".join(["a"] * 120) + ".example.org.", "A"),
]


def no_upstream(*_: object) -> Addresses:
    raise AssertionError("a query to another server")


def ask(name: str, rdtype: str) -> Answer:
    return Resolver(stored_zones.find, no_upstream).resolve(parse_name(name), RdataType.from_text(rdtype))


def comparable(answer: Answer) -> tuple[object, ...]:
    """An answer without the SOA, which differs between two zones with the same records."""
    sections = (answer.answer, answer.authority, answer.additional)
    texts = [sorted(rrset.to_text() for rrset in section if rrset.rdtype != RdataType.SOA) for section in sections]
    return answer.rcode, answer.authoritative, texts


def fill(dns: LuaDns, zone: int, more: int) -> None:
    rows = [*ROWS, *((f"n{number}", "A", "192.0.2.9") for number in range(more))]
    body = [{"name": name, "type": type, "content": content} for name, type, content in rows]
    dns.make(f"/zones/{zone}/records/create_many", body)


def test_a_large_zone_gives_the_same_answers_as_a_small_one(dns: LuaDns, zone: int) -> None:
    fill(dns, zone, 0)
    small = [comparable(ask(*question)) for question in QUESTIONS]
    dns.make(f"/zones/{zone}/records/create_many", FILLERS)
    assert [comparable(ask(*question)) for question in QUESTIONS] == small
    assert {answer[0] for answer in small} == {Rcode.NOERROR, Rcode.NXDOMAIN, Rcode.REFUSED}


@pytest.mark.parametrize("more", [0, 210])
def test_a_zone_that_replays_its_changes_answers_as_one_that_was_just_read(dns: LuaDns, zone: int, more: int) -> None:
    """In a small zone, which is in memory, and in a large one, of which only the names of questions are."""
    fill(dns, zone, more)
    random = Random(5)
    cached = read(zone)
    for step in range(40):
        name = random.choice(("www", "a.b", "b", "*", "*.b", "@", "sub", "x.sub"))
        type_, content = random.choice(
            (
                ("A", "192.0.2.7"),
                ("TXT", "t"),
                ("NS", "ns.example.org."),
                ("FORWARD", "a@b.example"),
                ("MX", "1 m.example."),
            )
        )
        if random.random() < 0.6:
            dns("POST", f"/zones/{zone}/records", {"name": name, "type": type_, "content": content})
        else:
            dns("POST", f"/zones/{zone}/records/delete_many", [{"name": name, "type": type_}])
        if step % 3:
            continue  # several changes at once
        new = read(zone)
        replayed = cached if cached.serial == new.serial else cached.advanced(new.head)
        assert replayed is not None
        for question in ("www", "a.b", "b", "q.b", "q", "", "x.sub", "n3"):
            asked = parse_name(f"{question}.example.com." if question else "example.com.")
            for rdtype in (RdataType.A, RdataType.TXT, RdataType.MX, RdataType.NS, RdataType.SOA):
                answers = [Resolver(lambda name, z=z: z, no_upstream).resolve(asked, rdtype) for z in (replayed, new)]
                assert comparable(answers[0]) == comparable(answers[1]), (question, rdtype)
        assert replayed.negative_soa == new.negative_soa
        cached = replayed


FILLERS = [{"name": f"n{number}", "type": "A", "content": "192.0.2.9"} for number in range(210)]


def test_large_and_small_zones_return_all_records(dns: LuaDns, zone: int) -> None:
    fill(dns, zone, 0)
    small = {rrset.to_text() for rrset in read(zone).whole().rrsets()}
    dns.make(f"/zones/{zone}/records/create_many", FILLERS)
    large = [rrset.to_text() for rrset in read(zone).whole().rrsets()]
    assert large[0].startswith(f"example.com. 3600 IN SOA ns1.localhost. hostmaster.localhost. {dns.serial(zone)} ")
    assert {text for text in large if " IN SOA " not in text and not text.startswith("n")} == {
        text for text in small if " IN SOA " not in text and not text.startswith("n")
    }
    assert len(large) == len(small) + 210


def read(zone: int) -> stored_zones.StoredZone:
    found = stored_zones.find(parse_name("example.com."))
    assert found is not None
    assert found.ref[1] == f"zone#{zone:010d}"
    return found


@embedded_only  # moto needs half a minute for a transaction's conditions on 450 records
@pytest.mark.parametrize("size", [210, 450])
def test_the_cost_of_an_answer_does_not_depend_on_the_size_of_a_large_zone(
    dns: LuaDns, zone: int, calls: list[str], size: int
) -> None:
    fill(dns, zone, size)
    costs = {}
    for name in ("www", "nowhere", "any.wild"):
        calls.clear()
        ask(f"{name}.example.com.", "A")
        costs[name] = len(calls)
    # The claim, the zone and the names; and a Query for names below a name without records.
    assert costs == {"www": 3, "nowhere": 5, "any.wild": 5}


def test_an_answer_from_a_small_zone_costs_three_reads(dns: LuaDns, zone: int, calls: list[str]) -> None:
    fill(dns, zone, 0)
    for name in ("www", "nowhere", "any.wild"):
        calls.clear()
        ask(f"{name}.example.com.", "A")
        assert len(calls) == 3


def test_zones_are_cached_while_the_store_does_not_change(dns: LuaDns, zone: int, calls: list[str]) -> None:
    state = [1]
    resolver = Resolver(Zones(lambda: state[0]).find, no_upstream)
    resolver.resolve(parse_name("www.example.com."), RdataType.A)
    calls.clear()
    resolver.resolve(parse_name("www.example.com."), RdataType.TXT)
    assert calls == []
    resolver.resolve(parse_name("other.example.com."), RdataType.A)
    assert calls == ["BatchGetItem"]  # a zone of that name might exist
    state[0] += 1
    calls.clear()
    resolver.resolve(parse_name("www.example.com."), RdataType.A)
    assert len(calls) == 2  # the store has changed, but not this zone


def test_a_change_of_the_store_invalidates_the_cache(dns: LuaDns, zone: int) -> None:
    state = [1]
    resolver = Resolver(Zones(lambda: state[0]).find, no_upstream)
    www = parse_name("www.example.com.")
    assert resolver.resolve(www, RdataType.A).rcode == Rcode.NXDOMAIN
    dns.record(zone, "www", "A", "192.0.2.1")
    state[0] += 1
    assert resolver.resolve(www, RdataType.A).answer[0][0].to_text() == "192.0.2.1"
    dns("DELETE", f"/zones/{zone}")
    state[0] += 1
    assert resolver.resolve(www, RdataType.A).rcode == Rcode.REFUSED


def test_the_deepest_zone_answers(dns: LuaDns, zone: int) -> None:
    dns.zone("sub.example.com")
    assert ask("www.sub.example.com.", "A").zone.origin == parse_name("sub.example.com.")  # type: ignore[union-attr]
    assert ask("subs.example.com.", "A").zone.origin == parse_name("example.com.")  # type: ignore[union-attr]


@embedded_only
def test_threads_can_share_a_large_zone(dns: LuaDns, zone: int) -> None:
    fill(dns, zone, 210)
    resolver = Resolver(Zones(lambda: 1).find, no_upstream)
    names = [f"n{number}.example.com." for number in range(60)] * 4
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda name: resolver.resolve(parse_name(name), RdataType.A), names))
    assert {len(answer.answer) for answer in answers} == {1}


def test_add_queries_changes_the_query_count_only(dns: LuaDns, zone: int) -> None:
    before = dns.get(f"/zones/{zone}")
    ref = read(zone).ref
    stored_zones.add_queries(ref, 3)
    stored_zones.add_queries(ref, 4)
    assert dns.get(f"/zones/{zone}") == {**before, "queries_count": 7}
    dns("DELETE", f"/zones/{zone}")
    stored_zones.add_queries(ref, 1)
    assert Zone.find(*ref) is None


def published(name: str, rdtype: str) -> list[str]:
    return sorted(rdata.to_text() for rrset in ask(name, rdtype).answer for rdata in rrset)


def test_redirect_and_forward_are_published_as_the_configured_hosts(dns: LuaDns, zone: int) -> None:
    dns.record(zone, "old", "REDIRECT", "0 https://example.net/", ttl=60)
    dns.record(zone, "fixed", "REDIRECT", "0 https://example.net/")
    dns.record(zone, "fixed", "A", "192.0.2.1")
    dns.record(zone, "info", "FORWARD", "joe@example.net")
    with settings.override(luadns_redirect_to=("192.0.2.80", "2001:db8::80"), luadns_forward_to=("mx.example.net.",)):
        assert str(ask("old.example.com.", "A").answer[0]) == "old.example.com. 60 IN A 192.0.2.80"
        assert published("old.example.com.", "AAAA") == ["2001:db8::80"]
        assert published("fixed.example.com.", "A") == ["192.0.2.1"]
        assert published("example.com.", "MX") == ["10 mx.example.net."]
        dns.record(zone, "", "MX", "5 mail.example.com.")
        assert published("example.com.", "MX") == ["5 mail.example.com."]


def test_without_configured_hosts_redirect_and_forward_are_not_published(dns: LuaDns, zone: int) -> None:
    dns.record(zone, "old", "REDIRECT", "0 https://example.net/")
    dns.record(zone, "info", "FORWARD", "joe@example.net")
    assert ask("old.example.com.", "A").rcode == Rcode.NOERROR
    assert (published("old.example.com.", "A"), published("example.com.", "MX")) == ([], [])
    assert published("old.example.com.", "ANY") == []
    shown = dns.get(f"/zones/{zone}")
    assert (shown["redirects_count"], shown["forwards_count"]) == (1, 1)
