"""ContentDB over a real server: requests per second on four connections, CPU per request, and both beside the original.

    python -m bench.contentdb [--packages 1000 3000] [--seconds 3]

The original, Flask on PostgreSQL with two gunicorn workers, was measured with 3,000 packages on two cores.
"""

import argparse
import random
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.servers import busy, filled, serving

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
    options = parser.parse_args()
    print(busy())
    print(f"{'packages':>8}  {'request':<20} {'req/s':>8} {'CPU ms':>7} {'bytes':>8} {'original':>8} {'ratio':>6}  aim")
    for packages in options.packages:
        with tempfile.TemporaryDirectory() as directory:
            data = Path(directory) / "data"
            filled("bench.contentdb", data, packages)
            with serving(data) as server:
                for name, (path, original, aim) in REQUESTS.items():
                    load = server.load(path, options.seconds)
                    print(
                        f"{packages:>8}  {name:<20} {load.rate:>8.0f} {load.cpu:>7.2f} {load.size:>8} {original:>8} "
                        f"{load.rate / original:>5.0f}x  {aim}x"
                    )


def fill(data: Path, count: int) -> None:
    """Store so many packages, each with a release, a screenshot and a description, in an empty data directory."""
    from standalone.runtime import open_data

    open_data(data)
    from chalicelib.contentdb import index, reference
    from chalicelib.contentdb.tables import ContentDbItem
    from chalicelib.core import ids

    reference.seed()
    for numbered in ("package", "release", "screenshot"):
        ids.reserve(f"contentdb-{numbered}", count)
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


if __name__ == "__main__":
    if sys.argv[1:2] == ["--fill"]:
        fill(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        main()
