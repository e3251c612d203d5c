"""The errors of the storage engine, with DynamoDB's codes and texts."""

from typing import Any

DISK_FULL = "DiskFull"  # a code of our own: DynamoDB has no full disk


class DynamoError(Exception):
    """An error response; `extra` are its fields in addition to code and message."""

    def __init__(self, code: str, message: str, **extra: Any) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.extra = extra


def invalid(message: str) -> DynamoError:
    return DynamoError("ValidationException", message)


def invalid_value(message: str) -> DynamoError:
    return invalid(f"One or more parameter values were invalid: {message}")


def check_range(name: str, number: int, minimum: int, maximum: int) -> None:
    if not minimum <= number <= maximum:
        raise invalid(
            f"1 validation error detected: Value '{number}' at '{name}' failed to satisfy constraint: "
            f"Member must be between {minimum} and {maximum}"
        )
