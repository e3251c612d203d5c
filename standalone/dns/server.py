"""UDP and TCP on one port, in one event loop. Threads answer queries that are not cached."""

import asyncio
import logging
import os
import socket
from asyncio import DatagramProtocol, DatagramTransport, Future, StreamReader, StreamWriter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import cast

from chalicelib.luadns.resolver import LookupRequired
from standalone.dns.responder import Responder
from standalone.dns.response_limit import ResponseLimit

THREADS = 4  # for queries that need the store
BLOCKING_THREADS = 16  # for queries to other servers, so that slow servers do not delay other answers
MAX_QUEUED = 500  # datagrams that wait for a thread; further ones are dropped, and their clients retry
MAX_BLOCKING_QUEUED = 100  # the same for BLOCKING_THREADS
MAX_CONNECTIONS = 250
TIMEOUT = 10.0  # seconds for a TCP client to send a query or to read an answer

log = logging.getLogger("moonbase.dns")

Sockets = tuple[socket.socket, socket.socket]


def listen(host: str, port: int) -> Sockets:
    """Open a port for UDP and TCP; port 0 selects one that is free for both. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        stream = socket.create_server((host, port), family=family, backlog=128)
        try:
            datagrams = socket.socket(family, socket.SOCK_DGRAM)
            datagrams.bind((host, stream.getsockname()[1]))
        except BaseException:
            stream.close()
            raise
    except OSError as problem:
        reason = os.strerror(problem.errno or 0)
        raise OSError(f"cannot serve DNS on {host} port {port}: {reason}") from problem
    return datagrams, stream


class DnsServer:
    """Serves a responder until it is closed."""

    def __init__(self, responder: Responder, limit: ResponseLimit) -> None:
        self._responder = responder
        self._limit = limit
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="dns")
        self._blocking = ThreadPoolExecutor(BLOCKING_THREADS, thread_name_prefix="dns-blocking")
        self._connections = 0
        self._open: list[asyncio.AbstractServer | DatagramTransport] = []

    async def start(self, listening: Iterable[Sockets]) -> None:
        """Serve on sockets from `listen`."""
        loop = asyncio.get_running_loop()
        for datagrams, stream in listening:
            transport, _ = await loop.create_datagram_endpoint(
                lambda: _Datagrams(self._responder, self._limit, self._threads, self._blocking), sock=datagrams
            )
            self._open += [transport, await asyncio.start_server(self._serve_connection, sock=stream)]

    def close(self) -> None:
        """Stop listening."""
        for each in self._open:
            each.close()
        for threads in (self._threads, self._blocking):
            threads.shutdown(wait=False, cancel_futures=True)

    async def _serve_connection(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Answer a connection's queries in order."""
        self._connections += 1
        try:
            if self._connections <= MAX_CONNECTIONS:
                while await self._exchange(reader, writer):
                    pass
        except (OSError, EOFError, TimeoutError):
            pass  # the client disconnected, or is too slow
        finally:
            self._connections -= 1
            writer.transport.abort() if self._connections >= MAX_CONNECTIONS else writer.close()

    async def _exchange(self, reader: StreamReader, writer: StreamWriter) -> bool:
        async with asyncio.timeout(TIMEOUT):
            length = await reader.readexactly(2)
            wire = await reader.readexactly(int.from_bytes(length))
        loop = asyncio.get_running_loop()
        peer = cast(str, writer.get_extra_info("peername")[0])
        try:
            replies = await loop.run_in_executor(self._threads, self._responder.answer_stream, wire, peer, False)
        except LookupRequired:
            replies = await loop.run_in_executor(self._blocking, self._responder.answer_stream, wire, peer, True)
        for reply in replies:
            writer.write(len(reply).to_bytes(2) + reply)
            async with asyncio.timeout(TIMEOUT):
                await writer.drain()
        return bool(replies)


class _Datagrams(DatagramProtocol):
    """Answers queries by UDP."""

    def __init__(
        self,
        responder: Responder,
        limit: ResponseLimit,
        threads: ThreadPoolExecutor,
        blocking: ThreadPoolExecutor,
    ) -> None:
        self._responder = responder
        self._limit = limit
        self._threads = {False: threads, True: blocking}
        self._free_slots = {False: MAX_QUEUED, True: MAX_BLOCKING_QUEUED}
        self._transport: DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        cached = self._responder.cached_reply(data)
        if cached is not None:
            self._send(cached, addr)
        else:
            self._submit(data, addr, blocking=False)

    def error_received(self, exc: Exception) -> None:
        """Ignore it: the client is unreachable."""

    def _submit(self, data: bytes, addr: tuple[str, int], *, blocking: bool) -> None:
        if self._free_slots[blocking] == 0:
            return
        self._free_slots[blocking] -= 1
        future = asyncio.get_running_loop().run_in_executor(
            self._threads[blocking], self._responder.answer_datagram, data, addr[0], blocking
        )
        future.add_done_callback(partial(self._finish, data, addr, blocking))

    def _finish(self, data: bytes, addr: tuple[str, int], blocking: bool, future: "Future[bytes | None]") -> None:
        self._free_slots[blocking] += 1
        if future.cancelled():
            return
        if isinstance(future.exception(), LookupRequired):
            self._submit(data, addr, blocking=True)
        elif (reply := future.result()) is not None:
            self._send(reply, addr)

    def _send(self, reply: bytes, addr: tuple[str, int]) -> None:
        admitted = self._limit.admit(reply, addr[0])
        if admitted is not None and self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(admitted, addr)
