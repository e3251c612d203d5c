"""Work that a client may ask after: `/tasks/<id>/`."""

import uuid
from datetime import timedelta
from typing import Any

from chalicelib.contentdb.store.tables import Task
from chalicelib.core.storage import Transaction

_KEPT = timedelta(days=30)


def begin(writes: Transaction) -> str:
    """Add a task that waits to be done; returns its id."""
    task_id = str(uuid.uuid4())
    writes.create(_task(task_id, status="PENDING"))
    return task_id


def start(task_id: str) -> None:
    """Say that it is being done."""
    _task(task_id, status="STARTED").save()


def succeed(writes: Transaction, task_id: str, result: Any) -> None:
    """Say what came of it."""
    writes.put(_task(task_id, status="SUCCESS", result=result))


def fail(writes: Transaction, task_id: str, error: str) -> None:
    """Say why nothing came of it."""
    writes.put(_task(task_id, status="FAILURE", error=error))


def find(task_id: str) -> Task | None:
    """The task with this id."""
    return Task.find(f"task#{task_id}", "task")


def _task(task_id: str, **state: Any) -> Task:
    return Task(f"task#{task_id}", "task", expires_at=_KEPT, **state)
