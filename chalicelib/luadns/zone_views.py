"""The records of zones for reads, rendered and cached: a read costs one consistent read of the zone's item.

If the zone has changed since, its stored changes are replayed; the whole zone is read if one of them is missing, or if
they are longer than the zone.
"""

import threading
from bisect import bisect_left, insort
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from chalicelib.luadns import history, record_json, store
from chalicelib.luadns.record_json import RecordView
from chalicelib.luadns.store import Owner
from chalicelib.luadns.tables import Zone, ZoneChange, account_pk

_MAX_RECORDS = 60_000  # in all cached zones; each takes about a kilobyte

Place = tuple[int, str, str, int]  # of a record in the list: see `_place`


@dataclass(frozen=True)
class ZoneView:
    """The records of a zone at one serial: their places in the list, in order, and each as it is and as JSON, by id."""

    zone: Zone
    places: list[Place]
    records: Mapping[int, RecordView]
    rows: Mapping[int, bytes]

    @cached_property
    def body(self) -> bytes:
        """All records in the order of the list, as a JSON array."""
        return b"[" + b",".join([self.rows[place[3]] for place in self.places]) + b"]"

    def with_head(self, zone: Zone) -> "ZoneView":
        """The same records of a newer state of the zone's item at the same serial."""
        view = ZoneView(zone, self.places, self.records, self.rows)
        vars(view)["body"] = self.body  # as the cached property stores it
        return view

    @property
    def listed(self) -> list[RecordView]:
        """All records in the order of the list."""
        return [self.records[place[3]] for place in self.places]


class _Views:
    """The views that were used last, by zone id."""

    def __init__(self) -> None:
        self._views: OrderedDict[int, ZoneView] = OrderedDict()
        self._records = 0
        self._lock = threading.Lock()

    def find(self, zone_id: int) -> ZoneView | None:
        with self._lock:
            if zone_id in self._views:
                self._views.move_to_end(zone_id)
            return self._views.get(zone_id)

    def store(self, view: ZoneView) -> None:
        with self._lock:
            zone_id = int(view.zone.id)
            if (old := self._views.pop(zone_id, None)) is not None:
                self._records -= len(old.records)
            self._views[zone_id] = view
            self._records += len(view.records)
            while self._records > _MAX_RECORDS and self._views:
                self._records -= len(self._views.popitem(last=False)[1].records)


_views = _Views()


def of(owner: Owner, zone_id: int) -> ZoneView:
    """The current records of a zone. Raises NotFound, and Busy while the zone is changed all the time."""
    cached = _views.find(zone_id)
    view = None
    if cached is not None and cached.zone.pk == account_pk(owner.account_id):
        head = store.zone(owner, zone_id)
        if head.created_at == cached.zone.created_at:  # else the tables were replaced
            view = cached.with_head(head) if head.serial == cached.zone.serial else _replay(cached, head)
    view = view or _read(owner, zone_id)
    _views.store(view)
    return view


def _read(owner: Owner, zone_id: int) -> ZoneView:
    zone, items = store.raw_contents(owner, zone_id)
    records = {record.id: record for record in map(record_json.from_item, items)}
    rows = {number: record_json.rendered(zone, record) for number, record in records.items()}
    return ZoneView(zone, sorted(map(_place, records.values())), records, rows)


def _replay(view: ZoneView, head: Zone) -> ZoneView | None:
    """The view at the serial of `head`; None if the changes do not lead there."""
    changes = history.between(head, int(view.zone.serial))
    if changes is None:
        return None
    records, touched = dict(view.records), set[int]()
    for change in changes:
        difference = history.difference_of(change)
        if len(difference.added) + len(difference.removed) > len(records):
            return None
        touched |= _apply(records, change, difference)
    places, rows = list(view.places), dict(view.rows)
    for number in touched:
        if (old := view.records.get(number)) is not None:
            del places[bisect_left(places, _place(old))]
            del rows[number]
        if (new := records.get(number)) is not None:
            insort(places, _place(new))
            rows[number] = record_json.rendered(head, new)
    for _, type_, _, number in places[:1]:
        if type_ == "SOA":
            rows[number] = record_json.rendered(head, records[number])
    return ZoneView(head, places, records, rows)


def _apply(records: dict[int, RecordView], change: ZoneChange, difference: history.Difference) -> set[int]:
    """Apply a change to the records; return the ids of those that it concerns."""
    created: dict[int, datetime] = {}
    for state in difference.removed:
        created[state.id] = records.pop(state.id).created_at
    for state in difference.added:
        records[state.id] = RecordView(*state, created.get(state.id, change.at), change.at)
    return {state.id for states in difference for state in states}


def _place(record: RecordView) -> Place:
    """The place of a record as the real server lists them: SOA and NS first, then by type, name and id."""
    return {"SOA": 0, "NS": 1}.get(record.type, 2), record.type, record.name, record.id
