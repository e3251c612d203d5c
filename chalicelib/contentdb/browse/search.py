"""Full-text search: English stems, every word a prefix, fields by weight.

`q` uses the syntax of web search: all words must match, `or` separates alternatives, `-word` excludes a word, and
"quotes" enclose a phrase.
"""

import re
import threading
from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache

from chalicelib.contentdb.entry import ContentDbSnapshot, PackageEntry
from chalicelib.contentdb.store import index
from chalicelib.core.snapshots import Entry

WEIGHTS = {"name": 1.0, "title": 0.4, "short_description": 0.2, "long_description": 0.1}
_PREFIX_ONLY = 0.9  # a word that only starts with the searched one has a lower weight
_LONGEST_WORD = 64
_TERM = re.compile(r'(-?)("[^"]*"?|\S+)')
_WORD = re.compile(r"[^\W_]+")
_STOP_WORDS = frozenset(
    """
    i me my myself we our ours ourselves you your yours yourself yourselves he him his himself she her hers herself
    it its itself they them their theirs themselves what which who whom this that these those am is are was were be
    been being have has had having do does did doing a an the and but if or because as until while of at by for with
    about against between into through during before after above below to from up down in out on off over under
    again further then once here there when where why how all any both each few more most other some such no nor not
    only own same so than too very s t can will just don should now
    """.split()  # noqa: SIM905 (as a list it would be 127 lines)
)


Fields = int  # one bit for each field, in the order of WEIGHTS; four bits higher if the whole word matches
_SCORES = [
    sum(
        weight if fields >> 4 + position & 1 else weight * _PREFIX_ONLY
        for position, weight in enumerate(WEIGHTS.values())
        if fields >> position & 1
    )
    for fields in range(256)
]


@dataclass(frozen=True)
class Terms:
    """Included and excluded phrases, as stems; the last stem of a phrase can be a prefix."""

    wanted: tuple[tuple[str, ...], ...]
    unwanted: tuple[tuple[str, ...], ...]


Search = tuple[Terms, ...]  # alternatives; an empty search finds nothing


def parse(text: str) -> Search:
    """Parse the text of a search."""
    alternatives: list[Terms] = []
    wanted: list[tuple[str, ...]] = []
    unwanted: list[tuple[str, ...]] = []
    for minus, term in [*_TERM.findall(text), ("", "or")]:
        if term.lower() == "or" and not minus:
            if wanted or unwanted:
                alternatives.append(Terms(tuple(wanted), tuple(unwanted)))
            wanted, unwanted = [], []
        elif stems := tuple(_stems(term)):
            (unwanted if minus else wanted).append(stems)
    return tuple(alternatives)


def ranks(snapshot: ContentDbSnapshot, search: Search) -> dict[str, float]:
    """The matching packages by `author/name`, with their ranks: higher is better."""
    return _index.ranks(snapshot, search)


class _Index:
    """The packages and fields of each stem. It is updated to each new snapshot by its changed packages only."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._snapshot: ContentDbSnapshot | None = None
        self._entries: dict[str, Entry[PackageEntry]] = {}
        self._postings: dict[str, dict[str, Fields]] = {}
        self._stems: list[str] = []  # sorted; can include stems that no package has any more

    def ranks(self, snapshot: ContentDbSnapshot, search: Search) -> dict[str, float]:
        with self._lock:
            self._update(snapshot)
            found: dict[str, float] = {}
            for terms in search:
                for key, rank in self._matching(terms).items():
                    found[key] = max(rank, found.get(key, 0.0))
            return found

    def _matching(self, terms: Terms) -> dict[str, float]:
        wanted = sorted((self._with_phrase(phrase) for phrase in terms.wanted), key=len)
        first, others = (wanted[0], wanted[1:]) if wanted else (self._entries, [])
        found = {
            key: sum(_SCORES[packages[key]] for packages in wanted)
            for key in first
            if all(key in packages for packages in others)
        }
        for phrase in terms.unwanted:
            packages = self._with_phrase(phrase)
            found = {key: rank for key, rank in found.items() if key not in packages}
        return found

    def _with_phrase(self, phrase: tuple[str, ...]) -> dict[str, Fields]:
        """The packages in which these stems follow each other."""
        packages = self._with_prefix(phrase[-1])
        if len(phrase) == 1:
            return packages
        for stem in phrase[:-1]:
            others = self._postings.get(stem, {})
            packages = {key: fields & (others[key] | 0xF0) for key, fields in packages.items() if key in others}
        line = " " + " ".join(phrase)
        return {key: fields for key, fields in packages.items() if line in _line(self._entries[key])}

    def _with_prefix(self, prefix: str) -> dict[str, Fields]:
        found: dict[str, Fields] = defaultdict(int)
        for position in range(bisect_left(self._stems, prefix), len(self._stems)):
            stem = self._stems[position]
            if not stem.startswith(prefix):
                break
            whole = stem == prefix
            for key, fields in self._postings[stem].items():
                found[key] |= fields | fields << 4 if whole else fields
        return found

    def _update(self, snapshot: ContentDbSnapshot) -> None:
        if snapshot is self._snapshot:
            return
        entries = {entry.key: entry for entry in index.packages(snapshot)}
        for key, entry in self._entries.items():
            if entries.get(key) is not entry:
                for stem in _fields(entry):
                    del self._postings[stem][key]
        new: list[str] = []
        for key, entry in entries.items():
            if self._entries.get(key) is not entry:
                for stem, fields in _fields(entry).items():
                    if stem not in self._postings:
                        self._postings[stem] = {}
                        new.append(stem)
                    self._postings[stem][key] = fields
        self._stems = sorted(self._stems + sorted(new))
        self._entries, self._snapshot = entries, snapshot


_index = _Index()
_local = threading.local()  # a stemmer is not thread-safe: each thread has its own


def _fields(entry: Entry[PackageEntry]) -> dict[str, Fields]:
    """The stems of a package, each with its fields."""

    def build(entry: Entry[PackageEntry]) -> dict[str, Fields]:
        found: dict[str, Fields] = defaultdict(int)
        for position, field in enumerate(WEIGHTS):
            for stem in _stems(getattr(entry.value, field) or ""):
                found[stem] |= 1 << position
        return dict(found)

    return entry.cached("stems", build)


def _line(entry: Entry[PackageEntry]) -> str:
    """All stems of a package in order, each after a blank, with a separator between fields."""

    def build(entry: Entry[PackageEntry]) -> str:
        return "\n".join("".join(f" {stem}" for stem in _stems(getattr(entry.value, field) or "")) for field in WEIGHTS)

    return entry.cached("line", build)


def _stems(text: str) -> list[str]:
    """The stems of a text's words, without stop words."""
    return [_stem(word) for word in _WORD.findall(text.lower()) if word not in _STOP_WORDS]


@lru_cache(65536)
def _stem(word: str) -> str:
    if len(word) > _LONGEST_WORD:
        return word
    if not hasattr(_local, "stemmer"):
        from Stemmer import Stemmer

        _local.stemmer = Stemmer("english", 0)
    return str(_local.stemmer.stemWord(word))
