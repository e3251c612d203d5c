"""Hel's search parameters: the packages that match a query. All tests compare texts; there are no patterns."""

import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate

from chalicelib import settings
from chalicelib.core.catalogues.snapshots import Entry, Selection, Shard, Snapshot
from chalicelib.core.errors import Invalid
from chalicelib.hel import counts, index, model, semver
from chalicelib.hel.entry import PackageEntry, Version, VersionFile

MOST_PHRASES = 32
MOST_TESTS = 100  # phrases of all parameters

Package = Entry[PackageEntry]
Test = Callable[[Package], bool]
LARGEST_OFFSET = 2**53 - 1
_PHRASE = re.compile(r"""(?:[^\s"']|"[^"]*(?:"|$)|'[^']*(?:'|$))+""")
_BY_USES = ("views", "downloads")
_QUOTED = re.compile(r""""([^"]*)"?|'([^']*)'?""")


@dataclass(frozen=True)
class Search:
    """A parsed query: packages with all `words` in some text that pass all `tests`.

    They are in the order `sort`, and `limit` of them after `offset` are wanted, in at most `page_bytes`. The words are
    in lower case.

    `cache_key` identifies the tests and the order; results are cached by it.
    """

    words: Sequence[str]
    tests: Sequence[Test]
    sort: str
    offset: int
    limit: int
    page_bytes: int | None  # None: as many as a response can hold
    cache_key: tuple[tuple[str, tuple[str, ...]], ...]


def parse(query: Mapping[str, Sequence[str]]) -> Search:
    """Parse a query's parameters. Raises Invalid, with Hel's texts."""
    words: list[str] = []
    tests: list[Test] = []
    for param, values in query.items():
        if param == "offset":
            continue
        if param not in _SINGLE_VALUED and param not in _MULTI_VALUED and param not in ("q", "sort", "limit"):
            raise Invalid(f"No such search param: {param}.")
        if not any(values):
            raise Invalid(f"No values given for {param}.")
        if param not in _MULTI_VALUED and len(values) > 1:
            raise Invalid(f"Too many values (1 expected, got {len(values)}).")
        if param == "q":
            words = [phrase.lower() for phrase in phrases(values[0])]
        if tests_for := _SINGLE_VALUED.get(param) or _MULTI_VALUED.get(param):
            tests.extend(test for value in values for test in tests_for(value))
    if (count := len(words) + len(tests)) > MOST_TESTS:
        raise Invalid(f"Too many phrases ({MOST_TESTS} at most, got {count}).")
    return Search(
        words,
        tests,
        sort=_parse_sort(query.get("sort", [""])[0]),
        offset=parse_offset(query.get("offset", [""])[0]),
        limit=_parse_limit(query.get("limit", [""])[0]),
        page_bytes=None if "limit" in query else settings.current().hel_page_bytes,
        cache_key=tuple((param, tuple(query[param])) for param in sorted(query) if param not in ("offset", "limit")),
    )


def parse_offset(text: str) -> int:
    """The first index of a list; 0 for a negative or invalid number."""
    try:
        return min(max(int(text or 0), 0), LARGEST_OFFSET)
    except ValueError:
        return 0


def find(snapshot: Snapshot[PackageEntry], search: Search) -> Sequence[Package]:
    """The packages that pass all tests, in the requested order, by default that of creation."""
    by_uses = search.sort.removeprefix("-") in _BY_USES
    name = (search.cache_key, counts.state() if by_uses else 0)
    return Selection(snapshot, snapshot.lru_cached(name, lambda snapshot: _find(snapshot, search)))


def _find(snapshot: Snapshot[PackageEntry], search: Search) -> list[str]:
    if search.words:
        found = snapshot.in_order(key for shard in snapshot.shards for key in _with_words(shard, search.words))
    else:
        found = list(snapshot.entries)
    if archived := index.archived(snapshot):
        found = [key for key in found if key not in archived]
    if search.tests:
        entries = Selection(snapshot, found)
        found = [entry.key for entry in entries if all(test(entry) for test in search.tests)]
    if search.sort:
        order = _SORTS[search.sort.removeprefix("-")]
        keys = {entry.key: order(entry) for entry in Selection(snapshot, found)}
        found.sort(key=keys.__getitem__, reverse=search.sort.startswith("-"))
    return found


def _with_words(shard: Shard[PackageEntry], words: Sequence[str]) -> Iterator[str]:
    """The keys of the packages with all of these words. Texts are compressed: as strings they would fill the memory."""
    ends, packed = shard.cached("texts", _packed_texts)
    texts, start = zlib.decompress(packed).decode(), 0
    if not all(word in texts for word in words):
        return
    for key, end in zip(shard.records, ends, strict=True):
        if all(texts.find(word, start, end) >= 0 for word in words):
            yield key
        start = end


def _packed_texts(shard: Shard[PackageEntry]) -> tuple[Sequence[int], bytes]:
    """The texts of a shard's packages, joined and compressed, and the index of the end of each."""
    texts = [_texts(entry) for entry in shard.entries()]
    return list(accumulate(map(len, texts))), zlib.compress("".join(texts).encode(), 1)


def _parse_sort(text: str) -> str:
    if text and text.removeprefix("-") not in _SORTS:
        raise Invalid(f"A list can be sorted by {', '.join(_SORTS)}; a leading - reverses the order.")
    return text


def _parse_limit(text: str) -> int:
    chosen = settings.current()
    if not text:
        return chosen.hel_page
    longest = chosen.hel_longest_page
    if not (text.isascii() and text.isdigit() and len(text) < 10 and 0 < int(text) <= longest):
        raise Invalid(f"A limit is a whole number from 1 to {longest}.")
    return int(text)


def phrases(text: str) -> list[str]:
    """Words, and quoted phrases with their blanks; a quote can be inside a word, and need not be closed."""
    found = (_QUOTED.sub(lambda quoted: quoted[1] or quoted[2] or "", phrase) for phrase in _PHRASE.findall(text))
    distinct = list(dict.fromkeys(phrase for phrase in found if phrase))
    if len(distinct) > MOST_PHRASES:
        raise Invalid(f"Too many phrases ({MOST_PHRASES} at most, got {len(distinct)}).")
    return distinct


def _contains(read: Callable[[PackageEntry], Iterable[str]]) -> Callable[[str], list[Test]]:
    """Each phrase must be in one of the texts that `read` returns for a package."""

    def tests_for(value: str) -> list[Test]:
        def test(phrase: str, entry: Package) -> bool:
            return any(phrase in text for text in read(entry.value))

        return [partial(test, phrase) for phrase in phrases(value)]

    return tests_for


def _license(value: str) -> list[Test]:
    return [lambda entry: value in entry.value.license]


def _equals(read: Callable[[PackageEntry], Iterable[str]]) -> Callable[[str], list[Test]]:
    """The whole value must be one of those that `read` returns for a package."""
    return lambda value: [lambda entry: value in read(entry.value)]


def _owner(value: str) -> list[Test]:
    """The value must be one of the owners, in any letter case."""
    return [lambda entry: any(owner.lower() == value.lower() for owner in entry.value.owners)]


def _latest_file(read: Callable[[str, VersionFile], str]) -> Callable[[str], list[Test]]:
    """The whole value must be one of those of the latest version's files."""

    def tests_for(value: str) -> list[Test]:
        return [lambda entry: any(read(*file) == value for file in _latest(entry).files.items())]

    return tests_for


def _dependency(value: str) -> list[Test]:
    """`name`, or `name:range:type` exactly; `name:range` compares only the name, as in Hel 3.4. Further parts are
    ignored.
    """
    name, *rest = value.split(":")

    def test(entry: Package) -> bool:
        found = _latest(entry).depends.get(name)
        if found is None or len(rest) < 2:
            return found is not None
        return [found.version, found.type] == rest[:2]

    return [test]


def _texts(entry: Package) -> str:
    """All texts that `q` searches, in lower case, separated by a character that no phrase contains."""
    value = entry.value
    texts = [value.name, value.description, value.short_description, value.license]
    texts += [*value.owners, *value.authors, *value.tags, *value.screenshots.values()]
    texts += [version.changes for version in value.versions.values()]
    return "\n\0\n".join(texts).lower()


def _latest(entry: Package) -> Version:
    """The highest version; an empty one for a package without versions."""
    return entry.cached("latest", _find_latest)


def _find_latest(entry: Package) -> Version:
    versions = entry.value.versions
    number = semver.latest(versions)
    return versions[number] if number is not None else Version(files={}, depends={}, changes="")


_SINGLE_VALUED: dict[str, Callable[[str], list[Test]]] = {
    "name": _contains(lambda value: [value.name]),
    "description": _contains(lambda value: [value.description]),
    "short_description": _contains(lambda value: [value.short_description]),
    "authors": _contains(lambda value: value.authors),
    "screen_desc": _contains(lambda value: value.screenshots.values()),
    "license": _license,
}
_MULTI_VALUED: dict[str, Callable[[str], list[Test]]] = {
    "owners": _owner,
    "tags": _equals(lambda value: value.tags),
    "screen_url": _equals(lambda value: value.screenshots),
    "file_url": _latest_file(lambda url, file: url),
    "file_dir": lambda value: _latest_file(lambda url, file: file.dir)(model.normal_path(value)),
    "file_name": _latest_file(lambda url, file: file.name),
    "dependency": _dependency,
}
_SORTS: dict[str, Callable[[Package], str | int]] = {
    "name": lambda entry: entry.value.name,
    "created": lambda entry: entry.value.created_at,
    "updated": lambda entry: entry.value.updated_at,
    "views": lambda entry: index.uses(entry)[0],
    "downloads": lambda entry: index.uses(entry)[1],
}
