"""Hostile requests, as in tests/hostile but many more of them: in this process, or over HTTP to a real server.

    python -m bench.hostile --requests 1000000
    python -m bench.hostile --requests 20000 --http

Prints one JSON object; exits with 1 if a request caused a problem.
"""

import argparse
import http.client
import json
import os
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from chalicelib import settings
from chalicelib.core import job_runner, jobs
from tests.client import Reply
from tests.hostile import generator, siege, store
from tests.hostile.generator import HostileRequest
from tests.hostile.siege import Findings
from tests.hostile.store import Store
from tests.servers import Server, serving
from tests.worlds import world

_PER_STORE = 2500  # requests until a new store is filled, because requests delete what they name
_CONNECTIONS = 4
_one = threading.Lock()  # for what the connections share: the findings and the store


def main() -> None:
    """Send the requests and print the findings."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=60_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--http", action="store_true", help="to a real server with a worker per core")
    options = parser.parse_args()
    findings, began = Findings(), time.monotonic()
    with tempfile.TemporaryDirectory() as directory:
        run = over_http if options.http else in_process
        run(Path(directory), options.requests, options.seed, findings)
    print(json.dumps({**_shown(findings, options.http), "seconds": round(time.monotonic() - began)}, indent=2))
    raise SystemExit(findings.failures > 0)


def in_process(directory: Path, requests: int, seed: int, findings: Findings) -> None:
    """Send the requests to the app in this process. Jobs run after each store's requests; none may fail."""
    with world("embedded", directory), settings.override(**store.SETTINGS):
        for number, count in _portions(requests):
            filled = store.fill(number)
            siege.besiege(filled, generator.requests(filled, seed, count), findings)
            job_runner.run_due()
            for job in jobs.dead():
                findings.fail(f"a dead job {job.name}: {job.error}")
    findings.memory = siege.peak_memory()


def over_http(directory: Path, requests: int, seed: int, findings: Findings) -> None:
    """Send the requests to a real server. This process fills its data directory while it runs."""
    from standalone.runtime import open_data

    data = directory / "data"
    with serving(data, environment=_environment()) as server:
        open_data(data)
        with settings.override(**store.SETTINGS):
            for number, count in _portions(requests):
                filled = store.fill(number)
                shares = [
                    generator.requests(filled, seed * _CONNECTIONS + share, count // _CONNECTIONS)
                    for share in range(_CONNECTIONS)
                ]
                with ThreadPoolExecutor(_CONNECTIONS) as pool:
                    list(pool.map(partial(_send, server, filled, findings), shares))
        findings.memory = max(siege.peak_memory(pid) for pid in server.workers())


def _portions(requests: int) -> Iterable[tuple[int, int]]:
    return ((number, min(_PER_STORE, requests - start)) for number, start in enumerate(range(0, requests, _PER_STORE)))


def _environment() -> dict[str, str]:
    words = {True: "yes", False: "no", (): ""}
    given = {name: words[value] if isinstance(value, bool | tuple) else value for name, value in store.SETTINGS.items()}
    return {f"MOONBASE_{name.upper()}": str(value) for name, value in given.items()}


def _send(server: Server, filled: Store, findings: Findings, share: Iterator[HostileRequest]) -> None:
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=siege.HANG)
    for request in share:
        began = time.monotonic()
        try:
            reply = _answer(connection, request)
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            findings.hangs += isinstance(error, TimeoutError)
            findings.fail(f"{type(error).__name__} {error}: {request}")
            continue
        with _one:
            findings.add(request, reply, time.monotonic() - began, filled.secrets)
            if reply.status in (401, 403) and request.identity:
                filled.renew(request.identity)
    connection.close()


def _answer(connection: http.client.HTTPConnection, request: HostileRequest) -> Reply:
    target = f"{request.path}?{request.query}" if request.query else request.path
    connection.putrequest(request.method, target, skip_host=True, skip_accept_encoding=True)
    for name, value in {**request.headers, "Content-Length": str(len(request.body))}.items():
        connection.putheader(name, value.encode())
    connection.endheaders(request.body)
    response = connection.getresponse()
    headers: dict[str, list[str]] = {}
    for name, value in response.getheaders():
        headers.setdefault(name.lower(), []).append(value)
    return Reply(response.status, headers, response.read())


def _shown(findings: Findings, http_: bool) -> dict[str, Any]:
    seconds, slowest = findings.slowest
    return {
        "requests": findings.requests,
        "by_status": {str(status): count for status, count in sorted(findings.statuses.items())},
        "internal_errors": sum(count for status, count in findings.statuses.items() if status in (500, 501, 502, 504)),
        "problems": findings.failures,
        "described": findings.problems,
        "hangs": findings.hangs,
        "peak_memory_mb": round(findings.memory),
        "longest_wait_seconds" if http_ else "longest_cpu_seconds": round(seconds, 3),
        "slowest": slowest,
        "routes_reached": f"{len(findings.reached)} of {len(generator.routes())}",
        "load": os.getloadavg()[0],
    }


if __name__ == "__main__":
    main()
