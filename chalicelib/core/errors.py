"""Errors without a protocol. Each service renders them in its own envelope."""

from typing import Any

_LONGEST = 1000  # characters of a message, which may repeat a part of the request


class CoreError(Exception):
    """An error for the caller: `message` is for people, `detail` for the service that renders it.

    A long message is cut.
    """

    def __init__(self, message: str = "", **detail: Any) -> None:
        self.message = message if len(message) <= _LONGEST else f"{message[: _LONGEST - 3]}..."
        super().__init__(self.message)
        self.detail = detail


class Invalid(CoreError):
    """The request is malformed or breaks a rule; `detail["messages"]` may hold several texts."""


class Unauthenticated(CoreError):
    """The request has no valid credential."""


class Forbidden(CoreError):
    """The caller is authenticated, but not allowed to do this."""


class SecondFactorRequired(Forbidden):
    """The caller must prove the second factor first."""


class NotFound(CoreError):
    """The resource does not exist, or the caller may not know that it exists."""


class Conflict(CoreError):
    """The request conflicts with the current state."""


class Stale(CoreError):
    """The resource has changed since the caller read it."""


class TooLarge(CoreError):
    """The content exceeds the size limit."""


class TooMany(CoreError):
    """A rate limit is exceeded; `detail["retry_after"]` is in seconds."""


class Busy(CoreError):
    """Too many concurrent changes, or a backend is unavailable; retry after `detail["retry_after"]` seconds."""


class ReadOnly(Busy):
    """Changes are turned off for now; the message is the text of the operator."""


class Full(CoreError):
    """The disk is full; nothing was stored."""

    def __init__(self, message: str = "This server has no room to store that.", **detail: Any) -> None:
        super().__init__(message, **detail)


class InternalError(CoreError):
    """An internal error; the response has no details."""
