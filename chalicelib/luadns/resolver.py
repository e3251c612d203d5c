"""Authoritative answers by the rules of RFC 1034, 2308, 4592, 6604 and 8482, without any network.

ALIAS acts as a CNAME for address queries only: the resolver follows it, and other records may exist at the same name.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import cast

import dns.name
import dns.rdatatype
from dns.name import Name
from dns.rcode import Rcode
from dns.rdatatype import RdataType
from dns.rdtypes.ANY.CNAME import CNAME
from dns.rdtypes.ANY.DNAME import DNAME
from dns.rdtypes.ANY.NS import NS
from dns.rrset import RRset

from chalicelib.luadns.zone_data import Key, ZoneData, key_of

MAX_CHAIN = 8  # CNAMEs and ALIASes that are followed for one question
ADDRESSES = (RdataType.A, RdataType.AAAA)


class Unresolvable(Exception):
    """The addresses of an ALIAS target cannot be found, because its name servers do not answer."""


class LookupRequired(Exception):
    """The addresses of an ALIAS target are not cached, and finding them needs a query to another server."""


@dataclass(frozen=True)
class Addresses:
    """The addresses of an ALIAS target, as text; empty if the name has none. `ttl` is in seconds."""

    ttl: int
    texts: tuple[str, ...]


FindZone = Callable[[Name], ZoneData | None]  # the deepest zone around a name
FindAddresses = Callable[[Name, RdataType], Addresses]  # a foreign name's; may raise Unresolvable or LookupRequired


@dataclass
class Answer:
    """A response: code, AA flag and the three sections. `zone` is None for a name in none of our zones.

    `volatile` means that it contains addresses from outside the zone, which change without it.
    """

    rcode: Rcode = Rcode.NOERROR
    authoritative: bool = True
    answer: list[RRset] = field(default_factory=list)
    authority: list[RRset] = field(default_factory=list)
    additional: list[RRset] = field(default_factory=list)
    zone: ZoneData | None = None
    volatile: bool = False


class Resolver:
    """Answers questions from the zones that `find_zone` returns; `find_addresses` resolves foreign names."""

    def __init__(self, find_zone: FindZone, find_addresses: FindAddresses) -> None:
        self.find_zone = find_zone
        self._find_addresses = find_addresses

    def resolve(self, name: Name, rdtype: RdataType) -> Answer:
        """Answer a question of class IN. An unresolvable ALIAS is SERVFAIL. May raise LookupRequired."""
        zone = self._zone_for(name, rdtype)
        if zone is None:
            return Answer(Rcode.REFUSED, authoritative=False)
        answer = Answer(zone=zone)
        try:
            self._follow(answer, zone, name, rdtype, MAX_CHAIN)
        except Unresolvable:
            return Answer(Rcode.SERVFAIL, authoritative=False, zone=zone)
        return answer

    def _zone_for(self, name: Name, rdtype: RdataType) -> ZoneData | None:
        """The zone to answer from. The parent zone answers for DS records, even if the child zone is ours too.

        A parent zone without a delegation to the child does not answer: its NXDOMAIN would apply to the child.
        """
        if rdtype == RdataType.DS and name != dns.name.root:
            above = self.find_zone(name.parent())
            if above is not None and above.exists(key_of(name)):
                return above
        return self.find_zone(name)

    def _follow(self, answer: Answer, zone: ZoneData, name: Name, rdtype: RdataType, steps_left: int) -> None:
        """Add the records of `name`, and of its CNAME targets within the zone."""
        while (step := self._step(answer, zone, name, rdtype, steps_left)) is not None:
            name, steps_left = step, steps_left - 1
            if steps_left == 0 or not name.is_subdomain(zone.origin):
                return

    def _step(self, answer: Answer, zone: ZoneData, name: Name, rdtype: RdataType, steps_left: int) -> Name | None:
        """Add the records of one name; return the target if it has a CNAME."""
        key = key_of(name)
        cut = zone.zone_cut(key, inclusive=rdtype != RdataType.DS)
        source = zone.redirection(key)
        if source is not None and (cut is None or len(source) < len(cut)):
            return _redirect(answer, zone, source, name, rdtype)
        if cut is not None:
            _refer(answer, zone, cut)
            return None
        source = zone.source(key)
        if source is None:
            answer.rcode = Rcode.NXDOMAIN
            answer.authority.append(zone.negative_soa)
            return None
        if rdtype == RdataType.ANY:
            _answer_any(answer, zone, source, name)
            return None
        cname = zone.rrset(source, RdataType.CNAME, name) if rdtype != RdataType.CNAME else None
        if cname is not None:
            if cname in answer.answer:  # a loop, which the client sees in the answer
                return None
            answer.answer.append(cname)
            return cast(CNAME, cname[0]).target
        found = zone.rrset(source, rdtype, name)
        if found is None and rdtype in ADDRESSES:
            found = self._from_alias(answer, zone, source, name, rdtype, steps_left)
        if found is not None:
            answer.answer.append(found)
        else:
            answer.authority.append(zone.negative_soa)
        return None

    def _from_alias(
        self, answer: Answer, zone: ZoneData, source: Key, name: Name, rdtype: RdataType, steps_left: int
    ) -> RRset | None:
        """The addresses of the target of an ALIAS at `source`, as records of `name`."""
        alias = zone.alias(source)
        if alias is None:
            return None
        ttl, target = alias
        found = self._addresses(answer, target, rdtype, steps_left - 1)
        if not found.texts:
            return None
        return dns.rrset.from_text_list(name, min(ttl, found.ttl), "IN", rdtype, found.texts)

    def _addresses(self, answer: Answer, target: Name, rdtype: RdataType, steps_left: int) -> Addresses:
        """The addresses of any name: from our zones, following CNAMEs between them, otherwise from `find_addresses`."""
        if steps_left <= 0:
            raise Unresolvable(f"too many steps to {target}")
        zone = self.find_zone(target)
        if zone is None:
            answer.volatile = True
            return self._find_addresses(target, rdtype)
        inner = Answer(zone=zone)
        self._follow(inner, zone, target, rdtype, steps_left)
        answer.volatile = answer.volatile or inner.volatile or zone is not answer.zone
        if not inner.authoritative:  # delegated to other name servers
            answer.volatile = True
            return self._find_addresses(target, rdtype)
        if inner.authority or not inner.answer:
            return Addresses(0, ())
        ttl, last = min(rrset.ttl for rrset in inner.answer), inner.answer[-1]
        if last.rdtype == rdtype:
            return Addresses(ttl, tuple(rdata.to_text() for rdata in last))
        further = self._addresses(answer, cast(CNAME, last[0]).target, rdtype, steps_left - len(inner.answer))
        return replace(further, ttl=min(ttl, further.ttl))


def _redirect(answer: Answer, zone: ZoneData, source: Key, name: Name, rdtype: RdataType) -> Name | None:
    """Add the DNAME record at `source` and the CNAME that it means for a name below; return the CNAME's target."""
    found = zone.rrset(source, RdataType.DNAME)
    assert found is not None
    if found in answer.answer:  # a loop, which the client sees in the answer
        return None
    answer.answer.append(found)
    try:
        target = name.relativize(Name(source)).concatenate(cast(DNAME, found[0]).target)
    except dns.name.NameTooLong:
        answer.rcode = Rcode.YXDOMAIN
        return None
    answer.answer.append(dns.rrset.from_rdata(name, found.ttl, CNAME(found.rdclass, RdataType.CNAME, target)))
    return None if rdtype == RdataType.CNAME else target


def _refer(answer: Answer, zone: ZoneData, cut: Key) -> None:
    """Add a referral to the name servers below a zone cut, with the glue that the zone has."""
    servers = zone.rrset(cut, RdataType.NS)
    assert servers is not None
    answer.authoritative = bool(answer.answer)  # AA is about the first name, which may be a CNAME of ours
    answer.authority.append(servers)
    for server in servers:
        for rdtype in ADDRESSES:
            glue = zone.rrset(key_of(cast(NS, server).target), rdtype)
            if glue is not None:
                answer.additional.append(glue)


def _answer_any(answer: Answer, zone: ZoneData, source: Key, name: Name) -> None:
    """Add the shortest of the record sets at the name: large answers to ANY only help attackers (RFC 8482)."""
    sets = [found for rdtype in zone.types(source) if (found := zone.rrset(source, rdtype, name)) is not None]
    if sets:
        answer.answer.append(min(sets, key=lambda rrset: len(rrset.to_text())))
    else:
        answer.authority.append(zone.negative_soa)
