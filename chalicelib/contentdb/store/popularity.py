"""The downloads of packages, and their points for downloads, which decay (core/catalogues/counters.py).

A package's points are stored as they were on a day, and are multiplied by 0.93 for each day since, when they are read
or increased. So no job has to write them daily.
"""

from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, date, datetime
from typing import Any

import msgspec

from chalicelib.contentdb.store.tables import Counters, package_pk
from chalicelib.core.catalogues.counters import CounterSet

DECAY = 0.93  # per day, of the points for downloads
_DECIMALS = 6  # of points in responses


class PackageCounts(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The downloads of a package, and its points as of `day` (0: not dated, and not decaying yet)."""

    downloads: int = 0
    points: float = 0.0
    day: int = 0  # its ordinal, as in date.toordinal

    def points_on(self, day: int) -> float:
        """The points on a day, rounded for a response."""
        return round(decayed(self.points, day - self.day if self.day else 0), _DECIMALS)


NONE = PackageCounts()


def today() -> date:
    """The current day for counts, in UTC."""
    return datetime.now(UTC).date()


def decayed(points: float, days: int) -> float:
    """Points after some days."""
    return points * DECAY**days


def of(package_id: int) -> PackageCounts:
    """The published counts of a package."""
    return counters.counts().get(str(package_id)) or NONE


def state() -> tuple[int, int]:
    """A value that changes whenever published counts or points change."""
    return counters.counts().sequence, today().toordinal()


def counts_of(stored: Counters) -> PackageCounts:
    """The counts of a package's item."""
    day = date.fromisoformat(stored.decayed_on).toordinal() if stored.decayed_on else 0
    return PackageCounts(int(stored.downloads), float(stored.score_downloads), day)


def date_points() -> None:
    """Date the points that an older version has stored without a date."""
    undated = (Counters.score_downloads != 0) & Counters.decayed_on.does_not_exist()
    for stored in Counters.scan(undated, consistent_read=True):
        stored.update_or_read([Counters.decayed_on.set(today().isoformat())], undated)


def _read(packages: Collection[str]) -> dict[str, PackageCounts]:
    keys: list[Any] = [(package_pk(int(number)), "counters") for number in packages]
    return dict(_values(Counters.batch_get(keys, consistent_read=True)))


def _everything() -> Iterator[tuple[str, PackageCounts]]:
    return _values(Counters.scan(consistent_read=True))


def _values(items: Iterable[Counters]) -> Iterator[tuple[str, PackageCounts]]:
    for item in items:
        if item.downloads or item.score_downloads:
            yield item.pk.partition("#")[2], counts_of(item)


counters: CounterSet[PackageCounts] = CounterSet("contentdb", PackageCounts, read=_read, everything=_everything)
