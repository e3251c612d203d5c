"""Lists that stay fast at any size: a snapshot plus a change log (docs/decisions/0002-catalogue.md).

A warm process holds all entries at sequence `n` and asks, once per request, for the changes from `n` on, inclusive.
When item `n` is not there, the log was folded past this process and it starts anew from the snapshot.
"""

import random
import time
from collections.abc import Callable, Iterable

from chalicelib.core import jobs
from chalicelib.core.change_log import ChangeLog
from chalicelib.core.errors import Busy
from chalicelib.core.locks import Lock
from chalicelib.core.snapshots import Entry, Snapshot, Value
from chalicelib.core.storage import Contended, Transaction
from chalicelib.core.tables import Change

FOLD_EVERY = 256
TRIES = 20

Changes = dict[str, Value | None]
Decision = Callable[[Snapshot, Transaction], Changes]


class Catalogue:
    """One list that everybody may see, such as all rocks.

    `entities` yields (key, value) for every entry from the entities themselves: what `rebuild` goes by. `settled` gives
    a value without its counters, which may run ahead in the entities, None when nothing is left of it; by the rest
    `fsck` compares both.
    """

    named: dict[str, "Catalogue"] = {}

    def __init__(
        self,
        name: str,
        entities: Callable[[], Iterable[tuple[str, Value]]],
        settled: Callable[[Value], Value | None] = lambda value: value,
    ) -> None:
        self.name = name
        self.entities = entities
        self.settled = settled
        self._log = ChangeLog(name)
        self._snapshot = Snapshot(0, 0, {})
        self._publishing = Lock(f"catalogue-{name}")
        Catalogue.named[name] = self

    def snapshot(self) -> Snapshot:
        """The catalogue as it stands now: one strongly consistent Query when this process is warm."""
        known = self._snapshot
        if known.sequence:
            changes = self._log.changes_from(known.sequence)
            if changes and _follows(known.sequence - 1, changes):
                return self._advance(self._apply(known, changes[1:]))
        return self._advance(self._cold_snapshot())

    def publish(self, decide: Decision) -> Snapshot:
        """Change entries, and whatever belongs to them, in one transaction; returns the snapshot after it.

        `decide` gets the newest snapshot and a transaction to add its own writes to, and returns the entries to change
        (None: gone). It is called again when somebody else published meanwhile. Raises Busy after `TRIES`.
        """
        for attempt in range(TRIES):
            with self._publishing.held():
                snapshot = self.snapshot()
                writes = Transaction()
                changed = self._change(snapshot, writes, decide(snapshot, writes))
                try:
                    writes.commit()
                    return self._advance(changed)
                except Contended:
                    pass
            time.sleep(random.uniform(0, min(0.02 * 2**attempt, 0.5)))  # noqa: S311
        raise Busy("Too many changes at once.", retry_after=2)

    def join(self, writes: Transaction, decide: Callable[[Snapshot], Changes]) -> None:
        """Change entries here in the transaction of another catalogue: its `publish` decides on both, and calls this.

        When somebody else changed this one meanwhile, that other decision is made anew.
        """
        snapshot = self.snapshot()
        changed = self._change(snapshot, writes, decide(snapshot))
        writes.then(lambda: self._advance(changed))

    def fold(self) -> None:
        """Write a new snapshot, and drop what was folded more than 48 hours ago. Safe to repeat."""
        try:
            self._log.fold(self.snapshot())
        except Contended:  # somebody else folds; that serves as well
            return
        self._log.drop_folded()

    def rebuild(self, after: int = 0) -> Snapshot:
        """Make all entries anew from the entities, announced by one change item, whose number is above `after`."""
        return self._replace(lambda _: {key: Entry(key, value) for key, value in self.entities()}, _after, after)

    def refresh(self, renew: Callable[[Snapshot], Changes], *, modifies: bool = True) -> Snapshot:
        """Bring any number of entries up to date, such as their counters, announced by one change item.

        `renew` gets the newest snapshot and returns what is to change; with nothing, nothing is written. Unless it
        `modifies`, Last-Modified stays: for what no dated answer shows.
        """

        def entries(snapshot: Snapshot) -> dict[str, Entry] | None:
            changes = renew(snapshot)
            return snapshot.changed(changes.items(), 0, 0).entries if changes else None

        return self._replace(entries, _after if modifies else lambda snapshot: snapshot.modified_at)

    def forget(self) -> None:
        """Drop what this process holds, as if it had just started."""
        self._snapshot = Snapshot(0, 0, {})

    def _change(self, snapshot: Snapshot, writes: Transaction, changes: Changes) -> Snapshot:
        """Add changes to a transaction; returns the snapshot as it is when that is committed."""
        modified_at = _after(snapshot) if changes else snapshot.modified_at
        sequence = self._log.append(writes, snapshot, changes, modified_at)
        if sequence // FOLD_EVERY > snapshot.sequence // FOLD_EVERY:
            jobs.enqueue(writes, "fold-catalogue", {"name": self.name})
        return snapshot.changed(changes.items(), sequence, modified_at)

    def _replace(
        self, renew: Callable[[Snapshot], dict[str, Entry] | None], date: Callable[[Snapshot], int], after: int = 0
    ) -> Snapshot:
        """Put other entries in the place of all; None leaves them."""
        for _ in range(TRIES):
            with self._publishing.held():
                snapshot = self.snapshot()
                entries = renew(snapshot)
                if entries is None:
                    return snapshot
                try:
                    return self._advance(self._log.replace(snapshot, entries, date(snapshot), after))
                except Contended:
                    pass
            time.sleep(random.uniform(0, 0.05))  # noqa: S311
        raise Busy("Too many changes at once.", retry_after=2)

    def _advance(self, snapshot: Snapshot) -> Snapshot:
        """Make `snapshot` the one that this process holds, unless another thread went further."""
        if snapshot.sequence > self._snapshot.sequence:
            self._snapshot = snapshot
        return snapshot

    def _cold_snapshot(self) -> Snapshot:
        """The snapshot and the changes after it; read again when a fold came between."""
        for _ in range(3):
            head = self._log.head()
            if head is None:
                return Snapshot(0, 0, {})
            start = int(head.snapshot_sequence)
            snapshot = Snapshot(start, int(head.snapshot_modified_at), self._log.read_snapshot(head.snapshot, {}))
            changes = self._log.changes_from(start + 1)
            if _follows(start, changes):
                return self._apply(snapshot, changes)
        raise Busy("The catalogue is being folded.", retry_after=1)

    def _apply(self, snapshot: Snapshot, changes: list[Change]) -> Snapshot:
        """The snapshot after some changes; of whole snapshots among them only the last is read."""
        if not changes:
            return snapshot
        last = changes[-1]
        start = next((place for place in reversed(range(len(changes))) if changes[place].snapshot), None)
        if start is not None:
            entries = self._log.read_snapshot(changes[start].snapshot, snapshot.entries)
            snapshot = Snapshot(snapshot.sequence, snapshot.modified_at, entries)
            changes = changes[start + 1 :]
        values = ((change.key, self._log.read_value(change)) for change in changes)
        return snapshot.changed(values, int(last.sequence), int(last.modified_at))


@jobs.handles("fold-catalogue")
def _fold(payload: Value) -> None:
    Catalogue.named[payload["name"]].fold()


@jobs.repeats("fold-catalogues", every=86400)
def _fold_all() -> None:
    """Drop old snapshots also where entries are only ever refreshed, of which no publish takes notice."""
    for catalogue in list(Catalogue.named.values()):
        catalogue.fold()


def _after(snapshot: Snapshot) -> int:
    return max(int(time.time()), snapshot.modified_at + 1)


def _follows(sequence: int, changes: list[Change]) -> bool:
    """Whether the changes lead on from `sequence` without a gap.

    A long log is read in pages, and a fold may drop changes between two of them; and of a transaction that is being
    written, a Query may see the second change before the first.
    """
    numbers = range(sequence + 1, sequence + 1 + len(changes))
    return all(change.sequence == number for change, number in zip(changes, numbers, strict=True))
