"""Signed links, which the gateway serves itself."""

import hashlib
import http.client
import json
import logging
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from email.utils import formatdate
from pathlib import Path

import pytest
import time_machine
import uvicorn

import app
from chalicelib import settings
from chalicelib.core import blobs, links
from chalicelib.core.links import Link
from standalone.server import configure, listen

CONTENT = bytes(range(256)) * 8
DIGEST = hashlib.sha256(CONTENT).hexdigest()
Answer = tuple[int, http.client.HTTPMessage, bytes]


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a gateway with a directory of blobs; no request may reach its app."""
    directory = tmp_path_factory.mktemp("downloads")
    config = configure(lambda: _no_app, port=0, log_config=None, timeout=1.0)
    server, listener = uvicorn.Server(config), listen(config)
    thread = threading.Thread(target=server.run, args=([listener],))
    with settings.override(blobs=f"file:{directory / 'blobs'}", key_file=str(directory / "key")):
        thread.start()
        yield listener.getsockname()[1]
        server.should_exit = True
        thread.join()


def _no_app(event: object) -> object:
    raise AssertionError("the gateway must answer this request")


@pytest.fixture
def key(port: int) -> str:
    return blobs.put(CONTENT, "area").key


def link_to(key: str, method: str = "GET", filename: str = "say.rock", seconds: int = 60) -> str:
    link = blobs.link(key, method=method, filename=filename, content_type="application/x-rock", seconds=seconds)
    assert link
    return link


def ask(port: int, method: str, target: str, headers: dict[str, str] | None = None) -> Answer:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as client:
        client.request(method, target, headers=headers or {})
        response = client.getresponse()
        return response.status, response.headers, response.read()


def test_no_service_has_a_route_below_the_links_prefix() -> None:
    assert [place.path for place in app.site.tree.nodes() if place.path.startswith(links.PREFIX)] == []
    assert "/.blobs/x".startswith(links.PREFIX)


def test_a_link_serves_the_file_with_its_name_type_and_validators(port: int, key: str) -> None:
    status, headers, body = ask(port, "GET", link_to(key))
    assert (status, body) == (200, CONTENT)
    assert headers["content-type"] == "application/x-rock"
    assert headers["content-disposition"] == 'attachment; filename="say.rock"'
    assert (headers["etag"], headers["accept-ranges"], headers["content-length"]) == (f'"{DIGEST}"', "bytes", "2048")
    assert headers["last-modified"]
    assert headers.get_all("x-content-type-options") == ["nosniff"]
    assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'; sandbox"


def test_head_has_no_body(port: int, key: str) -> None:
    status, headers, body = ask(port, "HEAD", link_to(key, "HEAD"))
    assert (status, body, headers["content-length"], headers["etag"]) == (200, b"", "2048", f'"{DIGEST}"')


def test_an_empty_file_is_served(port: int) -> None:
    status, headers, body = ask(port, "GET", link_to(blobs.put(b"", "area").key))
    assert (status, headers["content-length"], body) == (200, "0", b"")


@pytest.mark.parametrize(
    ("link_method", "method", "status"), [("GET", "HEAD", 200), ("HEAD", "GET", 403), ("GET", "POST", 405)]
)
def test_a_link_is_valid_for_its_method_only(port: int, key: str, link_method: str, method: str, status: int) -> None:
    assert ask(port, method, link_to(key, link_method))[0] == status


def test_an_expired_link_is_rejected(port: int, key: str) -> None:
    with time_machine.travel(time.time() - 120):
        old = link_to(key, seconds=60)
    status, headers, body = ask(port, "GET", old)
    assert (status, json.loads(body)) == (403, {"message": "Forbidden"})
    assert headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("expires=", "expires=9"),
        ("filename=say", "filename=evil"),
        ("method=GET", "method=HEAD"),
        ("type=application", "type=text"),
        ("area", "else"),
        ("signature=", "signature=0"),
        ("&signature", "&no"),
        ("method=GET", ""),
        ("expires=", "expires=%C2%B2"),
    ],
)
def test_a_modified_link_is_rejected(port: int, key: str, old: str, new: str) -> None:
    link = link_to(key)
    assert old in link
    assert ask(port, "GET", link.replace(old, new, 1))[0] == 403


def test_the_signature_separates_the_fields_of_a_link() -> None:
    one, other = Link("a/b", "GET", "xy", "z", 1), Link("a/b", "GET", "x", "yz", 1)
    assert links.sign(one).partition("signature=")[2] != links.sign(other).partition("signature=")[2]


def test_a_link_of_another_installation_is_rejected(port: int, key: str, tmp_path: Path) -> None:
    with settings.override(key_file=str(tmp_path / "other-key")):
        foreign = link_to(key)
    assert ask(port, "GET", foreign)[0] == 403


@pytest.mark.parametrize("key_", ["area/aa/aaaa", "../key", "area", "area/../../key"])
def test_a_link_to_a_missing_file_is_a_404(port: int, key_: str) -> None:
    assert ask(port, "GET", link_to(key_))[0] == 404


@pytest.mark.parametrize("path", ["/.blobs/", "/.blobs/x", "/.blobs//etc/passwd"])
def test_a_path_without_a_signature_is_a_403(port: int, path: str) -> None:
    assert ask(port, "GET", path)[0] == 403


@pytest.mark.parametrize(
    ("range_", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=100-199", 100, 199),
        ("bytes=2000-", 2000, 2047),
        ("bytes=2000-9999", 2000, 2047),
        ("bytes=-48", 2000, 2047),
        ("bytes=1-2047", 1, 2047),
    ],
)
def test_a_range_is_a_206(port: int, key: str, range_: str, first: int, last: int) -> None:
    status, headers, body = ask(port, "GET", link_to(key), {"Range": range_})
    assert (status, body) == (206, CONTENT[first : last + 1])
    assert headers["content-range"] == f"bytes {first}-{last}/2048"
    assert headers["content-length"] == str(last - first + 1)


@pytest.mark.parametrize("range_", ["bytes=2048-", "bytes=9999-10000", "bytes=-0"])
def test_a_range_outside_the_file_is_a_416(port: int, key: str, range_: str) -> None:
    status, headers, body = ask(port, "GET", link_to(key), {"Range": range_})
    assert (status, headers["content-range"]) == (416, "bytes */2048")
    assert json.loads(body) == {"message": "Requested Range Not Satisfiable"}


@pytest.mark.parametrize("range_", ["bytes=5-1", "bytes=-", "lines=1-2", "bytes=0-1,3-4", "bytes=a-b", "nonsense"])
def test_an_invalid_or_multiple_range_gets_the_whole_file(port: int, key: str, range_: str) -> None:
    assert ask(port, "GET", link_to(key), {"Range": range_})[::2] == (200, CONTENT)


def test_head_ignores_ranges(port: int, key: str) -> None:
    status, headers, _ = ask(port, "HEAD", link_to(key), {"Range": "bytes=0-1"})
    assert (status, headers["content-length"]) == (200, "2048")


def test_if_range_selects_the_part_or_the_whole_file(port: int, key: str) -> None:
    link = link_to(key)
    modified = ask(port, "HEAD", link)[1]["last-modified"]
    for validator, status in (
        (f'"{DIGEST}"', 206),
        (modified, 206),
        ('"other"', 200),
        (formatdate(0, usegmt=True), 200),
    ):
        assert ask(port, "GET", link, {"Range": "bytes=0-1", "If-Range": validator})[0] == status


def test_an_unmodified_file_is_a_304(port: int, key: str) -> None:
    link = link_to(key)
    modified = ask(port, "HEAD", link)[1]["last-modified"]
    for conditions in ({"If-None-Match": f'"{DIGEST}"'}, {"If-Modified-Since": modified}):
        status, headers, body = ask(port, "GET", link, conditions)
        assert (status, body, headers["etag"]) == (304, b"", f'"{DIGEST}"')
    assert ask(port, "GET", link, {"If-None-Match": '"x"', "If-Modified-Since": modified})[0] == 200


def test_a_connection_is_kept_alive_after_a_download(port: int, key: str) -> None:
    large = blobs.put(b"x" * 3_000_000, "area").key
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as client:
        for blob in (large, key, large):
            client.request("GET", link_to(blob))
            assert hashlib.sha256(client.getresponse().read()).hexdigest() == blob.rpartition("/")[2]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_body_of_a_link_request_is_not_parsed_as_a_request(port: int, key: str, method: str) -> None:
    body = b"GET /.blobs/smuggled HTTP/1.1\r\nHost: t\r\n\r\n"
    head = f"{method} {link_to(key)} HTTP/1.1\r\nHost: t\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(head.encode())
        time.sleep(0.2)
        client.sendall(body)
        client.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    assert answer.count(b"HTTP/1.1 ") == 1


def test_a_large_file_is_read_in_chunks(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server reads only a few chunks ahead of the client, not the whole file."""
    size = 64_000_000
    large = blobs.put(b"x" * size, "area").key
    read = 0
    real_open = blobs.open

    class Counted:
        def __init__(self, name: str) -> None:
            self.file = real_open(name)
            self.fileno, self.seek, self.close = self.file.fileno, self.file.seek, self.file.close

        def read(self, count: int) -> bytes:
            nonlocal read
            chunk = self.file.read(count)
            read += len(chunk)
            return chunk

    monkeypatch.setattr(blobs, "open", Counted)
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        client.connect(("127.0.0.1", port))
        client.sendall(f"GET {link_to(large)} HTTP/1.1\r\nHost: t\r\n\r\n".encode())
        assert client.recv(1000).startswith(b"HTTP/1.1 200 OK")
        time.sleep(0.5)
        assert 0 < read < size / 4


def access_lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The lines of the access log. Waits for the first one, which may be written after the client has its answer."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        if lines := [record.getMessage() for record in caplog.records if record.name == "moonbase.access"]:
            return lines
        time.sleep(0.01)
    return []


def test_a_client_that_stops_reading_is_disconnected(port: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    large = blobs.put(b"y" * 64_000_000, "area").key
    with socket.socket() as client:
        client.settimeout(20)
        client.connect(("127.0.0.1", port))
        client.sendall(f"GET {link_to(large)} HTTP/1.1\r\nHost: t\r\n\r\n".encode())
        time.sleep(3)
        received = 0
        with pytest.raises(ConnectionError):  # noqa: PT012
            while data := client.recv(1_000_000):
                received += len(data)
            raise ConnectionError("closed")
    assert received < 64_000_000
    line = access_lines(caplog)[-1]
    assert line.startswith("127.0.0.1 GET /.blobs/{key} 200 ")


def test_the_log_contains_neither_key_nor_signature(port: int, key: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    link = link_to(key)
    ask(port, "GET", link)
    (line,) = access_lines(caplog)
    assert line.startswith("127.0.0.1 GET /.blobs/{key} 200 2048 ")
    assert DIGEST not in caplog.text
    assert link.partition("signature=")[2] not in caplog.text


@pytest.mark.parametrize(("size", "statuses"), [(5, [200, 200]), (65_536, [200, 200]), (65_537, [413])])
def test_a_body_is_not_mistaken_for_the_next_request(port: int, key: str, size: int, statuses: list[int]) -> None:
    target = link_to(key).encode()
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(b"GET %s HTTP/1.1\r\nHost: t\r\nContent-Length: %d\r\n\r\n" % (target, size))
        time.sleep(0.1)  # until the link is looked up
        body = b"GET /other HTTP/1.1\r\nHost: t\r\n\r\n".ljust(size, b"x")[:size]
        client.sendall(body + b"GET %s HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n" % target)
        answers = b"".join(iter(lambda: client.recv(100_000), b""))
    assert [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", answers)] == statuses
