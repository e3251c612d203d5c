"""Package queries: the filters and the order of lists."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from chalicelib.contentdb.browse import search
from chalicelib.contentdb.collections import curation
from chalicelib.contentdb.entry import ContentDbSnapshot
from chalicelib.contentdb.store import index, reference, rows
from chalicelib.contentdb.store.arguments import Arguments
from chalicelib.contentdb.store.errors import no_such_page
from chalicelib.contentdb.store.package_row import PackageRow, newest_id
from chalicelib.contentdb.store.rows import PackageRows
from chalicelib.contentdb.store.tables import PACKAGE_TYPES
from chalicelib.contentdb.users import profiles
from chalicelib.core.catalogues.columns import RowList
from chalicelib.core.errors import Invalid

NAMES = (
    *("type", "q", "author", "tag", "flag", "hide", "license", "game", "lang", "protocol_version", "engine_version"),
    *("not_supported", "sort", "order", "random", "lucky", "limit", "fmt"),
)
_FLAGS = ("nonfree", "wip", "deprecated", "genai", "anyai", "*")
_BUNDLES = {"android_default": ("*", "deprecated"), "desktop_default": ("deprecated",)}
_UNPROMOTED = ("sort", "order", "q", "limit")

Test = Mapping[str, Callable[[Any], bool]]  # by field; a package passes if the value of any field does
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
_ONLY: dict[str, Test] = {"reviews": {"reviews": any}, "last_release": {"releases": bool}}


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


ALL = PackageQuery((), None, "score", descending=True, shuffled=False, limit=0, version=None, promotes=True)


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


def find(snapshot: ContentDbSnapshot, query: PackageQuery) -> RowList[PackageRow]:
    """The approved packages that match a query, in its order."""
    known = rows.of(snapshot)
    found: Sequence[int] = known.approved.numbers
    for test in (*query.tests, *filter(None, [_ONLY.get(query.sort)])):
        found = known.table.where(found, test)
    if query.words is not None:
        found = _best_matching(known, found, search.ranks(snapshot, query.words))
    if query.shuffled:
        found = random.sample(found, len(found))
    elif query.sort and (query.sort, query.descending) != ("score", True):  # the packages are in this order already
        order = _SORTS[query.sort]
        found = sorted(found, key=lambda row: order(PackageRow(known.table, row)), reverse=query.descending)
    return RowList(PackageRow, known.table, _featured_first(snapshot, query, found)[: query.limit or None])


def _best_matching(known: PackageRows, found: Sequence[int], ranks: Mapping[str, float]) -> list[int]:
    """Those of the packages that have a rank, the highest rank first; packages of equal rank stay in their order."""
    ranked = map(ranks.get, map(known.table.keys.__getitem__, found))
    matching = [(rank, row) for rank, row in zip(ranked, found, strict=True) if rank is not None]
    return [row for _, row in sorted(matching, key=itemgetter(0), reverse=True)]


def _featured_first(snapshot: ContentDbSnapshot, query: PackageQuery, found: Sequence[int]) -> Sequence[int]:
    """These packages with the featured ones first, if the query promotes them."""
    current = rows.of(snapshot).by_key.numbers
    first = {current[key] for key in featured(snapshot) if key in current} if query.promotes else None
    if not first:
        return found
    return [row for row in found if row in first] + [row for row in found if row not in first]


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
        yield {"type": types.__contains__}
    if "author" in arguments:
        yield _author(snapshot, arguments.text("author"))
    if tags := set(arguments.choices("tag", reference.of(snapshot).tags, "Unknown tag", exact=True)):
        yield {"tags": tags.issubset}
    yield from _hidden(snapshot, arguments.all("hide"))
    yield from _flagged(snapshot, arguments.all("flag"))
    if licenses := _licenses(snapshot, arguments.all("license")):
        yield {"license": licenses.__contains__, "media_license": licenses.__contains__}
    if "game" in arguments:
        yield _game(snapshot, arguments.text("game"))
    if (language := arguments.text("lang") or "en") != "en":
        yield {"languages": lambda languages: language in languages}
    if version is not None:
        supported = "not_supported" not in arguments
        yield {"releases": lambda releases: (newest_id(releases, version) is not None) is supported}


def _author(snapshot: ContentDbSnapshot, author: str) -> Test:
    """Packages of one author, exact in letter case; an author without packages must have an account."""
    if author not in index.authors(snapshot) and profiles.find_account(author) is None:
        raise no_such_page()
    return {"author": author.__eq__}


def _hidden(snapshot: ContentDbSnapshot, names: Sequence[str]) -> Iterator[Test]:
    rows = reference.of(snapshot)
    known = {*_FLAGS, *_BUNDLES, *rows.tags, *rows.content_warnings}
    plain: set[str] = set()
    for name in names:
        if name not in known:
            raise Invalid(f"Unknown tag or content warning {name}")
        plain.update(_BUNDLES.get(name, (name,)))
    if "nonfree" in plain:
        foss = reference.of(snapshot).foss
        yield {"license": foss.__contains__}
        yield {"media_license": foss.__contains__}
    if plain:
        yield {"labels": plain.isdisjoint}


def _flagged(snapshot: ContentDbSnapshot, names: Sequence[str]) -> Iterator[Test]:
    """Packages that have all these flags; unknown flags are ignored."""
    warnings = reference.of(snapshot).content_warnings
    wanted = {name for name in names if name in ("wip", "deprecated", "*") or name in warnings}
    if "nonfree" in names:
        foss = reference.of(snapshot).foss
        yield dict.fromkeys(("license", "media_license"), lambda license_: license_ not in foss)
    if wanted:
        yield {"flags": wanted.issubset}


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
    return {"games": lambda games: game.key in games}
