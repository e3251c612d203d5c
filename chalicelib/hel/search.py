"""Hel's search parameters: the packages that match a query. All tests compare texts; there are no patterns."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from chalicelib import settings
from chalicelib.core.catalogues.snapshots import Entry, Selection, Snapshot
from chalicelib.core.errors import Invalid
from chalicelib.hel import counts, index, model, rows, texts
from chalicelib.hel.entry import PackageEntry
from chalicelib.hel.rows import ListedPackage

FIELDS = (
    *("name", "description", "short_description", "owners", "authors", "license", "tags", "versions", "screenshots"),
    "stats",
)
MOST_PHRASES = 32
MOST_TESTS = 100  # phrases of all parameters

Package = Entry[PackageEntry]
Test = Mapping[str, Callable[[Any], bool]]  # by field of a row
LARGEST_OFFSET = 2**53 - 1
_PHRASE = re.compile(r"""(?:[^\s"']|"[^"]*(?:"|$)|'[^']*(?:'|$))+""")
_OF_PAGES = ("offset", "limit", "fields")  # parameters that choose what is shown of the matches
_OTHERS = ("q", "sort", *_OF_PAGES)
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
    fields: tuple[str, ...]  # of each package; empty: all
    cache_key: tuple[tuple[str, tuple[str, ...]], ...]


def parse(query: Mapping[str, Sequence[str]]) -> Search:
    """Parse a query's parameters. Raises Invalid, with Hel's texts."""
    words: list[str] = []
    tests: list[Test] = []
    for param, values in query.items():
        if param == "offset":
            continue
        if param not in _SINGLE_VALUED and param not in _MULTI_VALUED and param not in _OTHERS:
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
        fields=_parse_fields(query.get("fields", [""])[0]),
        cache_key=tuple((param, tuple(query[param])) for param in sorted(query) if param not in _OF_PAGES),
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
    known, archived = rows.of(snapshot), index.archived(snapshot)
    table = known.table
    found = [known.numbers[key] for key in sorted(known.numbers, key=int)]  # a key is an id: in the order of creation
    if archived:
        found = [row for row in found if table.keys[row] not in archived]
    for test in search.tests:
        found = table.where(found, test)
    if search.words:
        matching = texts.current(snapshot).containing(search.words)
        found = [row for row in found if table.keys[row] in matching]
    if search.sort:
        order = _SORTS[search.sort.removeprefix("-")]
        found.sort(key=lambda row: order(known.row(row)), reverse=search.sort.startswith("-"))
    return [table.keys[row] for row in found]


def _parse_sort(text: str) -> str:
    if text and text.removeprefix("-") not in _SORTS:
        raise Invalid(f"A list can be sorted by {', '.join(_SORTS)}; a leading - reverses the order.")
    return text


def _parse_fields(text: str) -> tuple[str, ...]:
    """Names of fields of a package, separated by commas."""
    names = tuple(dict.fromkeys(name for name in text.split(",") if name))
    if unknown := [name for name in names if name not in FIELDS]:
        raise Invalid(f"A package has no field {unknown[0]}.")
    return names


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


def _contains(field: str) -> Callable[[str], list[Test]]:
    """Each phrase must be in the text."""
    return lambda value: [{field: partial(_is_part, phrase)} for phrase in phrases(value)]


def _any_contains(field: str) -> Callable[[str], list[Test]]:
    """Each phrase must be in one of the texts."""

    def tests_for(value: str) -> list[Test]:
        return [{field: partial(_is_part_of_any, phrase)} for phrase in phrases(value)]

    return tests_for


def _equals(field: str) -> Callable[[str], list[Test]]:
    """The whole value must be one of the texts."""
    return lambda value: [{field: lambda texts: value in texts}]


def _latest_file(part: int) -> Callable[[str], list[Test]]:
    """The whole value must be this part of one of the latest version's files."""
    return lambda value: [{"files": lambda files: any(file[part] == value for file in files)}]


def _dependency(value: str) -> list[Test]:
    """`name`, or `name:range:type` exactly; `name:range` compares only the name, as in Hel 3.4. Further parts are
    ignored.
    """
    name, *rest = value.split(":")
    wanted = (name, *rest[:2]) if len(rest) >= 2 else (name,)
    return [{"depends": lambda depends: any(one[: len(wanted)] == wanted for one in depends)}]


def _is_part(phrase: str, text: str) -> bool:
    return phrase in text


def _is_part_of_any(phrase: str, texts: Iterable[str]) -> bool:
    return any(phrase in text for text in texts)


_SINGLE_VALUED: dict[str, Callable[[str], list[Test]]] = {
    "name": _contains("name"),
    "description": _contains("description"),
    "short_description": _contains("short_description"),
    "authors": _any_contains("authors"),
    "screen_desc": _any_contains("screen_descs"),
    "license": lambda value: [{"license": partial(_is_part, value)}],
}
_MULTI_VALUED: dict[str, Callable[[str], list[Test]]] = {
    "owners": lambda value: _equals("owners")(value.lower()),
    "tags": _equals("tags"),
    "screen_url": _equals("screen_urls"),
    "file_url": _latest_file(0),
    "file_dir": lambda value: _latest_file(1)(model.normal_path(value)),
    "file_name": _latest_file(2),
    "dependency": _dependency,
}
_SORTS: dict[str, Callable[[ListedPackage], str | int]] = {
    "name": lambda row: row.name,
    "created": lambda row: row.created_at,
    "updated": lambda row: row.updated_at,
    "views": lambda row: row.views,
    "downloads": lambda row: row.downloads,
}
