"""Reads of zones, records and nodes. Each read first applies a zone's journal, if there is one."""

import time
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, cast

from chalicelib.core.caller import Caller
from chalicelib.core.errors import Busy, NotFound
from chalicelib.luadns import journal
from chalicelib.luadns.tables import (
    LuaDnsItem,
    Node,
    Record,
    Zone,
    ZoneName,
    account_pk,
    name_pk,
    nodes_prefix,
    record_sk,
    zone_sk,
)

_MAX_ATTEMPTS = 20


class Owner(NamedTuple):
    """The account that owns the zones, and the caller; None for the command line and for jobs."""

    account_id: int
    caller: Caller | None = None

    @classmethod
    def of(cls, caller: Caller) -> "Owner":
        """The caller's own account."""
        return cls(int(caller.account.id), caller)

    def can_access(self, zone: Zone) -> bool:
        """Whether the caller's key may access a zone: it may be limited to one zone."""
        only = self.caller.only("zone") if self.caller else None
        return only is None or zone.name == only.lower().removesuffix(".")


def zones(owner: Owner) -> list[Zone]:
    """The owner's zones, oldest first, in one Query."""
    found = cast(Iterable[Zone], LuaDnsItem.by_zone.query(account_pk(owner.account_id), consistent_read=True))
    return [zone for zone in found if owner.can_access(zone)]


def zone(owner: Owner, zone_id: int) -> Zone:
    """One zone; raises NotFound."""
    return zone_with_items(owner, zone_id)[0]


def contents(owner: Owner, zone_id: int) -> tuple[Zone, list[Record]]:
    """A zone and all its records by id, in one Query per megabyte; raises NotFound, and Busy during many changes."""
    head, items = raw_contents(owner, zone_id)
    return head, [Record.from_raw_data(item) for item in items]


def raw_contents(owner: Owner, zone_id: int) -> tuple[Zone, list[dict[str, Any]]]:
    """The same, with the records as they are stored."""
    for attempt in range(_MAX_ATTEMPTS):
        items, pages = _query_zone(owner.account_id, zone_id)
        head = LuaDnsItem.from_raw_data(items[0]) if items else None
        if not isinstance(head, Zone) or not owner.can_access(head):
            raise not_found("Zone")
        records = [item for item in items[1:] if item["kind"]["S"] == "record"]
        if head.journal:
            journal.apply(head)
        elif pages == 1 or _is_current(head):
            return head, records
        else:
            time.sleep(0.02 * attempt)
    raise Busy("The zone is being changed all the time.", retry_after=1)


def record(owner: Owner, zone_id: int, record_id: int) -> tuple[Zone, Record]:
    """A zone and one of its records; raises NotFound."""
    head, items = zone_with_items(owner, zone_id, [record_sk(zone_id, record_id)])
    if not items:
        raise not_found("Record")
    return head, cast(Record, next(iter(items.values())))


def nodes(head: Zone, sks: Iterable[str]) -> dict[str, Node]:
    """The nodes of a zone with these sort keys; a name without records has no node."""
    return {item.sk: item for item in cast(Iterator[Node], _get_many((head.pk, sk) for sk in sks))}


def all_nodes(head: Zone) -> dict[str, Node]:
    """All nodes of a zone by sort key, in one Query per megabyte."""
    query = LuaDnsItem.query(head.pk, LuaDnsItem.sk.startswith(nodes_prefix(int(head.id))), consistent_read=True)
    return {item.sk: item for item in cast(Iterator[Node], query)}


def records(head: Zone, record_ids: Iterable[int]) -> dict[int, Record]:
    """The records of a zone with these ids, by id."""
    found = _get_many((head.pk, record_sk(int(head.id), number)) for number in record_ids)
    return {int(item.id): item for item in cast(Iterator[Record], found)}


def zone_with_items(owner: Owner, zone_id: int, sks: Iterable[str] = ()) -> tuple[Zone, dict[str, LuaDnsItem]]:
    """A zone and the items with these sort keys in its partition, in one call; raises NotFound if there is no zone."""
    pk, sk = account_pk(owner.account_id), zone_sk(zone_id)
    keys = [(pk, sk), *((pk, other) for other in sks)]
    while True:
        found = {item.sk: item for item in _get_many(keys)}
        head = found.pop(sk, None)
        if not isinstance(head, Zone) or not owner.can_access(head):
            raise not_found("Zone")
        if not head.journal:
            return head, found
        journal.apply(head)


def claims(names: Iterable[str]) -> dict[str, ZoneName]:
    """The claims of these zone names, by name; names are in lower case without the trailing dot."""
    keys = {name_pk(name): name for name in names}
    found = _get_many((pk, "zone-name") for pk in keys)
    return {keys[item.pk]: cast(ZoneName, item) for item in found}


def not_found(resource: str) -> NotFound:
    """A NotFound with LuaDNS' text, which libcloud compares."""
    return NotFound(f"{resource} not found.")


def _query_zone(account_id: int, zone_id: int) -> tuple[list[dict[str, Any]], int]:
    """The zone with its records as they are stored, and the number of pages that the Query took."""
    query = LuaDnsItem.query(account_pk(account_id), LuaDnsItem.sk.startswith(zone_sk(zone_id)), consistent_read=True)
    pages = list(query.page_iter)
    return [item for page in pages for item in page["Items"]], len(pages)


def _is_current(head: Zone) -> bool:
    """Whether the zone is unchanged: a change between two pages of a Query is read in part."""
    now = Zone.find(head.pk, head.sk)
    return now is not None and now.serial == head.serial and now.journal is None


def _get_many(keys: Iterable[tuple[str, str]]) -> Iterator[LuaDnsItem]:
    return iter(LuaDnsItem.batch_get(list(keys), consistent_read=True))
