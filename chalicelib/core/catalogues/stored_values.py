"""Values of a catalogue, such as its search index, that a fold stores: a new process loads them instead of making them.

The blob of a value has the keys and checksums of all entries from which it was made. So a value of any age can be
loaded: it is then updated by the entries that differ. A fold writes it again when many do.
"""

import logging
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
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

    def of(self, snapshot: Snapshot[E]) -> T:
        """The value of a snapshot, loaded if it is stored."""
        return self._made(snapshot, self._loaded(snapshot, snapshot.values.get(self.name)))

    def store(self, snapshot: Snapshot[E], area: str, known: str | None) -> str:
        """Store the value, and return the key of its blob: `known` if that one differs by few entries."""
        loaded = self._loaded(snapshot, known)
        if known and loaded and len(loaded[1]) <= MOST_CHANGED:
            return known
        value = self._made(snapshot, loaded)
        records = _records(snapshot)
        body = self.encode(value, {key: number for number, key in enumerate(records)})
        checksums = array("I", map(checksum_of, records.values())).tobytes()
        return blobs.put(_encode(_Blob(list(records), checksums, body)), area).key

    def _made(self, snapshot: Snapshot[E], loaded: tuple[T, Set[str]] | None) -> T:
        if loaded is None:
            return self.build(snapshot)
        value, changed = loaded
        return self.update(value, snapshot, changed) if changed else value

    def _loaded(self, snapshot: Snapshot[E], key: str | None) -> tuple[T, Set[str]] | None:
        """A stored value and the keys of the entries that differ; None if it cannot be used.

        A blob is deleted two days after a fold that replaces it.
        """
        try:
            blob = _BLOB.decode(blobs.get(key)) if key else None
            changed = _differing(blob, snapshot) if blob else frozenset()
            if blob is None or 2 * len(changed) > len(blob.keys):
                return None
            return self.decode(blob.body, _same_keys(blob, snapshot)), changed
        except NotFound:
            return None
        except ValueError:  # of msgspec too
            _log.warning("the stored value %s has another form, and is made again", self.name)
            return None


Values = Iterable[StoredValue[E, Any]]


def missing(values: Values[E], snapshot: Snapshot[E]) -> bool:
    """Whether a fold should store one of these values that is not stored."""
    return _is_large(snapshot) and any(value.name not in snapshot.values for value in values)


def store(values: Values[E], snapshot: Snapshot[E], area: str, known: Mapping[str, str]) -> dict[str, str]:
    """Store the values of a large catalogue; return the keys of their blobs by name, some of which are `known`."""
    if not _is_large(snapshot):
        return {}
    return {value.name: value.store(snapshot, area, known.get(value.name)) for value in values}


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
    """The keys of the blob; those that the snapshot has too are its own objects, which saves the memory of others."""
    own = {key: key for shard in snapshot.shards for key in shard.records}
    return [own.get(key, key) for key in blob.keys]
