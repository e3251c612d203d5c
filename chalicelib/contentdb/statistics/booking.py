"""Books tallies: moves them into the statistics and counters, exactly once, and then publishes these."""

import secrets
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress

from pynamodb.expressions.update import Action

from chalicelib.contentdb.statistics import compaction, history
from chalicelib.contentdb.statistics.counting import SHARDS
from chalicelib.contentdb.statistics.series import COUNTED
from chalicelib.contentdb.statistics.tables import Booked, DailyStats, PackageTally
from chalicelib.contentdb.store import popularity
from chalicelib.contentdb.store.tables import Counters, Release, package_pk, release_sk
from chalicelib.core.storage import Contended, Transaction


def book() -> None:
    """Book all tallies, then publish the counts.

    The transaction that books a tally deletes it and leaves a mark, which is deleted after the publication. So a crash
    neither loses nor doubles counts.
    """
    pending: dict[str, list[PackageTally]] = defaultdict(list)
    for shard in range(SHARDS):
        for tally in PackageTally.query(f"tally#{shard}", consistent_read=True):
            pending[tally.sk].append(tally)
    for key, tallies in pending.items():
        slot, package_id, release_id = key.split("#")
        with suppress(Contended):  # a tally was increased meanwhile: the next run books it
            _book(slot[:10], int(package_id), int(release_id), tallies)
    _publish()


def _publish() -> None:
    if not popularity.counters.is_published():
        popularity.date_points()
    marks = list(Booked.query("booked", consistent_read=True))
    touched = {mark.sk.partition("#")[0] for mark in marks}
    popularity.counters.publish_things(touched)
    history.recent.publish_things(touched)
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
    if (sums["downloads"] or sums["views_luanti"]) and (stored := Counters.find(package_pk(package_id), "counters")):
        _add_to_counters(writes, stored, sums)
    writes.put(Booked("booked", f"{package_id}#{secrets.token_hex(8)}"))
    writes.commit()


def _add_to_counters(writes: Transaction, stored: Counters, sums: dict[str, int]) -> None:
    """Add to a package's counters; its points are those of today then. Contended if they changed meanwhile."""
    before, today = popularity.counts_of(stored), popularity.today()
    points = popularity.decayed(before.points, today.toordinal() - before.day if before.day else 0)
    actions: list[Action] = [
        Counters.downloads.add(sums["downloads"]),
        Counters.views.add(sums["views_luanti"]),
        Counters.score_downloads.set(points + sums["points"] / 2),
        Counters.decayed_on.set(today.isoformat()),
    ]
    unchanged = Counters.score_downloads == stored.score_downloads
    undated = Counters.decayed_on.does_not_exist()
    writes.update(stored, actions, unchanged & (Counters.decayed_on == stored.decayed_on if before.day else undated))
