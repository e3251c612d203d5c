"""A request is checked before its body is read: a stranger's body is never received, and memory is bounded."""

import base64
import contextlib
import json
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from standalone.body import DISCARDED
from tests.servers import Server, moonbase, serving

MIB = 1024 * 1024
KERNEL = 16 * MIB  # bytes of a connection between the client and the server
UPLOAD = "/api/1/{key}/upload"
ROCK = "/api/1/{key}/upload_rock/1"

NO_SUCH_URL = {
    "success": False,
    "code": 404,
    "name": "Not Found",
    "description": "The requested URL was not found on the server. If you entered the URL manually please check your "
    "spelling and try again.",
}


def denied(permission: str) -> dict[str, object]:
    """Return Hel's error for a stranger who lacks a permission."""
    return {
        "success": False,
        "title": "Forbidden",
        "message": f"Unauthorized: {permission} failed permission check",
        "explanation": "Access was denied to this resource.",
        "code": 403,
        "version": "3.4.0",
        "logged_in": False,
    }


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
        (ROCK.format(key="nokey"), (), 401, {"errors": ["Invalid key"]}),
        (ROCK.format(key="bearer"), (), 401, {"errors": ["Missing or malformed Authorization header"]}),
        (
            "/upload-slots?slot=none",
            (),
            404,
            {"message": "There is no such upload slot, or it has expired or was used."},
        ),
        ("/nothing/here", (), 404, {"message": "There is nothing at this path."}),
        ("/v1/zones/1/records/create_many", (), 403, {"status": "Forbidden", "message": "Invalid 'Accept' header"}),
        ("/hel/files", (), 403, denied("store_file")),
        ("/packages", (), 403, denied("create_package")),
        ("/api/packages/alice/thing/releases/new/", (), 404, NO_SUCH_URL),
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
    error = json.loads(content)
    error.pop("request_id", None)  # LuaDNS numbers its errors
    assert error == body


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
        connection.sendall(head(ROCK.format(key="nokey")) + bytes(12 * MIB))
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
            error = {"fieldNames": ["name"], "classification": "ValidationError", "message": "invalid name"}
            assert (status, json.loads(reply)) == (400, [error])
            remaining.append(int(headers["x-ratelimit-remaining"]))
    assert remaining[0] - remaining[1] == 1


@pytest.mark.parametrize("expect", ["", "100-continue"])
def test_curl_reads_the_error(server: Server, tmp_path: Path, expect: str) -> None:
    file = tmp_path / "x.rock"
    file.write_bytes(bytes(12 * MIB))
    url = f"{server.url}{ROCK.format(key='nokey')}"
    command = ["curl", "-sS", "-H", f"Expect: {expect}".rstrip(), "-F", f"rock_file=@{file}", "-w", "%{http_code}", url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert (done.stdout, done.stderr, done.returncode) == ('{"errors":["Invalid key"]}401', "", 0)


def test_luasocket_reads_the_error(server: Server) -> None:
    script = (
        'local status, reply = nil, {} local http, ltn12 = require("socket.http"), require("ltn12") '
        f"_, status = http.request{{url = '{server.url}{ROCK.format(key='nokey')}', method = 'POST', "
        f"headers = {{['content-length'] = {12 * MIB}}}, source = ltn12.source.string(('x'):rep({12 * MIB})), "
        "sink = ltn12.sink.table(reply)} io.write(status, table.concat(reply))"
    )
    done = subprocess.run(["lua5.1", "-e", script], capture_output=True, text=True, timeout=30)
    assert (done.stdout, done.stderr) == ('401{"errors":["Invalid key"]}', "")


def test_a_limited_part_of_a_rejected_body_is_received(server: Server) -> None:
    sent = 0
    with connect(server) as connection, contextlib.suppress(OSError):
        connection.sendall(head("/nothing/here", length=1000 * MIB))
        while sent < 200 * MIB:
            sent += connection.send(bytes(MIB))
    assert DISCARDED <= sent < DISCARDED + KERNEL


def test_the_rest_of_a_rejected_body_is_not_the_next_request(server: Server) -> None:
    with connect(server) as connection:
        connection.sendall(head("/nothing/here", length=MIB))
        assert read_reply(connection)[0] == 404
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: t\r\n\r\n".ljust(MIB))
        assert connection.recv(1) == b""


def test_a_connection_serves_more_requests_after_the_rejection_of_a_small_one(server: Server) -> None:
    with connect(server) as connection:
        for _ in range(2):
            connection.sendall(head(UPLOAD.format(key="nokey"), length=1000) + bytes(1000))
            status, headers, _ = read_reply(connection)
            assert (status, "connection" in headers) == (401, False)


def test_large_bodies_share_a_limited_memory(tmp_path: Path) -> None:
    limits = {"MOONBASE_MAX_BODY": str(20 * MIB), "MOONBASE_BODY_MEMORY": str(20 * MIB)}
    with serving(tmp_path / "data", "--workers", "1", environment=limits) as server:
        key = server.make_key("alice")
        path = ROCK.format(key=key)
        with connect(server) as first:
            first.sendall(head(path) + bytes(11 * MIB))
            await_memory(server, path)
            for expect in ((), ("Expect: 100-continue",)):
                with connect(server) as second:
                    second.sendall(head(path, *expect))
                    status, headers, body = read_reply(second)
                error = {"errors": ["The server is receiving too many large requests."]}
                assert (status, headers["retry-after"], json.loads(body)) == (503, "2", error)
            assert server.upload_rockspec(key)[0] == 200
            first.sendall(bytes(MIB))
            assert read_reply(first)[0] == 400
        with connect(server) as third:
            third.sendall(head(path, "Expect: 100-continue"))
            assert third.recv(100).startswith(b"HTTP/1.1 100 Continue")


def await_memory(server: Server, path: str) -> None:
    """Return when the memory for bodies is taken: a second body would not fit."""
    for _ in range(200):
        with connect(server) as connection:
            connection.sendall(head(path, "Expect: 100-continue"))
            if connection.recv(20).startswith(b"HTTP/1.1 503"):
                return
        time.sleep(0.05)
    raise AssertionError("the first body was not received")


def test_fifty_uploads_with_a_key_stay_below_the_memory_of_a_worker(tmp_path: Path) -> None:
    part = b'--B\r\nContent-Disposition: form-data; name="rock_file"; filename="say-1.0-1.all.rock"\r\n\r\n'
    form = part + bytes(14 * MIB) + b"\r\n--B--\r\n"
    with serving(tmp_path / "data", "--workers", "1") as server:
        path = ROCK.format(key=server.make_key("alice"))
        assert server.get("/healthz")[0] == 200  # the worker has started
        (worker,) = server.workers()

        def upload(number: int) -> int:
            with connect(server) as connection:
                connection.sendall(head(path, "Content-Type: multipart/form-data; boundary=B", length=len(form)) + form)
                return read_reply(connection)[0]

        with ThreadPoolExecutor(50) as threads:
            assert set(threads.map(upload, range(50))) <= {404, 503}
        assert resident_peak(worker) < 400 * MIB


def test_fifty_strangers_need_little_memory(server: Server) -> None:
    (worker,) = server.workers()
    before = resident_peak(worker)
    deadline = time.monotonic() + 60

    def attack(number: int) -> int:
        path = ROCK.format(key=f"nokey{number}") if number % 2 else "/upload-slots?slot=none"
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
