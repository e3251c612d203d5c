"""The addresses to which Moonbase connects: never to this machine, its network or the cloud's metadata service.

Every connection, also after a redirect, resolves the name once, checks the addresses, and connects to a checked one.
So a name that changes its address in between gains nothing.
"""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

from chalicelib import settings
from chalicelib.core.errors import Invalid

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Origin = tuple[str, int]  # host in lower case, and port

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
# Addresses that the registries, or some versions of `ipaddress`, count as global.
_SPECIAL = tuple(
    ipaddress.ip_network(network)
    for network in (
        "168.63.129.16/32",  # the host of a virtual machine at Azure
        "192.0.0.0/24",  # protocol assignments
        "192.88.99.0/24",  # relays of 6to4
        "3fff::/20",  # documentation
        "2001:20::/28",  # identifiers of ORCHIDv2, which are not routed
    )
)
# The metadata service of a cloud gives away its machine's credentials. No configured host is there.
_METADATA = tuple(ipaddress.ip_network(network) for network in ("169.254.0.0/16", "fe80::/10", "fd00:ec2::254/128"))


class ForbiddenAddress(Invalid):
    """Connections to this address are forbidden."""


@dataclass(frozen=True)
class AddressRules:
    """The addresses that may be connected to: public ones, those in `networks`, and those of `trusted` origins.

    The operator configures both. A trusted origin may have a private address, but not one of a metadata service.
    """

    networks: tuple[Network, ...] = ()
    trusted: frozenset[Origin] = frozenset()

    def check(self, host: str, port: int, address: Address) -> None:
        """Raise ForbiddenAddress unless connections to this address of `host` are allowed."""
        if is_public(address) or any(address in network for network in self.networks):
            return
        if (host.lower(), port) in self.trusted and _may_be_configured(address):
            return
        raise ForbiddenAddress(f"{host} is not a public address.")


def address_rules(networks: Iterable[str] | None = None, trusted: Iterable[Origin] = ()) -> AddressRules:
    """The rules with the networks that the settings allow, or with `networks`. Raises ValueError for a bad network."""
    given = settings.current().outbound_networks if networks is None else networks
    return AddressRules(tuple(map(ipaddress.ip_network, given)), frozenset(trusted))


def is_public(address: Address) -> bool:
    """Whether an address is public, in any mapped or embedded form."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = embedded(address)
        if inner is not None:
            return is_public(inner)
        if address not in _GLOBAL_UNICAST:
            return False
    if any(address in network for network in _SPECIAL):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def embedded(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address to which packets for this IPv6 address may go: mapped, NAT64, 6to4 or Teredo."""
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]


def _may_be_configured(address: Address) -> bool:
    inner = embedded(address) if isinstance(address, ipaddress.IPv6Address) else None
    plain = inner or address
    return not (plain.is_multicast or plain.is_unspecified or any(plain in network for network in _METADATA))
