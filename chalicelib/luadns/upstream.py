"""Addresses of names that are not ours, for ALIAS: through the system's resolver or those that the settings name."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

import dns.exception
import dns.resolver
from dns.name import Name
from dns.nameserver import Do53Nameserver
from dns.rdatatype import RdataType

from chalicelib import settings
from chalicelib.luadns.resolver import Addresses, Pending, Unresolvable

if TYPE_CHECKING:
    from dns.resolver import Resolver

_PATIENCE = 3.0  # seconds: a client of ours waits five
_LONGEST = 3600  # seconds that an answer is kept at most
_ABSENT = 30  # seconds that "no such name" is kept, and how long clients may keep it
_FAILED = 5  # seconds until a failure is tried again
_MOST = 10_000  # answers kept

Key = tuple[Name, RdataType]


class Upstream:
    """Asks, and remembers for as long as the answer's TTL says."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: OrderedDict[Key, tuple[float, Addresses | None]] = OrderedDict()
        self._asking: dict[Key, threading.Lock] = {}
        self._lock = threading.Lock()

    def known(self, name: Name, rdtype: RdataType) -> Addresses:
        """The addresses of a name, if they are known. Raises Pending when somebody would have to be asked."""
        ends, found = self._kept.get((name, rdtype), (0.0, None))
        if self._clock() >= ends:
            raise Pending
        return self._left(name, ends, found)

    def addresses(self, name: Name, rdtype: RdataType) -> Addresses:
        """The addresses of a name. Raises Unresolvable, also for a while after nobody could tell."""
        key = (name, rdtype)
        with self._lock:
            turn = self._asking.setdefault(key, threading.Lock())
        with turn:  # of many who want the same thing one asks
            ends, found = self._kept.get(key, (0.0, None))
            if self._clock() >= ends:
                found = self._ask(name, rdtype)
                lasts = _FAILED if found is None else min(max(found.ttl, 1), _LONGEST)
                ends = self._clock() + lasts
                self._keep(key, ends, found)
        return self._left(name, ends, found)

    def _left(self, name: Name, ends: float, found: Addresses | None) -> Addresses:
        """What was found, with the time that it has left."""
        if found is None:
            raise Unresolvable(f"nobody tells the addresses of {name}")
        return Addresses(max(1, min(found.ttl, int(ends - self._clock()) + 1)), found.texts)

    def _ask(self, name: Name, rdtype: RdataType) -> Addresses | None:
        try:
            answer = _resolver().resolve(name, rdtype, raise_on_no_answer=False, search=False)
        except dns.resolver.NXDOMAIN:
            return Addresses(_ABSENT, ())
        except dns.exception.DNSException:
            return None
        if answer.rrset is None:
            return Addresses(_ABSENT, ())
        return Addresses(int(answer.chaining_result.minimum_ttl), tuple(rdata.to_text() for rdata in answer.rrset))

    def _keep(self, key: Key, ends: float, found: Addresses | None) -> None:
        with self._lock:
            self._kept[key] = (ends, found)
            self._asking.pop(key, None)
            while len(self._kept) > _MOST:
                self._kept.popitem(last=False)


@cache
def _resolver() -> "Resolver":
    """Asks `MOONBASE_LUADNS_FORWARDERS` (ADDRESS or ADDRESS:PORT, IPv6 as [ADDRESS]:PORT), else as the system does."""
    forwarders = settings.current().luadns_forwarders
    resolver = dns.resolver.Resolver(configure=not forwarders)
    if forwarders:
        resolver.nameservers = [Do53Nameserver(*_server(text)) for text in forwarders]
    resolver.lifetime = _PATIENCE
    resolver.timeout = _PATIENCE / 2
    return resolver


def _server(text: str) -> tuple[str, int]:
    if text.count(":") > 1 and not text.startswith("["):  # a bare IPv6 address
        return text, 53
    host, _, port = text.rpartition(":") if text[-1:] != "]" and ":" in text else (text, "", "53")
    return host.strip("[]"), int(port)
