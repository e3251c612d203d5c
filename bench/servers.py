"""A real server to measure, and clients that load it."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

ROOT = Path(__file__).parent.parent
_TICK = os.sysconf("SC_CLK_TCK")


@dataclass
class Load:
    """The result of a load test: responses per second, the server's CPU ms per response, and bytes of a response."""

    rate: float
    cpu: float
    size: int


@dataclass
class MeasuredServer:
    """A running server, with a worker per core."""

    port: int
    process: "subprocess.Popen[bytes]"

    def load(
        self, path: Callable[[], str], seconds: float, *, connections: int = 4, warm_up: float = 0.5, **headers: str
    ) -> Load:
        """GET a path repeatedly on all connections; `path` returns that of the next request."""

        def make(_: int) -> bytes:
            return request("GET", path(), **headers)

        self.repeat(make, warm_up, connections)
        return self.repeat(make, seconds, connections)

    def repeat(self, make: Callable[[int], bytes], seconds: float, connections: int) -> Load:
        """Send requests on all connections and read the responses, for `seconds`.

        `make` returns the bytes of the next request; its argument is the number of the connection.
        """
        counts, sizes = [0] * connections, [0] * connections
        before, began = self.cpu_seconds(), time.perf_counter()
        until = began + seconds

        def run(number: int) -> None:
            with socket.create_connection(("127.0.0.1", self.port)) as connection:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                file = connection.makefile("rb", buffering=1 << 20)
                while time.perf_counter() < until:
                    connection.sendall(make(number))
                    sizes[number] = _read(file)
                    counts[number] += 1

        threads = [threading.Thread(target=run, args=(number,)) for number in range(connections)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        took, spent, answers = time.perf_counter() - began, self.cpu_seconds() - before, sum(counts)
        return Load(answers / took, spent * 1000 / max(answers, 1), max(sizes))

    def cpu_seconds(self) -> float:
        """The CPU seconds that its processes have used."""
        total = 0
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[3]) == self.process.pid:  # its session
                total += int(fields[11]) + int(fields[12])
        return total / _TICK


class LoadConnection:
    """One keep-alive connection."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def request(self, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[float, bytes]:
        """Return the milliseconds that the response took, and its body; exits unless the status is 200 or 201."""
        began = time.perf_counter()
        self._connection.request(method, path, body, headers)
        answer = self._connection.getresponse()
        content = answer.read()
        took = (time.perf_counter() - began) * 1000
        if answer.status not in (200, 201):
            raise SystemExit(f"{method} {path}: {answer.status} {content[:200]!r}")
        return took, content


def filled(bench: str, data: Path, count: int) -> Any:
    """Let the module `bench` fill a data directory in a process of its own; return its output, parsed as JSON."""
    command = [sys.executable, "-m", bench, "--fill", str(data), str(count)]
    done = subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.PIPE)
    return json.loads(done.stdout or b"null")


@contextmanager
def serving(data: Path) -> Iterator[MeasuredServer]:
    """Run a server with a worker per core, without a log."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "moonbase"), "--data", str(data), "serve", "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.1)
        time.sleep(2)  # until every worker is up
        yield MeasuredServer(port, process)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


def busy() -> str:
    """The load of the machine in words, to print above figures."""
    load = os.getloadavg()[0]
    return f"{os.cpu_count()} cores, load {load:.1f} before the start"


def request(method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    """The bytes of an HTTP/1.1 request."""
    fields = {"Host": "127.0.0.1", "Content-Length": str(len(body)), **headers}
    head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
    return f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + body


def _read(file: BinaryIO) -> int:
    """Read one response; return the length of its body."""
    status = file.readline()
    assert b" 200 " in status, status
    length = 0
    while (line := file.readline()) not in (b"\r\n", b""):
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    file.read(length)
    return length
