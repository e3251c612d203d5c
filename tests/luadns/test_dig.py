"""The name server beside the HTTP workers, asked by Debian's dig and by whoever sends nonsense."""

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
    """What dig prints, a blank between the fields, without comments."""
    return [re.sub(r"\s+", " ", line) for line in text.splitlines() if line and not line.startswith(";")]


def test_a_record_is_there_when_the_api_has_returned_it_and_gone_when_it_was_deleted(server: Served) -> None:
    zone_id = server.zone("fresh.test")
    assert server.dig("new.fresh.test", "A", "+short") == ""  # noted as absent, as a cache would
    for number in range(1, 10):
        row = {"name": "new", "type": "A", "content": f"192.0.2.{number}"}
        record = server.call("POST", f"/zones/{zone_id}/records", row)
        assert server.dig("new.fresh.test", "A", "+short") == f"192.0.2.{number}\n"
        server.call("DELETE", f"/zones/{zone_id}/records/{record['id']}")
        assert server.dig("new.fresh.test", "A", "+short") == ""


def test_a_zone_is_there_when_it_was_made_and_gone_when_it_was_deleted(server: Served) -> None:
    assert "status: REFUSED" in server.dig("gone.test", "SOA")
    zone_id = server.zone("gone.test")
    assert "status: NOERROR" in server.dig("gone.test", "SOA")
    assert server.call("GET", f"/zones/{zone_id}")["synced"] is True
    server.call("DELETE", f"/zones/{zone_id}")
    assert "status: REFUSED" in server.dig("gone.test", "SOA")


def test_the_serial_is_the_one_that_the_api_shows(server: Served) -> None:
    zone_id = server.zone("serial.test")
    for number in range(3):
        server.call("POST", f"/zones/{zone_id}/records", {"name": "x", "type": "TXT", "content": str(number)})
        soa = next(record for record in server.call("GET", f"/zones/{zone_id}/records") if record["type"] == "SOA")
        assert server.dig("serial.test", "SOA", "+short").strip() == soa["content"]


def test_dig_sees_what_an_authoritative_server_says(server: Served) -> None:
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


def test_what_is_too_long_for_udp_comes_by_tcp(server: Served) -> None:
    answer = server.dig("large.example.com", "TXT")
    assert "Truncated, retrying in TCP mode." in answer
    assert answer.count("x" * 255) == 11
    assert "flags: qr aa tc rd; QUERY: 1, ANSWER: 0" in server.dig("large.example.com", "TXT", "+ignore")


def test_any_is_answered_with_little(server: Served) -> None:
    assert "ANSWER: 2, AUTHORITY: 0" in server.dig("example.com", "ANY", "+notcp")  # the NS records


def test_edns_is_spoken_in_version_0_and_only_with_those_who_do(server: Served) -> None:
    assert "; EDNS: version: 0, flags:; udp: 1232" in server.dig("www.example.com", "+edns=0", "+nocookie")
    assert "status: BADVERS" in server.dig("www.example.com", "+edns=1", "+noednsneg")
    assert "EDNS" not in server.dig("www.example.com", "+noedns")


def test_other_classes_and_operations_are_refused(server: Served) -> None:
    assert "status: REFUSED" in server.dig("version.bind", "CH", "TXT")
    assert "status: NOTIMP" in server.dig("example.com", "+opcode=NOTIFY")
    assert "status: NOTIMP" in server.dig("example.com", "MAILB")


def test_a_zone_is_transferred_to_whom_the_settings_name(server: Served) -> None:
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


def test_questions_are_counted_at_their_zone(server: Served) -> None:
    zone_id = server.zone("counted.test")
    for _ in range(5):
        server.dig("counted.test", "NS")
    deadline = time.monotonic() + 30
    while server.call("GET", f"/zones/{zone_id}")["queries_count"] < 5 and time.monotonic() < deadline:
        time.sleep(0.2)
    assert server.call("GET", f"/zones/{zone_id}")["queries_count"] == 5


def ask(server: Served, wire: bytes) -> bytes | None:
    """Send a datagram; None when nothing comes back."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(0.2)
        asking.sendto(wire, ("127.0.0.1", server.dns_port))
        try:
            return asking.recv(65535)
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
def test_what_is_no_query_is_not_answered(server: Served, wire: bytes) -> None:
    assert ask(server, wire) is None


@pytest.mark.parametrize(
    "rest",
    [
        b"\0\0\0\0\0\0\0\0",
        b"\0\2\0\0\0\0\0\0" + QUESTION * 2,
        b"\0\1\0\0\0\0\0\0\3www",
        b"\0\1\0\0\0\0\0\0\xc0\x0c\0\1\0\1",  # a name that leads to itself
        b"\0\1\0\0\0\0\0\0" + QUESTION + b"trailing",
        b"\0\1\0\0\0\0\xff\xff" + QUESTION,
        b"\0\1\0\0\0\0\0\1" + QUESTION + b"\0\0\x29\x04\xd0\0\0\0\0\0\4\0\3\0\xff",  # an option beyond its record
    ],
    ids=["no question", "two questions", "cut", "loop", "trailing", "counts", "options"],
)
def test_a_malformed_query_is_told_so_in_a_header_alone(server: Served, rest: bytes) -> None:
    answer = ask(server, b"\x12\x34\1\0" + rest)
    assert answer is not None
    number, flags, *counts = struct.unpack("!6H", answer)
    assert (number, flags, counts) == (0x1234, 0x8101, [0, 0, 0, 0])


def test_noise_gets_no_more_bytes_than_it_sent(server: Served) -> None:
    noise = random.Random(7)
    for _ in range(150):
        length = noise.randrange(60)
        wire = noise.randbytes(2) + b"\0\0\0\1\0\0\0\0\0" + noise.randbytes(1) + noise.randbytes(length)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.settimeout(5)
            asking.sendto(wire, ("127.0.0.1", server.dns_port))
            assert len(asking.recv(65535)) <= len(wire)
    assert server.dig("www.example.com", "A", "+short") == "192.0.2.1\n"


def test_connections_that_say_nothing_do_not_stop_others(server: Served) -> None:
    silent = [socket.create_connection(("127.0.0.1", server.dns_port)) for _ in range(100)]
    try:
        assert server.dig("www.example.com", "A", "+tcp", "+short") == "192.0.2.1\n"
    finally:
        for connection in silent:
            connection.close()


def test_one_connection_may_ask_many_things(server: Served) -> None:
    query = b"\0\1\1\0\0\1\0\0\0\0\0\0" + QUESTION
    with socket.create_connection(("127.0.0.1", server.dns_port), timeout=5) as connection:
        connection.sendall((len(query).to_bytes(2) + query) * 20)
        stream = connection.makefile("rb")
        answers = [stream.read(int.from_bytes(stream.read(2))) for _ in range(20)]
    assert {answer[-4:] for answer in answers} == {bytes([192, 0, 2, 1])}


def test_many_may_ask_at_once(server: Served) -> None:
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda _: server.dig("www.example.com", "A", "+short"), range(64)))
    assert set(found) == {"192.0.2.1\n"}


def test_targets_that_nobody_resolves_keep_nobody_else_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        monkeypatch.setenv("MOONBASE_LUADNS_FORWARDERS", f"127.0.0.1:{silent.getsockname()[1]}")
        with served(tmp_path / "data", "--workers", "1") as server:
            dead = [(f"dead{number}", "ALIAS", f"x{number}.elsewhere.test.") for number in range(40)]
            server.zone("example.com", ("www", "A", "192.0.2.1"), *dead)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
                for number in range(40):
                    name = f"dead{number}".encode()
                    question = bytes([len(name)]) + name + b"\7example\3com\0\0\1\0\1"
                    asking.sendto(b"\0\1\1\0\0\1\0\0\0\0\0\0" + question, ("127.0.0.1", server.dns_port))
                assert server.dig("www.example.com", "A", "+short", "+time=1") == "192.0.2.1\n"
            assert "status: SERVFAIL" in server.dig("dead1.example.com", "A", "+time=10")


def test_it_comes_back_when_it_was_killed_and_goes_when_the_server_goes(tmp_path: Path) -> None:
    with served(tmp_path / "data") as server:
        server.zone("example.com", ("www", "A", "192.0.2.1"))
        process = name_server_of(server)
        os.kill(process, signal.SIGKILL)
        deadline = time.monotonic() + 20
        while name_server_of(server) in (0, process) and time.monotonic() < deadline:
            time.sleep(0.1)
        asked = server.dig("www.example.com", "A", "+short", "+tries=10")
        assert asked == "192.0.2.1\n"
        process = name_server_of(server)
        server.server.kill()
        assert ends(process, 20)


def ends(process: int, seconds: float) -> bool:
    """Whether a process ends by itself in time."""
    deadline = time.monotonic() + seconds
    while Path(f"/proc/{process}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    return not Path(f"/proc/{process}").exists()


def name_server_of(server: Served) -> int:
    """The child process that has the server's DNS port open; 0 when there is none."""
    parent = Path(f"/proc/{server.server.process.pid}/task")
    children = " ".join((thread / "children").read_text() for thread in parent.iterdir())
    return next((int(child) for child in children.split() if has_port(child, server.dns_port)), 0)


def has_port(process: str, port: int) -> bool:
    rows = [row.split() for row in Path("/proc/net/udp").read_text().splitlines()[1:]]
    wanted = {f"socket:[{row[9]}]" for row in rows if row[1].endswith(f":{port:04X}")}
    with suppress(OSError):  # it has just ended
        return any(str(link.readlink()) in wanted for link in Path(f"/proc/{process}/fd").iterdir())
    return False


def test_without_a_port_nobody_answers_and_zones_are_not_synced(tmp_path: Path) -> None:
    with served(tmp_path / "data", "--dns-port", "0") as server:
        zone_id = server.zone("example.com")
        assert server.call("GET", f"/zones/{zone_id}")["synced"] is False


def test_a_dns_port_in_use_is_told_in_one_line(server: Served, tmp_path: Path) -> None:
    moonbase(tmp_path / "data", "user", "create", "bob", "--email", "bob@example.org")
    options = ["--data", str(tmp_path / "data"), "serve", "--port", "0", "--dns-port", str(server.dns_port)]
    done = subprocess.run([sys.executable, str(MOONBASE), *options], capture_output=True, text=True, timeout=30)
    message = f"moonbase: cannot serve DNS on 127.0.0.1 port {server.dns_port}: Address already in use"
    assert (done.returncode, done.stderr.splitlines()[-1]) == (1, message)
