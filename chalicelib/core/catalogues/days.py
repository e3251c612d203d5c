"""What was added to counters on each day, for plots.

The deltas of a CounterSet (counters.py) carry what each has added, so every count is in exactly one day: that on which
the job published it, in UTC, at most five minutes late. A job adds up the deltas of each day that has ended.
"""

import time
import zlib
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, date, datetime

import msgspec

from chalicelib.core.catalogues.tables import CountersDelta, CountersHead, DailyCount

FIRST = date(2020, 1, 1)  # before all counts
_GRACE = 600  # seconds after midnight until a day is stored: a delta of that day may be on its way
_decode = msgspec.msgpack.Decoder(dict[str, int]).decode


def added(before: Mapping[str, int], after: Mapping[str, int]) -> bytes:
    """What a delta carries: the things that have grown, and by how much."""
    steps = {thing: number - before.get(thing, 0) for thing, number in after.items()}
    return zlib.compress(msgspec.msgpack.encode({thing: step for thing, step in steps.items() if step > 0}), 1)


def day_of(delta: CountersDelta) -> str:
    """The day of a delta, such as `2026-12-01`; empty for a base, and a delta of an earlier version."""
    return _day(delta.at) if delta.added and delta.at else ""


def store(name: str) -> None:
    """Store what was added on the days that have ended since the last call. Safe to repeat."""
    head = CountersHead.find(f"counters#{name}", "head")
    last = _day(time.time() - _GRACE - 86400)
    if head is None or (head.stored_until or "") >= last:
        return
    sums: Counter[tuple[str, str]] = Counter()
    for delta in CountersDelta.query(f"counters-deltas#{name}", consistent_read=True):
        day = day_of(delta)
        if (head.stored_until or "") < day <= last:
            sums.update({(thing, day): step for thing, step in _decode(zlib.decompress(delta.added)).items()})
    with DailyCount.batch_write() as batch:
        for (thing, day), number in sums.items():
            batch.save(DailyCount(_pk(name, thing), day, number=number))
    head.update(actions=[CountersHead.stored_until.set(last)])


def of(name: str, thing: str, first: date = FIRST, last: date = date.max) -> dict[str, int]:
    """What was added to a thing on each day with counts, from one day to another, in one Query."""
    days = DailyCount.sk.between(first.isoformat(), last.isoformat())
    return {item.sk: int(item.number) for item in DailyCount.query(_pk(name, thing), days)}


def delete(name: str, thing: str) -> None:
    """Delete the days of a thing."""
    with DailyCount.batch_write() as batch:
        for item in DailyCount.query(_pk(name, thing)):
            batch.delete(item)


def _day(moment: float) -> str:
    return datetime.fromtimestamp(int(moment), UTC).date().isoformat()


def _pk(name: str, thing: str) -> str:
    return f"daily-counts#{name}#{thing}"
