"""ContentDB over a real server: requests per second on four connections, CPU per request, and both beside the original.

    python -m bench.contentdb [--packages 1000 3000] [--seconds 3]

The original, Flask on PostgreSQL with two gunicorn workers, was measured with 3,000 packages on two cores.
"""

import argparse
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

CONNECTIONS = 4
ROOT = Path(__file__).parent.parent
TICK = os.sysconf("SC_CLK_TCK")

# path, requests/s of the original, how many times as many are wanted
REQUESTS = {
    "whole list": ("/api/packages/", 4.2, 50),
    "client's list": (
        "/api/packages/?type=mod&type=game&type=txp&protocol_version=53&engine_version=5.17.1"
        "&hide=nonfree&hide=desktop_default",
        4.2,
        50,
    ),
    "search": ("/api/packages/?q=iron&type=mod&fmt=keys", 113, 10),
    "searches, each new": ("/api/packages/?q=iron+{n}&type=mod&fmt=keys", 113, 10),
    "one package": ("/api/packages/author7/iron_7/", 134, 5),
    "updates": ("/api/updates/", 86, 20),
    "dependencies": ("/api/packages/author7/iron_7/dependencies/?only_hard=1", 92, 5),
}
_WORDS = "iron copper stone wood magic tree farm train light water cave sword armor food dungeon boat car sign door"


def main() -> None:
    """Measure each request at each size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--packages", type=int, nargs="+", default=[1000, 3000])
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--fill", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.fill:
        fill(options.fill, options.packages[0])
        return
    print(f"{'packages':>8}  {'request':<20} {'req/s':>8} {'CPU ms':>7} {'bytes':>8} {'original':>8} {'ratio':>6}  aim")
    for packages in options.packages:
        with tempfile.TemporaryDirectory() as directory:
            data = Path(directory) / "data"
            command = [sys.executable, "-m", "bench.contentdb", "--fill", str(data), "--packages", str(packages)]
            subprocess.run(command, check=True, cwd=ROOT)
            with serving(data) as (port, process):
                for name, (path, original, aim) in REQUESTS.items():
                    load(port, path, 0.5, gzip=False)
                    before = cpu(process)
                    count, size, took = load(port, path, options.seconds, gzip=False)
                    spent = (cpu(process) - before) * 1000 / count
                    ratio = count / took / original
                    print(
                        f"{packages:>8}  {name:<20} {count / took:>8.0f} {spent:>7.2f} {size:>8} {original:>8} "
                        f"{ratio:>5.0f}x  {aim}x"
                    )


def fill(data: Path, count: int) -> None:
    """Store so many packages, each with a release, a screenshot and a description, in an empty data directory."""
    from standalone.runtime import open_data

    open_data(data)
    from chalicelib.contentdb import index, reference
    from chalicelib.contentdb.tables import ContentDbItem

    reference.seed()
    with ContentDbItem.batch_write() as batch:
        for number in range(count):
            for item in items(number):
                batch.save(item)
    index.catalogue.rebuild()


def items(number: int) -> Iterator[object]:
    """A package and what hangs on it."""
    from chalicelib.contentdb.tables import (
        Counters,
        Package,
        Release,
        Screenshot,
        package_pk,
        release_sk,
        screenshot_sk,
    )

    pick = random.Random(number)
    words = _WORDS.split()
    name = f"{words[number % len(words)] if number != 7 else 'iron'}_{number}"
    pk, moment = package_pk(number + 1), datetime(2020, 1, 1, tzinfo=UTC) + timedelta(hours=number)
    depends = [f"iron_{number - back}" for back in (7, 19) if number > back]
    yield Package(
        pk,
        "package",
        id=number + 1,
        author=f"author{number % 300}",
        author_id=number % 300 + 1,
        name=name,
        type="MOD" if number % 5 else ("GAME", "TXP")[number % 2],
        state="APPROVED",
        title=" ".join(pick.sample(words, 3)).title(),
        short_description=" ".join(pick.sample(words, 9)).capitalize(),
        long_description=" ".join(pick.choices(words, k=150)),
        license="MIT",
        media_license="CC-BY-SA-4.0",
        repo=f"https://example.org/{name}",
        tags=pick.sample(["building", "crafting", "decorative", "mobs", "tools", "magic"], 2),
        provides=[name],
        depends=depends,
        supports_all_games=True,
        created_at=moment,
        approved_at=moment,
    )
    yield Counters(pk, "counters", downloads=number * 7, score_downloads=pick.random() * 1000)
    yield Release(
        pk,
        release_sk(number + 1),
        id=number + 1,
        package_id=number + 1,
        name="1.0",
        title="1.0",
        state="APPROVED",
        min_version=pick.choice([None, 3, 9]),
        created_at=moment,
    )
    yield Screenshot(
        pk,
        screenshot_sk(number + 1),
        id=number + 1,
        package_id=number + 1,
        order=1,
        title="One",
        file=f"{number:010x}.png",
        blob="none",
        width=1280,
        height=720,
        approved=True,
        created_at=moment,
    )


@contextmanager
def serving(data: Path) -> "Iterator[tuple[int, subprocess.Popen[bytes]]]":
    """A server with a worker per core, without a log."""
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
        yield port, process
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


def load(port: int, path: str, seconds: float, *, gzip: bool) -> tuple[int, int, float]:
    """Ask again and again on all connections: how many answers came, how large one is, and in how many seconds."""
    counts, sizes = [0] * CONNECTIONS, [0] * CONNECTIONS
    began = time.perf_counter()
    until = began + seconds

    def ask(place: int) -> None:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            file = connection.makefile("rb", buffering=1 << 20)
            while time.perf_counter() < until:
                target = path.replace("{n}", str(random.randrange(10**9)))
                accept = "Accept-Encoding: gzip\r\n" if gzip else ""
                connection.sendall(f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{accept}\r\n".encode())
                sizes[place] = _read(file)
                counts[place] += 1

    threads = [threading.Thread(target=ask, args=(place,)) for place in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts), sizes[0], time.perf_counter() - began


def _read(file: "socket.SocketIO | object") -> int:
    """Read one answer; its body's length."""
    status = file.readline()  # type: ignore[union-attr]
    assert b" 200 " in status, status
    length = 0
    while (line := file.readline()) not in (b"\r\n", b""):  # type: ignore[union-attr]
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    file.read(length)  # type: ignore[union-attr]
    return length


def cpu(process: "subprocess.Popen[bytes]") -> float:
    """The CPU seconds that a server's processes have used."""
    total = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == process.pid:  # its session
            total += int(fields[11]) + int(fields[12])
    return total / TICK


if __name__ == "__main__":
    main()
