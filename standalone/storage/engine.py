"""The engine: DynamoDB's operations by name, over one SQLite file."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .batches import TOKEN_SECONDS, batch_write_item, transact_write_items
from .database import Database
from .definitions import (
    create_table,
    delete_table,
    describe_table,
    describe_time_to_live,
    list_tables,
    update_time_to_live,
)
from .errors import DynamoError, invalid
from .queries import query, scan
from .reads import batch_get_item, get_item, transact_get_items
from .tables import Table
from .values import Item
from .writes import Target, Write, delete_item, put_item, update_item

SWEEP_SECONDS = 60
SWEEP_ITEMS = 1000
# DynamoDB leaves alone what expired longer ago than this, as the mark of a wrong unit.
OLDEST_EXPIRY = 5 * 365 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Operation:
    run: Callable[[Database, dict[str, Any]], dict[str, Any]]
    required: frozenset[str]
    optional: frozenset[str]
    writes: bool = False


def operation(run: Callable[..., Any], required: str, optional: str = "", *, writes: bool = False) -> Operation:
    return Operation(run, frozenset(required.split()), frozenset(optional.split()), writes)


BINDINGS = "ExpressionAttributeNames ExpressionAttributeValues"
COST = "ReturnConsumedCapacity"
CHANGE = f"ConditionExpression {BINDINGS} ReturnValues ReturnValuesOnConditionCheckFailure {COST}"
PAGE = (
    f"IndexName FilterExpression ProjectionExpression {BINDINGS} Select Limit ExclusiveStartKey "
    f"ConsistentRead {COST}"
)
OPERATIONS = {
    "CreateTable": operation(
        create_table,
        "TableName AttributeDefinitions KeySchema",
        "LocalSecondaryIndexes GlobalSecondaryIndexes BillingMode ProvisionedThroughput",
    ),
    "DescribeTable": operation(describe_table, "TableName"),
    "DeleteTable": operation(delete_table, "TableName"),
    "ListTables": operation(list_tables, "", "Limit ExclusiveStartTableName"),
    "UpdateTimeToLive": operation(update_time_to_live, "TableName TimeToLiveSpecification"),
    "DescribeTimeToLive": operation(describe_time_to_live, "TableName"),
    "GetItem": operation(
        get_item, "TableName Key", f"ConsistentRead ProjectionExpression ExpressionAttributeNames {COST}"
    ),
    "PutItem": operation(put_item, "TableName Item", CHANGE, writes=True),
    "UpdateItem": operation(update_item, "TableName Key", f"UpdateExpression {CHANGE}", writes=True),
    "DeleteItem": operation(delete_item, "TableName Key", CHANGE, writes=True),
    "Query": operation(query, "TableName KeyConditionExpression", f"ScanIndexForward {PAGE}"),
    "Scan": operation(scan, "TableName", f"Segment TotalSegments {PAGE}"),
    "BatchGetItem": operation(batch_get_item, "RequestItems", COST),
    "BatchWriteItem": operation(batch_write_item, "RequestItems", COST, writes=True),
    "TransactWriteItems": operation(
        transact_write_items, "TransactItems", f"ClientRequestToken {COST}", writes=True
    ),
    "TransactGetItems": operation(transact_get_items, "TransactItems", COST),
}


class Engine:
    """Answers DynamoDB's operations in wire shapes; `close` it before the file is moved."""

    def __init__(self, path: Path) -> None:
        self.database = Database(path)
        self.swept = time.monotonic()

    def execute(self, name: str, params: dict[str, Any]) -> dict[str, Any]:
        operation = OPERATIONS.get(name)
        if operation is None:
            raise DynamoError("UnknownOperationException", f"The operation {name} is not supported here")
        given = params.keys()
        if missing := operation.required - given:
            raise invalid(f"The parameter {min(missing)} of {name} is required but was not present in the request")
        if unknown := given - operation.required - operation.optional:
            raise invalid(f"The parameter {min(unknown)} of {name} is not supported here")
        if operation.writes and time.monotonic() - self.swept > SWEEP_SECONDS:
            self.sweep()
        return operation.run(self.database, params)

    def sweep(self) -> None:
        """Deletes items past their time to live, and forgets old transaction tokens.

        Like DynamoDB, reads still show an expired item until it is swept.
        """
        self.swept = time.monotonic()
        now = time.time()
        with self.database.writing() as db:
            db.execute("DELETE FROM tokens WHERE used < ?", (now - TOKEN_SECONDS,))
            tables = {table.id: table for table in self.database.all_tables(db).values()}
            rows = db.execute(
                "SELECT table_id, body FROM items WHERE expires > ? AND expires <= ? LIMIT ?",
                (now - OLDEST_EXPIRY, now, SWEEP_ITEMS),
            ).fetchall()
            for table_id, body in rows:
                expire(db, tables[table_id], body)

    def close(self) -> None:
        self.database.close()
