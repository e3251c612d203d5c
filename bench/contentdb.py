"""ContentDB on a real server: requests per second on four connections and CPU per request, compared with the original.

    python -m bench.contentdb [--packages 1000 3000] [--seconds 3]

The original, Flask on PostgreSQL with two gunicorn workers, was measured with 3,000 packages on two cores.
"""

import argparse
import random
import re
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import orjson

from bench.servers import busy, filled, serving

# path, requests/s of the original (0: not measured), the factor that is our aim; see `path_of`
REQUESTS: dict[str, tuple[str, float, int]] = {
    "whole list": ("/api/packages/", 4.2, 50),
    "client's list": (
        "/api/packages/?type=mod&type=game&type=txp&protocol_version=53&engine_version=5.17.1"
        "&hide=nonfree&hide=desktop_default",
        4.2,
        50,
    ),
    "search": ("/api/packages/?q=iron&type=mod&fmt=keys", 113, 10),
    "search, new words": ("/api/packages/?q={word}+{word}+{word}&type=mod&fmt=keys", 113, 10),
    "one package": ("/api/packages/author7/iron_7/", 134, 5),
    "updates": ("/api/updates/", 86, 20),
    "dependencies": ("/api/packages/author7/iron_7/dependencies/?only_hard=1", 92, 5),
    "200 reviews": ("/api/packages/author7/iron_7/reviews/", 0, 0),
    "reviews in the game": ("/api/packages/author7/iron_7/for-client/reviews/?formspec_version=9", 0, 0),
    "all reviews": ("/api/reviews/", 0, 0),
    "all reviews, searched": ("/api/reviews/?q={word}+{word}&rating=5", 0, 0),
    "scores": ("/api/scores/", 0.6, 100),
    "homepage": ("/api/homepage/", 0, 0),
    "for-client": ("/api/packages/author7/iron_7/for-client/?formspec_version=8&include_images=false", 0, 0),
    "statistics": ("/api/packages/author7/iron_7/stats/", 0, 0),
    "statistics of a user": ("/api/users/author7/stats/", 0, 0),
    "of a prolific user": ("/api/users/prolific/stats/", 0, 0),
    "statistics of all": ("/api/package_stats/", 0, 0),
    "topics": ("/api/topics/?q={word}+{digits}", 0, 0),
}
_EMPTY = 120  # bytes: a response that is longer lists something
_AGENT = "Luanti/5.17.1 (Linux/6.1 x86_64)"
_MONTHS = 24  # of statistics
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
                    load = server.load(partial(path_of, path), options.seconds, User_Agent=_AGENT)
                    if load.size < _EMPTY:
                        raise SystemExit(f"{name}: every response is empty")
                    row = f"{packages:>8}  {name:<20} {load.rate:>8.0f} {load.cpu:>7.2f} {load.size:>8}"
                    print(row, f"{original:>8} {load.rate / original:>5.0f}x  {aim}x" if original else "", flush=True)


def path_of(template: str) -> str:
    """A path with a random word for each `{word}`, and digits for `{digits}`; some titles have them."""
    words = _WORDS.split()
    filled_in = re.sub("{word}", lambda _: random.choice(words), template)
    return filled_in.replace("{digits}", str(random.randrange(100)))


def fill(data: Path, count: int) -> None:
    """Store `count` packages in an empty directory, each with a release, a screenshot, reviews and statistics.

    Every sixth package belongs to the author `prolific`.
    """
    from standalone.runtime import open_data

    open_data(data)
    from chalicelib.contentdb.reviews import index as review_index
    from chalicelib.contentdb.statistics import history
    from chalicelib.contentdb.store import index, popularity, reference
    from chalicelib.contentdb.store.tables import ContentDbItem
    from chalicelib.contentdb.topics import forum
    from chalicelib.core import ids
    from chalicelib.core.catalogues.counters import CounterSet

    reference.seed()
    for numbered in ("package", "release", "screenshot"):
        ids.reserve(f"contentdb-{numbered}", count)
    with ContentDbItem.batch_write() as batch:
        for number in range(count):
            for item in (*items(number), *reviews(number)):
                batch.save(item)
        for item in months(count):
            batch.save(item)
    index.catalogue.rebuild()
    review_index.catalogue.rebuild()
    popularity.counters.rebuild()
    lately = {month: columns(month) for month in _last_months(3)}
    everything = ((str(number + 1), lately) for number in range(count))
    CounterSet("contentdb-statistics", history.RecentMonths, read=lambda _: {}, everything=lambda: everything).rebuild()
    forum.replace(orjson.dumps([topic(number) for number in range(10_000)]))


def months(count: int) -> Iterator[object]:
    """The items of two years of statistics: for the packages of each user, and for package 7."""
    from chalicelib.contentdb.statistics import history
    from chalicelib.contentdb.statistics.tables import MonthlyStats, UserStats

    written = {month: columns(month) for month in _last_months(_MONTHS)}
    of_author: dict[str, list[int]] = {}
    for number in range(count):
        of_author.setdefault(author(number), []).append(number + 1)
    for month, numbers in written.items():
        yield MonthlyStats(history.stats_pk(8), month, columns=numbers)
        for name, theirs in of_author.items():
            packed = history.pack({str(number): numbers for number in theirs})
            yield UserStats(history.user_pk(name), month, packed=packed)


def columns(month: str) -> list[list[int]]:
    """The numbers of a month."""
    from chalicelib.contentdb.statistics import series

    pick = random.Random(month)
    return [[pick.randrange(30) for _ in column] for column in series.blank(month)]


def _last_months(number: int) -> list[str]:
    from chalicelib.contentdb.statistics import series
    from chalicelib.contentdb.store import popularity

    last = popularity.today()
    return list(series.months_between(last.replace(year=last.year - 3), last))[-number:]


def topic(number: int) -> dict[str, object]:
    """A topic of the forum."""
    words = _WORDS.split()
    title = f"{words[number % len(words)]} {number}".title()
    made = {"id": number, "title": title, "author": author(number), "type": "mod", "created_at": "2020-01-02"}
    return {**made, "link": f"https://example.org/{number}", "views": number * 7 % 1000}


def author(number: int) -> str:
    """The author of a package."""
    return "prolific" if number % 6 == 5 else f"author{number % 300}"


def name_of(number: int) -> str:
    """The name of a package."""
    words = _WORDS.split()
    return f"{words[number % len(words)] if number != 7 else 'iron'}_{number}"


def items(number: int) -> Iterator[object]:
    """The items of a package: itself, its counters, a release and a screenshot."""
    from chalicelib.contentdb.store import popularity
    from chalicelib.contentdb.store.tables import (
        Counters,
        Package,
        Release,
        Screenshot,
        package_pk,
        release_sk,
        screenshot_sk,
    )

    pick = random.Random(number)
    words, name = _WORDS.split(), name_of(number)
    pk, moment = package_pk(number + 1), datetime(2020, 1, 1, tzinfo=UTC) + timedelta(hours=number)
    depends = [name_of(other) for other in (number - 1, number - 3) if other > 0 and other % 5]  # of mods
    yield Package(
        pk,
        "package",
        id=number + 1,
        author=author(number),
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
    today = popularity.today().isoformat()
    yield Counters(pk, "counters", downloads=number * 7, score_downloads=pick.random() * 1000, decayed_on=today)
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


def reviews(number: int) -> Iterator[object]:
    """The items of three reviews of a package, or of 200 for the package that is measured."""
    from chalicelib.contentdb.store.tables import Review, reviews_pk

    pick = random.Random(number)
    for position in range(200 if number == 7 else 3):
        words = [pick.choice(_WORDS.split()) for _ in range(60)]
        yield Review(
            reviews_pk(number + 1),
            str(position + 1),
            id=number * 1000 + position + 1,
            package_id=number + 1,
            author=f"player{position}",
            author_id=position + 1,
            rating=pick.choice((1, 3, 5, 5, 5)),
            title=" ".join(words[:5]),
            comment=f"It **is** {' '.join(words)}",
            helpful=pick.randrange(9),
            created_at=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=number),
        )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--fill"]:
        fill(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        main()
