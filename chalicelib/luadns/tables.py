"""LuaDNS' items, all in one table. `pk`/`sk` of each stand in its docstring.

What belongs to an account lies in its partition, so that nobody's key can reach another's zones, and a zone with its
records is one Query.
"""

from typing import Any

from pynamodb.attributes import (
    DiscriminatorAttribute,
    JSONAttribute,
    NumberAttribute,
    UnicodeAttribute,
    UTCDateTimeAttribute,
)
from pynamodb.indexes import AllProjection, LocalSecondaryIndex

from chalicelib import settings
from chalicelib.core.storage import Item, table_name


class Zones(LocalSecondaryIndex[Any]):  # type: ignore[no-untyped-call]
    """The zones of an account without their records, strongly consistent as no other index is."""

    class Meta:
        index_name = "zones"
        projection = AllProjection()

    pk = UnicodeAttribute(hash_key=True)
    listed = NumberAttribute(range_key=True)


class LuaDnsItem(Item):
    """Any item of LuaDNS' table."""

    class Meta:
        table_name = table_name("luadns")
        region = settings.current().region

    kind = DiscriminatorAttribute()
    by_zone = Zones()
    listed = NumberAttribute(null=True)  # a zone's id; only zones have it, and so the index holds nothing else


class Zone(LuaDnsItem, discriminator="zone"):
    """A zone, and where it stands. `account#<account id>` / `zone#<id, 10 digits>`.

    Every change of its records moves `serial` on condition that it stands where the change was decided.
    """

    id = NumberAttribute()
    account_id = NumberAttribute()
    name = UnicodeAttribute()  # lower case, without the dot at the end
    serial = NumberAttribute()  # as in the SOA: epoch seconds of the last change, or more when there were many
    records_count = NumberAttribute()
    aliases_count = NumberAttribute(default=0)
    redirects_count = NumberAttribute(default=0)
    forwards_count = NumberAttribute(default=0)
    queries_count = NumberAttribute(default=0)  # the name servers add to it, whatever the serial
    journal = UnicodeAttribute(null=True)  # the blob with a large change that is decided, but not yet written out
    journal_done = NumberAttribute(null=True)  # how many of its chunks are
    published_serial = NumberAttribute(null=True)  # the serial up to which an engine has published
    hosted_zone = UnicodeAttribute(null=True)  # Route 53's id
    created_at = UTCDateTimeAttribute()
    updated_at = UTCDateTimeAttribute()


class Record(LuaDnsItem, discriminator="record"):
    """One record. The zone's pk / `<the zone's sk>#<id, 10 digits>`."""

    id = NumberAttribute()
    name = UnicodeAttribute()  # as the client wrote it, with the dot at the end
    type = UnicodeAttribute()
    content = UnicodeAttribute()  # byte for byte as the client wrote it; of a SOA with the serial of its creation
    ttl = NumberAttribute()
    external_id = UnicodeAttribute(null=True)
    serial = NumberAttribute()  # the zone's when this record last changed
    created_at = UTCDateTimeAttribute()
    updated_at = UTCDateTimeAttribute()


class Node(LuaDnsItem, discriminator="node"):
    """All records at one name: what a question about it, or a rule for it, needs. The zone's pk / see `node_sk`.

    `records` is [[id, type, content, ttl], ...]. A name without records has no node.
    """

    records = JSONAttribute()
    serial = NumberAttribute()  # the zone's when this node last changed


class Publication(LuaDnsItem, discriminator="publication"):
    """How far Route 53 has followed a zone. `publication#<zone id>` / `publication`."""

    lease_ends = NumberAttribute(null=True)  # epoch seconds; until then the hosted zone is its holder's
    holder = UnicodeAttribute(null=True)
    change = UnicodeAttribute(null=True)  # the id of the last change, until all name servers have it
    serial = NumberAttribute(null=True)  # the zone's as it was published last
    error = UnicodeAttribute(null=True)  # what Route 53 refused of it
    failures = NumberAttribute(default=0)  # how often in a row Route 53 did not answer


class ZoneName(LuaDnsItem, discriminator="zone-name"):
    """Whose a zone's name is. `name#<name>` / `zone-name`."""

    account_id = NumberAttribute()
    zone_id = NumberAttribute()


def account_pk(account_id: int) -> str:
    """The partition of an account."""
    return f"account#{int(account_id)}"


def zone_sk(zone_id: int) -> str:
    """Where a zone lies; its records follow it."""
    return f"zone#{int(zone_id):010d}"


def record_sk(zone_id: int, record_id: int) -> str:
    """Where a record lies."""
    return f"{zone_sk(zone_id)}#{int(record_id):010d}"


def node_sk(zone_id: int, name: str) -> str:
    """Where the records at `name` are gathered: an absolute name in lower case, such as `www.example.com.`.

    Its labels stand in reverse, `com.example.www.`, so that what lies below a name begins with that name's key.
    """
    labels = reversed(name.removesuffix(".").split("."))
    return f"node#{int(zone_id):010d}#" + "".join(f"{label}." for label in labels)


def name_pk(name: str) -> str:
    """The claim of a zone's name, in lower case and without the last dot."""
    return f"name#{name}"
