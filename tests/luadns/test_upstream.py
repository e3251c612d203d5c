"""Foreign addresses for ALIAS: asked for once, kept for their TTL, and a failure is one at once."""

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
from chalicelib.luadns.resolver import Addresses, Pending, Unresolvable
from chalicelib.luadns.upstream import Upstream
from chalicelib.luadns.zone_data import name_of

RECORDS = {
    ("cdn.test.", "A"): ["cdn.test. 60 IN CNAME real.test.", "real.test. 300 IN A 203.0.113.1"],
    ("pool.test.", "A"): ["pool.test. 300 IN A 203.0.113.2", "pool.test. 300 IN A 203.0.113.3"],
}


class Forwarder:
    """A resolver that knows RECORDS, is silent about silent.test, and counts what it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
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
            self.asked.append(name)
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


def find(asking: Upstream, name: str, rdtype: RdataType = RdataType.A) -> Addresses:
    return asking.addresses(name_of(name), rdtype)


def test_addresses_come_with_the_lowest_ttl_on_the_way(forwarder: Forwarder) -> None:
    assert find(Upstream(), "cdn.test.") == Addresses(60, ("203.0.113.1",))
    assert find(Upstream(), "pool.test.").texts == ("203.0.113.2", "203.0.113.3")


def test_they_are_kept_for_their_ttl_which_runs_down(forwarder: Forwarder) -> None:
    moment = [1000.0]
    asking = Upstream(lambda: moment[0])
    assert find(asking, "cdn.test.").ttl == 60
    moment[0] += 40.5
    assert (find(asking, "cdn.test.").ttl, forwarder.asked) == (20, ["cdn.test."])
    moment[0] += 20
    assert (find(asking, "cdn.test.").ttl, forwarder.asked) == (60, ["cdn.test."] * 2)


def test_who_cannot_wait_is_told_what_is_known(forwarder: Forwarder) -> None:
    asking = Upstream()
    with pytest.raises(Pending):
        asking.known(name_of("cdn.test."), RdataType.A)
    found = find(asking, "cdn.test.")
    assert asking.known(name_of("cdn.test."), RdataType.A) == found
    with pytest.raises(Unresolvable):
        find(asking, "broken.test.")
    with pytest.raises(Unresolvable):
        asking.known(name_of("broken.test."), RdataType.A)


def test_a_name_without_addresses_is_no_failure(forwarder: Forwarder) -> None:
    assert find(Upstream(), "nowhere.test.").texts == ()
    assert find(Upstream(), "pool.test.", RdataType.AAAA).texts == ()


def test_a_failure_is_not_asked_for_again_at_once(forwarder: Forwarder) -> None:
    asking = Upstream()
    for _ in range(3):
        with pytest.raises(Unresolvable):
            find(asking, "broken.test.")
    assert forwarder.asked.count("broken.test.") <= 3  # one round of tries


def test_who_does_not_answer_costs_a_few_seconds_once(forwarder: Forwarder) -> None:
    asking = Upstream()
    began = time.monotonic()
    for _ in range(5):
        with pytest.raises(Unresolvable):
            find(asking, "silent.test.")
    assert time.monotonic() - began < 10


def test_many_who_want_the_same_ask_once(forwarder: Forwarder) -> None:
    asking = Upstream()
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: find(asking, "pool.test."), range(32)))
    assert (len({one.texts for one in found}), forwarder.asked) == (1, ["pool.test."])


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
def test_a_forwarder_is_written_with_or_without_its_port(text: str, server: tuple[str, int]) -> None:
    assert upstream._server(text) == server
