"""Runs the gateway on uvicorn: worker processes, signals, limits and logging."""

import asyncio
import logging
import os
import resource
import socket
import ssl
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NoReturn, cast

from uvicorn import Config
from uvicorn.config import STARTUP_FAILURE
from uvicorn.importer import import_from_string
from uvicorn.supervisors import Multiprocess

from standalone.connection import Connection
from standalone.gateway import MAX_BODY, THREADS, Answer, Gateway
from standalone.parent import follow_parent

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "loggers": {"botocore": {"level": "WARNING"}, "pynamodb": {"level": "WARNING"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
}

UNSENT = 128 * 1024
MANY_FILES = 65536

log = logging.getLogger("moonbase.server")


def configure(
    app_factory: str | Callable[[], Answer],
    *,
    host: str = "127.0.0.1",
    port: int = 8080,
    workers: int = 1,
    threads: int = THREADS,
    max_body: int = MAX_BODY,
    patience: float = 30.0,
    keep_alive: int = 30,
    grace: int = 30,
    trusted_proxies: Sequence[str] = (),
    tls_cert: str | Path | None = None,
    tls_key: str | Path | None = None,
    log_config: dict[str, Any] | None = LOGGING,
) -> Config:
    """Gather what `serve` needs.

    `app_factory` makes the function that answers events, once per worker: a callable, or "module:name".
    `threads` run that function in each worker. `max_body` is in bytes. In seconds: `patience` with a client
    that is slow to send or to read, `keep_alive` for an idle connection, `grace` for what runs at shutdown.
    `trusted_proxies` are the addresses or networks whose X-Forwarded-For and -Proto count; by default none.
    """
    return Config(
        partial(
            _make_gateway,
            app_factory,
            threads=threads,
            max_body=max_body,
            trusted_proxies=tuple(trusted_proxies),
        ),
        factory=True,
        interface="asgi3",
        # uvicorn only ever calls this, and a class could not carry the setting into a worker process.
        http=cast("type[asyncio.Protocol]", partial(Connection, patience=patience)),
        ws="none",
        lifespan="off",
        host=host,
        port=port,
        workers=workers,
        ssl_certfile=tls_cert,
        ssl_keyfile=tls_key,
        log_config=log_config,
        access_log=False,
        proxy_headers=False,
        headers=[("server", "moonbase")],
        timeout_keep_alive=keep_alive,
        timeout_graceful_shutdown=grace,
        timeout_worker_healthcheck=30,
    )


def serve(config: Config, listener: socket.socket) -> NoReturn:
    """Serve until SIGTERM or SIGINT, finish what is running, and leave with exit code 0.

    Also a single worker has a supervisor, which starts it again should it die, and anew at SIGHUP.
    """
    _allow_many_files()
    supervisor = Multiprocess(config, [listener])
    supervisor.run()
    failed = any(worker.exitcode == STARTUP_FAILURE for worker in supervisor.processes)
    sys.exit(STARTUP_FAILURE if failed else 0)


def check_tls(cert: Path, key: Path) -> None:
    """Raises ValueError when the files are no certificate and its key, or the key asks for a password."""
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(cert, key, password="")
    except OSError as problem:
        raise ValueError(f"{cert} and {key} are no certificate and its key: {problem}") from None


def listen(config: Config) -> socket.socket:
    """Open the port at once: a client that comes before a worker is ready waits instead of failing. Raises OSError."""
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    try:
        listener = socket.create_server((config.host, config.port), family=family, backlog=config.backlog)
    except OSError as problem:
        raise OSError(
            f"cannot listen on {config.host} port {config.port}: {os.strerror(problem.errno or 0)}"
        ) from problem
    # Connections inherit it. asyncio would leave it out, as it cannot tell that this socket speaks TCP.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # The kernel takes no more than this of what cannot be sent yet. Of its own it would take megabytes, and then
    # nothing for as long as a slow reader needs for most of them, who would look like one that has stopped.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT)
    scheme = "https" if config.is_ssl else "http"
    log.info("listening on %s://%s:%d", scheme, config.host, listener.getsockname()[1])
    return listener


def _allow_many_files() -> None:
    """As many connections as the system lets us have; many systems begin with 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MANY_FILES if hard == resource.RLIM_INFINITY else min(hard, MANY_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _make_gateway(app_factory: str | Callable[[], Answer], **options: Any) -> Gateway:
    follow_parent()
    try:
        answer = import_from_string(app_factory)()
    except Exception:
        log.exception("the app does not start")
        sys.exit(STARTUP_FAILURE)  # the one code on which a supervisor gives up instead of starting it again
    return Gateway(answer, **options)
