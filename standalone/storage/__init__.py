"""DynamoDB's API on SQLite: `Engine` executes its operations, `local_transport` lets the core's models use it."""

from standalone.storage.engine import Engine
from standalone.storage.errors import DynamoError
from standalone.storage.transport import local_transport

__all__ = ["DynamoError", "Engine", "local_transport"]
