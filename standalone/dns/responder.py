"""Bytes in, bytes out: a query's whole way, with answers kept for as long as nothing in the store has changed."""

import logging
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from dns.rcode import Rcode

from chalicelib.luadns.resolver import Pending, Resolver
from chalicelib.luadns.zone_data import Ref
from standalone.dns import messages, transfers
from standalone.dns.messages import TRANSFERS, Question

_KEPT = 20_000  # answers, of at most 1232 bytes each

log = logging.getLogger("moonbase.dns")


class Kept(NamedTuple):
    """An answer without its message id, and the zone that it is from."""

    state: int
    wire: bytes
    zone: Ref | None


class Responder:
    """Answers queries. `state` tells a number that moves with every change in the store; `count` notes one answer
    from a zone.

    `quick` resolves without asking other servers and raises Pending where it had to; `patient` asks them.
    """

    def __init__(
        self, quick: Resolver, patient: Resolver, state: Callable[[], int], count: Callable[[Ref], None]
    ) -> None:
        self._quick = quick
        self._patient = patient
        self._state = state
        self._count = count
        self._kept: OrderedDict[bytes, Kept] = OrderedDict()

    def recall(self, wire: bytes) -> bytes | None:
        """The answer to the same datagram, id apart, if it was given before and still holds. Quick; for one thread."""
        kept = self._kept.get(wire[2:])
        if kept is None or kept.state != self._state():
            return None
        if kept.zone is not None:
            self._count(kept.zone)
        return wire[:2] + kept.wire

    def answer_datagram(self, wire: bytes, patient: bool) -> bytes | None:
        """Answer what came by UDP; None when it deserves no answer. Raises Pending unless `patient`."""
        state = self._state()
        try:
            question = messages.parse(wire)
            if question.rdtype in TRANSFERS:
                return messages.refuse(question)
            reply, kept = self._answer(question, question.largest_udp, state, patient)
        except messages.Refused as refusal:
            return refusal.reply
        except Pending:
            raise
        except Exception:
            log.exception("a query failed")
            return messages.failure(wire)
        if kept:
            self._keep(wire[2:], kept)
        return reply

    def answer_stream(self, wire: bytes, peer: str, patient: bool) -> list[bytes]:
        """Answer what came by TCP from the address `peer`: in one message, or many for a zone transfer; or in none.

        Raises Pending unless `patient`.
        """
        try:
            question = messages.parse(wire)
            if question.rdtype in TRANSFERS:
                return self._transfer(question, peer)
            return [self._answer(question, messages.LARGEST_TCP, 0, patient)[0]]
        except messages.Refused as refusal:
            return [refusal.reply] if refusal.reply else []
        except Pending:
            raise
        except Exception:
            log.exception("a query failed")
            return [messages.failure(wire)]

    def _transfer(self, question: Question, peer: str) -> list[bytes]:
        if not transfers.allowed(peer):
            return [messages.refuse(question)]
        zone = self._quick.find_zone(question.name)
        if zone is None or zone.origin != question.name:
            return [messages.refuse(question, Rcode.NOTAUTH)]
        return transfers.transfer(question, zone)

    def _answer(self, question: Question, largest: int, state: int, patient: bool) -> tuple[bytes, Kept | None]:
        answer = (self._patient if patient else self._quick).resolve(question.name, question.rdtype)
        reply = messages.render(question.message, answer, largest)
        if answer.zone is not None:
            self._count(answer.zone.ref)
        kept = None if answer.passing else Kept(state, reply[2:], answer.zone.ref if answer.zone else None)
        return reply, kept

    def _keep(self, key: bytes, kept: Kept) -> None:
        self._kept[key] = kept
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
