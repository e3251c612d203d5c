"""The refusals of the storage engine, in DynamoDB's codes and words."""

from typing import Any


class DynamoError(Exception):
    """What a call answers instead of a result; `extra` travels beside code and message."""

    def __init__(self, code: str, message: str, **extra: Any) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.extra = extra


def invalid(message: str) -> DynamoError:
    return DynamoError("ValidationException", message)


def invalid_value(message: str) -> DynamoError:
    return invalid(f"One or more parameter values were invalid: {message}")


def check_range(name: str, number: int, least: int, most: int) -> None:
    if not least <= number <= most:
        raise invalid(
            f"1 validation error detected: Value '{number}' at '{name}' failed to satisfy constraint: "
            f"Member must be between {least} and {most}"
        )
