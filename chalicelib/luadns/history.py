"""The history of zones: each change stores its difference, with the serials before and after it.

Name servers answer incremental transfers from it, caches replay it instead of reading a zone again, and an older state
can be restored. Changes are stored for MOONBASE_LUADNS_HISTORY_DAYS.
"""

import secrets
import zlib
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from typing import NamedTuple, cast

import orjson

from chalicelib import settings
from chalicelib.core import blobs
from chalicelib.core.storage import Transaction
from chalicelib.luadns.store import Owner
from chalicelib.luadns.tables import AREA, LuaDnsItem, Record, Zone, ZoneChange, change_sk, changes_prefix

_DEFLATED_FROM = 2_000  # bytes of a body
_MAX_BODY = 200_000  # bytes in the item, which holds 400 KB; a longer body is in a blob


class RecordState(NamedTuple):
    """A record at one serial; `ttl` in seconds. A SOA has the serial of its creation."""

    id: int
    name: str
    type: str
    content: str
    ttl: int
    external_id: str | None

    @classmethod
    def of(cls, record: Record) -> "RecordState":
        """The current state of a record."""
        return cls(int(record.id), record.name, record.type, record.content, int(record.ttl), record.external_id)


class Difference(NamedTuple):
    """The records that a change removed and added. A record that it changed is in both with the same id."""

    removed: list[RecordState]
    added: list[RecordState]


def record(
    writes: Transaction,
    zone: Zone,
    previous: int | None,
    at: datetime,
    owner: Owner,
    action: str,
    difference: Difference,
) -> None:
    """Add the change from the serial `previous` to the zone's serial to the transaction that makes it.

    `at` is the time of its records' last change.
    """
    change = ZoneChange(
        zone.pk,
        change_sk(int(zone.id), int(zone.serial)),
        serial=zone.serial,
        previous=previous,
        at=at,
        action=action,
        actor_id=int(owner.caller.account.id) if owner.caller else None,
        expires_at=at + timedelta(days=settings.current().luadns_history_days),
    )
    body = orjson.dumps([[tuple(state) for state in states] for states in difference])
    if len(body) >= _DEFLATED_FROM:
        body = zlib.compress(body, 1)
    if len(body) <= _MAX_BODY:
        change.body = body
    else:
        change.blob = blobs.put(body, f"{AREA}/{int(zone.id)}-{secrets.token_hex(8)}").key
        writes.on_refusal(partial(blobs.delete, change.blob))
    writes.put(change)


def difference_of(change: ZoneChange) -> Difference:
    """The difference of a stored change. Raises NotFound if the zone was just deleted."""
    body = blobs.get(change.blob) if change.blob else change.body
    removed, added = orjson.loads(body if body.startswith(b"[") else zlib.decompress(body))
    return Difference([RecordState(*row) for row in removed], [RecordState(*row) for row in added])


def between(zone: Zone, serial: int) -> list[ZoneChange] | None:
    """The changes after `serial` up to the zone's serial, oldest first; None if one of them is not stored any more."""
    if not 0 <= serial <= zone.serial:
        return None
    sks = (change_sk(int(zone.id), serial + 1), change_sk(int(zone.id), int(zone.serial)))
    found: list[ZoneChange] = []
    if serial < zone.serial:
        items = LuaDnsItem.query(zone.pk, LuaDnsItem.sk.between(*sks), consistent_read=True)
        found = list(cast(Iterable[ZoneChange], items))
    at: int | None = serial
    for change in found:
        if change.previous != at:
            return None
        at = int(change.serial)
    return found if at == zone.serial else None


def newest_first(zone: Zone, before: int | None = None) -> Iterator[ZoneChange]:
    """The stored changes of a zone, those with a serial below `before` if it is given."""
    last = change_sk(int(zone.id), int(zone.serial) if before is None else before - 1)
    sks = LuaDnsItem.sk.between(changes_prefix(int(zone.id)), last)
    items = LuaDnsItem.query(zone.pk, sks, consistent_read=True, scan_index_forward=False)
    return iter(cast(Iterable[ZoneChange], items))


def described(zone: Zone, limit: int, before: int | None) -> list[tuple[ZoneChange, Difference]]:
    """The newest changes of a zone with their differences, at most `limit`; see `newest_first`."""
    changes = islice(newest_first(zone, before), limit)
    return [(change, difference_of(change)) for change in changes]


def combined(differences: Iterable[Difference]) -> Difference:
    """One difference with the result of several in order; a record whose state is the same afterwards is in neither."""
    before: dict[int, RecordState | None] = {}
    after: dict[int, RecordState | None] = {}
    for removed, added in differences:
        old = {state.id: state for state in removed}
        for state in (*removed, *added):
            before.setdefault(state.id, old.get(state.id))
            after[state.id] = None
        after.update({state.id: state for state in added})
    changed = [number for number in before if before[number] != after[number]]
    sides = ([side[number] for number in changed] for side in (before, after))
    return Difference(*([state for state in states if state is not None] for states in sides))
