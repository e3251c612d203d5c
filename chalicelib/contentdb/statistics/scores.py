"""Scores: points for downloads, which decay, and points for reviews.

A download for a new player is worth a point, one as a dependency or an update half a point, once per client in 14 days
(counting.py). A positive review is worth 150 points, a negative one -150. Lists are ordered by the sum.
"""

from datetime import UTC, datetime

from chalicelib.contentdb.statistics import counters
from chalicelib.contentdb.store import index
from chalicelib.contentdb.store.tables import Counters

DECAY = 0.93  # per day, of the points for downloads


def decay() -> None:
    """Multiply the points for downloads by 0.93, once a day."""
    today = datetime.now(UTC).date().isoformat()
    stored = counters.of(index.by_id(index.catalogue.snapshot()))
    for found in stored.values():
        _decay(found, today)
    counters.refresh(stored)


def _decay(found: Counters | None, today: str) -> None:
    """Decay the points of one package unless that was done today; repeated if a download is booked meanwhile."""
    while found is not None and found.score_downloads and found.decayed_on != today:
        before = found.score_downloads
        score = round(float(before) * DECAY, 6)
        _, found = found.update_or_read(
            [Counters.score_downloads.set(score), Counters.decayed_on.set(today)], Counters.score_downloads == before
        )
