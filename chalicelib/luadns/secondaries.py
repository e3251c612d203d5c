"""The secondary name servers of a zone: who may transfer it, and who is notified of its changes."""

import ipaddress
from typing import NamedTuple

from chalicelib import settings
from chalicelib.luadns import tsig_keys
from chalicelib.luadns.tables import TsigKey, Zone

DNS_PORT = 53


class Secondary(NamedTuple):
    """A secondary, or a network of them, which is never notified.

    With the name of a TSIG key it must sign its requests, and NOTIFY messages to it are signed.
    """

    address: str
    port: int = DNS_PORT
    key: str | None = None
    notify: bool = True

    @property
    def notified(self) -> bool:
        """Whether it gets NOTIFY messages."""
        return self.notify and "/" not in self.address


def of_zone(zone: Zone) -> list[Secondary]:
    """The secondaries that the owner of a zone has named."""
    return [Secondary(**fields) for fields in zone.secondaries or ()]


def to_notify(zone: Zone) -> list[Secondary]:
    """The secondaries that are notified of a change: those of the zone, and the operator's for all zones."""
    everywhere = [Secondary(address) for address in settings.current().luadns_transfer_to]
    return list({(each.address, each.port): each for each in (*everywhere, *of_zone(zone)) if each.notified}.values())


def may_transfer(zone: Zone, peer: str, key: TsigKey | None) -> bool:
    """Whether the address `peer` may transfer a zone with a request that is signed with `key`, or not signed."""
    if key and tsig_keys.can_transfer(key, zone):
        return True
    if any(_contains(network, peer) for network in settings.current().luadns_transfer_to):
        return True
    return any(each.key is None and _contains(each.address, peer) for each in of_zone(zone))


def _contains(network: str, peer: str) -> bool:
    address = ipaddress.ip_address(peer.partition("%")[0])
    address = getattr(address, "ipv4_mapped", None) or address
    return address in ipaddress.ip_network(network, strict=False)
