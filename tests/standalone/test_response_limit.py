"""Response rate limiting: floods get fewer bytes than they send, and real clients an answer."""

import socket
from collections.abc import Iterator
from contextlib import suppress

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rrset
import pytest

from standalone.dns.response_limit import ResponseLimit
from tests.luadns.served import Served, served


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limit(clock: Clock) -> ResponseLimit:
    return ResponseLimit(10, clock)


def reply(name: str = "www.example.com", rcode: int = 0, records: int = 3) -> bytes:
    response = dns.message.make_response(dns.message.make_query(name, "TXT"))
    response.set_rcode(dns.rcode.Rcode(rcode))
    if records:
        response.answer = [
            dns.rrset.from_text(f"{name}.", 60, "IN", "TXT", *(f"{n}{'x' * 200}" for n in range(records)))
        ]
    return response.to_wire()


def sent(limit: ResponseLimit, wire: bytes, times: int, host: str = "192.0.2.1") -> list[bytes | None]:
    return [limit.admit(wire, host) for _ in range(times)]


def test_the_further_answers_are_dropped_or_truncated(limit: ResponseLimit) -> None:
    wire = reply()
    found = sent(limit, wire, 16)
    assert found[:10] == [wire] * 10
    assert [each is None for each in found[10:]] == [True, False] * 3
    truncated = dns.message.from_wire(found[11] or b"")
    assert (truncated.id, truncated.question) == (dns.message.from_wire(wire).id, dns.message.from_wire(wire).question)
    assert (truncated.answer, bool(truncated.flags & dns.flags.TC)) == ([], True)


def test_the_limit_is_per_second_network_and_answer(limit: ResponseLimit, clock: Clock) -> None:
    wire = reply()
    sent(limit, wire, 10)
    assert sent(limit, wire, 1, "192.0.2.200") == [None]
    assert sent(limit, wire, 1, "192.0.3.1") == [wire]
    assert sent(limit, reply("ftp.example.com"), 1) != [None]
    clock.now += 0.21
    assert sent(limit, wire, 3)[:2] == [wire, wire]


def test_networks_of_ipv6_have_56_bits(limit: ResponseLimit) -> None:
    wire = reply()
    sent(limit, wire, 10, "2001:db8:0:1::1")
    assert sent(limit, wire, 1, "2001:db8:0:ff::2") == [None]
    assert sent(limit, wire, 1, "2001:db8:0:100::1") == [wire]
    sent(limit, wire, 10, "::ffff:192.0.2.7")
    assert sent(limit, wire, 1) == [None]


def test_errors_for_random_names_are_equal(limit: ResponseLimit) -> None:
    found = [limit.admit(reply(f"r{number}.example.com", 3, 0), "192.0.2.1") for number in range(40)]
    assert sum(each is not None for each in found) == 10 + 15


def test_no_limit_and_answers_to_updates(clock: Clock) -> None:
    wire = reply()
    assert sent(ResponseLimit(0, clock), wire, 50) == [wire] * 50
    update = bytes((0, 1, 0x80 | 5 << 3, 0)) + bytes(8)
    assert sent(ResponseLimit(1, clock), update, 5) == [update] * 5


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("limit") / "data", "--workers", "1") as running:
        running.zone("flood.test", *(("big", "TXT", f"{number}{'x' * 120}") for number in range(8)))
        yield running


def test_a_thousand_equal_queries_are_not_amplified(server: Served) -> None:
    query = dns.message.make_query("big.flood.test", "TXT", use_edns=0, payload=1232)
    wire, received = query.to_wire(), 0
    assert len(dns.query.tcp(query, "127.0.0.1", port=server.dns_port).to_wire()) > 1000
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as flood:
        flood.connect(("127.0.0.1", server.dns_port))
        flood.settimeout(1)
        flood.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * 2**20)
        for _ in range(1000):
            flood.send(wire)
        with suppress(TimeoutError):
            while True:
                received += len(flood.recv(4096))
    assert 0 < received < 1000 * len(wire)


def test_a_real_client_of_the_flooded_network_gets_its_answer(server: Served) -> None:
    query = dns.message.make_query("big.flood.test", "TXT", use_edns=0, payload=1232)
    for _ in range(20):  # a resolver repeats a query that was dropped
        for _ in range(3):
            with suppress(dns.exception.Timeout):
                found, _ = dns.query.udp_with_fallback(query, "127.0.0.1", port=server.dns_port, timeout=0.3)
                break
        assert len(found.answer[0]) == 8
