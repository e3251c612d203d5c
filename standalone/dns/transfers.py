"""Zone transfers (RFC 5936) to the configured secondaries. IXFR is answered with the whole zone."""

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

_MAX_MESSAGE = 16 * 1024  # bytes; names are compressed within the first 16 KB only


def allowed(peer: str) -> bool:
    """Whether the address `peer` may transfer zones."""
    address = ip_address(peer.partition("%")[0])
    address = getattr(address, "ipv4_mapped", None) or address
    return any(address in ip_network(network, strict=False) for network in settings.current().luadns_transfer_to)


def transfer(question: Question, zone: ZoneData) -> list[bytes]:
    """Return the messages of a transfer: the zone between two copies of its SOA record."""
    records = [dns.rrset.from_rdata(rrset.name, rrset.ttl, rdata) for rrset in zone.whole().rrsets() for rdata in rrset]
    parts: list[bytes] = []
    pending: list[RRset] = [*records, records[0]][::-1]
    while pending:
        parts.append(_message(question, pending))
    return parts


def _message(question: Question, pending: list[RRset]) -> bytes:
    """A message with as many records as it can hold, removed from the end of `pending`."""
    response = messages.begin(question.message)
    flags = response.flags | dns.flags.AA
    part = dns.renderer.Renderer(response.id, flags, _MAX_MESSAGE if len(pending) > 1 else messages.MAX_TCP)
    part.add_question(question.name, question.rdtype)
    first = len(pending)
    while pending:
        try:
            part.add_rrset(dns.renderer.ANSWER, pending[-1])
        except dns.exception.TooBig:
            if len(pending) == first:  # a single record that exceeds the limit
                part.max_size = messages.MAX_TCP
                continue
            break
        pending.pop()
    part.write_header()
    wire: bytes = part.get_wire()
    return wire
