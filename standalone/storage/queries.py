"""Query and Scan: a page of items of a table or an index, in key order."""

from typing import Any

from standalone.storage.capacity import Meter
from standalone.storage.database import Database
from standalone.storage.documents import Path, project
from standalone.storage.errors import check_range, invalid
from standalone.storage.evaluation import Call, Node, evaluate
from standalone.storage.key_conditions import interval
from standalone.storage.parser import Expressions
from standalone.storage.tables import Interval, Relation, TableDefinition
from standalone.storage.values import Item, canonical_item

PAGE_SIZE = 1024 * 1024
MAX_LIMIT = 2**31 - 1


def page(database: Database, params: dict[str, Any]) -> dict[str, Any]:
    """Execute a Query, or a Scan, which has no key condition."""
    meter = Meter(params)
    expressions = Expressions(params)
    condition, filter_, paths = map(
        expressions.read, ("KeyConditionExpression", "FilterExpression", "ProjectionExpression")
    )
    expressions.finish()
    counting = "Select" in params
    if counting and (params["Select"] != "COUNT" or paths):
        raise invalid("Select is supported here as COUNT, without a ProjectionExpression")
    limit = params.get("Limit", MAX_LIMIT)
    check_range("limit", limit, 1, MAX_LIMIT)
    forward = params.get("ScanIndexForward", True)
    answer: dict[str, Any] = {"Count": 0, "ScannedCount": 0} | ({} if counting else {"Items": []})
    size = 0
    with database.reading() as store:
        table = store.table(params["TableName"])
        relation = table.relation(params.get("IndexName"))
        for stored in store.walk(span(table, relation, params, condition, filter_), forward=forward):
            size += stored.size
            answer["ScannedCount"] += 1
            if filter_ is None or evaluate(filter_, stored.item):
                answer["Count"] += 1
                if not counting:
                    answer["Items"].append(project(stored.item, paths) if paths else stored.item)
            if answer["ScannedCount"] == limit or size >= PAGE_SIZE:
                names = table.primary.keys + relation.keys
                answer["LastEvaluatedKey"] = {name: stored.item[name] for name in names}
                break
    meter.read_bytes(table, size, params.get("ConsistentRead", False))
    return {**answer, **meter.one()}


def span(
    table: TableDefinition, relation: Relation, params: dict[str, Any], condition: Node | None, filter_: Node | None
) -> Interval:
    """The interval of places for a page."""
    if params.get("ConsistentRead") and not relation.consistent:
        raise invalid("Consistent reads are not supported on global secondary indexes")
    low, high = relation.whole
    if condition is not None:
        low, high = interval(condition, relation)
        if keys := attributes(filter_).intersection(relation.keys):
            raise invalid(f"Filter Expression can only contain non-primary key attributes: {keys}")
    if "ExclusiveStartKey" in params:
        start = start_place(table, relation, canonical_item(params["ExclusiveStartKey"])[0])
        if not low <= start < high:
            raise invalid("The provided starting key is outside query boundaries based on provided conditions")
        return (start + b"\0", high) if params.get("ScanIndexForward", True) else (low, start)
    return low, high


def attributes(node: Node | None) -> set[str]:
    """The top-level attributes in a condition."""
    if isinstance(node, Call):
        return set().union(*map(attributes, node.arguments))
    return {node.attribute} if isinstance(node, Path) else set()


def start_place(table: TableDefinition, relation: Relation, key: Item) -> bytes:
    mismatch = "The provided starting key is invalid"
    if key.keys() != {*table.primary.keys, *relation.keys}:
        raise invalid(mismatch)
    for owner in (table.primary, relation):
        for name in owner.keys:
            owner.check_key(name, key[name], mismatch)
    place = relation.place(key)
    assert place is not None
    return place
