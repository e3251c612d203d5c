"""The name server of a running server, queried with Debian's dig and with malformed messages."""

import os
import random
import re
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from tests.luadns.served import Served, served
from tests.servers import MOONBASE, moonbase


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOONBASE_LUADNS_TRANSFER_TO", "127.0.0.2, 10.0.0.0/8")
        patch.setenv("MOONBASE_LUADNS_RESPONSE_RATE", "0")
        with served(tmp_path_factory.mktemp("dig") / "data", "--workers", "2") as running:
            running.zone(
                "example.com",
                ("www", "A", "192.0.2.1"),
                ("alias", "CNAME", "www.example.com."),
                ("*.wild", "TXT", 'semi; "quoted" \\ ü'),
                ("large", "TXT", "x" * 3000),
                ("sub", "NS", "ns.elsewhere.test."),
            )
            yield running


def lines(text: str) -> list[str]:
    """The output of dig without comments, with one blank between fields."""
    return [re.sub(r"\s+", " ", line) for line in text.splitlines() if line and not line.startswith(";")]


def test_a_record_resolves_once_the_api_has_created_it_and_not_after_deletion(server: Served) -> None:
    zone_id = server.zone("fresh.test")
    assert server.dig("new.fresh.test", "A", "+short") == ""  # the absence is cached now
    for number in range(1, 10):
        row = {"name": "new", "type": "A", "content": f"192.0.2.{number}"}
        record = server.call("POST", f"/zones/{zone_id}/records", row)
        assert server.dig("new.fresh.test", "A", "+short") == f"192.0.2.{number}\n"
        server.call("DELETE", f"/zones/{zone_id}/records/{record['id']}")
        assert server.dig("new.fresh.test", "A", "+short") == ""


def test_a_zone_is_served_after_creation_and_not_after_deletion(server: Served) -> None:
    assert "status: REFUSED" in server.dig("gone.test", "SOA")
    zone_id = server.zone("gone.test")
    assert "status: NOERROR" in server.dig("gone.test", "SOA")
    assert server.call("GET", f"/zones/{zone_id}")["synced"] is True
    server.call("DELETE", f"/zones/{zone_id}")
    assert "status: REFUSED" in server.dig("gone.test", "SOA")


def test_the_soa_has_the_serial_of_the_api(server: Served) -> None:
    zone_id = server.zone("serial.test")
    for number in range(3):
        server.call("POST", f"/zones/{zone_id}/records", {"name": "x", "type": "TXT", "content": str(number)})
        soa = next(record for record in server.call("GET", f"/zones/{zone_id}/records") if record["type"] == "SOA")
        assert server.dig("serial.test", "SOA", "+short").strip() == soa["content"]


def test_dig_gets_authoritative_answers(server: Served) -> None:
    answer = server.dig("alias.example.com", "A")
    assert "flags: qr aa rd; QUERY: 1, ANSWER: 2" in answer
    assert lines(answer) == [
        "alias.example.com. 300 IN CNAME www.example.com.",
        "www.example.com. 300 IN A 192.0.2.1",
    ]
    assert lines(server.dig("any.wild.example.com", "TXT")) == [
        'any.wild.example.com. 300 IN TXT "semi; \\"quoted\\" \\\\ \\195\\188"'
    ]
    assert "status: NXDOMAIN" in server.dig("nowhere.example.com")
    assert "flags: qr rd; QUERY: 1, ANSWER: 0, AUTHORITY: 1" in server.dig("x.sub.example.com")


def test_an_answer_too_long_for_udp_comes_by_tcp(server: Served) -> None:
    answer = server.dig("large.example.com", "TXT")
    assert "Truncated, retrying in TCP mode." in answer
    assert answer.count("x" * 255) == 11
    assert "flags: qr aa tc rd; QUERY: 1, ANSWER: 0" in server.dig("large.example.com", "TXT", "+ignore")


def test_any_gets_a_short_answer(server: Served) -> None:
    assert "ANSWER: 2, AUTHORITY: 0" in server.dig("example.com", "ANY", "+notcp")  # the NS records


def test_edns_version_0_is_used_only_with_clients_that_use_it(server: Served) -> None:
    assert "; EDNS: version: 0, flags:; udp: 1232" in server.dig("www.example.com", "+edns=0", "+nocookie")
    assert "status: BADVERS" in server.dig("www.example.com", "+edns=1", "+noednsneg")
    assert "EDNS" not in server.dig("www.example.com", "+noedns")


def test_other_classes_and_opcodes_are_refused(server: Served) -> None:
    assert "status: REFUSED" in server.dig("version.bind", "CH", "TXT")
    assert "status: NOTIMP" in server.dig("example.com", "+opcode=NOTIFY")
    assert "status: NOTIMP" in server.dig("example.com", "MAILB")


def test_a_zone_is_transferred_to_configured_addresses_only(server: Served) -> None:
    assert "Transfer failed." in server.dig("example.com", "AXFR")
    rows = lines(server.dig("example.com", "AXFR", "-b", "127.0.0.2"))
    assert rows[0] == rows[-1]
    assert rows[0].startswith("example.com. 3600 IN SOA ns1.localhost.")
    assert [row.split()[3] for row in rows[1:-1]] == ["NS", "NS", "CNAME", "TXT", "NS", "TXT", "A"]
    assert "Transfer failed." in server.dig("www.example.com", "AXFR", "-b", "127.0.0.2")


def test_a_large_zone_is_transferred_in_many_messages(server: Served) -> None:
    zone_id = server.zone("many.test")
    rows = [{"name": f"n{number}", "type": "TXT", "content": "y" * 200} for number in range(400)]
    server.call("POST", f"/zones/{zone_id}/records/create_many", rows)
    answer = server.dig("many.test", "AXFR", "-b", "127.0.0.2")
    assert len([row for row in lines(answer) if " TXT " in row]) == 400
    assert int(re.findall(r"messages (\d+)", answer)[0]) > 1
    assert lines(server.dig("n399.many.test", "TXT")) == [f'n399.many.test. 300 IN TXT "{"y" * 200}"']
    assert "status: NXDOMAIN" in server.dig("n400.many.test", "TXT")


def test_questions_are_counted_per_zone(server: Served) -> None:
    zone_id = server.zone("counted.test")
    for _ in range(5):
        server.dig("counted.test", "NS")
    deadline = time.monotonic() + 30
    while server.call("GET", f"/zones/{zone_id}")["queries_count"] < 5 and time.monotonic() < deadline:
        time.sleep(0.2)
    assert server.call("GET", f"/zones/{zone_id}")["queries_count"] == 5


def ask(server: Served, wire: bytes) -> bytes | None:
    """Send a datagram and return the answer; None if there is none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client_socket:
        client_socket.settimeout(0.2)
        client_socket.sendto(wire, ("127.0.0.1", server.dns_port))
        try:
            return client_socket.recv(65535)
        except TimeoutError:
            return None


QUESTION = b"\3www\7example\3com\0\0\1\0\1"


@pytest.mark.parametrize(
    "wire",
    [
        b"",
        b"\0" * 11,
        b"\7\7\x80\0\0\1\0\0\0\0\0\0" + QUESTION,  # an answer
    ],
    ids=["empty", "short", "answer"],
)
def test_a_message_that_is_not_a_query_gets_no_answer(server: Served, wire: bytes) -> None:
    assert ask(server, wire) is None


@pytest.mark.parametrize(
    "rest",
    [
        b"\0\0\0\0\0\0\0\0",
        b"\0\2\0\0\0\0\0\0" + QUESTION * 2,
        b"\0\1\0\0\0\0\0\0\3www",
        b"\0\1\0\0\0\0\0\0\xc0\x0c\0\1\0\1",  # a compression pointer to itself
        b"\0\1\0\0\0\0\0\0" + QUESTION + b"trailing",
        b"\0\1\0\0\0\0\xff\xff" + QUESTION,
        b"\0\1\0\0\0\0\0\1" + QUESTION + b"\0\0\x29\x04\xd0\0\0\0\0\0\4\0\3\0\xff",  # an option longer than its record
    ],
    ids=["no question", "two questions", "cut", "loop", "trailing", "counts", "options"],
)
def test_a_malformed_query_gets_formerr_in_a_bare_header(server: Served, rest: bytes) -> None:
    answer = ask(server, b"\x12\x34\1\0" + rest)
    assert answer is not None
    number, flags, *counts = struct.unpack("!6H", answer)
    assert (number, flags, counts) == (0x1234, 0x8101, [0, 0, 0, 0])


def test_a_response_to_random_bytes_is_not_longer_than_the_query(server: Served) -> None:
    chance = random.Random(7)
    for _ in range(150):
        length = chance.randrange(60)
        wire = chance.randbytes(2) + b"\0\0\0\1\0\0\0\0\0" + chance.randbytes(1) + chance.randbytes(length)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client_socket:
            client_socket.settimeout(5)
            client_socket.sendto(wire, ("127.0.0.1", server.dns_port))
            assert len(client_socket.recv(65535)) <= len(wire)
    assert server.dig("www.example.com", "A", "+short") == "192.0.2.1\n"


def test_idle_connections_do_not_block_others(server: Served) -> None:
    silent = [socket.create_connection(("127.0.0.1", server.dns_port)) for _ in range(100)]
    try:
        assert server.dig("www.example.com", "A", "+tcp", "+short") == "192.0.2.1\n"
    finally:
        for connection in silent:
            connection.close()


def test_one_connection_can_send_many_queries(server: Served) -> None:
    query = b"\0\1\1\0\0\1\0\0\0\0\0\0" + QUESTION
    with socket.create_connection(("127.0.0.1", server.dns_port), timeout=5) as connection:
        connection.sendall((len(query).to_bytes(2) + query) * 20)
        stream = connection.makefile("rb")
        answers = [stream.read(int.from_bytes(stream.read(2))) for _ in range(20)]
    assert {answer[-4:] for answer in answers} == {bytes([192, 0, 2, 1])}


def test_concurrent_queries_are_answered(server: Served) -> None:
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda _: server.dig("www.example.com", "A", "+short"), range(64)))
    assert set(found) == {"192.0.2.1\n"}


def test_unresolvable_alias_targets_do_not_delay_other_queries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        monkeypatch.setenv("MOONBASE_LUADNS_FORWARDERS", f"127.0.0.1:{silent.getsockname()[1]}")
        with served(tmp_path / "data", "--workers", "1") as server:
            dead = [(f"dead{number}", "ALIAS", f"x{number}.elsewhere.test.") for number in range(40)]
            server.zone("example.com", ("www", "A", "192.0.2.1"), *dead)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client_socket:
                for number in range(40):
                    name = f"dead{number}".encode()
                    question = bytes([len(name)]) + name + b"\7example\3com\0\0\1\0\1"
                    client_socket.sendto(b"\0\1\1\0\0\1\0\0\0\0\0\0" + question, ("127.0.0.1", server.dns_port))
                assert server.dig("www.example.com", "A", "+short", "+time=1") == "192.0.2.1\n"
            assert "status: SERVFAIL" in server.dig("dead1.example.com", "A", "+time=10")


def test_the_name_server_is_restarted_after_a_crash_and_ends_with_its_parent(tmp_path: Path) -> None:
    with served(tmp_path / "data") as server:
        server.zone("example.com", ("www", "A", "192.0.2.1"))
        process = name_server_of(server)
        os.kill(process, signal.SIGKILL)
        process = name_server_of(server, other_than=process)
        answer = server.dig("www.example.com", "A", "+short", "+tries=10")  # dig prints a line for each failed try
        assert answer.splitlines()[-1] == "192.0.2.1"
        server.server.kill()
        assert exits(process, 20)


def exits(process: int, seconds: float) -> bool:
    """Whether a process exits within `seconds`."""
    deadline = time.monotonic() + seconds
    while Path(f"/proc/{process}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    return not Path(f"/proc/{process}").exists()


def name_server_of(server: Served, other_than: int = 0) -> int:
    """Wait for a child process that has the server's DNS port open, and return its pid.

    The test kills this process. It must never get 0 instead, because signals to pid 0 kill the test's own group.
    """
    parent = Path(f"/proc/{server.server.process.pid}/task")
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        children = " ".join((thread / "children").read_text() for thread in parent.iterdir())
        for child in children.split():
            if int(child) != other_than and has_udp_port(child, server.dns_port):
                return int(child)
        time.sleep(0.1)
    raise AssertionError("no child process has the DNS port open")


def has_udp_port(process: str, port: int) -> bool:
    rows = [row.split() for row in Path("/proc/net/udp").read_text().splitlines()[1:]]
    sockets = {f"socket:[{row[9]}]" for row in rows if row[1].endswith(f":{port:04X}")}
    with suppress(OSError):  # the process has just exited
        return any(str(link.readlink()) in sockets for link in Path(f"/proc/{process}/fd").iterdir())
    return False


def test_without_a_dns_port_zones_are_not_synced(tmp_path: Path) -> None:
    with served(tmp_path / "data", "--dns-port", "0") as server:
        zone_id = server.zone("example.com")
        assert server.call("GET", f"/zones/{zone_id}")["synced"] is False


def test_a_dns_port_in_use_is_a_one_line_error(server: Served, tmp_path: Path) -> None:
    moonbase(tmp_path / "data", "user", "create", "bob", "--email", "bob@example.org")
    options = ["--data", str(tmp_path / "data"), "serve", "--port", "0", "--dns-port", str(server.dns_port)]
    done = subprocess.run([sys.executable, str(MOONBASE), *options], capture_output=True, text=True, timeout=30)
    message = f"moonbase: cannot serve DNS on 127.0.0.1 port {server.dns_port}: Address already in use"
    assert (done.returncode, done.stderr.splitlines()[-1]) == (1, message)
    assert "listening on http" not in done.stderr  # requests of that time would be lost
