"""Reads and writes of whole tables as raw items, for backups: these preserve attributes that no model declares."""

import time
from collections.abc import Iterable, Iterator
from typing import Any

from pynamodb.constants import BATCH_WRITE_ITEM, SCAN

from chalicelib.core.errors import Busy
from chalicelib.core.storage import Item

Raw = dict[str, dict[str, Any]]  # attribute -> {type: value}
_BATCH = 25
_MAX_ATTEMPTS = 12


def items(model: type[Item], limit: int | None = None) -> Iterator[Raw]:
    """Yield all stored items of a model's table; with `limit` only one page of at most `limit` items."""
    request: dict[str, Any] = {"TableName": model.Meta.table_name, "ConsistentRead": True}
    if limit:
        request["Limit"] = limit
    while True:
        answer = model._get_connection().connection.dispatch(SCAN, request)
        yield from answer["Items"]
        if limit or "LastEvaluatedKey" not in answer:
            return
        request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


def put(model: type[Item], raw: Iterable[Raw]) -> None:
    """Write items unchanged; they replace existing ones."""
    _write(model, ({"PutRequest": {"Item": item}} for item in raw))


def delete(model: type[Item], raw: Iterable[Raw]) -> None:
    """Delete items by their keys."""
    _write(model, ({"DeleteRequest": {"Key": {name: item[name] for name in ("pk", "sk")}}} for item in raw))


def _write(model: type[Item], requests: Iterable[dict[str, Any]]) -> None:
    batch: list[dict[str, Any]] = []
    for request in requests:
        batch.append(request)
        if len(batch) == _BATCH:
            _send(model, batch)
            batch = []
    if batch:
        _send(model, batch)


def _send(model: type[Item], batch: list[dict[str, Any]]) -> None:
    table = model.Meta.table_name
    pending = {table: batch}
    for attempt in range(_MAX_ATTEMPTS):
        answer = model._get_connection().connection.dispatch(BATCH_WRITE_ITEM, {"RequestItems": pending})
        pending = answer.get("UnprocessedItems") or {}
        if not pending:
            return
        time.sleep(min(0.05 * 2**attempt, 5))
    raise Busy("The database is overloaded.", retry_after=60)
