"""An ASGI application around the function that answers API Gateway events."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol, cast, runtime_checkable

from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from standalone.downloads import Downloads
from standalone.event import proxy_event
from standalone.replies import AppResponse, FramedReply, error, frame, log_access

if TYPE_CHECKING:
    from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, HTTPScope, Scope

MAX_BODY = 100 * 1024 * 1024
THREADS = 8
LINGER = 10.0  # seconds in which a client can finish sending a rejected body

log = logging.getLogger("moonbase.gateway")

_SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}

Answer = Callable[[dict[str, Any]], AppResponse]


@runtime_checkable
class Sized(Protocol):
    """An `answer` that knows the maximum body size of a path, in bytes, and rejects a larger Content-Length."""

    def largest_body(self, method: str, path: str) -> int: ...


class BodyTooLarge(Exception):
    """The request body exceeds the limit; the argument is its size in bytes as far as it is known."""


class Disconnected(Exception):
    """The client disconnected before its request was complete."""


class Gateway:
    """Reads the whole request, calls `answer` in a thread, and sends the whole response. It serves signed links itself.

    Reads and other requests (writes, passwords, rockspecs) have a pool of `threads` threads each, so that slow requests
    do not delay reads. X-Forwarded-For and -Proto are accepted only from `trusted_proxies` (addresses or networks).
    """

    def __init__(
        self,
        answer: Answer,
        *,
        threads: int = THREADS,
        max_body: int = MAX_BODY,
        trusted_proxies: Sequence[str] = (),
    ) -> None:
        self._answer = answer
        self._sized: Sized | None = answer if isinstance(answer, Sized) else None
        self._max_body = max_body
        self._readers = ThreadPoolExecutor(threads, thread_name_prefix="read")
        self._workers = ThreadPoolExecutor(threads, thread_name_prefix="work")
        self._downloads = Downloads()
        self._proxies = ProxyHeadersMiddleware(self._serve, list(trusted_proxies))  # type: ignore[arg-type]

    async def __call__(self, scope: "Scope", receive: "ASGIReceiveCallable", send: "ASGISendCallable") -> None:
        request = cast("HTTPScope", scope)
        peer = request["client"][0] if request["client"] else None
        if peer not in self._proxies.trusted_hosts:
            request["headers"] = [header for header in request["headers"] if not header[0].startswith(b"x-forwarded-")]
        await self._proxies(request, receive, send)

    async def _serve(self, scope: "HTTPScope", receive: "ASGIReceiveCallable", send: "ASGISendCallable") -> None:
        client = scope["client"][0] if scope["client"] else None
        try:
            body = await self._read(scope, receive)
        except Disconnected:
            return
        except BodyTooLarge as too_large:
            reply = await self._too_large(scope, too_large.args[0])
            log_access(client, scope["method"], reply, len(reply.body), 0)
            await _reject_body(reply, receive, send)
            return
        began = time.perf_counter()
        if self._downloads.serves(scope):
            reply, size = await self._downloads.serve(scope, receive, send)
            log_access(client, scope["method"], reply, size, time.perf_counter() - began)
            return
        reply = await self._call(proxy_event(scope, body))
        log_access(client, scope["method"], reply, len(reply.body), time.perf_counter() - began)
        await send({"type": "http.response.start", "status": reply.status, "headers": reply.headers})
        await send({"type": "http.response.body", "body": reply.body, "more_body": False})

    async def _call(self, event: dict[str, Any]) -> FramedReply:
        reads = event["httpMethod"] in _SAFE_METHODS and not event["body"]
        threads = self._readers if reads else self._workers
        return await asyncio.get_running_loop().run_in_executor(threads, self._reply, event)

    async def _too_large(self, scope: "HTTPScope", size: int) -> FramedReply:
        """The response for a body that exceeds the limit: the app's own error if it has one."""
        if not self._sized:
            return error(scope["method"], HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        scope["headers"] = [*scope["headers"], (b"content-length", b"%d" % size)]
        return await self._call(proxy_event(scope, b""))

    def _limit(self, scope: "HTTPScope") -> int:
        if not self._sized:
            return self._max_body
        return min(self._max_body, self._sized.largest_body(scope["method"], scope["raw_path"].decode("ascii")))

    async def _read(self, scope: "HTTPScope", receive: "ASGIReceiveCallable") -> bytes:
        declared = next((int(value) for name, value in scope["headers"] if name == b"content-length"), 0)
        limit = self._limit(scope)
        if declared > limit:
            raise BodyTooLarge(declared)  # before the first receive(), which sends "100 Continue"
        parts: list[bytes] = []
        size = 0
        more = True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                raise Disconnected
            parts.append(message["body"])
            size += len(message["body"])
            more = message["more_body"]
            if size > limit:
                raise BodyTooLarge(size)
        return b"".join(parts)

    def _reply(self, event: dict[str, Any]) -> FramedReply:
        method = event["httpMethod"]
        try:
            return frame(method, self._answer(event))
        except Exception:
            log.exception("a %s request failed", method)
            return error(method, HTTPStatus.INTERNAL_SERVER_ERROR)


async def _reject_body(reply: FramedReply, receive: "ASGIReceiveCallable", send: "ASGISendCallable") -> None:
    """Send the reply immediately and let the client finish sending: an early close would discard the reply."""
    headers = [*reply.headers, (b"connection", b"close")]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body, "more_body": True})
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LINGER):
            while (message := await receive())["type"] == "http.request" and message["more_body"]:
                pass
    await send({"type": "http.response.body", "body": b"", "more_body": False})
