"""The one-machine server with an echo app, tested with raw sockets and http.client."""

import http.client
import json
import logging
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import Message
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from chalice.app import Request
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

import standalone
from chalicelib.core.errors import CoreError
from standalone.connection import encode_request_line
from standalone.event import proxy_event
from standalone.pools import MOST_SLOW
from standalone.server import configure, listen

GET = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"


@dataclass
class CannedAnswer:
    status: int = 200
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    route: str = "/template/{key}"


def echo(event: dict[str, Any]) -> CannedAnswer:
    """Return the event as JSON; some paths have special responses."""
    path = event["path"]
    query = event["queryStringParameters"] or {}
    if path == "/boom":
        raise ValueError("secret detail")
    if path == "/sleep":
        time.sleep(float(query["seconds"]))
    if path == "/die":
        os._exit(1)
    if path == "/pid":
        return CannedAnswer(body=b"%d" % os.getpid())
    if path == "/big":
        return CannedAnswer(body=b"x" * int(query["size"]))
    if path == "/cookies":
        repeated = [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("X-Content-Type-Options", "nosniff")]
        return CannedAnswer(headers=repeated, body=b"ok")
    if path == "/status":
        return CannedAnswer(int(query["code"]), [("X-Kept", "yes")], b"must not be sent")
    if path == "/known-length":
        return CannedAnswer(headers=[("Content-Length", "12345")])
    if path == "/wrong-length":
        return CannedAnswer(headers=[("content-length", "9999"), ("Transfer-Encoding", "chunked")], body=b"four")
    if path == "/split":
        return CannedAnswer(headers=[("X-Bad", "a\r\nX-Injected: b")])
    if path == "/size":
        return CannedAnswer(body=b"%d" % len(event["body"] or b""))
    shown = event | {"body": (event["body"] or b"").decode("latin-1")}
    return CannedAnswer(headers=[("Content-Type", "application/json")], body=json.dumps(shown).encode())


def echo_app() -> Callable[[dict[str, Any]], CannedAnswer]:
    return echo


class SlowApp:
    """An application whose requests for `/slow` wait until the app is released."""

    def __init__(self) -> None:
        self.released = threading.Event()

    def __call__(self, event: dict[str, Any]) -> CannedAnswer:
        if self.is_slow(event):
            self.released.wait()
        return CannedAnswer()

    def is_slow(self, event: dict[str, Any]) -> bool:
        return bool(event["path"] == "/slow")

    def admit(self, event: dict[str, Any]) -> "SlowApp":
        return self

    def refuse(self, error: CoreError) -> CannedAnswer:
        return CannedAnswer(503, body=error.message.encode())


def broken_app() -> Callable[[dict[str, Any]], CannedAnswer]:
    raise RuntimeError("no data directory")


@contextmanager
def running(app: Callable[[], Any] = echo_app, **options: Any) -> Iterator[int]:
    """Run the server in a thread of this process, and yield its port."""
    config = configure(app, port=0, log_config=None, **options)
    server = uvicorn.Server(config)
    listener = listen(config)
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with running(max_body=1_000_000) as number:
        yield number


@pytest.fixture(scope="module")
def short_timeout() -> Iterator[int]:
    with running(timeout=0.4) as number:
        yield number


@dataclass
class Received:
    status: int
    headers: Message
    body: bytes


class RawClient(socket.socket):
    """A connection that sends given bytes."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self.settimeout(10)
        self.connect(("127.0.0.1", port))
        self.stream = self.makefile("rb")

    def close(self) -> None:
        self.stream.close()
        super().close()

    def response(self, method: str = "GET") -> Received:
        """Read exactly the next response; http.client would read ahead."""
        status = int(self.stream.readline().split()[1])
        headers = http.client.parse_headers(self.stream)
        bodiless = method == "HEAD" or status in (204, 304)
        return Received(status, headers, b"" if bodiless else self.stream.read(int(headers["content-length"])))


def raw(port: int, *segments: bytes, pause: float = 0.0) -> bytes:
    """Send TCP segments, and return everything that the server sends until it closes the connection."""
    with RawClient(port) as client:
        for segment in segments:
            client.sendall(segment)
            time.sleep(pause)
        return client.stream.read()


def ask(port: int, method: str, target: str, **arguments: Any) -> tuple[http.client.HTTPResponse, bytes]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as client:
        client.request(method, target, **arguments)
        response = client.getresponse()
        return response, response.read()


def event_of(port: int, method: str, target: str, **arguments: Any) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(ask(port, method, target, **arguments)[1])
    return event


def event_of_line(port: int, target: bytes) -> dict[str, Any]:
    answer = raw(port, b"GET " + target + b" HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
    event: dict[str, Any] = json.loads(answer.partition(b"\r\n\r\n")[2])
    return event


class TestEvent:
    def test_the_path_is_not_decoded(self, port: int) -> None:
        event = event_of(port, "GET", "/v1//zones/a%20b%2Fc/?x=1")
        assert event["path"] == event["requestContext"]["path"] == "/v1//zones/a%20b%2Fc/"

    def test_the_proxy_parameter_is_decoded_except_plus(self, port: int) -> None:
        event = event_of(port, "GET", "/v1//zones/a%20b+c")
        assert event["pathParameters"] == {"proxy": "v1//zones/a b+c"}
        assert event["resource"] == event["requestContext"]["resourcePath"] == "/{proxy+}"

    def test_a_leading_double_slash_is_part_of_the_path(self, port: int) -> None:
        event = event_of_line(port, b"//zones/1")
        assert (event["path"], event["pathParameters"]) == ("//zones/1", {"proxy": "/zones/1"})

    def test_the_root_has_no_proxy_parameter(self, port: int) -> None:
        event = event_of(port, "GET", "/")
        assert (event["resource"], event["pathParameters"]) == ("/", None)

    def test_an_absolute_target_is_reduced_to_its_path(self, port: int) -> None:
        assert event_of_line(port, b"http://other.example/a?b=c")["path"] == "/a"

    def test_the_query_is_form_decoded_in_order_with_blanks(self, port: int) -> None:
        event = event_of(port, "GET", "/?type=mod&q=a+b%2Bc&type=game&empty=&bare&u=%C3%A9")
        assert event["multiValueQueryStringParameters"] == {
            "type": ["mod", "game"],
            "q": ["a b+c"],
            "empty": [""],
            "bare": [""],
            "u": ["é"],
        }
        assert list(event["queryStringParameters"].items())[:2] == [("type", "game"), ("q", "a b+c")]

    @pytest.mark.parametrize("target", ["/a", "/a?"])
    def test_no_query_is_none(self, port: int, target: str) -> None:
        event = event_of(port, "GET", target)
        assert event["queryStringParameters"] is event["multiValueQueryStringParameters"] is None

    def test_repeated_headers_are_all_in_the_event_and_the_last_wins(self, port: int) -> None:
        answer = raw(port, b"GET / HTTP/1.1\r\nHost: t\r\nX-A: 1\r\nX-A: 2\r\nConnection: close\r\n\r\n")
        event = json.loads(answer.partition(b"\r\n\r\n")[2])
        assert event["headers"]["x-a"] == "2"
        assert event["multiValueHeaders"]["x-a"] == ["1", "2"]

    def test_the_request_context_has_client_and_request(self, port: int) -> None:
        context = event_of(port, "PUT", "/a", headers={"User-Agent": "LuaSocket 3.0.0"})["requestContext"]
        assert context["identity"] == {"sourceIp": "127.0.0.1", "userAgent": "LuaSocket 3.0.0"}
        assert (context["httpMethod"], context["stage"], context["protocol"]) == ("PUT", "", "HTTP/1.1")
        assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", context["requestId"])
        assert abs(context["requestTimeEpoch"] / 1000 - time.time()) < 60

    def test_a_get_can_have_a_body(self, port: int) -> None:
        event = event_of(port, "GET", "/v1/zones", body=b"{}")
        assert (event["body"], event["isBase64Encoded"]) == ("{}", False)

    def test_a_body_is_passed_byte_for_byte(self, port: int) -> None:
        every_byte = bytes(range(256))
        assert event_of(port, "POST", "/", body=every_byte)["body"].encode("latin-1") == every_byte

    def test_chalice_accepts_the_event(self) -> None:
        scope: Any = {
            "method": "POST",
            "raw_path": b"/a%20b",
            "query_string": b"q=1&q=2",
            "headers": [(b"content-type", b"application/json")],
            "scheme": "http",
            "http_version": "1.1",
            "client": ("192.0.2.1", 1),
        }
        request = Request(proxy_event(scope, b'{"a": 1}'), None)
        assert request.json_body == {"a": 1}
        assert request.query_params is not None
        assert request.query_params.getlist("q") == ["1", "2"]
        assert (request.method, request.path, request.headers["Content-Type"]) == (
            "POST",
            "/{proxy+}",
            "application/json",
        )


class TestResponse:
    def test_length_date_and_server_are_sent_once(self, port: int) -> None:
        response, body = ask(port, "GET", "/big?size=7")
        assert (response.status, body) == (200, b"xxxxxxx")
        assert response.headers.get_all("content-length") == ["7"]
        assert response.headers.get_all("server") == ["moonbase"]
        assert response.headers.get_all("x-content-type-options") == ["nosniff"]
        (date,) = response.headers.get_all("date") or []
        assert abs(parsedate_to_datetime(date) - datetime.now(UTC)) < timedelta(minutes=1)

    def test_repeated_headers_are_sent_repeatedly(self, port: int) -> None:
        assert ask(port, "GET", "/cookies")[0].headers.get_all("set-cookie") == ["a=1", "b=2"]

    @pytest.mark.parametrize("path", ["/cookies", "/boom", "/split", "/.blobs/x"])
    def test_browsers_guess_the_type_of_no_response(self, port: int, path: str) -> None:
        assert ask(port, "GET", path)[0].headers.get_all("x-content-type-options") == ["nosniff"]

    def test_a_wrong_length_from_the_app_is_corrected(self, port: int) -> None:
        response, body = ask(port, "GET", "/wrong-length")
        assert (body, response.headers["content-length"]) == (b"four", "4")
        assert response.headers["transfer-encoding"] is None

    def test_head_has_the_length_of_the_omitted_body(self, port: int) -> None:
        with RawClient(port) as client:
            client.sendall(b"HEAD /big?size=500 HTTP/1.1\r\nHost: t\r\n\r\n" + GET)
            first = client.response("HEAD")
            assert first.headers.get_all("content-length") == ["500"]
            assert client.response().status == 200

    def test_head_has_the_app_s_length_if_there_is_no_body(self, port: int) -> None:
        assert ask(port, "HEAD", "/known-length")[0].headers.get_all("content-length") == ["12345"]

    @pytest.mark.parametrize("code", [204, 304])
    def test_no_content_and_not_modified_have_no_body(self, port: int, code: int) -> None:
        with RawClient(port) as client:
            client.sendall(b"GET /status?code=%d HTTP/1.1\r\nHost: t\r\n\r\n" % code + GET)
            first = client.response()
            assert (first.status, first.headers["x-kept"]) == (code, "yes")
            assert first.headers["content-length"] is first.headers["transfer-encoding"] is None
            assert client.response().status == 200

    def test_an_exception_is_logged_and_answered_without_details(
        self, port: int, caplog: pytest.LogCaptureFixture
    ) -> None:
        response, body = ask(port, "GET", "/boom")
        assert (response.status, json.loads(body)) == (500, {"message": "Internal Server Error"})
        (record,) = [record for record in caplog.records if record.name == "moonbase.gateway"]
        assert record.exc_info
        assert "secret detail" in str(record.exc_info[1])

    def test_a_line_break_in_a_header_is_a_500(self, port: int) -> None:
        response, _ = ask(port, "GET", "/split")
        assert (response.status, response.headers["x-injected"]) == (500, None)

    def test_a_large_response_is_sent_completely(self, port: int) -> None:
        assert len(ask(port, "GET", "/big?size=20000000")[1]) == 20_000_000


class TestHttp:
    def test_a_connection_serves_many_requests_without_stalls(self, port: int) -> None:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as client:
            began = time.monotonic()
            for _ in range(100):
                client.request("GET", "/cookies")
                assert client.getresponse().read() == b"ok"
            assert time.monotonic() - began < 3  # Nagle's algorithm with delayed acknowledgements takes 4 s

    def test_pipelined_requests_are_answered_in_order(self, port: int) -> None:
        with RawClient(port) as client:
            client.sendall(
                b"GET /sleep?seconds=0.1&n=1 HTTP/1.1\r\nHost: t\r\n\r\n"
                b"POST /?n=2 HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\n\r\nabc"
                b'GET /?n=3&q="a" "b" HTTP/1.1\r\nHost: t\r\n\r\n'
            )
            events = [json.loads(client.response().body) for _ in range(3)]
        assert [event["queryStringParameters"]["n"] for event in events] == ["1", "2", "3"]
        assert events[1]["body"] == "abc"
        assert events[2]["queryStringParameters"]["q"] == '"a" "b"'

    def test_a_request_pipelined_after_a_chunked_body_ends_the_connection(self, port: int) -> None:
        chunked = b"POST /sleep?seconds=0.1 HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        assert raw(port, chunked + GET).count(b"HTTP/1.1 ") == 1

    def test_http_1_0_is_answered_and_closed(self, port: int) -> None:
        answer = raw(port, b"GET /cookies HTTP/1.0\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert answer.endswith(b"\r\n\r\nok")

    def test_connection_close_closes_the_connection(self, port: int) -> None:
        assert raw(port, GET.replace(b"Host", b"Connection: close\r\nHost")).startswith(b"HTTP/1.1 200")

    def test_a_half_closed_client_gets_its_answer(self, port: int) -> None:
        with RawClient(port) as client:
            client.sendall(b"GET /sleep?seconds=0.2 HTTP/1.1\r\nHost: t\r\n\r\n")
            client.shutdown(socket.SHUT_WR)
            assert client.stream.read().startswith(b"HTTP/1.1 200")

    def test_expect_100_continue_is_answered(self, port: int) -> None:
        with RawClient(port) as client:
            client.sendall(b"POST /size HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
            assert client.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
            client.sendall(b"body")
            assert client.response().body == b"4"

    def test_a_connection_is_kept_alive_after_chunked_bodies(self, port: int) -> None:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as client:
            for _ in range(2):
                client.request("POST", "/", body=iter([b"one", b"two" * 50_000]), encode_chunked=True)
                assert json.loads(client.getresponse().read())["body"] == "one" + "two" * 50_000

    def test_a_request_can_arrive_byte_by_byte(self, port: int) -> None:
        request = b'POST /?q="a b" HTTP/1.1\r\nHost: t\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok'
        answer = raw(port, *(request[i : i + 1] for i in range(len(request))), pause=0.002)
        event = json.loads(answer.partition(b"\r\n\r\n")[2])
        assert (event["queryStringParameters"], event["body"]) == ({"q": '"a b"'}, "ok")

    def test_an_upgrade_header_is_ignored(self, port: int) -> None:
        upgrade = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
        with RawClient(port) as client:
            for body in (b"", b"abc"):
                length = b"Content-Length: %d\r\n" % len(body)
                client.sendall(b"POST /size HTTP/1.1\r\nHost: t\r\n" + upgrade + length + b"\r\n" + body)
                assert client.response().body == b"%d" % len(body)


class TestRequestLine:
    def test_raw_spaces_and_quotes_are_percent_encoded(self, port: int) -> None:
        event = event_of_line(port, b'/packages?offset=0&q="many" "Long"')
        assert event["queryStringParameters"] == {"offset": "0", "q": '"many" "Long"'}
        assert event["path"] == "/packages"

    def test_later_and_fragmented_request_lines_are_encoded(self, port: int) -> None:
        with RawClient(port) as client:
            client.sendall(b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n\r\nGET /")
            assert json.loads(client.response().body)["body"] == "GET /"
            for fragment in (
                b"GE",
                b'T /a?q="many',
                b'" "Lo',
                b'ng" HTTP/',
                b"1.1\r",
                b"\nHost: t\r\n\r",
                b"\n",
            ):
                client.sendall(fragment)
                time.sleep(0.02)
            event = json.loads(client.response().body)
        assert event["queryStringParameters"] == {"q": '"many" "Long"'}

    def test_every_illegal_byte_is_preserved(self, port: int) -> None:
        event = event_of_line(port, b'/p<>?q=<>"^{|}`\\#%+' + "é".encode())
        assert event["queryStringParameters"] == {"q": '<>"^{|}`\\#% é'}
        assert event["path"] == "/p%3C%3E"

    def test_bodies_are_not_changed(self, port: int) -> None:
        body = b'GET /a b" HTTP/1.1\r\n\r\n'
        assert event_of(port, "POST", "/", body=body)["body"].encode() == body

    @pytest.mark.parametrize("line", [b"GET /a%20b?q=%22 HTTP/1.1\r", b"GARBAGE\r", b"\r", b"GET / HTTP/1.1"])
    def test_a_valid_request_line_is_not_changed(self, line: bytes) -> None:
        assert encode_request_line(line) == line


class TestErrors:
    @pytest.mark.parametrize(
        "request_",
        [
            b"GARBAGE\r\n\r\n",
            b"GET / HTTP/1.1\n\n",
            b"GET /a\tb HTTP/1.1\r\nHost: t\r\n\r\n",
            b"GET / HTTP/3.9\r\nHost: t\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: t\r\nBad Header\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: t\r\nSpace : before\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: t\r\nNul: a\0b\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: t\r\nBare: a\rb\r\n\r\n",
            b"GET ?q=1 HTTP/1.1\r\nHost: t\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: t\r\n folded\r\n\r\n",
            b"CONNECT example.org:443 HTTP/1.1\r\nHost: t\r\n\r\n",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        ],
    )
    def test_malformed_http_is_a_400(self, port: int, request_: bytes) -> None:
        self.assert_rejected(raw(port, request_))

    @pytest.mark.parametrize("hosts", [b"", b"Host: a\r\nHost: b\r\n"])
    def test_a_request_needs_exactly_one_host(self, port: int, hosts: bytes) -> None:
        self.assert_rejected(raw(port, b"GET / HTTP/1.1\r\n" + hosts + b"\r\n"))

    @pytest.mark.parametrize(
        "lengths",
        [
            b"Content-Length: three",
            b"Content-Length: -3",
            b"Content-Length: +3",
            b"Content-Length: 0x3",
            b"Content-Length: 3, 3",
            b"Content-Length: 3 3",
            b"Content-Length: 99999999999999999999999",
            b"Content-Length: 3\r\nContent-Length: 4",
            b"Content-Length: 3\r\nContent-Length: 3",
        ],
    )
    def test_an_invalid_length_is_rejected(self, port: int, lengths: bytes) -> None:
        self.assert_rejected(raw(port, b"POST / HTTP/1.1\r\nHost: t\r\n" + lengths + b"\r\n\r\nabc"))

    @pytest.mark.parametrize(
        "codings",
        [
            b"Content-Length: 3\r\nTransfer-Encoding: chunked",
            b"Transfer-Encoding: chunked\r\nContent-Length: 3",
            b"Transfer-Encoding: identity",
            b"Transfer-Encoding: xchunked",
            b"Transfer-Encoding: gzip, chunked",
            b"Transfer-Encoding: chunked, chunked",
            b"Transfer-Encoding: chunked, identity",
            b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            b"Transfer-Encoding: chunked;q=1",
            b"Transfer-Encoding: \x0bchunked",
            b"Transfer-Encoding : chunked",
            b"Transfer-Encoding:\r\n chunked",
        ],
    )
    def test_an_ambiguous_transfer_coding_is_rejected(self, port: int, codings: bytes) -> None:
        self.assert_rejected(raw(port, b"POST / HTTP/1.1\r\nHost: t\r\n" + codings + b"\r\n\r\n3\r\nabc\r\n0\r\n\r\n"))

    def test_chunks_in_http_1_0_are_rejected(self, port: int) -> None:
        self.assert_rejected(raw(port, b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"))

    @pytest.mark.parametrize(
        "chunks",
        [
            b"nonsense\r\n",
            b"3\r\nabcd\r\n0\r\n\r\n",
            b"-3\r\nabc\r\n",
            b"FFFFFFFFFFFFFFFFF\r\nabc\r\n",
            b"3\nabc\n0\n\n",
        ],
    )
    def test_malformed_chunks_are_rejected(self, port: int, chunks: bytes) -> None:
        self.assert_rejected(raw(port, b"POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks))

    @pytest.mark.parametrize("filling", [b"0\r\n" + b"X-Trailer: x\r\n" * 20_000, b"3;" + b"x" * 200_000])
    def test_excessive_chunk_framing_is_rejected(self, port: int, filling: bytes) -> None:
        head = b"POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n"
        self.assert_rejected(raw(port, head + filling))

    def test_trailers_are_not_headers(self, port: int) -> None:
        chunked = (
            b"POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\nabc\r\n0\r\n"
        )
        answer = raw(port, chunked + b"X-Forwarded-For: 203.0.113.9\r\nAuthorization: late\r\n\r\n")
        event = json.loads(answer.partition(b"\r\n\r\n")[2])
        assert event["body"] == "abc"
        assert sorted(event["headers"]) == ["connection", "host", "transfer-encoding", "x-forwarded-proto"]

    def assert_rejected(self, answer: bytes) -> None:
        """Assert one answer and a closed connection: the server does not parse the rest as a request."""
        assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
        assert answer.endswith(b'\r\n\r\n{"message": "Bad Request"}')
        assert answer.count(b"HTTP/1.1 ") == 1
        assert b"\r\nconnection: close\r\n" in answer
        assert b"\r\nx-content-type-options: nosniff\r\n" in answer.lower()

    def test_an_oversize_head_is_a_431(self, port: int) -> None:
        answer = raw(port, b"GET / HTTP/1.1\r\nX-Long: " + b"x" * 200_000 + b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 431 ")

    def test_an_endless_head_is_a_431(self, port: int) -> None:
        assert raw(port, b"GET /" + b"x" * 200_000).startswith(b"HTTP/1.1 431 ")

    @pytest.mark.parametrize("chunked", [False, True])
    def test_an_oversize_body_is_a_413_that_its_sender_can_read(self, port: int, chunked: bool) -> None:
        body = b"x" * 3_000_000
        response, answer = ask(port, "POST", "/size", body=iter([body]) if chunked else body)
        assert (response.status, json.loads(answer)) == (413, {"message": "Request Entity Too Large"})
        assert response.headers["connection"] == "close"

    def test_an_oversize_body_gets_no_100_continue(self, port: int) -> None:
        head = b"POST / HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: 1000001\r\n\r\n"
        with RawClient(port) as client:
            client.sendall(head)
            assert client.response().status == 413

    def test_a_body_of_the_maximum_size_is_accepted(self, port: int) -> None:
        assert ask(port, "POST", "/size", body=b"x" * 1_000_000)[1] == b"1000000"

    def test_data_beyond_the_declared_length_does_not_affect_the_answer(self, short_timeout: int) -> None:
        answer = raw(short_timeout, b"POST /size HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\n\r\nabcdefg")
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert answer.count(b"HTTP/1.1 ") == 2
        assert b"HTTP/1.1 408 " in answer

    def test_a_client_that_disconnects_during_its_body_does_not_affect_others(self, port: int) -> None:
        with RawClient(port) as client:
            client.sendall(b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\n\r\nabc")
        assert ask(port, "GET", "/")[0].status == 200


class TestSlowClients:
    @pytest.mark.parametrize(
        "beginning",
        [
            b"GET / HTTP/1.1\r\nHost:",
            b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\n\r\nabc",
            b"POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc",
        ],
    )
    def test_a_stalled_request_is_a_408(self, short_timeout: int, beginning: bytes) -> None:
        assert raw(short_timeout, beginning).startswith(b"HTTP/1.1 408 Request Timeout\r\n")

    def test_a_request_that_is_too_slow_is_a_408(self, short_timeout: int) -> None:
        for beginning in (b"GET /", b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 1000\r\n\r\n"):
            with RawClient(short_timeout) as client:
                client.sendall(beginning)
                client.settimeout(0.1)
                answer = b""
                for _ in range(50):
                    client.sendall(b"x")
                    try:
                        answer = client.recv(1000)
                        break
                    except TimeoutError:
                        continue
            assert answer.startswith(b"HTTP/1.1 408 ")

    def test_an_idle_connection_is_closed(self, short_timeout: int) -> None:
        assert raw(short_timeout) == b""

    def test_slow_writes_do_not_delay_reads(self) -> None:
        with running(threads=1) as port, RawClient(port) as slow, RawClient(port) as slower:
            slow.sendall(b"POST /sleep?seconds=2 HTTP/1.1\r\nHost: t\r\n\r\n")
            slower.sendall(b"GET /sleep?seconds=2 HTTP/1.1\r\nHost: t\r\nContent-Length: 1\r\n\r\nx")
            time.sleep(0.3)
            began = time.monotonic()
            assert ask(port, "GET", "/")[0].status == 200
            assert time.monotonic() - began < 1
            assert (slow.response().status, slower.response().status) == (200, 200)

    def test_slow_reads_wait_in_threads_of_their_own_and_are_refused_above_a_number(self) -> None:
        app = SlowApp()
        with running(lambda: app, threads=1) as port, ExitStack() as clients:
            waiting = [clients.enter_context(RawClient(port)) for _ in range(MOST_SLOW)]
            for client in waiting:
                client.sendall(GET.replace(b"/ ", b"/slow ", 1))
            time.sleep(0.3)
            assert ask(port, "GET", "/")[0].status == 200
            refused, body = ask(port, "GET", "/slow")
            assert (refused.status, body) == (503, b"Too many requests wait for this.")
            app.released.set()
            assert {client.response().status for client in waiting} == {200}
            assert ask(port, "GET", "/slow")[0].status == 200

    def test_a_steady_body_can_take_longer_than_the_timeout(self, short_timeout: int) -> None:
        with RawClient(short_timeout) as client:
            client.sendall(b"POST /size HTTP/1.1\r\nHost: t\r\nContent-Length: 10000\r\n\r\n")
            for _ in range(10):
                time.sleep(0.1)
                client.sendall(b"x" * 1000)
            assert client.response().body == b"10000"

    def test_an_answer_can_take_longer_than_the_timeout(self, short_timeout: int) -> None:
        assert ask(short_timeout, "GET", "/sleep?seconds=0.8")[0].status == 200

    def test_incomplete_requests_use_no_thread(self) -> None:
        with running(threads=1) as port:
            slow = [RawClient(port) for _ in range(20)]
            for client in slow:
                client.sendall(b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\n\r\nabc")
            assert ask(port, "GET", "/")[0].status == 200
            for client in slow:
                client.close()

    def test_an_answer_that_the_client_does_not_read_is_dropped(self, short_timeout: int) -> None:
        with RawClient(short_timeout) as client:
            client.sendall(b"GET /big?size=50000000 HTTP/1.1\r\nHost: t\r\n\r\n")
            time.sleep(1.2)
            received = 0
            with pytest.raises(ConnectionError):  # noqa: PT012
                while data := client.recv(1_000_000):
                    received += len(data)
                raise ConnectionError("closed")
            assert received < 50_000_000


class TestForwarded:
    HEADERS = {
        "X-Forwarded-For": "203.0.113.9",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "h.example",
    }

    def test_forwarded_headers_of_other_peers_are_ignored(self, port: int) -> None:
        event = event_of(port, "GET", "/", headers=self.HEADERS)
        assert event["requestContext"]["identity"]["sourceIp"] == "127.0.0.1"
        assert {k: v for k, v in event["headers"].items() if k.startswith("x-f")} == {"x-forwarded-proto": "http"}

    def test_forwarded_headers_of_a_trusted_proxy_are_used(self) -> None:
        with running(trusted_proxies=["127.0.0.0/8"]) as port:
            event = event_of(port, "GET", "/", headers=self.HEADERS)
        assert event["requestContext"]["identity"]["sourceIp"] == "203.0.113.9"
        assert event["headers"]["x-forwarded-proto"] == "https"
        assert event["headers"]["x-forwarded-host"] == "h.example"

    def test_the_scheme_of_a_tls_connection_is_https(self, tmp_path: Path) -> None:
        cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
        self_signed(cert, key)
        context = ssl.create_default_context(cafile=str(cert))
        with running(tls_cert=cert, tls_key=key) as port:
            client = http.client.HTTPSConnection("localhost", port, timeout=10, context=context)
            client.request("POST", "/", body=b"x" * 300_000)
            event = json.loads(client.getresponse().read())
            client.close()
        assert event["headers"]["x-forwarded-proto"] == "https"
        assert len(event["body"]) == 300_000


def self_signed(cert: Path, key: Path) -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(private, hashes.SHA256())
    )
    cert.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


class TestLog:
    def test_a_line_has_the_route_but_not_the_path(self, port: int, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        ask(port, "GET", "/big?size=5&key=SECRET")
        ask(port, "GET", "/boom/../SECRET")
        raw(port, b"GET /SECRET\t HTTP/1.1\r\n\r\n")
        lines = [record.getMessage() for record in caplog.records if record.name == "moonbase.access"]
        assert re.fullmatch(r"127\.0\.0\.1 GET /template/\{key\} 200 5 \d+\.\dms", lines[0])
        assert re.fullmatch(r"127\.0\.0\.1 - - 400 \d+ 0\.0ms", lines[2])
        assert "SECRET" not in caplog.text


@contextmanager
def process(app: str = "echo_app", **options: Any) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Run the server in a process, and yield the process and its port."""
    here, root = Path(__file__).parent, Path(standalone.__file__).parents[1]
    script = (
        "from standalone.server import configure, listen, serve\n"
        f"config = configure({f'{Path(__file__).stem}:{app}'!r}, port=0, **{options!r})\n"
        "serve(config, listen(config))"
    )
    server = subprocess.Popen(
        [sys.executable, "-c", script],
        env=os.environ | {"PYTHONPATH": f"{root}{os.pathsep}{here}"},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stderr
        found = None
        while found is None and (line := server.stderr.readline()):
            found = re.search(r"listening on http://127\.0\.0\.1:(\d+)", line)
        assert found
        yield server, int(found[1])
    finally:
        server.kill()
        server.communicate()


class TestProcess:
    @pytest.mark.parametrize(("number", "workers"), [(signal.SIGTERM, 1), (signal.SIGINT, 1), (signal.SIGTERM, 2)])
    def test_a_stop_signal_finishes_running_requests_and_exits_with_0(self, number: int, workers: int) -> None:
        with process(workers=workers) as (server, port):
            ask(port, "GET", "/")
            with RawClient(port) as client:
                client.sendall(b"GET /sleep?seconds=0.7 HTTP/1.1\r\nHost: t\r\n\r\n")
                time.sleep(0.3)
                server.send_signal(number)
                assert client.response().status == 200
            assert server.wait(10) == 0

    def test_a_crashed_worker_is_replaced(self) -> None:
        with process(workers=2) as (_, port):
            before = {ask(port, "GET", "/pid")[1] for _ in range(20)}
            for _ in range(2):
                with pytest.raises(OSError):  # noqa: PT011
                    ask(port, "GET", "/die")
            assert ask(port, "GET", "/pid")[1] not in before

    def test_a_worker_that_dies_during_its_health_check_is_replaced_without_a_timeout(self) -> None:
        with process(workers=1) as (_, port):
            worker = int(ask(port, "GET", "/pid")[1])
            os.kill(worker, signal.SIGSTOP)
            time.sleep(1)  # a health check begins every half second, and waits for 30 seconds
            os.kill(worker, signal.SIGKILL)
            assert int(ask(port, "GET", "/pid")[1]) != worker

    def test_workers_stop_when_their_supervisor_is_killed(self) -> None:
        with process(workers=2) as (server, port):
            assert ask(port, "GET", "/")[0].status == 200
            server.kill()
            end = time.monotonic() + 10
            with pytest.raises(ConnectionRefusedError):  # noqa: PT012
                while time.monotonic() < end:
                    socket.create_connection(("127.0.0.1", port)).close()
                    time.sleep(0.05)

    @pytest.mark.parametrize("workers", [1, 2])
    def test_a_failing_app_stops_the_server_with_an_error(self, workers: int) -> None:
        with process("broken_app", workers=workers) as (server, _):
            assert server.stderr
            assert "no data directory" in server.stderr.read()
            assert server.wait(10) == 3

    def test_a_port_in_use_is_an_error_before_the_start(self, port: int) -> None:
        with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1 port {port}: Address already in use"):
            listen(configure(echo_app, port=port, log_config=None))
