"""Requests to other servers: limits of size, time and redirects, retries, conditional requests, and the User-Agent."""

import gzip
import logging
import socket
import threading
import time
from collections.abc import Iterator

import pytest

import chalicelib
from chalicelib import settings
from chalicelib.core.errors import Invalid
from chalicelib.core.outbound.fetch import Caps, OutboundFailed, Validators, WebClient, fetch, target_of
from tests.web_server import Received, response, web_server

CAPS = Caps(size=1000, seconds=5.0)
SHORT = Caps(size=1000, seconds=0.6)


@pytest.fixture(autouse=True)
def _loopback() -> Iterator[None]:
    with settings.override(outbound_networks=("127.0.0.0/8",)):
        yield


def test_a_response_has_status_headers_and_body() -> None:
    with web_server(lambda *_: response("404 Not Found", b"gone", ETag='"1"')) as server:
        answer = fetch(f"{server.url}/path?query", CAPS, headers={"Accept": "text/plain"})
    assert (answer.status, answer.body, answer.url) == (404, b"gone", f"{server.url}/path?query")
    assert answer.headers == {"content-length": "4", "etag": '"1"'}
    (received,) = server.received
    assert (received.line, received.headers["accept"]) == ("GET /path?query HTTP/1.1", "text/plain")


def test_the_user_agent_names_moonbase_and_the_operator_s_contact() -> None:
    with web_server(lambda *_: response()) as server:
        fetch(server.url, CAPS)
        with settings.override(contact="admin@example.org"):
            fetch(server.url, CAPS)
    version = chalicelib.__version__
    assert [request.headers["user-agent"] for request in server.received] == [
        f"Moonbase/{version}",
        f"Moonbase/{version} (admin@example.org)",
    ]


@pytest.mark.parametrize("contact", ["a\nb", "a\r\nX-Header: b", "ä@example.org"])
def test_a_contact_that_is_no_header_is_an_error(contact: str) -> None:
    with pytest.raises(ValueError, match="MOONBASE_CONTACT must be printable ASCII"):
        settings.Settings.from_environment({"MOONBASE_CONTACT": contact})


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.org/",
        "file:///etc/passwd",
        "example.org",
        "//example.org",
        "http:///x",
        "",
        "http://a:b@x/",
        "http://[/",
    ],
)
def test_other_urls_are_invalid(url: str) -> None:
    with pytest.raises(Invalid, match="URL"):
        fetch(url, CAPS)


def test_one_client_keeps_its_connection() -> None:
    with web_server(lambda *_: response(body=b"x")) as server:
        client = WebClient()
        assert [client.fetch(server.url, CAPS).body for _ in range(3)] == [b"x"] * 3
        client.close()
    assert server.connections == 1


# Size


def test_a_declared_size_above_the_limit_is_refused_without_reading() -> None:
    with (
        web_server(lambda *_: b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n") as server,
        pytest.raises(OutboundFailed, match="larger than 1000 bytes"),
    ):
        fetch(server.url, CAPS)


def endless(request: Received, connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        connection.sendall(b"400\r\n" + b"x" * 1024 + b"\r\n")


def test_an_endless_body_ends_at_the_limit() -> None:
    with web_server(endless) as server:
        with pytest.raises(OutboundFailed, match="larger than 1000 bytes"):
            fetch(server.url, CAPS)
        assert fetch(server.url, Caps(size=10, seconds=5.0, cut=True)).body == b"x" * 10


def test_the_limit_counts_decompressed_bytes() -> None:
    bomb = gzip.compress(bytes(10_000_000))
    body = gzip.compress(b"hello")
    with web_server(
        lambda request, _: response(body=bomb if request.path == "/bomb" else body, Content_Encoding="gzip")
    ) as server:
        assert fetch(server.url, CAPS).body == b"hello"
        with pytest.raises(OutboundFailed, match="larger than 20000 bytes"):
            fetch(f"{server.url}/bomb", Caps(size=20_000, seconds=5.0))


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nshort",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\nContent-Length: 7\r\n\r\nshort",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"",
        b"HTTP/1.1 200 OK\r\n" + b"X-Header: x\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX-Header: " + b"x" * 70_000 + b"\r\n\r\n",
    ],
)
def test_a_malformed_response_is_an_error(raw: bytes) -> None:
    def respond(request: Received, connection: socket.socket) -> None:
        connection.sendall(raw)

    with web_server(respond) as server, pytest.raises(OutboundFailed, match=r"^127\.0\.0\.1 cannot be reached, or"):
        fetch(server.url, CAPS)


# Time


def drip(data: bytes, pause: float) -> object:
    def respond(request: Received, connection: socket.socket) -> None:
        for byte in data:
            connection.sendall(bytes([byte]))
            time.sleep(pause)

    return respond


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n" + b"x" * 900,
        b"HTTP/1.1 200 OK\r\n" + b"X-Header: y\r\n" * 90,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 90,
    ],
)
def test_the_time_is_for_the_whole_response(data: bytes) -> None:
    start = time.monotonic()
    with web_server(drip(data, 0.02)) as server, pytest.raises(OutboundFailed, match=r"^127\.0\.0\.1 is too slow\.$"):  # type: ignore[arg-type]
        fetch(server.url, SHORT)
    assert time.monotonic() - start < 2.0


def test_a_silent_server_is_too_slow() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(OutboundFailed, match="is too slow"):
        fetch(f"http://127.0.0.1:{silent.getsockname()[1]}/", SHORT)


def test_a_silent_server_is_too_slow_for_a_secure_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(OutboundFailed, match="is too slow"):
        fetch(f"https://127.0.0.1:{silent.getsockname()[1]}/", SHORT)


def test_a_slow_resolver_is_too_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: time.sleep(1.5) or [])
    start = time.monotonic()
    with pytest.raises(OutboundFailed, match=r"^slow\.example is too slow\.$"):
        fetch("http://slow.example/", SHORT)
    assert time.monotonic() - start < 2.0


def test_a_server_without_tls_has_no_secure_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as plain:

        def answer() -> None:
            with plain.accept()[0] as connection:
                connection.recv(10)
                connection.sendall(response("400 Bad Request"))

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(OutboundFailed, match=r"^A secure connection to 127\.0\.0\.1 is not possible\.$"):
            fetch(f"https://127.0.0.1:{plain.getsockname()[1]}/", CAPS)
        thread.join()


# Redirects


def test_redirects_are_followed_up_to_the_limit() -> None:
    def respond(request: Received, _: socket.socket) -> bytes:
        count = int(request.path.strip("/"))
        return response("302 Found", Location=f"/{count - 1}") if count else response(body=b"end")

    with web_server(respond) as server:
        answer = fetch(f"{server.url}/5", CAPS)
        assert (answer.body, answer.url) == (b"end", f"{server.url}/0")
        with pytest.raises(OutboundFailed, match="redirects too often"):
            fetch(f"{server.url}/6", CAPS)
        assert fetch(f"{server.url}/0", Caps(size=10, seconds=5.0, redirects=0)).body == b"end"


@pytest.mark.parametrize(
    "location",
    [
        "file:///etc/passwd",
        "ftp://example.org/",
        "gopher://127.0.0.1:6379/_",
        "http://user:pw@example.org/",
        "http://[",
    ],
)
def test_a_redirect_to_another_kind_of_url_is_refused(location: str) -> None:
    with (
        web_server(lambda *_: response("302 Found", Location=location)) as server,
        pytest.raises(OutboundFailed, match=r"^127\.0\.0\.1 redirects to a URL that cannot be requested\.$"),
    ):
        fetch(server.url, Caps(size=10, seconds=5.0, attempts=3))
    assert len(server.received) == 1


def test_a_chain_of_redirects_to_a_private_address_is_refused() -> None:
    with web_server(lambda *_: response(body=b"inner"), "127.0.0.9") as inner:
        last = response("307 Temporary Redirect", Location=f"{inner.url}/secret")
        with web_server(lambda *_: last) as second:
            first = response("301 Moved Permanently", Location=second.url)
            with (
                web_server(lambda *_: first) as server,
                settings.override(outbound_networks=("127.0.0.1/32",)),
                pytest.raises(Invalid, match=r"^127\.0\.0\.9 is not a public address\.$"),
            ):
                fetch(server.url, CAPS)
    assert (len(second.received), inner.connections) == (1, 0)


def test_credentials_stay_at_their_origin() -> None:
    headers = {"Authorization": "Bearer secret", "Cookie": "a=b", "X-Other": "c"}
    with web_server(lambda *_: response()) as other:

        def respond(request: Received, _: socket.socket) -> bytes:
            return response("302 Found", Location="/second" if request.path == "/first" else other.url)

        with web_server(respond) as server:
            fetch(f"{server.url}/first", CAPS, headers=headers)
    assert [request.headers.get("authorization") for request in server.received] == ["Bearer secret"] * 2
    (request,) = other.received
    assert {"authorization", "cookie"} & request.headers.keys() == set()
    assert request.headers["x-other"] == "c"


def test_a_post_is_not_redirected() -> None:
    with web_server(lambda *_: response("307 Temporary Redirect", b"", Location="/other")) as server:
        answer = fetch(server.url, CAPS, method="POST", body=b"data")
    assert (answer.status, [request.body for request in server.received]) == (307, [b"data"])


# Conditional requests, and attempts


def test_a_conditional_request_gets_304_for_a_known_version() -> None:
    def respond(request: Received, _: socket.socket) -> bytes:
        if request.headers.get("if-none-match") == '"7"':
            return b'HTTP/1.1 304 Not Modified\r\nETag: "7"\r\nContent-Length: 5000\r\n\r\n'
        return response(body=b"new", ETag='"7"', Last_Modified="Mon, 01 Dec 2025 00:00:00 GMT")

    with web_server(respond) as server:
        first = fetch(server.url, CAPS)
        again = fetch(server.url, CAPS, known=first.validators)
    assert first.validators == Validators('"7"', "Mon, 01 Dec 2025 00:00:00 GMT")
    assert (first.is_unchanged, again.is_unchanged, again.body) == (False, True, b"")
    assert server.received[1].headers["if-modified-since"] == "Mon, 01 Dec 2025 00:00:00 GMT"


def test_a_busy_server_is_asked_again() -> None:
    answers = [
        response("503 Service Unavailable"),
        response("429 Too Many Requests", Retry_After="0"),
        response(body=b"x"),
    ]
    with web_server(lambda *_: answers.pop(0)) as server:
        assert fetch(server.url, Caps(size=10, seconds=10.0, attempts=3)).body == b"x"
    assert len(server.received) == 3


def test_the_last_answer_is_returned_when_there_are_no_more_attempts() -> None:
    with web_server(lambda *_: response("503 Service Unavailable")) as server:
        assert fetch(server.url, Caps(size=10, seconds=10.0, attempts=2)).status == 503
        assert fetch(server.url, CAPS).status == 503
    assert len(server.received) == 3


def test_no_attempt_waits_longer_than_there_is_time() -> None:
    start = time.monotonic()
    with web_server(lambda *_: response("503 Service Unavailable", Retry_After="3600")) as server:
        assert fetch(server.url, Caps(size=10, seconds=5.0, attempts=5)).status == 503
    assert (len(server.received), time.monotonic() - start < 2.0) == (1, True)


def test_a_connection_that_fails_is_tried_again() -> None:
    def respond(request: Received, _: socket.socket) -> bytes | None:
        return None if len(server.received) < 2 else response(body=b"x")

    with web_server(respond) as server:
        assert fetch(server.url, Caps(size=10, seconds=10.0, attempts=2)).body == b"x"


def test_a_response_that_is_too_large_is_not_requested_again() -> None:
    with web_server(lambda *_: response(body=b"x" * 11)) as server, pytest.raises(OutboundFailed, match="larger"):
        fetch(server.url, Caps(size=10, seconds=10.0, attempts=3))
    assert len(server.received) == 1


def test_a_redirect_does_not_leave_https() -> None:
    with pytest.raises(OutboundFailed, match="without https"):
        target_of("https://example.org/a", "http://example.org/b")
    assert target_of("https://example.org/a", "b") == "https://example.org/b"


def test_neither_errors_nor_the_log_contain_the_path(caplog: pytest.LogCaptureFixture) -> None:
    with (
        caplog.at_level(logging.DEBUG),
        web_server(lambda *_: None) as server,
        web_server(lambda *_: response()) as fine,
    ):
        fetch(f"{fine.url}/hooks/SECRET?token=SECRET", CAPS)
        with pytest.raises(OutboundFailed) as caught:
            fetch(f"{server.url}/hooks/SECRET?token=SECRET", Caps(size=10, seconds=5.0, attempts=2))
        with pytest.raises(Invalid) as refused:
            fetch("http://user:SECRET@example.org/", CAPS)
    assert "SECRET" not in f"{caught.value}{refused.value}{caplog.text}"
