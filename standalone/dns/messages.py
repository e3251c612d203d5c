"""DNS messages: what may be answered at all, and how an answer goes out."""

import struct
from dataclasses import dataclass

import dns.exception
import dns.flags
import dns.message
import dns.rcode
from dns.message import Message
from dns.name import Name
from dns.opcode import Opcode
from dns.rcode import Rcode
from dns.rdataclass import RdataClass
from dns.rdatatype import RdataType

from chalicelib.luadns.resolver import Answer

HEADER = struct.Struct("!6H")
PLAIN_UDP = 512  # bytes that any client takes
LARGEST_UDP = 1232  # bytes that reach everybody unfragmented, as resolvers agreed on DNS Flag Day 2020
LARGEST_TCP = 65535
TRANSFERS = (RdataType.AXFR, RdataType.IXFR)
_NOT_DATA = range(128, 255)  # question types that name no data: TSIG, AXFR, MAILB ...; 255 is ANY


class Refused(Exception):
    """A message that gets no answer but this code, or none at all."""

    def __init__(self, reply: bytes | None) -> None:
        super().__init__()
        self.reply = reply


@dataclass(frozen=True)
class Question:
    """A well-formed query."""

    message: Message
    name: Name
    rdtype: RdataType

    @property
    def largest_udp(self) -> int:
        """How long an answer over UDP may be."""
        if self.message.edns < 0:
            return PLAIN_UDP
        return max(PLAIN_UDP, min(self.message.payload, LARGEST_UDP))


def parse(wire: bytes) -> Question:
    """Read a query. Raises Refused, with an answer that is never longer than what came in."""
    if len(wire) < HEADER.size:
        raise Refused(None)
    _, flags, questions, *_ = HEADER.unpack_from(wire)
    if flags & dns.flags.QR:
        raise Refused(None)  # answering answers would make two servers talk for ever
    if (flags >> 11) & 0xF != Opcode.QUERY:
        raise Refused(_bare(wire, Rcode.NOTIMP))
    if questions != 1:
        raise Refused(_bare(wire, Rcode.FORMERR))
    try:
        message = dns.message.from_wire(wire)
    except dns.message.UnknownTSIGKey:
        raise Refused(_bare(wire, Rcode.NOTAUTH)) from None
    except (dns.exception.DNSException, ValueError, struct.error):
        raise Refused(_bare(wire, Rcode.FORMERR)) from None
    asked = message.question[0]
    if message.edns > 0:
        raise Refused(render(message, Answer(Rcode.BADVERS, authoritative=False), PLAIN_UDP))
    if asked.rdclass != RdataClass.IN:
        raise Refused(render(message, Answer(Rcode.REFUSED, authoritative=False), PLAIN_UDP))
    if asked.rdtype == RdataType.OPT:
        raise Refused(_bare(wire, Rcode.FORMERR))
    if asked.rdtype in _NOT_DATA and asked.rdtype not in TRANSFERS:
        raise Refused(render(message, Answer(Rcode.NOTIMP, authoritative=False), PLAIN_UDP))
    return Question(message, asked.name, asked.rdtype)


def render(query: Message, answer: Answer, largest: int) -> bytes:
    """The answer as it is sent; one longer than `largest` bytes says instead that it was cut, and holds nothing."""
    response = begin(query)
    response.set_rcode(answer.rcode)
    if answer.authoritative:
        response.flags |= dns.flags.AA
    response.answer = answer.answer
    response.authority = answer.authority
    response.additional = answer.additional
    try:
        return response.to_wire(max_size=largest)
    except dns.exception.TooBig:
        response.answer, response.authority, response.additional = [], [], []
        response.flags |= dns.flags.TC
        return response.to_wire()


def begin(query: Message) -> Message:
    """An empty answer: the question as it was spelt, and EDNS when the client speaks it."""
    response = dns.message.make_response(query, our_payload=LARGEST_UDP)
    if query.edns >= 0:
        response.use_edns(0, query.ednsflags & dns.flags.DO, LARGEST_UDP)
    return response


def refuse(question: Question, rcode: Rcode = Rcode.REFUSED) -> bytes:
    """An answer with a code and nothing else."""
    return render(question.message, Answer(rcode, authoritative=False), PLAIN_UDP)


def failure(wire: bytes) -> bytes:
    """SERVFAIL for a message that was well-formed."""
    return _bare(wire, Rcode.SERVFAIL)


def _bare(wire: bytes, rcode: Rcode) -> bytes:
    """A header alone."""
    number, flags, *_ = HEADER.unpack_from(wire)
    return HEADER.pack(number, dns.flags.QR | (flags & 0x7900) | rcode, 0, 0, 0, 0)  # opcode and RD as they came
