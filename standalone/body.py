"""Reads request bodies within the limits of a request and of the process."""

from http import HTTPStatus
from typing import TYPE_CHECKING

from chalicelib.core.errors import Busy, CoreError, TooLarge
from chalicelib.web.bodies import SMALL

if TYPE_CHECKING:
    from uvicorn._types import ASGIReceiveCallable, HTTPScope


class Disconnected(Exception):
    """The client disconnected before its request was complete."""


class BodyRefused(Exception):
    """The body cannot be read; `error` is the error for the client, `status` that of a gateway without services."""

    def __init__(self, error: CoreError, status: HTTPStatus) -> None:
        super().__init__(error.message)
        self.error = error
        self.status = status


class BodyMemory:
    """Bounds the memory of large bodies over all requests of the process, in bytes; used in the event loop only."""

    def __init__(self, limit: int) -> None:
        self._left = limit

    def take(self, size: int) -> None:
        """Take memory, or raise BodyRefused."""
        if size > self._left:
            error = Busy("The server is receiving too many large requests.", retry_after=2)
            raise BodyRefused(error, HTTPStatus.SERVICE_UNAVAILABLE)
        self._left -= size

    def release(self, size: int) -> None:
        """Return memory that was taken."""
        self._left += size


class BodyReader:
    """The body of one request.

    `needs_admission`: the request is checked before its body is read, because the body is large or of unknown size, or
    because the client waits for "100 Continue".
    """

    def __init__(self, scope: "HTTPScope", receive: "ASGIReceiveCallable", memory: BodyMemory) -> None:
        fields = dict(scope["headers"])
        self._declared = int(fields.get(b"content-length", 0))  # the parser accepts only digits
        self._is_chunked = b"transfer-encoding" in fields
        self._receive = receive
        self._memory = memory
        self._taken = 0
        self.needs_admission = self._declared > SMALL or self._is_chunked or b"expect" in fields
        self.is_complete = not (self._declared or self._is_chunked)

    async def read(self, limit: int) -> bytes:
        """Return the body. Raises BodyRefused for more than `limit` bytes or without memory for it; Disconnected."""
        if self._declared > limit:
            raise _too_large(limit)  # before the first receive(), which sends "100 Continue"
        parts: list[bytes] = []
        size, more = 0, True
        while more:
            message = await self._receive()
            if message["type"] != "http.request":
                raise Disconnected
            parts.append(message["body"])
            size += len(message["body"])
            more = message["more_body"]
            if size > limit:
                raise _too_large(limit)
            if size > SMALL:
                self._memory.take(size - self._taken)
                self._taken = size
        self.is_complete = True
        return b"".join(parts)

    def release(self) -> None:
        """Return the memory of the body, after the request is answered."""
        self._memory.release(self._taken)
        self._taken = 0


def _too_large(limit: int) -> BodyRefused:
    return BodyRefused(TooLarge(f"The request is larger than {limit} bytes."), HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
