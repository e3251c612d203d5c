"""Changes of items: PutItem, UpdateItem and DeleteItem, several of them in a batch, or all or none in a transaction."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from typing import Any, TypeVar

from standalone.storage.capacity import Meter
from standalone.storage.database import Database, Store, Stored
from standalone.storage.documents import project
from standalone.storage.errors import DynamoError, check_range, invalid, invalid_value
from standalone.storage.evaluation import Action, Node, evaluate, updated
from standalone.storage.parameters import member
from standalone.storage.parser import Expressions
from standalone.storage.reads import MAX_TRANSACTION, check_distinct
from standalone.storage.tables import Relation, Table, after, key_bytes
from standalone.storage.values import Item, canonical_item, to_json

Result = TypeVar("Result")

MAX_ITEM_SIZE = 400 * 1024
MAX_BATCH = 25
MAX_TRANSACTION_SIZE = 4 * 1024 * 1024
TOKEN_SECONDS = 600
SWEEP_ITEMS = 1000
# DynamoDB leaves alone what expired longer ago than this, as the mark of a wrong unit.
OLDEST_EXPIRY = 5 * 365 * 24 * 3600
RETURN_VALUES = {
    "Put": ("NONE", "ALL_OLD"),
    "Delete": ("NONE", "ALL_OLD"),
    "Update": ("NONE", "ALL_OLD", "UPDATED_OLD", "ALL_NEW", "UPDATED_NEW"),
}
REASONS = {"ConditionalCheckFailedException": "ConditionalCheckFailed", "ValidationException": "ValidationError"}


@dataclass(frozen=True, slots=True)
class Change:
    """What a write did: the item before and after, its size then, and where it stood and stands."""

    table: Table
    stored: Stored | None
    item: Item | None
    size: int
    old: dict[Relation, bytes]
    new: dict[Relation, bytes]

    def charge(self, meter: Meter) -> None:
        """A table pays for the larger of old and new; an index only for what changed in it, and a
        changed index key twice: for taking the old entry out and for putting the new one in."""
        before, item = (self.stored.size, self.stored.item) if self.stored else (0, None)
        meter.write(self.table, max(before, self.size))
        for index in self.table.indexes.values():
            old, new = self.old.get(index), self.new.get(index)
            if old != new:
                meter.write_index(self.table, *[size for size, place in ((before, old), (self.size, new)) if place])
            elif new and self.item != item:
                meter.write_index(self.table, max(before, self.size))


class Write:
    """One requested write: its expressions are read first, then its place is found, then it is performed."""

    table: Table
    place: bytes

    def __init__(self, kind: str, params: dict[str, Any]) -> None:
        self.kind = kind
        self.params = params
        expressions = Expressions(params)
        self.condition: Node | None = expressions.read("ConditionExpression")
        self.actions: tuple[Action, ...] = expressions.read("UpdateExpression") or ()
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

    def perform(self, store: Store) -> Change:
        stored = store.fetch(self.place)
        old = stored.item if stored else None
        if self.condition is not None and not evaluate(self.condition, old or {}):
            wanted = old is not None and self.params.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"
            extra = {"Item": old} if wanted else {}
            raise DynamoError("ConditionalCheckFailedException", "The conditional request failed", **extra)
        new, size = self.outcome(stored)
        change = Change(self.table, stored, new, size, self.table.places(old), self.table.places(new))
        if self.kind != "ConditionCheck":
            store.save(stored, new, size, change.old.values(), change.new.values())
        return change

    def outcome(self, stored: Stored | None) -> tuple[Item | None, int]:
        """The item after the write, and its size."""
        if self.kind == "Put":
            return self.given, self.size
        if self.kind == "Update":
            new, size = canonical_item(updated(stored.item if stored else self.given, self.actions))
            self.check(new, size)
            return new, size
        return (None, 0) if self.kind == "Delete" or not stored else (stored.item, stored.size)

    def attributes(self, change: Change) -> dict[str, Any]:
        """What ReturnValues asked for."""
        item = change.item if self.returned.endswith("NEW") else change.stored and change.stored.item
        if item and self.returned.startswith("UPDATED"):
            item = project(item, [action.path for action in self.actions])
        return {"Attributes": item} if item and self.returned != "NONE" else {}


def single(kind: str, database: Database, params: dict[str, Any]) -> dict[str, Any]:
    """PutItem, UpdateItem or DeleteItem."""
    meter = Meter(params)
    write = Write(kind, params)
    with database.writing() as store:
        write.locate(store)
        change = write.perform(store)
    change.charge(meter)
    return {**write.attributes(change), **meter.one()}


def batch_write_item(database: Database, params: dict[str, Any]) -> dict[str, Any]:
    """Written whole or not at all, which DynamoDB does not promise but allows."""
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
        if seen_before(store, params):
            # Nothing is written, and reading the items is what it costs.
            for write in writes:
                stored = store.fetch(write.locate(store))
                meter.read(write.table, stored, consistent=True)
            return meter.all("ReadCapacityUnits")
        changes = perform_all(store, writes)
    for change in changes:
        change.charge(meter)
    return meter.all("WriteCapacityUnits")


def perform_all(store: Store, writes: list[Write]) -> list[Change]:
    """All writes of a transaction, or none: then with a reason for each."""
    reasons: dict[Write, dict[str, Any]] = {}

    def attempt(step: Callable[[Write, Store], Result]) -> list[Result]:
        """Take a step of all writes that have not failed."""
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
        told = [reasons.get(write, {"Code": "None"}) for write in writes]
        codes = ", ".join(reason["Code"] for reason in told)
        raise DynamoError(
            "TransactionCanceledException",
            f"Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]",
            CancellationReasons=told,
        )
    if sum(change.size for change in changes) > MAX_TRANSACTION_SIZE:
        raise invalid("Aggregate size of the items in the transaction cannot exceed 4 MB")
    return changes


def seen_before(store: Store, params: dict[str, Any]) -> bool:
    """Notes the token of a new transaction, or knows it from a call in the last ten minutes."""
    token = params.get("ClientRequestToken")
    if token is None:
        return False
    digest = sha256(to_json(params["TransactItems"])).digest()
    known = store.note_token(token, digest, time.time() - TOKEN_SECONDS)
    if known not in (None, digest):
        raise DynamoError(
            "IdempotentParameterMismatchException",
            "The request uses the same client token as a previous, but non-identical request.",
        )
    return known is not None


def sweep(database: Database) -> None:
    """Delete what has outlived its time, at most so many items of a table at once."""
    now = time.time()
    with database.writing() as store:
        store.forget_tokens(now - TOKEN_SECONDS)
        for table in store.tables().values():
            if clock := table.time_to_live:
                oldest, newest = (key_bytes({"N": str(int(moment))}) for moment in (now - OLDEST_EXPIRY, now))
                expired = store.walk((clock.start + oldest, after(clock.start + newest)))
                for stored in list(islice(expired, SWEEP_ITEMS)):
                    store.save(stored, None, 0, table.places(stored.item).values(), ())
