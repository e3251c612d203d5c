"""Full-text search: English stems, every word a prefix, fields by weight.

`q` uses the syntax of web search: all words must match, `or` separates alternatives, `-word` excludes a word, and
"quotes" enclose a phrase.
"""

import re
import threading
from collections import defaultdict
from collections.abc import Set
from dataclasses import dataclass
from functools import lru_cache

from chalicelib.contentdb.browse import postings
from chalicelib.contentdb.browse.postings import Fields, Postings
from chalicelib.contentdb.entry import ContentDbEntry, ContentDbSnapshot, PackageEntry
from chalicelib.contentdb.store import index, rows
from chalicelib.core.catalogues.derived import Derived
from chalicelib.core.catalogues.snapshots import Entry
from chalicelib.core.catalogues.stored_values import StoredValue

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


# by Fields: one bit for each field, in the order of WEIGHTS; four bits higher if the whole word matches
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
    known = _derived.get(snapshot, _POSTINGS.name, _POSTINGS.of, _POSTINGS.update)
    if len(search) == 1:
        return _matching(snapshot, known, search[0])
    found: dict[str, float] = {}
    for terms in search:
        for key, rank in _matching(snapshot, known, terms).items():
            found[key] = max(rank, found.get(key, 0.0))
    return found


def _build(snapshot: ContentDbSnapshot) -> Postings:
    return postings.build((key, _document(value)) for key, value in rows.packages(snapshot))


def _update(known: Postings, snapshot: ContentDbSnapshot, changed: Set[str]) -> Postings:
    entries = ((key, index.find(snapshot, key)) for key in changed if "#" not in key)
    return known.updated({key: _document(entry.value) if entry else None for key, entry in entries})


# a new version of the stemmer, whose stems can differ, is a new version of the stored postings
_POSTINGS = index.catalogue.keep(
    StoredValue("search", 1, build=_build, update=_update, encode=Postings.encoded, decode=postings.decode)
)
_derived: Derived[ContentDbEntry] = Derived()  # not with the rows: it stays when counts change


def _matching(snapshot: ContentDbSnapshot, known: Postings, terms: Terms) -> dict[str, float]:
    entries = snapshot.entries

    def has_line(key: str, phrase: tuple[str, ...]) -> bool:
        return " " + " ".join(phrase) in entries[key].cached("line", _line)

    if terms.wanted:
        found = known.matching(terms.wanted, _SCORES, has_line)
    else:
        found = dict.fromkeys(known.keys(), 0.0)
    for phrase in terms.unwanted:
        for key in known.matching([phrase], _SCORES, has_line):
            found.pop(key, None)
    return found


_local = threading.local()  # a stemmer is not thread-safe: each thread has its own


def _document(value: PackageEntry) -> dict[str, Fields]:
    """The stems of a package, each with its fields."""
    found: dict[str, Fields] = defaultdict(int)
    for position, field in enumerate(WEIGHTS):
        for stem in _stems(getattr(value, field) or ""):
            found[stem] |= 1 << position
    return dict(found)


def _line(entry: Entry[ContentDbEntry]) -> str:
    """All stems of a package in order, each after a blank, with a separator between fields."""
    return "\n".join("".join(f" {stem}" for stem in _stems(getattr(entry.value, field) or "")) for field in WEIGHTS)


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
