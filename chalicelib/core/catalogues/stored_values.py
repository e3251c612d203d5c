"""Values of a catalogue, such as its search index, that a fold stores: a new process loads them instead of making them.

The blob of a value has the keys and checksums of all entries from which it was made. A fold compares them with its
snapshot: if few entries differ, it notes their keys in the index of the snapshot, else it writes the value again. A
process updates the value that it loads by these entries, and by those that have changed since the fold.
"""

import logging
from array import array
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence, Set
from itertools import chain
from typing import Any, Generic, TypeVar

import msgspec

from chalicelib.core import blobs
from chalicelib.core.catalogues.entries import E
from chalicelib.core.catalogues.packing import checksum_of
from chalicelib.core.catalogues.snapshots import Snapshot
from chalicelib.core.errors import NotFound

FEWEST = 1000  # entries: values of a smaller catalogue are made in a fraction of a second
MOST_CHANGED = 512  # entries by which a stored value may differ: a process that loads it updates it by so many

T = TypeVar("T")
_log = logging.getLogger(__name__)


class _Blob(msgspec.Struct, frozen=True, array_like=True, gc=False):
    keys: list[str]
    checksums: bytes  # 4 bytes for each key, little-endian as everywhere that this runs
    body: bytes


_BLOB = msgspec.msgpack.Decoder(_Blob)
_encode = msgspec.msgpack.Encoder().encode


class StoredValue(Generic[E, T]):
    """How a value is made, updated and stored.

    `build(snapshot)` makes it; `update(value, snapshot, keys)` returns the value after changes of these entries.
    `encode(value, numbers)` returns bytes, in which the number of a key can stand for the key; `decode(body, keys)`
    returns the value, where `keys` has the key of each number. `decode` raises ValueError for bytes of another form.
    `version` is raised when `build` gives other values for the same entries.
    """

    def __init__(
        self,
        name: str,
        version: int,
        *,
        build: Callable[[Snapshot[E]], T],
        update: Callable[[T, Snapshot[E], Set[str]], T],
        encode: Callable[[T, Mapping[str, int]], bytes],
        decode: Callable[[bytes, Sequence[str]], T],
    ) -> None:
        self.name = f"{name}-{version}"
        self.build = build
        self.update = update
        self.encode = encode
        self.decode = decode

    def is_stored(self, snapshot: Snapshot[E]) -> bool:
        """Whether the value is stored with the snapshot that this one follows."""
        return self.name in snapshot.values.keys

    def of(self, snapshot: Snapshot[E]) -> T:
        """The value of a snapshot, loaded if it is stored."""
        values = snapshot.values
        blob = self._blob(values.keys.get(self.name))
        return self._made(snapshot, blob, values.changed(self.name, snapshot) if blob else ())

    def store(self, snapshot: Snapshot[E], area: str, known: str | None) -> tuple[str, list[str]]:
        """Store the value; return the key of its blob, and the keys of the entries that have changed since.

        If few have, the blob `known` stays in use.
        """
        blob = self._blob(known)
        changed = _differing(blob, snapshot) if blob else ()
        if known and blob and len(changed) <= MOST_CHANGED:
            return known, sorted(changed)
        value = self._made(snapshot, blob, changed)
        records = _records(snapshot)
        body = self.encode(value, {key: number for number, key in enumerate(records)})
        checksums = array("I", map(checksum_of, records.values())).tobytes()
        return blobs.put(_encode(_Blob(list(records), checksums, body)), area).key, []

    def _made(self, snapshot: Snapshot[E], blob: _Blob | None, changed: Collection[str]) -> T:
        """The value of a blob after changes of these entries; a new one if the blob is of no use."""
        if blob is None or 2 * len(changed) > len(blob.keys):
            return self.build(snapshot)
        try:
            value = self.decode(blob.body, _same_keys(blob, snapshot))
        except ValueError:  # of msgspec too
            _log.warning("the stored value %s has another form, and is made again", self.name)
            return self.build(snapshot)
        return self.update(value, snapshot, frozenset(changed)) if changed else value

    def _blob(self, key: str | None) -> _Blob | None:
        """The blob with this key; None without one. It is deleted two days after a fold that replaces it."""
        try:
            return _BLOB.decode(blobs.get(key)) if key else None
        except NotFound:
            return None
        except ValueError:
            _log.warning("the stored value %s has another form, and is made again", self.name)
            return None


Values = Iterable[StoredValue[E, Any]]


def missing(values: Values[E], snapshot: Snapshot[E]) -> bool:
    """Whether a fold should store one of these values that is not stored."""
    return _is_large(snapshot) and not all(value.is_stored(snapshot) for value in values)


def store(
    values: Values[E], snapshot: Snapshot[E], area: str, known: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Store the values of a large catalogue.

    Returns the keys of their blobs, some of which are `known`, and those of the entries that have changed since a value
    was made, both by the name of the value.
    """
    if not _is_large(snapshot):
        return {}, {}
    found = {value.name: value.store(snapshot, area, known.get(value.name)) for value in values}
    return {name: key for name, (key, _) in found.items()}, {name: changed for name, (_, changed) in found.items()}


def _is_large(snapshot: Snapshot[Any]) -> bool:
    return sum(map(len, snapshot.shards)) >= FEWEST


def _records(snapshot: Snapshot[Any]) -> dict[str, bytes]:
    records: dict[str, bytes] = {}
    for shard in snapshot.shards:
        records.update(shard.records)
    return records


def _differing(blob: _Blob, snapshot: Snapshot[Any]) -> Set[str]:
    """The keys of the entries that are not as they were for the stored value."""
    known = dict(zip(blob.keys, array("I", blob.checksums), strict=True))
    changed: set[str] = set()
    for key, record in _records(snapshot).items():
        if known.pop(key, None) != checksum_of(record):
            changed.add(key)
    return changed.union(known)


def _same_keys(blob: _Blob, snapshot: Snapshot[Any]) -> list[str]:
    """The keys of the blob. A key that the snapshot has is returned as its string object, which saves memory."""
    current = list(chain.from_iterable(shard.records for shard in snapshot.shards))
    if current == blob.keys:
        return current
    own = dict(zip(current, current, strict=True))
    return list(map(own.get, blob.keys, blob.keys))
