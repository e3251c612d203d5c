"""Runs the gateway on uvicorn with worker processes, signals, limits and logging."""

import asyncio
import logging
import os
import resource
import socket
import ssl
import sys
from collections.abc import Callable, Sequence, Set
from functools import partial
from pathlib import Path
from typing import Any, NoReturn, cast

from uvicorn import Config
from uvicorn.config import STARTUP_FAILURE
from uvicorn.importer import import_from_string
from uvicorn.supervisors import Multiprocess

from chalicelib.web.protection import NOSNIFF
from standalone.connection import Connection
from standalone.gateway import BODY_MEMORY, MAX_BODY, THREADS, Answer, Gateway
from standalone.parent import follow_parent

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "loggers": {"botocore": {"level": "WARNING"}, "pynamodb": {"level": "WARNING"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
}

MAX_UNSENT = 128 * 1024  # bytes
MAX_FILES = 65536  # open files of a process

log = logging.getLogger("moonbase.server")


class ServerConfig(Config):
    """uvicorn's configuration, with ports that are served without TLS next to one with it."""

    plain_ports: frozenset[int] = frozenset()

    def get_loop_factory(self) -> Callable[[], asyncio.AbstractEventLoop] | None:
        """Return the factory of a worker's event loop."""
        make = super().get_loop_factory()
        return partial(_make_loop, make, self.plain_ports) if make and self.plain_ports else make


def configure(
    app_factory: str | Callable[[], Answer],
    *,
    host: str = "127.0.0.1",
    port: int = 8080,
    workers: int = 1,
    threads: int = THREADS,
    max_body: int = MAX_BODY,
    body_memory: int = BODY_MEMORY,
    timeout: float = 30.0,
    keep_alive: int = 30,
    grace: int = 30,
    trusted_proxies: Sequence[str] = (),
    tls_cert: str | Path | None = None,
    tls_key: str | Path | None = None,
    log_config: dict[str, Any] | None = LOGGING,
) -> ServerConfig:
    """Return the configuration for `serve`.

    `app_factory` creates the function that answers events, once per worker: a callable or "module:name". `threads` is
    the size of each of a worker's two thread pools. `max_body` of one request and `body_memory` of all requests of a
    worker are in bytes. In seconds: `timeout` for a client that is slow to send or to read, `keep_alive` for an idle
    connection, `grace` for running requests at shutdown.
    X-Forwarded-For and -Proto are accepted only from `trusted_proxies` (addresses or networks).
    """
    return ServerConfig(
        partial(
            _make_gateway,
            app_factory,
            threads=threads,
            max_body=max_body,
            body_memory=body_memory,
            trusted_proxies=tuple(trusted_proxies),
        ),
        factory=True,
        interface="asgi3",
        # uvicorn only calls this, and a class cannot be pickled to a worker process with the setting.
        http=cast("type[asyncio.Protocol]", partial(Connection, timeout=timeout)),
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
        headers=[("server", "moonbase"), NOSNIFF],
        timeout_keep_alive=keep_alive,
        timeout_graceful_shutdown=grace,
        timeout_worker_healthcheck=30,
    )


def _make_loop(make: Callable[[], asyncio.AbstractEventLoop], plain_ports: Set[int]) -> asyncio.AbstractEventLoop:
    """An event loop that opens these ports without TLS: uvicorn opens all ports with the same `ssl`."""
    loop = make()
    create = loop.create_server

    def create_server(protocol: Any, *, sock: socket.socket, ssl: ssl.SSLContext | None, backlog: int) -> Any:
        is_plain = sock.getsockname()[1] in plain_ports
        return create(protocol, sock=sock, ssl=None if is_plain else ssl, backlog=backlog)

    loop.create_server = create_server  # type: ignore[method-assign, assignment]
    return loop


class Supervisor(Multiprocess):
    """uvicorn's supervisor, which notices at once that a worker died during a health check."""

    def keep_subprocess_alive(self) -> None:
        """Replace workers that died. While the parent has the worker's end of a pipe open, a check would time out."""
        for worker in self.processes:
            worker.child_conn.close()
        super().keep_subprocess_alive()


def serve(config: ServerConfig, listener: socket.socket, plain: socket.socket | None = None) -> NoReturn:
    """Serve until SIGTERM or SIGINT, finish the running requests, and exit with code 0. `plain` has no TLS.

    A supervisor restarts a worker that dies, and all workers at SIGHUP, also if there is only one.
    """
    _raise_file_limit()
    if plain:
        config.plain_ports = frozenset({plain.getsockname()[1]})
    supervisor = Supervisor(config, [listener, plain] if plain else [listener])
    supervisor.run()
    failed = any(worker.exitcode == STARTUP_FAILURE for worker in supervisor.processes)
    sys.exit(STARTUP_FAILURE if failed else 0)


def check_tls(cert: Path, key: Path) -> None:
    """Raise ValueError unless the files are a certificate and its key without a password."""
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(cert, key, password="")
    except OSError:
        raise ValueError(f"{cert} and {key} are not a certificate and its key in PEM, without a password") from None


def listen(config: Config, plain_port: int | None = None) -> socket.socket:
    """Open the port, or another one that has no TLS. Raises OSError.

    Clients that connect before a worker is ready wait instead of failing.
    """
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    port = config.port if plain_port is None else plain_port
    try:
        listener = socket.create_server((config.host, port), family=family, backlog=config.backlog)
    except OSError as problem:
        raise OSError(f"cannot listen on {config.host} port {port}: {os.strerror(problem.errno or 0)}") from problem
    # Connections inherit the option. asyncio does not set it, because the socket's protocol number is 0.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # Limits the kernel's buffer of unsent data. By default it accepts megabytes and then nothing until a slow client
    # has read most of them, so that a slow client could not be distinguished from a stopped one.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, MAX_UNSENT)
    scheme = "https" if config.is_ssl and plain_port is None else "http"
    log.info("listening on %s://%s:%d", scheme, config.host, listener.getsockname()[1])
    return listener


def _raise_file_limit() -> None:
    """Raise the limit of open files, and so of connections: the default of many systems is 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = MAX_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_FILES)
    if soft != resource.RLIM_INFINITY and soft < limit:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))


def _make_gateway(app_factory: str | Callable[[], Answer], **options: Any) -> Gateway:
    follow_parent()
    try:
        answer = import_from_string(app_factory)()
    except Exception:
        log.exception("the app does not start")
        sys.exit(STARTUP_FAILURE)  # the only exit code after which the supervisor does not restart the worker
    return Gateway(answer, **options)
