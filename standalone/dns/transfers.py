"""Zone transfers: whole (AXFR, RFC 5936) and incremental (IXFR, RFC 1995), signed if their request is (RFC 8945)."""

from typing import Any, cast

import dns.exception
import dns.flags
import dns.renderer
import dns.rrset
import dns.tsig
from dns.rdatatype import RdataType
from dns.rdtypes.ANY.SOA import SOA
from dns.rrset import RRset

from chalicelib.luadns import incremental
from chalicelib.luadns.stored_zones import StoredZone
from standalone.dns import messages, signatures
from standalone.dns.messages import Question

_MAX_MESSAGE = 16 * 1024  # bytes; names are compressed within the first 16 KB only
_SIGNATURE = 512  # bytes that are reserved for a TSIG record: two names and a MAC of 64 bytes


def transfer(question: Question, zone: StoredZone) -> list[bytes]:
    """Return the messages of a transfer.

    For IXFR: the differences since the client's serial; the current SOA alone if the client has it; otherwise, and for
    AXFR, the whole zone.
    """
    records = _incremental(question, zone) if question.rdtype == RdataType.IXFR else None
    if records is None:
        whole = [
            dns.rrset.from_rdata(rrset.name, rrset.ttl, rdata) for rrset in zone.whole().rrsets() for rdata in rrset
        ]
        records = [*whole, whole[0]]
    return _messages(question, records)


def current_soa(question: Question, zone: StoredZone) -> bytes:
    """Return the answer to IXFR by UDP: the current SOA alone, so that the client repeats the request by TCP."""
    return _messages(question, [_soa(zone)])[0]


def _incremental(question: Question, zone: StoredZone) -> list[RRset] | None:
    serial = _serial_of(question)
    if serial is None:
        return None
    if serial >= zone.serial:
        return [_soa(zone)]
    found = incremental.since(zone, serial)
    if found is None:
        return None
    return [found.soa_after, found.soa_before, *found.removed, found.soa_after, *found.added, found.soa_after]


def _serial_of(question: Question) -> int | None:
    """The serial that the client of an IXFR has; None if it sends no SOA."""
    for rrset in question.message.authority:
        if rrset.rdtype == RdataType.SOA and rrset:
            return cast(SOA, rrset[0]).serial
    return None


def _soa(zone: StoredZone) -> RRset:
    found = zone.rrset(zone.apex, RdataType.SOA)
    assert found is not None, "a zone has an SOA record"
    return found


def _messages(question: Question, records: list[RRset]) -> list[bytes]:
    parts: list[bytes] = []
    pending, context = records[::-1], None
    while pending:
        part, context = _message(question, pending, context)
        parts.append(part)
    return parts


def _message(question: Question, pending: list[RRset], context: Any) -> tuple[bytes, Any]:
    """A message with as many records as it can hold, removed from the end of `pending`, and the context of its MAC."""
    response = messages.begin(question.message)
    flags = response.flags | dns.flags.AA
    reserved = _SIGNATURE if question.key else 0
    largest = messages.MAX_TCP - reserved
    part = dns.renderer.Renderer(response.id, flags, _MAX_MESSAGE if len(pending) > 1 else largest)
    part.add_question(question.name, question.rdtype)
    first = len(pending)
    while pending:
        try:
            part.add_rrset(dns.renderer.ANSWER, pending[-1])
        except dns.exception.TooBig:
            if len(pending) == first:  # a single record that exceeds the limit
                part.max_size = largest
                continue
            break
        pending.pop()
    part.write_header()
    if question.key:
        context = _sign(part, question, context)
    wire: bytes = part.get_wire()
    return wire, context


def _sign(part: dns.renderer.Renderer, question: Question, context: Any) -> Any:
    query = question.message
    part.max_size = messages.MAX_TCP
    arguments = (query.keyname, query.keyring, signatures.FUDGE, query.id, 0, b"", query.mac, query.keyalgorithm)
    return part.add_multi_tsig(context, *arguments)
