"""Scores: points for downloads, which decay, and points for reviews.

A new player's first download is a point, one as a dependency or an update half a point, once in 14 days (counting.py).
Every approved review gives 150 points or takes them. Lists are ordered by the sum.
"""

from datetime import UTC, datetime

from chalicelib.contentdb.statistics import counters
from chalicelib.contentdb.store import index
from chalicelib.contentdb.store.tables import Counters

DECAY = 0.93  # per day, of the points for downloads


def decay() -> None:
    """Multiply the points for downloads by 0.93, once a day."""
    today = datetime.now(UTC).date().isoformat()
    standing = counters.of(index.by_id(index.catalogue.snapshot()))
    for found in standing.values():
        _decay(found, today)
    counters.show(standing)


def _decay(found: Counters | None, today: str) -> None:
    """Decay the points of one package unless that was done today; repeated if a download is booked meanwhile."""
    while found is not None and found.score_downloads and found.decayed_on != today:
        before = found.score_downloads
        score = round(float(before) * DECAY, 6)
        _, found = found.update_or_read(
            [Counters.score_downloads.set(score), Counters.decayed_on.set(today)], Counters.score_downloads == before
        )
