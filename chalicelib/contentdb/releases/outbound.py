"""HTTP to hosts that users name: never to this machine, its network or the cloud's metadata service.

Every connection, also after a redirect, resolves the name once, checks the addresses, and connects to a checked one.
So a name that changes its address in between gains nothing.
"""

import ipaddress
import socket
from collections.abc import Sequence
from typing import Any

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager, Retry, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection

_REDIRECTS = 5
_READ_TIMEOUT = 20.0  # seconds without a byte
_NAT64 = ipaddress.ip_network("64:ff9b::/96")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class ForbiddenAddress(Exception):
    """Connections to this address are forbidden."""


def pool_manager(allowed: Sequence[str] = ()) -> PoolManager:
    """An urllib3 pool that connects to public addresses, and to those in the `allowed` networks."""
    networks = tuple(ipaddress.ip_network(network) for network in allowed)

    class Plain(_Guarded, HTTPConnection):
        _networks = networks

    class Secure(_Guarded, HTTPSConnection):
        _networks = networks

    manager = PoolManager(
        retries=Retry(total=_REDIRECTS, connect=0, read=0, redirect=_REDIRECTS, status=0, other=0),
        timeout=Timeout(connect=10.0, read=_READ_TIMEOUT),
        headers={"User-Agent": "git/moonbase"},  # GitHub and others serve Git to this prefix
    )
    manager.pool_classes_by_scheme = {
        "http": type("PlainPool", (HTTPConnectionPool,), {"ConnectionCls": Plain}),
        "https": type("SecurePool", (HTTPSConnectionPool,), {"ConnectionCls": Secure}),
    }
    return manager


def is_public(address: Address) -> bool:
    """Whether an address is public, in any mapped or embedded form."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
        if address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
    return address.is_global and not address.is_multicast and not address.is_reserved


class _Guarded:
    """A urllib3 connection that checks the address before it connects."""

    _networks: tuple[Network, ...]
    _dns_host: str
    port: int
    timeout: Any

    def _new_conn(self) -> socket.socket:
        last: OSError | None = None
        for family, kind, protocol, _, sockaddr in socket.getaddrinfo(
            self._dns_host, self.port, type=socket.SOCK_STREAM
        ):
            address = ipaddress.ip_address(str(sockaddr[0]).partition("%")[0])
            if not (is_public(address) or any(address in network for network in self._networks)):
                raise ForbiddenAddress(f"{self._dns_host} is not a public address.")
            connection = socket.socket(family, kind, protocol)
            try:
                connection.settimeout(self.timeout if isinstance(self.timeout, int | float) else _READ_TIMEOUT)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection.connect(sockaddr)
            except OSError as error:
                connection.close()
                last = error
            else:
                return connection
        raise last or OSError(f"{self._dns_host} has no address.")
