"""Package queries: the filters and the order of lists."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from chalicelib.contentdb.browse import search
from chalicelib.contentdb.collections import curation
from chalicelib.contentdb.entry import ContentDbSnapshot
from chalicelib.contentdb.store import index, reference, rows
from chalicelib.contentdb.store.arguments import Arguments
from chalicelib.contentdb.store.errors import no_such_page
from chalicelib.contentdb.store.rows import PackageRow
from chalicelib.contentdb.store.tables import PACKAGE_TYPES
from chalicelib.contentdb.users import profiles
from chalicelib.core.errors import Invalid

NAMES = (
    *("type", "q", "author", "tag", "flag", "hide", "license", "game", "lang", "protocol_version", "engine_version"),
    *("not_supported", "sort", "order", "random", "lucky", "limit", "fmt"),
)
_FLAGS = ("nonfree", "wip", "deprecated", "genai", "anyai", "*")
_BUNDLES = {"android_default": ("*", "deprecated"), "desktop_default": ("deprecated",)}
_UNPROMOTED = ("sort", "order", "q", "limit")

Test = Callable[[PackageRow], bool]
Order = Callable[[PackageRow], Any]
_SORTS: dict[str, Order] = {
    "name": lambda row: row.name,
    "title": lambda row: (row.title.lower(), row.title),
    "score": lambda row: row.score,
    "reviews": lambda row: row.score_reviews,
    "downloads": lambda row: row.downloads,
    "created_at": lambda row: row.created_at,
    "date": lambda row: row.created_at,
    "approved_at": lambda row: row.approved_at,
    "last_release": lambda row: row.released_at,
}
_ONLY: dict[str, Test] = {
    "reviews": lambda row: any(row.reviews),
    "last_release": lambda row: bool(row.releases),
}


@dataclass(frozen=True)
class PackageQuery:
    """A parsed query. `version`: releases must run on it (None: any). `promotes`: featured packages come first."""

    tests: tuple[Test, ...]
    words: search.Search | None
    sort: str
    descending: bool
    shuffled: bool
    limit: int
    version: int | None
    promotes: bool

    @property
    def by_score(self) -> bool:
        """Whether the matching packages are in the order of their scores."""
        return self.words is None and (self.sort, self.descending) == ("score", True) and not self.shuffled

    def matches(self, row: PackageRow) -> bool:
        """Whether an approved package passes all tests."""
        return all(test(row) for test in self.tests)


def parse(snapshot: ContentDbSnapshot, arguments: Arguments) -> PackageQuery:
    """Parse a package query. Raises Invalid or NotFound, with ContentDB's texts."""
    text = arguments.text("q").strip()
    version = arguments.version(snapshot)
    sort = arguments.choice("sort", ("score", *_SORTS)) or ("" if text else "score")
    return PackageQuery(
        tests=tuple(_tests(snapshot, arguments, version)),
        words=search.parse(text) if text else None,
        sort=sort,
        descending=arguments.choice("order", ("desc", "asc")) != "asc" or not sort,
        shuffled="random" in arguments,
        limit=1 if "lucky" in arguments else arguments.number("limit") or 0,
        version=None if "not_supported" in arguments else version,
        promotes=not any(name in arguments for name in _UNPROMOTED),
    )


def find(snapshot: ContentDbSnapshot, query: PackageQuery) -> list[PackageRow]:
    """The approved packages that match a query, in its order."""
    found = _matching(snapshot, query)
    for test in query.tests:
        found = list(filter(test, found))
    if query.shuffled:
        random.shuffle(found)
    elif query.sort and (query.sort, query.descending) != ("score", True):  # the packages are in this order already
        found = sorted(filter(_ONLY.get(query.sort), found), key=_SORTS[query.sort], reverse=query.descending)
    return _featured_first(snapshot, query, found)[: query.limit or None]


def find_again(
    snapshot: ContentDbSnapshot, query: PackageQuery, before: Set[str], changed: Set[str]
) -> list[PackageRow]:
    """The same as `find`: `before` are the results before these packages changed, so only they are tested again."""
    if query.words is not None or not query.by_score or query.limit:
        return find(snapshot, query)
    known = rows.of(snapshot)
    tested = (known.by_key.get(key) for key in changed)
    members = (before - changed) | {row.key for row in tested if row and query.matches(row)}
    return _featured_first(snapshot, query, [row for row in known.approved if row.key in members])


def _featured_first(snapshot: ContentDbSnapshot, query: PackageQuery, found: list[PackageRow]) -> list[PackageRow]:
    """These packages with the featured ones first, if the query promotes them."""
    first = featured(snapshot) if query.promotes else frozenset()
    if not first:
        return found
    return [row for row in found if row.key in first] + [row for row in found if row.key not in first]


def _matching(snapshot: ContentDbSnapshot, query: PackageQuery) -> list[PackageRow]:
    """The approved packages that match the words, best first; all of them without words."""
    found = rows.of(snapshot)
    if query.words is None:
        return found.approved
    by_rank: dict[float, list[PackageRow]] = {}
    ranks = search.ranks(snapshot, query.words)
    for row in found.best_first(ranks):
        by_rank.setdefault(ranks[row.key], []).append(row)
    return [row for rank in sorted(by_rank, reverse=True) for row in by_rank[rank]]


def featured(snapshot: ContentDbSnapshot) -> frozenset[str]:
    """The featured packages, by `author/name`, which lists show first."""
    return snapshot.cached("featured", lambda snapshot: frozenset(members(snapshot, "ContentDB/featured")))


def members(snapshot: ContentDbSnapshot, collection: str) -> list[str]:
    """The packages in a public collection, by `author/name`; none if it does not exist."""
    found = index.collection_of(snapshot, f"collection#{collection}")
    if found is None or found.private:
        return []
    return [package.key for _, _, package in curation.visible_items(snapshot, found)]


def _tests(snapshot: ContentDbSnapshot, arguments: Arguments, version: int | None) -> Iterator[Test]:
    if types := arguments.choices("type", PACKAGE_TYPES, "Unknown type"):
        yield lambda row: row.type in types
    if "author" in arguments:
        yield _author(snapshot, arguments.text("author"))
    if tags := set(arguments.choices("tag", reference.of(snapshot).tags, "Unknown tag", exact=True)):
        yield lambda row: tags.issubset(row.tags)
    yield from _hidden(snapshot, arguments.all("hide"))
    yield from _flagged(snapshot, arguments.all("flag"))
    if licenses := _licenses(snapshot, arguments.all("license")):
        yield lambda row: row.license in licenses or row.media_license in licenses
    if "game" in arguments:
        yield _game(snapshot, arguments.text("game"))
    if (language := arguments.text("lang") or "en") != "en":
        yield lambda row: language in row.languages
    if version is not None:
        supported = "not_supported" not in arguments
        yield lambda row: (row.newest_id(version) is not None) is supported


def _author(snapshot: ContentDbSnapshot, author: str) -> Test:
    """Packages of one author, exact in letter case; an author without packages must have an account."""
    if author not in index.authors(snapshot) and profiles.find_account(author) is None:
        raise no_such_page()
    return lambda row: row.author == author


def _hidden(snapshot: ContentDbSnapshot, names: Sequence[str]) -> Iterator[Test]:
    rows = reference.of(snapshot)
    known = {*_FLAGS, *_BUNDLES, *rows.tags, *rows.content_warnings}
    plain: set[str] = set()
    for name in names:
        if name not in known:
            raise Invalid(f"Unknown tag or content warning {name}")
        plain.update(_BUNDLES.get(name, (name,)))
    if "nonfree" in plain:
        yield _is_free(snapshot)
    if plain:
        yield lambda row: plain.isdisjoint(row.labels)


def _flagged(snapshot: ContentDbSnapshot, names: Sequence[str]) -> Iterator[Test]:
    """Packages that have all these flags; unknown flags are ignored."""
    warnings = reference.of(snapshot).content_warnings
    wanted = {name for name in names if name in ("wip", "deprecated", "*") or name in warnings}
    if "nonfree" in names:
        free = _is_free(snapshot)
        yield lambda row: not free(row)
    if wanted:
        yield lambda row: wanted.issubset(row.flags)


def _is_free(snapshot: ContentDbSnapshot) -> Test:
    foss = reference.of(snapshot).foss
    return lambda row: row.license in foss and row.media_license in foss


def _licenses(snapshot: ContentDbSnapshot, names: Sequence[str]) -> frozenset[str]:
    known: Mapping[str, str] = reference.of(snapshot).license_names
    if any(name.lower() not in known for name in names):
        raise Invalid(f"Unknown license. Expected license name from: {', '.join(known.values())}")
    return frozenset(known[name.lower()] for name in names)


def _game(snapshot: ContentDbSnapshot, name: str) -> Test:
    """Packages that declare support for a game."""
    game = index.find(snapshot, name) or index.find(snapshot, f"{name}_game")
    if game is None or game.value.type != "game":
        raise Invalid("Unable to find that game")
    return lambda row: game.key in row.games
