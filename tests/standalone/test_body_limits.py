"""A body that is too large is rejected before it is read, with the error of the service at its path."""

import json
import socket
from collections.abc import Iterator

import pytest

from tests.servers import Server, serving


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("limits") / "data") as running:
        yield running


def rejection(server: Server, head: str, body: bytes = b"") -> tuple[str, object]:
    """Send an incomplete request; return the status line and the JSON of the answer."""
    port = int(server.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(head.replace("\n", "\r\n").encode() + b"Host: moonbase.test\r\n\r\n" + body)
        with connection.makefile("rb") as answer:
            status = answer.readline().decode().strip()
            length = 0
            while line := answer.readline().strip():
                name, _, value = line.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
            return status, json.loads(answer.read(length))


@pytest.mark.parametrize("length", [15 * 1024 * 1024 + 1, 20_000_000, 99_999_999_999])
def test_luarocks_rejects_a_large_content_length(server: Server, length: int) -> None:
    answer = rejection(server, f"POST /api/1/nokey/upload_rock/1 HTTP/1.1\nContent-Length: {length}\n")
    assert answer == (
        "HTTP/1.1 413 Request Entity Too Large",
        {"errors": ["The request is larger than 15728640 bytes."]},
    )


def test_hel_rejects_a_large_content_length(server: Server) -> None:
    status, body = rejection(server, "POST /auth HTTP/1.1\nContent-Length: 65537\n")
    assert status == "HTTP/1.1 413 Request Entity Too Large"
    assert body == {
        "success": False,
        "title": "Request Entity Too Large",
        "message": "The request is larger than 65536 bytes.",
        "explanation": "The request body is larger than this server accepts.",
        "code": 413,
        "version": "3.4.0",
        "logged_in": False,
    }


def test_a_chunked_body_is_rejected_at_the_limit(server: Server) -> None:
    chunk = b"8000\r\n" + b"x" * 0x8000 + b"\r\n"
    status, body = rejection(server, "POST /auth HTTP/1.1\nTransfer-Encoding: chunked\n", chunk * 3)
    assert (status, isinstance(body, dict) and body["code"]) == ("HTTP/1.1 413 Request Entity Too Large", 413)


def test_a_large_body_to_a_path_without_a_handler_gets_that_path_s_error(server: Server) -> None:
    answer = rejection(server, "POST /nothing/here HTTP/1.1\nContent-Length: 99999999\n")
    assert answer == ("HTTP/1.1 404 Not Found", {"message": "There is nothing at this path."})
