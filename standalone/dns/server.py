"""UDP and TCP on one port, for one event loop; what may take longer than a look into memory waits in threads."""

import asyncio
import logging
import os
import socket
from asyncio import DatagramProtocol, DatagramTransport, Future, StreamReader, StreamWriter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import cast

from standalone.dns.responder import Responder

THREADS = 4
MOST_WAITING = 500  # datagrams in the threads' queue; those beyond are dropped, and their clients ask again
MOST_CONNECTIONS = 250
PATIENCE = 10.0  # seconds with a TCP client that is slow to send or to read

log = logging.getLogger("moonbase.dns")

Sockets = tuple[socket.socket, socket.socket]


def listen(host: str, port: int) -> Sockets:
    """Open a port for UDP and TCP; with port 0 any that is free for both. Raises OSError."""
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


class Server:
    """Serves a responder until it is closed."""

    def __init__(self, responder: Responder) -> None:
        self._responder = responder
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="dns")
        self._connections = 0
        self._open: list[asyncio.AbstractServer | DatagramTransport] = []

    async def start(self, listening: Iterable[Sockets]) -> None:
        """Serve on sockets that `listen` has opened."""
        loop = asyncio.get_running_loop()
        for datagrams, stream in listening:
            transport, _ = await loop.create_datagram_endpoint(
                lambda: _Datagrams(self._responder, self._threads), sock=datagrams
            )
            self._open += [transport, await asyncio.start_server(self._converse, sock=stream)]

    def close(self) -> None:
        """Stop listening."""
        for each in self._open:
            each.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _converse(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Answer one connection's queries, in the order that they come."""
        self._connections += 1
        try:
            if self._connections <= MOST_CONNECTIONS:
                while await self._exchange(reader, writer):
                    pass
        except (OSError, EOFError, TimeoutError):
            pass  # the client left, or is too slow
        finally:
            self._connections -= 1
            writer.transport.abort() if self._connections >= MOST_CONNECTIONS else writer.close()

    async def _exchange(self, reader: StreamReader, writer: StreamWriter) -> bool:
        async with asyncio.timeout(PATIENCE):
            length = await reader.readexactly(2)
            wire = await reader.readexactly(int.from_bytes(length))
        loop = asyncio.get_running_loop()
        peer = cast(str, writer.get_extra_info("peername")[0])
        replies = await loop.run_in_executor(self._threads, self._responder.answer_stream, wire, peer)
        for reply in replies:
            writer.write(len(reply).to_bytes(2) + reply)
            async with asyncio.timeout(PATIENCE):
                await writer.drain()
        return bool(replies)


class _Datagrams(DatagramProtocol):
    """Queries by UDP."""

    def __init__(self, responder: Responder, threads: ThreadPoolExecutor) -> None:
        self._responder = responder
        self._threads = threads
        self._waiting = 0
        self._transport: DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        known = self._responder.recall(data)
        if known is not None:
            self._send(known, addr)
        elif self._waiting < MOST_WAITING:
            self._waiting += 1
            loop = asyncio.get_running_loop()
            asked = loop.run_in_executor(self._threads, self._responder.answer_datagram, data)
            asked.add_done_callback(partial(self._answered, addr))

    def error_received(self, exc: Exception) -> None:
        """A client that cannot be reached: nobody is there to be told."""

    def _answered(self, addr: tuple[str, int], asked: "Future[bytes | None]") -> None:
        self._waiting -= 1
        if not asked.cancelled() and (reply := asked.result()) is not None:
            self._send(reply, addr)

    def _send(self, reply: bytes, addr: tuple[str, int]) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(reply, addr)
