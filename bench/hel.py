"""Hel on a real server, with sequential requests on one connection, compared with the original.

    python -m bench.hel [--packages 1000 3000] [--requests 500]

The original loads its whole collection for each list: 126 ms with 1,000 packages, 418 ms with 3,000.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson

from bench.servers import LoadConnection
from tests.servers import Server, serving

ORIGINAL = {1000: 126.0, 3000: 418.0}  # ms per list
AIM = 100  # how many times faster than the original a list should be
_WORDS = ("iron", "copper", "robot", "nano", "screen", "redstone", "modem", "tape", "drone", "reactor", "grid", "solar")
_NO_QUOTA = {"MOONBASE_HEL_PACKAGES": "1000000", "MOONBASE_HEL_PACKAGE_BYTES": str(2**40)}


def main() -> None:
    """Fill a server to each size and measure each request."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--packages", type=int, nargs="+", default=[1000, 3000])
    parser.add_argument("--requests", type=int, default=500)
    options = parser.parse_args()
    os.environ.update(_NO_QUOTA)
    print(f"{'packages':>8}  {'request':<22} {'median ms':>9} {'95% ms':>8} {'bytes':>8} {'original':>8} {'ratio':>6}")
    with tempfile.TemporaryDirectory() as directory, serving(Path(directory) / "data") as server:
        author = ApiAuthor(server)
        published = 0
        for packages in sorted(options.packages):
            times = [author.publish(number) for number in range(published, packages)]
            published = packages
            _show(packages, "publish", times, 0, None)
            for name, path in REQUESTS.items():
                author.get(path(0))
                answers = [author.get(path(number)) for number in range(1, options.requests)]
                original = ORIGINAL.get(packages) if name.startswith(("list", "search")) else None
                _show(packages, name, [took for took, _ in answers], answers[-1][1], original)


REQUESTS: dict[str, Callable[[int], str]] = {
    "list": lambda _: "/packages",
    "list, each page": lambda number: f"/packages?offset={number * 20 % 1000}",
    "search": lambda _: "/packages?q=iron",
    "search, new words": lambda number: f"/packages?q=iron+{number}",
    "search, newest first": lambda number: f"/packages?q=robot+{number % 20}&sort=-updated",
    "one package": lambda number: f"/packages/package-{number}",
    "index": lambda _: "/hel/index",
}


class ApiAuthor:
    """One keep-alive connection, and an author's key."""

    def __init__(self, server: Server) -> None:
        self._caller = LoadConnection(urlsplit(server.url).port or 80)
        self._key = server.make_key("bench", "hel")

    def get(self, path: str) -> tuple[float, int]:
        """Return the milliseconds and the bytes of the response."""
        took, body = self._caller.request("GET", path)
        return took, len(body)

    def publish(self, number: int) -> float:
        """Create a package; return the milliseconds."""
        body = json.dumps(_package(number)).encode()
        return self._caller.request("POST", "/packages", body, Authorization=f"Bearer {self._key}")[0]


def _package(number: int) -> dict[str, Any]:
    words = [_WORDS[(number * step) % len(_WORDS)] for step in (1, 3, 7)]
    return {
        "name": f"package-{number}",
        "description": f"A library for {' and '.join(words)}, number {number}. " * 6,
        "short_description": f"{words[0]} {number}",
        "authors": [f"Author {number % 97}"],
        "license": "MIT",
        "tags": words,
        "versions": {
            version: {
                "files": {
                    f"http://files.example.org/{number}/{version}/{file}.lua": {"path": f"/usr/lib/{number}/{file}.lua"}
                    for file in words
                },
                "depends": {f"package-{number // 2}": {"type": "required", "version": "^1"}},
                "changes": f"Version {version}",
            }
            for version in ("1.0.0", "1.1.0")
        },
        "screenshots": {},
    }


def _show(packages: int, name: str, times: list[float], size: int, original: float | None) -> None:
    median, slow = statistics.median(times), statistics.quantiles(times, n=20)[-1]
    compared = f"{original:>8.0f} {original / median:>5.0f}x" if original else ""
    aim = f"  aim {AIM}x" if original and name == "list" else ""
    print(f"{packages:>8}  {name:<22} {median:>9.2f} {slow:>8.2f} {size:>8} {compared}{aim}", flush=True)


def fill(data: Path, count: int) -> None:
    """Store `count` packages in an empty data directory."""
    from standalone.runtime import open_data

    open_data(data)
    from chalicelib.core import ids
    from chalicelib.hel import counts, index, model
    from chalicelib.hel.tables import HelItem, Package, package_pk

    moment = datetime(2020, 1, 1, tzinfo=UTC)
    with HelItem.batch_write() as batch:
        for number in range(1, count + 1):
            document = model.parse(_package(number), "author0")
            owners = document.pop("owners")
            body = orjson.dumps(document)
            package = Package(
                package_pk(document["name"]),
                "package",
                id=number,
                name=document["name"],
                owners=owners,
                creator_id=1,
                document=body.decode(),
                size=len(body),
                created_at=moment,
                updated_at=moment,
            )
            batch.save(package)
            batch.save(counts.start(counts.package(index.key_of(package))))
    ids.reserve("hel", count)
    index.catalogue.rebuild()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--fill"]:
        fill(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        main()
