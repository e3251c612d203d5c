"""DNS messages: parse queries, and render answers."""

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
from chalicelib.luadns.tables import TsigKey
from standalone.dns import signatures
from standalone.dns.signatures import Keys

HEADER = struct.Struct("!6H")
PLAIN_UDP = 512  # bytes of an answer without EDNS
MAX_UDP = 1232  # bytes that are not fragmented on any common path (DNS Flag Day 2020)
MAX_TCP = 65535
TRANSFERS = (RdataType.AXFR, RdataType.IXFR)
_NOT_DATA = range(128, 255)  # question types that name no data: TSIG, AXFR, MAILB ...; 255 is ANY


class RefusedMessage(Exception):
    """A message that is answered with `reply`, or not at all (None)."""

    def __init__(self, reply: bytes | None) -> None:
        super().__init__()
        self.reply = reply


@dataclass(frozen=True)
class Question:
    """A well-formed query. `key` is the TSIG key that has signed it."""

    message: Message
    name: Name
    rdtype: RdataType
    key: TsigKey | None

    @property
    def max_udp(self) -> int:
        """The maximum size of an answer by UDP, in bytes."""
        if self.message.edns < 0:
            return PLAIN_UDP
        return max(PLAIN_UDP, min(self.message.payload, MAX_UDP))


def parse(wire: bytes, keys: Keys) -> Question:
    """Parse a query. Raises RefusedMessage; only the reply to a signature of a wrong time is longer than the query."""
    if len(wire) < HEADER.size:
        raise RefusedMessage(None)
    _, flags, questions, *_ = HEADER.unpack_from(wire)
    if flags & dns.flags.QR:
        raise RefusedMessage(None)  # two servers that answer answers would never stop
    if (flags >> 11) & 0xF != Opcode.QUERY:
        raise RefusedMessage(bare(wire, Rcode.NOTIMP))
    if questions != 1:
        raise RefusedMessage(bare(wire, Rcode.FORMERR))
    try:
        message = dns.message.from_wire(wire, keyring=keys.for_message)
    except signatures.WRONG as error:
        raise RefusedMessage(signatures.refusal(wire, error, keys)) from None
    except (dns.exception.DNSException, ValueError, struct.error):
        raise RefusedMessage(bare(wire, Rcode.FORMERR)) from None
    question = message.question[0]
    if message.edns > 0:
        raise RefusedMessage(render(message, Answer(Rcode.BADVERS, authoritative=False), PLAIN_UDP))
    if question.rdclass != RdataClass.IN:
        raise RefusedMessage(render(message, Answer(Rcode.REFUSED, authoritative=False), PLAIN_UDP))
    if question.rdtype == RdataType.OPT:
        raise RefusedMessage(bare(wire, Rcode.FORMERR))
    if question.rdtype in _NOT_DATA and question.rdtype not in TRANSFERS:
        raise RefusedMessage(render(message, Answer(Rcode.NOTIMP, authoritative=False), PLAIN_UDP))
    return Question(message, question.name, question.rdtype, keys.stored(message.keyname))


def render(query: Message, answer: Answer, max_size: int) -> bytes:
    """Return the answer in wire format; an answer longer than `max_size` bytes is truncated to an empty one."""
    response = begin(query)
    response.set_rcode(answer.rcode)
    if answer.authoritative:
        response.flags |= dns.flags.AA
    response.answer = answer.answer
    response.authority = answer.authority
    response.additional = answer.additional
    try:
        return response.to_wire(max_size=max_size)
    except dns.exception.TooBig:
        response.answer, response.authority, response.additional = [], [], []
        response.flags |= dns.flags.TC
        return response.to_wire()


def begin(query: Message) -> Message:
    """Return an empty response: the question with its letter case, and EDNS if the client uses it."""
    response = dns.message.make_response(query, our_payload=MAX_UDP)
    if query.edns >= 0:
        response.use_edns(0, query.ednsflags & dns.flags.DO, MAX_UDP)
    return response


def refuse(question: Question, rcode: Rcode = Rcode.REFUSED) -> bytes:
    """Return a response with a code and empty sections."""
    return render(question.message, Answer(rcode, authoritative=False), PLAIN_UDP)


def failure(wire: bytes) -> bytes:
    """Return SERVFAIL for a well-formed message."""
    return bare(wire, Rcode.SERVFAIL)


def bare(wire: bytes, rcode: Rcode) -> bytes:
    """A header without question."""
    number, flags, *_ = HEADER.unpack_from(wire)
    return HEADER.pack(number, dns.flags.QR | (flags & 0x7900) | rcode, 0, 0, 0, 0)  # with the query's opcode and RD
