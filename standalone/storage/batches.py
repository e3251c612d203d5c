"""BatchWriteItem and TransactWriteItems: several writes in one call."""

import sqlite3
import time
from hashlib import sha256
from typing import Any

import orjson

from standalone.storage.capacity import Meter
from standalone.storage.database import Database, fetch
from standalone.storage.errors import DynamoError, invalid
from standalone.storage.parameters import MEMBER
from standalone.storage.writes import Change, Target, Write, charge

MAX_BATCH = 25
MAX_TRANSACTION = 100
MAX_TRANSACTION_SIZE = 4 * 1024 * 1024
TOKEN_SECONDS = 600
ACTIONS = ("Put", "Update", "Delete", "ConditionCheck")
NO_REASON = {"Code": "None"}
REASONS = {
    "ConditionalCheckFailedException": "ConditionalCheckFailed",
    "ValidationException": "ValidationError",
}


def batch_write_item(database: Database, params: dict[str, Any]) -> dict[str, Any]:
    """Written whole or not at all, which DynamoDB does not promise but allows."""
    meter = Meter(params)
    writes = [single(name, request) for name, requests in params["RequestItems"].items() for request in requests]
    if not 1 <= len(writes) <= MAX_BATCH:
        raise invalid(
            "1 validation error detected: Value at 'requestItems' failed to satisfy constraint: Map value must "
            f"satisfy constraint: [Member must have length less than or equal to {MAX_BATCH}, Member must have "
            "length greater than or equal to 1]"
        )
    with database.writing() as db:
        targets = [write.target(database, db) for write in writes]
        check_distinct(targets, "Provided list of item keys contains duplicates")
        changes = [write.perform(db, target) for write, target in zip(writes, targets, strict=True)]
    for change in changes:
        charge(meter, change)
    return {"UnprocessedItems": {}, **meter.all()}


def single(table: str, request: dict[str, Any]) -> Write:
    if len(request) != 1 or not {"PutRequest", "DeleteRequest"}.issuperset(request):
        raise invalid("Supplied WriteRequest must contain exactly one of PutRequest and DeleteRequest")
    ((kind, params),) = request.items()
    MEMBER[kind].check(kind, params)
    return Write(kind.removesuffix("Request"), {"TableName": table, **params})


def check_distinct(targets: list[Target], message: str) -> None:
    places = [target.place for target in targets]
    if len(set(places)) < len(places):
        raise invalid(message)


def transact_write_items(database: Database, params: dict[str, Any]) -> dict[str, Any]:
    meter = Meter(params, factor=2)
    entries = params["TransactItems"]
    if not 1 <= len(entries) <= MAX_TRANSACTION:
        raise invalid(
            "1 validation error detected: Value at 'transactItems' failed to satisfy constraint: "
            f"Member must have length less than or equal to {MAX_TRANSACTION}, and at least 1"
        )
    writes = [action(entry) for entry in entries]
    with database.writing() as db:
        if "ClientRequestToken" in params and seen_before(db, params):
            return replayed(database, db, writes, meter)
        changes = perform_all(database, db, writes)
    for change in changes:
        charge(meter, change)
    return meter.all("WriteCapacityUnits")


def action(entry: dict[str, Any]) -> Write:
    if len(entry) != 1 or not set(ACTIONS).issuperset(entry):
        raise invalid("TransactItems can only contain one of Check, Put, Update or Delete")
    ((kind, params),) = entry.items()
    MEMBER[kind].check(kind, params)
    return Write(kind, params)


def perform_all(database: Database, db: sqlite3.Connection, writes: list[Write]) -> list[Change]:
    reasons: list[dict[str, Any]] = [NO_REASON] * len(writes)
    targets: dict[int, Target] = {}
    changes: list[Change] = []
    for number, write in enumerate(writes):
        try:
            targets[number] = write.target(database, db)
        except DynamoError as error:
            reasons[number] = reason(error)
    check_distinct([*targets.values()], "Transaction request cannot include multiple operations on one item")
    for number, target in targets.items():
        try:
            changes.append(writes[number].perform(db, target))
        except DynamoError as error:
            reasons[number] = reason(error)
    if any(one is not NO_REASON for one in reasons):
        raise cancelled(reasons)
    if sum(change.new_size for change in changes) > MAX_TRANSACTION_SIZE:
        raise invalid("Aggregate size of the items in the transaction cannot exceed 4 MB")
    return changes


def reason(error: DynamoError) -> dict[str, Any]:
    """Why one write cancels the transaction; what is not about its item refuses the whole call."""
    if error.code not in REASONS:
        raise error
    return {"Code": REASONS[error.code], "Message": error.message, **error.extra}


def cancelled(reasons: list[dict[str, Any]]) -> DynamoError:
    codes = ", ".join(one["Code"] for one in reasons)
    return DynamoError(
        "TransactionCanceledException",
        f"Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]",
        CancellationReasons=reasons,
    )


def seen_before(db: sqlite3.Connection, params: dict[str, Any]) -> bool:
    """Notes the token of a new transaction, or knows it from a call in the last ten minutes."""
    forget_tokens(db)
    token = params["ClientRequestToken"]
    digest = sha256(orjson.dumps(params["TransactItems"], option=orjson.OPT_SORT_KEYS)).digest()
    row = db.execute("SELECT digest FROM tokens WHERE token = ?", (token,)).fetchone()
    if row is None:
        db.execute("INSERT INTO tokens VALUES (?, ?, ?)", (token, time.time(), digest))
        return False
    if row[0] != digest:
        raise DynamoError(
            "IdempotentParameterMismatchException",
            "The request uses the same client token as a previous, but non-identical request.",
        )
    return True


def forget_tokens(db: sqlite3.Connection) -> None:
    db.execute("DELETE FROM tokens WHERE used < ?", (time.time() - TOKEN_SECONDS,))


def replayed(database: Database, db: sqlite3.Connection, writes: list[Write], meter: Meter) -> dict[str, Any]:
    """The answer to a repeated token: nothing is written, and reading the items is what it costs."""
    for write in writes:
        target = write.target(database, db)
        stored = fetch(db, target.place)
        meter.read(target.table, target.table.primary, stored.size if stored else 0, True)
    return meter.all("ReadCapacityUnits")
