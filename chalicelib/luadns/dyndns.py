"""dyndns2: routers and ddclient set the address records of hosts. One line is answered per host, in the order sent."""

from collections.abc import Iterable, Sequence
from ipaddress import ip_address
from typing import NamedTuple

from chalicelib.core.errors import CoreError, Invalid, TooMany, Unauthenticated
from chalicelib.luadns import names, store
from chalicelib.luadns.changes import ZoneEdit, retry
from chalicelib.luadns.store import Owner
from chalicelib.luadns.tables import Zone
from chalicelib.web.request import Request
from chalicelib.web.response import Response, bytes_response

PATH = "/nic/update"
MAX_HOSTS = 20
_GOOD, _UNCHANGED, _NO_HOST, _NO_NAME, _TOO_MANY_HOSTS, _DNS_ERROR = (
    *("good", "nochg", "nohost", "notfqdn"),
    *("numhost", "dnserr"),
)


class DynamicAddresses(NamedTuple):
    """The hosts of a request, and their new addresses by type of record."""

    hosts: Sequence[str]
    addresses: dict[str, str]


def is_for(request: Request) -> bool:
    """Whether a request is for this protocol, whose errors are text."""
    return "/".join(("", *request.segments)) == PATH


def parse(request: Request) -> DynamicAddresses:
    """Return the hosts, and the addresses in `myip` and `myipv6`, or else the client's. Raises Invalid."""
    given = ",".join(filter(None, (request.argument("myip"), request.argument("myipv6"))))
    try:
        addresses = [ip_address(text.strip()) for text in (given or request.client_address).split(",")]
    except ValueError:
        raise Invalid(_DNS_ERROR) from None
    hosts = [host.strip() for host in (request.argument("hostname") or "").split(",")]
    if len(hosts) > MAX_HOSTS:
        raise Invalid(_TOO_MANY_HOSTS)
    if not any(hosts):
        raise Invalid(_NO_NAME)
    return DynamicAddresses(hosts, {"A" if each.version == 4 else "AAAA": str(each) for each in addresses})


def update(owner: Owner, wanted: DynamicAddresses) -> list[str]:
    """Set the existing address records of the hosts, each host by itself; return a line for each."""
    zones = store.zones(owner)
    return [_update_host(owner, zones, host, wanted.addresses) for host in wanted.hosts]


def render(lines: Iterable[str], status: int = 200, headers: Iterable[tuple[str, str]] = ()) -> Response:
    """Return the lines as text. Clients count them: there is no other line."""
    return bytes_response("".join(f"{line}\n" for line in lines).encode(), "text/plain", status, headers)


def word_of(error: CoreError) -> str:
    """The word of the protocol for an error of the whole request."""
    if isinstance(error, Unauthenticated):
        return "badauth"
    if isinstance(error, TooMany):
        return "abuse"
    return error.message if isinstance(error, Invalid) else "911"


def _update_host(owner: Owner, zones: Sequence[Zone], host: str, addresses: dict[str, str]) -> str:
    host = host.lower().removesuffix(".")
    if "." not in host:
        return _NO_NAME
    above = [zone for zone in zones if f".{host}".endswith(f".{zone.name}")]
    if not above:
        return _NO_HOST
    zone = max(above, key=lambda zone: len(zone.name))
    try:
        name = names.record_name(host, zone.name)
        return retry(int(zone.id), lambda: _attempt(owner, int(zone.id), name, addresses))
    except ValueError:
        return _NO_NAME
    except CoreError:
        return _DNS_ERROR


def _attempt(owner: Owner, zone_id: int, name: str, addresses: dict[str, str]) -> str:
    edit = ZoneEdit(store.zone(owner, zone_id))
    rows = {type_: [row for row in edit.rows(name) if row.type == type_] for type_ in addresses}
    set_types = [type_ for type_ in addresses if rows[type_]]
    shown = ",".join(addresses[type_] for type_ in set_types)
    changed = [type_ for type_ in set_types if [row.content for row in rows[type_]] != [addresses[type_]]]
    if not changed:
        return f"{_UNCHANGED} {shown}" if set_types else _NO_HOST
    for type_ in changed:
        first, *others = store.records(edit.zone, [row.id for row in rows[type_]]).values()
        for record in others:
            edit.remove(record)
        edit.replace(first, content=addresses[type_])
    edit.commit(owner, "record.dynamic-address", name=name)
    return f"{_GOOD} {shown}"
