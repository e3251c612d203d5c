"""Snapshots as blobs: an index, and one blob per large shard. A fold writes only the shards that changed.

The index is msgpack: a format number, the entries' shape, whether they have groups, their dictionary, the shards in
order, the keys of the blobs of stored values, and the entries that changed since these were made. A shard is msgpack of
its records by key. A small shard is stored in the index; a large one is a separate blob, whose key is in the index.
So a small catalogue is one blob.
"""

import hashlib
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import msgspec

from chalicelib.core import blobs
from chalicelib.core.catalogues import stored_values
from chalicelib.core.catalogues.entries import E, Outdated
from chalicelib.core.catalogues.packing import Packing
from chalicelib.core.catalogues.shards import Shard
from chalicelib.core.catalogues.snapshots import Snapshot
from chalicelib.core.catalogues.stored_values import Values

INLINE = 32 * 1024  # bytes of a shard up to which the index contains it
_FORMAT = 1

_encode = msgspec.msgpack.Encoder().encode


class Index(msgspec.Struct, frozen=True, array_like=True):
    """The index of a stored snapshot, whose key names the snapshot."""

    format: int
    shape: int
    grouped: bool
    dictionary: bytes
    shards: list[str | dict[str, bytes]]  # keys of blobs, or shards
    values: dict[str, str] = {}  # keys of the blobs of stored values, by name
    changes: dict[str, list[str]] = {}  # keys of the entries that changed since the value was made, by name

    @property
    def keys(self) -> list[str]:
        """The keys of the shards' blobs."""
        return [shard for shard in self.shards if isinstance(shard, str)]


_INDEX = msgspec.msgpack.Decoder(Index)
_SHARD = msgspec.msgpack.Decoder(dict[str, bytes])


@dataclass(frozen=True)
class Stored:
    """A stored snapshot: the key of its index, those of the blobs that it names, and those that `write` has written."""

    index: str
    parts: tuple[str, ...]
    values: Mapping[str, str]
    changes: Mapping[str, list[str]]
    written: tuple[str, ...]

    def discard(self) -> None:
        """Delete what `write` has written."""
        for key in self.written:
            blobs.delete(key)


def read_index(key: str) -> Index:
    """The index of a stored snapshot. Raises NotFound; Outdated for one of a version without shards."""
    try:
        return _INDEX.decode(blobs.get(key))
    except msgspec.DecodeError:
        raise Outdated from None


def read(key: str, packing: Packing[E], sequence: int, modified_at: int) -> Snapshot[E]:
    """The snapshot whose index has this key. Raises NotFound; Outdated for one of an older shape."""
    index = read_index(key)
    if index.shape < packing.codec.shape:
        raise Outdated
    stored = packing.with_dictionary(index.dictionary)
    large = iter(blobs.get_all(index.keys))
    records = (_SHARD.decode(next(large)) if isinstance(shard, str) else shard for shard in index.shards)
    shards: Iterable[Shard[E]] = (Shard(stored, each) for each in records)
    known = {name: key for name, key in index.values.items() if name in index.changes}
    if (index.shape, index.grouped) != (packing.codec.shape, packing.groups_of is not None):
        shards, known = (shard.repacked(stored, index.shape) for shard in shards), {}
    return Snapshot(sequence, modified_at, stored, shards).stored_with(known, index.changes)


def write(snapshot: Snapshot[E], area: str, before: Index | None = None, values: Values[E] = ()) -> Stored:
    """Store a snapshot and values of it under new keys below `area`, except for those that `before` has already.

    The caller makes sure that no other process deletes those.
    """
    area = f"{area}/{{}}-{snapshot.sequence}-{secrets.token_hex(4)}"
    by_digest = {key.rpartition("/")[2]: key for key in (before.keys if before else ())}
    written: list[str] = []
    shards: list[str | dict[str, bytes]] = []
    for shard in snapshot.shards:
        content = _encode(shard.records)
        if len(content) <= INLINE:
            shards.append(dict(shard.records))
            continue
        key = by_digest.get(hashlib.sha256(content).hexdigest())
        if key is None:
            key = blobs.put(content, area.format("shard")).key
            written.append(key)
        shards.append(key)
    known = before.values if before else {}
    names, changes = stored_values.store(values, snapshot, area.format("value"), known)
    written.extend(key for key in names.values() if key not in known.values())
    packing, grouped = snapshot.packing, snapshot.packing.groups_of is not None
    index = Index(_FORMAT, packing.codec.shape, grouped, packing.dictionary, shards, names, changes)
    key = blobs.put(_encode(index), area.format("snapshot")).key
    return Stored(key, (*index.keys, *names.values()), names, changes, (*written, key))
