"""Query and Scan: a page of a table's or an index's items in the order of their keys."""

import sqlite3
from collections.abc import Iterator
from typing import Any
from zlib import crc32

import orjson

from standalone.storage.bindings import Bindings
from standalone.storage.capacity import Meter
from standalone.storage.conditions import holds
from standalone.storage.database import Database
from standalone.storage.documents import project
from standalone.storage.errors import invalid
from standalone.storage.key_conditions import Interval, interval, whole
from standalone.storage.keys import owner_bytes
from standalone.storage.tables import Position, Relation, Table
from standalone.storage.values import Item, canonical_item, type_of

PAGE_SIZE = 1024 * 1024
WALK = """
SELECT hash, size, body FROM entries JOIN items ON items.id = item
WHERE (relation, hash, range, owner) >= (?, ?, ?, ?) AND (relation, hash, range, owner) < (?, ?, ?, ?)
ORDER BY relation, hash, range, owner
"""
WALK_BACK = WALK.replace("hash, range, owner\n", "hash DESC, range DESC, owner DESC\n").replace(
    "BY relation,", "BY relation DESC,"
)
SELECTS = ("ALL_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES", "SPECIFIC_ATTRIBUTES", "COUNT")


def query(database: Database, params: dict[str, Any]) -> dict[str, Any]:
    bindings = Bindings(params)
    condition = bindings.condition("KeyConditionExpression")
    assert condition is not None
    with database.reading() as db:
        table = database.table(db, params["TableName"])
        relation = table.relation(params.get("IndexName"))
        page = Page(table, relation, params, bindings)
        span = interval(condition, relation, bindings.values)
        return page.read(db, span, forward=params.get("ScanIndexForward", True))


def scan(database: Database, params: dict[str, Any]) -> dict[str, Any]:
    bindings = Bindings(params)
    with database.reading() as db:
        table = database.table(db, params["TableName"])
        relation = table.relation(params.get("IndexName"))
        page = Page(table, relation, params, bindings)
        return page.read(db, whole(relation), forward=True)


class Page:
    """What one call wants of a relation, and the reading of it."""

    def __init__(self, table: Table, relation: Relation, params: dict[str, Any], bindings: Bindings) -> None:
        self.table = table
        self.relation = relation
        self.params = params
        self.values = bindings.values
        # A query selects by key before it filters; a scan may filter by key.
        keys = relation.keys if "KeyConditionExpression" in params else ()
        self.filter = bindings.condition("FilterExpression", without=keys)
        self.paths = bindings.projection()
        bindings.finish()
        self.meter = Meter(params)
        self.limit: int | None = params.get("Limit")
        self.consistent: bool = params.get("ConsistentRead", False)
        self.select = params.get("Select", "SPECIFIC_ATTRIBUTES" if self.paths else None)
        self.segment = self.read_segment(params)
        self.check()

    def check(self) -> None:
        if self.limit is not None and self.limit < 1:
            raise invalid(
                f"1 validation error detected: Value '{self.limit}' at 'limit' failed to satisfy constraint: "
                "Member must have value greater than or equal to 1"
            )
        if self.consistent and self.relation.kind == "global":
            raise invalid("Consistent reads are not supported on global secondary indexes")
        if self.select not in (None, *SELECTS):
            raise invalid(f"Select type {self.select} is not known; it must be one of [{', '.join(SELECTS)}]")
        if (self.select == "SPECIFIC_ATTRIBUTES") != bool(self.paths):
            raise invalid(
                "Cannot specify the ProjectionExpression when choosing to get "
                f"{self.select}, nor SPECIFIC_ATTRIBUTES without one"
            )
        if self.select == "ALL_PROJECTED_ATTRIBUTES" and self.relation.kind == "table":
            raise invalid("ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName")
        if self.relation.kind == "global" and self.relation.projected is not None:
            self.check_projected(self.relation.projected)

    def check_projected(self, projected: frozenset[str]) -> None:
        if self.select == "ALL_ATTRIBUTES":
            raise invalid(
                "One or more parameter values were invalid: Select type ALL_ATTRIBUTES is not supported for global "
                f"secondary index {self.relation.name} because its projection type is not ALL"
            )
        absent = [str(path.parts[0]) for path in self.paths or () if path.parts[0] not in projected]
        if absent:
            raise invalid(
                "One or more parameter values were invalid: Global secondary index "
                f"{self.relation.name} does not project [{', '.join(absent)}]"
            )

    @staticmethod
    def read_segment(params: dict[str, Any]) -> tuple[int, int]:
        if ("Segment" in params) != ("TotalSegments" in params):
            raise invalid("The Segment and the TotalSegments parameter must be given together")
        segment, total = params.get("Segment", 0), params.get("TotalSegments", 1)
        if not 0 <= segment < total:
            raise invalid(
                "The Segment parameter is zero-based and must be less than parameter TotalSegments: "
                f"Segment: {segment} is not less than TotalSegments: {total}"
            )
        return segment, total

    def read(self, db: sqlite3.Connection, span: Interval, *, forward: bool) -> dict[str, Any]:
        items: list[Item] = []
        count = scanned = size = 0
        last: Item | None = None
        for item, item_size in self.walk(db, self.resumed(span, forward=forward), forward):
            scanned += 1
            size += item_size
            if self.filter is None or holds(self.filter, item, self.values):
                count += 1
                if self.select != "COUNT":
                    items.append(self.shown(item))
            if scanned == self.limit or size >= PAGE_SIZE:
                last = item
                break
        self.meter.read(self.table, self.relation, size, self.consistent)
        answer: dict[str, Any] = {"Count": count, "ScannedCount": scanned, **self.meter.one()}
        if self.select != "COUNT":
            answer["Items"] = items
        if last is not None:
            answer["LastEvaluatedKey"] = {name: last[name] for name in self.key_names()}
        return answer

    def walk(self, db: sqlite3.Connection, span: Interval, forward: bool) -> Iterator[tuple[Item, int]]:
        """Each item as the index sees it, and the size it has there."""
        segment, segments = self.segment
        partial = self.relation.projected is not None
        narrow = partial and self.relation.kind == "global"
        for hash_key, size, body in db.execute(WALK if forward else WALK_BACK, (*span[0], *span[1])):
            if segments > 1 and crc32(hash_key) % segments != segment:
                continue
            item: Item = orjson.loads(body)
            trimmed = self.relation.trim(item)
            yield (trimmed if narrow else item), (canonical_item(trimmed)[1] if partial else size)

    def shown(self, item: Item) -> Item:
        if self.paths:
            return project(item, self.paths)
        return item if self.select == "ALL_ATTRIBUTES" else self.relation.trim(item)

    def key_names(self) -> list[str]:
        return list(dict.fromkeys((*self.table.primary.keys, *self.relation.keys)))

    def resumed(self, span: Interval, *, forward: bool) -> Interval:
        if "ExclusiveStartKey" not in self.params:
            return span
        start = self.start_position(canonical_item(self.params["ExclusiveStartKey"])[0])
        low, high = span
        if not low <= start < high:
            raise invalid("The provided starting key is outside query boundaries based on provided conditions")
        return ((*start[:3], start[3] + b"\x00"), high) if forward else (low, start)

    def start_position(self, key: Item) -> Position:
        types = self.relation.types
        if set(key) != set(self.key_names()) or any(type_of(key[name]) != types[name] for name in key):
            raise invalid("The provided starting key is invalid")
        _, hash_key, range_key, _ = self.table.position(key)
        owner = b"" if self.relation is self.table.primary else owner_bytes(hash_key, range_key)
        position = self.relation.position(key, owner)
        assert position is not None
        return position
