"""UDP datagrams to checked addresses, and the replies to them."""

import ipaddress
import selectors
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

from chalicelib.core.outbound.addresses import AddressRules, ForbiddenAddress

Peer = tuple[str, int]  # an IP address and a port
_MAX_REPLY = 65_535  # bytes


def exchange(
    messages: Mapping[Peer, bytes], rules: AddressRules, seconds: float, is_reply: Callable[[Peer, bytes], bool]
) -> set[Peer]:
    """Send a datagram to each peer at once; return the peers from which a reply came within `seconds`.

    `is_reply` decides whether a datagram from a peer is its reply. A forbidden or unreachable peer has not replied.
    """
    replied: set[Peer] = set()
    with selectors.DefaultSelector() as selector:
        for peer, content in messages.items():
            if connection := _connected(peer, rules):
                selector.register(connection, selectors.EVENT_READ, peer)
                _send(connection, content)
        try:
            deadline = time.monotonic() + seconds
            while len(replied) < len(selector.get_map()) and (left := deadline - time.monotonic()) > 0:
                for key, _ in selector.select(left):
                    if is_reply(key.data, _receive(key.fileobj)):
                        replied.add(key.data)
        finally:
            for key in list(selector.get_map().values()):
                _socket(key.fileobj).close()
    return replied


def _connected(peer: Peer, rules: AddressRules) -> socket.socket | None:
    """A socket that exchanges datagrams with one peer; None if this is not possible."""
    host, port = peer
    address = ipaddress.ip_address(host)
    connection = socket.socket(socket.AF_INET if address.version == 4 else socket.AF_INET6, socket.SOCK_DGRAM)
    try:
        rules.check(host, port, address)
        connection.setblocking(False)
        connection.connect((host, port))
    except (OSError, ForbiddenAddress):
        connection.close()
        return None
    return connection


def _send(connection: socket.socket, content: bytes) -> None:
    with suppress(OSError):  # as if the datagram was lost
        connection.send(content)


def _receive(connection: object) -> bytes:
    try:
        return _socket(connection).recv(_MAX_REPLY)
    except OSError:  # the peer's port is closed
        return b""


def _socket(connection: object) -> socket.socket:
    assert isinstance(connection, socket.socket)
    return connection
