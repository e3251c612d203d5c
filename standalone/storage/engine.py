"""The engine: DynamoDB's operations on one SQLite file."""

import logging
import sqlite3
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from standalone.storage import definitions, queries, reads, writes
from standalone.storage.database import Database
from standalone.storage.errors import DISK_FULL, DynamoError
from standalone.storage.parameters import COST, PAGE, SHAPE, WRITE, Parameters

SWEEP_SECONDS = 60
# SQLite's codes for a disk that is full or read-only, and for a file that has reached its limit.
_NO_SPACE = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR_WRITE,
    sqlite3.SQLITE_IOERR_SHMSIZE,
}

OPERATIONS: dict[str, tuple[Callable[[Database, dict[str, Any]], dict[str, Any]], Parameters]] = {
    "CreateTable": (
        definitions.create_table,
        Parameters(
            "TableName AttributeDefinitions KeySchema BillingMode", "GlobalSecondaryIndexes LocalSecondaryIndexes"
        ),
    ),
    "DescribeTable": (definitions.describe_table, Parameters("TableName")),
    "DeleteTable": (definitions.delete_table, Parameters("TableName")),
    "ListTables": (definitions.list_tables, Parameters("", "Limit ExclusiveStartTableName")),
    "UpdateTimeToLive": (definitions.update_time_to_live, Parameters("TableName TimeToLiveSpecification")),
    "DescribeTimeToLive": (definitions.describe_time_to_live, Parameters("TableName")),
    "GetItem": (reads.get_item, Parameters("TableName Key", f"ConsistentRead {SHAPE} {COST}")),
    "BatchGetItem": (reads.batch_get_item, Parameters("RequestItems", COST)),
    "TransactGetItems": (reads.transact_get_items, Parameters("TransactItems", COST)),
    "Query": (queries.page, Parameters("TableName KeyConditionExpression", f"ScanIndexForward {PAGE}")),
    "Scan": (queries.page, Parameters("TableName", PAGE)),
    "PutItem": (partial(writes.single, "Put"), Parameters("TableName Item", WRITE)),
    "UpdateItem": (partial(writes.single, "Update"), Parameters("TableName Key", f"UpdateExpression {WRITE}")),
    "DeleteItem": (partial(writes.single, "Delete"), Parameters("TableName Key", WRITE)),
    "BatchWriteItem": (writes.batch_write_item, Parameters("RequestItems", COST)),
    "TransactWriteItems": (writes.transact_write_items, Parameters("TransactItems", f"ClientRequestToken {COST}")),
}

_log = logging.getLogger(__name__)


class Engine:
    """Executes DynamoDB's operations, with the parameters and results of botocore's clients. It is thread-safe, and
    several processes can have an engine on the same file."""

    def __init__(self, path: Path) -> None:
        """Open or create the file. Raises OSError if it cannot be used or has an unknown layout."""
        self.database = Database(path)
        self.swept = time.monotonic()

    def execute(self, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        if operation not in OPERATIONS:
            raise DynamoError("UnknownOperationException", f"The operation {operation} is not supported here")
        run, parameters = OPERATIONS[operation]
        parameters.check(operation, params)
        try:
            if time.monotonic() - self.swept > SWEEP_SECONDS:
                self.sweep()
            return run(self.database, params)
        except sqlite3.DatabaseError as error:
            number: int | None = getattr(error, "sqlite_errorcode", None)
            if number is None:  # a wrong use of the module, such as of a closed connection
                raise
            if number & 0xFF == sqlite3.SQLITE_BUSY:
                raise DynamoError("ThrottlingException", str(error)) from error
            _log.error("the tables cannot be used: %s", error)
            code = DISK_FULL if number in _NO_SPACE else "InternalServerError"
            raise DynamoError(code, str(error)) from error

    def sweep(self) -> None:
        """Delete expired items and transaction tokens.

        As on AWS, reads return an expired item until it is deleted. If the file cannot be written, they remain.
        """
        self.swept = time.monotonic()
        try:
            writes.sweep(self.database)
        except sqlite3.DatabaseError as error:
            _log.warning("expired items cannot be deleted: %s", error)

    def verify(self) -> None:
        """Check the structure of the whole file. Raises sqlite3.DatabaseError if it is damaged."""
        self.database.verify()

    def close(self) -> None:
        self.database.close()
