"""What can go wrong, in words without a protocol; each service renders these in its own envelope."""

from typing import Any


class CoreError(Exception):
    """A refusal that the caller may read: `message` is for people, `detail` for the service that renders it."""

    def __init__(self, message: str = "", **detail: Any) -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail


class Invalid(CoreError):
    """The request is malformed or breaks a rule; `detail["messages"]` may hold several texts."""


class Unauthenticated(CoreError):
    """Nobody could be recognised from what was sent."""


class Forbidden(CoreError):
    """The caller is known, and may not do this."""


class SecondFactorRequired(Forbidden):
    """The caller may do this after proving the second factor."""


class NotFound(CoreError):
    """There is no such thing, or none that the caller may know of."""


class Conflict(CoreError):
    """Something that stands already is in the way."""


class Stale(CoreError):
    """What the caller wants to change is not any more what they have seen of it."""


class TooLarge(CoreError):
    """More bytes than are accepted here."""


class TooMany(CoreError):
    """Too often: `detail["retry_after"]` in seconds."""


class Busy(CoreError):
    """The same thing is being changed by others, or a part is away; try again after `detail["retry_after"]` seconds."""


class Full(CoreError):
    """There is no room to store what was sent; nothing of it was kept."""


class Fault(CoreError):
    """Our own mistake; whoever asked learns no more than that."""
