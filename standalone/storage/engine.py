"""The engine: DynamoDB's operations by name, over one SQLite file."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from standalone.storage.batches import batch_write_item, forget_tokens, transact_write_items
from standalone.storage.database import Database
from standalone.storage.definitions import create_table, delete_table, describe_table, list_tables
from standalone.storage.errors import DynamoError
from standalone.storage.parameters import OPERATION
from standalone.storage.queries import query, scan
from standalone.storage.reads import batch_get_item, get_item, transact_get_items
from standalone.storage.time_to_live import describe_time_to_live, remove_expired, update_time_to_live
from standalone.storage.writes import delete_item, put_item, update_item

SWEEP_SECONDS = 60

READS: dict[str, Callable[[Database, dict[str, Any]], dict[str, Any]]] = {
    "DescribeTable": describe_table,
    "ListTables": list_tables,
    "DescribeTimeToLive": describe_time_to_live,
    "GetItem": get_item,
    "Query": query,
    "Scan": scan,
    "BatchGetItem": batch_get_item,
    "TransactGetItems": transact_get_items,
}
WRITES: dict[str, Callable[[Database, dict[str, Any]], dict[str, Any]]] = {
    "CreateTable": create_table,
    "DeleteTable": delete_table,
    "UpdateTimeToLive": update_time_to_live,
    "PutItem": put_item,
    "UpdateItem": update_item,
    "DeleteItem": delete_item,
    "BatchWriteItem": batch_write_item,
    "TransactWriteItems": transact_write_items,
}
OPERATIONS = READS | WRITES


class Engine:
    """Answers DynamoDB's operations in wire shapes. Any thread may call it, and any number of
    processes may have an engine of their own on the same file."""

    def __init__(self, path: Path) -> None:
        self.database = Database(path)
        self.swept = time.monotonic()

    def execute(self, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        run = OPERATIONS.get(operation)
        if run is None:
            raise DynamoError("UnknownOperationException", f"The operation {operation} is not supported here")
        OPERATION[operation].check(operation, params)
        if operation in WRITES and time.monotonic() - self.swept > SWEEP_SECONDS:
            self.sweep()
        return run(self.database, params)

    def sweep(self) -> None:
        """Deletes items past their time to live, and forgets transaction tokens past theirs.

        As on AWS, reads go on showing an expired item until then.
        """
        self.swept = time.monotonic()
        with self.database.writing() as db:
            forget_tokens(db)
            remove_expired(self.database, db)

    def close(self) -> None:
        self.database.close()
