"""PutItem, UpdateItem, DeleteItem, BatchWriteItem and TransactWriteItems, and the deletion of expired items."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from typing import Any, TypeVar

from standalone.storage.capacity import Meter
from standalone.storage.database import Database, Store, StoredItem
from standalone.storage.documents import project
from standalone.storage.errors import DynamoError, check_range, invalid, invalid_value
from standalone.storage.evaluation import Node, UpdateClause, evaluate, updated
from standalone.storage.parameters import member
from standalone.storage.parser import Expressions
from standalone.storage.reads import MAX_TRANSACTION, check_distinct
from standalone.storage.tables import Relation, TableDefinition, after, key_bytes
from standalone.storage.values import Item, canonical_item, to_json

Result = TypeVar("Result")

MAX_ITEM_SIZE = 400 * 1024
MAX_BATCH = 25
MAX_TRANSACTION_SIZE = 4 * 1024 * 1024
TOKEN_SECONDS = 600
SWEEP_ITEMS = 1000
# DynamoDB does not delete items that expired longer ago, because their time to live may have a wrong unit.
OLDEST_EXPIRY = 5 * 365 * 24 * 3600
RETURN_VALUES = {
    "Put": ("NONE", "ALL_OLD"),
    "Delete": ("NONE", "ALL_OLD"),
    "Update": ("NONE", "ALL_OLD", "UPDATED_OLD", "ALL_NEW", "UPDATED_NEW"),
}
REASONS = {"ConditionalCheckFailedException": "ConditionalCheckFailed", "ValidationException": "ValidationError"}


@dataclass(frozen=True, slots=True)
class WriteResult:
    """The effect of a write: the item before and after, the new size, and the old and new places."""

    table: TableDefinition
    stored: StoredItem | None
    item: Item | None
    size: int
    old: dict[Relation, bytes]
    new: dict[Relation, bytes]

    def charge(self, meter: Meter) -> None:
        """Add the consumed capacity. A table is charged for the larger of the old and new item; an index only if its
        entry changes, and twice if its key changes: for the deletion and for the new entry."""
        before, item = (self.stored.size, self.stored.item) if self.stored else (0, None)
        meter.write(self.table, max(before, self.size))
        for index in self.table.indexes.values():
            old, new = self.old.get(index), self.new.get(index)
            if old != new:
                meter.write_index(self.table, *[size for size, place in ((before, old), (self.size, new)) if place])
            elif new and self.item != item:
                meter.write_index(self.table, max(before, self.size))


class Write:
    """One requested write, in three steps: the constructor parses it, `locate` finds its place, `perform` writes."""

    table: TableDefinition
    place: bytes

    def __init__(self, kind: str, params: dict[str, Any]) -> None:
        self.kind = kind
        self.params = params
        expressions = Expressions(params)
        self.condition: Node | None = expressions.read("ConditionExpression")
        self.actions: tuple[UpdateClause, ...] = expressions.read("UpdateExpression") or ()
        expressions.finish()
        self.given, self.size = canonical_item(params["Item" if kind == "Put" else "Key"])
        self.returned: str = params.get("ReturnValues", "NONE")
        if self.returned not in RETURN_VALUES.get(kind, ("NONE",)):
            raise invalid("Return values set to invalid value")

    def locate(self, store: Store) -> bytes:
        self.table = store.table(self.params["TableName"])
        if self.kind == "Put":
            self.check(self.given, self.size)
        keys = self.table.primary.keys
        self.place = self.table.key_place(
            {name: self.given[name] for name in keys} if self.kind == "Put" else self.given
        )
        for action in self.actions:
            if (name := action.path.attribute) in keys:
                raise invalid_value(f"Cannot update attribute {name}. This attribute is part of the key")
        return self.place

    def check(self, item: Item, size: int) -> None:
        if size > MAX_ITEM_SIZE:
            raise invalid(
                f"Item size {'' if self.kind == 'Put' else 'to update '}has exceeded the maximum allowed size"
            )
        self.table.check_item(item)

    def perform(self, store: Store) -> WriteResult:
        stored = store.fetch(self.place)
        old = stored.item if stored else None
        if self.condition is not None and not evaluate(self.condition, old or {}):
            returned = old is not None and self.params.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"
            extra = {"Item": old} if returned else {}
            raise DynamoError("ConditionalCheckFailedException", "The conditional request failed", **extra)
        new, size = self.outcome(stored)
        change = WriteResult(self.table, stored, new, size, self.table.places(old), self.table.places(new))
        if self.kind != "ConditionCheck":
            store.save(stored, new, size, change.old.values(), change.new.values())
        return change

    def outcome(self, stored: StoredItem | None) -> tuple[Item | None, int]:
        """The item after the write, and its size."""
        if self.kind == "Put":
            return self.given, self.size
        if self.kind == "Update":
            new, size = canonical_item(updated(stored.item if stored else self.given, self.actions))
            self.check(new, size)
            return new, size
        return (None, 0) if self.kind == "Delete" or not stored else (stored.item, stored.size)

    def attributes(self, change: WriteResult) -> dict[str, Any]:
        """The attributes that ReturnValues requests."""
        item = change.item if self.returned.endswith("NEW") else change.stored and change.stored.item
        if item and self.returned.startswith("UPDATED"):
            item = project(item, [action.path for action in self.actions])
        return {"Attributes": item} if item and self.returned != "NONE" else {}


def single(kind: str, database: Database, params: dict[str, Any]) -> dict[str, Any]:
    """Execute PutItem, UpdateItem or DeleteItem."""
    meter = Meter(params)
    write = Write(kind, params)
    with database.writing() as store:
        write.locate(store)
        change = write.perform(store)
    change.charge(meter)
    return {**write.attributes(change), **meter.one()}


def batch_write_item(database: Database, params: dict[str, Any]) -> dict[str, Any]:
    """Execute BatchWriteItem. It is atomic, which DynamoDB allows but does not guarantee."""
    meter = Meter(params)
    entries = [(table, entry) for table, requests in params["RequestItems"].items() for entry in requests]
    check_range("requestItems", len(entries), 1, MAX_BATCH)
    writes = []
    for table, entry in entries:
        kind, request = member("BatchWriteItem", entry)
        writes.append(Write(kind.removesuffix("Request"), {"TableName": table, **request}))
    with database.writing() as store:
        places = [write.locate(store) for write in writes]
        check_distinct(places, "Provided list of item keys contains duplicates")
        changes = [write.perform(store) for write in writes]
    for change in changes:
        change.charge(meter)
    return {"UnprocessedItems": {}, **meter.all()}


def transact_write_items(database: Database, params: dict[str, Any]) -> dict[str, Any]:
    meter = Meter(params, factor=2)
    check_range("transactItems", len(params["TransactItems"]), 1, MAX_TRANSACTION)
    writes = [Write(*member("TransactWriteItems", entry)) for entry in params["TransactItems"]]
    with database.writing(durable=True) as store:
        if is_repeated(store, params):
            # Nothing is written; the call consumes the capacity of reads.
            for write in writes:
                stored = store.fetch(write.locate(store))
                meter.read(write.table, stored, consistent=True)
            return meter.all("ReadCapacityUnits")
        changes = perform_all(store, writes)
    for change in changes:
        change.charge(meter)
    return meter.all("WriteCapacityUnits")


def perform_all(store: Store, writes: list[Write]) -> list[WriteResult]:
    """Perform all writes of a transaction. Raises TransactionCanceledException with a reason for each write."""
    reasons: dict[Write, dict[str, Any]] = {}

    def attempt(step: Callable[[Write, Store], Result]) -> list[Result]:
        """Run a step of all writes that have not failed."""
        results = []
        for write in writes:
            try:
                results += [step(write, store)] if write not in reasons else []
            except DynamoError as error:
                if error.code not in REASONS:
                    raise
                reasons[write] = {"Code": REASONS[error.code], "Message": error.message, **error.extra}
        return results

    check_distinct(attempt(Write.locate), "Transaction request cannot include multiple operations on one item")
    changes = attempt(Write.perform)
    if reasons:
        listed = [reasons.get(write, {"Code": "None"}) for write in writes]
        codes = ", ".join(reason["Code"] for reason in listed)
        raise DynamoError(
            "TransactionCanceledException",
            f"Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]",
            CancellationReasons=listed,
        )
    if sum(change.size for change in changes) > MAX_TRANSACTION_SIZE:
        raise invalid("Aggregate size of the items in the transaction cannot exceed 4 MB")
    return changes


def is_repeated(store: Store, params: dict[str, Any]) -> bool:
    """Whether the transaction's token was used in the last ten minutes; otherwise store it."""
    token = params.get("ClientRequestToken")
    if token is None:
        return False
    digest = sha256(to_json(params["TransactItems"])).digest()
    previous = store.record_token(token, digest, time.time() - TOKEN_SECONDS)
    if previous not in (None, digest):
        raise DynamoError(
            "IdempotentParameterMismatchException",
            "The request uses the same client token as a previous, but non-identical request.",
        )
    return previous is not None


def sweep(database: Database) -> None:
    """Delete expired tokens, and at most SWEEP_ITEMS expired items per table."""
    now = time.time()
    with database.writing() as store:
        store.delete_tokens(now - TOKEN_SECONDS)
        for table in store.tables().values():
            if index := table.time_to_live:
                oldest, newest = (key_bytes({"N": str(int(moment))}) for moment in (now - OLDEST_EXPIRY, now))
                expired = store.walk((index.start + oldest, after(index.start + newest)))
                for stored in list(islice(expired, SWEEP_ITEMS)):
                    store.save(stored, None, 0, table.places(stored.item).values(), ())
