"""The name server's process. It is separate from the HTTP workers, to isolate load and crashes from each other."""

import asyncio
import atexit
import contextlib
import logging
import logging.config
import multiprocessing
import signal
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from standalone.dns.server import DnsServer, Sockets

_COUNTS_INTERVAL = 10.0  # seconds
_RESTART_DELAY = 1.0  # seconds after a crash

log = logging.getLogger("moonbase.dns")


def start(data: Path, listening: Sequence[Sockets]) -> None:
    """Serve DNS from `data` in a separate process until this one exits. The process is restarted after a crash."""
    context = multiprocessing.get_context("spawn")
    ending = threading.Event()

    def supervise() -> None:
        while not ending.is_set():
            server = context.Process(target=_run, args=(data, list(listening)), name="dns", daemon=True)
            server.start()
            server.join()
            if not ending.wait(_RESTART_DELAY):
                log.error("the name server exited with code %s and is restarted", server.exitcode)

    atexit.register(ending.set)  # multiprocessing ends the daemon process after that
    threading.Thread(target=supervise, name="dns", daemon=True).start()


def _run(data: Path, listening: Sequence[Sockets]) -> None:
    from standalone.parent import follow_parent
    from standalone.server import LOGGING

    logging.config.dictConfig(LOGGING)
    follow_parent()
    asyncio.run(_serve(data, listening))


async def _serve(data: Path, listening: Sequence[Sockets]) -> None:
    from chalicelib import settings
    from chalicelib.luadns.resolver import Resolver
    from chalicelib.luadns.upstream import Upstream
    from standalone.dns.counts import Counts
    from standalone.dns.responder import Responder
    from standalone.dns.response_limit import ResponseLimit
    from standalone.dns.zones import Zones
    from standalone.runtime import open_data

    ending = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ending.set)
    state = open_data(data).database.watch()
    settings.install(replace(settings.current(), luadns_engine="authoritative"))  # for changes by dynamic updates
    counts = Counts()
    zones, upstream = Zones(state), Upstream()
    cached, blocking = Resolver(zones.find, upstream.cached), Resolver(zones.find, upstream.addresses)
    limit = ResponseLimit(settings.current().luadns_response_rate)
    server = DnsServer(Responder(cached, blocking, state, counts.add), limit)
    await server.start(listening)
    for _, stream in listening:
        log.info("serving DNS on %s port %d", *stream.getsockname()[:2])
    while not ending.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(ending.wait(), _COUNTS_INTERVAL)
        await asyncio.to_thread(counts.store)
    server.close()
