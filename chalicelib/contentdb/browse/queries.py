"""Package queries: the filters and the order of lists."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chalicelib.contentdb.browse import search
from chalicelib.contentdb.collections import curation
from chalicelib.contentdb.entry import ContentDbSnapshot, PackageEntry
from chalicelib.contentdb.store import index, reference, versions
from chalicelib.contentdb.store.arguments import Arguments
from chalicelib.contentdb.store.errors import no_such_page
from chalicelib.contentdb.store.tables import PACKAGE_TYPES
from chalicelib.contentdb.users import profiles
from chalicelib.core.errors import Invalid
from chalicelib.core.snapshots import Entry

NAMES = (
    *("type", "q", "author", "tag", "flag", "hide", "license", "game", "lang", "protocol_version", "engine_version"),
    *("not_supported", "sort", "order", "random", "lucky", "limit", "fmt"),
)
_FLAGS = ("nonfree", "wip", "deprecated", "genai", "anyai", "*")
_BUNDLES = {"android_default": ("*", "deprecated"), "desktop_default": ("deprecated",)}
_UNPROMOTED = ("sort", "order", "q", "limit")

Test = Callable[[Entry[PackageEntry]], bool]
Order = Callable[[PackageEntry], Any]
_SORTS: dict[str, Order] = {
    "name": lambda value: value.name,
    "title": lambda value: (value.title.lower(), value.title),
    "score": index.score,
    "reviews": lambda value: value.score_reviews,
    "downloads": lambda value: value.downloads,
    "created_at": lambda value: value.created_at,
    "date": lambda value: value.created_at,
    "approved_at": lambda value: value.approved_at or "",
    "last_release": lambda value: value.releases[0].created_at,
}
_ONLY: dict[str, Test] = {
    "reviews": lambda entry: any(entry.value.reviews),
    "last_release": lambda entry: bool(entry.value.releases),
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


def parse(snapshot: ContentDbSnapshot, arguments: Arguments) -> PackageQuery:
    """Parse a package query. Raises Invalid or NotFound, with ContentDB's texts."""
    text = arguments.text("q").strip()
    version = arguments.version(snapshot)
    sort = arguments.choice("sort", ("score", *_SORTS)) or ("" if text else "score")
    return PackageQuery(
        tests=tuple(_tests(snapshot, arguments, version)),
        words=search.parse(text) if text else None,
        sort=sort,
        descending=arguments.choice("order", ("desc", "asc")) != "asc",
        shuffled="random" in arguments,
        limit=1 if "lucky" in arguments else arguments.number("limit") or 0,
        version=None if "not_supported" in arguments else version,
        promotes=not any(name in arguments for name in _UNPROMOTED),
    )


def find(snapshot: ContentDbSnapshot, query: PackageQuery) -> list[Entry[PackageEntry]]:
    """The approved packages that match a query, in its order."""
    found = [entry for entry in _matching(snapshot, query) if all(test(entry) for test in query.tests)]
    if query.shuffled:
        random.shuffle(found)
    elif query.sort and (query.sort, query.descending) != ("score", True):  # the packages are in this order already
        found = sorted(
            filter(_ONLY.get(query.sort), found),
            key=lambda entry: _SORTS[query.sort](entry.value),
            reverse=query.descending,
        )
    if query.promotes:
        found.sort(key=lambda entry: entry.key not in featured(snapshot))
    return found[: query.limit or None]


def _matching(snapshot: ContentDbSnapshot, query: PackageQuery) -> list[Entry[PackageEntry]]:
    """The approved packages that match the words, best first; all of them without words."""
    if query.words is None:
        return index.approved(snapshot)
    ranks = search.ranks(snapshot, query.words)
    found = (index.find(snapshot, key) for key in ranks)
    approved = [entry for entry in found if entry and entry.value.state == "APPROVED"]
    order = -1 if query.descending or query.sort else 1
    return sorted(approved, key=lambda entry: (order * ranks[entry.key], -index.score(entry.value)))


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
        yield lambda entry: entry.value.type in types
    if "author" in arguments:
        yield _author(snapshot, arguments.text("author"))
    if tags := set(arguments.choices("tag", reference.of(snapshot).tags, "Unknown tag", exact=True)):
        yield lambda entry: tags.issubset(entry.value.tags)
    yield from _hidden(snapshot, arguments.all("hide"))
    yield from _flagged(snapshot, arguments.all("flag"))
    if licenses := _licenses(snapshot, arguments.all("license")):
        yield lambda entry: entry.value.license in licenses or entry.value.media_license in licenses
    if "game" in arguments:
        yield _game(snapshot, arguments.text("game"))
    if (language := arguments.text("lang") if "lang" in arguments else "en") != "en":
        yield lambda entry: language in entry.value.translations
    if version is not None:
        supported = "not_supported" not in arguments
        yield lambda entry: (versions.newest_id(entry.value, version) is not None) is supported


def _author(snapshot: ContentDbSnapshot, author: str) -> Test:
    """Packages of one author, exact in letter case; an author without packages must have an account."""
    if author not in index.authors(snapshot) and profiles.find_account(author) is None:
        raise no_such_page()
    return lambda entry: entry.value.author == author


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
        yield lambda entry: plain.isdisjoint(entry.cached("labels", _labels))


def _flagged(snapshot: ContentDbSnapshot, names: Sequence[str]) -> Iterator[Test]:
    """Packages that have all these flags; unknown flags are ignored."""
    warnings = reference.of(snapshot).content_warnings
    wanted = {name for name in names if name in ("wip", "deprecated", "*") or name in warnings}
    if "nonfree" in names:
        free = _is_free(snapshot)
        yield lambda entry: not free(entry)
    if wanted:
        yield lambda entry: wanted.issubset(entry.cached("flags", _flags))


def _is_free(snapshot: ContentDbSnapshot) -> Test:
    foss = reference.of(snapshot).foss
    return lambda entry: entry.value.license in foss and entry.value.media_license in foss


def _flags(entry: Entry[PackageEntry]) -> frozenset[str]:
    """The flags of a package."""
    value = entry.value
    flags = set(value.content_warnings)
    if flags:
        flags.add("*")
    if value.dev_state in ("WIP", "DEPRECATED"):
        flags.add(value.dev_state.lower())
    if value.ai_disclosure in ("ASSISTED", "GENERATED"):
        flags.add("anyai")
    if value.ai_disclosure == "GENERATED":
        flags.add("genai")
    return frozenset(flags)


def _labels(entry: Entry[PackageEntry]) -> frozenset[str]:
    return _flags(entry).union(entry.value.tags)


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
    return lambda entry: any(row.game == game.key and row.supports for row in entry.value.game_support)
