"""Full-text search: English stems, every word a prefix, fields by weight.

The language of `q` is that of web search: words must all be there, `or` between alternatives, `-word` for what must
not be there, "quotes" around what stands together. A package's texts are kept as lines of stems, each after a blank;
so a prefix, also of a phrase, is found as a piece of text. 3,000 packages are looked through in a few milliseconds, and
a publish costs work for one package.
"""

import re
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from chalicelib.core.views import Entry

if TYPE_CHECKING:
    from snowballstemmer.english_stemmer import EnglishStemmer

WEIGHTS = (("name", 1.0), ("title", 0.4), ("short_description", 0.2), ("long_description", 0.1))
_PREFIX_ONLY = 0.9  # a word that only begins like the one asked for counts a little less
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


@dataclass(frozen=True)
class Terms:
    """What must be there, and what must not; each a line of stems that begins with a blank."""

    wanted: tuple[str, ...]
    unwanted: tuple[str, ...]


Search = tuple[Terms, ...]  # alternatives; without any, nothing is found


def parse(text: str) -> Search:
    """What somebody looks for."""
    alternatives: list[Terms] = []
    wanted: list[str] = []
    unwanted: list[str] = []
    for minus, term in [*_TERM.findall(text), ("", "or")]:
        if term.lower() == "or" and not minus:
            if wanted or unwanted:
                alternatives.append(Terms(tuple(wanted), tuple(unwanted)))
            wanted, unwanted = [], []
        elif line := _line(term):
            (unwanted if minus else wanted).append(line)
    return tuple(alternatives)


def rank(entry: Entry, search: Search) -> float | None:
    """How well a package fits, the higher the better; None when it does not."""
    texts, everything = entry.keep("search", _texts)
    ranks = [
        sum(_weight(texts, line) for line in terms.wanted)
        for terms in search
        if all(line in everything for line in terms.wanted) and not any(line in everything for line in terms.unwanted)
    ]
    return max(ranks, default=None)


def _texts(entry: Entry) -> tuple[list[str], str]:
    """The lines of the fields, in the order of WEIGHTS, and all of them."""
    lines = [_line(entry.value[field] or "") for field, _ in WEIGHTS]
    return lines, "\n".join(lines)


def _weight(texts: list[str], line: str) -> float:
    total = 0.0
    for (_, weight), text in zip(WEIGHTS, texts, strict=True):
        if line in text:
            total += weight if f"{line} " in f"{text} " else weight * _PREFIX_ONLY
    return total


def _line(text: str) -> str:
    """The stems of a text, each after a blank; words that say nothing are left out."""
    words = (word for word in _WORD.findall(text.lower()) if word not in _STOP_WORDS)
    return "".join([f" {_stem(word)}" for word in words])


@lru_cache(65536)
def _stem(word: str) -> str:
    return str(_stemmer().stemWord(word)) if len(word) < 64 else word


@cache
def _stemmer() -> "EnglishStemmer":
    from snowballstemmer.english_stemmer import EnglishStemmer

    return EnglishStemmer()
