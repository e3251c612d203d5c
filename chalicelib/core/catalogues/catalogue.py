"""Lists that stay fast at any size: a snapshot plus a change log (docs/decisions/0002-catalogue.md).

A warm process holds all entries at sequence number `n`. Once per request it queries the changes from `n` on, inclusive.
If item `n` is gone, the log was folded past this process, which then reads the snapshot again.
"""

import time
from collections.abc import Callable, Iterable, Set
from contextlib import suppress
from itertools import chain, islice
from typing import Any, Generic

from chalicelib.core import jobs
from chalicelib.core.catalogues import groups as grouping
from chalicelib.core.catalogues import stored_values
from chalicelib.core.catalogues.change_log import ChangeLog
from chalicelib.core.catalogues.entries import Codec, E, Kinds, Outdated, R
from chalicelib.core.catalogues.groups import Groups
from chalicelib.core.catalogues.packing import SAMPLES, GroupsOf, Packing
from chalicelib.core.catalogues.snapshots import Snapshot
from chalicelib.core.catalogues.stored_values import StoredValue, T
from chalicelib.core.catalogues.tables import Change
from chalicelib.core.errors import Busy
from chalicelib.core.locks import Lock
from chalicelib.core.retries import retry
from chalicelib.core.storage import Contended, Transaction

FOLD = "fold-catalogue"  # the job that folds one catalogue
FOLD_EVERY = 256
_TOO_MANY = "Too many changes at once."

Changes = dict[str, E | None]  # key -> the new entry; None: deleted
Decision = Callable[[Snapshot[E], Transaction], tuple[Changes[E], R]]


class Catalogue(Generic[E]):
    """A list of public entries, such as all rocks.

    `kinds` is the type of its entries, or all members of a union of tagged structs; `shape` is the number of their
    list of fields, which a new field raises (docs/decisions/0025-typed-entries.md). `entities()` yields (key, entry)
    for every entry, read from the tables; `rebuild` stores them. `reload(key, entry)` reads one entry from the
    tables, and returns None if there is none under that key; `entry` is the value that code of an older shape wrote.
    `groups(entry)` returns the names of the entry's groups, see
    `Snapshot.group`; they are stored, so a change of this function raises `shape` as well. Folds store the values that
    `keep` names.
    """

    def __init__(
        self,
        name: str,
        kinds: Kinds[E],
        *,
        shape: int,
        entities: Callable[[], Iterable[tuple[str, E]]],
        reload: Callable[[str, E], E | None],
        groups: GroupsOf[E] | None = None,
    ) -> None:
        self.name = name
        self.codec = Codec(kinds, shape)
        self.entities = entities
        self.reload = reload
        self.packing = Packing(self.codec, groups)
        self._log = ChangeLog(name, self.packing)
        self._snapshot = Snapshot.of(self.packing)
        self._values: list[StoredValue[E, Any]] = []
        self._groups = self.keep(_groups()) if groups else None
        self._publishing = Lock(f"catalogue-{name}")
        self._upgrading = Lock(f"catalogue-upgrade-{name}")

    def keep(self, value: StoredValue[E, T]) -> StoredValue[E, T]:
        """Let folds store a value; returns it."""
        self._values.append(value)
        return value

    def snapshot(self) -> Snapshot[E]:
        """The newest snapshot: one strongly consistent Query when this process is warm."""
        try:
            return self._advance(self._follow(self._snapshot) or self._loaded())
        except Outdated:
            return self._advance(self._upgrade())

    def publish(self, decide: Decision[E, R]) -> tuple[Snapshot[E], R]:
        """Change entries and the items that belong to them in one transaction.

        `decide` gets the newest snapshot and a transaction to add its own writes to. It returns the entries to change
        (None: deleted) and a result. It is called again if another process published meanwhile, or if it raises
        Contended.
        Returns the snapshot after the change and the result of the decision that was committed. Raises Busy after
        `retries.TRIES`.
        """

        def attempt() -> tuple[Snapshot[E], R]:
            snapshot = self.snapshot()
            writes = Transaction()
            changes, result = decide(snapshot, writes)
            changed = self._change(snapshot, writes, changes)
            writes.commit()
            return self._advance(changed), result

        return retry(attempt, self._publishing.held, _TOO_MANY)

    def join(self, writes: Transaction, decide: Callable[[Snapshot[E]], Changes[E]]) -> None:
        """Add a change of this catalogue to the transaction of another catalogue, whose decision calls this.

        If another process changed this catalogue meanwhile, the other catalogue's `publish` calls its decision again.
        """
        snapshot = self.snapshot()
        changed = self._change(snapshot, writes, decide(snapshot))
        writes.then(lambda: self._advance(changed))

    def fold(self) -> None:
        """Write a new snapshot, and delete changes that were folded more than 48 hours ago. Safe to repeat."""
        snapshot = self.snapshot()
        try:
            folded = self._log.fold(snapshot, self._values)
        except Contended:  # another process folds at the same time
            return
        if self._snapshot is snapshot:
            self._snapshot = folded
        self._log.drop_folded()

    def rebuild(self, after: int = 0) -> Snapshot[E]:
        """Replace all entries by those of the tables, with one change whose number is above `after`."""

        def attempt() -> Snapshot[E]:
            position = self._log.position()
            new = self._from_entities(_next(position, after), _after(position))
            self._log.replace(position, new)
            return self._advance(new)

        new = retry(attempt, self._publishing.held, _TOO_MANY)
        if stored_values.missing(self._values, new):
            self._enqueue_fold()
        return new

    def drop_cache(self) -> None:
        """Drop the snapshot of this process, as if it had just started."""
        self._snapshot = Snapshot.of(self.packing)

    def _change(self, snapshot: Snapshot[E], writes: Transaction, changes: Changes[E]) -> Snapshot[E]:
        """Add changes to a transaction; return the snapshot after its commit."""
        modified_at = _after(snapshot) if changes else snapshot.modified_at
        sequence = self._log.append(writes, snapshot, changes, modified_at)
        if sequence // FOLD_EVERY > snapshot.sequence // FOLD_EVERY:
            jobs.enqueue(writes, FOLD, {"name": self.name})
        return snapshot.changed(changes.items(), sequence, modified_at)

    def _advance(self, snapshot: Snapshot[E]) -> Snapshot[E]:
        """Keep `snapshot` in this process, unless another thread has a newer one."""
        if snapshot.sequence > self._snapshot.sequence:
            self._snapshot = snapshot
        return snapshot

    def _follow(self, known: Snapshot[E]) -> Snapshot[E] | None:
        """The snapshot after the changes since `known`; None if `known` is empty or the log was folded past it."""
        changes = self._log.changes_from(known.sequence) if known.sequence else []
        if not changes or not _follows(known.sequence - 1, changes):
            return None
        return self._apply(known, changes[1:])

    def _upgrade(self) -> Snapshot[E]:
        """Replace a stored snapshot of an older shape. One process of a machine does it while the others wait.

        Publishers continue meanwhile: their changes apply to the new snapshot as to any other.
        """
        with self._upgrading.held():
            with suppress(Outdated):
                return self._cold_snapshot()  # another process has upgraded it
            self._enqueue_fold()
            position = self._log.position()
            snapshot = self._from_entities(position.sequence, position.modified_at)
            with suppress(Contended):  # another machine has upgraded it
                return self._log.fold(snapshot, upgrade=True)
            return snapshot

    def _loaded(self) -> Snapshot[E]:
        """The snapshot of a process that has none. If values are not stored with it, a job stores them."""
        snapshot = self._cold_snapshot()
        if stored_values.missing(self._values, snapshot):
            self._enqueue_fold()
        return snapshot

    def _enqueue_fold(self) -> None:
        """Let a job fold. It reads the snapshot too: on AWS it has minutes for an upgrade, a request has seconds."""
        if not jobs.is_pending(FOLD, self.name):
            writes = Transaction()
            jobs.enqueue(writes, FOLD, {"name": self.name}, once=self.name)
            writes.commit()

    def _from_entities(self, sequence: int, modified_at: int) -> Snapshot[E]:
        values = iter(self.entities())
        first = list(islice(values, SAMPLES))
        known = self._snapshot.packing
        packing = known if known.dictionary else known.trained(value for _, value in first)
        return Snapshot.of(packing, sequence, modified_at, chain(first, values))

    def _cold_snapshot(self) -> Snapshot[E]:
        """The stored snapshot and the changes after it, read again if a fold came between. Raises Outdated."""
        for _ in range(3):
            head = self._log.head()
            if head is None:
                return Snapshot.of(self.packing)
            if (head.shape or 0) < self.codec.shape:
                raise Outdated
            start = int(head.snapshot_sequence)
            snapshot = self._read(head.snapshot, start, int(head.snapshot_modified_at))
            changes = self._log.changes_from(start + 1)
            if _follows(start, changes):
                return self._apply(snapshot, changes)
        raise Busy("The catalogue is being folded.", retry_after=1)

    def _read(self, key: str | None, sequence: int, modified_at: int) -> Snapshot[E]:
        """A stored snapshot. Raises Outdated for one of an older shape."""
        snapshot = self._log.read_snapshot(key, sequence, modified_at)
        return snapshot.grouped(self._groups.of(snapshot)) if self._groups else snapshot

    def _apply(self, snapshot: Snapshot[E], changes: list[Change]) -> Snapshot[E]:
        """The snapshot after some changes. If some of them are whole snapshots, only the last of these is read."""
        if not changes:
            return snapshot
        last = changes[-1]
        start = next((index for index in reversed(range(len(changes))) if changes[index].snapshot), None)
        if start is not None:
            whole = changes[start]
            snapshot = self._read(whole.snapshot, int(whole.sequence), int(whole.modified_at)).with_known(snapshot)
            changes = changes[start + 1 :]
        values = ((change.key, self._value(change)) for change in changes)
        return snapshot.changed(values, int(last.sequence), int(last.modified_at))

    def _value(self, change: Change) -> E | None:
        """The entry of a change. If code of an older shape wrote it, the entry is reloaded from the tables.

        An entry that the tables no longer have stays as written: a later change deletes it.
        """
        value = self._log.read_value(change)
        if value is None or change.shape >= self.codec.shape:
            return value
        return self.reload(change.key, value) or value


def _groups() -> StoredValue[Any, Groups]:
    """The groups of a catalogue's entries as a stored value."""

    def update(known: Groups, snapshot: Snapshot[Any], keys: Set[str]) -> Groups:
        return known.changed({key: snapshot.record(key) for key in keys})

    return StoredValue(
        "groups",
        1,
        build=lambda snapshot: snapshot.groups,
        update=update,
        encode=Groups.encoded,
        decode=grouping.decode,
    )


def _next(snapshot: Snapshot[Any], after: int = 0) -> int:
    """The number of the change after `snapshot`, and above `after`."""
    return max(snapshot.sequence, after) + 1


def _after(snapshot: Snapshot[Any]) -> int:
    """The date of the change after `snapshot`, which is not before that of `snapshot`."""
    return max(int(time.time()), snapshot.modified_at)


def _follows(sequence: int, changes: list[Change]) -> bool:
    """Whether the changes follow `sequence` without a gap.

    There may be gaps: a fold can delete changes between two pages of a Query, and a Query can see the second change of
    a transaction that is being written before the first.
    """
    numbers = range(sequence + 1, sequence + 1 + len(changes))
    return all(change.sequence == number for change, number in zip(changes, numbers, strict=True))
