"""Zones, records and nodes as they are stored; whoever meets a large change that is only half written finishes it."""

import time
from collections.abc import Iterable, Iterator
from typing import NamedTuple, cast

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
    record_sk,
    zone_sk,
)

_TRIES = 20


class Owner(NamedTuple):
    """Whose zones are meant, and who asks: nobody is the administrator at the command line, or a job."""

    account_id: int
    caller: Caller | None = None

    @classmethod
    def of(cls, caller: Caller) -> "Owner":
        """A caller's own account."""
        return cls(int(caller.account.id), caller)

    def sees(self, zone: Zone) -> bool:
        """Whether the caller may know of a zone: a key for one zone knows no other."""
        only = self.caller.only("zone") if self.caller else None
        return only is None or zone.name == only.lower().removesuffix(".")


def zones(owner: Owner) -> list[Zone]:
    """The zones, oldest first, in one Query."""
    found = cast(Iterable[Zone], LuaDnsItem.by_zone.query(account_pk(owner.account_id), consistent_read=True))
    return [zone for zone in found if owner.sees(zone)]


def zone(owner: Owner, zone_id: int) -> Zone:
    """One zone; raises NotFound."""
    return read(owner, zone_id)[0]


def contents(owner: Owner, zone_id: int) -> tuple[Zone, list[Record]]:
    """A zone and all its records by id, in one Query per megabyte; raises NotFound."""
    for attempt in range(_TRIES):
        found, pages = _walk(owner.account_id, zone_id)
        if not found or not isinstance(found[0], Zone) or not owner.sees(found[0]):
            raise not_found("Zone")
        head, records = found[0], [item for item in found[1:] if isinstance(item, Record)]
        if head.journal:
            journal.settle(head)
        elif pages == 1 or _stands(head):
            return head, records
        else:
            time.sleep(0.02 * attempt)
    raise Busy("The zone is being changed all the time.", retry_after=1)


def record(owner: Owner, zone_id: int, record_id: int) -> tuple[Zone, Record]:
    """A zone and one of its records; raises NotFound."""
    head, items = read(owner, zone_id, [record_sk(zone_id, record_id)])
    if not items:
        raise not_found("Record")
    return head, cast(Record, next(iter(items.values())))


def nodes(head: Zone, sks: Iterable[str]) -> dict[str, Node]:
    """Some nodes of a zone by their sort keys; of a name without records there is none."""
    return {item.sk: item for item in cast(Iterator[Node], _get_many((head.pk, sk) for sk in sks))}


def records(head: Zone, record_ids: Iterable[int]) -> dict[int, Record]:
    """Some records of a zone by id."""
    found = _get_many((head.pk, record_sk(int(head.id), number)) for number in record_ids)
    return {int(item.id): item for item in cast(Iterator[Record], found)}


def read(owner: Owner, zone_id: int, sks: Iterable[str] = ()) -> tuple[Zone, dict[str, LuaDnsItem]]:
    """A zone and items beside it by their sort keys, in one call; raises NotFound when the zone is not there."""
    pk, sk = account_pk(owner.account_id), zone_sk(zone_id)
    keys = [(pk, sk), *((pk, other) for other in sks)]
    while True:
        found = {item.sk: item for item in _get_many(keys)}
        head = found.pop(sk, None)
        if not isinstance(head, Zone) or not owner.sees(head):
            raise not_found("Zone")
        if not head.journal:
            return head, found
        journal.settle(head)


def claims(names: Iterable[str]) -> dict[str, ZoneName]:
    """Who has zones of these names, lower case and without the last dot."""
    keys = {name_pk(name): name for name in names}
    found = _get_many((pk, "zone-name") for pk in keys)
    return {keys[item.pk]: cast(ZoneName, item) for item in found}


def not_found(what: str) -> NotFound:
    """LuaDNS' words, which libcloud compares to the letter."""
    return NotFound(f"{what} not found.")


def _walk(account_id: int, zone_id: int) -> tuple[list[LuaDnsItem], int]:
    """The zone and what follows it, and in how many pages it came."""
    query = LuaDnsItem.query(account_pk(account_id), LuaDnsItem.sk.startswith(zone_sk(zone_id)), consistent_read=True)
    pages = list(query.page_iter)
    return [LuaDnsItem.from_raw_data(raw) for page in pages for raw in page["Items"]], len(pages)


def _stands(head: Zone) -> bool:
    """Whether the zone is still as it was: of a change between two pages we would have seen a part."""
    now = Zone.find(head.pk, head.sk)
    return now is not None and now.serial == head.serial and now.journal is None


def _get_many(keys: Iterable[tuple[str, str]]) -> Iterator[LuaDnsItem]:
    return iter(LuaDnsItem.batch_get(list(keys), consistent_read=True))
