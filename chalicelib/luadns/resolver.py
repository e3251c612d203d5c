"""What an authoritative server answers: the rules of RFC 1034, 2308, 4592, 6604 and 8482, without a network.

ALIAS is a CNAME that only address queries see: it is resolved here, and stands beside other records.
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
from dns.rdtypes.ANY.NS import NS
from dns.rrset import RRset

from chalicelib.luadns.zone_data import Key, ZoneData, key_of

LONGEST_CHAIN = 8  # CNAMEs or ALIASes followed for one question
ADDRESSES = (RdataType.A, RdataType.AAAA)


class Unresolvable(Exception):
    """An ALIAS leads to where no answer comes from."""


class Pending(Exception):
    """What an ALIAS leads to would have to be asked for elsewhere first."""


@dataclass(frozen=True)
class Addresses:
    """What an ALIAS leads to: addresses as text, none when the name has none; `ttl` in seconds."""

    ttl: int
    texts: tuple[str, ...]


FindZone = Callable[[Name], ZoneData | None]  # the deepest zone around a name
FindAddresses = Callable[[Name, RdataType], Addresses]  # a foreign name's; may raise Unresolvable or Pending


@dataclass
class Answer:
    """What to say: code, whether it is authoritative, and the three sections. `zone` is None for a foreign name.

    `passing` tells that foreign addresses are in it, which change without the zone.
    """

    rcode: Rcode = Rcode.NOERROR
    authoritative: bool = True
    answer: list[RRset] = field(default_factory=list)
    authority: list[RRset] = field(default_factory=list)
    additional: list[RRset] = field(default_factory=list)
    zone: ZoneData | None = None
    passing: bool = False


class Resolver:
    """Answers from the zones that `find_zone` knows; addresses of foreign names come from `find_addresses`."""

    def __init__(self, find_zone: FindZone, find_addresses: FindAddresses) -> None:
        self.find_zone = find_zone
        self._find_addresses = find_addresses

    def resolve(self, name: Name, rdtype: RdataType) -> Answer:
        """Answer a question of class IN. What an ALIAS does not come to is SERVFAIL. May raise Pending."""
        zone = self._zone_for(name, rdtype)
        if zone is None:
            return Answer(Rcode.REFUSED, authoritative=False)
        answer = Answer(zone=zone)
        try:
            self._follow(answer, zone, name, rdtype, LONGEST_CHAIN)
        except Unresolvable:
            return Answer(Rcode.SERVFAIL, authoritative=False, zone=zone)
        return answer

    def _zone_for(self, name: Name, rdtype: RdataType) -> ZoneData | None:
        """The zone to answer from: a DS record is its parent's, also where the child is served as well.

        A parent that knows nothing of the child must not be asked: its NXDOMAIN would be taken for the child's.
        """
        if rdtype == RdataType.DS and name != dns.name.root:
            above = self.find_zone(name.parent())
            if above is not None and above.exists(key_of(name)):
                return above
        return self.find_zone(name)

    def _follow(self, answer: Answer, zone: ZoneData, name: Name, rdtype: RdataType, left: int) -> None:
        """Add what the zone has for `name`, and for what its CNAMEs lead to within the zone."""
        while (step := self._step(answer, zone, name, rdtype, left)) is not None:
            name, left = step, left - 1
            if left == 0 or not name.is_subdomain(zone.origin):
                return

    def _step(self, answer: Answer, zone: ZoneData, name: Name, rdtype: RdataType, left: int) -> Name | None:
        """Add what stands at one name; returns where its CNAME leads."""
        key = key_of(name)
        cut = zone.cut_above(key, itself=rdtype != RdataType.DS)
        if cut is not None:
            _refer(answer, zone, cut)
            return None
        place = zone.place(key)
        if place is None:
            answer.rcode = Rcode.NXDOMAIN
            answer.authority.append(zone.negative_soa)
            return None
        if rdtype == RdataType.ANY:
            _answer_any(answer, zone, place, name)
            return None
        cname = zone.rrset(place, RdataType.CNAME, name) if rdtype != RdataType.CNAME else None
        if cname is not None:
            if cname in answer.answer:  # a loop: what is there tells the client as much
                return None
            answer.answer.append(cname)
            return cast(CNAME, cname[0]).target
        found = zone.rrset(place, rdtype, name)
        if found is None and rdtype in ADDRESSES:
            found = self._from_alias(answer, zone, place, name, rdtype, left)
        if found is not None:
            answer.answer.append(found)
        else:
            answer.authority.append(zone.negative_soa)
        return None

    def _from_alias(
        self, answer: Answer, zone: ZoneData, place: Key, name: Name, rdtype: RdataType, left: int
    ) -> RRset | None:
        """The addresses that an ALIAS at `place` leads to, as records of `name`."""
        alias = zone.alias(place)
        if alias is None:
            return None
        ttl, target = alias
        found = self._addresses(answer, target, rdtype, left - 1)
        if not found.texts:
            return None
        return dns.rrset.from_text_list(name, min(ttl, found.ttl), "IN", rdtype, found.texts)

    def _addresses(self, answer: Answer, target: Name, rdtype: RdataType, left: int) -> Addresses:
        """The addresses of any name: ours from our zones, also through CNAMEs into other ones, else foreign ones."""
        if left <= 0:
            raise Unresolvable(f"too many steps to {target}")
        zone = self.find_zone(target)
        if zone is None:
            answer.passing = True
            return self._find_addresses(target, rdtype)
        inner = Answer(zone=zone)
        self._follow(inner, zone, target, rdtype, left)
        answer.passing = answer.passing or inner.passing or zone is not answer.zone
        if not inner.authoritative:  # delegated: those who have the zone know
            answer.passing = True
            return self._find_addresses(target, rdtype)
        if inner.authority or not inner.answer:
            return Addresses(0, ())
        ttl, last = min(rrset.ttl for rrset in inner.answer), inner.answer[-1]
        if last.rdtype == rdtype:
            return Addresses(ttl, tuple(rdata.to_text() for rdata in last))
        further = self._addresses(answer, cast(CNAME, last[0]).target, rdtype, left - len(inner.answer))
        return replace(further, ttl=min(ttl, further.ttl))


def _refer(answer: Answer, zone: ZoneData, cut: Key) -> None:
    """Send the client to the name servers below a zone cut, with such addresses of theirs as the zone has."""
    servers = zone.rrset(cut, RdataType.NS)
    assert servers is not None
    answer.authoritative = bool(answer.answer)  # it is about the first name, which may be a CNAME of ours
    answer.authority.append(servers)
    for server in servers:
        for rdtype in ADDRESSES:
            glue = zone.rrset(key_of(cast(NS, server).target), rdtype)
            if glue is not None:
                answer.additional.append(glue)


def _answer_any(answer: Answer, zone: ZoneData, place: Key, name: Name) -> None:
    """One set of those at the name, the shortest: a large answer to ANY serves attackers only (RFC 8482)."""
    sets = [found for rdtype in zone.types(place) if (found := zone.rrset(place, rdtype, name)) is not None]
    if sets:
        answer.answer.append(min(sets, key=lambda rrset: len(rrset.to_text())))
    else:
        answer.authority.append(zone.negative_soa)
