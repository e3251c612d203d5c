"""Books tallies: moves them into the statistics and counters, exactly once, and then updates the catalogues."""

import secrets
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress

from pynamodb.expressions.update import Action

from chalicelib.contentdb.statistics import compaction, counters, history
from chalicelib.contentdb.statistics.counting import SHARDS
from chalicelib.contentdb.statistics.series import COUNTED
from chalicelib.contentdb.store.tables import (
    Booked,
    Counters,
    DailyStats,
    PackageTally,
    Release,
    package_pk,
    release_sk,
)
from chalicelib.core.storage import Contended, Transaction


def book() -> None:
    """Book all tallies, then update the catalogues.

    The transaction that books a tally deletes it and leaves a mark, which is deleted after the catalogues' update. So a
    crash neither loses nor doubles counts.
    """
    pending: dict[str, list[PackageTally]] = defaultdict(list)
    for shard in range(SHARDS):
        for tally in PackageTally.query(f"tally#{shard}", consistent_read=True):
            pending[tally.sk].append(tally)
    for key, tallies in pending.items():
        slot, package_id, release_id = key.split("#")
        with suppress(Contended):  # a tally was increased meanwhile: the next run books it
            _book(slot[:10], int(package_id), int(release_id), tallies)
    _refresh()


def _refresh() -> None:
    marks = list(Booked.query("booked", consistent_read=True))
    if marks:
        touched = {int(mark.sk.partition("#")[0]) for mark in marks}
        counters.refresh(touched)
        history.refresh(touched)
        with Booked.batch_write() as batch:
            for mark in marks:
                batch.delete(mark)


def _book(day: str, package_id: int, release_id: int, tallies: Sequence[PackageTally]) -> None:
    """Move tallies into statistics and counters, in one transaction. Raises Contended if one increased meanwhile."""
    sums = {
        name: sum(int(getattr(tally, name) or 0) for tally in tallies) for name in (*COUNTED, "downloads", "points")
    }
    writes = Transaction()
    for tally in tallies:
        writes.delete(tally, PackageTally.hits == tally.hits)
    if compaction.is_over(day):
        compaction.add(writes, package_id, day, sums)
    else:
        added = [getattr(DailyStats, name).add(sums[name]) for name in COUNTED if sums[name]]
        writes.update(DailyStats(f"stats#{package_id}", day), [DailyStats.kind.set(DailyStats), *added])
    if sums["downloads"] and Release.find(package_pk(package_id), release_sk(release_id)):
        release = Release(package_pk(package_id), release_sk(release_id))
        writes.update(release, [Release.downloads.add(sums["downloads"])], Release.pk.exists())
    if (sums["downloads"] or sums["views_luanti"]) and (stored := counters.find(package_id)):
        _add_to_counters(writes, stored, sums)
    writes.put(Booked("booked", f"{package_id}#{secrets.token_hex(8)}"))
    writes.commit()


def _add_to_counters(writes: Transaction, stored: Counters, sums: dict[str, int]) -> None:
    actions: list[Action] = [
        Counters.downloads.add(sums["downloads"]),
        Counters.views.add(sums["views_luanti"]),
        Counters.score_downloads.add(sums["points"] / 2),
    ]
    writes.update(stored, actions, Counters.pk.exists())
