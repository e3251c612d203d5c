"""An ASGI application around the function that answers API Gateway events."""

import logging
import time
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol, cast, runtime_checkable

from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from chalicelib.core.errors import Busy, CoreError
from chalicelib.web.bodies import SMALL
from standalone.body import BodyMemory, BodyReader, BodyRefused, Disconnected
from standalone.downloads import Downloads
from standalone.event import proxy_event
from standalone.pools import RequestPool, RequestPools
from standalone.replies import AppResponse, FramedReply, error, frame, log_access

if TYPE_CHECKING:
    from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, HTTPScope, Scope

MAX_BODY = 100 * 1024 * 1024
BODY_MEMORY = 128 * 1024 * 1024
THREADS = 8

log = logging.getLogger("moonbase.gateway")

_SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}

Answer = Callable[[dict[str, Any]], AppResponse]


class CheckedRequest(Protocol):
    """The decision about a request before its body is read; `refusal` is the response if no body is needed."""

    @property
    def refusal(self) -> AppResponse | None: ...
    @property
    def limit(self) -> int: ...
    def answer(self, body: bytes) -> AppResponse: ...
    def refuse(self, error: CoreError) -> AppResponse: ...


@runtime_checkable
class Admitting(Protocol):
    """An `answer` that can check a request by its method, path and headers alone."""

    def admit(self, event: dict[str, Any]) -> CheckedRequest: ...
    def is_slow(self, event: dict[str, Any]) -> bool: ...


class Gateway:
    """Reads the whole request, calls `answer` in a thread, and sends the whole response. It serves signed links itself.

    An Admitting `answer` checks a request before a body is read that is large, or that the client sends on demand
    (`Expect: 100-continue`). Reads and other requests (writes, passwords, rockspecs) have a pool of `threads` threads
    each; those that an Admitting `answer` calls slow have small pools of their own (`pools`). Large bodies in memory
    have `body_memory` bytes together, or `max_body` if that is more.
    X-Forwarded-For and -Proto are accepted only from `trusted_proxies` (addresses or networks).
    """

    def __init__(
        self,
        answer: Answer,
        *,
        threads: int = THREADS,
        max_body: int = MAX_BODY,
        body_memory: int = BODY_MEMORY,
        trusted_proxies: Sequence[str] = (),
    ) -> None:
        self._answer = answer
        self._admitting: Admitting | None = answer if isinstance(answer, Admitting) else None
        self._max_body = max_body
        self._memory = BodyMemory(max(body_memory, max_body))
        self._pools = RequestPools(threads)
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
        began = time.perf_counter()
        body = BodyReader(scope, receive, self._memory)
        try:
            if self._downloads.serves(scope):
                reply, size = await self._download(scope, receive, send, body)
            else:
                reply = await self._reply_to(scope, body)
                size = await _send(reply, body, send)
        except Disconnected:
            return
        finally:
            body.release()
        log_access(client, scope["method"], reply, size, time.perf_counter() - began)

    async def _download(
        self, scope: "HTTPScope", receive: "ASGIReceiveCallable", send: "ASGISendCallable", body: BodyReader
    ) -> tuple[FramedReply, int]:
        """Answer a request for a link, as `Downloads.serve`; its body is read, because the next request follows it."""
        try:
            await body.read(SMALL)
        except BodyRefused as refused:
            reply = error(scope["method"], refused.status)
            return reply, await _send(reply, body, send)
        return await self._downloads.serve(scope, receive, send)

    async def _reply_to(self, scope: "HTTPScope", body: BodyReader) -> FramedReply:
        """Read the body as far as it is needed, and return the reply. Raises Disconnected."""
        method, event = scope["method"], proxy_event(scope)
        try:
            if self._admitting and body.needs_admission:
                return frame(method, await self._admit_and_answer(self._admitting, event, body))
            content = await body.read(self._max_body)
            event["body"] = content or None
            pool = self._pool(event, reads=method in _SAFE_METHODS and not content)
            if pool.is_full and self._admitting:
                admission = await self._pools.readers.run(self._admitting.admit, event)
                return frame(method, await self._pools.readers.run(admission.refuse, _busy()))
            return frame(method, await pool.run(self._answer, event))
        except Disconnected:
            raise
        except BodyRefused as refused:
            return error(method, refused.status)
        except Exception:
            log.exception("a %s request failed", method)
            return error(method, HTTPStatus.INTERNAL_SERVER_ERROR)

    async def _admit_and_answer(self, admitting: Admitting, event: dict[str, Any], body: BodyReader) -> AppResponse:
        readers, pool = self._pools.readers, self._pool(event, reads=False)
        admission = await readers.run(admitting.admit, event)
        if admission.refusal:
            return admission.refusal
        if pool.is_full:
            return await readers.run(admission.refuse, _busy())
        try:
            content = await body.read(min(self._max_body, admission.limit))
        except BodyRefused as refused:
            return await readers.run(admission.refuse, refused.error)
        return await pool.run(admission.answer, content)

    def _pool(self, event: dict[str, Any], *, reads: bool) -> RequestPool:
        return self._pools.of(reads=reads, slow=self._admitting is not None and self._admitting.is_slow(event))


def _busy() -> Busy:
    return Busy("Too many requests wait for this.", retry_after=2)


async def _send(reply: FramedReply, body: BodyReader, send: "ASGISendCallable") -> int:
    """Send the reply at once, and return the size of its body. The connection ends if the client is still sending."""
    body.release()
    headers = reply.headers if body.is_complete else [*reply.headers, (b"connection", b"close")]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body, "more_body": not body.is_complete})
    if not body.is_complete:
        await body.discard()
        await send({"type": "http.response.body", "body": b"", "more_body": False})
    return len(reply.body)
