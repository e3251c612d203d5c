"""Addresses of foreign names for ALIAS: one query each, cached for their TTL; failures are cached too."""

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import dns.flags
import dns.message
import dns.rrset
import pytest
from dns.rcode import Rcode
from dns.rdatatype import RdataType

from chalicelib import settings
from chalicelib.luadns import upstream
from chalicelib.luadns.resolver import Addresses, LookupRequired, Unresolvable
from chalicelib.luadns.upstream import Upstream
from chalicelib.luadns.zone_data import parse_name

RECORDS = {
    ("cdn.test.", "A"): ["cdn.test. 60 IN CNAME real.test.", "real.test. 300 IN A 203.0.113.1"],
    ("pool.test.", "A"): ["pool.test. 300 IN A 203.0.113.2", "pool.test. 300 IN A 203.0.113.3"],
}


class Forwarder:
    """A DNS server with RECORDS that does not answer for silent.test and lists the queried names."""

    def __init__(self) -> None:
        self.queried: list[str] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            wire, peer = self._socket.recvfrom(4096)
            if not wire:
                self._socket.close()
                return
            query = dns.message.from_wire(wire)
            name, rdtype = query.question[0].name.to_text(), RdataType.to_text(query.question[0].rdtype)
            self.queried.append(name)
            if name == "silent.test.":
                continue
            response = dns.message.make_response(query)
            response.flags |= dns.flags.RA
            for line in RECORDS.get((name, rdtype), []):
                response.answer.append(dns.rrset.from_text(*line.split(None, 4)))
            if name == "broken.test.":
                response.set_rcode(Rcode.SERVFAIL)
            elif not response.answer and name == "nowhere.test.":
                response.set_rcode(Rcode.NXDOMAIN)
            self._socket.sendto(response.to_wire(), peer)

    def close(self) -> None:
        self._socket.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join(5)


@pytest.fixture
def forwarder() -> Iterator[Forwarder]:
    running = Forwarder()
    upstream._resolver.cache_clear()
    with settings.override(luadns_forwarders=(f"127.0.0.1:{running.port}",)):
        yield running
    running.close()
    upstream._resolver.cache_clear()


def find(resolver: Upstream, name: str, rdtype: RdataType = RdataType.A) -> Addresses:
    return resolver.addresses(parse_name(name), rdtype)


def test_addresses_have_the_lowest_ttl_of_their_cname_chain(forwarder: Forwarder) -> None:
    assert find(Upstream(), "cdn.test.") == Addresses(60, ("203.0.113.1",))
    assert find(Upstream(), "pool.test.").texts == ("203.0.113.2", "203.0.113.3")


def test_addresses_are_cached_for_their_ttl(forwarder: Forwarder) -> None:
    moment = [1000.0]
    resolver = Upstream(lambda: moment[0])
    assert find(resolver, "cdn.test.").ttl == 60
    moment[0] += 40.5
    assert (find(resolver, "cdn.test.").ttl, forwarder.queried) == (20, ["cdn.test."])
    moment[0] += 20
    assert (find(resolver, "cdn.test.").ttl, forwarder.queried) == (60, ["cdn.test."] * 2)


def test_cached_returns_only_cached_results(forwarder: Forwarder) -> None:
    resolver = Upstream()
    with pytest.raises(LookupRequired):
        resolver.cached(parse_name("cdn.test."), RdataType.A)
    found = find(resolver, "cdn.test.")
    assert resolver.cached(parse_name("cdn.test."), RdataType.A) == found
    with pytest.raises(Unresolvable):
        find(resolver, "broken.test.")
    with pytest.raises(Unresolvable):
        resolver.cached(parse_name("broken.test."), RdataType.A)


def test_a_name_without_addresses_is_not_a_failure(forwarder: Forwarder) -> None:
    assert find(Upstream(), "nowhere.test.").texts == ()
    assert find(Upstream(), "pool.test.", RdataType.AAAA).texts == ()


def test_a_failure_is_cached(forwarder: Forwarder) -> None:
    resolver = Upstream()
    for _ in range(3):
        with pytest.raises(Unresolvable):
            find(resolver, "broken.test.")
    assert forwarder.queried.count("broken.test.") <= 3  # the retries of one query


def test_a_timeout_is_cached(forwarder: Forwarder) -> None:
    resolver = Upstream()
    began = time.monotonic()
    for _ in range(5):
        with pytest.raises(Unresolvable):
            find(resolver, "silent.test.")
    assert time.monotonic() - began < 10


def test_concurrent_lookups_of_one_name_send_one_query(forwarder: Forwarder) -> None:
    resolver = Upstream()
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: find(resolver, "pool.test."), range(32)))
    assert (len({one.texts for one in found}), forwarder.queried) == (1, ["pool.test."])


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("192.0.2.1", ("192.0.2.1", 53)),
        ("192.0.2.1:5353", ("192.0.2.1", 5353)),
        ("2001:db8::1", ("2001:db8::1", 53)),
        ("[2001:db8::1]", ("2001:db8::1", 53)),
        ("[2001:db8::1]:5353", ("2001:db8::1", 5353)),
    ],
)
def test_a_forwarder_has_an_optional_port(text: str, server: tuple[str, int]) -> None:
    assert upstream._server(text) == server
