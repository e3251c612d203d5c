"""TCP connections to checked addresses, and a deadline for everything that a thread does with them."""

import contextvars
import ipaddress
import queue
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from chalicelib.core.outbound.addresses import AddressRules

_deadline: contextvars.ContextVar[float | None] = contextvars.ContextVar("deadline", default=None)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """End every wait of this thread for a connection after `seconds` in all, with TimeoutError."""
    token = _deadline.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _deadline.reset(token)


def remaining() -> float | None:
    """The seconds until the deadline of this thread; None without one. Raises TimeoutError after it."""
    ends = _deadline.get()
    if ends is None:
        return None
    seconds = ends - time.monotonic()
    if seconds <= 0:
        raise TimeoutError("the time for this request is over")
    return seconds


class _Timed:
    """A socket whose operations end at the deadline, however few bytes the peer sends at a time."""

    def _wait_at_most(self) -> None:
        seconds = remaining()
        timeout = self.gettimeout()  # type: ignore[attr-defined]
        if seconds is not None and (timeout is None or timeout > seconds):
            self.settimeout(seconds)  # type: ignore[attr-defined]


class TimedSocket(_Timed, socket.socket):
    """A TCP connection with the thread's deadline."""

    def recv(self, *arguments: Any) -> bytes:
        self._wait_at_most()
        return super().recv(*arguments)

    def recv_into(self, *arguments: Any) -> int:
        self._wait_at_most()
        return super().recv_into(*arguments)

    def sendall(self, *arguments: Any) -> None:
        self._wait_at_most()
        super().sendall(*arguments)


class TimedTlsSocket(_Timed, ssl.SSLSocket):
    """A TLS connection with the thread's deadline."""

    def read(self, *arguments: Any) -> Any:
        self._wait_at_most()
        return super().read(*arguments)

    def send(self, *arguments: Any) -> int:
        self._wait_at_most()
        return super().send(*arguments)

    def do_handshake(self, block: bool = False) -> None:
        self._wait_at_most()
        super().do_handshake(block)


@cache
def tls_context() -> ssl.SSLContext:
    """The context that verifies certificates by those of the system, and makes connections with the deadline."""
    context = ssl.create_default_context()
    context.sslsocket_class = TimedTlsSocket
    return context


def connect(host: str, port: int, rules: AddressRules, timeout: float) -> TimedSocket:
    """Connect to the first address of `host` that answers, each within `timeout` seconds.

    Raises ForbiddenAddress if an address is forbidden, OSError if none answers.
    """
    last: OSError | None = None
    for family, kind, protocol, sockaddr in _resolve(host, port):
        rules.check(host, port, ipaddress.ip_address(str(sockaddr[0]).partition("%")[0]))
        connection = TimedSocket(family, kind, protocol)
        try:
            left = remaining()
            connection.settimeout(timeout if left is None else min(timeout, left))
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.connect(sockaddr)
        except OSError as error:
            connection.close()
            last = error
        else:
            return connection
    raise last or OSError(f"{host} has no address.")


def check_name(host: str, port: int, rules: AddressRules) -> None:
    """Raise ForbiddenAddress if `host` has a forbidden address. Names that cannot be resolved here pass."""
    try:
        found = _resolve(host, port)
    except TimeoutError:
        raise
    except OSError:
        return
    for _, _, _, sockaddr in found:
        rules.check(host, port, ipaddress.ip_address(str(sockaddr[0]).partition("%")[0]))


def _resolve(host: str, port: int) -> list[tuple[int, int, int, Any]]:
    """The addresses of `host`. The system's resolver knows no deadline, so with one it has a thread of its own.

    Raises OSError.
    """
    seconds = remaining()
    if seconds is None:
        return _look_up(host, port)
    answers: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            answers.put(_look_up(host, port))
        except (OSError, UnicodeError) as error:
            answers.put(error)

    threading.Thread(target=look_up, name="outbound-resolver", daemon=True).start()
    try:
        answer = answers.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError(f"the address of {host} cannot be found in time") from None
    if isinstance(answer, Exception):
        raise answer
    found: list[tuple[int, int, int, Any]] = answer
    return found


def _look_up(host: str, port: int) -> list[tuple[int, int, int, Any]]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:  # a label of more than 63 characters, for example
        raise OSError(f"{host[:100]} is not a name of a host") from error
    return [(family, kind, protocol, sockaddr) for family, kind, protocol, _, sockaddr in found]
