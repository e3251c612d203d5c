"""ETags of zones and records, and If-Match against lost updates.

A zone's tag is its serial, and after a dot the other values that change in a zone: the query count and the sync state.
If-Match compares the serial only: a newer query count or sync state must not reject a change.
"""

import re

from chalicelib.core.errors import Stale
from chalicelib.luadns.tables import Record, Zone
from chalicelib.web.conditional import matches


def of_zone(zone: Zone, synced: bool) -> str:
    """The ETag of a zone's representation."""
    return f'"{int(zone.serial)}.{int(zone.queries_count)}.{int(synced)}"'


def of_records(zone: Zone) -> str:
    """The ETag of a zone's list of records."""
    return f'"{int(zone.serial)}"'


def of_record(zone: Zone, record: Record) -> str:
    """The ETag of a record; a SOA changes with the zone's serial."""
    serial = zone.serial if record.type == "SOA" else record.serial
    return f'"{int(record.id)}-{int(serial)}"'


def require(if_match: str | None, zone: Zone, record: Record | None = None) -> None:
    """Raise Stale if an If-Match header is given and does not match the current zone or record."""
    if if_match is None:
        return
    given = re.sub(r'\.[^",]*"', '"', if_match)
    tags = [of_records(zone), *([of_record(zone, record)] if record else [])]
    if not any(matches(given, tag) for tag in tags):
        raise Stale("The zone or record has changed since it was read.")
