"""GetItem, BatchGetItem and TransactGetItems."""

import sqlite3
from typing import Any

from standalone.storage.bindings import Bindings
from standalone.storage.capacity import Meter
from standalone.storage.database import Database, fetch
from standalone.storage.documents import project
from standalone.storage.errors import invalid
from standalone.storage.parameters import MEMBER
from standalone.storage.syntax import Path
from standalone.storage.tables import Position, Table
from standalone.storage.values import Item, canonical_item

MAX_BATCH = 100
MAX_TRANSACTION = 100
MAX_BATCH_SIZE = 16 * 1024 * 1024


def bound_projection(params: dict[str, Any]) -> tuple[Path, ...] | None:
    if "ProjectionExpression" not in params and "ExpressionAttributeNames" not in params:
        return None
    bindings = Bindings(params)
    paths = bindings.projection()
    bindings.finish()
    return paths


def place_of(table: Table, key: Item) -> Position:
    return table.position(table.given_key(canonical_item(key)[0]))


def read(
    db: sqlite3.Connection,
    table: Table,
    place: Position,
    paths: tuple[Path, ...] | None,
    consistent: bool,
    meter: Meter,
) -> Item | None:
    stored = fetch(db, place)
    meter.read(table, table.primary, stored.size if stored else 0, consistent)
    if stored is None:
        return None
    return stored.item() if paths is None else project(stored.item(), paths)


def get_item(database: Database, params: dict[str, Any]) -> dict[str, Any]:
    meter = Meter(params)
    paths = bound_projection(params)
    with database.reading() as db:
        table = database.table(db, params["TableName"])
        item = read(db, table, place_of(table, params["Key"]), paths, params.get("ConsistentRead", False), meter)
    return meter.one() if item is None else {"Item": item, **meter.one()}


def batch_get_item(database: Database, params: dict[str, Any]) -> dict[str, Any]:
    meter = Meter(params)
    requests = params["RequestItems"]
    count = sum(len(request["Keys"]) for request in requests.values())
    if not count:
        raise invalid(
            "1 validation error detected: Value at 'requestItems' failed to satisfy constraint: "
            "Member must have length greater than or equal to 1"
        )
    if count > MAX_BATCH:
        raise invalid("Too many items requested for the BatchGetItem call")
    responses: dict[str, list[Item]] = {}
    unprocessed: dict[str, Any] = {}
    budget = MAX_BATCH_SIZE
    with database.reading() as db:
        for name, request in requests.items():
            table = database.table(db, name)
            responses[name], left, budget = read_keys(db, table, request, meter, budget)
            if left:
                unprocessed[name] = {**request, "Keys": left}
    return {"Responses": responses, "UnprocessedKeys": unprocessed, **meter.all()}


def read_keys(
    db: sqlite3.Connection, table: Table, request: dict[str, Any], meter: Meter, budget: int
) -> tuple[list[Item], list[Item], int]:
    """The items found, the keys left for another call once 16 MB are read, and the bytes still to read."""
    MEMBER["Keys"].check("RequestItems", request)
    paths, consistent = bound_projection(request), request.get("ConsistentRead", False)
    places = [place_of(table, key) for key in request["Keys"]]
    if len(set(places)) < len(places):
        raise invalid("Provided list of item keys contains duplicates")
    found: list[Item] = []
    for number, place in enumerate(places):
        stored = fetch(db, place)
        budget -= stored.size if stored else 0
        if budget < 0:
            return found, request["Keys"][number:], 0
        item = read(db, table, place, paths, consistent, meter)
        if item is not None:
            found.append(item)
    return found, [], budget


def transact_get_items(database: Database, params: dict[str, Any]) -> dict[str, Any]:
    meter = Meter(params, factor=2)
    gets = [entry.get("Get", {}) for entry in params["TransactItems"]]
    if not 1 <= len(gets) <= MAX_TRANSACTION:
        raise invalid(
            "1 validation error detected: Value at 'transactItems' failed to satisfy constraint: "
            f"Member must have length of 1 to {MAX_TRANSACTION}"
        )
    for get in gets:
        MEMBER["Get"].check("Get", get)
    projections = [bound_projection(get) for get in gets]
    responses: list[dict[str, Item]] = []
    with database.snapshot() as db:
        tables = [database.table(db, get["TableName"]) for get in gets]
        places = [place_of(table, get["Key"]) for table, get in zip(tables, gets, strict=True)]
        if len(set(places)) < len(places):
            raise invalid("Transaction request cannot include multiple operations on one item")
        for table, place, paths in zip(tables, places, projections, strict=True):
            item = read(db, table, place, paths, True, meter)
            responses.append({} if item is None else {"Item": item})
    return {"Responses": responses, **meter.all("ReadCapacityUnits")}
