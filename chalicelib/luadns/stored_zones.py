"""Zones for name servers, read from the store: small zones as a whole, large ones name by name."""

from collections.abc import Iterable
from contextlib import suppress
from copy import copy

from dns.name import Name
from pynamodb.exceptions import UpdateError

from chalicelib.core.errors import NotFound
from chalicelib.luadns import contents, history, pseudo_records, store
from chalicelib.luadns.store import Owner
from chalicelib.luadns.tables import Node as StoredNode
from chalicelib.luadns.tables import Record, Zone, ZoneName, node_sk
from chalicelib.luadns.zone_data import Key, Line, Node, Ref, ZoneData, key_of, parse_name

_SMALL_ZONE = 200  # records: up to this size one Query is cheaper than the names of a few questions
_MAX_LABELS = 20  # of a zone's name
_MAX_CACHED_NAMES = 20_000  # of one zone, existing or not


class StoredZone(ZoneData):
    """A zone in the store, at its serial or later.

    `whole` reads the whole zone at once. Raises NotFound if the zone was just deleted.
    """

    def __init__(self, zone: Zone, *, whole: bool = False) -> None:
        self._whole = whole or zone.records_count <= _SMALL_ZONE
        records: list[Record] = []
        if self._whole:
            zone, records = store.contents(Owner(int(zone.account_id)), int(zone.id))
        super().__init__((zone.pk, zone.sk), parse_name(f"{zone.name}."), int(zone.serial))
        self.head = zone
        self._nodes: dict[Key, Node] = self._group(records)
        self._existing = _names_in(self._nodes)

    def node(self, key: Key) -> Node:
        node = self._nodes.get(key)
        if node is None:
            node = {} if self._whole else self._fetch(key)
        return node

    def exists(self, key: Key) -> bool:
        if self._whole:
            return key in self._existing
        existing = self._existing.get(key)
        if existing is None:
            existing = self._existing[key] = bool(self.node(key)) or self._has_below(key)
        return existing

    def nodes(self) -> Iterable[tuple[Key, Node]]:
        return sorted(self._nodes.items(), key=lambda item: item[0][::-1])

    def whole(self) -> "StoredZone":
        return self if self._whole else StoredZone(self.head, whole=True)

    def advanced(self, head: Zone) -> "StoredZone | None":
        """This zone at the serial of `head`, with what is in memory of the names that did not change.

        None if the changes in between are not stored any more, or the zone is changed again meanwhile.
        """
        changes = history.between(head, self.serial)
        if changes is None:
            return None
        differences = [states for change in changes for states in history.difference_of(change)]
        changed = {self.apex, *(key_of(parse_name(state.name)) for states in differences for state in states)}
        return self._without(head, changed)

    def _without(self, head: Zone, changed: set[Key]) -> "StoredZone | None":
        zone = copy(self)
        zone.__dict__.pop("negative_soa", None)
        zone.head, zone.serial = head, int(head.serial)
        zone._sets = {place: found for place, found in self._sets.copy().items() if place[0] not in changed}
        zone._nodes = {key: node for key, node in self._nodes.copy().items() if key not in changed}
        if not self._whole:
            above = {key[start:] for key in changed for start in range(len(key))}
            zone._existing = {key: found for key, found in self._existing.copy().items() if key not in above}
            return zone
        zone._nodes |= zone._read_nodes(changed)
        zone._existing = _names_in(zone._nodes)
        current = Zone.find(head.pk, head.sk)
        return zone if current is not None and current.serial == head.serial and not current.journal else None

    def _fetch(self, key: Key) -> Node:
        """Read a name together with the names that its answer may need: its ancestors and their wildcards."""
        if len(self._nodes) > _MAX_CACHED_NAMES:
            self._nodes, self._existing = {}, {}
        ancestors = [key[start:] for start in range(len(key) - len(self.apex) + 1)]
        related = {*ancestors, *((b"*", *name) for name in ancestors[1:])}
        wanted = {key, *(related - self._nodes.keys())}  # `key` again, even if another thread has just read it
        nodes: dict[Key, Node] = {name: {} for name in wanted}
        nodes |= self._read_nodes(wanted)
        self._nodes.update(nodes)
        return nodes[key]

    def _read_nodes(self, keys: Iterable[Key]) -> dict[Key, Node]:
        """The names among these that have records, which may be none that are published."""
        sks = {sk: key for key in keys if (sk := self._sk(key)) is not None}
        found = store.nodes(self.head, sks)
        return {sks[sk]: self._publish(Line(*fields[1:]) for fields in node.records) for sk, node in found.items()}

    def _has_below(self, key: Key) -> bool:
        sk = self._sk(key)
        if sk is None:
            return False
        begins = StoredNode.sk.startswith(sk)
        return next(StoredNode.query(self.head.pk, begins, limit=1, consistent_read=True), None) is not None

    def _sk(self, key: Key) -> str | None:
        """The sort key of a name's node; None for a name that cannot have records."""
        if any(b"\\" in label or not label.isascii() for label in key):
            return None
        return node_sk(int(self.head.id), b".".join(label.replace(b".", b"\\.") for label in key).decode())

    def _group(self, records: Iterable[Record]) -> dict[Key, Node]:
        names: dict[Key, list[Line]] = {}
        for record in records:
            key = key_of(parse_name(record.name))
            names.setdefault(key, []).append(Line(record.type, record.content, int(record.ttl)))
        return {key: self._publish(lines) for key, lines in names.items()}

    def _publish(self, lines: Iterable[Line]) -> Node:
        return published(lines, self.serial, has_forwards=bool(self.head.forwards_count))


def _names_in(nodes: Iterable[Key]) -> dict[Key, bool]:
    """The names that exist in a zone with these nodes: they and all names above."""
    return {key[start:]: True for key in nodes for start in range(len(key))}


def published(lines: Iterable[Line], serial: int, *, has_forwards: bool) -> Node:
    """What name servers publish for the stored records of one name, in a zone with or without FORWARD records."""
    node: dict[str, list[Line]] = {}
    for line in lines:
        if line.type == "SOA":
            line = line._replace(content=contents.with_serial(line.content, serial))
        node.setdefault(line.type, []).append(line)
    found = pseudo_records.substitute_redirects(node)
    return pseudo_records.add_mail_servers(found) if has_forwards and "SOA" in node else found


def deepest_claim(name: Name) -> ZoneName | None:
    """The claim of the deepest zone that contains `name`, in one call."""
    labels = name.canonicalize().to_text(omit_final_dot=True).split(".")
    claims = store.claims(".".join(labels[start:]) for start in range(max(0, len(labels) - _MAX_LABELS), len(labels)))
    return claims[max(claims, key=len)] if claims else None


def claimed_zone(claimed: ZoneName) -> Zone | None:
    """The current zone of a claim, in one call; None if it was just deleted."""
    try:
        return store.zone(Owner(int(claimed.account_id)), int(claimed.zone_id))
    except NotFound:
        return None


def find(name: Name) -> StoredZone | None:
    """The deepest zone that contains `name`."""
    claimed = deepest_claim(name)
    zone = claimed_zone(claimed) if claimed else None
    return StoredZone(zone) if zone else None


def add_queries(ref: Ref, count: int) -> None:
    """Add to the number of answered questions of a zone; does nothing if the zone was deleted."""
    with suppress(UpdateError):
        Zone(*ref).update(actions=[Zone.queries_count.add(count)], condition=Zone.pk.exists())
