"""The stored parts of a catalogue: the head, the log of changes, the snapshots and their dates."""

import secrets
import time
from collections.abc import Mapping
from functools import partial
from typing import Any, Generic

from chalicelib.core import blobs
from chalicelib.core.catalogues import stored, stored_values
from chalicelib.core.catalogues.entries import E, Outdated
from chalicelib.core.catalogues.packing import Packing
from chalicelib.core.catalogues.snapshots import Snapshot
from chalicelib.core.catalogues.stored import Index, Stored
from chalicelib.core.catalogues.stored_values import Values
from chalicelib.core.catalogues.tables import Change, Fold, Head
from chalicelib.core.errors import NotFound
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import CoreItem

AREA = "catalogue"  # of blobs
KEEP_FOLDED = 48 * 3600
LARGE_ENTRY = 3500  # bytes; a change is then below 4 KB, so the query for the newest one costs one read unit


class ChangeLog(Generic[E]):
    """The log of one catalogue; `packing` has the codec of its entries."""

    def __init__(self, name: str, packing: Packing[E]) -> None:
        self._packing = packing
        self._codec = packing.codec
        self._head = f"catalogue#{name}"
        self._log = f"catalogue-log#{name}"
        self._folds = f"catalogue-folds#{name}"
        self._area = f"{AREA}/{name}"

    def head(self) -> Head | None:
        """The head of the catalogue; None before its first change."""
        return Head.find(self._head, "head")

    def changes_from(self, sequence: int) -> list[Change]:
        """The changes with this number or a higher one, in order."""
        return list(Change.query(self._log, Change.sk >= _sort_key(sequence), consistent_read=True))

    def position(self) -> Snapshot[E]:
        """The number and date of the newest change, without any entry."""
        head = self.head()
        if head is None:
            return Snapshot.of(self._packing)
        sequence, modified_at = int(head.sequence), int(head.snapshot_modified_at)
        newest = self.changes_from(sequence)[:1] if sequence else []
        return Snapshot.of(self._packing, sequence, int(newest[0].modified_at) if newest else modified_at)

    def read_snapshot(self, key: str | None, sequence: int, modified_at: int) -> Snapshot[E]:
        """A stored snapshot; an empty one without a key. Raises Outdated for a snapshot of an older shape."""
        if key is None:
            return Snapshot.of(self._packing, sequence, modified_at)
        return stored.read(key, self._packing, sequence, modified_at)

    def read_value(self, change: Change) -> E | None:
        """The entry that a change wrote; None if the change deleted it.

        Raises Outdated for a change by code without shapes.
        """
        if not change.shape:
            raise Outdated
        body = blobs.get(change.blob) if change.blob else change.entry
        return self._codec.decode(body, int(change.shape)) if body else None

    def append(
        self, writes: Transaction, snapshot: Snapshot[E], changes: Mapping[str, E | None], modified_at: int
    ) -> int:
        """Add changes to a transaction, on condition that the catalogue is at `snapshot`; return the new number."""
        sequence = snapshot.sequence
        for key, value in changes.items():
            sequence += 1
            body = self._codec.encode(value) if value is not None else None
            if body is not None and len(body) > LARGE_ENTRY:
                large = blobs.put(body, f"{self._area}/entry-{sequence}-{secrets.token_hex(4)}").key
                writes.on_refusal(partial(blobs.delete, large))
                writes.create(self._change(sequence, modified_at, key=key, blob=large))
            else:
                writes.create(self._change(sequence, modified_at, key=key, entry=body))
        first = {} if snapshot.sequence else {"shape": self._codec.shape}
        self._move(writes, snapshot, sequence, **first)
        return sequence

    def replace(self, snapshot: Snapshot[E], new: Snapshot[E]) -> None:
        """Replace `snapshot` by `new`, whose number is higher, with one change. Raises storage.Contended."""
        written = stored.write(new, self._area)
        writes = Transaction()
        writes.on_refusal(written.discard)
        writes.create(self._change(new.sequence, new.modified_at, snapshot=written.index))
        writes.create(self._fold(new, written))
        self._move(writes, snapshot, new.sequence, **self._pointer(new, written))
        writes.commit()

    def fold(self, snapshot: Snapshot[E], values: Values[E] = (), *, upgrade: bool = False) -> Snapshot[E]:
        """Store `snapshot` and `values` of it as those that cold processes read, unless a newer snapshot is stored.

        A snapshot of the same number is replaced by an `upgrade`, or if it was stored without its values. Returns the
        snapshot, with its records as they are stored. Raises storage.Contended.
        """
        head = self.head()
        upgrade = upgrade or stored_values.missing(values, snapshot)
        if head is None or head.snapshot_sequence >= snapshot.sequence + int(upgrade):
            return snapshot
        before = self._index(head)
        snapshot = snapshot.packed_for(before.dictionary if before else b"")
        written = stored.write(snapshot, self._area, before, values)
        writes = Transaction()
        writes.on_refusal(written.discard)  # two processes may fold at the same time
        writes.create(self._fold(snapshot, written))
        moved = Head(self._head, "head")
        # A shard that both snapshots use stays stored, because no other fold has come between.
        unchanged = Head.snapshot == head.snapshot if head.snapshot else Head.snapshot.does_not_exist()
        writes.update(moved, moved.assign(**self._pointer(snapshot, written)), unchanged)
        writes.commit()
        return snapshot.stored_with(written.values, written.changes)

    def drop_folded(self) -> None:
        """Delete changes and snapshots that were folded more than 48 hours ago and that a newer fold covers.

        The newest change is never deleted, because only the newest snapshot can cover it.
        """
        head = self.head()
        if head is None:
            return
        folds = list(Fold.query(self._folds, consistent_read=True))
        limit = time.time() - KEEP_FOLDED
        dropped = [fold for fold in folds if fold.sequence < head.snapshot_sequence and fold.at <= limit]
        used = {key for fold in folds if fold not in dropped for key in fold.shards or ()}
        for fold in dropped:
            self._trim(int(fold.sequence))
            fold.delete()
            for key in {fold.snapshot, *(fold.shards or ())} - used:
                blobs.delete(key)

    def _index(self, head: Head) -> Index | None:
        """The index of the newest stored snapshot; None without one, or if it cannot be read."""
        try:
            return stored.read_index(head.snapshot) if head.snapshot else None
        except (NotFound, Outdated):
            return None

    def _trim(self, until: int) -> None:
        changes = list(Change.query(self._log, Change.sk <= _sort_key(until), consistent_read=True))
        with Change.batch_write() as batch:
            for change in changes:
                batch.delete(change)
        for change in changes:
            if change.blob:
                blobs.delete(change.blob)

    def _move(self, writes: Transaction, known: Snapshot[E], sequence: int, **more: Any) -> None:
        """Move the head, on condition that it is at `known`."""
        head = Head(self._head, "head")
        unchanged = Head.sequence == known.sequence
        if not known.sequence:
            unchanged = Head.sequence.does_not_exist() | unchanged
        writes.update(head, head.assign(kind=Head, sequence=sequence, **more), unchanged)

    def _change(self, sequence: int, modified_at: int, **attributes: Any) -> Change:
        shape = self._codec.shape
        return Change(
            self._log, _sort_key(sequence), sequence=sequence, modified_at=modified_at, shape=shape, **attributes
        )

    def _fold(self, snapshot: Snapshot[E], written: Stored) -> Fold:
        sort_key = f"{_sort_key(snapshot.sequence)}-{secrets.token_hex(4)}"
        shards = list(written.parts) or None
        now = int(time.time())
        return Fold(self._folds, sort_key, sequence=snapshot.sequence, snapshot=written.index, shards=shards, at=now)

    def _pointer(self, snapshot: Snapshot[E], written: Stored) -> dict[str, Any]:
        """The attributes of the head that name its snapshot."""
        return {
            "snapshot": written.index,
            "snapshot_sequence": snapshot.sequence,
            "snapshot_modified_at": snapshot.modified_at,
            "shape": self._codec.shape,
        }


def blobs_of(item: CoreItem) -> list[str | None]:
    """The keys of the blobs that an item of a catalogue needs."""
    if isinstance(item, Change):
        return [item.blob, item.snapshot]
    if isinstance(item, Fold):
        return [item.snapshot, *(item.shards or ())]
    return [item.snapshot] if isinstance(item, Head) else []


def _sort_key(sequence: int) -> str:
    return f"{sequence:012d}"
