"""The published records that differ between two serials of a zone, for incremental transfers (RFC 1995)."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import dns.rrset
from dns.name import Name
from dns.rdata import Rdata
from dns.rdatatype import RdataType
from dns.rrset import RRset

from chalicelib.luadns import history, store, stored_zones
from chalicelib.luadns.history import RecordState
from chalicelib.luadns.stored_zones import StoredZone
from chalicelib.luadns.tables import Node as StoredNode
from chalicelib.luadns.tables import Zone, node_sk
from chalicelib.luadns.zone_data import Key, Line, Node, ZoneData, key_of, parse_name

_MAX_STATES = 4_000  # of records, above which the whole zone is transferred

Published = tuple[Name, int, Rdata]  # a record: name, TTL in seconds, rdata


class Increment(NamedTuple):
    """The SOA at both serials, and the records that were removed and added in between, each a set of one record."""

    soa_before: RRset
    removed: list[RRset]
    soa_after: RRset
    added: list[RRset]


class _ChangedNames(ZoneData):
    """A zone of which only some names are known."""

    def __init__(self, zone: StoredZone, serial: int, nodes: dict[Key, Node]) -> None:
        super().__init__(zone.ref, zone.origin, serial)
        self._nodes = nodes

    def node(self, key: Key) -> Node:
        return self._nodes.get(key, {})

    def exists(self, key: Key) -> bool:
        return bool(self.node(key))

    def nodes(self) -> Iterable[tuple[Key, Node]]:
        return self._nodes.items()

    def whole(self) -> "_ChangedNames":
        return self

    def soa(self) -> RRset:
        """The SOA record."""
        found = self.rrset(self.apex, RdataType.SOA)
        assert found is not None, "a zone has an SOA record"
        return found

    def published(self) -> set[Published]:
        """All records except the SOA."""
        sets = (rrset for rrset in self.rrsets() if rrset.rdtype != RdataType.SOA)
        return {(rrset.name, rrset.ttl, rdata) for rrset in sets for rdata in rrset}


def since(zone: StoredZone, serial: int) -> Increment | None:
    """The increment from `serial` to the zone's serial; None if it is unknown, or longer than the zone."""
    head = zone.head
    changes = history.between(head, serial)
    if changes is None:
        return None
    difference = history.combined(map(history.difference_of, changes))
    removed, added = difference
    states = len(removed) + len(added)
    if states > min(_MAX_STATES, int(head.records_count)):
        return None
    after = _rows_of(head, {key_of(zone.origin), *(_key(state) for states in difference for state in states)})
    if after is None:
        return None
    before = {key: dict(rows) for key, rows in after.items()}
    for state in added:
        before[_key(state)].pop(state.id, None)
    for state in removed:
        before[_key(state)][state.id] = Line(state.type, state.content, state.ttl)
    forwards = int(head.forwards_count)
    old_forwards = forwards + sum(s.type == "FORWARD" for s in removed) - sum(s.type == "FORWARD" for s in added)
    old = _published(zone, serial, before, bool(old_forwards))
    new = _published(zone, int(head.serial), after, bool(forwards))
    gone, come = old.published() - new.published(), new.published() - old.published()
    return Increment(old.soa(), list(_sets(gone)), new.soa(), list(_sets(come)))


def _rows_of(head: Zone, keys: Iterable[Key]) -> dict[Key, dict[int, Line]] | None:
    """The stored records at these names, by id; None if the zone has changed since `head` was read."""
    sks = {node_sk(int(head.id), Name(key).to_text()): key for key in keys}
    rows: dict[Key, dict[int, Line]] = {key: {} for key in sks.values()}
    found: dict[str, StoredNode] = store.nodes(head, sks)
    for sk, node in found.items():
        rows[sks[sk]] = {int(number): Line(*fields) for number, *fields in node.records}
    now = Zone.find(head.pk, head.sk)
    return rows if now is not None and now.serial == head.serial and not now.journal else None


def _published(zone: StoredZone, serial: int, rows: dict[Key, dict[int, Line]], forwards: bool) -> _ChangedNames:
    nodes = {key: stored_zones.published(lines.values(), serial, has_forwards=forwards) for key, lines in rows.items()}
    return _ChangedNames(zone, serial, nodes)


def _sets(records: set[Published]) -> Iterator[RRset]:
    """The records in a stable order: by name, type and rdata."""
    for name, ttl, rdata in sorted(records, key=lambda record: (record[0], record[2].rdtype, record[2])):
        yield dns.rrset.from_rdata(name, ttl, rdata)


def _key(state: RecordState) -> Key:
    return key_of(parse_name(state.name))
