"""A redo journal for changes larger than one transaction (docs/decisions/0013-luadns.md).

The commit sets the zone's new serial and `Zone.journal`, the key of a blob with all writes. Each reader or writer of
the zone applies the journal first, and a job applies it if no request does. A chunk of writes and the progress
`Zone.journal_done` are one conditional transaction, so that a delayed process cannot overwrite later changes.
"""

import secrets
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import orjson
from pynamodb.expressions.update import Action

from chalicelib.core import blobs, jobs
from chalicelib.core.errors import NotFound
from chalicelib.core.storage import Contended, Transaction
from chalicelib.luadns.tables import LuaDnsItem, Zone

AREA = "luadns"
APPLY = "luadns-settle"  # the job that applies a zone's journal
MAX_WRITES = 90  # of the 100 in a transaction; the zone, the audit entry and the engine need some
MAX_BYTES = 2_500_000  # of the 4 MB in a transaction


class JournalWrite(NamedTuple):
    """An item to write or to delete. `previous_serial` is the serial of its last change, None for a new item."""

    item: LuaDnsItem
    previous_serial: int | None
    deleted: bool


def fits_one_transaction(items: Sequence[JournalWrite]) -> bool:
    """Whether one transaction can hold these writes and that of the zone."""
    return len(list(_chunks(items))) <= 1


def save(writes: Transaction, zone: Zone, items: Sequence[JournalWrite]) -> str:
    """Store `items` in a blob and add a job that applies them to `writes`; return the key for `Zone.journal`."""
    chunks = [
        [{"delete": item.sk} if deleted else {"put": item.to_dynamodb_dict()} for item, _, deleted in chunk]
        for chunk in _chunks(items)
    ]
    jobs.enqueue(writes, APPLY, {"pk": zone.pk, "sk": zone.sk})
    return blobs.put(orjson.dumps(chunks), f"{AREA}/{int(zone.id)}-{secrets.token_hex(8)}").key


def apply(zone: Zone) -> None:
    """Apply the remaining chunks of the zone's journal. Raises Busy if the store is busy."""
    current: Zone | None = zone
    while current is not None and current.journal:
        key = current.journal
        try:
            _apply_chunks(current, orjson.loads(blobs.get(key)))
        except (Contended, NotFound) as error:  # another process applies it, or has finished
            current = Zone.find(zone.pk, zone.sk)
            if isinstance(error, NotFound) and current is not None and current.journal == key:
                raise
        else:
            return


def blobs_of(item: LuaDnsItem) -> tuple[str | None]:
    """The journal of a zone, until it is applied."""
    return (item.journal if isinstance(item, Zone) else None,)


def apply_stored(payload: Any) -> None:
    """The job APPLY: apply the journal of the zone in the payload."""
    if zone := Zone.find(payload["pk"], payload["sk"]):
        apply(zone)


def _apply_chunks(zone: Zone, chunks: list[list[dict[str, Any]]]) -> None:
    key, start = zone.journal, int(zone.journal_done or 0)
    for done in range(start, len(chunks)):
        writes = Transaction()
        for write in chunks[done]:
            if "put" in write:
                writes.put(LuaDnsItem.from_raw_data(write["put"]))
            else:
                writes.delete(LuaDnsItem(zone.pk, write["delete"]))
        progress: list[Action] = [Zone.journal_done.set(done + 1)]
        if done + 1 == len(chunks):
            progress = [Zone.journal.remove(), Zone.journal_done.remove()]
        not_applied = Zone.journal_done == done if done else Zone.journal_done.does_not_exist()
        writes.update(zone, progress, (Zone.journal == key) & not_applied)
        writes.commit()
    blobs.delete(key)


def _chunks(items: Sequence[JournalWrite]) -> Iterator[list[JournalWrite]]:
    chunk: list[JournalWrite] = []
    size = 0
    for write in items:
        item_size = len(orjson.dumps(write.item.to_dynamodb_dict()))
        if chunk and (len(chunk) == MAX_WRITES or size + item_size > MAX_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(write)
        size += item_size
    if chunk:
        yield chunk
