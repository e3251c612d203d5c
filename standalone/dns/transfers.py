"""Zone transfers (RFC 5936) to the secondaries that the settings name; IXFR is answered with the whole zone."""

from ipaddress import ip_address, ip_network

import dns.exception
import dns.flags
import dns.renderer
import dns.rrset
from dns.rrset import RRset

from chalicelib import settings
from chalicelib.luadns.zone_data import ZoneData
from standalone.dns import messages
from standalone.dns.messages import Question

_LARGEST = 16 * 1024  # bytes of a message: names are compressed within the first 16 KB only


def allowed(peer: str) -> bool:
    """Whether the address `peer` may have whole zones."""
    address = ip_address(peer.partition("%")[0])
    address = getattr(address, "ipv4_mapped", None) or address
    return any(address in ip_network(network, strict=False) for network in settings.current().luadns_transfer_to)


def transfer(question: Question, zone: ZoneData) -> list[bytes]:
    """The whole zone, between two copies of its SOA record."""
    records = [dns.rrset.from_rdata(rrset.name, rrset.ttl, rdata) for rrset in zone.whole().rrsets() for rdata in rrset]
    parts: list[bytes] = []
    waiting: list[RRset] = [*records, records[0]][::-1]
    while waiting:
        parts.append(_fill(question, waiting))
    return parts


def _fill(question: Question, waiting: list[RRset]) -> bytes:
    """A message with as many records as go into it, taken from the end of `waiting`."""
    response = messages.begin(question.message)
    flags = response.flags | dns.flags.AA
    part = dns.renderer.Renderer(response.id, flags, _LARGEST if len(waiting) > 1 else messages.LARGEST_TCP)
    part.add_question(question.name, question.rdtype)
    first = len(waiting)
    while waiting:
        try:
            part.add_rrset(dns.renderer.ANSWER, waiting[-1])
        except dns.exception.TooBig:
            if len(waiting) == first:  # one record larger than that
                part.max_size = messages.LARGEST_TCP
                continue
            break
        waiting.pop()
    part.write_header()
    wire: bytes = part.get_wire()
    return wire
