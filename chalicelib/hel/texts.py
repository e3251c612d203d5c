"""The texts of all packages that `q` searches, in compressed chunks: as strings they would fill the memory.

The chunks are stored with the catalogue (core/catalogues/stored_values.py). Changed packages are next to them.
"""

import zlib
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from itertools import accumulate, islice

import msgspec

from chalicelib.core.catalogues.derived import Derived
from chalicelib.core.catalogues.snapshots import Snapshot
from chalicelib.core.catalogues.stored_values import StoredValue
from chalicelib.hel import index
from chalicelib.hel.entry import PackageEntry

_CHUNK = 512  # packages
_MOST_CHANGED = 1024  # packages next to the chunks

_encode = msgspec.msgpack.Encoder().encode
_STORED = msgspec.msgpack.Decoder(list[tuple[bytes, bytes, bytes]])


@dataclass(frozen=True)
class _Chunk:
    keys: Sequence[str]
    ends: "array[int]"  # of the text of each package, in characters
    packed: bytes  # all texts, one after the other


@dataclass(frozen=True)
class SearchTexts:
    """The texts by key. `changed` has those that replace a text of the chunks; None: the package was deleted."""

    chunks: tuple[_Chunk, ...] = ()
    changed: Mapping[str, str | None] = field(default_factory=dict)

    def containing(self, words: Sequence[str]) -> set[str]:
        """The keys of the packages whose text contains all of these words, which are in lower case."""
        found = {key for key, text in self.changed.items() if text and all(word in text for word in words)}
        for chunk in self.chunks:
            text = zlib.decompress(chunk.packed).decode()
            if all(word in text for word in words):
                found.update(key for key in _containing(chunk, text, words) if key not in self.changed)
        return found

    def updated(self, changes: Mapping[str, str | None]) -> "SearchTexts":
        """The texts after changes of these packages; None: deleted."""
        new = SearchTexts(self.chunks, {**self.changed, **changes})
        return new if len(new.changed) <= _MOST_CHANGED else new._merged()

    def encoded(self, numbers: Mapping[str, int]) -> bytes:
        """The texts as bytes, for `decode`: the number of a key stands for the key."""
        chunks = (self._merged() if self.changed else self).chunks
        keys = (array("I", map(numbers.__getitem__, chunk.keys)).tobytes() for chunk in chunks)
        return _encode([(own, chunk.ends.tobytes(), chunk.packed) for own, chunk in zip(keys, chunks, strict=True)])

    def _merged(self) -> "SearchTexts":
        return of((*self._unchanged(), *((key, text) for key, text in self.changed.items() if text is not None)))

    def _unchanged(self) -> Iterator[tuple[str, str]]:
        for chunk in self.chunks:
            text, start = zlib.decompress(chunk.packed).decode(), 0
            for key, end in zip(chunk.keys, chunk.ends, strict=True):
                if key not in self.changed:
                    yield key, text[start:end]
                start = end


def of(texts: Iterable[tuple[str, str]]) -> SearchTexts:
    """These texts, by key, in chunks."""
    rest = iter(texts)
    return SearchTexts(tuple(iter(lambda: _chunk(list(islice(rest, _CHUNK))), _chunk([]))))


def decode(body: bytes, keys: Sequence[str]) -> SearchTexts:
    """The texts that `SearchTexts.encoded` has encoded; `keys` has the key of each number. Raises ValueError."""
    return SearchTexts(
        tuple(
            _Chunk([keys[number] for number in array("I", own)], array("I", ends), packed)
            for own, ends, packed in _STORED.decode(body)
        )
    )


def current(snapshot: Snapshot[PackageEntry]) -> SearchTexts:
    """The texts of a snapshot."""
    return _derived.get(snapshot, TEXTS.name, TEXTS.of, TEXTS.update)


def _chunk(texts: Sequence[tuple[str, str]]) -> _Chunk:
    joined = "".join(text for _, text in texts).encode()
    return _Chunk(
        [key for key, _ in texts], array("I", accumulate(len(text) for _, text in texts)), zlib.compress(joined, 1)
    )


def _containing(chunk: _Chunk, text: str, words: Sequence[str]) -> Iterator[str]:
    start = 0
    for key, end in zip(chunk.keys, chunk.ends, strict=True):
        if all(text.find(word, start, end) >= 0 for word in words):
            yield key
        start = end


def _build(snapshot: Snapshot[PackageEntry]) -> SearchTexts:
    return of((entry.key, _text(entry.value)) for shard in snapshot.shards for entry in shard.entries())


def _update(known: SearchTexts, snapshot: Snapshot[PackageEntry], keys: Set[str]) -> SearchTexts:
    found = {key: snapshot.entries.get(key) for key in keys}
    return known.updated({key: _text(entry.value) if entry else None for key, entry in found.items()})


def _text(value: PackageEntry) -> str:
    """All searched texts in lower case, separated by a character that no phrase contains."""
    texts = [value.name, value.description, value.short_description, value.license]
    texts += [*value.owners, *value.authors, *value.tags, *value.screenshots.values()]
    texts += [version.changes for version in value.versions.values()]
    return "\n\0\n".join(texts).lower()


TEXTS = index.catalogue.keep(
    StoredValue("texts", 1, build=_build, update=_update, encode=SearchTexts.encoded, decode=decode)
)
_derived: Derived[PackageEntry] = Derived()
