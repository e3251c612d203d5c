"""Reads request bodies within the limits of a request and of the process."""

import asyncio
import contextlib
from http import HTTPStatus
from io import BytesIO
from typing import TYPE_CHECKING

from chalicelib.core.errors import Busy, CoreError, TooLarge
from chalicelib.web.bodies import SMALL

if TYPE_CHECKING:
    from uvicorn._types import ASGIReceiveCallable, HTTPScope

DISCARDED = 16 * 1024 * 1024  # bytes of a body that a rejected client can still send before the connection is closed
LINGER = 10.0  # seconds for that


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

    def check(self, size: int) -> None:
        """Raise BodyRefused if less memory is left."""
        if size > self._left:
            error = Busy("The server is receiving too many large requests.", retry_after=2)
            raise BodyRefused(error, HTTPStatus.SERVICE_UNAVAILABLE)

    def take(self, size: int) -> None:
        """Take memory, or raise BodyRefused."""
        self.check(size)
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
        if self._declared > SMALL:
            self._memory.check(self._declared)
        content, more = BytesIO(), True
        while more:
            part, more = await self._part()
            size = content.tell() + len(part)
            if size > limit:
                raise _too_large(limit)
            if size > SMALL:
                self._memory.take(size - self._taken)
                self._taken = size
            content.write(part)
        return content.getvalue()

    async def discard(self) -> None:
        """Receive what a rejected client is still sending, within limits: an early close would discard the reply."""
        left, more = DISCARDED, True
        with contextlib.suppress(TimeoutError, Disconnected):
            async with asyncio.timeout(LINGER):
                while more and left > 0:
                    part, more = await self._part()
                    left -= len(part)

    async def _part(self) -> tuple[bytes, bool]:
        """The next part of the body, and whether there is more."""
        message = await self._receive()
        if message["type"] != "http.request":
            raise Disconnected
        self.is_complete = not message["more_body"]
        return message["body"], message["more_body"]

    def release(self) -> None:
        """Return the memory of the body, after the request is answered."""
        self._memory.release(self._taken)
        self._taken = 0


def _too_large(limit: int) -> BodyRefused:
    return BodyRefused(TooLarge(f"The request is larger than {limit} bytes."), HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
