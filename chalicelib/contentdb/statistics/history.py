"""Statistics of a package, of a user's packages, and the recent ones of all packages.

A package's days and months are in a partition of their own. The last months of all packages are published as counters
are (core/catalogues/counters.py), so that no request reads packages one by one; older months of a user's packages are
gathered in items, see compaction.py.
"""

import zlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from datetime import date, timedelta
from typing import Any

import orjson

from chalicelib.contentdb.entry import ContentDbSnapshot
from chalicelib.contentdb.statistics import series
from chalicelib.contentdb.statistics.series import COUNTED, Columns, Months
from chalicelib.contentdb.statistics.tables import Compacted, DailyStats, MonthlyStats, UserStats
from chalicelib.contentdb.store import index, popularity, rows
from chalicelib.contentdb.store.package_row import PackageRow
from chalicelib.contentdb.store.tables import ContentDbItem
from chalicelib.core.catalogues.counters import CounterSet
from chalicelib.core.catalogues.counts import CountValues
from chalicelib.core.catalogues.snapshots import Value

FIRST_DAY = date(2022, 10, 1)
_BEFORE_TODAY = timedelta(days=29)  # so that there are 30 days including today
RecentMonths = dict[str, Columns]
Recent = CountValues[RecentMonths]
Packed = tuple[str, bytes]  # a month, and its data packed by `pack`
_MONTHS = 3  # that are published: they include the last 30 days, and every month before its compaction


def of_package(package_id: int, first: date, last: date) -> Value | None:
    """A package's statistics from one day to another; None without data."""
    return series.as_json(load(package_id, first, last), first, last)


def load(package_id: int, first: date, last: date) -> dict[str, Columns]:
    """The statistics of a package, by whole months, in one strongly consistent Query.

    It reads backwards, days before their months, so a day that compaction has deleted is found in its month.
    """
    if first > last:
        return {}
    keys = ContentDbItem.sk.between(first.isoformat()[:7], last.isoformat())
    return gather(ContentDbItem.query(stats_pk(package_id), keys, consistent_read=True, scan_index_forward=False))


def gather(items: Iterable[ContentDbItem]) -> dict[str, Columns]:
    """The months of a package from its items in any order: a month's item replaces its days."""
    whole: dict[str, Columns] = {}
    by_days: dict[str, Columns] = {}
    for item in items:
        if isinstance(item, MonthlyStats):
            whole[item.sk] = item.columns
        elif isinstance(item, DailyStats):
            columns = by_days.setdefault(item.sk[:7], series.blank(item.sk[:7]))
            series.add(columns, item.sk, {name: int(getattr(item, name)) for name in COUNTED})
    return dict(sorted((by_days | whole).items()))


def of_user(
    snapshot: ContentDbSnapshot,
    recent: Recent,
    older: Iterable[Packed],
    username: str,
    first: date,
    last: date,
) -> Value | None:
    """The statistics of a user's packages from one day to another; None without data.

    `recent` are the published months, and `older` the gathered ones.

    `package_downloads` is keyed by title; if two packages share a title, the younger one's name is appended.
    """
    packages = [row for row in rows.of(snapshot).by_key.values() if row.author == username]
    compacted = _unpacked(older)
    months = {value.id: {**_recent_months(recent, value.id), **compacted.get(value.id, {})} for value in packages}
    shown = series.as_json(series.total(months.values()), first, last)
    if shown is None:
        return None
    start, end = date.fromisoformat(shown["start"]), date.fromisoformat(shown["end"])
    titles = _titles(packages)
    downloads = {
        titles[number]: series.between(of_one, start, end, series.downloads)
        for number, of_one in months.items()
        if series.span(of_one, start, end)
    }
    return {**shown, "from": shown["start"], "package_downloads": downloads}


def of_all(snapshot: ContentDbSnapshot, recent: Recent, last: date) -> Value:
    """The downloads on the 30 days up to `last` of every approved package with data, by `author/name`."""
    first = last - _BEFORE_TODAY
    shown = {}
    for row in rows.of(snapshot).approved:
        months = _recent_months(recent, row.id)
        if series.span(months, first, last):
            shown[row.key] = series.between(months, first, last, series.downloads)
    return {"start": first.isoformat(), "end": last.isoformat(), "package_downloads": shown}


def prune() -> None:
    """Publish the statistics of packages with old months again, without these."""
    oldest, known = _first_published().isoformat()[:7], recent.counts()
    numbers = map(str, index.by_id(index.catalogue.snapshot()))
    recent.publish_things({number for number in numbers if (months := known.get(number)) and min(months) < oldest})


def older(username: str, first: date, last: date) -> list[Packed]:
    """The gathered months of a user's packages."""
    if first > last:
        return []
    keys = UserStats.sk.between(first.isoformat()[:7], last.isoformat()[:7])
    return [(item.sk, item.packed) for item in UserStats.query(user_pk(username), keys, consistent_read=True)]


def pack(months: Any) -> bytes:
    """A user's month in its stored form: compressed JSON."""
    return zlib.compress(orjson.dumps(months))


def stats_pk(package_id: int) -> str:
    """The partition of a package's statistics."""
    return f"stats#{int(package_id)}"


def user_pk(username: str) -> str:
    """The partition of a user's gathered months."""
    return f"user-stats#{username}"


def _recent_months(recent: Recent, package_id: int) -> Months:
    """The published months of a package."""
    return recent.get(str(package_id)) or {}


def _unpacked(older: Iterable[Packed]) -> dict[int, dict[str, Columns]]:
    """The compacted months of each package by its id."""
    found: dict[int, dict[str, Columns]] = defaultdict(dict)
    for month, packed in older:
        for number, columns in orjson.loads(zlib.decompress(packed)).items():
            found[int(number)][month] = columns
    return found


def _titles(packages: Iterable[PackageRow]) -> dict[int, str]:
    """A unique title for each package, by id."""
    titles: dict[str, int] = {}
    for value in sorted(packages, key=lambda value: value.id):
        title = value.title
        while title in titles:
            title = f"{title} ({value.name})"
        titles[title] = value.id
    return {number: title for title, number in titles.items()}


def _first_published() -> date:
    """The first published day: of the last three months, or of the first month that is not compacted."""
    day = popularity.today().replace(day=1)
    for _ in range(_MONTHS - 1):
        day = (day - timedelta(days=1)).replace(day=1)
    done = Compacted.find("stats", "compacted")
    if done is None:
        return date.min
    return min(day, (date.fromisoformat(f"{done.until}-28") + timedelta(days=4)).replace(day=1))


def _read(packages: Collection[str]) -> dict[str, RecentMonths]:
    first = _first_published()
    found = {number: load(int(number), first, date.max) for number in packages}
    return {number: months for number, months in found.items() if months}


def _everything() -> Iterator[tuple[str, RecentMonths]]:
    oldest = _first_published().isoformat()[:7]
    partitions: dict[str, list[ContentDbItem]] = defaultdict(list)
    for item in ContentDbItem.scan(ContentDbItem.pk.startswith("stats#"), consistent_read=True):
        if item.sk >= oldest:
            partitions[item.pk].append(item)
    for pk, items in partitions.items():
        if months := gather(items):
            yield pk.removeprefix("stats#"), months


recent: CounterSet[RecentMonths] = CounterSet("contentdb-statistics", RecentMonths, read=_read, everything=_everything)
