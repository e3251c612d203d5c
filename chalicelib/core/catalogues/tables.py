"""The items of catalogues and counters, in the core's table. The docstring of each has its `pk` / `sk`."""

from pynamodb.attributes import (
    BinaryAttribute,
    ListAttribute,
    NumberAttribute,
    UnicodeAttribute,
)

from chalicelib.core.tables import CoreItem


class Head(CoreItem, discriminator="catalogue-head"):
    """A catalogue's newest number and its newest snapshot. `catalogue#<name>` / `head`."""

    sequence = NumberAttribute(default=0)
    snapshot = UnicodeAttribute(null=True)  # the index of all entries at `snapshot_sequence`, see stored.py
    snapshot_sequence = NumberAttribute(default=0)
    snapshot_modified_at = NumberAttribute(default=0)
    shape = NumberAttribute(null=True)  # of the entries in `snapshot`; without a snapshot of the first change


class Change(CoreItem, discriminator="catalogue-change"):
    """One change in a catalogue's log. `catalogue-log#<name>` / `<sequence, 12 digits>`.

    It changes either one entry (to `entry`, or to `blob` when it is large; without both it deletes the entry), or all
    entries to those of `snapshot`.
    """

    sequence = NumberAttribute()
    modified_at = NumberAttribute()  # epoch seconds, see snapshots.Snapshot
    key = UnicodeAttribute(null=True)
    shape = NumberAttribute(null=True)  # of the code that wrote it; None for code without shapes
    entry = BinaryAttribute(null=True, legacy_encoding=False)
    blob = UnicodeAttribute(null=True)
    snapshot = UnicodeAttribute(null=True)


class Fold(CoreItem, discriminator="catalogue-fold"):
    """The creation of a snapshot. `catalogue-folds#<name>` / `<sequence, 12 digits>-<random>`."""

    sequence = NumberAttribute()
    snapshot = UnicodeAttribute()
    shards: ListAttribute[str] = ListAttribute(
        null=True
    )  # the blobs of its shards and values, also those of earlier folds
    at = NumberAttribute()  # epoch seconds


class CountersHead(CoreItem, discriminator="counters-head"):
    """The newest base of a set of counters, and the one before. `counters#<name>` / `head`."""

    base = UnicodeAttribute()  # the blob with all values at `base_sequence`
    base_sequence = NumberAttribute()
    previous = UnicodeAttribute(null=True)
    stored_until = UnicodeAttribute(null=True)  # the last day that is stored, see days.py


class CountersDelta(CoreItem, discriminator="counters-delta"):
    """The values that changed since the delta before. `counters-deltas#<name>` / `<sequence, 12 digits>`.

    `body` has the new values of some things; or `base` is the blob with the values of all things.
    """

    body = BinaryAttribute(null=True, legacy_encoding=False)
    base = UnicodeAttribute(null=True)
    at = NumberAttribute(null=True)  # epoch seconds
    added = BinaryAttribute(null=True, legacy_encoding=False)  # for the days, see days.py


class DailyCount(CoreItem, discriminator="daily-count"):
    """What was added to a counter on a day. `daily-counts#<name>#<thing>` / `2026-12-01`."""

    number = NumberAttribute()


class CountersMark(CoreItem, discriminator="counters-mark"):
    """A thing that one process counted in one time slot. `counters-marks#<name>` / `<end of the slot>#<random>`."""

    thing = UnicodeAttribute()
    ends_at = NumberAttribute()  # epoch seconds
