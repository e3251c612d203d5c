"""A request is checked before its body is read: a stranger's body is never received, and memory is bounded."""

import base64
import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.servers import Server, moonbase, serving

MIB = 1024 * 1024
UPLOAD = "/api/1/{key}/upload"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("admission") / "data", "--workers", "1") as running:
        yield running


@pytest.fixture(scope="module")
def key(server: Server) -> str:
    return server.make_key("alice")


@pytest.fixture(scope="module")
def token(server: Server, key: str) -> str:
    """A read-only ContentDB token of alice, who has no packages."""
    created = moonbase(server.data, "key", "create", "alice", "--service", "contentdb", "--scope", "read")
    return str(created["key"])


def connect(server: Server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])), timeout=20)


def head(path: str, *fields: str, length: int = 12 * MIB) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: moonbase.test", f"Content-Length: {length}", *fields]
    return "\r\n".join([*lines, "", ""]).encode()


def read_reply(connection: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """Read one reply: status, headers and body."""
    with connection.makefile("rb") as reply:
        status = int(reply.readline().split()[1])
        headers = {}
        while line := reply.readline().strip():
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        return status, headers, reply.read(int(headers.get("content-length", 0)))


@pytest.mark.parametrize(
    ("path", "fields", "status", "body"),
    [
        (UPLOAD.format(key="nokey"), (), 401, {"errors": ["Invalid key"]}),
        (UPLOAD.format(key="bearer"), (), 401, {"errors": ["Missing or malformed Authorization header"]}),
        (
            "/upload-slots?slot=none",
            (),
            404,
            {"message": "There is no such upload slot, or it has expired or was used."},
        ),
        ("/nothing/here", (), 404, {"message": "There is nothing at this path."}),
        ("/v1/zones/1/records/create_many", (), 403, None),
        ("/hel/files", (), 403, None),
        ("/packages", (), 403, None),
        ("/api/packages/alice/thing/releases/new/", (), 404, None),
    ],
)
@pytest.mark.parametrize("expect", [(), ("Expect: 100-continue",)])
def test_a_stranger_is_answered_before_the_body_is_sent(
    server: Server, path: str, fields: tuple[str, ...], status: int, body: object, expect: tuple[str, ...]
) -> None:
    length = 2 * MIB if "/v1/" in path or path in ("/hel/files",) else MIB if path == "/packages" else 12 * MIB
    with connect(server) as connection:
        connection.sendall(head(path, *fields, *expect, length=length))
        found, headers, content = read_reply(connection)
    assert (found, headers["connection"]) == (status, "close")
    assert body is None or json.loads(content) == body


def test_a_key_without_the_scope_is_answered_before_the_body_is_sent(server: Server, token: str) -> None:
    with connect(server) as connection:
        connection.sendall(head("/api/packages/alice/thing/", f"Authorization: Bearer {token}", length=MIB))
        status, _, body = read_reply(connection)
    error = "This key may not do that: its scope is read."
    assert (status, json.loads(body)) == (403, {"error": error, "success": False})


def test_a_client_with_a_key_is_asked_to_continue(server: Server, key: str) -> None:
    with connect(server) as connection:
        connection.sendall(head(UPLOAD.format(key=key), "Expect: 100-continue", length=MIB))
        assert connection.recv(100).startswith(b"HTTP/1.1 100 Continue")
        connection.sendall(bytes(MIB))
        status, _, body = read_reply(connection)
    assert (status, json.loads(body)) == (400, {"errors": ["Missing file"]})


def test_a_small_chunked_body_is_read(server: Server, key: str) -> None:
    with connect(server) as connection:
        lines = [f"POST {UPLOAD.format(key=key)} HTTP/1.1", "Host: moonbase.test", "Transfer-Encoding: chunked", "", ""]
        connection.sendall("\r\n".join(lines).encode() + b"5\r\nhello\r\n0\r\n\r\n")
        status, _, body = read_reply(connection)
    assert (status, json.loads(body)) == (400, {"errors": ["Missing file"]})


def test_a_client_that_sends_its_whole_body_first_reads_the_error(server: Server) -> None:
    """Like LuaSocket, which does not read while it sends."""
    with connect(server) as connection:
        connection.sendall(head(UPLOAD.format(key="nokey")) + bytes(12 * MIB))
        status, _, body = read_reply(connection)
    assert (status, json.loads(body)) == (401, {"errors": ["Invalid key"]})


def test_the_use_of_a_key_is_counted_once(server: Server, key: str) -> None:
    """LuaDNS returns the remaining requests: one less after a request that was checked before its body was read."""
    moonbase(server.data, "luadns", "enable", "alice")
    secret = str(moonbase(server.data, "key", "create", "alice", "--service", "luadns")["key"])
    basic = base64.b64encode(f"alice@example.org:{secret}".encode()).decode()
    fields = (f"Authorization: Basic {basic}", "Accept: application/json", "Content-Type: application/json")
    remaining = []
    for _ in range(2):
        with connect(server) as connection:
            body = b'{"name": "' + b"x" * 100_000 + b'"}'
            connection.sendall(head("/v1/zones", *fields, length=len(body)) + body)
            status, headers, reply = read_reply(connection)
            assert (status, json.loads(reply)["message"]) == (400, "name: invalid name")
            remaining.append(int(headers["x-ratelimit-remaining"]))
    assert remaining[0] - remaining[1] == 1


def test_fifty_strangers_need_little_memory(server: Server) -> None:
    (worker,) = server.workers()
    before = resident_peak(worker)
    deadline = time.monotonic() + 60

    def attack(number: int) -> int:
        path = UPLOAD.format(key=f"nokey{number}") if number % 2 else "/upload-slots?slot=none"
        with connect(server) as connection:
            connection.sendall(head(path, "Content-Type: application/x-www-form-urlencoded", length=15 * MIB))
            try:
                for _ in range(15 * 16):
                    if time.monotonic() > deadline:
                        break
                    connection.sendall(b"slot=%41%41%41&" * 4096)
            except OSError:
                pass
            return read_reply(connection)[0]

    with ThreadPoolExecutor(50) as threads:
        statuses = set(threads.map(attack, range(50)))
    assert statuses <= {401, 404}
    assert resident_peak(worker) - before < 100 * MIB
    assert resident_peak(worker) < 400 * MIB


def resident_peak(process: int) -> int:
    """The largest resident memory of a process so far, in bytes."""
    status = Path(f"/proc/{process}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024
