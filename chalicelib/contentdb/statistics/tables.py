"""The items of statistics, in ContentDB's table. The docstring of each has its `pk`/`sk`."""

from typing import Any

from pynamodb.attributes import BinaryAttribute, JSONAttribute, NumberAttribute, UnicodeAttribute

from chalicelib.contentdb.store.tables import ContentDbItem


class Seen(ContentDbItem, discriminator="seen"):
    """A recent client of a package. `seen#<package id>#<keyed hash of the address>` / `download` or `view`."""

    until = NumberAttribute()  # epoch seconds


class PackageTally(ContentDbItem, discriminator="tally"):
    """Counts that are not booked yet. `tally#<shard>` / `<five minutes>#<package id>#<release id>`.

    The five minutes are named by their beginning, such as `2026-03-01T12:05`. `hits` counts everything, and shows
    whether the tally increased after it was read; `points` are halves.
    """

    hits = NumberAttribute()
    platform_minetest = NumberAttribute(null=True)
    platform_other = NumberAttribute(null=True)
    reason_new = NumberAttribute(null=True)
    reason_dependency = NumberAttribute(null=True)
    reason_update = NumberAttribute(null=True)
    views_luanti = NumberAttribute(null=True)
    downloads = NumberAttribute(null=True)
    points = NumberAttribute(null=True)


class Booked(ContentDbItem, discriminator="booked"):
    """A package with booked counts that are not published yet. `booked` / `<package id>#<random>`."""


class DailyStats(ContentDbItem, discriminator="daily-stats"):
    """The counts of one package on one day, UTC. `stats#<package id>` / `<date>`."""

    platform_minetest = NumberAttribute(default=0)
    platform_other = NumberAttribute(default=0)
    reason_new = NumberAttribute(default=0)
    reason_dependency = NumberAttribute(default=0)
    reason_update = NumberAttribute(default=0)
    views_luanti = NumberAttribute(default=0)


class MonthlyStats(ContentDbItem, discriminator="monthly-stats"):
    """The days of a past month, replacing their items. `stats#<package id>` / `<month, as 2026-03>`."""

    columns: Any = JSONAttribute()  # see statistics/series.py


class Compacted(ContentDbItem, discriminator="compacted"):
    """The last month whose statistics are compacted. `stats` / `compacted`."""

    until = UnicodeAttribute()


class UserStats(ContentDbItem, discriminator="user-stats"):
    """The gathered months of all packages of a user. `user-stats#<username>` / `<month>`."""

    packed = BinaryAttribute(legacy_encoding=False)  # JSON in zlib: {package id: columns}


class Secret(ContentDbItem, discriminator="secret"):
    """A key of this installation. `secret#<name>` / `secret`."""

    sealed = UnicodeAttribute()
