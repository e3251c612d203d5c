"""Serves signed links to blobs from the disk, as S3 does: in chunks, and with range requests."""

import asyncio
import os
import re
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING, BinaryIO

from chalicelib.core import blobs, links
from chalicelib.core.errors import Forbidden, NotFound
from chalicelib.core.links import Link
from chalicelib.web.conditional import matches
from chalicelib.web.headers import parse_date
from chalicelib.web.protection import INERT, POLICY
from standalone.replies import FramedReply, Headers, error

if TYPE_CHECKING:
    from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, HTTPScope

ROUTE = f"{links.PREFIX}{{key}}"
CHUNK = 256 * 1024
THREADS = 4

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")  # multiple ranges are ignored, as RFC 9110 allows


@dataclass(frozen=True)
class Part:
    """The bytes from `start` (inclusive) to `end` (exclusive) of a file of `size` bytes."""

    start: int
    end: int
    size: int


class Downloads:
    """Serves every path below links.PREFIX.

    A download has an open file and one chunk of it in memory; it uses a thread only while it reads a chunk.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="download")

    def serves(self, scope: "HTTPScope") -> bool:
        """Whether a request is for a link."""
        return scope["raw_path"].startswith(links.PREFIX.encode())

    async def serve(
        self, scope: "HTTPScope", receive: "ASGIReceiveCallable", send: "ASGISendCallable"
    ) -> tuple[FramedReply, int]:
        """Answer a request; return the reply and the number of body bytes that were sent."""
        loop = asyncio.get_running_loop()
        reply, file, part = await loop.run_in_executor(self._threads, open_link, scope)
        await send({"type": "http.response.start", "status": reply.status, "headers": reply.headers})
        await send({"type": "http.response.body", "body": reply.body, "more_body": file is not None})
        if file is None or part is None:
            return reply, len(reply.body)
        disconnected = asyncio.ensure_future(_disconnected(receive))
        try:
            return reply, await self._send_part(file, part, disconnected, send)
        finally:
            disconnected.cancel()
            file.close()

    async def _send_part(
        self, file: BinaryIO, part: Part, disconnected: "asyncio.Future[None]", send: "ASGISendCallable"
    ) -> int:
        loop = asyncio.get_running_loop()
        position = part.start
        while position < part.end and not disconnected.done():
            chunk = await loop.run_in_executor(self._threads, file.read, min(CHUNK, part.end - position))
            if not chunk:
                raise OSError("a blob has become shorter")
            position += len(chunk)
            await send({"type": "http.response.body", "body": chunk, "more_body": position < part.end})
        return position - part.start


def open_link(scope: "HTTPScope") -> tuple[FramedReply, BinaryIO | None, Part | None]:
    """Return the reply to a request for a link, the open file and the part to send; the file is None without a body."""
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


def _reply(scope: "HTTPScope", link: Link, stat: os.stat_result) -> tuple[FramedReply, Part | None]:
    given = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    digest = link.key.rpartition("/")[2]
    etag, modified = f'"{digest}"', formatdate(stat.st_mtime, usegmt=True)
    headers = _headers(("etag", etag), ("last-modified", modified), ("accept-ranges", "bytes"))
    if _is_unmodified(given, etag, stat.st_mtime):
        return FramedReply(HTTPStatus.NOT_MODIFIED, headers, b"", ROUTE), None
    byte_range = given.get("range", "") if scope["method"] == "GET" else ""
    if given.get("if-range", etag) not in (etag, modified):
        byte_range = ""
    part = _part(byte_range, stat.st_size)
    if part is None:
        size = _headers(("content-range", f"bytes */{stat.st_size}"))
        return error(scope["method"], HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, ROUTE, size), None
    headers += _headers(
        ("content-type", link.content_type),
        ("content-disposition", links.attachment(link.filename)),
        ("content-length", str(part.end - part.start)),
        ("cache-control", f"private, max-age={max(0, link.expires - int(time.time()))}"),
        (POLICY.lower(), INERT),
    )
    status = HTTPStatus.OK
    if part.end - part.start < part.size:
        status = HTTPStatus.PARTIAL_CONTENT
        headers += _headers(("content-range", f"bytes {part.start}-{part.end - 1}/{part.size}"))
    return FramedReply(status, headers, b"", ROUTE), None if scope["method"] == "HEAD" else part


async def _disconnected(receive: "ASGIReceiveCallable") -> None:
    """Wait until the client has disconnected or has received the answer."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _is_unmodified(given: dict[str, str], etag: str, written_at: float) -> bool:
    """Whether the client already has this file. If-None-Match takes precedence over If-Modified-Since."""
    if tags := given.get("if-none-match"):
        return matches(tags, etag)
    since = parse_date(given.get("if-modified-since", ""))
    return since is not None and since.timestamp() >= int(written_at)


def _part(byte_range: str, size: int) -> Part | None:
    """The part for a Range header: the whole file if it is empty or invalid, None for a range outside the file."""
    whole = Part(0, size, size)
    found = _RANGE.fullmatch(byte_range.replace(" ", ""))
    if not found or found[0] == "bytes=-":
        return whole
    first, last = found.groups()
    if not first:
        return Part(max(0, size - int(last)), size, size) if int(last) and size else None
    if last and int(last) < int(first):
        return whole  # RFC 9110: an invalid range is ignored
    start, end = int(first), min(int(last) + 1, size) if last else size
    return Part(start, end, size) if start < size else None


def _headers(*pairs: tuple[str, str]) -> Headers:
    return [(name.encode(), value.encode("latin-1")) for name, value in pairs]
