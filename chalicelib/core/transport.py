"""How operations of DynamoDB are executed: by botocore, unless this process has installed a transport of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol


class Transport(Protocol):
    """Executes operations of DynamoDB. Any thread may call it."""

    def __call__(self, operation: str, parameters: dict[str, Any], /) -> dict[str, Any]:
        """Execute one operation, such as `GetItem`, and return its response.

        Parameters, response and errors are those of botocore's client: a refusal by DynamoDB is a ClientError.
        """


_installed: Transport | None = None


def current() -> Transport | None:
    """Return the installed transport; None means botocore."""
    return _installed


def install(transport: Transport | None) -> None:
    """Let `transport` execute every operation of this process from now on; with None, botocore executes them."""
    global _installed
    _installed = transport


@contextmanager
def override(transport: Transport | None) -> Iterator[None]:
    """Install `transport` for the block."""
    before = _installed
    install(transport)
    try:
        yield
    finally:
        install(before)
