"""ETags of zones and records, and If-Match against lost updates.

A zone's tag is its serial, and after a dot what else a client sees change of it. Whether a change may be made is a
question of the serial alone: that name servers have caught up, or were asked, is no reason to refuse it.
"""

import re

from chalicelib.core.errors import Stale
from chalicelib.luadns.tables import Record, Zone
from chalicelib.web.conditional import matches


def of_zone(zone: Zone, synced: bool) -> str:
    """The tag of a zone as a client sees it."""
    return f'"{int(zone.serial)}.{int(zone.queries_count)}.{int(synced)}"'


def of_records(zone: Zone) -> str:
    """The tag of all records of a zone, of which its own shows nothing else."""
    return f'"{int(zone.serial)}"'


def of_record(zone: Zone, record: Record) -> str:
    """The tag of a record; a SOA shows the zone's serial."""
    serial = zone.serial if record.type == "SOA" else record.serial
    return f'"{int(record.id)}-{int(serial)}"'


def require(if_match: str | None, zone: Zone, record: Record | None = None) -> None:
    """Raises Stale unless an If-Match header, where there is one, names the zone, or the record, as it stands."""
    if if_match is None:
        return
    given = re.sub(r'\.[^",]*"', '"', if_match)
    tags = [of_records(zone), *([of_record(zone, record)] if record else [])]
    if not any(matches(given, tag) for tag in tags):
        raise Stale("The zone or record has changed since it was read.")
