"""Tasks whose progress clients can request: `/tasks/<id>/`."""

import uuid
from datetime import timedelta
from typing import Any

from chalicelib.contentdb.store.tables import Task
from chalicelib.core.storage import Transaction

LONGEST_ID = 100  # characters; ids of ours have 36
_LIFETIME = timedelta(days=30)


def begin(writes: Transaction) -> str:
    """Create a pending task in a transaction; return its id."""
    task_id = str(uuid.uuid4())
    writes.create(_task(task_id, status="PENDING"))
    return task_id


def start(task_id: str) -> None:
    """Set the state of a task to STARTED."""
    _task(task_id, status="STARTED").save()


def succeed(writes: Transaction, task_id: str, result: Any) -> None:
    """Store the result of a task in a transaction."""
    writes.put(_task(task_id, status="SUCCESS", result=result))


def fail(writes: Transaction, task_id: str, error: str) -> None:
    """Store the error of a task in a transaction."""
    writes.put(_task(task_id, status="FAILURE", error=error))


def find(task_id: str) -> Task | None:
    """The task with this id, or None."""
    return Task.find(f"task#{task_id}", "task")


def _task(task_id: str, **state: Any) -> Task:
    return Task(f"task#{task_id}", "task", expires_at=_LIFETIME, **state)
