"""The embedded name server: queries per second, measured by Debian's dnsperf over loopback.

    python -m bench.dns [--seconds 4]

Four cases in zones of 30 and 3,000 records: the same few names, names that were never queried before, the same few
names over TCP (dnsperf opens one connection after the other), and the same few names while the API changes the zone.
"""

import argparse
import os
import random
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from tests.luadns.served import Served, served


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=4)
    seconds = parser.parse_args().seconds
    print(f"{'records':>8} {'case':<22} {'queries/s':>12} {'lost':>6} {'mean ms':>8} {'changes/s':>10}")
    os.environ["MOONBASE_LUADNS_RESPONSE_RATE"] = "0"
    with tempfile.TemporaryDirectory() as directory, served(Path(directory) / "data", "--workers", "2") as server:
        for size in (30, 3000):
            name = f"z{size}.test"
            zone = server.zone(name)
            rows = [{"name": f"n{number}", "type": "A", "content": "192.0.2.1"} for number in range(size)]
            server.call("POST", f"/zones/{zone}/records/create_many", rows)
            few, many = Path(directory) / "few", Path(directory) / "many"
            few.write_text("".join(f"n{number}.{name} A\n" for number in range(10)) + f"{name} NS\nno.{name} A\n")
            many.write_text("".join(f"r{random.randrange(10**9)}.{name} A\n" for _ in range(200_000)))
            query(server, few, 1)  # until the process is warm
            show(size, "the same few names", query(server, few, seconds))
            show(size, "never queried names", query(server, many, seconds))
            show(size, "the same few, TCP", query(server, few, seconds, "-m", "tcp"))
            with Writer(server, zone) as writer:
                result = query(server, few, seconds)
            show(size, "the same few, changing", result, writer.rate)


def query(server: Served, questions: Path, seconds: int, *options: str) -> dict[str, float]:
    """Run dnsperf with 4 clients and 50 outstanding queries; return rate per second, lost, and mean latency in ms."""
    command = ["dnsperf", "-s", "127.0.0.1", "-p", str(server.dns_port), "-d", str(questions), "-l", str(seconds)]
    command += ["-c", "4", "-q", "50", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    lines = dict(line.strip().split(":", 1) for line in done.stdout.splitlines() if line.count(":") == 1)
    return {
        "rate": float(lines["Queries per second"]),
        "lost": int(lines["Queries lost"].split()[0]),
        "mean": float(lines["Average Latency (s)"].split()[0]) * 1000,
    }


def show(size: int, case: str, result: dict[str, float], changes: float | None = None) -> None:
    row = f"{size:>8,} {case:<22} {result['rate']:>12,.0f} {result['lost']:>6.0f} {result['mean']:>8.2f}"
    print(f"{row} {'' if changes is None else f'{changes:,.0f}':>10}", flush=True)


class Writer:
    """One client that repeatedly changes a record of a zone, below the rate limit of its key."""

    def __init__(self, server: Served, zone: int) -> None:
        self._server, self._zone = server, zone
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._write)
        self.rate = 0.0

    def __enter__(self) -> "Writer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _write(self) -> None:
        row = {"name": "changing", "type": "TXT", "content": "0"}
        record = self._server.call("POST", f"/zones/{self._zone}/records", row)
        began, count = time.monotonic(), 0
        while not self._done.wait(0.02):
            changed = {**row, "content": str(count)}
            self._server.call("PUT", f"/zones/{self._zone}/records/{record['id']}", changed)
            count += 1
        self.rate = count / (time.monotonic() - began)


if __name__ == "__main__":
    main()
