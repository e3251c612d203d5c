"""What is stored of a catalogue: the head, the log of changes, the snapshots and when they were made."""

import secrets
import time
import zlib
from collections.abc import Mapping
from typing import Any, cast

import orjson

from chalicelib.core import blobs, inventory
from chalicelib.core.snapshots import Entry, Snapshot, Value
from chalicelib.core.storage import Contended, Transaction
from chalicelib.core.tables import Change, CoreItem, Fold, Head

KEEP_FOLDED = 48 * 3600
LARGE_ENTRY = 64 * 1024


class ChangeLog:
    """The log of one catalogue."""

    def __init__(self, name: str) -> None:
        self._head = f"catalogue#{name}"
        self._log = f"catalogue-log#{name}"
        self._folds = f"catalogue-folds#{name}"
        self._area = f"catalogue/{name}"

    def head(self) -> Head | None:
        """Where the catalogue stands; None before its first change."""
        return Head.find(self._head, "head")

    def changes_from(self, sequence: int) -> list[Change]:
        """The changes with this number or a higher one, in order."""
        return list(Change.query(self._log, Change.sk >= _sort_key(sequence), consistent_read=True))

    def read_snapshot(self, key: str | None, known: Mapping[str, Entry]) -> dict[str, Entry]:
        """All entries of a snapshot; none where there is none. What stands in `known` alike is that same object."""
        if key is None:
            return {}
        values = orjson.loads(zlib.decompress(blobs.get(key)))
        return {key: _same_or_new(known.get(key), key, value) for key, value in values.items()}

    def read_value(self, change: Change) -> Value | None:
        """A changed entry; None when it is gone."""
        body = blobs.get(change.blob) if change.blob else change.body
        return cast(Value, orjson.loads(body)) if body else None

    def append(
        self, writes: Transaction, snapshot: Snapshot, changes: Mapping[str, Value | None], modified_at: int
    ) -> int:
        """Add changes to a transaction, on condition that the catalogue is at `snapshot`; returns the new number."""
        sequence = snapshot.sequence
        for key, value in changes.items():
            sequence += 1
            body = orjson.dumps(value) if value is not None else None
            if body is not None and len(body) > LARGE_ENTRY:
                large = blobs.put(body, f"{self._area}/entry-{sequence}")
                writes.create(self._change(sequence, modified_at, key=key, blob=large.key))
            else:
                writes.create(self._change(sequence, modified_at, key=key, body=body.decode() if body else None))
        self._move(writes, snapshot, sequence)
        return sequence

    def replace(self, snapshot: Snapshot, entries: dict[str, Entry], modified_at: int, after: int = 0) -> Snapshot:
        """Put other entries in the place of all, announced by one change above `after`. Raises storage.Contended."""
        new = Snapshot(max(snapshot.sequence, after) + 1, modified_at, entries)
        stored = self._write_snapshot(new)
        writes = Transaction()
        writes.create(self._change(new.sequence, modified_at, snapshot=stored))
        writes.create(self._fold(new, stored))
        self._move(writes, snapshot, new.sequence, **_pointer(new, stored))
        try:
            writes.commit()
        except Contended:
            blobs.delete(stored)
            raise
        return new

    def fold(self, snapshot: Snapshot) -> None:
        """Make `snapshot` the snapshot that cold processes start from, unless there is a newer one."""
        head = self.head()
        if head is None or head.snapshot_sequence >= snapshot.sequence:
            return
        stored = self._write_snapshot(snapshot)
        writes = Transaction()
        writes.create(self._fold(snapshot, stored))
        moved = Head(self._head, "head")
        writes.update(
            moved,
            moved.assign(**_pointer(snapshot, stored)),
            Head.snapshot_sequence.does_not_exist() | (Head.snapshot_sequence < snapshot.sequence),
        )
        try:
            writes.commit()
        except Contended:
            blobs.delete(stored)
            raise

    def drop_folded(self) -> None:
        """Drop the changes and snapshots that were folded more than 48 hours ago, and that a newer fold covers.

        So the newest change is never dropped: the newest snapshot covers it at most.
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

    def _move(self, writes: Transaction, known: Snapshot, sequence: int, **more: Any) -> None:
        """Move the head from where `known` is."""
        head = Head(self._head, "head")
        stands = Head.sequence == known.sequence
        if not known.sequence:
            stands = Head.sequence.does_not_exist() | stands
        writes.update(head, head.assign(kind=Head, sequence=sequence, **more), stands)

    def _change(self, sequence: int, modified_at: int, **what: Any) -> Change:
        return Change(self._log, _sort_key(sequence), sequence=sequence, modified_at=modified_at, **what)

    def _fold(self, snapshot: Snapshot, stored: str) -> Fold:
        sort_key = _sort_key(snapshot.sequence)
        return Fold(self._folds, sort_key, sequence=snapshot.sequence, snapshot=stored, at=int(time.time()))

    def _write_snapshot(self, snapshot: Snapshot) -> str:
        """Keep all entries in one blob of their own: two processes may do so at once, and one takes its blob back."""
        values = {key: entry.value for key, entry in snapshot.entries.items()}
        place = f"{self._area}/snapshot-{snapshot.sequence}-{secrets.token_hex(4)}"
        return blobs.put(zlib.compress(orjson.dumps(values)), place).key


def _same_or_new(known: Entry | None, key: str, value: Value) -> Entry:
    return known if known and known.value == value else Entry(key, value)


@inventory.holds(CoreItem, "catalogue")
def _blobs_of(item: CoreItem) -> list[str | None]:
    if isinstance(item, Change):
        return [item.blob, item.snapshot]
    return [item.snapshot] if isinstance(item, Head | Fold) else []


def _pointer(snapshot: Snapshot, stored: str) -> dict[str, Any]:
    """What the head says of its snapshot."""
    return {
        "snapshot": stored,
        "snapshot_sequence": snapshot.sequence,
        "snapshot_modified_at": snapshot.modified_at,
    }


def _sort_key(sequence: int) -> str:
    return f"{sequence:012d}"
