"""Compacts statistics: the days of a past month become one item; no response changes.

A month is compacted three days after its end, package by package; later counts are added to the month's item. The
month is written before its days are deleted, and readers prefer the month, so a crash neither loses nor doubles
counts. A job gathers the compacted months of a user's packages.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import date, timedelta
from typing import Any

from chalicelib.contentdb.statistics import history, series
from chalicelib.contentdb.statistics.history import stats_pk, user_pk
from chalicelib.contentdb.statistics.tables import Compacted, DailyStats, MonthlyStats, UserStats
from chalicelib.contentdb.store import index, popularity
from chalicelib.core import jobs
from chalicelib.core.errors import Conflict
from chalicelib.core.storage import Transaction

GATHER = "contentdb-gather-user-statistics"  # the job that gathers a month of all packages of a user
_BOOKED_AFTER = timedelta(days=2)  # after this, counts are added to the month
_COMPACTED_AFTER = timedelta(days=3)  # a day later, so that no booking is in progress


class _Compacted(Conflict):
    """The month exists already: an earlier run was stopped before it deleted the days."""


def is_over(day: str) -> bool:
    """Whether the counts of a day are added to its month's item."""
    return day[:7] <= _last_month(_BOOKED_AFTER)


def compact(after: int = 0) -> None:
    """Compact past months, once a month, of the packages with ids above `after`. Safe to repeat.

    Raises Reschedule when its time is over.
    """
    if not after:
        history.prune()  # the months of the last run have been gathered since
    until = _last_month(_COMPACTED_AFTER)
    done = Compacted.find("stats", "compacted")
    if done is None or done.until < until:
        packages = sorted(index.by_id(index.catalogue.snapshot()).items())
        for position, (number, entry) in enumerate(packages):
            if number <= after:
                continue
            _compact(number, entry.value.author, until)
            jobs.report_progress(f"{position + 1} of {len(packages)} packages")
            if jobs.time_left() <= 0:
                raise jobs.Reschedule(0, number)
        Compacted("stats", "compacted", until=until).save()


def add(writes: Transaction, package_id: int, day: str, numbers: Mapping[str, int]) -> None:
    """Add late counts to the month of their day; may raise Contended."""
    month, author = day[:7], _author(package_id)
    _compact(package_id, author, month)
    stored = MonthlyStats.find(stats_pk(package_id), month)
    columns = stored.columns if stored else series.blank(month)
    as_read = MonthlyStats.columns == columns if stored else MonthlyStats.pk.does_not_exist()
    changed = [list(column) for column in columns]
    series.add(changed, day, numbers)
    writes.put(MonthlyStats(stats_pk(package_id), month, columns=changed), as_read)
    _enqueue_gathering(writes, author, month)


def _compact(package_id: int, author: str | None, until: str) -> None:
    """Compact the months of a package up to this one."""
    months: dict[str, list[DailyStats]] = defaultdict(list)
    for item in DailyStats.query(stats_pk(package_id), DailyStats.sk < f"{until}-99", consistent_read=True):
        months[item.sk[:7]].append(item)
    for month, days in months.items():
        _fold(package_id, author, month, days)


def _fold(package_id: int, author: str | None, month: str, days: Iterable[DailyStats]) -> None:
    writes = Transaction()
    whole = MonthlyStats(stats_pk(package_id), month, columns=history.gather(days)[month])
    writes.create(whole, _Compacted())
    _enqueue_gathering(writes, author, month)
    with suppress(_Compacted):
        writes.commit()
    with DailyStats.batch_write() as batch:
        for item in days:
            batch.delete(item)


def _enqueue_gathering(writes: Transaction, author: str | None, month: str) -> None:
    if author is not None:
        payload = {"author": author, "month": month}
        jobs.enqueue(writes, GATHER, payload, once=f"{author}/{month}")


def _author(package_id: int) -> str | None:
    """The author of a package; None for a deleted one."""
    entry = index.by_id(index.catalogue.snapshot()).get(package_id)
    return entry.value.author if entry else None


def gather_of_user(payload: Any) -> None:
    """Gather a compacted month of all packages of a user.

    Raises Contended after a concurrent run, which may have read other data: the job is retried.
    """
    author, month = payload["author"], payload["month"]
    before = UserStats.find(user_pk(author), month)
    as_read = UserStats.packed == before.packed if before else UserStats.pk.does_not_exist()
    entries = index.by_id(index.catalogue.snapshot())
    keys = [(stats_pk(number), month) for number, entry in entries.items() if entry.value.author == author]
    stored = MonthlyStats.batch_get(keys, consistent_read=True) if keys else ()
    found = {item.pk.removeprefix("stats#"): item.columns for item in stored}
    writes = Transaction()
    writes.put(UserStats(user_pk(author), month, packed=history.pack(found)), as_read)
    writes.commit()


def _last_month(after: timedelta) -> str:
    """The last month that ended at least this long ago."""
    this_month: date = (popularity.today() - after).replace(day=1)
    return (this_month - timedelta(days=1)).isoformat()[:7]
