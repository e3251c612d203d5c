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

from chalicelib.luadns.resolver import Pending
from standalone.dns.responder import Responder

THREADS = 4  # for what the store knows
PATIENT_THREADS = 16  # for what other servers have to tell first, so that their silence is nobody else's
MOST_WAITING = 500  # datagrams in the threads' queue; those beyond are dropped, and their clients ask again
MOST_PENDING = 100  # the same for the patient ones
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
        self._patient = ThreadPoolExecutor(PATIENT_THREADS, thread_name_prefix="dns-patient")
        self._connections = 0
        self._open: list[asyncio.AbstractServer | DatagramTransport] = []

    async def start(self, listening: Iterable[Sockets]) -> None:
        """Serve on sockets that `listen` has opened."""
        loop = asyncio.get_running_loop()
        for datagrams, stream in listening:
            transport, _ = await loop.create_datagram_endpoint(
                lambda: _Datagrams(self._responder, self._threads, self._patient), sock=datagrams
            )
            self._open += [transport, await asyncio.start_server(self._converse, sock=stream)]

    def close(self) -> None:
        """Stop listening."""
        for each in self._open:
            each.close()
        for threads in (self._threads, self._patient):
            threads.shutdown(wait=False, cancel_futures=True)

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
        try:
            replies = await loop.run_in_executor(self._threads, self._responder.answer_stream, wire, peer, False)
        except Pending:
            replies = await loop.run_in_executor(self._patient, self._responder.answer_stream, wire, peer, True)
        for reply in replies:
            writer.write(len(reply).to_bytes(2) + reply)
            async with asyncio.timeout(PATIENCE):
                await writer.drain()
        return bool(replies)


class _Datagrams(DatagramProtocol):
    """Queries by UDP."""

    def __init__(self, responder: Responder, threads: ThreadPoolExecutor, patient: ThreadPoolExecutor) -> None:
        self._responder = responder
        self._threads = {False: threads, True: patient}
        self._room = {False: MOST_WAITING, True: MOST_PENDING}
        self._transport: DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        known = self._responder.recall(data)
        if known is not None:
            self._send(known, addr)
        else:
            self._ask(data, addr, patient=False)

    def error_received(self, exc: Exception) -> None:
        """A client that cannot be reached: nobody is there to be told."""

    def _ask(self, data: bytes, addr: tuple[str, int], *, patient: bool) -> None:
        if self._room[patient] == 0:
            return
        self._room[patient] -= 1
        asked = asyncio.get_running_loop().run_in_executor(
            self._threads[patient], self._responder.answer_datagram, data, patient
        )
        asked.add_done_callback(partial(self._answered, data, addr, patient))

    def _answered(self, data: bytes, addr: tuple[str, int], patient: bool, asked: "Future[bytes | None]") -> None:
        self._room[patient] += 1
        if asked.cancelled():
            return
        if isinstance(asked.exception(), Pending):
            self._ask(data, addr, patient=True)
        elif (reply := asked.result()) is not None:
            self._send(reply, addr)

    def _send(self, reply: bytes, addr: tuple[str, int]) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(reply, addr)
