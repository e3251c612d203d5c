"""Addresses of names outside our zones, for ALIAS: from the system's resolver or from the configured forwarders."""

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
from chalicelib.luadns.resolver import Addresses, LookupRequired, Unresolvable

if TYPE_CHECKING:
    from dns.resolver import Resolver

_TIMEOUT = 3.0  # seconds; less than the five that DNS clients usually wait
_MAX_TTL = 3600  # seconds that an answer is cached at most
_NEGATIVE_TTL = 30  # seconds that "no such name" is cached, here and by clients
_FAILURE_TTL = 5  # seconds until a failed query is retried
_MAX_ENTRIES = 10_000

Key = tuple[Name, RdataType]


class Upstream:
    """A caching stub resolver: it caches answers for their TTL."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._cache: OrderedDict[Key, tuple[float, Addresses | None]] = OrderedDict()
        self._key_locks: dict[Key, threading.Lock] = {}
        self._lock = threading.Lock()

    def cached(self, name: Name, rdtype: RdataType) -> Addresses:
        """The cached addresses of a name. Raises LookupRequired if they are not cached, and Unresolvable."""
        expires, found = self._cache.get((name, rdtype), (0.0, None))
        if self._clock() >= expires:
            raise LookupRequired
        return self._with_remaining_ttl(name, expires, found)

    def addresses(self, name: Name, rdtype: RdataType) -> Addresses:
        """The addresses of a name, cached or queried. Raises Unresolvable; failures are cached for a few seconds."""
        key = (name, rdtype)
        with self._lock:
            key_lock = self._key_locks.setdefault(key, threading.Lock())
        with key_lock:  # concurrent lookups of the same name send one query
            expires, found = self._cache.get(key, (0.0, None))
            if self._clock() >= expires:
                found = self._query(name, rdtype)
                lifetime = _FAILURE_TTL if found is None else min(max(found.ttl, 1), _MAX_TTL)
                expires = self._clock() + lifetime
                self._store(key, expires, found)
        return self._with_remaining_ttl(name, expires, found)

    def _with_remaining_ttl(self, name: Name, expires: float, found: Addresses | None) -> Addresses:
        if found is None:
            raise Unresolvable(f"no name server answers for {name}")
        return Addresses(max(1, min(found.ttl, int(expires - self._clock()) + 1)), found.texts)

    def _query(self, name: Name, rdtype: RdataType) -> Addresses | None:
        try:
            answer = _resolver().resolve(name, rdtype, raise_on_no_answer=False, search=False)
        except dns.resolver.NXDOMAIN:
            return Addresses(_NEGATIVE_TTL, ())
        except dns.exception.DNSException:
            return None
        if answer.rrset is None:
            return Addresses(_NEGATIVE_TTL, ())
        return Addresses(int(answer.chaining_result.minimum_ttl), tuple(rdata.to_text() for rdata in answer.rrset))

    def _store(self, key: Key, expires: float, found: Addresses | None) -> None:
        with self._lock:
            self._cache[key] = (expires, found)
            self._key_locks.pop(key, None)
            while len(self._cache) > _MAX_ENTRIES:
                self._cache.popitem(last=False)


@cache
def _resolver() -> "Resolver":
    """A resolver with `MOONBASE_LUADNS_FORWARDERS` (ADDRESS, ADDRESS:PORT or [IPV6]:PORT), or the system's servers."""
    forwarders = settings.current().luadns_forwarders
    resolver = dns.resolver.Resolver(configure=not forwarders)
    if forwarders:
        resolver.nameservers = [Do53Nameserver(*_server(text)) for text in forwarders]
    resolver.lifetime = _TIMEOUT
    resolver.timeout = _TIMEOUT / 2
    return resolver


def _server(text: str) -> tuple[str, int]:
    if text.count(":") > 1 and not text.startswith("["):  # a bare IPv6 address
        return text, 53
    host, _, port = text.rpartition(":") if text[-1:] != "]" and ":" in text else (text, "", "53")
    return host.strip("[]"), int(port)
