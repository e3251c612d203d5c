"""A web server of raw bytes on the loopback interface, for tests of outbound requests."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

Respond = Callable[["Received", socket.socket], bytes | None]


@dataclass
class Received:
    """A request: its first line, its headers by name in lower case, and its body."""

    line: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return self.line.split(" ")[1]


@dataclass
class WebServer:
    """A running server; `received` are the requests so far, `connections` their number of connections."""

    url: str
    port: int
    received: list[Received] = field(default_factory=list)
    connections: int = 0


def response(status: str = "200 OK", body: bytes = b"", **headers: str) -> bytes:
    """A response with a Content-Length."""
    fields = {"Content-Length": str(len(body)), **{name.replace("_", "-"): value for name, value in headers.items()}}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + body


@contextmanager
def web_server(respond: Respond, address: str = "127.0.0.1") -> Iterator[WebServer]:
    """Serve `respond(request, connection)`: the bytes of the response; None if it has sent them, and closes."""
    with socket.create_server((address, 0)) as listener:
        port = listener.getsockname()[1]
        server = WebServer(f"http://{address}:{port}", port)
        threading.Thread(target=_accept, args=(listener, server, respond), daemon=True).start()
        try:
            yield server
        finally:
            listener.shutdown(socket.SHUT_RDWR)


def _accept(listener: socket.socket, server: WebServer, respond: Respond) -> None:
    with suppress(OSError):
        while True:
            connection, _ = listener.accept()
            server.connections += 1
            threading.Thread(target=_serve, args=(connection, server, respond), daemon=True).start()


def _serve(connection: socket.socket, server: WebServer, respond: Respond) -> None:
    with suppress(OSError), connection, connection.makefile("rb") as file:
        while request := _read(file):
            server.received.append(request)
            answer = respond(request, connection)
            if answer is None:
                return
            connection.sendall(answer)


def _read(file: object) -> Received | None:
    line = file.readline().decode("latin-1").strip()  # type: ignore[attr-defined]
    if not line:
        return None
    headers = {}
    while field_line := file.readline().decode("latin-1").strip():  # type: ignore[attr-defined]
        name, _, value = field_line.partition(":")
        headers[name.lower()] = value.strip()
    return Received(line, headers, file.read(int(headers.get("content-length", 0))))  # type: ignore[attr-defined]
