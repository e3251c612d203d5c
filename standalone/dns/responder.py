"""Answers queries in wire format, and caches the answers until the store changes."""

import logging
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from dns.rcode import Rcode
from dns.rdatatype import RdataType

from chalicelib.luadns import secondaries
from chalicelib.luadns.resolver import LookupRequired, Resolver
from chalicelib.luadns.stored_zones import StoredZone
from chalicelib.luadns.zone_data import Ref
from standalone.dns import messages, transfers, updates
from standalone.dns.messages import TRANSFERS, Question
from standalone.dns.signatures import Keys

_MAX_CACHED = 20_000  # answers, of at most 1232 bytes each

log = logging.getLogger("moonbase.dns")


class CachedReply(NamedTuple):
    """A reply without its message id, the state of the store that it is from, and its zone."""

    state: int
    wire: bytes
    zone: Ref | None


class Responder:
    """Answers queries. `state` returns a number that changes with every change of the store; `count` counts one answer
    of a zone.

    The `cached` resolver raises LookupRequired instead of querying other servers; the `blocking` one queries them.
    """

    def __init__(
        self, cached: Resolver, blocking: Resolver, state: Callable[[], int], count: Callable[[Ref], None]
    ) -> None:
        self._keys = Keys(state)
        self._cached = cached
        self._blocking = blocking
        self._state = state
        self._count = count
        self._cache: OrderedDict[bytes, CachedReply] = OrderedDict()

    def cached_reply(self, wire: bytes) -> bytes | None:
        """Return the cached reply to the same datagram with another id; None if there is none. Not thread-safe."""
        cached = self._cache.get(wire[2:])
        if cached is None or cached.state != self._state():
            return None
        if cached.zone is not None:
            self._count(cached.zone)
        return wire[:2] + cached.wire

    def answer_datagram(self, wire: bytes, peer: str, blocking: bool) -> bytes | None:
        """Answer a datagram from the address `peer`; None if it gets no answer.

        Raises LookupRequired unless `blocking`.
        """
        state = self._state()
        try:
            if updates.is_update(wire):
                return updates.answer(wire, self._keys, self._cached.find_zone)
            question = messages.parse(wire, self._keys)
            if question.rdtype in TRANSFERS:
                return self._transfer(question, peer, datagram=True)[0]
            reply, cached = self._answer(question, question.max_udp, state, blocking)
        except messages.RefusedMessage as refusal:
            return refusal.reply
        except LookupRequired:
            raise
        except Exception:
            log.exception("a query failed")
            return messages.failure(wire)
        if cached:
            self._store(wire[2:], cached)
        return reply

    def answer_stream(self, wire: bytes, peer: str, blocking: bool) -> list[bytes]:
        """Answer a TCP message from the address `peer`: one message, several for a zone transfer, or none.

        Raises LookupRequired unless `blocking`.
        """
        try:
            if updates.is_update(wire):
                return [updates.answer(wire, self._keys, self._cached.find_zone)]
            question = messages.parse(wire, self._keys)
            if question.rdtype in TRANSFERS:
                return self._transfer(question, peer)
            return [self._answer(question, messages.MAX_TCP, 0, blocking)[0]]
        except messages.RefusedMessage as refusal:
            return [refusal.reply] if refusal.reply else []
        except LookupRequired:
            raise
        except Exception:
            log.exception("a query failed")
            return [messages.failure(wire)]

    def _transfer(self, question: Question, peer: str, *, datagram: bool = False) -> list[bytes]:
        zone = self._cached.find_zone(question.name)
        if not isinstance(zone, StoredZone) or zone.origin != question.name:
            return [messages.refuse(question, Rcode.NOTAUTH)]
        if not secondaries.may_transfer(zone.head, peer, question.key):
            return [messages.refuse(question)]
        if not datagram:
            return transfers.transfer(question, zone)
        if question.rdtype == RdataType.IXFR:
            return [transfers.current_soa(question, zone)]
        return [messages.refuse(question)]

    def _answer(
        self, question: Question, max_size: int, state: int, blocking: bool
    ) -> tuple[bytes, CachedReply | None]:
        answer = (self._blocking if blocking else self._cached).resolve(question.name, question.rdtype)
        reply = messages.render(question.message, answer, max_size)
        if answer.zone is not None:
            self._count(answer.zone.ref)
        if answer.volatile or question.key:
            return reply, None
        return reply, CachedReply(state, reply[2:], answer.zone.ref if answer.zone else None)

    def _store(self, key: bytes, reply: CachedReply) -> None:
        self._cache[key] = reply
        while len(self._cache) > _MAX_CACHED:
            self._cache.popitem(last=False)
