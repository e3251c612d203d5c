"""The name server's process: beside the HTTP workers, so that neither's load or end is the other's."""

import asyncio
import atexit
import contextlib
import logging
import logging.config
import multiprocessing
import signal
import threading
from collections.abc import Sequence
from pathlib import Path

from standalone.dns.server import Server, Sockets

_COUNTS_EVERY = 10.0  # seconds
_PAUSE = 1.0  # seconds until a process that died is started again

log = logging.getLogger("moonbase.dns")


def start(data: Path, listening: Sequence[Sockets]) -> None:
    """Serve DNS from `data` in a process of its own until this one ends; one that dies is started again."""
    context = multiprocessing.get_context("spawn")
    ending = threading.Event()

    def keep() -> None:
        while not ending.is_set():
            server = context.Process(target=_run, args=(data, list(listening)), name="dns", daemon=True)
            server.start()
            server.join()
            if not ending.wait(_PAUSE):
                log.error("the name server has ended with exit code %s; it is started again", server.exitcode)

    atexit.register(ending.set)  # what ends the process then is multiprocessing, which ends daemons
    threading.Thread(target=keep, name="dns", daemon=True).start()


def _run(data: Path, listening: Sequence[Sockets]) -> None:
    from standalone.parent import follow_parent
    from standalone.server import LOGGING

    logging.config.dictConfig(LOGGING)
    follow_parent()
    asyncio.run(_serve(data, listening))


async def _serve(data: Path, listening: Sequence[Sockets]) -> None:
    from chalicelib.luadns.resolver import Resolver
    from chalicelib.luadns.upstream import Upstream
    from standalone.dns.counts import Counts
    from standalone.dns.responder import Responder
    from standalone.dns.zones import Zones
    from standalone.runtime import open_data

    ending = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ending.set)
    state = open_data(data).database.watch()
    counts = Counts()
    zones, upstream = Zones(state), Upstream()
    quick, patient = Resolver(zones.find, upstream.known), Resolver(zones.find, upstream.addresses)
    server = Server(Responder(quick, patient, state, counts.add))
    await server.start(listening)
    for _, stream in listening:
        log.info("answering DNS on %s port %d", *stream.getsockname()[:2])
    while not ending.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(ending.wait(), _COUNTS_EVERY)
        await asyncio.to_thread(counts.store)
    server.close()
