"""The stored parts of a catalogue: the head, the log of changes, the snapshots and their dates."""

import secrets
import time
import zlib
from collections.abc import Mapping
from typing import Any, Generic

from chalicelib.core import blobs
from chalicelib.core.entries import Codec, E, Outdated
from chalicelib.core.snapshots import Entry, Snapshot
from chalicelib.core.storage import Contended, Transaction
from chalicelib.core.tables import Change, CoreItem, Fold, Head

AREA = "catalogue"  # of blobs
KEEP_FOLDED = 48 * 3600
LARGE_ENTRY = 64 * 1024


class ChangeLog(Generic[E]):
    """The log of one catalogue; `codec` encodes its entries and has their shape number."""

    def __init__(self, name: str, codec: Codec[E]) -> None:
        self._codec = codec
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
            return Snapshot(0, 0, {})
        sequence, modified_at = int(head.sequence), int(head.snapshot_modified_at)
        newest = self.changes_from(sequence)[:1] if sequence else []
        return Snapshot(sequence, int(newest[0].modified_at) if newest else modified_at, {})

    def read_snapshot(self, key: str | None, known: Mapping[str, Entry[E]]) -> dict[str, Entry[E]]:
        """All entries of a snapshot; an empty dictionary without a key.

        An entry that equals one of `known` is the same object. Raises Outdated for a snapshot of an older shape.
        """
        if key is None:
            return {}
        values = self._codec.decode_all(zlib.decompress(blobs.get(key)))
        return {key: _same_or_new(known.get(key), key, value) for key, value in values.items()}

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
                large = blobs.put(body, f"{self._area}/entry-{sequence}")
                writes.create(self._change(sequence, modified_at, key=key, blob=large.key))
            else:
                writes.create(self._change(sequence, modified_at, key=key, entry=body))
        first = {} if snapshot.sequence else {"shape": self._codec.shape}
        self._move(writes, snapshot, sequence, **first)
        return sequence

    def replace(
        self, snapshot: Snapshot[E], entries: dict[str, Entry[E]], modified_at: int, after: int = 0
    ) -> Snapshot[E]:
        """Replace all entries, with one change whose number is above `after`. Raises storage.Contended."""
        new = Snapshot(max(snapshot.sequence, after) + 1, modified_at, entries)
        stored = self._write_snapshot(new)
        writes = Transaction()
        writes.create(self._change(new.sequence, modified_at, snapshot=stored))
        writes.create(self._fold(new, stored))
        self._move(writes, snapshot, new.sequence, **self._pointer(new, stored))
        try:
            writes.commit()
        except Contended:
            blobs.delete(stored)
            raise
        return new

    def fold(self, snapshot: Snapshot[E], *, upgrade: bool = False) -> None:
        """Store `snapshot` as the one that cold processes read, unless a newer one is stored.

        An `upgrade` also replaces one of the same number. Raises storage.Contended.
        """
        head = self.head()
        limit = snapshot.sequence + int(upgrade)
        if head is None or head.snapshot_sequence >= limit:
            return
        stored = self._write_snapshot(snapshot)
        writes = Transaction()
        writes.create(self._fold(snapshot, stored))
        moved = Head(self._head, "head")
        writes.update(
            moved,
            moved.assign(**self._pointer(snapshot, stored)),
            Head.snapshot_sequence.does_not_exist() | (Head.snapshot_sequence < limit),
        )
        try:
            writes.commit()
        except Contended:
            blobs.delete(stored)
            raise

    def drop_folded(self) -> None:
        """Delete changes and snapshots that were folded more than 48 hours ago and that a newer fold covers.

        The newest change is never deleted, because only the newest snapshot can cover it.
        """
        head = self.head()
        if head is None:
            return
        covered = Fold.query(self._folds, Fold.sk < _sort_key(int(head.snapshot_sequence)), consistent_read=True)
        for fold in covered:
            if fold.at <= time.time() - KEEP_FOLDED:
                self._trim(int(fold.sequence))
                fold.delete()
                blobs.delete(fold.snapshot)

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

    def _fold(self, snapshot: Snapshot[E], stored: str) -> Fold:
        sort_key = f"{_sort_key(snapshot.sequence)}-{secrets.token_hex(4)}"
        return Fold(self._folds, sort_key, sequence=snapshot.sequence, snapshot=stored, at=int(time.time()))

    def _pointer(self, snapshot: Snapshot[E], stored: str) -> dict[str, Any]:
        """The attributes of the head that name its snapshot."""
        return {
            "snapshot": stored,
            "snapshot_sequence": snapshot.sequence,
            "snapshot_modified_at": snapshot.modified_at,
            "shape": self._codec.shape,
        }

    def _write_snapshot(self, snapshot: Snapshot[E]) -> str:
        """Store all entries in a new blob and return its key. Two processes may do this: one deletes its blob."""
        values = {key: entry.value for key, entry in snapshot.entries.items()}
        area = f"{self._area}/snapshot-{snapshot.sequence}-{secrets.token_hex(4)}"
        return blobs.put(zlib.compress(self._codec.encode_all(values)), area).key


def _same_or_new(known: Entry[E] | None, key: str, value: E) -> Entry[E]:
    return known if known and known.value == value else Entry(key, value)


def blobs_of(item: CoreItem) -> list[str | None]:
    """The keys of the blobs that an item of a catalogue needs."""
    if isinstance(item, Change):
        return [item.blob, item.snapshot]
    return [item.snapshot] if isinstance(item, Head | Fold) else []


def _sort_key(sequence: int) -> str:
    return f"{sequence:012d}"
