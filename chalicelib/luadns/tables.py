"""LuaDNS' items, all in one table. Each docstring names `pk` / `sk`.

The items of an account are in its own partition, so that a key cannot reach the zones of another account, and one Query
reads a zone with its records.
"""

from typing import Any

from pynamodb.attributes import (
    BinaryAttribute,
    DiscriminatorAttribute,
    JSONAttribute,
    NumberAttribute,
    UnicodeAttribute,
    UTCDateTimeAttribute,
)
from pynamodb.indexes import AllProjection, LocalSecondaryIndex

from chalicelib import settings
from chalicelib.core.storage import Item, table_name
from chalicelib.luadns.names import labels_of

AREA = "luadns"  # of blobs: the journals of large changes, and their differences


class ZonesOfAccount(LocalSecondaryIndex[Any]):  # type: ignore[no-untyped-call]
    """The zones of an account without their records. A local index, because only these have consistent reads."""

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
    by_zone = ZonesOfAccount()
    listed = NumberAttribute(null=True)  # a zone's id; only zones have it, so that the index contains only zones


class Zone(LuaDnsItem, discriminator="zone"):
    """A zone and its state. `account#<account id>` / `zone#<id, 10 digits>`.

    Every change of its records increases `serial`, on condition that it is still the serial that the change has read.
    """

    id = NumberAttribute()
    account_id = NumberAttribute()
    name = UnicodeAttribute()  # lower case, without the trailing dot
    serial = (
        NumberAttribute()
    )  # as in the SOA: epoch seconds of the last change, or more after several changes in a second
    records_count = NumberAttribute()
    aliases_count = NumberAttribute(default=0)
    redirects_count = NumberAttribute(default=0)
    forwards_count = NumberAttribute(default=0)
    dnames_count = NumberAttribute(default=0)
    queries_count = NumberAttribute(default=0)  # the name servers increase it; the serial does not change
    journal = UnicodeAttribute(null=True)  # key of the blob with a large change that is committed but not applied
    journal_done = NumberAttribute(null=True)  # the number of applied chunks
    published_serial = NumberAttribute(null=True)  # the last serial that an engine has published
    hosted_zone = UnicodeAttribute(null=True)  # Route 53's id
    name_servers = JSONAttribute(null=True)  # contents of the NS records that the system manages; None: all at the apex
    secondaries = JSONAttribute(null=True)  # see secondaries.py
    source = UnicodeAttribute(null=True)  # the file from which builds make the zone
    template_id = NumberAttribute(default=0)  # of the template whose records it had when it was created
    created_at = UTCDateTimeAttribute()
    updated_at = UTCDateTimeAttribute()


class Record(LuaDnsItem, discriminator="record"):
    """One record. The zone's pk / `<the zone's sk>#<id, 10 digits>`."""

    id = NumberAttribute()
    name = UnicodeAttribute()  # as the client wrote it, with the trailing dot
    type = UnicodeAttribute()
    content = UnicodeAttribute()  # byte for byte as the client wrote it; a SOA has the serial of its creation
    ttl = NumberAttribute()
    external_id = UnicodeAttribute(null=True)
    serial = NumberAttribute()  # the zone's when this record last changed
    created_at = UTCDateTimeAttribute()
    updated_at = UTCDateTimeAttribute()


class Node(LuaDnsItem, discriminator="node"):
    """All records at one name, as name servers and the rules for records need them. The zone's pk / see `node_sk`.

    `records` is [[id, type, content, ttl], ...]. A name without records has no node.
    """

    records = JSONAttribute()
    serial = NumberAttribute()  # the zone's when this node last changed


class ZoneChange(LuaDnsItem, discriminator="change"):
    """The difference between two serials of a zone. The zone's pk / see `change_sk`. It expires.

    `body` is the difference as `history.difference_of` reads it; a very long one is in `blob` instead.
    """

    serial = NumberAttribute()  # the zone's after this change
    previous = NumberAttribute(null=True)  # the zone's before this change; None for a new zone
    at = UTCDateTimeAttribute()
    action = UnicodeAttribute()  # as in the audit log
    actor_id = NumberAttribute(null=True)  # the account that has made the change; None for the command line and jobs
    body = BinaryAttribute(legacy_encoding=False, null=True)
    blob = UnicodeAttribute(null=True)


class Publication(LuaDnsItem, discriminator="publication"):
    """The state of a zone at Route 53. `publication#<zone id>` / `publication`."""

    lease_ends = NumberAttribute(null=True)  # epoch seconds when the lease on the hosted zone expires
    holder = UnicodeAttribute(null=True)  # a random token of the process that holds the lease
    change = UnicodeAttribute(null=True)  # id of the last change, until all name servers have it
    serial = NumberAttribute(null=True)  # the zone's serial at the last publication
    error = UnicodeAttribute(null=True)  # the records that Route 53 rejected, with its reasons
    failures = NumberAttribute(default=0)  # consecutive failures of Route 53


class ZoneName(LuaDnsItem, discriminator="zone-name"):
    """The claim of an account on a zone's name. `name#<name>` / `zone-name`."""

    account_id = NumberAttribute()
    zone_id = NumberAttribute()


class TsigKey(LuaDnsItem, discriminator="tsig-key"):
    """A key that signs DNS messages (RFC 8945). `account#<account id>` / `tsig#<name>`."""

    account_id = NumberAttribute()
    name = UnicodeAttribute()  # lower case, without the trailing dot
    algorithm = UnicodeAttribute()  # hmac-sha256 or hmac-sha512
    sealed = UnicodeAttribute()  # the secret in Base64, sealed for `pk`
    scope = UnicodeAttribute()  # see tsig_keys.py
    created_at = UTCDateTimeAttribute()


class TsigName(LuaDnsItem, discriminator="tsig-name"):
    """The claim of an account on the name of a TSIG key: messages name the key only. `tsig#<name>` / `tsig-name`."""

    account_id = NumberAttribute()


def tsig_sk(name: str) -> str:
    """The sort key of a TSIG key, and the partition key of its name's claim."""
    return f"tsig#{name}"


def account_pk(account_id: int) -> str:
    """The partition key of an account."""
    return f"account#{int(account_id)}"


def zone_sk(zone_id: int) -> str:
    """The sort key of a zone; it is the prefix of its records' sort keys."""
    return f"zone#{int(zone_id):010d}"


def record_sk(zone_id: int, record_id: int) -> str:
    """The sort key of a record."""
    return f"{zone_sk(zone_id)}#{int(record_id):010d}"


def node_sk(zone_id: int, name: str) -> str:
    """The sort key of the node at `name`, an absolute name in lower case such as `www.example.com.`.

    It has the labels in reverse order, `com.example.www.`, so that a name's key is the prefix of all keys below it.
    """
    labels = reversed(labels_of(name.removesuffix(".")))
    return nodes_prefix(zone_id) + "".join(f"{label}." for label in labels)


def nodes_prefix(zone_id: int) -> str:
    """The prefix of the sort keys of a zone's nodes."""
    return f"node#{int(zone_id):010d}#"


def changes_prefix(zone_id: int) -> str:
    """The prefix of the sort keys of a zone's changes."""
    return f"change#{int(zone_id):010d}#"


def change_sk(zone_id: int, serial: int) -> str:
    """The sort key of the change that led to a serial."""
    return f"{changes_prefix(zone_id)}{int(serial):010d}"


def name_pk(name: str) -> str:
    """The partition key of the claim of a zone's name, in lower case without the trailing dot."""
    return f"name#{name}"
