"""The resolver's answers, rule by rule."""

from collections.abc import Iterable

import pytest
from dns.name import Name
from dns.rcode import Rcode
from dns.rdatatype import RdataType
from dns.rrset import RRset

from chalicelib.luadns.resolver import Addresses, Answer, Resolver, Unresolvable
from chalicelib.luadns.zone_data import Key, Line, Node, ZoneData, key_of, parse_name

SOA = "@ 3600 SOA ns1.dns.test. hostmaster.dns.test. 7 1200 120 604800 900"
NEGATIVE = "example.com. 900 IN SOA ns1.dns.test. hostmaster.dns.test. 7 1200 120 604800 900"


class TextZone(ZoneData):
    """A zone from lines of text: name, TTL, type and content; `@` and names without a trailing dot are relative."""

    def __init__(self, origin: str, *lines: str) -> None:
        super().__init__((origin, "zone"), parse_name(origin), 7)
        self._nodes: dict[Key, dict[str, list[Line]]] = {}
        for text in (SOA, "@ 86400 NS ns1.dns.test.", *lines):
            name, ttl, type_, content = text.split(" ", 3)
            node = self._nodes.setdefault(key_of(parse_name(name, self.origin)), {})
            node.setdefault(type_, []).append(Line(type_, content, int(ttl)))

    def node(self, key: Key) -> Node:
        return self._nodes.get(key, {})

    def exists(self, key: Key) -> bool:
        return any(name[-len(key) :] == key for name in self._nodes)

    def nodes(self) -> Iterable[tuple[Key, Node]]:
        return self._nodes.items()

    def whole(self) -> ZoneData:
        return self


ZONE = TextZone(
    "example.com.",
    "@ 300 MX 10 mail.example.com.",
    "www 300 A 192.0.2.1",
    "www 60 A 192.0.2.2",
    "www 300 TXT hello",
    "alias 300 CNAME www.example.com.",
    "twice 300 CNAME alias.example.com.",
    "away 300 CNAME www.elsewhere.test.",
    "dangling 300 CNAME nowhere.example.com.",
    "loop 300 CNAME pool.example.com.",
    "pool 300 CNAME loop.example.com.",
    "a.b.deep 300 A 192.0.2.3",
    "*.wild 300 A 192.0.2.4",
    "*.wild 300 MX 10 mail.example.com.",
    "exact.wild 300 TXT only text",
    "below.exact.wild 300 TXT more",
    "x.*.star 300 TXT below an asterisk",
    "*.cw 300 CNAME www.example.com.",
    "sub 300 NS ns.sub.example.com.",
    "sub 300 NS ns2.dns.test.",
    "sub 300 DS 12345 13 2 " + "ab" * 32,
    "ns.sub 300 A 192.0.2.53",
    "ns.sub 300 AAAA 2001:db8::53",
    "to-sub 300 CNAME host.sub.example.com.",
    "signed 300 NS ns1.dns.test.",
    "signed 300 DS 1 13 2 " + "cd" * 32,
    "old 300 SPF v=spf1 -all",
    "apex 120 ALIAS www.example.com.",
    "far 300 ALIAS cdn.elsewhere.test.",
    "far 300 TXT next to the ALIAS",
    "chained 300 ALIAS away.example.com.",
    "dead 300 ALIAS broken.elsewhere.test.",
    "void 300 ALIAS nothing.elsewhere.test.",
    "self 300 ALIAS self.example.com.",
    "ours 300 ALIAS www.other.test.",
    "missing 300 ALIAS nowhere.example.com.",
    "delegated 300 ALIAS host.sub.example.com.",
    "fixed 300 ALIAS cdn.elsewhere.test.",
    "fixed 300 A 192.0.2.9",
    "bad 300 A not an address",
)
OTHER = TextZone("other.test.", "www 30 A 198.51.100.7")
CHILD = TextZone("child.example.com.", "@ 300 TXT the child's")
SIGNED = TextZone("signed.example.com.")
FAR = {
    ("cdn.elsewhere.test.", RdataType.A): Addresses(40, ("203.0.113.1", "203.0.113.2")),
    ("cdn.elsewhere.test.", RdataType.AAAA): Addresses(40, ("2001:db8::1",)),
    ("www.elsewhere.test.", RdataType.A): Addresses(900, ("203.0.113.3",)),
    ("host.sub.example.com.", RdataType.A): Addresses(70, ("203.0.113.4",)),
    ("nothing.elsewhere.test.", RdataType.A): Addresses(30, ()),
}


def upstream(name: Name, rdtype: RdataType) -> Addresses:
    try:
        return FAR[name.to_text(), rdtype]
    except KeyError:
        raise Unresolvable from None


def find(name: Name) -> ZoneData | None:
    around = [zone for zone in (ZONE, OTHER, CHILD, SIGNED) if name.is_subdomain(zone.origin)]
    return max(around, key=lambda zone: len(zone.apex), default=None)


def ask(name: str, rdtype: str = "A") -> Answer:
    return Resolver(find, upstream).resolve(parse_name(name), RdataType.from_text(rdtype))


def texts(section: list[RRset]) -> list[str]:
    return sorted(line for rrset in section for line in rrset.to_text().splitlines())


def no_data(answer: Answer) -> bool:
    return (answer.rcode, answer.answer, texts(answer.authority)) == (Rcode.NOERROR, [], [NEGATIVE])


def test_a_record_set_has_its_lowest_ttl() -> None:
    answer = ask("www.example.com.")
    assert texts(answer.answer) == ["www.example.com. 60 IN A 192.0.2.1", "www.example.com. 60 IN A 192.0.2.2"]
    assert (answer.rcode, answer.authoritative, answer.authority, answer.additional) == (Rcode.NOERROR, True, [], [])


def test_an_answer_preserves_the_letter_case_of_the_question() -> None:
    assert str(ask("wWw.ExAmPlE.cOm.", "TXT").answer[0]) == 'wWw.ExAmPlE.cOm. 300 IN TXT "hello"'


def test_the_apex_has_its_soa_and_name_servers() -> None:
    assert str(ask("example.com.", "SOA").answer[0]).endswith(" 7 1200 120 604800 900")
    assert texts(ask("example.com.", "NS").answer) == ["example.com. 86400 IN NS ns1.dns.test."]


def test_a_name_without_the_type_is_no_data() -> None:
    assert no_data(ask("www.example.com.", "AAAA"))


@pytest.mark.parametrize("name", ["deep.example.com.", "b.deep.example.com.", "wild.example.com."])
def test_an_empty_non_terminal_is_no_data(name: str) -> None:
    assert no_data(ask(name))


def test_a_missing_name_is_nxdomain_with_the_soa() -> None:
    answer = ask("nowhere.example.com.")
    assert (answer.rcode, answer.answer, texts(answer.authority)) == (Rcode.NXDOMAIN, [], [NEGATIVE])


def test_a_foreign_name_is_refused() -> None:
    answer = ask("example.net.")
    assert (answer.rcode, answer.authoritative, answer.answer, answer.authority) == (Rcode.REFUSED, False, [], [])


def test_a_cname_is_followed_within_the_zone() -> None:
    assert texts(ask("twice.example.com.", "TXT").answer) == [
        "alias.example.com. 300 IN CNAME www.example.com.",
        "twice.example.com. 300 IN CNAME alias.example.com.",
        'www.example.com. 300 IN TXT "hello"',
    ]


def test_a_query_for_cname_does_not_follow_it() -> None:
    assert texts(ask("twice.example.com.", "CNAME").answer) == ["twice.example.com. 300 IN CNAME alias.example.com."]


def test_a_cname_out_of_the_zone_is_not_followed() -> None:
    answer = ask("away.example.com.")
    assert texts(answer.answer) == ["away.example.com. 300 IN CNAME www.elsewhere.test."]
    assert (answer.rcode, answer.authority) == (Rcode.NOERROR, [])


def test_a_cname_to_a_missing_name_is_nxdomain() -> None:
    answer = ask("dangling.example.com.")
    assert (answer.rcode, texts(answer.authority)) == (Rcode.NXDOMAIN, [NEGATIVE])
    assert texts(answer.answer) == ["dangling.example.com. 300 IN CNAME nowhere.example.com."]


def test_a_loop_of_cnames_ends() -> None:
    answer = ask("loop.example.com.")
    assert (answer.rcode, len(answer.answer)) == (Rcode.NOERROR, 2)


@pytest.mark.parametrize("name", ["x.wild.example.com.", "x.y.wild.example.com.", "*.wild.example.com."])
def test_a_wildcard_matches_missing_names(name: str) -> None:
    assert texts(ask(name).answer) == [f"{name} 300 IN A 192.0.2.4"]
    assert no_data(ask(name, "TXT"))


@pytest.mark.parametrize(("name", "code"), [("exact", Rcode.NOERROR), ("x.exact", Rcode.NXDOMAIN)])
def test_a_wildcard_matches_neither_existing_names_nor_names_below_them(name: str, code: Rcode) -> None:
    answer = ask(f"{name}.wild.example.com.")
    assert (answer.rcode, answer.answer) == (code, [])


def test_an_empty_non_terminal_wildcard_is_no_data() -> None:
    assert no_data(ask("anything.star.example.com.", "TXT"))


def test_a_wildcard_cname_is_followed() -> None:
    assert texts(ask("any.cw.example.com.", "TXT").answer) == [
        "any.cw.example.com. 300 IN CNAME www.example.com.",
        'www.example.com. 300 IN TXT "hello"',
    ]


@pytest.mark.parametrize("name", ["sub", "host.sub", "x.y.sub", "ns.sub"])
def test_a_delegated_name_gets_a_referral_with_glue(name: str) -> None:
    answer = ask(f"{name}.example.com.")
    assert (answer.rcode, answer.authoritative, answer.answer) == (Rcode.NOERROR, False, [])
    assert texts(answer.authority) == [
        "sub.example.com. 300 IN NS ns.sub.example.com.",
        "sub.example.com. 300 IN NS ns2.dns.test.",
    ]
    assert texts(answer.additional) == [
        "ns.sub.example.com. 300 IN A 192.0.2.53",
        "ns.sub.example.com. 300 IN AAAA 2001:db8::53",
    ]


def test_the_parent_answers_for_the_ds_record_of_a_delegation() -> None:
    answer = ask("sub.example.com.", "DS")
    assert (answer.authoritative, len(answer.answer), answer.authority) == (True, 1, [])


def test_the_parent_answers_for_the_ds_record_even_if_the_child_zone_is_ours() -> None:
    answer = ask("signed.example.com.", "DS")
    assert (answer.zone, len(answer.answer)) == (ZONE, 1)


def test_a_child_zone_without_delegation_answers_for_itself() -> None:
    answer = ask("child.example.com.", "DS")
    assert (answer.zone, answer.rcode, answer.answer) == (CHILD, Rcode.NOERROR, [])
    assert texts(ask("child.example.com.", "TXT").answer) == ['child.example.com. 300 IN TXT "the child\'s"']


def test_a_cname_into_a_delegation_gets_the_cname_and_a_referral() -> None:
    answer = ask("to-sub.example.com.")
    assert (answer.authoritative, len(answer.answer), len(answer.authority[0])) == (True, 1, 2)


def test_any_returns_one_record_set() -> None:
    assert len(ask("www.example.com.", "ANY").answer) == 1
    assert texts(ask("alias.example.com.", "ANY").answer) == ["alias.example.com. 300 IN CNAME www.example.com."]
    assert no_data(ask("deep.example.com.", "ANY"))
    assert ask("nowhere.example.com.", "ANY").rcode == Rcode.NXDOMAIN


def test_spf_is_a_type_of_its_own() -> None:
    assert texts(ask("old.example.com.", "SPF").answer) == ['old.example.com. 300 IN SPF "v=spf1 -all"']


def test_an_alias_within_our_zones_has_the_target_s_addresses_and_the_lower_ttl() -> None:
    assert texts(ask("apex.example.com.").answer) == [
        "apex.example.com. 60 IN A 192.0.2.1",
        "apex.example.com. 60 IN A 192.0.2.2",
    ]
    assert texts(ask("ours.example.com.").answer) == ["ours.example.com. 30 IN A 198.51.100.7"]


def test_an_alias_to_a_foreign_name_is_resolved() -> None:
    answer = ask("far.example.com.")
    assert texts(answer.answer) == ["far.example.com. 40 IN A 203.0.113.1", "far.example.com. 40 IN A 203.0.113.2"]
    assert answer.volatile
    assert texts(ask("far.example.com.", "AAAA").answer) == ["far.example.com. 40 IN AAAA 2001:db8::1"]


def test_an_alias_follows_cnames_out_of_our_zones() -> None:
    assert texts(ask("chained.example.com.").answer) == ["chained.example.com. 300 IN A 203.0.113.3"]


def test_an_alias_into_a_delegation_is_resolved_upstream() -> None:
    assert texts(ask("delegated.example.com.").answer) == ["delegated.example.com. 70 IN A 203.0.113.4"]


def test_an_alias_hides_neither_other_types_nor_stored_addresses() -> None:
    assert texts(ask("far.example.com.", "TXT").answer) == ['far.example.com. 300 IN TXT "next to the ALIAS"']
    assert no_data(ask("far.example.com.", "MX"))
    assert texts(ask("fixed.example.com.").answer) == ["fixed.example.com. 300 IN A 192.0.2.9"]


@pytest.mark.parametrize("name", ["void", "missing"])
def test_an_alias_to_a_name_without_addresses_is_no_data(name: str) -> None:
    assert no_data(ask(f"{name}.example.com."))


@pytest.mark.parametrize("name", ["dead", "self"])
def test_an_unresolvable_alias_is_servfail(name: str) -> None:
    answer = ask(f"{name}.example.com.")
    assert (answer.rcode, answer.authoritative, answer.answer) == (Rcode.SERVFAIL, False, [])


def test_an_invalid_stored_record_is_skipped() -> None:
    assert no_data(ask("bad.example.com."))
