"""Changes of the secondaries of a zone."""

import ipaddress
from collections.abc import Sequence
from typing import Any

from chalicelib.core import audit
from chalicelib.core.storage import Transaction
from chalicelib.luadns import store, tsig_keys
from chalicelib.luadns.changes import retry
from chalicelib.luadns.problems import Problem, invalid
from chalicelib.luadns.secondaries import Secondary
from chalicelib.luadns.store import Owner
from chalicelib.luadns.tables import Zone

MAX_SECONDARIES = 20


def replace(owner: Owner, zone_id: int, wanted: Sequence[Secondary]) -> Zone:
    """Set the secondaries of a zone. Raises NotFound and Invalid."""
    checked = validate(wanted)

    def attempt() -> Zone:
        zone = store.zone(owner, zone_id)
        unknown = [each for each in checked if each.key and not _can_transfer(owner, each.key, zone)]
        if unknown:
            raise invalid([Problem("key", f"{each.key} is no TSIG key for transfers of this zone") for each in unknown])
        writes = Transaction()
        stored: list[dict[str, Any]] | None = [each._asdict() for each in checked] or None
        writes.update(zone, zone.assign(secondaries=stored), Zone.pk.exists(), store.not_found("Zone"))
        subject = f"zone#{zone_id}"
        writes.put(audit.entry(owner.account_id, "zone.secondaries", subject, owner.caller, zone=zone.name))
        writes.commit()
        return zone

    return retry(zone_id, attempt)


def _can_transfer(owner: Owner, name: str, zone: Zone) -> bool:
    key = tsig_keys.find(name)
    return key is not None and tsig_keys.can_transfer(key, zone)


def validate(wanted: Sequence[Secondary]) -> list[Secondary]:
    """Return the secondaries with addresses in their usual form. Raises Invalid."""
    problems, checked = [], []
    if len(wanted) > MAX_SECONDARIES:
        problems.append(Problem(None, f"a zone has at most {MAX_SECONDARIES} secondaries"))
    for index, each in enumerate(wanted):
        try:
            network = ipaddress.ip_network(each.address, strict=False)
        except ValueError:
            problems.append(Problem("address", "address must be an IP address or a network").within(index))
            continue
        if not 1 <= each.port <= 65535:
            problems.append(Problem("port", "port must be between 1 and 65535").within(index))
        address = str(network.network_address) if network.num_addresses == 1 else str(network)
        key = each.key.lower().removesuffix(".") if each.key else None
        checked.append(each._replace(address=address, key=key))
    if problems:
        raise invalid(problems)
    return checked
