"""A redo journal for changes larger than one transaction (docs/decisions/0013-luadns.md).

The commit sets the zone's new serial and `Zone.journal`, the key of a blob with all writes. Each reader or writer of
the zone applies the journal first, and a job applies it if no request does. A chunk of writes and the progress
`Zone.journal_done` are one conditional transaction, so that a delayed process cannot overwrite later changes.
"""

import secrets
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import orjson
from pynamodb.expressions.update import Action

from chalicelib.core import blobs, jobs
from chalicelib.core.errors import NotFound
from chalicelib.core.storage import Contended, Transaction
from chalicelib.luadns.tables import AREA, LuaDnsItem, Zone, ZoneChange

APPLY = "luadns-settle"  # the job that applies a zone's journal
APPLY_DELAY = 10.0  # seconds: the request itself applies the journal, and the job only after a crash
MAX_WRITES = 90  # of the 100 in a transaction; the zone, the audit entry and the engine need some
MAX_BYTES = 2_500_000  # of the 4 MB in a transaction


class JournalWrite(NamedTuple):
    """An item to write or to delete. `previous_serial` is the serial of its last change, None for a new item."""

    item: LuaDnsItem
    previous_serial: int | None
    deleted: bool


def fits_one_transaction(items: Sequence[JournalWrite]) -> bool:
    """Whether one transaction can hold these writes and that of the zone."""
    return len(items) <= MAX_WRITES and len(list(_chunks(items))) <= 1


def save(writes: Transaction, zone: Zone, items: Sequence[JournalWrite]) -> list[bytes]:
    """Store `items` in a blob, set `Zone.journal` to its key, and add a job that applies them to `writes`.

    Returns the chunks, each as JSON: decoding all of them at once would stop the other threads for a tenth of a second.
    """
    chunks = [b"[" + b",".join(chunk) + b"]" for chunk in _chunks(items)]
    jobs.enqueue(writes, APPLY, {"pk": zone.pk, "sk": zone.sk}, delay=APPLY_DELAY)
    name = f"{AREA}/{int(zone.id)}-{secrets.token_hex(8)}"
    zone.journal = blobs.put(b"[" + b",".join(chunks) + b"]", name).key
    writes.on_refusal(partial(blobs.delete, zone.journal))
    return chunks


def apply(zone: Zone, chunks: Sequence[bytes] = ()) -> None:
    """Apply the remaining chunks of the zone's journal. `chunks` are those of `save`, by default its blob is read.

    Raises Busy if the store is busy.
    """
    current: Zone | None = zone
    while current is not None and current.journal:
        key = current.journal
        try:
            _apply_chunks(current, chunks or [orjson.dumps(chunk) for chunk in orjson.loads(blobs.get(key))])
        except (Contended, NotFound) as error:  # another process applies it, or has finished
            current, chunks = Zone.find(zone.pk, zone.sk), ()
            if isinstance(error, NotFound) and current is not None and current.journal == key:
                raise
        else:
            return


def blobs_of(item: LuaDnsItem) -> tuple[str | None]:
    """The journal of a zone, until it is applied, or the difference of a large change."""
    if isinstance(item, ZoneChange):
        return (item.blob,)
    return (item.journal if isinstance(item, Zone) else None,)


def apply_stored(payload: Any) -> None:
    """The job APPLY: apply the journal of the zone in the payload."""
    if zone := Zone.find(payload["pk"], payload["sk"]):
        apply(zone)


def _apply_chunks(zone: Zone, chunks: Sequence[bytes]) -> None:
    key, start = zone.journal, int(zone.journal_done or 0)
    for done in range(start, len(chunks)):
        writes = Transaction()
        for write in orjson.loads(chunks[done]):
            if "put" in write:
                writes.replay(LuaDnsItem, write["put"])
            else:
                writes.delete(LuaDnsItem(zone.pk, write["delete"]))
        progress: list[Action] = [Zone.journal_done.set(done + 1)]
        if done + 1 == len(chunks):
            progress = [Zone.journal.remove(), Zone.journal_done.remove()]
        not_applied = Zone.journal_done == done if done else Zone.journal_done.does_not_exist()
        writes.update(zone, progress, (Zone.journal == key) & not_applied)
        writes.commit()
    blobs.delete(key)


def _chunks(items: Sequence[JournalWrite]) -> Iterator[list[bytes]]:
    """The writes as JSON, as many together as one transaction holds."""
    chunk: list[bytes] = []
    size = 0
    for item, _, deleted in items:
        stored = orjson.dumps({"delete": item.sk} if deleted else {"put": item.serialize()})
        if chunk and (len(chunk) == MAX_WRITES or size + len(stored) > MAX_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(stored)
        size += len(stored)
    if chunk:
        yield chunk
