"""The log: it follows the published events, and answers with checkpoints, tiles and entries (C2SP tlog-tiles).

The entry of the event with the number N has the index N - 1. Entries, tiles and the checkpoint are written in the
transaction that moves the follower's position, so two processes cannot sign different trees
(docs/decisions/0064-transparency-log.md).
"""

from collections.abc import Iterator, Sequence

from chalicelib.core.errors import NotFound
from chalicelib.core.published import Event, Follower
from chalicelib.core.storage import Transaction
from chalicelib.core.transparency import entries, keys, notes, tree
from chalicelib.core.transparency.tables import LogEntry, LogHead, LogTile
from chalicelib.core.transparency.tree import WIDTH, TileOf

_BATCH = 40  # events in one transaction: two items each, the tiles, the head, and a key with the first ones


def _append(events: Sequence[Event], writes: Transaction) -> None:
    """Append the entries of events, and sign the new checkpoint."""
    head = find_head()
    size = int(head.size) if head else 0
    if events and events[0].number != size + 1:
        raise ValueError(f"The log has {size} entries, and the next event has the number {events[0].number}.")
    made = [entries.of_event(event) for event in events]
    leaves = [tree.leaf_hash(one.entry.body) for one in made]
    before = remembering()
    changed = tree.extended(size, leaves, before)

    def tile_of(level: int, position: int) -> bytes:
        return changed.get((level, position)) or before(level, position)

    signing = keys.active(keys.stored()) or [keys.create(writes)]
    checkpoint = notes.Checkpoint(signing[-1].name, size + len(made), tree.root_at(size + len(made), tile_of))
    note = notes.signed(checkpoint, [(keys.verifier(key), keys.private(key)) for key in signing])
    for one in made:
        writes.create(one.entry)
        writes.create(one.opening)
    for (level, position), hashes in changed.items():
        writes.put(LogTile(f"log-tiles#{level}", entries.sk_of(position), hashes=hashes))
    condition = LogHead.size == size if head else LogHead.pk.does_not_exist()
    writes.put(LogHead("log-head", "head", size=size + len(made), checkpoint=note), condition)


FOLLOWER = Follower("log", _append, batch=_BATCH)


def find_head() -> LogHead | None:
    """The newest checkpoint; None before the first event."""
    return LogHead.find("log-head", "head")


def checkpoint() -> str:
    """The newest checkpoint as a signed note. Raises NotFound before the first event."""
    head = find_head()
    if head is None:
        raise NotFound("The log has no entry yet.")
    return str(head.checkpoint)


def stored_tile(level: int, position: int) -> bytes:
    """The hashes of a tile; empty if there are none."""
    tile = LogTile.find(f"log-tiles#{level}", entries.sk_of(position))
    return bytes(tile.hashes) if tile else b""


def remembering() -> TileOf:
    """A function like `stored_tile` that reads each tile once."""
    known: dict[tuple[int, int], bytes] = {}

    def find(level: int, position: int) -> bytes:
        if (level, position) not in known:
            known[level, position] = stored_tile(level, position)
        return known[level, position]

    return find


def tile(level: int, position: int, width: int) -> bytes:
    """The first `width` hashes of a tile. Raises NotFound if it has fewer."""
    hashes = stored_tile(level, position)[: width * tree.HASH_BYTES]
    if len(hashes) < width * tree.HASH_BYTES:
        raise NotFound("The log has no such tile.")
    return hashes


def bundle(position: int, width: int) -> bytes:
    """The first `width` entries of 256, each after its length in two bytes. Raises NotFound if there are fewer."""
    found = list(_entries(position * WIDTH, width))
    if len(found) < width:
        raise NotFound("The log has no such entries.")
    return b"".join(len(entry.body).to_bytes(2, "big") + bytes(entry.body) for entry in found)


def entry(index: int) -> LogEntry:
    """One entry. Raises NotFound."""
    found = LogEntry.find("log-entries", entries.sk_of(index)) if index < 10**12 else None
    if found is None:
        raise NotFound(f"The log has no entry {index}.")
    return found


def every() -> Iterator[LogEntry]:
    """All entries in order."""
    return iter(LogEntry.query("log-entries", consistent_read=True))


def of_work(service: str, name: str) -> Iterator[LogEntry]:
    """The entries of a work, oldest first, as an index has them that can be some milliseconds behind on AWS."""
    return iter(LogEntry.by_listing.query(entries.listing(service, name)))


def _entries(first: int, count: int) -> Iterator[LogEntry]:
    between = LogEntry.sk.between(entries.sk_of(first), entries.sk_of(first + count - 1))
    return iter(LogEntry.query("log-entries", between, consistent_read=True))
