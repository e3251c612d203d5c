"""Zones for name servers, read from the store: small ones whole, large ones name by name."""

from collections.abc import Iterable
from contextlib import suppress

from dns.name import Name
from pynamodb.exceptions import UpdateError

from chalicelib.core.errors import NotFound
from chalicelib.luadns import contents, stand_ins, store
from chalicelib.luadns.store import Owner
from chalicelib.luadns.tables import Node as StoredNode
from chalicelib.luadns.tables import Record, Zone, ZoneName, node_sk
from chalicelib.luadns.zone_data import Key, Line, Node, Ref, ZoneData, key_of, name_of

_SMALL = 200  # records: up to here one Query is less than what the names of a few questions cost
_MOST_LABELS = 20  # of a zone's name
_MOST_KEPT = 20_000  # names of one zone in memory, existing or not


class StoredZone(ZoneData):
    """A zone in the store, as it stands at its serial or later.

    `whole` asks for all of it at once. Raises NotFound when it has just been deleted.
    """

    def __init__(self, zone: Zone, *, whole: bool = False) -> None:
        self._whole = whole or zone.records_count <= _SMALL
        records: list[Record] = []
        if self._whole:
            zone, records = store.contents(Owner(int(zone.account_id)), int(zone.id))
        super().__init__((zone.pk, zone.sk), name_of(f"{zone.name}."), int(zone.serial))
        self._zone = zone
        self._nodes: dict[Key, Node] = self._gathered(records)
        self._existing = {key[start:]: True for key in self._nodes for start in range(len(key))}

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
        return self if self._whole else StoredZone(self._zone, whole=True)

    def _fetch(self, key: Key) -> Node:
        """Read a name, and with it all that its question may lead to: the names above, and their wildcards."""
        if len(self._nodes) > _MOST_KEPT:
            self._nodes, self._existing = {}, {}
        above = [key[start:] for start in range(len(key) - len(self.apex) + 1)]
        around = {*above, *((b"*", *name) for name in above[1:])}
        wanted = {key, *(around - self._nodes.keys())}  # with what another thread may just have read
        sks = {sk: name for name in wanted if (sk := self._sk(name)) is not None}
        nodes: dict[Key, Node] = {name: {} for name in wanted}
        for sk, stored in store.nodes(self._zone, sks).items():
            nodes[sks[sk]] = self._published(Line(*fields[1:]) for fields in stored.records)
        self._nodes.update(nodes)
        return nodes[key]

    def _has_below(self, key: Key) -> bool:
        sk = self._sk(key)
        if sk is None:
            return False
        begins = StoredNode.sk.startswith(sk)
        return next(StoredNode.query(self._zone.pk, begins, limit=1, consistent_read=True), None) is not None

    def _sk(self, key: Key) -> str | None:
        """Where the node of a name lies; None for one that the API takes no records for."""
        if any(b"." in label or not label.isascii() for label in key):
            return None
        return node_sk(int(self._zone.id), b".".join(key).decode())

    def _gathered(self, records: Iterable[Record]) -> dict[Key, Node]:
        names: dict[Key, list[Line]] = {}
        for record in records:
            key = key_of(name_of(record.name))
            names.setdefault(key, []).append(Line(record.type, record.content, int(record.ttl)))
        return {key: self._published(lines) for key, lines in names.items()}

    def _published(self, lines: Iterable[Line]) -> Node:
        node: dict[str, list[Line]] = {}
        for line in lines:
            if line.type == "SOA":
                line = line._replace(content=contents.with_serial(line.content, self.serial))
            node.setdefault(line.type, []).append(line)
        published = stand_ins.replaced(node)
        return stand_ins.with_mail(published) if "SOA" in node and self._zone.forwards_count else published


def claim(name: Name) -> ZoneName | None:
    """Which zone is the deepest that `name` is in, in one call."""
    labels = name.canonicalize().to_text(omit_final_dot=True).split(".")
    claims = store.claims(".".join(labels[start:]) for start in range(max(0, len(labels) - _MOST_LABELS), len(labels)))
    return claims[max(claims, key=len)] if claims else None


def head(claimed: ZoneName) -> Zone | None:
    """The zone of a claim as it stands now, in one call; None when it has just been deleted."""
    try:
        return store.zone(Owner(int(claimed.account_id)), int(claimed.zone_id))
    except NotFound:
        return None


def find(name: Name) -> StoredZone | None:
    """The deepest zone that `name` is in."""
    claimed = claim(name)
    zone = head(claimed) if claimed else None
    return StoredZone(zone) if zone else None


def add_queries(ref: Ref, count: int) -> None:
    """Note that so many questions about a zone were answered; nothing when it is gone."""
    with suppress(UpdateError):
        Zone(*ref).update(actions=[Zone.queries_count.add(count)], condition=Zone.pk.exists())
