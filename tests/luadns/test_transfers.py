"""BIND and NSD follow a zone: NOTIFY, incremental transfers, TSIG and the secondaries that its owner names."""

import base64
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dns.exception
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import dns.tsig
import dns.xfr
import dns.zone
import pytest
from dns.message import Message

from infra.ports import free_port
from tests.luadns.secondaries import PROGRAMS, ask, secondary, wait_for_serial
from tests.luadns.served import Served, served

ALGORITHMS = ("hmac-sha256", "hmac-sha512")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOONBASE_OUTBOUND_NETWORKS", "127.0.0.0/8")
        patch.setenv("MOONBASE_LUADNS_RATE", "0")
        with served(tmp_path_factory.mktemp("transfers") / "data", "--workers", "1") as running:
            yield running


def serial(server: Served, zone: int) -> int:
    rows = server.call("GET", f"/zones/{zone}/records")
    return int(next(row["content"] for row in rows if row["type"] == "SOA").split()[2])


def make_key(server: Served, zone: str, algorithm: str = "hmac-sha256") -> dict[str, str]:
    key: dict[str, str] = server.call(
        "POST", "/tsig_keys", {"name": f"{algorithm}.{zone}", "algorithm": algorithm, "scope": f"transfer:{zone}"}
    )
    return key


def as_tsig(key: dict[str, str]) -> dns.tsig.Key:
    return dns.tsig.Key(f"{key['name']}.", key["secret"], f"{key['algorithm']}.")


def request(server: Served, query: Message) -> Message:
    """The first message of the answer to a query by TCP."""
    return dns.query.tcp(query, "127.0.0.1", timeout=10, port=server.dns_port)


def transferred(server: Served, zone: str, key: dict[str, str] | None, old: dns.zone.Zone | None = None) -> list[str]:
    """The records of a zone after its transfer, incremental if there is an old state."""
    copy = old or dns.zone.Zone(zone, relativize=False)
    query, _ = dns.xfr.make_query(copy, keyring=as_tsig(key) if key else None)
    dns.query.inbound_xfr("127.0.0.1", copy, query, port=server.dns_port, timeout=10)
    return sorted(copy.to_text(relativize=False).splitlines())


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_secondary_gets_each_change_by_a_signed_notify_and_transfer(
    server: Served, name: str, algorithm: str, tmp_path: Path
) -> None:
    zone = f"{name}-{algorithm}.test"
    rows = [(f"h{number}", "A", "192.0.2.1") for number in range(300)]
    zone_id, key, port = server.zone(zone, *rows), make_key(server, zone, algorithm), free_port()
    with secondary(name, tmp_path / name, zone, server.dns_port, key, port):
        wait_for_serial(port, zone, serial(server, zone_id))
        target = [{"address": "127.0.0.1", "port": port, "key": key["name"]}]
        server.call("PUT", f"/zones/{zone_id}/secondaries", target)
        for number in range(3):
            server.call(
                "POST", f"/zones/{zone_id}/records", {"name": f"n{number}", "type": "A", "content": "192.0.2.9"}
            )
            wait_for_serial(port, zone, serial(server, zone_id), seconds=20)
            assert ask(port, f"n{number}.{zone}", "A").answer[0][0].to_text() == "192.0.2.9"
    if name == "bind":  # NSD does not log sizes
        assert (tmp_path / name / "log").read_text().count("Transfer completed: 1 messages, 5 records") == 3


def test_each_increment_leads_to_the_zone_as_it_is_transferred_as_a_whole(server: Served) -> None:
    zone = "increment.test"
    zone_id = server.zone(zone, *((f"h{number}", "A", "192.0.2.1") for number in range(40)))
    key = make_key(server, zone)
    copy = dns.zone.Zone(zone, relativize=False)
    transferred(server, zone, key, copy)
    changes: list[tuple[str, str, Any]] = [
        ("POST", "/records", {"name": "www", "type": "A", "content": "192.0.2.1", "ttl": 600}),
        ("POST", "/records", {"name": "www", "type": "A", "content": "192.0.2.2", "ttl": 60}),
        (
            "PATCH",
            "/records",
            [{"name": "h1", "type": "TXT", "content": "a"}, {"name": "h2", "type": "A", "content": "::"}],
        ),
        ("PATCH", "/records", [{"name": "h1", "type": "A", "content": "192.0.2.7"}]),
        ("POST", "/records", {"name": "fwd", "type": "FORWARD", "content": "joe@example.com"}),
        ("POST", "/records/delete_many", [{"name": "h3"}, {"name": "www", "content": "192.0.2.2", "type": "A"}]),
        ("POST", "/records", {"name": "a.b.*", "type": "MX", "content": "10 mx.example."}),
    ]
    for method, path, body in changes:
        try:
            server.call(method, f"/zones/{zone_id}{path}", body)
        except OSError:
            continue
        assert transferred(server, zone, key, copy) == transferred(server, zone, key)
    rows = server.call("GET", f"/zones/{zone_id}/records")
    assert len(rows) > 40


def test_an_increment_has_only_the_changed_records(server: Served) -> None:
    zone = "small.test"
    zone_id, key = (
        server.zone(zone, *((f"h{number}", "A", "192.0.2.1") for number in range(40))),
        make_key(server, zone),
    )
    before = serial(server, zone_id)
    server.call("POST", f"/zones/{zone_id}/records", {"name": "www", "type": "A", "content": "192.0.2.1"})
    query = dns.message.make_query(zone, "IXFR")
    soa = dns.rrset.from_text(f"{zone}.", 0, "IN", "SOA", f". . {before} 0 0 0 0")
    query.authority.append(soa)
    query.use_tsig(as_tsig(key))
    answer = request(server, query).answer
    types = [(dns.rdatatype.to_text(rrset.rdtype), len(rrset)) for rrset in answer]
    assert sum(size for _, size in types) <= 5
    assert {kind for kind, _ in types} == {"SOA", "A"}
    udp = dns.query.udp(query, "127.0.0.1", timeout=10, port=server.dns_port)
    assert [rrset.rdtype for rrset in udp.answer] == [dns.rdatatype.SOA]


def test_only_the_owner_s_secondaries_and_keys_can_transfer_a_zone(server: Served) -> None:
    zone_id, other = server.zone("closed.test"), make_key(server, "small.test", "hmac-sha512")
    own = make_key(server, "closed.test")
    query = dns.message.make_query("closed.test", "AXFR")
    assert request(server, query).rcode() == dns.rcode.REFUSED
    query.use_tsig(as_tsig(other))
    refused = request(server, query)
    assert (refused.rcode(), refused.had_tsig) == (dns.rcode.REFUSED, True)
    assert transferred(server, "closed.test", own)
    path = f"/zones/{zone_id}/secondaries"
    server.call("PUT", path, [{"address": "127.0.0.0/8", "notify": False}])
    assert transferred(server, "closed.test", None)
    server.call("PUT", path, [{"address": "127.0.0.1", "key": own["name"], "notify": False}])
    query = dns.message.make_query("closed.test", "AXFR")
    assert request(server, query).rcode() == dns.rcode.REFUSED


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ("name", dns.rcode.BADKEY),
        ("secret", dns.rcode.BADSIG),
        ("algorithm", dns.rcode.BADKEY),
        ("time", dns.rcode.BADTIME),
    ],
)
def test_a_wrong_signature_is_answered_with_its_code(
    server: Served, change: str, error: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    zone = f"{change}-wrong.test"
    server.zone(zone)
    key = make_key(server, zone)
    if change == "time":
        now = time.time()
        monkeypatch.setattr(time, "time", lambda: now - 1000)
    wrong = {
        "name": {"name": "nobody.test"},
        "secret": {"secret": base64.b64encode(b"x" * 32).decode()},
        "algorithm": {"algorithm": "hmac-sha512"},
    }
    query = dns.message.make_query(zone, "SOA")
    query.use_tsig(as_tsig({**key, **wrong.get(change, {})}))
    with pytest.raises(dns.tsig.PeerError) as raised:
        request(server, query)
    kinds = {dns.rcode.BADKEY: "BadKey", dns.rcode.BADSIG: "BadSignature", dns.rcode.BADTIME: "BadTime"}
    assert type(raised.value).__name__ == f"Peer{kinds[dns.rcode.Rcode(error)]}"


def test_an_answer_to_a_signed_query_is_signed(server: Served) -> None:
    server.zone("signed.test")
    query = dns.message.make_query("signed.test", "NS")
    query.use_tsig(as_tsig(make_key(server, "signed.test")))
    for _ in range(2):
        assert request(server, query).had_tsig
        assert dns.query.udp(query, "127.0.0.1", timeout=10, port=server.dns_port).had_tsig
