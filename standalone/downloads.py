"""Serves signed links to blobs, as S3 serves its own: straight from the disk, in pieces, and in parts if asked."""

import asyncio
import os
import re
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email.utils import formatdate, parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, BinaryIO

from chalicelib.core import blobs, links
from chalicelib.core.errors import Forbidden, NotFound
from chalicelib.core.links import Link
from chalicelib.web.conditional import matches
from standalone.replies import Headers, Reply, error

if TYPE_CHECKING:
    from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, HTTPScope

ROUTE = f"{links.PREFIX}{{key}}"
CHUNK = 256 * 1024
THREADS = 4

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")  # of several ranges at once none is taken, as RFC 9110 allows


@dataclass(frozen=True)
class Part:
    """The bytes from `start` up to, and without, `end`, of a file of `size` bytes."""

    start: int
    end: int
    size: int


class Downloads:
    """Answers for every path below links.PREFIX.

    A download holds an open file and one piece of it, and a thread for no longer than reading a piece takes.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="download")

    def serves(self, scope: "HTTPScope") -> bool:
        """Whether a request is for a link."""
        return scope["raw_path"].startswith(links.PREFIX.encode())

    async def serve(
        self, scope: "HTTPScope", receive: "ASGIReceiveCallable", send: "ASGISendCallable"
    ) -> tuple[Reply, int]:
        """Answer; returns what was said and how many bytes of body were handed to the client."""
        loop = asyncio.get_running_loop()
        reply, file, part = await loop.run_in_executor(self._threads, open_link, scope)
        await send({"type": "http.response.start", "status": reply.status, "headers": reply.headers})
        await send({"type": "http.response.body", "body": reply.body, "more_body": file is not None})
        if file is None or part is None:
            return reply, len(reply.body)
        left = asyncio.ensure_future(_left(receive))
        try:
            return reply, await self._send_part(file, part, left, send)
        finally:
            left.cancel()
            file.close()

    async def _send_part(
        self, file: BinaryIO, part: Part, left: "asyncio.Future[None]", send: "ASGISendCallable"
    ) -> int:
        loop = asyncio.get_running_loop()
        place = part.start
        while place < part.end and not left.done():
            piece = await loop.run_in_executor(self._threads, file.read, min(CHUNK, part.end - place))
            if not piece:
                raise OSError("a blob is shorter than it was")
            place += len(piece)
            await send({"type": "http.response.body", "body": piece, "more_body": place < part.end})
        return place - part.start


def open_link(scope: "HTTPScope") -> tuple[Reply, BinaryIO | None, Part | None]:
    """The reply to a request for a link, and the open file and its part to send as the body; None without a body."""
    method = scope["method"]
    if method not in ("GET", "HEAD"):
        return error(method, HTTPStatus.METHOD_NOT_ALLOWED, ROUTE, [(b"allow", b"GET, HEAD")]), None, None
    try:
        link = links.read(scope["raw_path"].decode("ascii"), scope["query_string"].decode("ascii"), method)
        file = blobs.open(link.key)
    except Forbidden:
        return error(method, HTTPStatus.FORBIDDEN, ROUTE), None, None
    except NotFound:
        return error(method, HTTPStatus.NOT_FOUND, ROUTE), None, None
    reply, part = _reply(scope, link, os.fstat(file.fileno()))
    if part and part.start < part.end:
        file.seek(part.start)
        return reply, file, part
    file.close()
    return reply, None, None


def _reply(scope: "HTTPScope", link: Link, facts: os.stat_result) -> tuple[Reply, Part | None]:
    asked = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    digest = link.key.rpartition("/")[2]
    etag, modified = f'"{digest}"', formatdate(facts.st_mtime, usegmt=True)
    headers = _headers(("etag", etag), ("last-modified", modified), ("accept-ranges", "bytes"))
    if _is_known(asked, etag, facts.st_mtime):
        return Reply(HTTPStatus.NOT_MODIFIED, headers, b"", ROUTE), None
    wanted = asked.get("range", "") if scope["method"] == "GET" else ""
    if asked.get("if-range", etag) not in (etag, modified):
        wanted = ""
    part = _part(wanted, facts.st_size)
    if part is None:
        refused = _headers(("content-range", f"bytes */{facts.st_size}"))
        return error(scope["method"], HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, ROUTE, refused), None
    headers += _headers(
        ("content-type", link.content_type),
        ("content-disposition", links.attachment(link.filename)),
        ("content-length", str(part.end - part.start)),
        ("cache-control", f"private, max-age={max(0, link.expires - int(time.time()))}"),
        ("x-content-type-options", "nosniff"),
    )
    status = HTTPStatus.OK
    if part.end - part.start < part.size:
        status = HTTPStatus.PARTIAL_CONTENT
        headers += _headers(("content-range", f"bytes {part.start}-{part.end - 1}/{part.size}"))
    return Reply(status, headers, b"", ROUTE), None if scope["method"] == "HEAD" else part


async def _left(receive: "ASGIReceiveCallable") -> None:
    """Wait until the client is gone, or has its answer."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _is_known(asked: dict[str, str], etag: str, written_at: float) -> bool:
    """Whether the client has this very file already. If-None-Match alone decides when it is there."""
    if known := asked.get("if-none-match"):
        return matches(known, etag)
    try:
        return parsedate_to_datetime(asked["if-modified-since"]).timestamp() >= int(written_at)
    except (KeyError, ValueError, TypeError, OverflowError):
        return False


def _part(wanted: str, size: int) -> Part | None:
    """What a Range header asks for: all of it where it is none; None for a range outside the file."""
    whole = Part(0, size, size)
    found = _RANGE.fullmatch(wanted.replace(" ", ""))
    if not found or found[0] == "bytes=-":
        return whole
    first, last = found.groups()
    if not first:
        return Part(max(0, size - int(last)), size, size) if int(last) and size else None
    if last and int(last) < int(first):
        return whole  # RFC 9110: such a range is no range
    start, end = int(first), min(int(last) + 1, size) if last else size
    return Part(start, end, size) if start < size else None


def _headers(*pairs: tuple[str, str]) -> Headers:
    return [(name.encode(), value.encode("latin-1")) for name, value in pairs]
