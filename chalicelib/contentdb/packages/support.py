"""The games in which packages can be used, derived from the dependencies of all packages.

A package needs, for each hard dependency, a game or mod that provides it. A mod limits its dependents to its own games;
one that works in every game does not limit them. Packages that depend on each other do not limit each other.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from chalicelib.contentdb.entry import ContentDbEntry, ContentDbSnapshot, PackageEntry
from chalicelib.contentdb.packages import dependencies
from chalicelib.contentdb.store import index, rows
from chalicelib.contentdb.store.support_jobs import CONF
from chalicelib.core.catalogues.shards import Shard

Games = frozenset[str] | None  # keys of games; None: every game
V = TypeVar("V")
DETECTED = 1  # the confidence of games that dependencies determine


@dataclass(frozen=True)
class _Mod:
    """A package that is no game: for each hard dependency the keys of its providers, and its author's statements."""

    providers: tuple[tuple[str, ...], ...]
    stated: frozenset[str]
    excluded: frozenset[str]
    all_games: bool

    def possible(self, known: Mapping[str, Games]) -> Games:
        """The games that provide all its dependencies, by the games of the providers."""
        found: Games = None
        for keys in self.providers:
            games = _union(known[key] for key in keys)
            if games is not None:
                found = games if found is None else found & games
        return found

    def is_free(self, free: Mapping[str, bool]) -> bool:
        """Whether it limits its dependents to no games; `free` says so of the providers."""
        limited = any(not any(free[key] for key in keys) for keys in self.providers)
        return not limited and (self.all_games or not self.stated)

    def usable(self, known: Mapping[str, Games]) -> Games:
        """The games to which it limits its dependents, if it is not free."""
        possible = self.possible(known)
        return self.stated if possible is None else (possible | self.stated) - self.excluded


def possible_games(snapshot: ContentDbSnapshot, keys: Iterable[str]) -> dict[str, Games]:
    """The games that provide all hard dependencies of each of these packages. None: it needs no certain game."""
    wanted = list(keys)
    mods = {key: mod for key in wanted if (mod := _mod(snapshot, key))}
    return {key: possible for key, possible in _solve(snapshot, mods).items() if key in mods}


def games_for(snapshot: ContentDbSnapshot, key: str, author: str, depends: Iterable[str]) -> Games:
    """Like `possible_games`, for a package with these dependencies, which need not be in the catalogue."""
    mod = _Mod(tuple(providers(snapshot, author, name) for name in depends), frozenset(), frozenset(), False)
    return _solve(snapshot, {key: mod})[key]


def providers(snapshot: ContentDbSnapshot, author: str, name: str) -> tuple[str, ...]:
    """The packages that provide a dependency: approved ones, and drafts of its author, which may need each other."""
    found = [entry.key for entry in dependencies.candidates(snapshot, name)]
    drafts = rows.of(snapshot).drafts_of.get(author, ())
    return (*found, *(row.key for row in drafts if name in row.provides))


def dependents(snapshot: ContentDbSnapshot, names: Iterable[str]) -> set[str]:
    """The mods that need one of these names, and all that need those, and so on; the walk ends at games."""
    found: set[str] = set()
    new = set(names)
    while new:
        keys = _referring(snapshot, new, "depends") - found
        found |= keys
        new = {name for key in keys if (entry := index.find(snapshot, key)) for name in (key, *entry.value.provides)}
    return found


def naming(snapshot: ContentDbSnapshot, games: Iterable[str]) -> set[str]:
    """The packages whose game support names one of these games."""
    return _referring(snapshot, games, "games")


def _referring(snapshot: ContentDbSnapshot, names: Iterable[str], field: str) -> set[str]:
    """The packages that refer to one of these names in `depends` or `games`."""
    shards = snapshot.per_shard("support-references", _references)
    return {key for shard in shards for name in names for key in shard.get((field, name), ())}


def _references(shard: Shard[ContentDbEntry]) -> Mapping[tuple[str, str], list[str]]:
    """The keys of the packages of one shard by the hard dependencies of mods, and by the games that they name."""
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for entry in shard.entries():
        if isinstance(entry.value, PackageEntry):
            for name in entry.value.depends if entry.value.type == "mod" else ():
                found["depends", name].append(entry.key)
            for row in entry.value.game_support:
                found["games", row.game].append(entry.key)
    return found


def _solve(snapshot: ContentDbSnapshot, mods: Mapping[str, _Mod]) -> dict[str, Games]:
    """The possible games of these packages, and of all that they need.

    Every package starts with all games, and loses some until nothing changes. So the order does not matter, and
    packages that only need each other do not limit each other. Whether a package has a limit is found first, because
    the sets then only shrink.
    """
    known = dict(mods)
    needed_by = _connect(snapshot, known)
    games = {provider for provider in needed_by if provider not in known}
    free = _settle(known, needed_by, {key: key in known for key in known.keys() | games}, _Mod.is_free)
    every = frozenset(games.union(*(mod.stated for mod in known.values())))
    first: dict[str, Games] = {key: None if is_free else every for key, is_free in free.items()}
    first |= {key: frozenset([key]) for key in games}
    usable = _settle({key: mod for key, mod in known.items() if not free[key]}, needed_by, first, _Mod.usable)
    return {key: mod.possible(usable) for key, mod in known.items()}


def _connect(snapshot: ContentDbSnapshot, known: dict[str, _Mod]) -> dict[str, set[str]]:
    """Add all mods that the known ones need; return the mods that need each mod or game."""
    needed_by: dict[str, set[str]] = defaultdict(set)
    new = list(known)
    while new:
        key = new.pop()
        for provider in {each for keys in known[key].providers for each in keys}:
            if provider not in needed_by and provider not in known and (mod := _mod(snapshot, provider)):
                known[provider] = mod
                new.append(provider)
            needed_by[provider].add(key)
    return needed_by


def _settle(
    mods: Mapping[str, _Mod],
    needed_by: Mapping[str, set[str]],
    values: dict[str, V],
    compute: Callable[[_Mod, Mapping[str, V]], V],
) -> dict[str, V]:
    """Compute the value of each mod from the values of all, until none changes."""
    changed = set(mods)
    while changed:
        key = changed.pop()
        value = compute(mods[key], values)
        if value != values[key]:
            values[key] = value
            changed |= needed_by.get(key, set()) & mods.keys()
    return values


def _mod(snapshot: ContentDbSnapshot, key: str) -> _Mod | None:
    """A package of the catalogue; None for a game."""
    entry = index.find(snapshot, key)
    if entry is None or entry.value.type == "game":
        return None
    value = entry.value
    stated = [row for row in value.game_support if row.confidence >= CONF]
    return _Mod(
        tuple(providers(snapshot, value.author, name) for name in value.depends),
        frozenset(row.game for row in stated if row.supports and index.find(snapshot, row.game)),
        frozenset(row.game for row in stated if not row.supports),
        bool(value.supports_all_games),
    )


def _union(sets: Iterable[Games]) -> Games:
    """The games of at least one set; None if one has every game. No set at all: no game."""
    found: frozenset[str] = frozenset()
    for games in sets:
        if games is None:
            return None
        found |= games
    return found
