"""GetItem, BatchGetItem and TransactGetItems."""

from typing import Any

from standalone.storage.capacity import Meter
from standalone.storage.database import Database, StoredItem
from standalone.storage.documents import Path, project
from standalone.storage.errors import check_range, invalid
from standalone.storage.parameters import KEYS, member
from standalone.storage.parser import Expressions
from standalone.storage.tables import TableDefinition
from standalone.storage.values import Item, canonical_item

MAX_BATCH = MAX_TRANSACTION = 100
MAX_BATCH_SIZE = 16 * 1024 * 1024


def projection(params: dict[str, Any]) -> tuple[Path, ...] | None:
    expressions = Expressions(params)
    paths: tuple[Path, ...] | None = expressions.read("ProjectionExpression")
    expressions.finish()
    return paths


def place_of(table: TableDefinition, key: Item) -> bytes:
    return table.key_place(canonical_item(key)[0])


def answer(stored: StoredItem | None, paths: tuple[Path, ...] | None) -> dict[str, Item]:
    if stored is None:
        return {}
    return {"Item": stored.item if paths is None else project(stored.item, paths)}


def get_item(database: Database, params: dict[str, Any]) -> dict[str, Any]:
    meter = Meter(params)
    paths = projection(params)
    with database.reading() as store:
        table = store.table(params["TableName"])
        stored = store.fetch(place_of(table, params["Key"]))
    meter.read(table, stored, params.get("ConsistentRead", False))
    return {**answer(stored, paths), **meter.one()}


def batch_get_item(database: Database, params: dict[str, Any]) -> dict[str, Any]:
    """Return at most 16 MB of items; the remaining keys are in UnprocessedKeys."""
    meter = Meter(params)
    requests = params["RequestItems"]
    for request in requests.values():
        KEYS.check("RequestItems", request)
    check_range("requestItems", sum(len(request["Keys"]) for request in requests.values()), 1, MAX_BATCH)
    answers: dict[str, Any] = {"Responses": {}, "UnprocessedKeys": {}}
    budget = MAX_BATCH_SIZE
    with database.reading() as store:
        for name, request in requests.items():
            table, paths, keys = store.table(name), projection(request), request["Keys"]
            places = [place_of(table, key) for key in keys]
            check_distinct(places, "Provided list of item keys contains duplicates")
            found: list[Item] = []
            answers["Responses"][name] = found
            for number, place in enumerate(places):
                stored = store.fetch(place)
                budget -= stored.size if stored else 0
                if budget < 0:
                    answers["UnprocessedKeys"][name] = {**request, "Keys": keys[number:]}
                    break
                meter.read(table, stored, request.get("ConsistentRead", False))
                found += answer(stored, paths).values()
    return {**answers, **meter.all()}


def transact_get_items(database: Database, params: dict[str, Any]) -> dict[str, Any]:
    meter = Meter(params, factor=2)
    check_range("transactItems", len(params["TransactItems"]), 1, MAX_TRANSACTION)
    gets = [member("TransactGetItems", entry)[1] for entry in params["TransactItems"]]
    projections = [projection(get) for get in gets]
    with database.reading() as store:
        tables = [store.table(get["TableName"]) for get in gets]
        places = [place_of(table, get["Key"]) for table, get in zip(tables, gets, strict=True)]
        check_distinct(places, "Transaction request cannot include multiple operations on one item")
        found = [store.fetch(place) for place in places]
    for table, stored in zip(tables, found, strict=True):
        meter.read(table, stored, consistent=True)
    answers = [answer(stored, paths) for stored, paths in zip(found, projections, strict=True)]
    responses = [one if one.get("Item") else {} for one in answers]
    return {"Responses": responses, **meter.all("ReadCapacityUnits")}


def check_distinct(places: list[bytes], message: str) -> None:
    if len(set(places)) < len(places):
        raise invalid(message)
