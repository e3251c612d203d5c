"""Changes larger than one transaction: decided in one, then written out in several (docs/decisions/0013-luadns.md).

The decision is the zone's new serial together with the name of a blob that lists every write. Until all of them are
done, `Zone.journal` names it, and whoever reads or changes the zone does them first. A chunk of writes and the mark
that it is done are one transaction on condition that it was not, so that nobody who slept overwrites what came later.
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
SETTLE = "luadns-settle"  # the job that writes out what a change has left in its journal
MOST_WRITES = 90  # of the 100 in a transaction: some are the zone's own, the audit's and the engine's
MOST_BYTES = 2_500_000  # of the 4 MB in a transaction


class Write(NamedTuple):
    """An item to write or to delete; `before` is the serial at which it last changed, None when it is new."""

    item: LuaDnsItem
    before: int | None
    gone: bool


def fits(items: Sequence[Write]) -> bool:
    """Whether these writes can be one transaction together with the zone's own."""
    return len(list(_chunks(items))) <= 1


def begin(writes: Transaction, zone: Zone, items: Sequence[Write]) -> str:
    """Keep the list of writes, and promise them in the transaction that decides; returns what `Zone.journal` says."""
    chunks = [
        [{"delete": item.sk} if gone else {"put": item.to_dynamodb_dict()} for item, _, gone in chunk]
        for chunk in _chunks(items)
    ]
    jobs.enqueue(writes, SETTLE, {"pk": zone.pk, "sk": zone.sk})
    return blobs.put(orjson.dumps(chunks), f"{AREA}/{int(zone.id)}-{secrets.token_hex(8)}").key


def settle(zone: Zone) -> None:
    """Do what the zone's journal still has to do."""
    current: Zone | None = zone
    while current is not None and current.journal:
        key = current.journal
        try:
            _write_out(current, orjson.loads(blobs.get(key)))
        except (Contended, NotFound) as error:  # somebody else goes on with it, or has finished
            current = Zone.find(zone.pk, zone.sk)
            if isinstance(error, NotFound) and current is not None and current.journal == key:
                raise
        else:
            return


def blobs_of(item: LuaDnsItem) -> tuple[str | None]:
    """The journal of a zone that is half written."""
    return (item.journal if isinstance(item, Zone) else None,)


def settle_stored(payload: Any) -> None:
    """The job SETTLE: `settle` the zone that the payload names."""
    if zone := Zone.find(payload["pk"], payload["sk"]):
        settle(zone)


def _write_out(zone: Zone, chunks: list[list[dict[str, Any]]]) -> None:
    key, start = zone.journal, int(zone.journal_done or 0)
    for done in range(start, len(chunks)):
        writes = Transaction()
        for write in chunks[done]:
            if "put" in write:
                writes.put(LuaDnsItem.from_raw_data(write["put"]))
            else:
                writes.delete(LuaDnsItem(zone.pk, write["delete"]))
        mark: list[Action] = [Zone.journal_done.set(done + 1)]
        if done + 1 == len(chunks):
            mark = [Zone.journal.remove(), Zone.journal_done.remove()]
        stands = Zone.journal_done == done if done else Zone.journal_done.does_not_exist()
        writes.update(zone, mark, (Zone.journal == key) & stands)
        writes.commit()
    blobs.delete(key)


def _chunks(items: Sequence[Write]) -> Iterator[list[Write]]:
    chunk: list[Write] = []
    size = 0
    for write in items:
        weight = len(orjson.dumps(write.item.to_dynamodb_dict()))
        if chunk and (len(chunk) == MOST_WRITES or size + weight > MOST_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(write)
        size += weight
    if chunk:
        yield chunk
