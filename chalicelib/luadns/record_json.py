"""Records as JSON, from PynamoDB's objects or from items as they are stored."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson

from chalicelib.luadns import contents
from chalicelib.luadns.tables import Record, Zone


class RecordView(NamedTuple):
    """A record for reads; `ttl` in seconds."""

    id: int
    name: str
    type: str
    content: str
    ttl: int
    external_id: str | None
    created_at: datetime
    updated_at: datetime


def from_item(item: Mapping[str, Any]) -> RecordView:
    """The record of a stored item, without an object of PynamoDB for each of thousands of records."""
    return RecordView(
        int(item["id"]["N"]),
        item["name"]["S"],
        item["type"]["S"],
        item["content"]["S"],
        int(item["ttl"]["N"]),
        item["external_id"]["S"] if "external_id" in item else None,
        datetime.fromisoformat(item["created_at"]["S"]),
        datetime.fromisoformat(item["updated_at"]["S"]),
    )


def fields_of(zone: Zone, record: Record | RecordView) -> dict[str, Any]:
    """The fields of a record; acme.sh reads the raw text and needs id, name and type next to each other."""
    is_soa = record.type == "SOA"
    row = {
        "id": int(record.id),
        "name": record.name,
        "type": record.type,
        "content": contents.with_serial(record.content, int(zone.serial)) if is_soa else record.content,
        "ttl": int(record.ttl),
        "zone_id": int(zone.id),
        "created_at": render_time(record.created_at),
        "updated_at": render_time(record.updated_at),
    }
    return row if record.external_id is None else {**row, "external_id": record.external_id}


def rendered(zone: Zone, record: RecordView) -> bytes:
    """A record as a JSON object."""
    return orjson.dumps(fields_of(zone, record))


def render_time(moment: datetime) -> str:
    """Render a time as RFC 3339 in UTC without trailing zeros in the fraction: `2015-01-17T13:26:17.52747Z`."""
    text = moment.astimezone(UTC).replace(tzinfo=None).isoformat()
    return (text.rstrip("0") if "." in text else text) + "Z"
