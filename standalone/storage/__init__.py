"""DynamoDB's API on SQLite: `Engine` answers its operations, `attach` lets botocore's clients ask it."""

from .engine import Engine
from .errors import DynamoError
from .hook import attach, detach

__all__ = ["DynamoError", "Engine", "attach", "detach"]
