"""The documents of each stem: an immutable base of arrays, and the documents that changed since.

A document has for each of its stems the fields with that stem: one bit per field, `Fields`. In results four bits higher
are set for the fields with the whole searched word, not only a word that starts with it.
"""

from array import array
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import fsum

import msgspec

Fields = int
Document = Mapping[str, Fields]
Phrase = tuple[str, ...]  # stems that follow each other; the last one can be a prefix
MOST_CHANGED = 1024  # documents next to the base

_WHOLE = bytes((fields | fields << 4) & 0xFF for fields in range(256))
_AFTER = "\U0010ffff"  # sorts after every character of a stem


@dataclass(frozen=True)
class Base:
    """Documents by number. Those of stem `n` are in `docs` and `fields` from `starts[n]` to `starts[n + 1]`."""

    keys: list[str] = field(default_factory=list)
    stems: list[str] = field(default_factory=list)
    starts: "array[int]" = field(default_factory=lambda: array("I", (0,)))
    docs: "array[int]" = field(default_factory=lambda: array("I"))
    fields: bytes = b""

    def size_of(self, phrase: Phrase) -> int:
        """At most so many documents have a phrase."""
        first, last = self._prefixed(phrase[-1])
        ranges = [(self.starts[first], self.starts[last]), *map(self._range, phrase[:-1])]
        return min(end - start for start, end in ranges)

    def with_phrase(self, phrase: Phrase, among: Mapping[int, object] | None = None) -> dict[int, Fields]:
        """The documents that have all stems of a phrase; if `among` has few documents, only those of it."""
        found = self._with_prefix(phrase[-1], among)
        for stem in phrase[:-1]:
            others = dict(zip(self._docs_of(stem), self._fields_of(stem), strict=True))
            found = {doc: fields & (others[doc] | 0xF0) for doc, fields in found.items() if doc in others}
        return found

    def without(self, hidden: Collection[int]) -> Iterator[tuple[str, list[int], bytes]]:
        """Each stem with its documents and their fields, except the hidden documents."""
        for stem in self.stems:
            docs, fields = self._docs_of(stem), self._fields_of(stem)
            if hidden:
                kept = [position for position, doc in enumerate(docs) if doc not in hidden]
                yield stem, [docs[position] for position in kept], bytes(fields[position] for position in kept)
            else:
                yield stem, docs.tolist(), fields

    def _with_prefix(self, prefix: str, among: Mapping[int, object] | None) -> dict[int, Fields]:
        found: dict[int, Fields] = {}
        first, last = self._prefixed(prefix)
        few = among is not None and 2 * len(among) < self.starts[last] - self.starts[first]
        for number in range(first, last):
            start, end = self.starts[number], self.starts[number + 1]
            fields = self.fields[start:end]
            if self.stems[number] == prefix:
                fields = fields.translate(_WHOLE)
            pairs: Iterable[tuple[int, Fields]] = zip(self.docs[start:end], fields, strict=True)
            if few and among is not None:
                pairs = ((doc, mask) for doc, mask in pairs if doc in among)
            if not found:
                found = dict(pairs)
                continue
            for doc, mask in pairs:
                found[doc] = found[doc] | mask if doc in found else mask
        return found

    def _prefixed(self, prefix: str) -> tuple[int, int]:
        """The range of the stems that start with a prefix."""
        return bisect_left(self.stems, prefix), bisect_left(self.stems, prefix + _AFTER)

    def _range(self, stem: str) -> tuple[int, int]:
        number = bisect_left(self.stems, stem)
        if number == len(self.stems) or self.stems[number] != stem:
            return 0, 0
        return self.starts[number], self.starts[number + 1]

    def _docs_of(self, stem: str) -> "array[int]":
        start, end = self._range(stem)
        return self.docs[start:end]

    def _fields_of(self, stem: str) -> bytes:
        start, end = self._range(stem)
        return self.fields[start:end]


@dataclass(frozen=True)
class Postings:
    """All documents: those of the base that are not hidden, and the changed ones by key."""

    base: Base = field(default_factory=Base)
    numbers: Mapping[str, int] = field(default_factory=dict)  # of the base's documents, by key
    changed: Mapping[str, Document] = field(default_factory=dict)
    hidden: frozenset[int] = frozenset()

    def updated(self, documents: Mapping[str, Document | None]) -> "Postings":
        """The postings after changes of these documents; None: deleted."""
        changed = dict(self.changed)
        for key, document in documents.items():
            if document is None:
                changed.pop(key, None)
            else:
                changed[key] = document
        hidden = self.hidden.union(self.numbers[key] for key in documents if key in self.numbers)
        new = Postings(self.base, self.numbers, changed, hidden)
        return new if len(changed) <= MOST_CHANGED else new._merged()

    def keys(self) -> Iterator[str]:
        """The keys of all documents."""
        yield from (key for number, key in enumerate(self.base.keys) if number not in self.hidden)
        yield from self.changed

    def matching(
        self, wanted: Iterable[Phrase], scores: Sequence[float], has_line: Callable[[str, Phrase], bool]
    ) -> dict[str, float]:
        """The documents that have all wanted phrases, with their ranks: the sum of the scores of each phrase's fields.

        `has_line(key, phrase)` returns whether the stems of a longer phrase follow each other in the document.
        """
        phrases = sorted(wanted, key=self.base.size_of)
        found = self._in_base(phrases, scores, has_line)
        for key, document in self.changed.items():
            masks = [mask for phrase in phrases if (mask := _fields_of(document, phrase)) is not None]
            if len(masks) == len(phrases) and all(len(phrase) == 1 or has_line(key, phrase) for phrase in phrases):
                found[key] = fsum(scores[mask] for mask in masks)
        return found

    def _in_base(
        self, phrases: list[Phrase], scores: Sequence[float], has_line: Callable[[str, Phrase], bool]
    ) -> dict[str, float]:
        """The documents of the base. A sum is rounded once, so the order of the phrases does not matter."""
        keys, hidden = self.base.keys, self.hidden
        masks: list[dict[int, Fields]] = []
        for phrase in phrases:
            found = self.base.with_phrase(phrase, masks[-1] if masks else None)
            if len(phrase) > 1:
                found = {doc: mask for doc, mask in found.items() if doc not in hidden and has_line(keys[doc], phrase)}
            masks.append(found)
        first, *others = masks
        if hidden:
            first = {doc: mask for doc, mask in first.items() if doc not in hidden}
        if not others:
            return {keys[doc]: scores[mask] for doc, mask in first.items()}
        if len(others) == 1:  # the same as below, in half the time
            other = others[0]
            return {keys[doc]: scores[mask] + scores[other[doc]] for doc, mask in first.items() if doc in other}
        common = (doc for doc in first if all(doc in other for other in others))
        return {keys[doc]: fsum(scores[found[doc]] for found in masks) for doc in common}

    def encoded(self, numbers: Mapping[str, int]) -> bytes:
        """The documents as bytes, for `decode`. A document is encoded as the number of its key."""
        base = self._merged().base if self.changed or self.hidden else self.base
        places = array("I", (numbers[key] for key in base.keys))
        return _encode(_Encoded(places.tobytes(), base.stems, base.starts.tobytes(), base.docs.tobytes(), base.fields))

    def _merged(self) -> "Postings":
        """The same documents in a new base."""
        keys = list(self.keys())
        numbers = {key: number for number, key in enumerate(keys)}
        moved = {doc: numbers[key] for doc, key in enumerate(self.base.keys) if doc not in self.hidden}
        found: dict[str, tuple[list[int], bytearray]] = {
            stem: ([moved[doc] for doc in docs], bytearray(fields))
            for stem, docs, fields in self.base.without(self.hidden)
        }
        for key, document in self.changed.items():
            for stem, fields in document.items():
                docs, masks = found.setdefault(stem, ([], bytearray()))
                docs.append(numbers[key])
                masks.append(fields)
        return of(keys, {stem: pair for stem, pair in found.items() if pair[0]}, numbers)


class _Encoded(msgspec.Struct, frozen=True, array_like=True, gc=False):
    places: bytes
    stems: list[str]
    starts: bytes
    docs: bytes
    fields: bytes


_encode = msgspec.msgpack.Encoder().encode
_DECODER = msgspec.msgpack.Decoder(_Encoded)


def decode(body: bytes, keys: Sequence[str]) -> Postings:
    """The postings that `Postings.encoded` has encoded. Raises ValueError for other bytes."""
    found = _DECODER.decode(body)
    own = list(map(keys.__getitem__, array("I", found.places)))
    base = Base(own, found.stems, array("I", found.starts), array("I", found.docs), found.fields)
    return Postings(base, dict(zip(own, range(len(own)), strict=True)))


def of(keys: list[str], postings: Mapping[str, tuple[list[int], bytearray]], numbers: Mapping[str, int]) -> Postings:
    """The postings with this base: for each stem the numbers of its documents and their fields."""
    stems = sorted(postings)
    starts, docs, fields = array("I", (0,)), array("I"), bytearray()
    for stem in stems:
        docs.extend(postings[stem][0])
        fields += postings[stem][1]
        starts.append(len(docs))
    return Postings(Base(keys, stems, starts, docs, bytes(fields)), numbers)


def build(documents: Iterable[tuple[str, Document]]) -> Postings:
    """The postings of documents by key."""
    keys: list[str] = []
    found: dict[str, tuple[list[int], bytearray]] = {}
    for number, (key, document) in enumerate(documents):
        keys.append(key)
        for stem, fields in document.items():
            docs, masks = found.setdefault(stem, ([], bytearray()))
            docs.append(number)
            masks.append(fields)
    return of(keys, found, {key: number for number, key in enumerate(keys)})


def _fields_of(document: Document, phrase: Phrase) -> Fields | None:
    """The fields of a phrase in a document; None if a stem is missing."""
    *stems, prefix = phrase
    masks = [mask | mask << 4 if stem == prefix else mask for stem, mask in document.items() if stem.startswith(prefix)]
    if not masks or any(stem not in document for stem in stems):
        return None
    found = 0
    for mask in masks:
        found |= mask
    for stem in stems:
        found &= document[stem] | 0xF0
    return found
