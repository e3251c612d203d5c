"""Zones for name servers, read from the store: small ones whole, large ones name by name."""

from collections.abc import Iterable, Iterator
from contextlib import suppress

from dns.name import Name
from pynamodb.exceptions import UpdateError

from chalicelib.luadns import contents, stand_ins
from chalicelib.luadns.tables import LuaDnsItem, Zone, ZoneName, account_pk, name_pk, zone_sk
from chalicelib.luadns.tables import Node as StoredNode
from chalicelib.luadns.zone_data import Key, Line, Node, Ref, ZoneData, name_of

_SMALL = 200  # records: up to here one Query is less than what the names of a few questions cost
_MOST_LABELS = 20  # of a zone's name
_MOST_KEPT = 20_000  # names of one zone in memory, existing or not


class StoredZone(ZoneData):
    """A zone in the store, as it stands at its serial or later."""

    def __init__(self, zone: Zone) -> None:
        super().__init__((zone.pk, zone.sk), name_of(f"{zone.name}."), int(zone.serial))
        self._pk = zone.pk
        self._forwards = zone.forwards_count > 0
        self._prefix = f"node#{int(zone.id):010d}#"
        self._nodes: dict[Key, Node] = {}
        self._existing: dict[Key, bool] = {}
        self._whole = zone.records_count <= _SMALL
        if self._whole:
            self._nodes = dict(self.nodes())
            self._existing = {key[start:]: True for key in self._nodes for start in range(len(key))}

    def node(self, key: Key) -> Node:
        node = self._nodes.get(key)
        if node is None:
            node = {} if self._whole else self._fetch(key)
        return node

    def exists(self, key: Key) -> bool:
        existing = self._existing.get(key)
        if existing is None:
            existing = not self._whole and (bool(self.node(key)) or self._has_below(key))
            if not self._whole:
                self._existing[key] = existing
        return existing

    def nodes(self) -> Iterator[tuple[Key, Node]]:
        for stored in StoredNode.query(self._pk, StoredNode.sk.startswith(self._prefix), consistent_read=True):
            yield self._key(stored.sk), self._node(stored)

    def _fetch(self, key: Key) -> Node:
        """Read a name, and with it all that its question may lead to: the names above, and their wildcards."""
        if len(self._nodes) > _MOST_KEPT:
            self._nodes, self._existing = {}, {}
        above = [key[start:] for start in range(len(key) - len(self.apex) + 1)]
        wanted = {*above, *((b"*", *name) for name in above[1:])} - self._nodes.keys()
        keys = {sk: name for name in wanted if (sk := self._sk(name)) is not None}
        nodes: dict[Key, Node] = dict.fromkeys(wanted, {})
        for stored in _get((self._pk, sk) for sk in keys):
            assert isinstance(stored, StoredNode)
            nodes[keys[stored.sk]] = self._node(stored)
        self._nodes.update(nodes)
        return nodes[key]

    def _has_below(self, key: Key) -> bool:
        sk = self._sk(key)
        if sk is None:
            return False
        below = StoredNode.query(self._pk, StoredNode.sk.startswith(sk), limit=1, consistent_read=True)
        return next(below, None) is not None

    def _node(self, stored: StoredNode) -> Node:
        node: dict[str, list[Line]] = {}
        for _, type_, content, ttl in stored.records:
            if type_ == "SOA":
                content = contents.with_serial(content, self.serial)
            node.setdefault(type_, []).append(Line(type_, content, ttl))
        published = stand_ins.replaced(node)
        return stand_ins.with_mail(published) if self._forwards and "SOA" in node else published

    def _sk(self, key: Key) -> str | None:
        """Where a name's records lie; None for a name that the API takes no records for."""
        if any(b"." in label or not label.isascii() for label in key):
            return None
        return self._prefix + "".join(f"{label.decode()}." for label in key[-2::-1])

    def _key(self, sk: str) -> Key:
        labels = sk.removeprefix(self._prefix).split(".")
        return tuple(label.encode() for label in reversed(labels))[1:] + (b"",)


def find(name: Name) -> Zone | None:
    """The deepest zone that `name` is in, in two calls."""
    text = name.canonicalize().to_text(omit_final_dot=True)
    labels = text.split(".")
    suffixes = [".".join(labels[start:]) for start in range(max(0, len(labels) - _MOST_LABELS), len(labels))]
    claims = list(_get((name_pk(suffix), "zone-name") for suffix in suffixes))
    if not claims:
        return None
    deepest = max(claims, key=lambda claim: len(claim.pk))
    assert isinstance(deepest, ZoneName)
    return Zone.find(account_pk(int(deepest.account_id)), zone_sk(int(deepest.zone_id)))


def _get(keys: Iterable[tuple[str, str]]) -> Iterator[LuaDnsItem]:
    """Those items that are there."""
    return LuaDnsItem.batch_get(list(keys), consistent_read=True)


def add_queries(ref: Ref, count: int) -> None:
    """Note that so many questions about a zone were answered; nothing when it is gone."""
    with suppress(UpdateError):
        Zone(*ref).update(actions=[Zone.queries_count.add(count)], condition=Zone.pk.exists())
