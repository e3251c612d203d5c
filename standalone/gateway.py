"""HTTP in, HTTP out: an ASGI application around the one function that answers API Gateway events."""

import asyncio
import contextlib
import json
import logging
import re
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol, cast, runtime_checkable

from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from standalone.event import proxy_event

if TYPE_CHECKING:
    from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, HTTPScope, Scope

MAX_BODY = 100 * 1024 * 1024
THREADS = 8
LINGER = 10.0  # seconds in which a client may finish sending a body that was refused

log = logging.getLogger("moonbase.gateway")
access_log = logging.getLogger("moonbase.access")

_UNSAFE_HEADER = re.compile(rb"[\r\n\0]")


class Response(Protocol):
    """What `answer` returns; an attribute `route`, if there is one, names the route in the access log."""

    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> Sequence[tuple[str, str]]: ...
    @property
    def body(self) -> bytes: ...


Answer = Callable[[dict[str, Any]], Response]


@runtime_checkable
class Sized(Protocol):
    """An `answer` that knows how large a body it wants, in bytes, and refuses a larger one by its Content-Length."""

    def largest_body(self, method: str, path: str) -> int: ...


@dataclass(frozen=True)
class Reply:
    """A response as it goes out, framing headers included."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes
    route: str = "-"


class BodyTooLarge(Exception):
    """The request body is over the limit; the argument is how many bytes are known of."""


class Disconnected(Exception):
    """The client left before its request was complete."""


class Gateway:
    """Reads the whole request, asks `answer` in a thread, sends the whole answer.

    Only the peers in `trusted_proxies` (addresses or networks) may say who the client is and how it came.
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
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="answer")
        self._proxies = ProxyHeadersMiddleware(self._serve, list(trusted_proxies))  # type: ignore[arg-type]

    async def __call__(self, scope: "Scope", receive: "ASGIReceiveCallable", send: "ASGISendCallable") -> None:
        request = cast("HTTPScope", scope)
        peer = request["client"][0] if request["client"] else None
        if peer not in self._proxies.trusted_hosts:
            request["headers"] = [header for header in request["headers"] if not header[0].startswith(b"x-forwarded-")]
        await self._proxies(request, receive, send)

    async def _serve(self, scope: "HTTPScope", receive: "ASGIReceiveCallable", send: "ASGISendCallable") -> None:
        try:
            body = await self._read(scope, receive)
        except Disconnected:
            return
        except BodyTooLarge as fault:
            await _refuse_body(scope["method"], await self._too_large(scope, fault.args[0]), receive, send)
            return
        began = time.perf_counter()
        reply = await self._ask(proxy_event(scope, body))
        log_access(scope["method"], reply, time.perf_counter() - began)
        await send({"type": "http.response.start", "status": reply.status, "headers": reply.headers})
        await send({"type": "http.response.body", "body": reply.body, "more_body": False})

    async def _ask(self, event: dict[str, Any]) -> Reply:
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._reply, event)

    async def _too_large(self, scope: "HTTPScope", size: int) -> Reply:
        """What to say of a body that is not carried: the app's own words, where it has some."""
        if not self._sized:
            return error(scope["method"], HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        scope["headers"] = [*scope["headers"], (b"content-length", b"%d" % size)]
        return await self._ask(proxy_event(scope, b""))

    def _limit(self, scope: "HTTPScope") -> int:
        if not self._sized:
            return self._max_body
        return min(self._max_body, self._sized.largest_body(scope["method"], scope["raw_path"].decode("ascii")))

    async def _read(self, scope: "HTTPScope", receive: "ASGIReceiveCallable") -> bytes:
        declared = next((int(value) for name, value in scope["headers"] if name == b"content-length"), 0)
        limit = self._limit(scope)
        if declared > limit:
            raise BodyTooLarge(declared)  # before the first receive(), which would invite the body with "100 Continue"
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

    def _reply(self, event: dict[str, Any]) -> Reply:
        method = event["httpMethod"]
        try:
            return frame(method, self._answer(event))
        except Exception:
            log.exception("%s answered with an error", method)
            return error(method, HTTPStatus.INTERNAL_SERVER_ERROR)


def frame(method: str, response: Response) -> Reply:
    """Put the answer into HTTP's frame: the length is ours to say, and some answers carry no body."""
    headers: list[tuple[bytes, bytes]] = []
    length = len(response.body)
    for name, value in response.headers:
        raw_name, raw_value = name.encode("latin-1").lower(), value.encode("latin-1")
        if _UNSAFE_HEADER.search(raw_name + raw_value):
            raise ValueError(f"line break in response header {name!r}")
        if raw_name == b"content-length":
            if method == "HEAD" and not response.body:
                length = int(value)
        elif raw_name != b"transfer-encoding":
            headers.append((raw_name, raw_value))
    bodiless = response.status in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)
    if not bodiless:
        headers.append((b"content-length", b"%d" % length))
    body = b"" if bodiless or method == "HEAD" else response.body
    return Reply(response.status, headers, body, str(getattr(response, "route", "-")))


def error(method: str, status: HTTPStatus) -> Reply:
    """An answer of the gateway's own: neutral JSON that belongs to no service."""
    body = json.dumps({"message": status.phrase}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    return Reply(status, headers, b"" if method == "HEAD" else body)


def log_access(method: str, reply: Reply, seconds: float) -> None:
    """One line per request; the route's template stands for the path, which may carry an API key."""
    line = "%s %s %d %d %.1fms"
    access_log.info(line, method, reply.route, reply.status, len(reply.body), seconds * 1000)


async def _refuse_body(method: str, reply: Reply, receive: "ASGIReceiveCallable", send: "ASGISendCallable") -> None:
    """Answer at once and let the client finish sending: closing sooner would destroy the answer."""
    headers = [*reply.headers, (b"connection", b"close")]
    log_access(method, reply, seconds=0)
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body, "more_body": True})
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LINGER):
            while (message := await receive())["type"] == "http.request" and message["more_body"]:
                pass
    await send({"type": "http.response.body", "body": b"", "more_body": False})
