"""DynamoDB's API on SQLite: `Engine` answers its operations, `attach` lets botocore's clients ask it."""

from standalone.storage.engine import Engine
from standalone.storage.errors import DynamoError
from standalone.storage.hook import attach, detach

__all__ = ["DynamoError", "Engine", "attach", "detach"]
