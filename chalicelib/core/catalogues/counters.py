"""CounterSet next to a catalogue: downloads, views and scores, which change without a change of the catalogue.

A count is an addition to an item of the service (docs/decisions/0049-counters.md). `count` also marks the thing, once
per process and time slot, so a job finds the things that changed. The job reads their values and writes them as one
delta. Warm processes read the deltas since the last one they know; a cold one reads the newest base, a blob with all
values, and the deltas after it. A delta has values and not differences, so a job that is repeated changes nothing.
"""

import secrets
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Generic, TypeVar

from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from chalicelib.core import blobs
from chalicelib.core.catalogues import days
from chalicelib.core.catalogues.counts import CountCodec, CountValues, V, pack_all
from chalicelib.core.catalogues.tables import CountersDelta, CountersHead, CountersMark
from chalicelib.core.errors import Busy, NotFound
from chalicelib.core.locks import Lock
from chalicelib.core.retries import retry
from chalicelib.core.storage import Item, Transaction
from chalicelib.core.tables import CoreItem

AREA = "counters"  # of blobs
SLOT = 300  # seconds
FOLLOW_EVERY = 2.0  # seconds: a warm process looks for new deltas at most so often
_AT_ONCE = 500  # things whose values a job reads and writes together
_LARGEST_DELTA = 300_000  # bytes; DynamoDB's limit for an item is 400 KB
_TOO_MANY = "Too many processes store these counters."
_I = TypeVar("_I", bound=Item)


class CounterSet(Generic[V]):
    """The counters of one kind of things, such as all modules.

    A value has the type `kind`, and can consist of several numbers. `read(things)` returns the values of these things
    from the tables, strongly consistent; things without an item can be missing. `everything()` yields all things with
    their values; `rebuild` stores them. `total(value)` is the number of which days are stored,
    see days.py.
    """

    def __init__(
        self,
        name: str,
        kind: type[V],
        *,
        read: Callable[[Collection[str]], Mapping[str, V]],
        everything: Callable[[], Iterable[tuple[str, V]]],
        total: Callable[[V], int] | None = None,
    ) -> None:
        self.name = name
        self._codec = CountCodec(kind)
        self._head_key, self._deltas, self._marks = (f"counters{part}#{name}" for part in ("", "-deltas", "-marks"))
        self.read = read
        self.everything = everything
        self.total = total
        self._counts: CountValues[V] = CountValues(self._codec)
        self._follow_at = 0.0
        self._following = threading.Lock()
        self._publishing = Lock(f"counters-{name}")
        self._marked: set[tuple[int, str]] = set()
        self._slot = 0

    def counts(self) -> CountValues[V]:
        """The values as this process knows them: at most `FOLLOW_EVERY` seconds older than the newest delta.

        They are older if the newest delta cannot be read. Raises Busy if this process has not read any.
        """
        if time.monotonic() >= self._follow_at:
            with self._following:
                if time.monotonic() >= self._follow_at:
                    try:
                        self._follow()
                    except Busy:
                        if not self._counts.sequence:
                            raise
        return self._counts

    def count(
        self, thing: str, item: _I, actions: Sequence[Action], condition: Condition | None = None
    ) -> tuple[bool, _I | None]:
        """Add to a counter's item if `condition` holds, and mark the thing. Returns the result of `update_or_read`."""
        counted, stored = item.update_or_read(actions, condition)
        if counted:
            self.mark(thing)
        return counted, stored

    def mark(self, thing: str) -> None:
        """Let the job publish the value of a thing, which was changed before this call.

        The mark belongs to a time slot that ends after the change. A job deletes it only after the end of the slot, so
        that job has read the changed value.
        """
        slot = int(time.time()) // SLOT
        if slot != self._slot:
            self._slot, self._marked = slot, set()
        if (slot, thing) in self._marked:
            return
        ends_at = (slot + 1) * SLOT
        CountersMark(self._marks, f"{ends_at:012d}#{secrets.token_hex(8)}", thing=thing, ends_at=ends_at).save()
        self._marked.add((slot, thing))

    def is_published(self) -> bool:
        """Whether any process has published values."""
        return self._newest().sequence > 0

    def publish(self) -> None:
        """Publish the values of all marked things. Safe to repeat.

        A mark of the current slot stays: a later count of its process relies on it.
        """
        moment = time.time()
        marks = list(CountersMark.query(self._marks, consistent_read=True))
        self.publish_things({mark.thing for mark in marks})
        with CountersMark.batch_write() as batch:
            for mark in marks:
                if mark.ends_at <= moment:
                    batch.delete(mark)

    def publish_things(self, things: Collection[str]) -> None:
        """Publish the values of these things, with as few deltas as possible; nothing if none has changed.

        Without a base everything is published. Raises Busy if another process keeps publishing.
        """
        if not self._newest().sequence:
            self.rebuild()
            return
        for some in _parts(sorted(things), _AT_ONCE):
            retry(partial(self._publish, some), self._publishing.held, _TOO_MANY)

    def rebuild(self) -> None:
        """Replace all values by those of the tables."""

        def attempt() -> None:
            sequence = self._newest().sequence
            self._store(sequence + 1, pack_all(self.everything()))

        retry(attempt, self._publishing.held, _TOO_MANY)

    def fold(self) -> None:
        """Write a new base, which a cold process reads instead of the deltas. Safe to repeat."""

        def attempt() -> None:
            counts, head = self._newest(), self._head()
            sequence = counts.sequence
            if head and sequence > head.base_sequence:
                self._store(sequence + 1, counts.packed())

        if not self._newest().sequence:
            self.rebuild()
        else:
            retry(attempt, self._publishing.held, _TOO_MANY)

    def drop_cache(self) -> None:
        """Drop the values and marks of this process, as if it had just started."""
        self._counts, self._follow_at = CountValues(self._codec), 0.0
        self._marked, self._slot = set(), 0

    def differing(self) -> Iterator[str]:
        """The things whose published value differs from the tables, and that no job is about to publish."""
        before = self._newest()
        if not before.sequence:  # nothing is published before the first job
            return
        suspects = [thing for thing, value in self.everything() if before.get(thing) != value]
        for some in _parts(suspects, _AT_ONCE):
            pending = {mark.thing for mark in CountersMark.query(self._marks, consistent_read=True)}
            values, newest = self.read(some), self._newest()
            yield from (thing for thing in some if thing not in pending and newest.get(thing) != values.get(thing))

    def _publish(self, things: Sequence[str]) -> None:
        """Write one delta. Its number is determined before the values are read, so no later delta has older values."""
        counts = self._newest()
        sequence = counts.sequence + 1
        values = self.read(things)
        changes = {thing: values.get(thing) for thing in things if values.get(thing) != counts.get(thing)}
        if not changes:
            return
        body = self._codec.pack(changes)
        if len(body) > _LARGEST_DELTA and len(things) > 1:
            for half in _parts(things, (len(things) + 1) // 2):
                self._publish(half)
            return
        writes = Transaction()
        delta = CountersDelta(self._deltas, _sort_key(sequence), body=body, at=int(time.time()))
        if self.total:
            delta.added = days.added(
                self._totals({thing: counts.get(thing) for thing in changes}), self._totals(changes)
            )
        writes.create(delta)
        writes.commit()
        self._newest()

    def _totals(self, values: Mapping[str, V | None]) -> dict[str, int]:
        return {thing: self.total(value) for thing, value in values.items() if self.total and value is not None}

    def _store(self, sequence: int, base: bytes) -> None:
        """Write a base as the next delta; delete the deltas before the last base, and the base before that one."""
        head = self._head()
        blob = blobs.put(base, f"{AREA}/{self.name}/{sequence}-{secrets.token_hex(4)}").key
        writes = Transaction()
        writes.on_refusal(partial(blobs.delete, blob))
        writes.create(CountersDelta(self._deltas, _sort_key(sequence), base=blob))
        moved = CountersHead(self._head_key, "head", base=blob, base_sequence=sequence)
        if head:
            moved.previous, moved.stored_until = head.base, head.stored_until
            stored_until = CountersHead.stored_until
            same_days = stored_until == head.stored_until if head.stored_until else stored_until.does_not_exist()
            writes.put(moved, (CountersHead.base_sequence == head.base_sequence) & same_days)
        else:
            writes.create(moved)
        writes.commit()
        self._newest()
        if head:
            self._drop(head)

    def _drop(self, head: CountersHead) -> None:
        """Delete the deltas and the base that are needed only by a process that last read before the previous base.

        The deltas of a day that is not stored stay.
        """
        last = _sort_key(int(head.base_sequence) - 1)
        old = list(CountersDelta.query(self._deltas, CountersDelta.sk <= last, consistent_read=True))
        with CountersDelta.batch_write() as batch:
            for delta in old:
                if days.day_of(delta) <= (head.stored_until or ""):
                    batch.delete(delta)
        if head.previous:
            blobs.delete(head.previous)

    def _newest(self) -> CountValues[V]:
        """The values after the newest delta."""
        with self._following:
            self._follow(consistent=True)
            return self._counts

    def _follow(self, *, consistent: bool = False) -> None:
        """Apply the deltas that this process does not know; if some were deleted, read the base again."""
        if self._counts.sequence:  # meanwhile other threads use the known values
            self._follow_at = time.monotonic() + FOLLOW_EVERY
        for _ in range(3):
            counts = self._counts if self._counts.sequence else self._load()
            deltas = self._after(counts.sequence, consistent) if counts.sequence else []
            with suppress(NotFound):  # a base was replaced and deleted
                if all(self._advance(delta) for delta in deltas):
                    self._follow_at = time.monotonic() + FOLLOW_EVERY
                    return
            self._counts = CountValues(self._codec)
        raise Busy("The counters are being stored.", retry_after=1)

    def _load(self) -> CountValues[V]:
        """The values of the newest base."""
        for _ in range(3):
            head = self._head()
            if head is None:
                break
            with suppress(NotFound):
                self._counts = CountValues(self._codec, int(head.base_sequence), blobs.get(head.base))
                break
        return self._counts

    def _advance(self, delta: CountersDelta) -> bool:
        """Apply a delta; return False if it is not the next one."""
        sequence = int(delta.sk)
        if delta.base:
            self._counts = CountValues(self._codec, sequence, blobs.get(delta.base))
        elif delta.body and sequence == self._counts.sequence + 1:
            self._counts.apply(self._codec.unpack(delta.body), sequence)
        return self._counts.sequence == sequence

    def _after(self, sequence: int, consistent: bool) -> list[CountersDelta]:
        later = CountersDelta.sk > _sort_key(sequence)
        return list(CountersDelta.query(self._deltas, later, consistent_read=consistent))

    def _head(self) -> CountersHead | None:
        return CountersHead.find(self._head_key, "head")


def blobs_of(item: CoreItem) -> list[str | None]:
    """The keys of the blobs that an item of counters needs."""
    if isinstance(item, CountersHead):
        return [item.base, item.previous]
    return [item.base] if isinstance(item, CountersDelta) else []


def _parts(things: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(things), size):
        yield things[start : start + size]


def _sort_key(sequence: int) -> str:
    return f"{sequence:012d}"
