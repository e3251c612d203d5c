"""Lists that stay fast at any size: a snapshot plus a change log (docs/decisions/0002-catalogue.md).

A warm process holds all entries at sequence `n` and asks, once per request, for the changes from `n` on, inclusive.
When item `n` is not there, the log was folded past this process and it starts anew from the snapshot.
"""

import random
import secrets
import threading
import time
import zlib
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any, TypeVar, cast

import orjson

from chalicelib.core import blobs, jobs
from chalicelib.core.errors import Busy
from chalicelib.core.storage import Contended, Transaction
from chalicelib.core.tables import Change, Head

FOLD_EVERY = 256
KEEP_FOLDED = 48 * 3600
LARGE_ENTRY = 64 * 1024
TRIES = 20

T = TypeVar("T")
Value = dict[str, Any]
Changes = Mapping[str, Value | None]
Decision = Callable[["View", Transaction], Changes]


class _Kept:
    """Something that remembers what was made from it, once."""

    __slots__ = ("_kept",)

    def __init__(self) -> None:
        self._kept: dict[Hashable, Any] = {}

    def _keep(self, name: Hashable, build: Callable[[], T]) -> T:
        if name not in self._kept:
            self._kept[name] = build()
        return cast(T, self._kept[name])


class Entry(_Kept):
    """One public entry; `value` is plain JSON data and is never changed in place."""

    __slots__ = ("key", "value")

    def __init__(self, key: str, value: Value) -> None:
        super().__init__()
        self.key = key
        self.value = value

    def keep(self, name: Hashable, build: Callable[["Entry"], T]) -> T:
        """What `build` makes of this entry, made once for as long as the entry stands."""
        return self._keep(name, lambda: build(self))


class View(_Kept):
    """All entries of a catalogue at one sequence number.

    `modified_at` is when that number was reached, in epoch seconds. It grows with every change, by a second at least,
    so that no two states have the same Last-Modified.
    """

    __slots__ = ("entries", "modified_at", "sequence")

    def __init__(self, sequence: int, modified_at: int, entries: dict[str, Entry]) -> None:
        super().__init__()
        self.sequence = sequence
        self.modified_at = modified_at
        self.entries = entries

    def keep(self, name: Hashable, build: Callable[["View"], T]) -> T:
        """What `build` makes of this view, made once for as long as nothing changes."""
        return self._keep(name, lambda: build(self))


class Catalogue:
    """One list that everybody may see, such as all rocks.

    `entities` yields (key, value) for every entry from the entities themselves: what `rebuild` goes by.
    """

    named: dict[str, "Catalogue"] = {}

    def __init__(self, name: str, entities: Callable[[], Iterable[tuple[str, Value]]]) -> None:
        self.name = name
        self._entities = entities
        self._view = View(0, 0, {})
        self._publishing = threading.Lock()
        Catalogue.named[name] = self

    def view(self) -> View:
        """The catalogue as it stands now: one strongly consistent Query when this process is warm."""
        known = self._view
        if known.sequence:
            changes = self._changes_from(known.sequence)
            if changes and _follows(known.sequence - 1, changes):
                return self._advance(_apply(known, changes[1:]))
        return self._advance(self._cold_view())

    def publish(self, decide: Decision) -> View:
        """Change entries, and whatever belongs to them, in one transaction; returns the view after it.

        `decide` gets the newest view and a transaction to add its own writes to, and returns the entries to change
        (None: gone). It is called again when somebody else published meanwhile. Raises Busy after `TRIES`.
        """
        for attempt in range(TRIES):
            with self._publishing:
                view = self.view()
                writes = Transaction()
                changes = decide(view, writes)
                try:
                    return self._commit(view, writes, changes)
                except Contended:
                    pass
            time.sleep(random.uniform(0, min(0.02 * 2**attempt, 0.5)))  # noqa: S311
        raise Busy("Too many changes at once.", retry_after=2)

    def fold(self) -> None:
        """Write a new snapshot, and drop what was folded more than 48 hours ago. Safe to repeat."""
        view = self.view()
        head = Head.find(self._pk, "head")
        if head is None:
            return
        folds = list(head.folds or [])
        if view.sequence != head.snapshot_sequence:
            blob = blobs.put(_pack(view.entries), f"{self._area}/snapshot-{view.sequence}")
            folds.append({"sequence": view.sequence, "snapshot": blob.key, "at": int(time.time())})
            head.snapshot, head.snapshot_sequence = blob.key, view.sequence
            head.snapshot_modified_at = view.modified_at
        limit = time.time() - KEEP_FOLDED
        past = [fold for fold in folds if fold["at"] <= limit and fold["snapshot"] != head.snapshot]
        self._point(head, [fold for fold in folds if fold not in past])
        if past:
            self._trim(int(max(fold["sequence"] for fold in past)))
            for fold in past:
                blobs.delete(fold["snapshot"])

    def rebuild(self) -> View:
        """Make all entries anew from the entities, announced by one change item."""
        for _ in range(TRIES):
            view = self.view()
            entries = {key: Entry(key, value) for key, value in self._entities()}
            sequence, modified_at = view.sequence + 1, _after(view)
            blob = blobs.put(_pack(entries), f"{self._area}/rebuilt-{sequence}-{secrets.token_hex(4)}")
            head = Head.find(self._pk, "head") or Head(self._pk, "head")
            fold = {"sequence": sequence, "snapshot": blob.key, "at": int(time.time())}
            writes = Transaction()
            writes.create(self._change(sequence, modified_at, snapshot=blob.key))
            writes.update(
                Head(self._pk, "head"),
                [
                    Head.kind.set(Head),
                    Head.sequence.set(sequence),
                    Head.snapshot.set(blob.key),
                    Head.snapshot_sequence.set(sequence),
                    Head.snapshot_modified_at.set(modified_at),
                    Head.folds.set([*(head.folds or []), fold]),
                ],
                _stands_at(view.sequence),
            )
            try:
                writes.commit()
            except Contended:
                blobs.delete(blob.key)
                continue
            return self._advance(View(sequence, modified_at, entries))
        raise Busy("Too many changes at once.", retry_after=2)

    def forget(self) -> None:
        """Drop what this process holds, as if it had just started."""
        self._view = View(0, 0, {})

    @property
    def _pk(self) -> str:
        return f"catalogue#{self.name}"

    @property
    def _area(self) -> str:
        return f"catalogue/{self.name}"

    def _change(self, sequence: int, modified_at: int, **what: Any) -> Change:
        return Change(
            f"catalogue-log#{self.name}",
            f"{sequence:012d}",
            sequence=sequence,
            modified_at=modified_at,
            **what,
        )

    def _changes_from(self, sequence: int) -> list[Change]:
        return list(Change.query(f"catalogue-log#{self.name}", Change.sk >= f"{sequence:012d}", consistent_read=True))

    def _commit(self, view: View, writes: Transaction, changes: Changes) -> View:
        sequence = view.sequence
        modified_at = _after(view) if changes else view.modified_at
        for key, value in changes.items():
            sequence += 1
            body = orjson.dumps(value) if value is not None else None
            blob = None
            if body is not None and len(body) > LARGE_ENTRY:
                blob = blobs.put(body, f"{self._area}/entry-{sequence}").key
                body = None
            text = body.decode() if body is not None else None
            writes.create(self._change(sequence, modified_at, key=key, body=text, blob=blob))
        writes.update(
            Head(self._pk, "head"),
            [Head.kind.set(Head), Head.sequence.set(sequence)],
            _stands_at(view.sequence),
        )
        if sequence // FOLD_EVERY > view.sequence // FOLD_EVERY:
            jobs.promise(writes, "fold-catalogue", {"name": self.name})
        writes.commit()
        entries = dict(view.entries)
        for key, value in changes.items():
            _set(entries, key, value)
        return self._advance(View(sequence, modified_at, entries))

    def _advance(self, view: View) -> View:
        """Make `view` the one that this process holds, unless another thread went further."""
        if view.sequence > self._view.sequence:
            self._view = view
        return view

    def _cold_view(self) -> View:
        """The snapshot and the changes after it; read again when a fold came between."""
        for _ in range(3):
            head = Head.find(self._pk, "head")
            if head is None:
                return View(0, 0, {})
            start = int(head.snapshot_sequence)
            entries = _unpack(head.snapshot) if head.snapshot else {}
            view = View(start, int(head.snapshot_modified_at), entries)
            changes = self._changes_from(start + 1)
            if _follows(start, changes):
                return _apply(view, changes)
        raise Busy("The catalogue is being folded.", retry_after=1)

    def _point(self, head: Head, folds: list[Value]) -> None:
        """Let the head name its newest snapshot, unless a newer one came meanwhile."""
        Head(self._pk, "head").update_or_read(
            [
                Head.snapshot.set(head.snapshot),
                Head.snapshot_sequence.set(head.snapshot_sequence),
                Head.snapshot_modified_at.set(head.snapshot_modified_at),
                Head.folds.set(folds),
            ],
            Head.snapshot_sequence.does_not_exist() | (Head.snapshot_sequence <= head.snapshot_sequence),
        )

    def _trim(self, until: int) -> None:
        """Drop changes up to `until` and their blobs, but never the newest change."""
        changes = list(Change.query(f"catalogue-log#{self.name}", Change.sk <= f"{until:012d}", consistent_read=True))
        newest = next(iter(Change.query(f"catalogue-log#{self.name}", scan_index_forward=False, limit=1)))
        dropped = [change for change in changes if change.sequence != newest.sequence]
        with Change.batch_write() as batch:
            for change in dropped:
                batch.delete(change)
        for change in dropped:
            if change.blob:
                blobs.delete(change.blob)


@jobs.handles("fold-catalogue")
def _fold(payload: Value) -> None:
    Catalogue.named[payload["name"]].fold()


def _after(view: View) -> int:
    return max(int(time.time()), view.modified_at + 1)


def _stands_at(sequence: int) -> Any:
    if sequence:
        return Head.sequence == sequence
    return Head.sequence.does_not_exist() | (Head.sequence == 0)


def _follows(sequence: int, changes: list[Change]) -> bool:
    """Whether the changes lead on from `sequence` without a gap.

    A long log is read in pages, and a fold may drop changes between two of them; and of a transaction that is being
    written, a Query may see the second change before the first.
    """
    numbers = range(sequence + 1, sequence + 1 + len(changes))
    return all(change.sequence == number for change, number in zip(changes, numbers, strict=True))


def _apply(view: View, changes: list[Change]) -> View:
    if not changes:
        return view
    entries = dict(view.entries)
    for change in changes:
        if change.snapshot:
            entries = _unpack(change.snapshot)
        else:
            _set(entries, change.key, _value(change))
    return View(int(changes[-1].sequence), int(changes[-1].modified_at), entries)


def _value(change: Change) -> Value | None:
    if change.blob:
        return cast(Value, orjson.loads(blobs.get(change.blob)))
    return cast(Value, orjson.loads(change.body)) if change.body else None


def _set(entries: dict[str, Entry], key: str, value: Value | None) -> None:
    if value is None:
        entries.pop(key, None)
    else:
        entries[key] = Entry(key, value)


def _pack(entries: dict[str, Entry]) -> bytes:
    return zlib.compress(orjson.dumps({key: entry.value for key, entry in entries.items()}))


def _unpack(key: str) -> dict[str, Entry]:
    values = orjson.loads(zlib.decompress(blobs.get(key)))
    return {key: Entry(key, value) for key, value in values.items()}
