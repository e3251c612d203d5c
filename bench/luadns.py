"""LuaDNS' API on a real server: changes of one zone by one to eight writers, and reads; compared with PowerDNS 4.7.

    python -m bench.luadns [--records 30 3000] [--seconds 4]

PowerDNS on SQLite (Debian: pdns-server, pdns-backend-sqlite3) is measured in the same run if it is installed. A change
replaces a record set in PowerDNS and a record in Moonbase; a read returns a record set and a record. The rate limit is
off.
"""

import argparse
import base64
import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from infra.ports import free_port

ROOT = Path(__file__).parent.parent
SCHEMA = Path("/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql")
ZONE = "example.com"
TICK = os.sysconf("SC_CLK_TCK")
Call = tuple[str, str, Any]
Result = tuple[float, int, float]  # successes per second, failures, the server's CPU milliseconds per success


@dataclass
class Subject:
    """A server with the zone, and the calls that change, read and list its records by number."""

    name: str
    port: int
    process: "subprocess.Popen[bytes]"
    headers: dict[str, str]
    change: Callable[[int, int], Call]
    read: Callable[[int], Call]
    listing: Call

    def cpu(self) -> float:
        """CPU seconds that the server and its workers have used."""
        spent, waiting = 0, [self.process.pid]
        while waiting:
            pid = waiting.pop()
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            spent += int(fields[11]) + int(fields[12])
            waiting += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
        return spent / TICK

    def connect(self) -> Callable[[Call], int]:
        """Open a connection; return a function that sends a call and returns its status."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.connect()
        assert connection.sock is not None
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def send(call: Call) -> int:
            method, path, body = call
            connection.request(method, path, json.dumps(body) if body is not None else None, self.headers)
            answer = connection.getresponse()
            answer.read()
            return answer.status

        return send


def main() -> None:
    """Measure both servers at each size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, nargs="+", default=[30, 3000])
    parser.add_argument("--seconds", type=float, default=4)
    options = parser.parse_args()
    kinds = [powerdns, moonbase] if shutil.which("pdns_server") else [moonbase]
    print(f"{'records':>8}  {'request':<28} {'server':<9} {'good/s':>8} {'failed':>7} {'CPU ms':>7} {'ratio':>6}")
    for records in options.records:
        results: dict[str, dict[str, Result]] = {}
        for kind in kinds:
            with tempfile.TemporaryDirectory() as directory, kind(Path(directory), records) as subject:
                results[subject.name] = measure(subject, records, options.seconds)
        for request in results["moonbase"]:
            peer = results.get("PowerDNS", {}).get(request)
            for name, result in results.items():
                good, failed, spent = result[request]
                ratio = f"{good / peer[0]:>5.1f}x" if peer and peer[0] and name == "moonbase" else ""
                line = f"{records:>8}  {request:<28} {name:<9} {good:>8.0f} {failed:>7} {spent:>7.2f} {ratio:>6}"
                print(line, flush=True)


def measure(subject: Subject, records: int, seconds: float) -> dict[str, Result]:
    """Return the result of each load test by its name."""

    def change(worker: int, count: int) -> Call:
        return subject.change((worker * 211 + count) % records, count)

    def read(worker: int, count: int) -> Call:
        return subject.read((worker * 211 + count) % records)

    return {
        "change a record, 1 writer": load(subject, change, 1, seconds),
        "change a record, 4 writers": load(subject, change, 4, seconds),
        "change a record, 8 writers": load(subject, change, 8, seconds),
        "read a record, 1 reader": load(subject, read, 1, seconds),
        "read a record, 8 readers": load(subject, read, 8, seconds),
        "read the whole zone": load(subject, lambda worker, count: subject.listing, 1, seconds),
    }


def load(subject: Subject, call: Callable[[int, int], Call], workers: int, seconds: float) -> Result:
    """Send requests on `workers` connections for `seconds`."""
    statuses: list[int] = []

    def work(worker: int) -> None:
        send, count, end = subject.connect(), 0, time.perf_counter() + seconds
        while time.perf_counter() < end:
            statuses.append(send(call(worker, count)))
            count += 1

    started, before = time.perf_counter(), subject.cpu()
    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    good = sum(200 <= status < 300 for status in statuses)
    took, spent = time.perf_counter() - started, subject.cpu() - before
    return good / took, len(statuses) - good, spent * 1000 / max(good, 1)


@contextmanager
def moonbase(directory: Path, records: int) -> Iterator[Subject]:
    """Run Moonbase, with one worker per core, on an empty data directory."""
    data, port = directory / "data", free_port()
    command = [sys.executable, str(ROOT / "moonbase"), "--data", str(data), "--json"]

    def run(*arguments: str) -> Any:
        return json.loads(subprocess.run([*command, *arguments], check=True, capture_output=True).stdout)

    run("user", "create", "bench", "--email", "bench@example.org")
    run("luadns", "enable", "bench")
    key = run("key", "create", "bench", "--service", "luadns")["key"]
    headers = {
        "Accept": "application/json",
        "Authorization": "Basic " + base64.b64encode(f":{key}".encode()).decode(),
    }
    with running([*command, "serve", "--port", str(port)], port, MOONBASE_LUADNS_RATE="0") as process:
        zone = post(port, headers, "/v1/zones", {"name": ZONE})["id"]
        names = [{"name": f"h{n}.{ZONE}.", "type": "A", "content": "192.0.2.1"} for n in range(records)]
        rows = post(port, headers, f"/v1/zones/{zone}/records/create_many", names)
        paths = [f"/v1/zones/{zone}/records/{row['id']}" for row in rows]
        yield Subject(
            "moonbase",
            port,
            process,
            headers,
            lambda record, count: (
                "PUT",
                paths[record],
                {**names[record], "content": f"198.51.{count // 256}.{count % 256}"},
            ),
            lambda record: ("GET", paths[record], None),
            ("GET", f"/v1/zones/{zone}/records", None),
        )


@contextmanager
def powerdns(directory: Path, records: int) -> Iterator[Subject]:
    """Run PowerDNS with its API on an SQLite file, with WAL and synchronous writes, as Moonbase has them."""
    database, port = directory / "pdns.sqlite", free_port()
    with sqlite3.connect(database) as made:
        made.executescript(f"PRAGMA journal_mode = WAL; {SCHEMA.read_text()}")
    configuration = {
        "launch": "gsqlite3",
        "gsqlite3-database": database,
        "gsqlite3-pragma-synchronous": 2,
        "socket-dir": directory,
        "local-address": "127.0.0.1",
        "local-port": free_port(),
        "api": "yes",
        "api-key": "bench",
        "webserver": "yes",
        "webserver-port": port,
        "webserver-loglevel": "none",
        "loglevel": 0,
    }
    (directory / "pdns.conf").write_text("".join(f"{name}={value}\n" for name, value in configuration.items()))
    headers = {"X-API-Key": "bench", "Content-Type": "application/json"}
    zones = "/api/v1/servers/localhost/zones"
    with running(["pdns_server", f"--config-dir={directory}", "--guardian=no", "--daemon=no"], port) as process:
        sets = [rrset(record, "192.0.2.1") for record in range(records)]
        zone = {"name": f"{ZONE}.", "kind": "Native", "nameservers": [f"ns1.{ZONE}."], "rrsets": sets}
        post(port, headers, zones, zone)
        yield Subject(
            "PowerDNS",
            port,
            process,
            headers,
            lambda record, count: (
                "PATCH",
                f"{zones}/{ZONE}.",
                {"rrsets": [{**rrset(record, f"198.51.{count // 256}.{count % 256}"), "changetype": "REPLACE"}]},
            ),
            lambda record: ("GET", f"{zones}/{ZONE}.?rrset_name=h{record}.{ZONE}.&rrset_type=A", None),
            ("GET", f"{zones}/{ZONE}.", None),
        )


def rrset(record: int, content: str) -> dict[str, Any]:
    """A record set in PowerDNS' format."""
    return {
        "name": f"h{record}.{ZONE}.",
        "type": "A",
        "ttl": 300,
        "records": [{"content": content, "disabled": False}],
    }


def post(port: int, headers: dict[str, str], path: str, body: Any) -> Any:
    """POST a JSON body; returns the parsed response."""
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("POST", path, json.dumps(body), headers)
    answer = connection.getresponse()
    text = answer.read()
    assert answer.status in (200, 201), text
    return json.loads(text)


@contextmanager
def running(command: list[str], port: int, **environment: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a server until the block ends."""
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, **environment}
    )
    try:
        for _ in range(600):
            assert process.poll() is None, f"{command[0]} does not start"
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield process
    finally:
        process.terminate()
        process.wait(60)


if __name__ == "__main__":
    main()
